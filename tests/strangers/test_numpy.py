"""Plain numbers, NumPy's names and derivatives, as programs for other libraries write them."""

from __future__ import annotations

import collections
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, DTypeError, RecordingError, SettingError, ShapeError

Array = npt.NDArray[Any]
A = np.array([[1.0, -2.0], [3.0, 4.0]])
V = np.array([0.5, -1.5, 2.0])


# -- what cuts a gradient ------------------------------------------------------------------------------


def filled(x: Any) -> Any:
    r = np.zeros(3)
    for i in range(3):
        r[i] = x[i] * x[0]
    return np.sum(r)


def filled_whole(x: Any) -> Any:
    r = np.zeros((2, 3))
    r[0] = x
    return np.sum(r)


def put_in(x: Any) -> Any:
    r = np.zeros(())
    r[...] = x[0]
    return r


CUTS: dict[str, tuple[Callable[..., Any], Any, str]] = {
    "math.exp": (lambda x: math.exp(x), 1.0, r"cr\.exp.*not math\.exp"),
    "math.exp beside x": (lambda x: x * math.exp(x), 1.0, r"cr\.exp.*not math\.exp"),
    "math.sin": (math.sin, 1.0, "through a plain number no gradient"),
    "math.log of a node": (lambda x: -math.log(cr.sigmoid(x)), 1.0, r"cr\.log.*not math\.log"),
    "math.pow": (lambda x: math.pow(x, 2), 2.0, "through a plain number no gradient"),
    "math.hypot": (lambda x: math.hypot(x, 1.0), 2.0, r"cr\.hypot"),
    "float()": (lambda x: float(x) ** 2, 1.0, "float.*of a Variable"),
    "numpy.float64()": (lambda x: np.float64(x) * 2, 1.0, "of a Variable"),
    "int()": (lambda x: int(x) * x, 3.0, "int.*of a Variable"),
    "complex()": (lambda x: complex(x).real, 3.0, "of a Variable"),
    "round()": (lambda x: round(x) * x, 3.0, "round.*of a Variable"),
    "item()": (lambda x: x.item() * x, 3.0, "item.*of a Variable"),
    "item(i)": (lambda x: x.item(0) * x[0], V, "of a Variable"),
    "tolist()": (lambda x: sum(x.tolist()), V, "of a Variable"),
    "bool()": (lambda x: x * 2 if bool(x) else x, 3.0, "Compare it"),
    "and": (lambda x: x and x * 2, 3.0, "Compare it"),
    "an array filled": (filled, V, r"cr\.stack"),
    "a row filled": (filled_whole, V, r"cr\.stack|array"),
    "a number put in": (put_in, V, "of a Variable"),
    "numpy.array with a dtype": (lambda x: np.array([x[0], x[1]], float).sum(), V, r"cr\.stack"),
    "numpy.asarray": (lambda x: np.asarray(x).sum(), V, "of a Variable"),
    "numpy.fromiter": (lambda x: np.fromiter((v for v in x), float).sum(), V, r"cr\.stack"),
    "a Variable of nothing": (lambda x: cr.Variable(3.0), 1.0, "nothing was computed for"),
    "no Variable at all": (lambda x: 5.0, 1.0, "no Variable"),
    "plain data": (lambda x: np.sum(x.data**2), V, "no Variable"),
    "nothing": (lambda x: None, V, "no Variable"),
}  # fmt: skip


@pytest.mark.source("HIPS/autograd #246", "HIPS/autograd #177", "strangers A1", "peers W4")
@pytest.mark.parametrize("name", CUTS)
@pytest.mark.parametrize("way", ["grad", "value_and_grad", "check"])
def test_what_cuts_a_gradient_is_refused(name: str, way: str) -> None:
    f, x, said = CUTS[name]
    if way == "check" and said in ("no Variable", "nothing was computed for"):
        return  # a constant: its gradient is 0, and central differences agree
    with pytest.raises(RecordingError, match=said):
        getattr(cr, way)(f, x) if way == "check" else getattr(cr, way)(f)(x)


@pytest.mark.source("HIPS/autograd #246", "strangers A1")
def test_backward_finds_what_was_read_on_the_way() -> None:
    x = cr.Variable(1.0)
    y = x * math.exp(x)
    with pytest.raises(RecordingError, match=r"cr\.exp"):
        y.backward()


