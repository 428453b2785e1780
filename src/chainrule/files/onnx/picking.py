"""Picking elements out of a value and adding them in, x[key], written in ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.engine.trace import Traced
from chainrule.files.onnx.emission import Emission

__all__ = ["write_add_at", "write_chosen", "write_pick", "write_replaced"]

_FAR = np.iinfo(np.int64).max
#: The id of a row: a whole number of 64 bits, as all runtimes take it.
_ID = np.int64


def write_pick(e: Emission, v: Traced) -> str:
    """x[key]."""
    return _Picking(e, v, v.args[0].ndim).of(e.name(v.args[0]))


def write_add_at(e: Emission, v: Traced) -> str:
    """Zeros of a shape with values added at a key.

    The key picks, out of the numbers of all places, those that the values go to.
    """
    whole = e.shape(v)
    total = e.put("ReduceProd", whole, axes=[0], keepdims=0)
    count = e.put("Range", e.constant(0, _ID), total, e.constant(1, _ID))
    numbers = e.put("Reshape", count, whole, allowzero=1)
    places = _Picking(e, v, v.ndim).of(numbers)
    values = e.put("Expand", e.name(v.args[0]), e.put("Shape", places))
    flat = e.constant([-1], _ID)
    zeros = e.put("Mul", e.cast(count, v.dtype), e.constant(0, v.dtype))
    added = e.put(
        "ScatterElements",
        zeros,
        e.put("Reshape", places, flat),
        e.put("Reshape", values, flat),
        axis=0,
        reduction="add",
    )
    return e.put("Reshape", added, whole, allowzero=1)


def write_chosen(e: Emission, v: Traced) -> str:
    """The element of each row that its id names."""
    x, t = v.args
    last = e.constant([-1], _ID)
    ids = e.put("Unsqueeze", e.name(t, _ID), last)
    return e.put("Squeeze", e.put("GatherElements", e.name(x), ids, axis=x.ndim - 1), last)


def write_replaced(e: Emission, v: Traced) -> str:
    """x with the element of each row that its id names replaced."""
    x, t, values = v.args
    last = e.constant([-1], _ID)
    ids = e.put("Unsqueeze", e.name(t, _ID), last)
    if isinstance(values, Traced):
        new = e.put("Unsqueeze", e.name(values, v.dtype), last)
    else:
        new = e.constant(values, v.dtype)
    new = e.put("Expand", new, e.put("Shape", ids))
    return e.put("ScatterElements", e.name(x, v.dtype), ids, new, axis=v.ndim - 1)


class _Picking:
    """The key of an operation, in the order in which ONNX can do it: new axes, cuts, then ids."""

    def __init__(self, e: Emission, v: Traced, ndim: int) -> None:
        self.e, self.v = e, v
        given = v.args[1] if isinstance(v.args[1], tuple) else (v.args[1],)
        #: Each part of the key with its place in the key as written; None for a whole axis.
        self.parts: list[tuple[Any, int | None]] = []
        indexed = sum(part is not None and part is not Ellipsis for part in given)
        for i, part in enumerate(given):
            if part is Ellipsis:
                self.parts += [(slice(None), None)] * (ndim - indexed)
            else:
                self.parts.append((part, i))
        self.parts += [(slice(None), None)] * (
            ndim - sum(part is not None for part, _ in self.parts)
        )

    def of(self, x: str) -> str:
        """The value x[key]."""
        added = [i for i, (part, _) in enumerate(self.parts) if part is None]
        if added:
            x = self.e.put("Unsqueeze", x, self.e.constant(added, _ID))
        parts = [(slice(None), None) if part is None else (part, i) for part, i in self.parts]
        x = self._cut(x, parts)
        picked = [
            (axis, part, i) for axis, (part, i) in enumerate(parts) if not isinstance(part, slice)
        ]
        if not picked:
            return x
        if any(isinstance(part, Traced) for _, part, _ in picked) and len(picked) > 1:
            return self._gathered(x, picked)
        for axis, part, i in reversed(picked):
            x = self.e.put("Gather", x, self._ids(part, i), axis=axis)
        return x

    def _cut(self, x: str, parts: list[tuple[Any, int | None]]) -> str:
        starts: list[int | str] = []
        ends: list[int | str] = []
        axes, steps = [], []
        for axis, (part, i) in enumerate(parts):
            if not isinstance(part, slice) or part == slice(None):
                continue
            step = 1 if part.step is None else int(part.step)
            starts.append(self._end(i, "start", 0 if step > 0 else _FAR))
            ends.append(self._end(i, "stop", _FAR if step > 0 else -_FAR))
            axes.append(axis)
            steps.append(step)
        if not axes:
            return x
        e = self.e
        places = (e.lengths(starts), e.lengths(ends))
        return e.put("Slice", x, *places, e.constant(axes, _ID), e.constant(steps, _ID))

    def _end(self, i: int | None, which: str, default: int) -> int | str:
        def ask(a: Traced) -> int:
            end = getattr(_key(a)[i], which)  # type: ignore[index]
            return default if end is None else int(end)

        return self.e.length(self.v, ask)

    def _ids(self, part: Any, i: int | None) -> str:
        """Ids, or a single number, as int64."""
        if isinstance(part, Traced):
            return self.e.name(part, _ID)
        place = self.e.length(self.v, lambda a: int(_key(a)[i]))  # type: ignore[index]
        return (
            self.e.constant(place, _ID) if isinstance(place, int) else self.e.put("Squeeze", place)
        )

    def _gathered(self, x: str, picked: list[tuple[int, Any, int | None]]) -> str:
        """Ids along several axes, which NumPy lays over each other."""
        e, ndim = self.e, len(self.parts)
        axes = [axis for axis, _, _ in picked]
        rest = [axis for axis in range(ndim) if axis not in axes]
        front = e.put("Transpose", x, perm=[*axes, *rest])
        ids = [self._ids(part, i) for _, part, i in picked]
        total = ids[0]
        for more in ids[1:]:
            total = e.put("Add", total, more)
        shape, last = e.put("Shape", total), e.constant([-1], _ID)
        columns = [e.put("Unsqueeze", e.put("Expand", one, shape), last) for one in ids]
        out = e.put("GatherND", front, e.put("Concat", *columns, axis=-1))
        depth = max((part.ndim for _, part, _ in picked if isinstance(part, Traced)), default=0)
        together = axes == list(range(axes[0], axes[0] + len(axes)))
        before = sum(axis < axes[0] for axis in rest) if together else 0
        if not before or not depth:
            return out
        inner = [depth + i for i in range(len(rest))]
        return e.put("Transpose", out, perm=[*inner[:before], *range(depth), *inner[before:]])


def _key(a: Traced) -> tuple[Any, ...]:
    return a.args[1] if isinstance(a.args[1], tuple) else (a.args[1],)
