"""Which axes of a recording are of one length because the operations make them so.

Two axes of equal length by chance are not the same: a network with layers of 20 and 20 units must
give the same text as one with 20 and 30. So axes are grouped by the operations that join them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from chainrule.engine.primitives import pick, take_rows
from chainrule.engine.trace import Traced
from chainrule.nodes.indexing import add_at, chosen, replaced

__all__ = ["Axes", "Axis"]

#: A value (by its id, since `==` of values is an operation), and the index of one of its axes.
Axis: TypeAlias = tuple[int, int]

_REDUCTIONS = (np.sum, np.prod, np.max, np.min)


class Axes:
    """The axes of recorded values, grouped into families of equal length."""

    def __init__(self, values: Iterable[Traced]) -> None:
        self._up: dict[Axis, Axis] = {}
        for v in values:
            if v.function is not None:
                self._enter(v)

    def head(self, v: Traced, axis: int) -> Axis:
        """The representative of an axis's family."""
        at = (id(v), axis)
        while (above := self._up.get(at, at)) != at:
            self._up[at] = self._up.get(above, above)
            at = above
        return at

    def _join(self, a: Traced, i: int, b: Traced, j: int) -> None:
        if a.shape[i] != 1 and a.shape[i] == b.shape[j]:
            self._up[self.head(a, i)] = self.head(b, j)

    def _join_all(self, a: Traced, axes: Sequence[int], b: Traced, others: Sequence[int]) -> None:
        for i, j in zip(axes, others, strict=False):
            self._join(a, i, b, j)

    def _align(self, v: Traced, x: Traced, missing: int = 0) -> None:
        """Join the axes as NumPy aligns them, from the last; v has `missing` more at its end."""
        for back in range(1, min(v.ndim - missing, x.ndim) + 1):
            self._join(v, v.ndim - missing - back, x, x.ndim - back)

    def _enter(self, v: Traced) -> None:
        f, x = v.function, v.args[0] if v.args else None
        if f is np.matmul:
            a, b = v.args
            self._join_all(v, range(v.ndim - 1), a, range(a.ndim - 1))
            self._join(v, v.ndim - 1, b, b.ndim - 1)
            self._join_all(v, range(v.ndim - 2), b, range(b.ndim - 2))
            self._join(a, a.ndim - 1, b, b.ndim - 2)
        elif f in _REDUCTIONS and isinstance(x, Traced):
            kept = [a for a in range(x.ndim) if a not in v.kwargs["axis"]]
            self._join_all(v, range(v.ndim), x, kept)
        elif f is np.transpose and isinstance(x, Traced):
            self._join_all(v, range(v.ndim), x, v.args[1])
        elif f is np.reshape and isinstance(x, Traced):
            self._reshaped(v, x)
        elif f in (np.concatenate, np.stack):
            for part in v.args[0]:
                axis = v.kwargs["axis"] % v.ndim
                others = [a for a in range(v.ndim) if a != axis]
                own = others if f is np.concatenate else range(part.ndim)
                self._join_all(v, others, part, list(own))
        elif f is pick and isinstance(x, Traced):
            self._picked(v, x, v.args[1])
        elif f is add_at and isinstance(x, Traced):
            self._picked(x, v, v.args[1])
        elif f in (chosen, replaced) and isinstance(x, Traced):
            t = v.args[1]
            self._join_all(x, range(x.ndim - 1), t, range(t.ndim))
            if f is replaced:
                self._align(v, x)
                if isinstance(v.args[2], Traced):
                    self._align(v, v.args[2], missing=1)
            else:
                self._align(v, t)
        elif f is take_rows:
            pass
        else:  # element by element
            for o in v.operands:
                self._align(v, o)

    def _reshaped(self, v: Traced, x: Traced) -> None:
        """Axes of length 1 may appear and vanish; axes alike from the front and the back are joined."""
        ours, theirs = ([a for a, d in enumerate(w.shape) if d != 1] for w in (v, x))
        same = 0
        while same < min(len(ours), len(theirs)) and v.shape[ours[same]] == x.shape[theirs[same]]:
            self._join(v, ours[same], x, theirs[same])
            same += 1
        ours, theirs = ours[same:][::-1], theirs[same:][::-1]
        for i, j in zip(ours, theirs, strict=False):
            if v.shape[i] != x.shape[j]:
                break
            self._join(v, i, x, j)

    def _picked(self, v: Traced, x: Traced, key: Any) -> None:
        """v = x[key], or x = zeros with v at the key."""
        key = key if isinstance(key, tuple) else (key,)
        arrays = [k for k in key if isinstance(k, Traced)]
        if arrays and (len(key) != 1 or len(arrays) != 1):
            return  # rare, and their arrays are distinct anyway
        at, axis = 0, 0
        for k in key:
            if k is Ellipsis:
                skipped = x.ndim - sum(p is not None and p is not Ellipsis for p in key)
                self._join_all(v, range(at, at + skipped), x, range(axis, axis + skipped))
                at, axis = at + skipped, axis + skipped
            elif k is None:
                at += 1
            elif isinstance(k, Traced):
                self._join_all(v, range(at, at + k.ndim), k, range(k.ndim))
                at, axis = at + k.ndim, axis + 1
            elif isinstance(k, slice):
                if k.indices(x.shape[axis]) == (0, x.shape[axis], 1):
                    self._join(v, at, x, axis)
                at, axis = at + 1, axis + 1
            else:
                axis += 1
        self._join_all(v, range(at, v.ndim), x, range(axis, x.ndim))