@pytest.mark.source("strangers A1")
def test_what_is_only_looked_at_is_no_cut() -> None:
    seen: list[float] = []

    def f(x: Any) -> Any:
        y = x * x
        seen.append(y.data.item())
        if y > 2:
            y = y * 2
        return y

    assert cr.grad(f)(3.0) == 12.0
    assert seen == [9.0]
    x = cr.Variable(2.0)
    loss = x * x
    assert f"{loss:.2f}" == "4.00"
    loss.backward()
    assert float(loss) == 4.0  # after it is done
    assert x.grad == 4.0


@pytest.mark.source("strangers A1", "peers 6.2")
def test_lists_and_arrays_of_variables_are_joined() -> None:
    def listed(x: Any) -> Any:
        return np.sum(np.stack([x[i] * x[0] for i in range(3)]))

    def of_objects(x: Any) -> Any:
        r = np.empty(3, object)
        for i in range(3):
            r[i] = x[i] * x[0]
        return cr.sum(cr.stack(list(r)))

    right = np.array([2 * V[0] + V[1] + V[2], V[0], V[0]])
    for f in (listed, of_objects):
        np.testing.assert_allclose(cr.grad(f)(V), right)
        assert cr.check(f, V)


# -- NumPy's meaning -----------------------------------------------------------------------------------

CALLS: dict[str, tuple[Callable[[Any], Any], Array]] = {
    "norm(v, 1)": (lambda v: np.linalg.norm(v, 1), V),
    "norm(v, 2)": (lambda v: np.linalg.norm(v, 2), V),
    "norm(v, 3)": (lambda v: np.linalg.norm(v, 3), V),
    "norm(v, inf)": (lambda v: np.linalg.norm(v, np.inf), V),
    "norm(v, -inf)": (lambda v: np.linalg.norm(v, -np.inf), V),
    "norm(v, 0)": (lambda v: np.linalg.norm(v, 0) + 0 * v[0], V),
    "norm(v, -1)": (lambda v: np.linalg.norm(v, -1), V),
    "norm(A, 1)": (lambda v: np.linalg.norm(v, 1), A),
    "norm(A, -1)": (lambda v: np.linalg.norm(v, -1), A),
    "norm(A, inf)": (lambda v: np.linalg.norm(v, np.inf), A),
    "norm(A, fro)": (lambda v: np.linalg.norm(v, "fro"), A),
    "norm(A, 1, 0)": (lambda v: np.linalg.norm(v, 1, 0), A),
    "norm(A, None, 1)": (lambda v: np.linalg.norm(v, None, 1), A),
    "norm(A, axis, keepdims)": (lambda v: np.linalg.norm(v, axis=1, keepdims=True), A),
    "dot of three axes": (lambda v: np.dot(v.reshape(1, 2, 2), A), A),
    "dot with a number": (lambda v: np.dot(v, 2.0), A),
    "clip by names": (lambda v: np.clip(v, a_min=-1, a_max=2), A),
    "clip by min, max": (lambda v: np.clip(v, min=-1, max=2), A),
    "sum with dtype and out": (lambda v: np.sum(v, axis=0, dtype=float, out=None), A),
    "sum where": (lambda v: np.sum(v, where=A > 0, initial=3.0), A),
    "amax(out=None)": (lambda v: np.amax(v, axis=0, out=None), A),
    "amin": (lambda v: np.amin(v), A),
    "concatenate(axis=None)": (lambda v: np.concatenate([v, v * 2], axis=None), A),
    "swapaxes(axis1=)": (lambda v: np.swapaxes(v, axis1=0, axis2=1), A),
    "reshape in Fortran's order": (lambda v: np.reshape(v, (4,), order="F"), A),
    "a method with a list": (lambda v: v.reshape([4, 1]), A),
    "a method with a tuple": (lambda v: v.transpose((1, 0)), A),
    "logaddexp": (lambda v: np.logaddexp(v, 1.0), A),
    "einsum": (lambda v: np.einsum("ij,jk->ik", v, v), A),
    "einsum without ->": (lambda v: np.einsum("ij,jk", v, A), A),
    "outer": (lambda v: np.outer(v, v), V),
    "cumsum": (lambda v: np.cumsum(v, axis=1), A),
    "take": (lambda v: np.take(v, [1, 0], axis=1), A),
    "tile": (lambda v: np.tile(v, (2, 1)), A),
    "repeat": (lambda v: np.repeat(v, [1, 2], axis=0), A),
    "roll": (lambda v: np.roll(v, 1, axis=0), A),
    "hstack": (lambda v: np.hstack([v, v]), A),
    "vstack": (lambda v: np.vstack([v, A]), A),
    "expm1": (lambda v: np.expm1(v), A),
    "arctan": (lambda v: np.arctan(v), A),
    "log10 of squares": (lambda v: np.log10(v * v), A),
    "flip": (lambda v: np.flip(v, 0), A),
    "average": (lambda v: np.average(v, axis=0, weights=[1.0, 3.0]), A),
    "diag": (lambda v: np.diag(v), A),
    "trace": (lambda v: np.trace(v), A),
    "tril": (lambda v: np.tril(v), A),
    "pad": (lambda v: np.pad(v, 1), A),
    "kron": (lambda v: np.kron(v, A), A),
    "sort": (lambda v: np.sort(v, axis=0), A),
    "diff": (lambda v: np.diff(v, axis=0), A),
    "median": (lambda v: np.median(v, axis=0), A),
    "ravel and dot": (lambda v: v.ravel().dot(v.flatten()), A),
    "zeros_like": (lambda v: np.zeros_like(v) + v, A),
    "where of one argument": (lambda v: v[np.where(v.data > 0)], A),
}


