"""Reductions over any axes: sums, means, maxima, norms; and running sums."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from chainrule import nodes
from chainrule.errors import SettingError, ShapeError
from chainrule.graph.functions import elementwise as el
from chainrule.graph.functions.joining import stack
from chainrule.graph.functions.shaping import (
    broadcast_arrays,
    broadcast_to,
    reshape,
    transpose,
)
from chainrule.graph.functions.values import Axis, Order, as_real, axis_of, kept, shape_of, value_of
from chainrule.graph.variable import Variable, apply
from chainrule.lang.messages import _
from chainrule.nodes.base import Value

__all__ = [
    "all", "any", "argmax", "argmin", "average", "count_nonzero", "cumprod", "cumsum", "diff", "hypot",
    "logsumexp", "max", "mean", "min", "nanmean", "nansum", "norm", "prod", "ptp", "softmax",
    "std", "sum", "trapezoid", "var",
]  # fmt: skip


def sum(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Σ x over the axes."""
    return apply(nodes.Sum(axis, kept("sum", keepdims)), x)


def mean(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Σ x / n over the axes."""
    return apply(nodes.Mean(axis, kept("mean", keepdims)), x)


def prod(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Π x over the axes."""
    return apply(nodes.Prod(axis, kept("prod", keepdims)), x)


def var(x: Value, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Value:
    """Σ (x - mean)² / (n - ddof) over the axes."""
    return apply(nodes.Var(axis, kept("var", keepdims), ddof), x)


def std(x: Value, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Value:
    """√var over the axes."""
    return apply(nodes.Std(axis, kept("std", keepdims), ddof), x)


def max(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """The largest x over the axes."""
    return apply(nodes.Max(axis, kept("max", keepdims)), x)


def min(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """The smallest x over the axes."""
    return apply(nodes.Min(axis, kept("min", keepdims)), x)


def ptp(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """From the smallest to the largest: max - min over the axes."""
    return el.subtract(max(x, axis, keepdims), min(x, axis, keepdims))


def average(
    x: Value, axis: Axis = None, weights: Value | None = None, keepdims: bool = False
) -> Value:
    """The mean over the axes, with weights Σ w x / Σ w; one-dimensional weights apply along the axis."""
    if weights is None:
        return mean(x, axis, keepdims)
    x, w = value_of(x), value_of(weights)
    if w.shape != x.shape:
        if not isinstance(axis, int | np.integer) or w.ndim != 1 or len(w) != x.shape[axis]:
            raise ShapeError(
                _(
                    "average: weights have shape {weights} and x has {x} (axis={axis!r}). Give weights of"
                    " the shape of x, or one for each place along a single axis.",
                    weights=w.shape,
                    x=x.shape,
                    axis=axis,
                )
            )
        along = axis_of(axis, x.ndim, "average")
        w = reshape(w, tuple(-1 if i == along else 1 for i in range(x.ndim)))
        w = broadcast_to(w, x.shape)
    return el.divide(sum(el.multiply(x, w), axis, keepdims), sum(w, axis, keepdims))


def nansum(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Σ over those x that are numbers."""
    return sum(el.where(el.isnan(x), 0, x), axis, keepdims)


def nanmean(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """The mean of those x that are numbers."""
    count = sum(el.logical_not(el.isnan(x)), axis, keepdims)
    total = nansum(x, axis, keepdims)
    return el.divide(total, count.astype(total.dtype))


def softmax(x: Value, axis: int = -1) -> Value:
    """e^x / Σ e^x along an axis."""
    return apply(nodes.Softmax(axis), x)


def logsumexp(x: Value, axis: Axis = -1, keepdims: bool = False) -> Value:
    """Log Σ e^x along an axis, or several; over all elements where `axis` is None."""
    kept("logsumexp", keepdims)
    if isinstance(axis, int | np.integer):
        return apply(nodes.LogSumExp(int(axis), keepdims), x)
    flat, shape = gathered(value_of(x), axis, "logsumexp")
    return spread(logsumexp(flat, -1), shape, keepdims)


def gathered(x: Value, axis: Axis, what: str) -> tuple[Value, tuple[int | None, ...]]:
    """x with the axes to be reduced as one last axis; and its shape, with None for these axes."""
    chosen = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = {axis_of(a, x.ndim, what) for a in chosen}
    stay = tuple(i for i in range(x.ndim) if i not in axes)
    moved = transpose(x, (*stay, *sorted(axes)))
    flat = reshape(moved, (*(x.shape[i] for i in stay), math.prod(x.shape[i] for i in axes)))
    return flat, tuple(None if i in axes else n for i, n in enumerate(x.shape))


def spread(y: Value, shape: tuple[int | None, ...], keepdims: bool) -> Value:
    """A result of `gathered` numbers; with `keepdims`, the reduced axes return with length 1."""
    return reshape(y, tuple(n or 1 for n in shape)) if keepdims else y


def norm(x: Value, axis: Axis = None, keepdims: bool = False, ord: Order = None) -> Value:
    """The length of vectors, or the size of matrices: `numpy.linalg.norm`, with the axis first.

    The axis comes first as in all reductions here; `numpy.linalg.norm(x, ord, axis)` of a Variable has
    NumPy's own order.

    Without `ord` it is √(Σ x²) over the axes, or over all elements, without overflow. Of vectors (x of
    one axis, or `axis` a number) `ord` p gives (Σ |x|ᵖ)^(1/p); inf the largest |x|, -inf the smallest,
    0 the number of elements that are not 0. Of matrices (x of two axes, or `axis` a pair) `ord` 1 and
    -1 give the largest and smallest sum of |x| of a column, inf and -inf of a row, "fro" √(Σ x²).

    >>> import chainrule as cr
    >>> float(cr.norm([[1.0, -2.0], [3.0, 4.0]], ord=1)), float(cr.norm([3.0, 4.0]))
    (6.0, 5.0)
    """
    x, keepdims = as_real(value_of(x)), kept("norm", keepdims)
    if ord is None:
        return apply(nodes.Norm(axis, keepdims), x)
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(axis_of(a, x.ndim, "norm") for a in axes)
    if len(axes) == 1:
        return _vector_norm(x, ord, axes[0], keepdims)
    if len(axes) == 2:
        return _matrix_norm(x, ord, axes, keepdims)
    raise ShapeError(
        _(
            "norm with ord={ord!r} is one of vectors or of matrices; got an array of {axes} axes"
            " (axis={axis!r}). Give axis=one axis, or axis=a pair; without ord all elements count.",
            ord=ord,
            axes=x.ndim,
            axis=axis,
        )
    )


def _vector_norm(x: Value, ord: float | str, axis: int, keepdims: bool) -> Value:
    if isinstance(ord, str | complex):
        raise SettingError(
            _("norm of a vector: ord={ord!r} must be a number, inf or -inf.", ord=ord)
        )
    if ord == 2:
        return apply(nodes.Norm(axis, keepdims), x)
    size = el.abs(x)
    if ord == math.inf:
        return max(size, axis, keepdims)
    if ord == -math.inf:
        return min(size, axis, keepdims)
    if ord == 0:
        one = np.asarray(1, x.dtype)
        return sum(el.where(el.not_equal(x, 0), one, 0), axis, keepdims)
    if ord == 1:
        return sum(size, axis, keepdims)
    return el.power(sum(el.power(size, float(ord)), axis, keepdims), 1 / float(ord))


def _matrix_norm(x: Value, ord: float | str, axes: tuple[int, ...], keepdims: bool) -> Value:
    rows, columns = axes
    if rows == columns:
        raise ShapeError(
            _("norm of matrices needs two different axes; got axis={axes}.", axes=axes)
        )
    if ord in ("fro", "f"):
        return apply(nodes.Norm(axes, keepdims), x)
    if ord in (1, -1, math.inf, -math.inf):
        summed, other = (rows, columns) if ord in (1, -1) else (columns, rows)
        sums = sum(el.abs(x), summed, True)
        norms = (max if ord > 0 else min)(sums, other, True)
        return norms if keepdims else reshape(norms, _without(x.shape, axes))
    raise SettingError(
        _(
            "norm of matrices: ord={ord!r} is not known for Variables. Allowed: None, 'fro', 1, -1, inf,"
            " -inf (2, -2 and 'nuc' need singular values).",
            ord=ord,
        )
    )


def _without(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for i, n in enumerate(shape) if i not in axes)


# -- which, and how many ------------------------------------------------------------------------------


def argmax(x: Value, axis: int | None = None, keepdims: bool = False) -> Value:
    """The index of the largest x along an axis, the first of equal ones; for None, of all, row by row.

    A whole number, through which no gradient flows.
    """
    return _index_of(x, axis, keepdims, max)


def argmin(x: Value, axis: int | None = None, keepdims: bool = False) -> Value:
    """The index of the smallest x along an axis, the first of equal ones; see `argmax`."""
    return _index_of(x, axis, keepdims, min)


def _index_of(x: Value, axis: int | None, keepdims: bool, extreme: Callable[..., Value]) -> Value:
    if not isinstance(x, Variable):
        index: Value = (np.argmax if extreme is max else np.argmin)(x, axis=axis, keepdims=keepdims)
        return index
    whole = axis is None
    flat = reshape(x, -1) if whole else x
    along = axis_of(-1 if axis is None else axis, flat.ndim, "argmax")
    n = flat.shape[along]
    count = np.arange(n, dtype=float).reshape([-1 if i == along else 1 for i in range(flat.ndim)])
    chosen = el.logical_or(el.equal(flat, extreme(flat, along, True)), el.isnan(flat))
    first = min(el.where(chosen, count, float(n)), along, keepdims and not whole).astype(np.intp)
    return reshape(first, (1,) * x.ndim) if whole and keepdims else first


def any(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Whether one of the elements is true, or not 0."""
    return el.greater(count_nonzero(x, axis, keepdims), 0)


def all(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Whether every element is true, or not 0."""
    return el.equal(sum(el.where(el.not_equal(x, 0), 0, 1), axis, keepdims), 0)


def count_nonzero(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """How many elements are true, or not 0."""
    return sum(el.where(el.not_equal(x, 0), 1, 0), axis, keepdims)


# -- along an axis --------------------------------------------------------------------------------------


def cumsum(x: Value, axis: int | None = None) -> Value:
    """The running sum along an axis; of all elements, row by row, for None."""
    if axis is None:
        x, axis = reshape(value_of(x), -1), 0
    return apply(nodes.Cumsum(axis_of(axis, len(shape_of(x)), "cumsum")), x)


def cumprod(x: Value, axis: int | None = None) -> Value:
    """The running product along an axis; of all elements, row by row, for None."""
    x = value_of(x)
    if axis is None:
        x, axis = reshape(x, -1), 0
    along = axis_of(axis, x.ndim, "cumprod")
    front = (slice(None),) * along
    if x.dtype.kind in "biu":
        x = x.astype(np.prod(np.ones(0, x.dtype)).dtype)  # as wide as NumPy's product
    if x.shape[along] < 2:
        return x
    running = [x[(*front, 0)]]
    for i in range(1, x.shape[along]):
        running.append(el.multiply(running[-1], x[(*front, i)]))
    return stack(running, along)


def diff(x: Value, n: int = 1, axis: int = -1) -> Value:
    """The differences of neighbours along an axis, n times over."""
    x = value_of(x)
    along = axis_of(axis, x.ndim, "diff")
    front = (slice(None),) * along
    step = el.not_equal if x.dtype == bool else el.subtract
    for _turn in range(n):
        x = step(x[(*front, slice(1, None))], x[(*front, slice(None, -1))])
    return x


def trapezoid(y: Value, x: Value | None = None, dx: float = 1.0, axis: int = -1) -> Value:
    """The area under y along an axis, by trapezoids of width dx, or between the points x."""
    y = value_of(y)
    along = axis_of(axis, y.ndim, "trapezoid")
    front = (slice(None),) * along
    pairs = el.add(y[(*front, slice(1, None))], y[(*front, slice(None, -1))])
    if x is None:
        return sum(el.multiply(pairs, dx / 2), along)
    x = value_of(x)
    width = diff(x, axis=-1 if x.ndim == 1 else along)
    if x.ndim == 1:
        width = reshape(width, (-1, *(1,) * (y.ndim - along - 1)))
    return sum(el.divide(el.multiply(pairs, width), 2), along)


def hypot(x: Value, y: Value) -> Value:
    """√(x² + y²), without overflow."""
    return norm(stack(broadcast_arrays(x, y)), axis=0)
