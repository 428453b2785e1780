"""The same numbers in another shape or order: reshape, transpose, repeat, flip, roll, pad."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import nodes
from chainrule.errors import SettingError, ShapeError
from chainrule.graph.functions.values import Axis, axis_of, data_of, shape_of, value_of
from chainrule.graph.variable import Variable, apply, constant
from chainrule.lang.messages import _
from chainrule.nodes.base import Value

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays", "broadcast_to", "expand_dims", "flip",
    "fliplr", "flipud", "full_like", "moveaxis", "ones_like", "pad", "ravel", "repeat", "reshape",
    "roll", "rot90", "squeeze", "swapaxes", "tile", "transpose", "zeros_like",
]  # fmt: skip


def broadcast_to(x: Value, shape: Any) -> Value:
    """Copies of x to fill the shape: a Repeat node."""
    shape = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    return x if shape_of(x) == shape else apply(nodes.Repeat(shape), x)


def broadcast_arrays(*xs: Value) -> list[Value]:
    """The arrays repeated to one shape."""
    shape = np.broadcast_shapes(*map(shape_of, xs))
    return [broadcast_to(x, shape) for x in xs]


def reshape(x: Value, shape: Any) -> Value:
    """The same numbers in another shape; one length may be -1."""
    lengths = (shape,) if isinstance(shape, int | np.integer) else shape
    wanted = tuple(int(n) for n in lengths)
    size = int(np.size(data_of(x)))
    known = math.prod(n for n in wanted if n != -1)
    if wanted.count(-1) == 1 and known and size % known == 0:
        wanted = tuple(size // known if n == -1 else n for n in wanted)
    if math.prod(wanted) != size or -1 in wanted:
        raise ShapeError(
            _(
                "cannot reshape {size} elements of shape {given} to {wanted}: the number of elements must"
                " stay the same.",
                size=size,
                given=shape_of(x),
                wanted=shape,
            )
        )
    return x if shape_of(x) == wanted else apply(nodes.Reshape(wanted), x)


def ravel(x: Value) -> Value:
    """All elements in one row."""
    return reshape(value_of(x), -1)


def transpose(x: Value, axes: Any = None) -> Value:
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


def moveaxis(x: Value, source: Any, destination: Any) -> Value:
    """Axes moved to other places; the others keep their order."""
    n = len(shape_of(x))
    places = [
        [axis_of(a, n, "moveaxis") for a in (given if isinstance(given, Sequence) else (given,))]
        for given in (source, destination)
    ]
    if len(places[0]) != len(places[1]):
        raise ShapeError(
            _(
                "moveaxis: source={source} and destination={destination} must name as many axes each.",
                source=source,
                destination=destination,
            )
        )
    order = [axis for axis in range(n) if axis not in places[0]]
    for to, axis in sorted(zip(places[1], places[0], strict=True)):
        order.insert(to, axis)
    return transpose(x, tuple(order))


def expand_dims(x: Value, axis: Axis) -> Value:
    """New axes of length 1."""
    return reshape(x, np.expand_dims(_shadow(x), axis).shape)  # type: ignore[arg-type]


def squeeze(x: Value, axis: Axis = None) -> Value:
    """Without the axes of length 1."""
    return reshape(x, np.squeeze(_shadow(x), axis).shape)


def _shadow(x: Value) -> Any:
    """An array of the shape of x, to ask NumPy by."""
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
    given = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = {axis_of(a, x.ndim, "flip") for a in given}
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


def roll(x: Value, shift: Any, axis: Any = None) -> Value:
    """Moved along an axis; what leaves at the end comes in at the front. None: of all, row by row."""
    x = value_of(x)
    if axis is None:
        return reshape(roll(reshape(x, -1), int(np.sum(shift)), 0), x.shape)
    shifts, axes = np.broadcast_arrays(shift, axis)
    for by, along in zip(shifts.ravel().tolist(), axes.ravel().tolist(), strict=True):
        place = axis_of(along, x.ndim, "roll")
        n = x.shape[place]
        if n and by % n:
            front = (slice(None),) * place
            parts = [x[(*front, slice(n - by % n, None))], x[(*front, slice(None, n - by % n))]]
            x = apply(nodes.Concatenate(place), *parts)
    return x


# -- more of them -----------------------------------------------------------------------------------------


def tile(x: Value, reps: Any) -> Value:
    """x set side by side, so many times along each axis."""
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


def repeat(x: Value, repeats: Any, axis: int | None = None) -> Value:
    """Each element so many times after itself along an axis; for None of all, row by row.

    `repeats` is a number, or one for each place.
    """
    x = value_of(x)
    if axis is None:
        x, axis = reshape(x, -1), 0
    place = axis_of(axis, x.ndim, "repeat")
    times = np.asarray(repeats)
    if times.size == 1:
        k = int(times.reshape(()))
        front, back = x.shape[: place + 1], x.shape[place + 1 :]
        wide = broadcast_to(reshape(x, (*front, 1, *back)), (*front, k, *back))
        return reshape(wide, (*front[:-1], front[-1] * k, *back))
    if times.shape != (x.shape[place],):
        raise ShapeError(
            _(
                "repeat: repeats must be a number, or one for each of the {places} places along axis {axis};"
                " got shape {shape}.",
                places=x.shape[place],
                axis=place,
                shape=times.shape,
            )
        )
    return x[(*(slice(None),) * place, np.repeat(np.arange(len(times)), times))]


def pad(x: Value, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Value:
    """x with more elements before and after it along each axis.

    `mode` says which: "constant" those of `constant_values`; "edge" the outermost; "reflect" and
    "symmetric" those seen in a mirror in, or beside, the edge; "wrap" those of the other end.
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
            places = np.pad(np.arange(x.shape[axis]), (before, after), mode)  # type: ignore[call-overload]
            x = x[(*(slice(None),) * axis, places)]
    return x