@pytest.mark.source("strangers A5", "strangers B21", "peers W2", "peers W3", "MyGrad test suite")
@pytest.mark.parametrize("name", CALLS)
def test_numpys_calls_mean_what_numpy_means(name: str) -> None:
    f, x = CALLS[name]
    found, right = f(cr.Variable(x)), f(x if name != "where of one argument" else cr.Variable(x))
    right = right.data if isinstance(right, cr.Variable) else right
    assert found.shape == np.shape(right)
    np.testing.assert_allclose(found.data, right, rtol=1e-14)
    weights = np.random.default_rng(0).standard_normal(np.shape(right))
    assert cr.check(lambda v: cr.sum(f(v) * weights), x)


# -- one rule for what comes in ------------------------------------------------------------------------------


@pytest.mark.source("strangers A8")
def test_whole_numbers_are_numbers_everywhere() -> None:
    assert cr.grad(lambda x: x * x)(3) == 6.0
    assert np.array_equal(cr.grad(lambda x: cr.sum(x * x))([1, 2, 3]), [2.0, 4.0, 6.0])
    assert cr.check(lambda x: x * x, 3)
    for data in (3, [1, 2, 3], np.array([1, 2])):
        x = cr.Variable(data)
        with pytest.raises(ChainruleError, match="float"):
            cr.sum(x * x).backward()
    with pytest.raises(ChainruleError, match="float"):
        cr.Variable(3, requires_grad=True)


