"""cr.exp, cr.sum, ...: the nodes as functions, for arrays and Variables, and NumPy's names for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule import nodes
from chainrule.errors import RecordingError, ShapeError
from chainrule.graph.losses import (
    cross_entropy,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
)
from chainrule.graph.recording import current_recording
from chainrule.graph.variable import FUNCTIONS, UFUNCS, Variable, apply, constant
from chainrule.nodes.base import Value
from chainrule.nodes.indexing import add_at, chosen, replaced

__all__ = [
    "abs",
    "add",
    "broadcast_to",
    "clip",
    "concatenate",
    "cos",
    "cross_entropy",
    "divide",
    "elu",
    "equal",
    "exp",
    "expand_dims",
    "gelu",
    "greater",
    "greater_equal",
    "index",
    "index_add",
    "leaky_relu",
    "less",
    "less_equal",
    "log",
    "log1p",
    "logical_and",
    "logical_not",
    "logical_or",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mish",
    "multiply",
    "negative",
    "norm",
    "not_equal",
    "one_hot",
    "power",
    "prod",
    "relu",
    "reshape",
    "selu",
    "sigmoid",
    "sigmoid_cross_entropy",
    "sign",
    "silu",
    "sin",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "swapaxes",
    "tanh",
    "transpose",
    "var",
    "where",
]

Axis = int | tuple[int, ...] | None


def _of(node: type[nodes.Node], name: str) -> Callable[..., Value]:
    """A node without settings, as a function."""

    def function(*inputs: Value) -> Value:
        return apply(node(), *inputs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = node.__doc__
    return function


add = _of(nodes.Add, "add")
subtract = _of(nodes.Sub, "subtract")
multiply = _of(nodes.Mul, "multiply")
divide = _of(nodes.Div, "divide")
negative = _of(nodes.Neg, "negative")
power = _of(nodes.Pow, "power")
abs = _of(nodes.Abs, "abs")
sign = _of(nodes.Sign, "sign")
exp = _of(nodes.Exp, "exp")
log = _of(nodes.Log, "log")
log1p = _of(nodes.Log1p, "log1p")
sqrt = _of(nodes.Sqrt, "sqrt")
sin = _of(nodes.Sin, "sin")
cos = _of(nodes.Cos, "cos")
sigmoid = _of(nodes.Sigmoid, "sigmoid")
tanh = _of(nodes.Tanh, "tanh")
relu = _of(nodes.ReLU, "relu")
gelu = _of(nodes.GELU, "gelu")
selu = _of(nodes.SELU, "selu")
silu = _of(nodes.SiLU, "silu")
mish = _of(nodes.Mish, "mish")
softplus = _of(nodes.Softplus, "softplus")
equal = _of(nodes.Equal, "equal")
not_equal = _of(nodes.NotEqual, "not_equal")
less = _of(nodes.Less, "less")
less_equal = _of(nodes.LessEqual, "less_equal")
greater = _of(nodes.Greater, "greater")
greater_equal = _of(nodes.GreaterEqual, "greater_equal")
logical_and = _of(nodes.LogicalAnd, "logical_and")
logical_or = _of(nodes.LogicalOr, "logical_or")
logical_not = _of(nodes.LogicalNot, "logical_not")
where = _of(nodes.Where, "where")
maximum = _of(nodes.Maximum, "maximum")
minimum = _of(nodes.Minimum, "minimum")


def square(x: Value) -> Value:
    """x · x."""
    return apply(nodes.Mul(), x, x)


def leaky_relu(x: Value, slope: float = 0.01) -> Value:
    """x where x > 0, slope · x elsewhere."""
    return apply(nodes.LeakyReLU(slope), x)


def elu(x: Value, alpha: float = 1.0) -> Value:
    """x where x > 0, alpha · (e^x - 1) elsewhere."""
    return apply(nodes.ELU(alpha), x)


def clip(x: Value, low: float | None = None, high: float | None = None) -> Value:
    """x held between low and high."""
    return apply(nodes.Clip(low, high), x)


def sum(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Σ x over the axes."""
    return apply(nodes.Sum(axis, keepdims), x)


