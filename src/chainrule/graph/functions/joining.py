"""Joining arrays, and splitting them: concatenate, stack, split."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from chainrule import nodes
from chainrule.errors import ShapeError
from chainrule.graph.functions.shaping import atleast_1d, atleast_2d, atleast_3d, reshape, transpose
from chainrule.graph.functions.values import axis_of, value_of
from chainrule.graph.variable import apply
from chainrule.lang.messages import Text, _, listed
from chainrule.nodes.base import Value

__all__ = [
    "append", "array_split", "column_stack", "concatenate", "dstack", "hstack", "split", "stack",
    "unstack", "vstack",
]  # fmt: skip


def concatenate(xs: Sequence[Value], axis: int | None = 0) -> Value:
    """The arrays one after the other along an axis; all their elements where `axis` is None."""
    joined = _of_one_dtype(xs, "concatenate")
    if axis is None:
        joined, axis = [reshape(x, -1) for x in joined], 0
    ndims = sorted({x.ndim for x in joined})
    if ndims[0] == 0 or len(ndims) > 1:
        raise ShapeError(
            _(
                "concatenate joins arrays of one number of axes, at least one; got shapes {shapes}."
                " Single numbers are joined by cr.stack.",
                shapes=_shapes(joined),
            )
        )
    axis = axis_of(axis, ndims[0], "concatenate")
    rest = {(*x.shape[:axis], *x.shape[axis + 1 :]) for x in joined}
    if len(rest) > 1:
        raise ShapeError(
            _(
                "concatenate along axis {axis}: the other axes must be of one length; got shapes {shapes}.",
                axis=axis,
                shapes=_shapes(joined),
            )
        )
    return apply(nodes.Concatenate(axis), *joined)


def stack(xs: Sequence[Value], axis: int = 0) -> Value:
    """The arrays side by side along a new axis: numbers to a vector, rows to a matrix.

    >>> import chainrule as cr
    >>> x = cr.Variable(2.0)
    >>> cr.stack([x, x * x, 1.0]).data
    array([2., 4., 1.])
    """
    joined = _of_one_dtype(xs, "stack")
    if len({x.shape for x in joined}) > 1:
        raise ShapeError(
            _(
                "stack puts arrays of one shape side by side; got shapes {shapes}."
                " cr.concatenate joins arrays of other lengths.",
                shapes=_shapes(joined),
            )
        )
    return apply(nodes.Stack(axis_of(axis, joined[0].ndim + 1, "stack")), *joined)


def _shapes(arrays: list[Value]) -> Text:
    """The first few shapes."""
    return listed(x.shape for x in arrays[:6])


def _of_one_dtype(xs: Iterable[Value], what: str) -> list[Value]:
    """The values, cast to one dtype by nodes, so that each gets its gradient in its own dtype."""
    values = [value_of(x) for x in xs]
    if not values:
        raise ShapeError(_("{what} needs at least one array; got an empty list.", what=what))
    dtypes = {x.dtype for x in values}
    if len(dtypes) < 2:
        return values
    dtype = np.result_type(*dtypes)
    return [x if x.dtype == dtype else x.astype(dtype) for x in values]


def vstack(xs: Sequence[Value]) -> Value:
    """The arrays below each other, vectors as rows."""
    return concatenate([atleast_2d(x) for x in xs], 0)


def hstack(xs: Sequence[Value]) -> Value:
    """The arrays beside each other: vectors end to end, matrices by their columns."""
    parts = [atleast_1d(x) for x in xs]
    return concatenate(parts, 0 if parts and parts[0].ndim == 1 else 1)


def dstack(xs: Sequence[Value]) -> Value:
    """The arrays behind each other, along a third axis."""
    return concatenate([atleast_3d(x) for x in xs], 2)


def column_stack(xs: Sequence[Value]) -> Value:
    """The arrays beside each other, vectors as columns."""
    parts = [value_of(x) for x in xs]
    return concatenate([transpose(atleast_2d(x)) if x.ndim < 2 else x for x in parts], 1)


def append(x: Value, values: Value, axis: int | None = None) -> Value:
    """x and then the values along an axis; all their elements where `axis` is None."""
    return concatenate([x, values], axis)


def array_split(x: Value, parts: int | Sequence[int], axis: int = 0) -> list[Value]:
    """So many parts along an axis, as equal as possible; or cut before the indices of a list."""
    x = value_of(x)
    along = axis_of(axis, x.ndim, "array_split")
    n = x.shape[along]
    if isinstance(parts, int | np.integer):
        if parts < 1:
            raise ShapeError(
                _("array_split: the number of parts must be at least 1; got {parts}.", parts=parts)
            )
        small, more = divmod(n, int(parts))
        sizes = [small + 1] * more + [small] * (int(parts) - more)
        cuts = np.cumsum([0, *sizes]).tolist()
    else:
        cuts = [0, *(int(p) for p in parts), n]
    front = (slice(None),) * along
    return [x[(*front, slice(a, b))] for a, b in itertools.pairwise(cuts)]


def split(x: Value, parts: int | Sequence[int], axis: int = 0) -> list[Value]:
    """So many equal parts along an axis; or cut before the indices of a list."""
    x = value_of(x)
    if isinstance(parts, int | np.integer):
        n = x.shape[axis_of(axis, x.ndim, "split")]
        if parts < 1 or n % parts:
            raise ShapeError(
                _(
                    "split: {places} places along axis {axis} cannot be {parts} equal parts."
                    " cr.array_split makes parts as equal as can be.",
                    places=n,
                    axis=axis,
                    parts=parts,
                )
            )
    return array_split(x, parts, axis)


def unstack(x: Value, axis: int = 0) -> list[Value]:
    """The slices of x along an axis: the reverse of `stack`."""
    x = value_of(x)
    along = axis_of(axis, x.ndim, "unstack")
    return [x[(*(slice(None),) * along, i)] for i in range(x.shape[along])]