@pytest.mark.source("strangers A8")
def test_masks_and_matrices_are_not_forgotten() -> None:
    masked = np.ma.array([1.0, 2.0], mask=[True, False])
    for call in (
        lambda: cr.Variable(masked),
        lambda: cr.exp(masked),
        lambda: cr.Variable([1.0, 2.0]) * masked,
    ):
        with pytest.raises(ChainruleError, match="masked"):
            call()
    whole = np.ma.array([1.0, 2.0], mask=[False, False])
    assert np.array_equal(cr.Variable(whole).data, [1.0, 2.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        matrix = np.asmatrix(A)
    with pytest.raises(ChainruleError, match="matrix"):
        cr.Variable(matrix)


@pytest.mark.source("peers W7")
def test_complex_numbers_are_refused_where_there_is_no_derivative() -> None:
    z = np.array([3 + 4j])
    for f in (np.abs, np.sign, np.var, np.std, np.linalg.norm, np.max, cr.relu, cr.sigmoid):
        with pytest.raises(DTypeError, match="real numbers"):
            f(cr.Variable(z))
    assert np.array_equal(cr.grad(lambda v: cr.sum(v * v))(z), 2 * z)


# -- derivatives ----------------------------------------------------------------------------------------


@pytest.mark.source("HIPS/autograd test_wrappers", "peers 6.3", "strangers B21")
def test_gradients_by_several_arguments_names_and_trees() -> None:
    def f(x: Any, y: Any = 2.0, *, a: Any = 1.0) -> Any:
        return cr.sum(x * x * y * a)

    assert np.array_equal(cr.grad(f)(V, a=2.0), 8 * V)
    dx, dy = cr.grad(f, (0, 1))(V, 3.0)
    assert np.array_equal(dx, 6 * V)
    assert dy == pytest.approx(np.sum(V * V))
    assert np.array_equal(cr.grad(f, [0])(V)[0], 4 * V)
    assert cr.grad(f, "a")(V, a=1.0) == pytest.approx(2 * np.sum(V * V))
    params = {"W": A, "layers": [(A, V[:2]), (A * 2, V[:2])]}

    def net(p: Any, x: Any) -> Any:
        for W, b in p["layers"]:
            x = cr.tanh(x @ W + b)
        return cr.sum(x @ p["W"])

    found = cr.grad(net)(params, np.ones((3, 2)))
    assert set(found) == {"W", "layers"}
    assert [tuple(part.shape for part in pair) for pair in found["layers"]] == [((2, 2), (2,))] * 2
    value, again = cr.value_and_grad(net)(params, np.ones((3, 2)))
    assert float(value) == float(net(params, np.ones((3, 2))))
    assert np.array_equal(again["W"], found["W"])


@pytest.mark.source("neighbours of strangers A1")
def test_a_function_may_change_the_list_or_dict_that_it_is_given() -> None:
    def doubled(p: Any) -> Any:
        p.update(a=p["a"] * 2)
        return cr.sum(p["a"])

    def popped(p: Any) -> Any:
        return cr.sum(p.pop("a") * p["b"])

    def replaced(ps: Any) -> Any:
        ps[0] = ps[0] * 3
        return cr.sum(ps[0])

    given = {"a": V, "b": 2 * V}
    assert np.array_equal(cr.grad(doubled)({"a": V})["a"], [2, 2, 2])
    found = cr.grad(popped)(given)
    assert np.array_equal(found["a"], 2 * V)
    assert np.array_equal(found["b"], V)
    assert set(given) == {"a", "b"}
    assert np.array_equal(cr.grad(replaced)([V])[0], [3, 3, 3])


@pytest.mark.source("neighbours of strangers A1")
def test_what_was_printed_is_no_cut() -> None:
    data = np.random.default_rng(0).normal(size=20)
    c = cr.Variable(data[0])
    assert float(c) == data[0]
    cr.sum((data - c) ** 2).backward()
    assert c.grad == pytest.approx(-2 * np.sum(data - data[0]))
    assert np.add.reduce(cr.Variable(A), axis=None).data == 6.0


@pytest.mark.source("HIPS/autograd test_jacobian", "peers 6.3")
def test_jacobians_and_hessians() -> None:
    def f(x: Any) -> Any:
        return cr.stack([x[0] * x[1], cr.sin(x[2]), x[0] ** 3])

    right = np.array([[V[1], V[0], 0], [0, 0, np.cos(V[2])], [3 * V[0] ** 2, 0, 0]])
    np.testing.assert_allclose(cr.jacobian(f)(V), right)
    quadratic = np.arange(9.0).reshape(3, 3)
    np.testing.assert_allclose(
        cr.hessian(lambda x: x @ (quadratic @ x))(V), quadratic + quadratic.T
    )


# -- linear algebra -------------------------------------------------------------------------------------


def conditioned(*shape: int, seed: int = 0) -> Array:
    """Random matrices that are far from singular."""
    return np.random.default_rng(seed).standard_normal(shape) + 3 * np.eye(shape[-1])


def symmetric(x: Any) -> Any:
    """What is made of the lower triangle alone, as HIPS/autograd's tests have it."""
    low = np.tril(x)
    return (low + np.swapaxes(low, -1, -2)) / 2


def positive(*shape: int) -> Array:
    B = conditioned(*shape)
    return np.asarray(B @ np.swapaxes(B, -1, -2))


LINEAR_ALGEBRA: dict[str, tuple[Callable[[Any], Any], Array]] = {
    "inv": (lambda v: np.linalg.inv(v), conditioned(8, 8)),
    "inv_3d": (lambda v: np.linalg.inv(v), conditioned(2, 4, 4, 4)),
    "solve_arg1": (lambda v: np.linalg.solve(v, np.ones((8, 7))), conditioned(8, 8)),
    "solve_arg1_1d": (lambda v: np.linalg.solve(v, np.arange(8.0)), conditioned(8, 8)),
    "solve_arg2": (lambda v: np.linalg.solve(conditioned(6, 6), v), conditioned(6, 6, seed=1)[:, 1:]),
    "solve_arg1_3d_3d": (lambda v: np.linalg.solve(v, np.ones((5, 4, 6))), conditioned(5, 4, 4)),
    "det": (lambda v: np.linalg.det(v), conditioned(6, 6)),
    "det_3d": (lambda v: np.linalg.det(v), conditioned(3, 3, 3)),
    "slogdet": (lambda v: np.linalg.slogdet(v)[1], conditioned(6, 6)),
    "slogdet of -A": (lambda v: np.linalg.slogdet(v).logabsdet, -conditioned(5, 5)),
    "slogdet_3d": (lambda v: np.sum(np.linalg.slogdet(v)[1]), positive(3, 5, 5)),
    "eigvalh_lower": (lambda v: np.linalg.eigh(symmetric(v))[0], positive(6, 6)),
    "eigvalh_upper": (lambda v: np.linalg.eigh(symmetric(v), "U")[1], positive(6, 6)),
    "eigvalh_lower_broadcasting": (lambda v: np.linalg.eigh(symmetric(v))[1], positive(2, 3, 3, 3)),
    "cholesky": (lambda v: np.linalg.cholesky(symmetric(v)), positive(6, 6)),
    "cholesky_broadcast": (lambda v: np.linalg.cholesky(symmetric(v)), positive(3, 6, 6)),
    "cholesky_reparameterization_trick": (
        lambda v: np.linalg.norm(np.linalg.cholesky(v) @ np.arange(6.0)), positive(6, 6),
    ),
    "matrix_power(-2)": (lambda v: np.linalg.matrix_power(v, -2), conditioned(3, 3)),
    "pinv": (lambda v: np.linalg.pinv(v), conditioned(5, 5)[:, :3]),
    "multi_dot": (lambda v: np.linalg.multi_dot([v, A, v, V[:2]]), A),
}  # fmt: skip


@pytest.mark.source("HIPS/autograd test_linalg")
@pytest.mark.parametrize("name", LINEAR_ALGEBRA)
def test_linear_algebra(name: str) -> None:
    f, x = LINEAR_ALGEBRA[name]
    np.testing.assert_allclose(f(cr.Variable(x)).data, f(x), rtol=1e-12)
    weights = np.random.default_rng(0).standard_normal(np.shape(f(x)))
    report = cr.check(lambda v: cr.sum(f(v) * weights), x, second_order=True)
    assert report, str(report)


def log_density(x: Any, mean: Any, cov: Any) -> Any:
    """Of a normal distribution, as autograd.scipy.stats.multivariate_normal has it."""
    d = x - mean
    _, logdet = np.linalg.slogdet(cov)
    squares = np.sum(d * np.linalg.solve(cov, d.T).T, axis=-1)
    return -0.5 * (len(mean) * math.log(2 * math.pi) + logdet + squares)


@pytest.mark.source("HIPS/autograd gmm.py")
def test_a_mixture_of_normal_distributions() -> None:
    rng = np.random.default_rng(0)
    data = np.concatenate([rng.normal((-2, 0), 0.5, (40, 2)), rng.normal((2, 1), 0.3, (40, 2))])
    params = {
        "log proportions": rng.normal(size=2) * 0.1,
        "means": rng.normal(size=(2, 2)),
        "lower triangles": np.zeros((2, 2, 2)) + np.eye(2),
    }

    def loss(p: Any) -> Any:
        proportions = p["log proportions"] - cr.logsumexp(p["log proportions"])
        rows = []
        for proportion, mean, root in zip(
            proportions, p["means"], p["lower triangles"], strict=True
        ):
            rows.append(proportion + log_density(data, mean, np.dot(root.T, root)))
        return -np.sum(cr.logsumexp(np.vstack(rows), axis=0)) / len(data)

    for name, value in params.items():
        assert cr.check(lambda v, k=name: loss({**params, k: v}), value, second_order=True)
    first = float(loss(params))
    for _ in range(200):
        grads = cr.grad(loss)(params)
        params = {k: v - 0.1 * grads[k] for k, v in params.items()}
    assert float(loss(params)) < first - 1
    found = params["means"][np.argsort(params["means"][:, 0])]
    np.testing.assert_allclose(found, [[-2, 0], [2, 1]], atol=0.2)


@pytest.mark.source("peers W2")
@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda v: np.linalg.solve(v * 0, V), r"solve: the matrix is singular.*numpy\.eye\(3\)"),
        (lambda v: np.linalg.inv(np.stack([v, v * 0])), r"the matrix at \[1\] of the stack is"),
        (lambda v: cr.grad(np.linalg.det)((v * 0).data), "gradients of det"),
        (lambda v: np.linalg.matrix_power(v * 0, -1), "singular"),
        (lambda v: np.linalg.cholesky(v - 5 * np.eye(3)), r"its smallest eigenvalue is -\d.*\+ 1e-6"),
        (lambda v: np.linalg.det(v[:2]), r"det takes square matrices.*\(2, 3\)"),
        (lambda v: np.linalg.inv(v[0]), r"inv takes matrices, of two axes or more; got shape \(3,\)"),
        (lambda v: np.linalg.eigh(v * np.nan), r"A\[0, 0\] is nan"),
        (lambda v: np.linalg.multi_dot([v, v[None], v]), "number 1"),
    ],
)  # fmt: skip
def test_errors_of_linear_algebra_are_numpys_and_say_more(call: Any, said: str) -> None:
    with pytest.raises(np.linalg.LinAlgError, match=said) as caught:
        call(cr.Variable(positive(3, 3)))
    assert isinstance(caught.value, ChainruleError)


