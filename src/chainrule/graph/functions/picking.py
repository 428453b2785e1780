"""Indexing: elements by key, by ids, in order, on the diagonal; and adding elements at a key."""

from __future__ import annotations

import numpy as np

from chainrule import nodes
from chainrule.errors import RecordingError, SettingError, ShapeError
from chainrule.graph.functions import elementwise as el
from chainrule.graph.functions.reductions import any, gathered, mean, spread, sum
from chainrule.graph.functions.shaping import moveaxis, reshape
from chainrule.graph.functions.values import Axis, axis_of, concrete, kept, value_of
from chainrule.graph.recording import current_recording
from chainrule.graph.variable import Variable, apply
from chainrule.lang.messages import _
from chainrule.nodes.base import Array, Value
from chainrule.nodes.indexing import Key

__all__ = [
    "argsort", "diag", "diagonal", "index", "index_add", "median", "sort", "take", "take_along_axis", "trace",
    "tril", "triu",
]  # fmt: skip


def _split_key(key: object) -> tuple[Key, list[Value]]:
    """A key with INPUT for its arrays, and the arrays, which are inputs of the Index node.

    A mask becomes the indices of its True elements, so that their count is fixed.
    """
    parts: list[object] = []
    arrays: list[Value] = []
    for part in key if isinstance(key, tuple) else (key,):
        if not isinstance(part, Variable | np.ndarray | list):
            parts.append(part)
            continue
        empty = isinstance(part, list) and not part  # which NumPy would read as real numbers
        ids = np.zeros(0, np.intp) if empty else value_of(part)
        if ids.dtype.kind not in "biu":
            raise ShapeError(
                _(
                    "x[...] takes whole numbers, slices and truth values; got an array of {dtype}."
                    " Convert ids first: ids.astype(int).",
                    dtype=ids.dtype,
                )
            )
        indices = _indices_of(ids) if ids.dtype == bool and ids.ndim else [ids]
        arrays += indices
        parts += [nodes.Index.INPUT] * len(indices)
    return tuple(parts), arrays


def _indices_of(mask: Value) -> list[Value]:
    """The indices at which a mask is True, along each of its axes."""
    recording = current_recording()
    if isinstance(mask, Variable):
        if recording is not None and mask.call is not None:
            raise RecordingError(
                _(
                    "x[mask] with a mask that is computed was asked for while a step is being recorded. How"
                    " many elements it picks would go with the values, and a recorded step has fixed shapes."
                    " Weigh the elements instead: cr.where(mask, x, 0)."
                )
            )
        mask = mask.data
    if recording is not None:
        from chainrule.graph.reads import ArrayRead

        recording.reads.append(ArrayRead(mask))
    return list(mask.nonzero())


def index(x: Value, key: object) -> Value:
    """x[key]: slices, numbers, None, and arrays of ids or truth values."""
    parts, arrays = _split_key(key)
    return apply(nodes.Index(parts), x, *arrays)


def index_add(x: Value, key: object, shape: tuple[int, ...]) -> Value:
    """Zeros of a shape with x added at the key; repeated ids add up."""
    parts, arrays = _split_key(key)
    return apply(nodes.IndexAdd(parts, shape), x, *arrays)


def take(x: Value, indices: Value, axis: int | None = None, mode: str = "raise") -> Value:
    """The elements at these indices along an axis; for None, of all elements, row by row.

    `mode` says what an index beyond the end means: "raise" an error, "wrap" (modulo the length) or
    "clip" (the last element).
    """
    x, ids = value_of(x), value_of(indices)
    if axis is None:
        x, axis = reshape(x, -1), 0
    along = axis_of(axis, x.ndim, "take")
    n = x.shape[along]
    if mode != "raise":
        if mode not in ("wrap", "clip"):
            raise SettingError(
                _("take: mode={mode!r} must be 'raise', 'wrap' or 'clip'.", mode=mode)
            )
        numbers = concrete(ids, _("take with a mode"))
        ids = numbers % n if mode == "wrap" else np.clip(numbers, 0, n - 1)
    return index(x, (*(slice(None),) * along, ids))


