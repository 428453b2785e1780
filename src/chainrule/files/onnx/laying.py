"""Laying a template over a lowered graph: whether both compute the same, and what its leaves stand for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from chainrule.engine.primitives import pick
from chainrule.engine.trace import Traced
from chainrule.files.onnx.templates import LENGTHS, WIDTH, Template
from chainrule.files.onnx.writings import SETTINGS
from chainrule.graph.variable import Array

__all__ = ["Found", "Laying"]

#: How far two numbers of float32 may be apart and be the same.
_SAME = 1e-6
#: What NTKAffine multiplies by at the width of a template.
_OVER_ROOT = 1 / math.sqrt(WIDTH)
#: How many views stand one behind another, at the most.
_VIEWS = 8
#: Operations whose operands may stand in either order.
_EITHER_WAY = frozenset({np.add, np.multiply, np.maximum, np.minimum, np.equal, np.logical_and})
#: What is found for the leaves and settings of a template.
Found = dict[Any, Any]


class Laying:
    """A template that is laid over values.

    `lengths` says what the lengths in it stand for, and is empty where they stand for themselves; `moves`,
    whether a value goes with the rows.
    """

    def __init__(
        self, template: Template, lengths: Mapping[int, int], moves: Callable[[Traced], bool]
    ) -> None:
        self.template, self.lengths, self.moves = template, lengths, moves

    def over(self, value: Traced) -> Found | None:
        """What the leaves and settings of the template stand for, if it fits a value; else None."""
        return self._laid(self.template.out, value, {})

    def shape(self, t: Traced) -> tuple[int, ...]:
        """The shape of a value of the template, with the lengths that its own stand for."""
        return tuple(map(self._length, t.shape))

    def _length(self, n: int) -> int:
        left, real = n, 1
        for stand_in, length in self.lengths.items():
            while left and left % stand_in == 0:
                left, real = left // stand_in, real * length
        return left * real

    def _laid(self, t: Any, v: Any, bound: Found) -> Found | None:
        if not isinstance(t, Traced) or not isinstance(v, Traced):
            return self._laid_setting(t, v, bound)
        if t in bound:
            return bound if bound[t] is v else None
        shape = self.shape(t)
        if t is self.template.x:
            return {**bound, t: v} if self.moves(v) and v.shape == shape else None
        if t in self.template.arrays:
            # A tool may write a bias as one row.
            fits = v.shape[v.ndim - t.ndim :] == shape and v.size == math.prod(shape)
            return {**bound, t: v} if fits and not v.weak and not self.moves(v) else None
        number = _number(t)
        if number is not None:
            return self._laid_number(number, v, bound)
        if not self.lengths and (_is_view(t) or _is_view(v)):
            return self._laid_view(t, v, bound)
        if (t.function, t.kwargs, shape) != (v.function, v.kwargs, v.shape):
            return None
        found = self._laid_setting(t.args, v.args, bound)
        if found is None and t.function in _EITHER_WAY:
            found = self._laid_setting(t.args[::-1], v.args, bound)
        return None if found is None else {**found, t: v}

    def _laid_setting(self, t: Any, v: Any, bound: Found) -> Found | None:
        """The same of what is no value: a shape, an axis, or the operands of a value."""
        if isinstance(t, tuple | list) and isinstance(v, tuple | list):
            found: Found | None = bound
            if len(t) != len(v):
                return None
            for one, other in zip(t, v, strict=True):
                if found is not None:
                    found = self._laid(one, other, found)
            return found
        if type(t) is int and type(v) is int:
            return bound if self._length(t) == v else None
        return bound if type(t) is type(v) and t == v else None

    def _laid_view(self, t: Traced, v: Traced, bound: Found) -> Found | None:
        """The same of what only shows elements of another value, however it is put together."""
        *_, (one, shown) = _viewed(t)
        for other, seen in reversed([*_viewed(v)]):
            if one.shape == other.shape and np.array_equal(shown, seen):
                found = self._laid(one, other, bound)
                if found is not None:
                    return {**found, t: v}
        return None

    def _laid_number(self, number: float, v: Traced, bound: Found) -> Found | None:
        given = _number(v)
        if given is None:
            return None
        for name, stand_in in SETTINGS.items():
            if number == stand_in:
                fits = name not in bound or bound[name] == given
                return {**bound, name: given} if fits else None
        if number.is_integer() and abs(number) >= LENGTHS[0]:  # a mean is a sum over its length
            number = float(self._length(int(number)))
        if number == _OVER_ROOT and WIDTH in self.lengths:
            number = 1 / math.sqrt(self.lengths[WIDTH])
        same = number == given or math.isclose(number, given, rel_tol=_SAME, abs_tol=0)
        return bound if same else None


def _number(v: Traced) -> float | None:
    """The number that a value is, if it is one."""
    if v.function is None and v.known is not None and v.size == 1:
        return float(np.asarray(v.known).ravel()[0])
    return None


def _is_view(v: Traced) -> bool:
    """Whether a value only shows elements of another one."""
    if v.function is not pick:
        return v.function is np.reshape
    keys = v.args[1] if isinstance(v.args[1], tuple) else (v.args[1],)
    return not any(isinstance(key, Traced | np.ndarray) for key in keys)


def _viewed(v: Traced) -> Iterator[tuple[Traced, Array]]:
    """The values whose elements are shown, from the value itself on, and which of them, by their number."""
    views: list[Traced] = []
    for _ in range(_VIEWS):
        shown = np.arange(v.size).reshape(v.shape)
        for view in reversed(views):
            assert view.function is not None
            shown = view.function(shown, *view.args[1:], **view.kwargs)
        yield v, shown
        if not _is_view(v):
            return
        views.append(v)
        v = v.args[0]