@pytest.mark.source("peers W2")
def test_shapes_that_do_not_fit_each_other() -> None:
    x = cr.Variable(positive(3, 3))
    with pytest.raises(ShapeError, match=r"b needs 3 elements, or rows.*b\[\.\.\., None\]"):
        np.linalg.solve(x, np.ones((5, 2)))
    with pytest.raises(ShapeError, match="cannot be repeated to one shape"):
        np.linalg.solve(cr.stack([x, x]), np.ones((3, 3, 1)))
    with pytest.raises(DTypeError, match="real numbers"):
        np.linalg.cholesky(cr.Variable(np.eye(2) * (1 + 0j)))
    with pytest.raises(SettingError, match="UPLO"):
        cr.eigh(x, "X")


@pytest.mark.source("HIPS/autograd test_linalg")
def test_eigenvalues_that_are_one_have_gradients_and_their_vectors_none() -> None:
    both = cr.grad(lambda v: cr.sum(np.linalg.eigvalsh(v) ** 2))(np.eye(2))
    np.testing.assert_allclose(both, 2 * np.eye(2))
    with np.errstate(all="ignore"):
        lost = cr.grad(lambda v: cr.sum(np.linalg.eigh(v)[1] * A))(np.eye(2))
    assert not np.isfinite(lost).all()


