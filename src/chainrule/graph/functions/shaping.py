"""The same numbers in another shape or order: reshape, transpose, repeat, flip, roll, pad."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule import nodes
from chainrule.errors import SettingError, ShapeError
from chainrule.graph.functions.values import Axis, Shape, axis_of, data_of, shape_of, value_of
from chainrule.graph.variable import Variable, apply, constant
from chainrule.lang.messages import _
from chainrule.nodes.base import Array, Value

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays", "broadcast_to", "expand_dims", "flip",
    "fliplr", "flipud", "full_like", "moveaxis", "ones_like", "pad", "ravel", "repeat", "reshape",
    "roll", "rot90", "squeeze", "swapaxes", "tile", "transpose", "zeros_like",
]  # fmt: skip


def broadcast_to(x: Value, shape: Shape) -> Value:
    """Copies of x to fill the shape: a Repeat node."""
    shape = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    return x if shape_of(x) == shape else apply(nodes.Repeat(shape), x)


def broadcast_arrays(*xs: Value) -> list[Value]:
    """The arrays repeated to one shape."""
    shape = np.broadcast_shapes(*map(shape_of, xs))
    return [broadcast_to(x, shape) for x in xs]


def reshape(x: Value, shape: Shape) -> Value:
    """The same numbers in another shape; one length may be -1."""
    lengths = (shape,) if isinstance(shape, int | np.integer) else shape
    target = tuple(int(n) for n in lengths)
    size = int(np.size(data_of(x)))
    known = math.prod(n for n in target if n != -1)
    if target.count(-1) == 1 and known and size % known == 0:
        target = tuple(size // known if n == -1 else n for n in target)
    if math.prod(target) != size or -1 in target:
        raise ShapeError(
            _(
                "cannot reshape {size} elements of shape {given} to {wanted}: the number of elements must"
                " stay the same.",
                size=size,
                given=shape_of(x),
                wanted=shape,
            )
        )
    return x if shape_of(x) == target else apply(nodes.Reshape(target), x)


def ravel(x: Value) -> Value:
    """All elements in one row."""
    return reshape(value_of(x), -1)


def transpose(x: Value, axes: Sequence[int] | None = None) -> Value:
    """The axes in another order; without `axes`, reversed."""
    if axes is not None:
        n = len(shape_of(x))
        axes = tuple(axis_of(a, n, "transpose") for a in axes)
        if sorted(axes) != list(range(n)):
            raise ShapeError(
                _(
                    "transpose: axes={axes} must name each of the {count} axes once.",
                    axes=axes,
                    count=n,
                )
            )
    return apply(nodes.Transpose(axes), x)


def swapaxes(x: Value, a: int, b: int) -> Value:
    """Two axes exchanged."""
    n = len(shape_of(x))
    a, b = axis_of(a, n, "swapaxes"), axis_of(b, n, "swapaxes")
    axes = list(range(n))
    axes[a], axes[b] = axes[b], axes[a]
    return transpose(x, tuple(axes))


def moveaxis(x: Value, source: int | Sequence[int], destination: int | Sequence[int]) -> Value:
    """Axes moved to other positions; the others keep their order."""
    n = len(shape_of(x))
    moved, targets = (
        [axis_of(a, n, "moveaxis") for a in (axes if isinstance(axes, Sequence) else (axes,))]
        for axes in (source, destination)
    )
    if len(moved) != len(targets):
        raise ShapeError(
            _(
                "moveaxis: source={source} and destination={destination} must name as many axes each.",
                source=source,
                destination=destination,
            )
        )
    order = [axis for axis in range(n) if axis not in moved]
    for to, axis in sorted(zip(targets, moved, strict=True)):
        order.insert(to, axis)
    return transpose(x, tuple(order))


def expand_dims(x: Value, axis: Axis) -> Value:
    """New axes of length 1."""
    return reshape(x, np.expand_dims(_shadow(x), axis).shape)  # type: ignore[arg-type]


def squeeze(x: Value, axis: Axis = None) -> Value:
    """Without the axes of length 1."""
    return reshape(x, np.squeeze(_shadow(x), axis).shape)


def _shadow(x: Value) -> Array:
    """An array of the shape of x without data, to get a result's shape from NumPy."""
    return np.broadcast_to(np.empty(()), shape_of(x))


def atleast_1d(x: Value) -> Value:
    """x with at least one axis."""
    return reshape(value_of(x), np.atleast_1d(_shadow(x)).shape)


def atleast_2d(x: Value) -> Value:
    """x with at least two axes; new ones come in front."""
    return reshape(value_of(x), np.atleast_2d(_shadow(x)).shape)


def atleast_3d(x: Value) -> Value:
    """x with at least three axes: (n,) as (1, n, 1), (n, m) as (n, m, 1)."""
    return reshape(value_of(x), np.atleast_3d(_shadow(x)).shape)


# -- the same numbers in another order ------------------------------------------------------------------


def flip(x: Value, axis: Axis = None) -> Value:
    """Backwards along the axes, or along all."""
    x = value_of(x)
    chosen = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = {axis_of(a, x.ndim, "flip") for a in chosen}
    return x[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(x.ndim))]


def flipud(x: Value) -> Value:
    """The rows from the last to the first."""
    return flip(x, 0)


def fliplr(x: Value) -> Value:
    """The columns from the last to the first."""
    return flip(x, 1)


