"""The moves that random networks are made of: one row for each, which draws it and which runs it.

A move takes values of a pool and gives one more. It is drawn while the values are at hand, for a
batch of `ROWS` rows: no other length has 7 as a factor, so the axis that goes with the batch shows
itself by its length. What a move keeps (`how`) holds for batches of any size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import chainrule as cr

__all__ = ["CALLED", "MOVES", "ROWS", "Draw", "Move", "batch_axes", "run"]

#: The rows of the batch that networks are drawn with.
ROWS = 7

Shape = tuple[int, ...]
Values = Sequence[cr.Variable]


@dataclass(frozen=True)
class Move:
    """An operation: its row in the table, which values it takes, and its settings."""

    name: str
    given: tuple[int, ...]
    how: tuple[Any, ...] = ()


class Draw:
    """Random choices among the values of a pool."""

    def __init__(self, rng: np.random.Generator, tame: bool = False) -> None:
        #: Tame networks leave the rows apart and in front, as most of people's do.
        self.rng, self.tame = rng, tame

    def number(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def one_of(self, choices: Sequence[Any]) -> Any:
        return choices[self.number(0, len(choices) - 1)]

    def value(self, values: Values, fits: Callable[[cr.Variable], bool] = bool) -> int:
        """The place of a value of the pool, mostly a late one."""
        real = [
            i for i, v in enumerate(values) if v.dtype.kind == "f" and (fits is bool or fits(v))
        ]
        if not real:
            raise NotHere
        back = min(int(self.rng.geometric(0.4)) - 1, len(real) - 1)
        return real[-1 - back]

    def axis(self, v: cr.Variable) -> int:
        """An axis, of a tame network never that of the rows."""
        axes = [a for a in range(v.ndim) if not (self.tame and v.shape[a] % ROWS == 0)]
        if not axes:
            raise NotHere
        return int(self.one_of(axes))


class NotHere(Exception):
    """The move does not go with these values: another one is to be drawn."""


def batch_axes(shape: Shape) -> list[int]:
    """The axes whose length goes with the batch."""
    return [i for i, n in enumerate(shape) if n and n % ROWS == 0]


def _open(shape: Shape) -> Shape:
    """A shape with -1 where its length goes with the batch."""
    axes = batch_axes(shape)
    if len(axes) > 1:
        raise NotHere
    return tuple(-1 if i in axes else n for i, n in enumerate(shape))


Drawn = tuple[tuple[int, ...], tuple[Any, ...]]
MOVES: dict[str, tuple[Callable[[Draw, Values], Drawn], Callable[..., Any]]] = {}


def run(move: Move, values: Values) -> Any:
    """The value that a move gives."""
    return MOVES[move.name][1](*(values[i] for i in move.given), *move.how)


def _row(name: str, draw: Callable[[Draw, Values], Drawn]) -> Callable[[Any], Any]:
    def take(function: Callable[..., Any]) -> Callable[..., Any]:
        MOVES[name] = draw, function
        return function

    return take


def _rows(draw: Callable[[Draw, Values], Drawn], functions: dict[str, Callable[..., Any]]) -> None:
    """Rows that are drawn alike."""
    for name, function in functions.items():
        MOVES[name] = draw, function


# -- element by element -----------------------------------------------------------------------------


def _any(d: Draw, values: Values) -> Drawn:
    return (d.value(values),), ()


def _pair(d: Draw, values: Values) -> Drawn:
    a = d.value(values)

    def meets(v: cr.Variable) -> bool:
        try:
            shape = np.broadcast_shapes(v.shape, values[a].shape)
        except ValueError:
            return False
        return math.prod(shape) <= 4000

    b = d.value(values, meets)
    return ((a, b) if d.chance(0.5) else (b, a)), ()


def _positive(v: Any) -> Any:
    return cr.square(v) + 0.3


_rows(
    _any,
    {
        "negative": cr.negative,
        "abs": cr.abs,
        "exp": lambda v: cr.exp(cr.minimum(v, 1.5)),
        "log": lambda v: cr.log(_positive(v)),
        "log1p": lambda v: cr.log1p(_positive(v)),
        "sqrt": lambda v: cr.sqrt(_positive(v)),
        "sin": cr.sin,
        "cos": cr.cos,
        "tan": lambda v: cr.tan(cr.tanh(v)),
        "arctan": cr.arctan,
        "arcsin": lambda v: cr.arcsin(0.9 * cr.sin(v)),
        "arccos": lambda v: cr.arccos(0.9 * cr.sin(v)),
        "arctanh": lambda v: cr.arctanh(0.9 * cr.sin(v)),
        "arcsinh": cr.arcsinh,
        "arccosh": lambda v: cr.arccosh(1.1 + cr.square(v)),
        "sinh": lambda v: cr.sinh(cr.tanh(v)),
        "cosh": lambda v: cr.cosh(cr.tanh(v)),
        "expm1": lambda v: cr.expm1(cr.minimum(v, 1.5)),
        "exp2": lambda v: cr.exp2(cr.minimum(v, 1.5)),
        "log2": lambda v: cr.log2(_positive(v)),
        "log10": lambda v: cr.log10(_positive(v)),
        "cbrt": lambda v: cr.cbrt(_positive(v)),
        "stopped": lambda v: v * cr.stop_gradient(v),
        "floor": lambda v: cr.floor(v) * 0.1 + v,
        "rounded": lambda v: cr.round(v, 1) * v + cr.trunc(v) - cr.ceil(v),
        "sigmoid": cr.sigmoid,
        "tanh": cr.tanh,
        "relu": cr.relu,
        "leaky_relu": lambda v: cr.leaky_relu(v, 0.2),
        "gelu": cr.gelu,
        "elu": lambda v: cr.elu(v, 0.7),
        "selu": cr.selu,
        "silu": cr.silu,
        "mish": cr.mish,
        "softplus": cr.softplus,
        "square": cr.square,
        "clip": lambda v: cr.clip(v, -0.7, 0.9),
        "sign": lambda v: cr.sign(v) * v,
        "cube": lambda v: v**3,
        "inverse": lambda v: _positive(v) ** -1,
        "root": lambda v: _positive(v) ** 0.5,
        "scaled": lambda v: v * 0.3 - 0.1,
        "float32": lambda v: v.astype(np.float32),
        "own square": lambda v: v * v + v,
        "numpy": lambda v: np.tanh(np.sin(v) + 1) / 2,
        "both ways": lambda v: cr.maximum(v, -v) + cr.minimum(2 * v, 0.5),
    },
)

_rows(
    _pair,
    {
        "add": cr.add,
        "subtract": cr.subtract,
        "multiply": cr.multiply,
        "divide": lambda a, b: a / _positive(b),
        "arctan2": lambda a, b: cr.arctan2(a, _positive(b)),
        "hypot": lambda a, b: cr.hypot(a, _positive(b)),
        "logaddexp": cr.logaddexp,
        "mod": lambda a, b: cr.mod(a, _positive(b)) * 0.1 + b,
        "power": lambda a, b: _positive(a) ** cr.tanh(b),
        "maximum": cr.maximum,
        "minimum": cr.minimum,
        "where greater": lambda a, b: cr.where(cr.greater(a, b), a * b, cr.sin(a)),
        "where less": lambda a, b: cr.where(cr.less_equal(a, b), b, a),
        "where both": lambda a, b: cr.where(
            cr.logical_and(cr.less(a, 0.5), cr.logical_not(cr.greater_equal(b, -0.5))), a, b * 0.5
        ),
        "where either": lambda a, b: cr.where((a > 0.3) | (b < 0.1), a, b),
        "where equal": lambda a, b: cr.where(
            cr.logical_or(cr.equal(a, b), cr.not_equal(b, 0.0)), a - b, b
        ),
    },
)


# -- sums and their like ------------------------------------------------------------------------------


def _along(d: Draw, values: Values) -> Drawn:
    """Some axes, and whether they stay."""
    i = d.value(values, lambda v: v.ndim > 0)
    v = values[i]
    axes = sorted({d.axis(v) for _ in range(d.number(1, 2))})
    axis: Any = axes[0] if len(axes) == 1 else tuple(axes)
    if not d.tame and d.chance(0.1):
        axis = None
    return (i,), (axis, d.chance(0.5))


_rows(
    _along,
    {
        "sum": lambda v, axis, keep: cr.sum(v, axis, keep) * 0.4,
        "mean": cr.mean,
        "prod": lambda v, axis, keep: cr.prod(cr.tanh(v) + 1.1, axis, keep),
        "max": cr.max,
        "min": cr.min,
        "var": cr.var,
        "std": lambda v, axis, keep: cr.sqrt(cr.var(v, axis, keep) + 0.2),
        "norm": lambda v, axis, keep: cr.norm(cr.square(v) + 0.1, axis, keep),
    },
)


def _one_axis(d: Draw, values: Values) -> Drawn:
    i = d.value(values, lambda v: v.ndim > 0)
    return (i,), (d.axis(values[i]),)


_row("softmax", _one_axis)(cr.softmax)
_row("cumsum", _one_axis)(lambda v, axis: cr.cumsum(v, axis) * 0.4)
_row("logsumexp", _one_axis)(lambda v, axis: cr.logsumexp(v, axis, True))
_row("centred", _one_axis)(lambda v, axis: v - cr.mean(v, axis, keepdims=True))
_row("true std", _one_axis)(lambda v, axis: cr.std(cr.concatenate([v, v * 0.5 + 1], axis), axis))


# -- looks, and copies ----------------------------------------------------------------------------------


def _axes(d: Draw, values: Values) -> Drawn:
    i = d.value(values, lambda v: v.ndim > 1)
    n = values[i].ndim
    first = [0] if d.tame else []
    rest = d.rng.permutation(n - len(first)) + len(first)
    return (i,), ((*first, *rest.tolist()),)


_row("transpose", _axes)(cr.transpose)


@_row("T", lambda d, values: ((d.value(values, lambda v: v.ndim == 2 and not d.tame),), ()))
def _(v: Any) -> Any:
    return v.T


def _two_axes(d: Draw, values: Values) -> Drawn:
    i = d.value(values, lambda v: v.ndim > 1)
    return (i,), (d.axis(values[i]), d.axis(values[i]))


_row("swapaxes", _two_axes)(cr.swapaxes)


def _new_shape(d: Draw, v: cr.Variable) -> Shape:
    """Another shape of the same size."""
    axes = batch_axes(v.shape)
    if len(axes) > 1 or v.size == 0:
        raise NotHere
    rest = v.size // ROWS if axes else v.size
    lengths = [1] * d.number(1, 3)
    for p in (2, 3, 5):
        while rest % p == 0:
            lengths[d.number(0, len(lengths) - 1)] *= p
            rest //= p
    if rest != 1:
        raise NotHere
    if not axes:
        return tuple(lengths)
    if d.tame:
        return (-1, *lengths) if v.shape[0] == ROWS else (-1, math.prod(lengths))
    at = d.number(0, len(lengths))
    if d.chance(0.3):  # the rows together with another axis
        at = min(at, len(lengths) - 1)
        return (*lengths[:at], -1, *lengths[at + 1 :])
    return (*lengths[:at], -1, *lengths[at:])


def _shape(d: Draw, values: Values) -> Drawn:
    i = d.value(values)
    return (i,), (_new_shape(d, values[i]),)


_row("reshape", _shape)(cr.reshape)


def _turned(d: Draw, values: Values) -> Drawn:
    """The axes in another order, and then another shape: what cannot be a look."""
    (i,), (order,) = _axes(d, values)
    turned = cr.Variable(values[i].data.transpose(order))
    return (i,), (order, _new_shape(d, turned))


@_row("turn and flatten", _turned)
def _(v: Any, order: Shape, shape: Shape) -> Any:
    return cr.reshape(cr.transpose(v, order), shape)


def _cut(d: Draw, values: Values) -> Drawn:
    i = d.value(values, lambda v: v.ndim > 0)
    v = values[i]
    axis = d.axis(v)
    if v.shape[axis] % ROWS == 0:
        parts: list[Any] = [slice(None, None, -1)]
    else:
        n = v.shape[axis]
        parts = [
            slice(None, None, -1),
            slice(d.number(0, n - 1), None),
            slice(None, None, 2),
            slice(None, d.number(1, n), d.number(1, 2)),
            slice(n, None, -2),
            d.number(-n, n - 1),
        ]
    return (i,), (axis, d.one_of(parts))


@_row("cut", _cut)
def _(v: Any, axis: int, part: Any) -> Any:
    return v[(slice(None),) * axis + (part,)]


@_row("cut and flatten", _cut)
def _(v: Any, axis: int, part: Any) -> Any:
    cut = v[(slice(None),) * axis + (part,)]
    return cut if cut.ndim < 2 else cr.reshape(cut, (-1, cut.shape[-1]))


@_row("new axis", _one_axis)
def _(v: Any, axis: int) -> Any:
    return cr.expand_dims(v, axis)


@_row("None", _one_axis)
def _(v: Any, axis: int) -> Any:
    return v[(slice(None),) * axis + (None, ...)]


def _of_one(d: Draw, values: Values) -> Drawn:
    i = d.value(values, lambda v: 1 in v.shape)
    return (i,), (values[i].shape.index(1),)


_row("squeeze", _of_one)(cr.squeeze)


def _repeats(d: Draw, values: Values) -> Drawn:
    i = d.value(values, lambda v: v.size <= 500 and v.ndim < 4)
    return (i,), (d.number(2, 3), d.chance(0.5))


@_row("repeat", _repeats)
def _(v: Any, n: int, flat: bool) -> Any:
    """Each number n times, as upsampling does, and then perhaps along the last axis."""
    if v.ndim == 0:
        return cr.broadcast_to(v, (n,))
    wide = cr.broadcast_to(cr.expand_dims(v, -1), (*v.shape, n))
    return cr.reshape(wide, (*v.shape[:-1], -1)) if flat else wide


@_row(
    "rows of one", lambda d, values: ((d.value(values, lambda v: v.ndim < 3),), (d.number(1, 3),))
)
def _(v: Any, n: int) -> Any:
    wide = cr.broadcast_to(v, (n, *v.shape))
    return cr.transpose(wide, (*range(1, wide.ndim), 0)) * 0.7


# -- joins --------------------------------------------------------------------------------------------


def _joined(d: Draw, values: Values) -> Drawn:
    i = d.value(values, lambda v: v.ndim > 0)
    axis = d.axis(values[i])
    if values[i].shape[axis] % ROWS == 0:
        raise NotHere
    rest = list(values[i].shape)

    def fits(v: cr.Variable) -> bool:
        return v.ndim == len(rest) and all(
            a == axis or n == m for a, (n, m) in enumerate(zip(v.shape, rest, strict=True))
        ) and v.shape[axis] % ROWS != 0  # fmt: skip

    others = [d.value(values, fits) for _ in range(d.number(1, 2))]
    return (i, *others), (axis,)


@_row("concatenate", _joined)
def _(*given: Any) -> Any:
    *vs, axis = given
    joined = cr.concatenate(vs, axis)
    return joined if joined.shape[axis] <= 12 else joined[(slice(None),) * axis + (slice(5),)]


def _stacked(d: Draw, values: Values) -> Drawn:
    i = d.value(values, lambda v: v.ndim < 4)
    others = [d.value(values, lambda v: v.shape == values[i].shape) for _ in range(d.number(0, 2))]
    low = 1 if d.tame else 0
    if values[i].ndim < low:
        raise NotHere
    return (i, *others), (d.number(low, values[i].ndim),)


@_row("stack", _stacked)
def _(*given: Any) -> Any:
    *vs, axis = given
    return cr.stack(vs, axis)


@_row("shift", lambda d, values: ((d.value(values, lambda v: v.ndim > 0 and not d.tame),), ()))
def _(v: Any) -> Any:
    return cr.concatenate([v[1:], v[:1]], 0)


# -- picks ----------------------------------------------------------------------------------------------


def _picked(d: Draw, values: Values) -> Drawn:
    i = d.value(values, lambda v: v.ndim > 0)
    axis = d.axis(values[i])
    n = values[i].shape[axis]
    if n % ROWS == 0:
        raise NotHere
    ids = [d.number(-n, n - 1) for _ in range(d.number(1, 4))]
    mask = [d.chance(0.6) for _ in range(n)]
    mask[d.number(0, n - 1)] = True
    kinds: list[Any] = [ids, np.array(ids), mask, np.array(mask)]
    return (i,), (axis, d.one_of(kinds))


@_row("pick", _picked)
def _(v: Any, axis: int, ids: Any) -> Any:
    return v[(slice(None),) * axis + (ids,)]


def _by_ids(d: Draw, values: Values) -> Drawn:
    ids = [i for i, v in enumerate(values) if v.dtype.kind == "i"]
    if not ids:
        raise NotHere
    table = d.value(values, lambda v: v.ndim > 0 and v.shape[0] >= 4 and v.shape[0] % ROWS != 0)
    return (table, ids[-1]), ()


@_row("rows by ids", _by_ids)
def _(table: Any, ids: Any) -> Any:
    return table[ids]


def _of_classes(d: Draw, values: Values) -> Drawn:
    ids = [i for i, v in enumerate(values) if v.dtype.kind == "i"]
    if not ids:
        raise NotHere
    rows = d.value(values, lambda v: v.ndim == 2 and v.shape[0] == ROWS and 4 <= v.shape[1] <= 10)
    return (rows, ids[-1]), ()


def _ids(t: Any) -> Any:
    return t if t.ndim == 1 else t[:, 0]


_rows(
    _of_classes,
    {
        "softmax cross entropy": lambda v, t: cr.softmax_cross_entropy(v, _ids(t)),
        "cross entropy of rows": lambda v, t: cr.softmax_cross_entropy(
            v, cr.one_hot(_ids(t), v.shape[1], v.dtype) * 0.7 + 0.3 / v.shape[1]
        ),
        "cross entropy": lambda v, t: cr.cross_entropy(cr.softmax(v) * 0.9 + 0.01, _ids(t)),
        "one-hot": lambda v, t: v * cr.one_hot(_ids(t), v.shape[1], v.dtype) + v * 0.5,
    },
)
_row("sigmoid cross entropy", _pair)(
    lambda a, b: cr.sigmoid_cross_entropy(*_same(a, cr.sigmoid(b)))
)


def _same(a: Any, b: Any) -> tuple[Any, Any]:
    """Two values brought to one shape."""
    shape = np.broadcast_shapes(a.shape, b.shape)
    return cr.broadcast_to(a, shape), cr.broadcast_to(b, shape)


def _added_at(d: Draw, values: Values) -> Drawn:
    i = d.value(values, lambda v: v.ndim > 0 and v.shape[0] % ROWS != 0)
    return (i,), (tuple(d.number(0, 3) for _ in range(values[i].shape[0])),)


@_row("add at", _added_at)
def _(v: Any, places: Shape) -> Any:
    return cr.index_add(v, np.array(places), (4, *v.shape[1:]))


# -- products -----------------------------------------------------------------------------------------------


def _product(d: Draw, values: Values) -> Drawn:
    a = d.value(values, lambda v: v.ndim > 0)

    def fits(w: cr.Variable) -> bool:
        if w.ndim == 0:
            return False
        try:
            out = np.matmul(values[a].data, w.data)
        except ValueError:
            return False
        both = values[a].shape[-1] % ROWS == 0
        return out.size <= 3000 and not (d.tame and both)

    return (a, d.value(values, fits)), ()


_row("matmul", _product)(lambda a, b: (a @ b) * 0.5)


def _with_itself(d: Draw, values: Values) -> Drawn:
    return (d.value(values, lambda v: v.ndim >= (3 if d.tame else 2) and v.size < 2000),), ()


@_row("attention", _with_itself)
def _(v: Any) -> Any:
    return cr.softmax((v @ cr.swapaxes(v, -1, -2)) * 0.3) @ v


@_row("squares", _with_itself)
def _(v: Any) -> Any:
    return (cr.swapaxes(v, -1, -2) @ v) * 0.2


# -- linear algebra -------------------------------------------------------------------------------------


def _matrices(d: Draw, values: Values) -> Drawn:
    def fits(v: cr.Variable) -> bool:
        return v.ndim >= (3 if d.tame else 2) and v.shape[-1] in range(1, 6) and v.size < 1000

    return (d.value(values, fits),), ()


def _definite(v: Any) -> Any:
    """A symmetric matrix, with eigenvalues apart, and above 0."""
    v = cr.tanh(v)
    apart = np.diag(np.arange(1.0, 2 * v.shape[-1], 2)).astype(v.dtype)
    return (cr.swapaxes(v, -1, -2) @ v) * (0.5 / v.shape[-2]) + apart


def _of_sign_and_size(v: Any) -> Any:
    sign, size = cr.slogdet(_definite(v))
    return v + cr.expand_dims(sign * size, (-1, -2))


def _of_eigenvectors(v: Any) -> Any:
    sizes, ways = cr.eigh(_definite(v))
    return v @ cr.square(ways) * cr.expand_dims(sizes, -2)


_LINEAR_ALGEBRA: dict[str, Callable[[Any], Any]] = {
    "solve": lambda v: cr.swapaxes(cr.solve(_definite(v), cr.swapaxes(v, -1, -2)), -1, -2),
    "inv": lambda v: v @ cr.inv(_definite(v)),
    "det": lambda v: v * cr.expand_dims(cr.log(cr.det(_definite(v))), (-1, -2)) * 0.2,
    "slogdet": _of_sign_and_size,
    "cholesky": lambda v: v @ cr.cholesky(_definite(v)) * 0.5,
    "eigh": _of_eigenvectors,
    "pinv": lambda v: v @ cr.pinv(_definite(v), 1e-6),
}
_rows(_matrices, _LINEAR_ALGEBRA)
_row("erf", _any)(lambda v: v * (1 + cr.erf(v)))

#: The moves for which the NumPy engine calls Python or LAPACK; the compiled one declines them.
CALLED = (*_LINEAR_ALGEBRA, "erf")