@pytest.mark.source("peers W2")
def test_only_the_triangle_that_is_read_has_a_gradient() -> None:
    for f in (
        np.linalg.cholesky,
        lambda v: np.linalg.eigvalsh(v, "L"),
        lambda v: np.linalg.cholesky(v, upper=True).T,
        lambda v: np.linalg.eigvalsh(v, UPLO="U"),
    ):
        g = cr.grad(lambda v, f=f: cr.sum(cr.exp(0.1 * f(v))))(positive(3, 3))
        assert (np.triu(g, 1) == 0).all() != (np.tril(g, -1) == 0).all()


class Metric(cr.Network):
    """x to x A⁻¹ x and log |A|, with an A of its own for each row: solve and slogdet in a formula."""

    def __init__(self) -> None:
        super().__init__(loss=cr.MeanSquaredError(), seed=0)
        self.roots = cr.Affine.sized(3, 9, dtype=float)

    def predict(self, x: Any) -> Any:
        B = cr.reshape(self.roots(x), (-1, 3, 3))
        A = B @ np.swapaxes(B, -1, -2) + np.eye(3)
        y = np.linalg.solve(A, x[..., None])
        _, size = np.linalg.slogdet(A)
        return np.linalg.vecdot(x, y[..., 0])[:, None] + size[:, None]