def rot90(x: Value, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Value:
    """Turned k times by a right angle, from the first axis towards the second."""
    first, second = axes
    k %= 4
    if k == 0:
        return value_of(x)
    if k == 2:
        return flip(x, (first, second))
    turned = flip(x, second) if k == 1 else x
    turned = swapaxes(turned, first, second)
    return turned if k == 1 else flip(turned, second)


def roll(x: Value, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Value:
    """Elements moved along an axis, from the end to the front; for None, of all, row by row."""
    x = value_of(x)
    if axis is None:
        return reshape(roll(reshape(x, -1), int(np.sum(shift)), 0), x.shape)
    shifts, axes = np.broadcast_arrays(shift, axis)
    for by, along in zip(shifts.ravel().tolist(), axes.ravel().tolist(), strict=True):
        index = axis_of(along, x.ndim, "roll")
        n = x.shape[index]
        if n and by % n:
            front = (slice(None),) * index
            parts = [x[(*front, slice(n - by % n, None))], x[(*front, slice(None, n - by % n))]]
            x = apply(nodes.Concatenate(index), *parts)
    return x


# -- more of them -----------------------------------------------------------------------------------------


def tile(x: Value, reps: int | Sequence[int]) -> Value:
    """x repeated side by side, so many times along each axis."""
    x = value_of(x)
    times = (reps,) if isinstance(reps, int | np.integer) else tuple(reps)
    n = max(x.ndim, len(times))
    times = (1,) * (n - len(times)) + tuple(int(r) for r in times)
    shape = (1,) * (n - x.ndim) + x.shape
    doubled = reshape(x, tuple(part for length in shape for part in (1, length)))
    wide = tuple(part for pair in zip(times, shape, strict=True) for part in pair)
    return reshape(
        broadcast_to(doubled, wide),
        tuple(r * length for r, length in zip(times, shape, strict=True)),
    )


def repeat(x: Value, repeats: npt.ArrayLike, axis: int | None = None) -> Value:
    """Each element repeated so many times along an axis; for None, of all, row by row.

    `repeats` is a number, or one for each index.
    """
    x = value_of(x)
    if axis is None:
        x, axis = reshape(x, -1), 0
    along = axis_of(axis, x.ndim, "repeat")
    times = np.asarray(repeats)
    if times.size == 1:
        k = int(times.reshape(()))
        front, back = x.shape[: along + 1], x.shape[along + 1 :]
        wide = broadcast_to(reshape(x, (*front, 1, *back)), (*front, k, *back))
        return reshape(wide, (*front[:-1], front[-1] * k, *back))
    if times.shape != (x.shape[along],):
        raise ShapeError(
            _(
                "repeat: repeats must be a number, or one for each of the {places} places along axis {axis};"
                " got shape {shape}.",
                places=x.shape[along],
                axis=along,
                shape=times.shape,
            )
        )
    return x[(*(slice(None),) * along, np.repeat(np.arange(len(times)), times))]


def pad(x: Value, pad_width: Value, mode: str = "constant", constant_values: Value = 0) -> Value:
    """x with more elements before and after it along each axis.

    `mode` says which: "constant" `constant_values`; "edge" the outermost element; "reflect" and
    "symmetric" the mirror image, without or with the edge element; "wrap" those of the other end.
    """
    x = value_of(x)
    if mode not in ("constant", "edge", "reflect", "symmetric", "wrap"):
        raise SettingError(
            _(
                "pad: mode={mode!r} is not known for Variables. Allowed: constant, edge, reflect,"
                " symmetric, wrap.",
                mode=mode,
            )
        )
    if mode == "constant":
        return _padded(x, _pairs(pad_width, x.ndim), _pairs(constant_values, x.ndim, float))
    for axis, (before, after) in enumerate(_pairs(pad_width, x.ndim)):
        if before or after:
            indices = np.pad(np.arange(x.shape[axis]), (before, after), mode)  # type: ignore[call-overload]
            x = x[(*(slice(None),) * axis, indices)]
    return x


def _pairs(setting: Value, n: int, kind: type = int) -> list[tuple[Any, Any]]:
    """(before, after) for each of n axes, as NumPy reads them."""
    if isinstance(setting, dict):
        per_axis = [setting.get(a, setting.get(a - n, 0)) for a in range(n)]
        return [p if isinstance(p, tuple) else (p, p) for p in per_axis]
    pairs = np.broadcast_to(np.asarray(setting), (n, 2))
    return [(kind(a), kind(b)) for a, b in pairs.tolist()]


def _padded(x: Value, widths: list[tuple[int, int]], ends: list[tuple[float, float]]) -> Value:
    for axis, ((before, after), (low, high)) in enumerate(zip(widths, ends, strict=True)):
        parts = [x]
        for width, value, front in ((before, low, True), (after, high, False)):
            if width:
                shape = (*x.shape[:axis], width, *x.shape[axis + 1 :])
                part = _filled(x, value, x.dtype, shape)
                parts = [part, *parts] if front else [*parts, part]
        x = apply(nodes.Concatenate(axis), *parts) if len(parts) > 1 else x
    return x


def _filled(x: Value, value: Value, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> Value:
    """One number in every element: a Variable if x is one, since the shape may depend on the batch."""
    number = np.asarray(value, dtype)
    return broadcast_to(constant(number) if isinstance(x, Variable) else number, shape)


def full_like(x: Value, fill_value: Value, dtype: npt.DTypeLike | None = None) -> Value:
    """A constant of the shape of x: one number everywhere."""
    x = value_of(x)
    return _filled(x, fill_value, x.dtype if dtype is None else np.dtype(dtype), x.shape)


def zeros_like(x: Value, dtype: npt.DTypeLike | None = None) -> Value:
    """Zeros of the shape of x: a constant, which cannot be filled; build with cr.stack instead."""
    return full_like(x, 0, dtype)


def ones_like(x: Value, dtype: npt.DTypeLike | None = None) -> Value:
    """Ones of the shape of x: a constant."""
    return full_like(x, 1, dtype)