def _pairs(given: Any, n: int, kind: Any = int) -> list[tuple[Any, Any]]:
    """(before, after) for each of n axes, as NumPy reads them."""
    if isinstance(given, dict):
        filled: Any = [given.get(a, given.get(a - n, 0)) for a in range(n)]
        return [p if isinstance(p, tuple) else (p, p) for p in filled]
    pairs = np.broadcast_to(np.asarray(given), (n, 2))
    return [(kind(a), kind(b)) for a, b in pairs.tolist()]


def _padded(x: Any, widths: list[tuple[int, int]], ends: list[tuple[float, float]]) -> Any:
    for axis, ((before, after), (low, high)) in enumerate(zip(widths, ends, strict=True)):
        parts = [x]
        for width, value, front in ((before, low, True), (after, high, False)):
            if width:
                shape = (*x.shape[:axis], width, *x.shape[axis + 1 :])
                part = _filled(x, value, x.dtype, shape)
                parts = [part, *parts] if front else [*parts, part]
        x = apply(nodes.Concatenate(axis), *parts) if len(parts) > 1 else x
    return x


def _filled(x: Any, value: Any, dtype: Any, shape: tuple[int, ...]) -> Any:
    """One number everywhere: beside a Variable a Variable, since the shape may go with the batch."""
    number = np.asarray(value, dtype)
    return broadcast_to(constant(number) if isinstance(x, Variable) else number, shape)


def full_like(x: Value, fill_value: Any, dtype: Any = None) -> Value:
    """A constant of the shape of x: one number everywhere."""
    x = value_of(x)
    return _filled(x, fill_value, x.dtype if dtype is None else np.dtype(dtype), x.shape)


def zeros_like(x: Value, dtype: Any = None) -> Value:
    """Zeros of the shape of x: a constant, which cannot be filled; build with cr.stack instead."""
    return full_like(x, 0, dtype)


def ones_like(x: Value, dtype: Any = None) -> Value:
    """Ones of the shape of x: a constant."""
    return full_like(x, 1, dtype)