@pytest.mark.source("HIPS/autograd gmm.py")
@pytest.mark.parametrize("engine", ["numpy", "auto", "compiled"])
@pytest.mark.filterwarnings("ignore:This training runs on the NumPy engine")
def test_a_network_with_equations_in_it_trains(engine: str) -> None:
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((20, 3)), rng.uniform(1, 3, (20, 1))
    net, plain = Metric(), Metric()
    trainer = cr.Trainer(net, cr.SGD(lr=0.02), engine=engine)
    trainer.fit(x, t, epochs=4, batch_size=20, shuffle=False, progress=None)
    losses = []
    for _ in range(4):
        loss = plain._record_loss(cr.Variable(x), cr.Variable(t, requires_grad=False))
        loss.backward()
        losses.append(float(loss.data))
        for p in plain.named_parameters().values():
            p.data -= 0.02 * p.grad
    np.testing.assert_allclose([row["loss"] for row in trainer.history.epochs], losses, rtol=1e-12)
    assert losses[-1] < losses[0]
    assert cr.check(net, x, t)


@pytest.mark.source("peers W2")
def test_erf_is_exact_and_gives_the_exact_gelu() -> None:
    x = np.linspace(-6, 6, 301)
    np.testing.assert_array_equal(cr.erf(x), [math.erf(v) for v in x])
    assert cr.erf(np.ones(1, np.float32)).dtype == np.float32
    assert cr.erf([0, 1])[1] == math.erf(1)
    assert cr.check(lambda v: v / 2 * (1 + cr.erf(v / math.sqrt(2))), x, second_order=True)


@pytest.mark.source("peers W7")
def test_a_number_made_whole_has_no_gradient() -> None:
    x = cr.Variable([1.5, -2.5])
    assert not x.astype(int).requires_grad
    assert np.array_equal(cr.grad(lambda v: cr.sum(v * v.astype(int)))(x.data), [1.0, -2.0])


ANY: Any = cr


@pytest.mark.source("HIPS/autograd #246", "neighbours of peers 6.3")
@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: ANY.grad(np.sum, np.ones(3)), r"To hand in the numbers.*cr.grad\(f\)\(x\)"),
        (lambda: ANY.value_and_grad(np.sum, [1.0, 2.0]), r"cr.value_and_grad\(f\)\(x\)"),
        (lambda: ANY.jacobian(np.sum, 1.5), r"cr.jacobian\(f\)\(x\)"),
        (lambda: ANY.hessian(np.sum, np.ones(3)), r"cr.hessian\(f\)\(x\)"),
        (lambda: ANY.grad(cr.Variable(2.0) ** 2), "must be a function"),
        (lambda: ANY.grad(np.sum, True), "place .* or the name"),
        (lambda: ANY.grad(np.sum, ()), "place .* or the name"),
    ],
)
def test_numbers_handed_in_with_the_function_are_refused(call: Any, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        call()


@pytest.mark.source("neighbours of strangers A1")
def test_adding_to_an_array_says_what_to_write() -> None:
    def total(x: Any) -> Any:
        r = np.zeros(3)
        for _ in range(2):
            r += x * x
        return r.sum()

    with pytest.raises(RecordingError, match=r"Write r = r \+ x"):
        cr.grad(total)(np.ones(3))


@pytest.mark.source("neighbours of peers 6.3")
def test_gradients_by_dicts_of_other_kinds() -> None:
    params = collections.defaultdict(float, a=2.0, b=np.ones(2))
    found = cr.grad(lambda p: p["a"] * cr.sum(p["b"] ** 2))(params)
    assert type(found) is collections.defaultdict
    assert float(found["a"]) == 2.0
    np.testing.assert_array_equal(found["b"], [4.0, 4.0])