def mean(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Σ x / n over the axes."""
    return apply(nodes.Mean(axis, keepdims), x)


def prod(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Π x over the axes."""
    return apply(nodes.Prod(axis, keepdims), x)


def var(x: Value, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Value:
    """Σ (x - mean)² / (n - ddof) over the axes."""
    return apply(nodes.Var(axis, keepdims, ddof), x)


def std(x: Value, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Value:
    """√var over the axes."""
    return apply(nodes.Std(axis, keepdims, ddof), x)


def norm(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """√(Σ x²) over the axes."""
    return apply(nodes.Norm(axis, keepdims), x)


def max(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """The largest x over the axes."""
    return apply(nodes.Max(axis, keepdims), x)


def min(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """The smallest x over the axes."""
    return apply(nodes.Min(axis, keepdims), x)


def softmax(x: Value, axis: int = -1) -> Value:
    """e^x / Σ e^x along an axis."""
    return apply(nodes.Softmax(axis), x)


def logsumexp(x: Value, axis: int | None = -1, keepdims: bool = False) -> Value:
    """Log Σ e^x along an axis; over all elements where `axis` is None."""
    if axis is None:
        shape = (1,) * np.ndim(_data(x)) if keepdims else ()
        return reshape(logsumexp(reshape(x, -1), 0), shape)
    return apply(nodes.LogSumExp(axis, keepdims), x)


def one_hot(t: Value, n: int, dtype: Any = np.float64) -> Value:
    """Ids (...,) to rows (..., n) with a 1 in the column of the id.

    >>> import chainrule as cr
    >>> cr.one_hot([0, 2], 3)
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    ids = t.data if isinstance(t, Variable) else np.asarray(t)
    if ids.dtype.kind not in "iu" or (ids.size and (ids.min() < 0 or ids.max() >= n)):
        raise ShapeError(
            f"one_hot needs whole-number ids from 0 to {n - 1}; got dtype {ids.dtype}"
            + (f" with values from {ids.min()} to {ids.max()}." if ids.size else ".")
        )
    return apply(nodes.OneHot(n, dtype), t)


def broadcast_to(x: Value, shape: tuple[int, ...]) -> Value:
    """Copies of x to fill the shape: a Repeat node."""
    shape = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    return x if np.shape(_data(x)) == shape else apply(nodes.Repeat(shape), x)


def reshape(x: Value, shape: Any) -> Value:
    """The same numbers in another shape; one length may be -1."""
    lengths = (shape,) if isinstance(shape, int | np.integer) else shape
    wanted = tuple(int(n) for n in lengths)
    size = int(np.size(_data(x)))
    known = math.prod(n for n in wanted if n != -1)
    if wanted.count(-1) == 1 and known and size % known == 0:
        wanted = tuple(size // known if n == -1 else n for n in wanted)
    if math.prod(wanted) != size or -1 in wanted:
        raise ShapeError(
            f"cannot reshape {size} elements of shape {np.shape(_data(x))} to {shape}:"
            " the number of elements must stay the same."
        )
    return x if np.shape(_data(x)) == wanted else apply(nodes.Reshape(wanted), x)


def transpose(x: Value, axes: tuple[int, ...] | None = None) -> Value:
    """The axes in another order; without `axes`, reversed."""
    return apply(nodes.Transpose(axes), x)


def swapaxes(x: Value, a: int, b: int) -> Value:
    """Two axes exchanged."""
    n = np.ndim(_data(x))
    axes = list(range(n))
    axes[a], axes[b] = axes[b], axes[a]
    return transpose(x, tuple(axes))


def expand_dims(x: Value, axis: int) -> Value:
    """A new axis of length 1."""
    return reshape(x, np.expand_dims(_data(x), axis).shape)


def squeeze(x: Value, axis: Axis = None) -> Value:
    """Without the axes of length 1."""
    return reshape(x, np.squeeze(_data(x), axis).shape)


def concatenate(xs: Sequence[Value], axis: int | None = 0) -> Value:
    """The arrays one after the other along an axis; all their elements where `axis` is None."""
    if axis is None:
        xs, axis = [reshape(x, -1) for x in xs], 0
    return apply(nodes.Concatenate(axis), *_of_one_dtype(xs))


def stack(xs: Sequence[Value], axis: int = 0) -> Value:
    """The arrays side by side along a new axis."""
    return apply(nodes.Stack(axis), *_of_one_dtype(xs))


def _of_one_dtype(xs: Sequence[Value]) -> list[Value]:
    """Joined values in the dtype of the join, so that each gets its gradient in its own."""
    given = [x if isinstance(x, Variable) else np.asarray(x) for x in xs]
    dtypes = {x.dtype for x in given}
    if len(dtypes) < 2:
        return given
    dtype = np.result_type(*dtypes)
    return [x if x.dtype == dtype else x.astype(dtype) for x in given]


def _split_key(key: Any) -> tuple[tuple[Any, ...], list[Value]]:
    """A key with its arrays taken out, and the arrays: they are inputs of the Index node.

    A mask is the numbers of its True places, whose count is then known.
    """
    parts: list[Any] = []
    arrays: list[Value] = []
    for part in key if isinstance(key, tuple) else (key,):
        if not isinstance(part, Variable | np.ndarray | list):
            parts.append(part)
            continue
        empty = isinstance(part, list) and not part  # which NumPy would read as real numbers
        ids = np.zeros(0, np.intp) if empty else part
        ids = ids if isinstance(ids, Variable) else np.asarray(ids)
        found = _places_of(ids) if ids.dtype == bool and ids.ndim else [ids]
        arrays += found
        parts += [nodes.Index.INPUT] * len(found)
    return tuple(parts), arrays


def _places_of(mask: Value) -> list[Value]:
    """Where a mask is True, along each of its axes."""
    recording = current_recording()
    if isinstance(mask, Variable):
        if recording is not None and mask.call is not None:
            raise RecordingError(
                "x[mask] with a mask that is computed was asked for while a step is being recorded. How"
                " many elements it picks would go with the values, and a recorded step has fixed shapes."
                " Weigh the elements instead: cr.where(mask, x, 0)."
            )
        mask = mask.data
    if recording is not None:
        recording.copied.append((mask, mask.copy()))
    return list(mask.nonzero())


def index(x: Value, key: Any) -> Value:
    """x[key]: slices, numbers, None, and arrays of ids or truth values."""
    parts, arrays = _split_key(key)
    return apply(nodes.Index(parts), x, *arrays)


def index_add(x: Value, key: Any, shape: tuple[int, ...]) -> Value:
    """Zeros of a shape with x added at the key; repeated ids add up."""
    parts, arrays = _split_key(key)
    return apply(nodes.IndexAdd(parts, shape), x, *arrays)


def matmul(x: Value, W: Value) -> Value:
    """x W: vectors, matrices and stacks of matrices, as NumPy's `@`."""
    x, W = (v if isinstance(v, Variable) else np.asarray(v) for v in (x, W))
    if not isinstance(x, Variable) and not isinstance(W, Variable):
        return apply(nodes.MatMul(), x, W)
    if x.ndim == 0 or W.ndim == 0:
        raise ShapeError("matmul needs at least one axis on each side; use * with a single number.")
    inner = W.shape[-2] if W.ndim > 1 else W.shape[0]
    if x.shape[-1] != inner:
        raise ShapeError(
            f"matmul got shapes {x.shape} and {W.shape}: the last axis of the first ({x.shape[-1]})"
            f" must equal the {'last but one' if W.ndim > 1 else 'only'} axis of the second ({inner})."
        )
    dtype = np.result_type(x.dtype, W.dtype)
    x, W = (v if v.dtype == dtype else v.astype(dtype) for v in (x, W))
    if x.ndim == 1:
        return squeeze(matmul(reshape(x, (1, -1)), W), -2 if W.ndim > 1 else 0)
    if W.ndim == 1:
        return squeeze(matmul(x, reshape(W, (-1, 1))), -1)
    if W.ndim == 2 and x.ndim > 2:
        flat = apply(nodes.MatMul(), reshape(x, (-1, x.shape[-1])), W)
        return reshape(flat, (*x.shape[:-1], W.shape[-1]))
    stacks = np.broadcast_shapes(x.shape[:-2], W.shape[:-2])
    # Of a constant, too, the copies are a node: how many there are may go with the batch.
    x = broadcast_to(constant(x), stacks + x.shape[-2:])
    W = broadcast_to(constant(W), stacks + W.shape[-2:])
    return apply(nodes.MatMul(), x, W)


def _data(x: Value) -> Value:
    return x.data if isinstance(x, Variable) else x


def _chosen(x: Value, t: Value) -> Value:
    named = equal(expand_dims(t, -1), np.arange(x.shape[-1]))
    return sum(where(named, x, 0), -1)


def _replaced(x: Value, t: Value, values: Value) -> Value:
    named = equal(expand_dims(t, -1), np.arange(x.shape[-1]))
    return where(named, values if isinstance(values, int) else expand_dims(values, -1), x)


def _shape(x: Value) -> tuple[int, ...]:
    return tuple(np.shape(_data(x)))


def _of_truths(function: Callable[..., Value]) -> Callable[..., Value]:
    """`&`, `|` and `~`, which on whole numbers would mean their bits."""

    def of_truths(*inputs: Value) -> Value:
        for x in inputs:
            if np.asarray(_data(x)).dtype != bool:
                raise RecordingError(
                    f"{function.__name__}, written &, | or ~, takes truth values for Variables; got"
                    f" {np.asarray(_data(x)).dtype}. Compare first: (x > 0) & (y > 0)."
                )
        return function(*inputs)

    return of_truths


def _isfinite(x: Value) -> Value:
    return np.isfinite(_data(x))


UFUNCS |= {
    np.add: add,
    np.subtract: subtract,
    np.multiply: multiply,
    np.divide: divide,
    np.negative: negative,
    np.positive: lambda x: x,
    np.power: power,
    np.float_power: power,
    np.square: square,
    np.absolute: abs,
    np.fabs: abs,
    np.sign: sign,
    np.exp: exp,
    np.log: log,
    np.log1p: log1p,
    np.sqrt: sqrt,
    np.sin: sin,
    np.cos: cos,
    np.tanh: tanh,
    np.maximum: maximum,
    np.minimum: minimum,
    np.equal: equal,
    np.not_equal: not_equal,
    np.less: less,
    np.less_equal: less_equal,
    np.greater: greater,
    np.greater_equal: greater_equal,
    np.logical_and: logical_and,
    np.logical_or: logical_or,
    np.logical_not: logical_not,
    np.bitwise_and: _of_truths(logical_and),
    np.bitwise_or: _of_truths(logical_or),
    np.invert: _of_truths(logical_not),
    np.isfinite: _isfinite,
    np.matmul: matmul,
}

FUNCTIONS |= {
    np.sum: sum,
    np.mean: mean,
    np.prod: prod,
    np.var: var,
    np.std: std,
    np.max: max,
    np.min: min,
    np.clip: clip,
    np.where: where,
    np.reshape: reshape,
    np.transpose: transpose,
    np.swapaxes: swapaxes,
    np.expand_dims: expand_dims,
    np.squeeze: squeeze,
    np.broadcast_to: broadcast_to,
    np.concatenate: concatenate,
    np.stack: stack,
    np.dot: matmul,
    np.linalg.norm: lambda x, axis=None, keepdims=False: norm(x, axis, keepdims),
    np.shape: _shape,
    add_at: index_add,
    chosen: _chosen,
    replaced: _replaced,
}
