"""cr.exp, cr.sum, ...: every public function against NumPy's values, or its formula in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, RecordingError, ShapeError
from chainrule.graph import functions
from chainrule.graph.variable import UFUNCS, Variable

Array = npt.NDArray[Any]


def signed(rng: np.random.Generator) -> Array:
    return np.asarray(rng.uniform(0.1, 2.0, (3, 4)) * rng.choice([-1.0, 1.0], (3, 4)))


x, y = map(signed, np.random.default_rng(5).spawn(2))
p = np.abs(x)
ids = np.array([2, 0, 3])
mask = x > 0.4


def softmax(s: Array, axis: int = -1) -> Array:
    e = np.exp(s - s.max(axis, keepdims=True))
    return np.asarray(e / e.sum(axis, keepdims=True))


def sigmoid(s: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-s)))


def added(shape: tuple[int, ...], key: Any, values: Array) -> Array:
    out = np.zeros(shape)
    np.add.at(out, key, values)
    return out


#: A call of the function on arrays (which are tried as Variables too), and what it must give.
REFERENCES: dict[str, tuple[tuple[Any, ...], Callable[..., Any]]] = {
    "abs": ((x,), np.abs),
    "add": ((x, y), np.add),
    "broadcast_to": ((x, (2, 3, 4)), np.broadcast_to),
    "clip": ((x, -0.5, 0.5), np.clip),
    "concatenate": (([x, y], 1), lambda xs, axis: np.concatenate(xs, axis)),
    "cos": ((x,), np.cos),
    "cross_entropy": ((p / 5, ids), lambda y, t: -np.log(y[np.arange(3), t])),
    "divide": ((x, y), np.divide),
    "elu": ((x, 0.5), lambda v, a: np.where(v > 0, v, a * np.expm1(v))),
    "equal": ((x, x.round(1)), np.equal),
    "exact_gelu": ((x,), lambda v: v / 2 * np.vectorize(math.erfc)(-v / np.sqrt(2))),
    "exp": ((x,), np.exp),
    "expand_dims": ((x, 1), np.expand_dims),
    "gelu": (
        (x,),
        lambda v: v / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (v + 0.044715 * v**3))),
    ),
    "greater": ((x, y), np.greater),
    "greater_equal": ((x, y), np.greater_equal),
    "index": ((x, (slice(None, None, -1), [0, 0, 3])), lambda v, key: v[key]),
    "index_add": ((x, (ids, slice(None)), (5, 4)), lambda v, k, s: added(s, k, v)),
    "leaky_relu": ((x, 0.2), lambda v, a: np.where(v > 0, v, a * v)),
    "less": ((x, y), np.less),
    "less_equal": ((x, y), np.less_equal),
    "log": ((p,), np.log),
    "log1p": ((p,), np.log1p),
    "logical_and": ((mask, ~mask), np.logical_and),
    "logical_not": ((mask,), np.logical_not),
    "logical_or": ((mask, ~mask), np.logical_or),
    "logsumexp": ((x, 0), lambda v, axis: np.log(np.exp(v).sum(axis))),
    "matmul": ((x, y.T), np.matmul),
    "max": ((x, 1), np.max),
    "maximum": ((x, y), np.maximum),
    "mean": ((x, (0, 1), True), lambda v, a, k: np.mean(v, a, keepdims=k)),
    "min": ((x, 0), np.min),
    "minimum": ((x, y), np.minimum),
    "mish": ((x,), lambda v: v * np.tanh(np.log1p(np.exp(v)))),
    "multiply": ((x, y), np.multiply),
    "negative": ((x,), np.negative),
    "norm": ((x, -1, True), lambda v, a, k: np.linalg.norm(v, axis=a, keepdims=k)),
    "not_equal": ((x, y), np.not_equal),
    "one_hot": ((ids, 4), lambda t, n: np.eye(n)[t]),
    "power": ((p, y), np.power),
    "prod": ((x, 0), np.prod),
    "relu": ((x,), lambda v: np.maximum(v, 0)),
    "reshape": ((x, (2, -1)), np.reshape),
    "selu": (
        (x,),
        lambda v: 1.0507009873554805 * np.where(v > 0, v, 1.6732632423543772 * np.expm1(v)),
    ),
    "sigmoid": ((x,), sigmoid),
    "sigmoid_cross_entropy": (
        (x, p / 3),
        lambda s, t: -t * np.log(sigmoid(s)) - (1 - t) * np.log(1 - sigmoid(s)),
    ),
    "sign": ((x,), np.sign),
    "silu": ((x,), lambda v: v / (1 + np.exp(-v))),
    "sin": ((x,), np.sin),
    "softmax": ((x, 0), softmax),
    "softmax_cross_entropy": ((x, ids), lambda s, t: -np.log(softmax(s)[np.arange(3), t])),
    "softplus": ((x,), lambda v: np.log(1 + np.exp(v))),
    "sqrt": ((p,), np.sqrt),
    "square": ((x,), np.square),
    "squeeze": ((x[:, None], 1), np.squeeze),
    "stack": (([x, y], -1), lambda xs, axis: np.stack(xs, axis)),
    "std": ((x, 1), np.std),
    "stop_gradient": ((x,), np.positive),
    "subtract": ((x, y), np.subtract),
    "sum": ((x, -2), np.sum),
    "swapaxes": ((x, 0, -1), np.swapaxes),
    "tanh": ((x,), np.tanh),
    "transpose": ((x[:, None], (2, 0, 1)), np.transpose),
    "var": ((x, 0, False, 1), lambda v, a, k, ddof: np.var(v, a, keepdims=k, ddof=ddof)),
    "where": ((mask, x, y), np.where),
}

#: NumPy's own names, and arguments in the places that NumPy has them in.
u = x / 2.5
whole = np.arange(12).reshape(3, 4)
REFERENCES |= {
    name: (arguments, getattr(np, name))
    for names, arguments in {
        "all any argmax argmin count_nonzero median nanmean nansum ptp": (x, 1),
        "cumprod cumsum argsort sort flip": (x, 0),
        "arccos arcsin arctan arctanh arcsinh cbrt ceil cosh deg2rad exp2 expm1 floor isfinite isinf"
        " isnan nan_to_num ones_like rad2deg rint sinc sinh tan trunc zeros_like": (u,),
        "atleast_1d atleast_2d atleast_3d diag diagonal fliplr flipud ravel reciprocal rot90 trace"
        " tril triu unstack": (x,),
        "arccosh log2 log10": (1 + p,),
        "arctan2 floor_divide fmax fmin heaviside hypot inner logaddexp logaddexp2 mod outer vdot kron"
        " append": (x, y),
        "cross": (x[:, :3], y[:, :3]),
        "dot": (x, y.T),
        "tensordot": (x, y, 2),
        "logical_xor": (mask, ~mask),
        "column_stack dstack hstack vstack": ([x, y],),
        "array_split": (x, 3, 1),
        "split": (x, 2, 1),
        "broadcast_arrays": (x, y[0]),
        "average": (x, 1, p[0]),
        "diff": (x, 2, 0),
        "einsum": ("ij,kj->ik", x, y),
        "full_like": (x, 2.5),
        "moveaxis": (x[:, None], 0, 2),
        "pad": (x, ((1, 0), (2, 1))),
        "repeat roll": (x, 2, 0),
        "round": (x, 1),
        "take": (x, [0, 3, 3], 1),
        "take_along_axis": (x, np.argsort(x, 1), 1),
        "tile": (x, (2, 1)),
        "trapezoid": (x, y),
    }.items()
    for name in names.split()
} | {"matrix_power": ((x @ y.T, 3), np.linalg.matrix_power)}
square = x @ y.T + np.eye(3)
definite = x @ x.T + np.eye(3)
REFERENCES |= {
    name: (arguments, getattr(np.linalg, name))
    for names, arguments in {
        "det inv slogdet": (square,),
        "cholesky eigh eigvalsh": (definite,),
        "pinv": (x,),
        "solve": (square, x),
        "multi_dot": ([x, y.T, x],),
        "vecdot": (x, y),
    }.items()
    for name in names.split()
} | {"erf": ((x,), np.vectorize(math.erf))}
#: Decisions and places: whole numbers and truth values, of which an answer may be a plain array.
PLAIN = ("argsort",)


def as_variables(argument: Any) -> Any:
    if isinstance(argument, list) and isinstance(argument[0], np.ndarray):
        return [Variable(a) for a in argument]
    return Variable(argument) if isinstance(argument, np.ndarray) else argument


def test_a_public_function_missing_here_fails() -> None:
    apart = set(REFERENCES) ^ set(functions.__all__)
    assert not apart, f"only one of graph/functions and REFERENCES has {sorted(apart)}"
    assert len(functions.__all__) == len(set(functions.__all__))


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_values(name: str) -> None:
    arguments, reference = REFERENCES[name]
    expected = reference(*arguments)
    on_arrays = getattr(cr, name)(*arguments)
    several = isinstance(expected, list | tuple)
    for got, right in zip(*((v if several else [v]) for v in (on_arrays, expected)), strict=True):
        assert not isinstance(got, Variable)
        np.testing.assert_allclose(got, right, rtol=1e-14, atol=4e-15, strict=True)
    first = name in ("index_add", "take_along_axis")
    moved = [as_variables(a) if not first or i == 0 else a for i, a in enumerate(arguments)]
    recorded = getattr(cr, name)(*moved)
    for made, got in zip(*((v if several else [v]) for v in (recorded, on_arrays)), strict=True):
        assert isinstance(made, Variable) or name in PLAIN
        assert np.array_equal(made.data if isinstance(made, Variable) else made, got)


@pytest.mark.parametrize("ufunc", sorted(UFUNCS, key=str))
def test_ufuncs_of_variables_give_numpys_values(ufunc: np.ufunc) -> None:
    truth = ufunc.__name__.startswith(("logical", "bitwise", "invert"))
    arguments = [p, p.T] if ufunc is np.matmul else [mask, ~mask] if truth else [p, np.abs(y)]
    if ufunc in (np.arcsin, np.arccos, np.arctanh):
        arguments = [p / 2.5]
    elif ufunc is np.arccosh:
        arguments = [1 + p]
    arguments = arguments[: ufunc.nin]
    out = ufunc(*map(Variable, arguments))
    got = out.data if isinstance(out, Variable) else out
    np.testing.assert_allclose(got, ufunc(*arguments), rtol=1e-15, strict=True)


@pytest.mark.parametrize(
    ("call", "same"),
    [
        (lambda v: np.sum(v, axis=0), lambda v: np.sum(v, axis=0)),
        (lambda v: np.mean(v, (0, 1)), lambda v: np.mean(v, (0, 1))),
        (lambda v: np.prod(v, axis=-1, keepdims=True), lambda v: np.prod(v, -1, keepdims=True)),
        (lambda v: np.var(v, ddof=1), lambda v: np.var(v, ddof=1)),
        (lambda v: np.std(v, axis=1), lambda v: np.std(v, axis=1)),
        (lambda v: np.clip(v, -1, 1), lambda v: np.clip(v, -1, 1)),
        (lambda v: np.where(mask, v, 0), lambda v: np.where(mask, v, 0)),
        (lambda v: np.concatenate([v, v], axis=1), lambda v: np.concatenate([v, v], axis=1)),
        (lambda v: np.stack([v, v]), lambda v: np.stack([v, v])),
        (lambda v: np.dot(v, v.T), lambda v: np.dot(v, v.T)),
        (lambda v: np.linalg.norm(v), np.linalg.norm),
        (lambda v: np.linalg.norm(v, axis=0), lambda v: np.linalg.norm(v, axis=0)),
        (lambda v: np.expand_dims(v, -1), lambda v: np.expand_dims(v, -1)),
        (lambda v: np.squeeze(v[None]), lambda v: v),
        (lambda v: np.swapaxes(v, 0, 1), lambda v: v.T),
        (lambda v: v.reshape(4, 3), lambda v: v.reshape(4, 3)),
        (lambda v: v.reshape((2, -1)), lambda v: v.reshape((2, -1))),
        (lambda v: v.transpose(1, 0), lambda v: v.T),
        (lambda v: v.max(axis=1), lambda v: v.max(axis=1)),
        (lambda v: v.min(), lambda v: v.min()),
        (lambda v: v[1:, ::-2], lambda v: v[1:, ::-2]),
        (lambda v: v[mask], lambda v: v[mask]),
        (lambda v: v[ids - 1, ids], lambda v: v[ids - 1, ids]),
        (lambda v: v[..., None, 0], lambda v: v[..., None, 0]),
        (lambda v: sum(row for row in v), lambda v: v.sum(0)),
        (lambda v: 2 - v, lambda v: 2 - v),
        (lambda v: 2 / v, lambda v: 2 / v),
        (lambda v: (v * v) ** 1.5, lambda v: (v * v) ** 1.5),
        (lambda v: 2.0**v, lambda v: 2.0**v),
        (lambda v: -abs(+v), lambda v: -np.abs(v)),
        (lambda v: y.T @ v, lambda v: y.T @ v),
        (lambda v: y + v, lambda v: y + v),
        (lambda v: v @ np.ones(4), lambda v: v @ np.ones(4)),
        (lambda v: np.ones(3) @ v, lambda v: np.ones(3) @ v),
        (lambda v: v[0] @ v[1], lambda v: v[0] @ v[1]),
        (lambda v: v @ np.ones((2, 4, 5)), lambda v: v @ np.ones((2, 4, 5))),
        (lambda v: np.ones((2, 1, 5, 3)) @ v, lambda v: np.ones((2, 1, 5, 3)) @ v),
    ],
)
def test_numpys_own_names_values_and_gradients(
    call: Callable[..., Any], same: Callable[..., Any]
) -> None:
    out = call(Variable(x))
    assert isinstance(out, Variable)
    np.testing.assert_allclose(out.data, same(x), rtol=1e-14, atol=1e-15)
    report = cr.check(call, x, elements=True, second_order=True)
    assert report, str(report)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda v: np.spacing(v), "np.spacing is not known for Variables"),
        (lambda v: np.subtract.reduce(v), "np.subtract.reduce is not known"),
        (lambda v: np.add(v, 1, out=np.zeros(3)), "np.add of a Variable does not take out"),
        (lambda v: np.percentile(v, 5), "np.percentile is not known for Variables"),
        (
            lambda v: np.nancumsum(v),
            "np.nancumsum is not known for Variables. There is np.cumsum",
        ),
        (lambda v: np.asarray(v), "would lose its gradient"),
        (lambda v: np.array([1.0, v], dtype=float), "would lose its gradient"),
        (lambda v: v.__setitem__(0, 1.0), "cannot be changed in place"),
        (lambda v: Variable(v), "takes an array, and got a Variable"),
        (lambda v: v + np.ones(4), "Add got shapes (3,) and (4,)"),
        (lambda v: v @ np.ones((2, 2)), "matmul got shapes (3,) and (2, 2)"),
        (lambda v: v @ 2.0, "use * with a single number"),
        (lambda v: v.reshape(2, 2), "cannot reshape 3 elements of shape (3,)"),
        (lambda v: cr.mean(v[:0]), "Mean needs at least one element"),
        (lambda v: cr.var(v[:1], ddof=1), "Var with ddof=1 needs more than 1 elements"),
        (
            lambda v: cr.one_hot([0, 3], 3),
            "ids from 0 to 2; got dtype int64 with values from 0 to 3",
        ),
        (lambda v: (v * v).backward(), "taken of one number, and the output has shape (3,)"),
    ],
)
def test_refusals_say_what_and_why(call: Callable[..., Any], words: str) -> None:
    with pytest.raises(ChainruleError) as caught:
        call(Variable(np.array([1.0, 2.0, 3.0])))
    assert words in str(caught.value), str(caught.value)


def test_text_and_objects_are_refused() -> None:
    with pytest.raises(TypeError, match="a Variable holds numbers; got dtype <U1"):
        Variable(["a", "b"])
    with pytest.raises(ShapeError):
        Variable(np.ones((2, 3))) + np.ones((3, 2))


def test_bit_operations_are_for_truth_values() -> None:
    whole = Variable(np.array([2, 3]))
    calls: list[Callable[[], Any]] = [lambda: whole & 1, lambda: whole | 1, lambda: ~whole]
    for call in calls:
        with pytest.raises(RecordingError, match="takes truth values"):
            call()