def take_along_axis(x: Value, indices: Value, axis: int | None = -1) -> Value:
    """For every element of `indices`, the element of x at that index along the axis."""
    x, ids = value_of(x), value_of(indices)
    if axis is None:
        x, axis = reshape(x, -1), 0
    along = axis_of(axis, x.ndim, "take_along_axis")
    if ids.ndim != x.ndim:
        raise ShapeError(
            _(
                "take_along_axis: indices have {given} axes and x has {axes}; they must have as many.",
                given=ids.ndim,
                axes=x.ndim,
            )
        )
    key: list[Value] = []
    for i in range(x.ndim):
        if i == along:
            key.append(ids)
        else:
            line = np.arange(x.shape[i] if x.shape[i] != 1 else 1)
            key.append(line.reshape([-1 if j == i else 1 for j in range(x.ndim)]))
    return index(x, tuple(key))


def argsort(x: Value, axis: int | None = -1) -> Array:
    """The indices of the elements in ascending order, as a plain array."""
    return np.argsort(concrete(x, "argsort"), axis=axis, kind="stable")


def sort(x: Value, axis: int | None = -1) -> Value:
    """The elements in ascending order along an axis; of all, row by row, for None."""
    x = value_of(x)
    if axis is None:
        x, axis = reshape(x, -1), 0
    return take_along_axis(x, argsort(x, axis), axis)


# -- by the diagonal ------------------------------------------------------------------------------------


def diagonal(x: Value, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Value:
    """The elements with equal indices on two axes (the second plus `offset`), as the last axis."""
    x = value_of(x)
    if x.ndim < 2:
        raise ShapeError(_("diagonal needs at least two axes; got shape {shape}.", shape=x.shape))
    moved = moveaxis(x, (axis1, axis2), (-2, -1))
    n, m = moved.shape[-2:]
    rows = np.arange(max(0, min(n, m - offset) if offset >= 0 else min(n + offset, m)))
    return moved[(..., rows - min(offset, 0), rows + max(offset, 0))]


def diag(x: Value, k: int = 0) -> Value:
    """The k-th diagonal of a matrix; or the matrix with a vector on its k-th diagonal."""
    x = value_of(x)
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ShapeError(_("diag takes a vector or a matrix; got shape {shape}.", shape=x.shape))
    n = x.shape[0] + abs(k)
    rows = np.arange(x.shape[0])
    return index_add(x, (rows - min(k, 0), rows + max(k, 0)), (n, n))


def trace(x: Value, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Value:
    """The sum along the diagonal."""
    return sum(diagonal(x, offset, axis1, axis2), -1)


def _lower(shape: tuple[int, ...], k: int) -> Array:
    n, m = shape[-2:] if len(shape) > 1 else (shape[0], shape[0])
    return np.tri(n, m, k, dtype=bool)


def tril(x: Value, k: int = 0) -> Value:
    """The last two axes with zeros above the k-th diagonal."""
    x = value_of(x)
    return el.where(_lower(x.shape, k), x, x.dtype.type(0))


def triu(x: Value, k: int = 0) -> Value:
    """The last two axes with zeros below the k-th diagonal."""
    x = value_of(x)
    return el.where(~_lower(x.shape, k - 1), x, x.dtype.type(0))


def median(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """The middle value over the axes; of an even number, the mean of the two in the middle."""
    flat, shape = gathered(value_of(x), axis, "median")
    n = flat.shape[-1]
    if n == 0:
        raise ShapeError(_("median needs at least one element; leave empty batches out."))
    ordered = sort(flat, -1)
    middle = mean(ordered[..., (n - 1) // 2 : n // 2 + 1], -1)
    with_nan = el.where(any(el.isnan(flat), -1), np.nan, middle)
    return spread(with_nan, shape, kept("median", keepdims))
