"""Layers recognised in a recorded graph: what a file computes, as a Sequential of chainrule's layers.

A layer is recognised by what it computes, not by the operators in the file: its own formula is recorded
and lowered, and laid over the lowered graph of the file. So every public layer is, and every function
that a model file can name; `writings.py` has the formulas of tools that compute the same otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import layers
from chainrule.engine.trace import Traced
from chainrule.errors import ChainruleError
from chainrule.files.onnx.templates import LENGTHS, WIDTH, Template, templates
from chainrule.files.onnx.writings import SETTINGS
from chainrule.graph.variable import Array

__all__ = ["Recognition", "Recognized"]

#: How far two numbers of float32 may be apart and be the same.
_SAME = 1e-6
#: What is found for the leaves and settings of a template.
Found = dict[Any, Any]


@dataclass(frozen=True)
class Recognized:
    """A layer, and the value that it is of."""

    layer: Any
    x: Traced


class Recognition:
    """Finds layers in a lowered graph, from its end on."""

    def __init__(self, x: Traced, dtype: np.dtype[Any]) -> None:
        self.x, self.dtype = x, dtype
        self._moving: dict[Traced, bool] = {}
        #: What the lengths in templates stand for.
        self._lengths: dict[int, int] = {}

    def layers(self, out: Traced, known: Mapping[Traced, Sequence[Recognized]]) -> list[Any] | None:
        """The layers that give `out` of x, one after the other; None if it is not made so.

        `known` are layers that are there already, by the value that they give.
        """
        dead: set[Traced] = set()
        path: list[tuple[Traced, Iterator[tuple[list[Any], Traced]], list[Any]]] = []
        value, before = out, list[Any]()
        while True:
            there, ahead = self._there(value, known)
            if ahead is self.x:
                return [*[layer for *_, some in path for layer in some], *before, *there][::-1]
            if value not in dead:
                path.append((value, self._steps(there, ahead), before))
            while path:
                at, steps, _ = path[-1]
                step = next(steps, None)
                if step is not None:
                    before, value = step
                    break
                dead.add(at)
                path.pop()
            else:
                return None

    def _there(
        self, value: Traced, known: Mapping[Traced, Sequence[Recognized]]
    ) -> tuple[list[Any], Traced]:
        """The layers that are known to give the value, the last one first, and what they are of."""
        found: list[Any] = []
        seen: set[Traced] = set()
        while value not in seen and known.get(value):
            seen.add(value)
            for part in reversed(known[value]):
                found.append(part.layer)
                if part.x is not value:
                    value = part.x
                    break
        return found, value

    def _steps(self, there: list[Any], value: Traced) -> Iterator[tuple[list[Any], Traced]]:
        for way in self.ways(value):
            yield [*there, way.layer], way.x

    def last(self, value: Traced) -> Recognized | None:
        """The layer that gives the value."""
        return next(self.ways(value), None)

    def ways(self, value: Traced) -> Iterator[Recognized]:
        """Every layer that gives the value of another one; the likeliest first."""
        found = templates(value.ndim, self.dtype) if 0 < value.ndim <= len(LENGTHS) else {}
        for template in found.get(value.function, ()):  # type: ignore[arg-type]
            outer = (*LENGTHS[: value.ndim - 1], LENGTHS[-1])
            self._lengths = dict(zip((*outer, WIDTH), (*value.shape, _width(value)), strict=True))
            bound = self._laid(template.out, value, {}, template)
            if bound is None or template.x not in bound:
                continue
            settings = {k: v for k, v in bound.items() if isinstance(k, str)}
            arrays = {
                name: self._array(bound[leaf]).reshape(self._real(leaf.shape))
                for leaf, name in template.arrays.items()
                if leaf in bound
            }
            try:
                layer = template.make(**arrays, **settings)
            except ChainruleError:
                continue
            yield Recognized(layer, bound[template.x])
        if value.function is np.reshape and value.ndim == 2 and value.args[0].ndim > 2:
            inner = value.args[0]
            if inner.shape[0] == value.shape[0] and self._moves(inner):
                yield Recognized(layers.Flatten(), inner)

    def _moves(self, value: Traced) -> bool:
        """Whether a value goes with the rows."""
        ahead = [value]
        while ahead:
            v = ahead[-1]
            if v in self._moving:
                ahead.pop()
                continue
            unknown = [o for o in v.operands if o not in self._moving]
            if unknown:
                ahead += unknown
                continue
            self._moving[v] = v is self.x or any(self._moving[o] for o in v.operands)
            ahead.pop()
        return self._moving[value]

    def _array(self, value: Traced) -> Array:
        """A value that does not go with the rows, as an array; a leaf, or its transpose, is not copied."""
        arrays: dict[Traced, Array] = {}
        ahead = [value]
        while ahead:
            v = ahead[-1]
            unknown = [o for o in v.operands if o not in arrays]
            if unknown:
                ahead += unknown
                continue
            ahead.pop()
            args = [arrays[a] if isinstance(a, Traced) else a for a in v.args]
            given = v.known if v.array is None else v.array
            arrays[v] = np.asarray(given if v.function is None else v.function(*args, **v.kwargs))
        return arrays[value]

    def _real(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """A shape of a template with the lengths that its own stand for."""
        return tuple(map(self._length, shape))

    def _length(self, n: int) -> int:
        left, real = n, 1
        for stand_in, length in self._lengths.items():
            while left and left % stand_in == 0:
                left, real = left // stand_in, real * length
        return left * real

    # -- laying one graph over the other --------------------------------------------------------------

    def _laid(self, t: Any, v: Any, bound: Found, template: Template) -> Found | None:
        """What the leaves and settings of a template stand for, if it fits a value; else None."""
        if not isinstance(t, Traced) or not isinstance(v, Traced):
            return self._laid_setting(t, v, bound, template)
        if t in bound:
            return bound if bound[t] is v else None
        shape = self._real(t.shape)
        if t is template.x:
            return {**bound, t: v} if self._moves(v) and v.shape == shape else None
        if t in template.arrays:
            # A tool may write a bias as one row.
            fits = v.shape[v.ndim - t.ndim :] == shape and v.size == math.prod(shape)
            return {**bound, t: v} if fits and not v.weak and not self._moves(v) else None
        number = _number(t)
        if number is not None:
            return self._laid_number(number, v, bound)
        if (t.function, t.kwargs, shape) != (v.function, v.kwargs, v.shape):
            return None
        found = self._laid_setting(t.args, v.args, bound, template)
        if found is None and t.function in _EITHER_WAY:
            found = self._laid_setting(t.args[::-1], v.args, bound, template)
        return None if found is None else {**found, t: v}

    def _laid_setting(self, t: Any, v: Any, bound: Found, template: Template) -> Found | None:
        """The same of what is no value: a shape, an axis, or the operands of a value."""
        if isinstance(t, tuple | list) and isinstance(v, tuple | list) and len(t) == len(v):
            found: Found | None = bound
            for one, other in zip(t, v, strict=True):
                if found is not None:
                    found = self._laid(one, other, found, template)
            return found
        if type(t) is int and type(v) is int:
            return bound if self._length(t) == v else None
        return bound if type(t) is type(v) and t == v else None

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
        same = number == given or math.isclose(number, given, rel_tol=_SAME, abs_tol=0)
        return bound if same else None


_EITHER_WAY = frozenset({np.add, np.multiply, np.maximum, np.minimum, np.equal, np.logical_and})


def _number(v: Traced) -> float | None:
    """The number that a value is, if it is one."""
    if v.function is None and v.known is not None and v.size == 1:
        return float(np.asarray(v.known).ravel()[0])
    return None


def _width(value: Traced) -> int:
    """How many numbers a row of x has, where the value is x @ W + b or the like; else as many as its own."""
    ahead, v = 6, value
    while ahead and v.function is not None and v.function is not np.matmul:
        v = next((o for o in v.operands if not o.weak and o.function is not None), v.operands[0])
        ahead -= 1
    if v.function is np.matmul:
        return int(v.args[1].shape[-2])
    return int(value.shape[-1])
