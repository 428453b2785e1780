"""Layers recognised in a recorded graph: what a file computes, as a Sequential of chainrule's layers.

A layer is recognised by what it computes, not by the operators in the file: its own formula is recorded
and lowered, and laid over the lowered graph of the file. So every public layer is, and every function
that a model file can name; `writings.py` has the formulas of tools that compute the same otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import layers
from chainrule.engine.trace import Traced
from chainrule.errors import ChainruleError
from chainrule.files.onnx.laying import Laying
from chainrule.files.onnx.templates import LENGTHS, WIDTH, Template, exact_templates, templates
from chainrule.graph.variable import Array

__all__ = ["Recognition", "Recognized"]


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
        for template, lengths in self._templates(value):
            laying = Laying(template, lengths, self._moves)
            bound = laying.over(value)
            if bound is None or template.x not in bound:
                continue
            settings = {k: v for k, v in bound.items() if isinstance(k, str)}
            arrays = {
                name: self._array(bound[leaf]).reshape(laying.shape(leaf))
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

    def _templates(self, value: Traced) -> Iterator[tuple[Template, dict[int, int]]]:
        """What may be laid over the value, each with what the lengths in it stand for."""
        found = templates(value.ndim, self.dtype) if 0 < value.ndim <= len(LENGTHS) else {}
        stand_ins = (*LENGTHS[: value.ndim - 1], LENGTHS[-1], WIDTH)
        for template in found.get(value.function, ()):  # type: ignore[arg-type]
            yield template, dict(zip(stand_ins, (*value.shape, _width(value)), strict=True))
        for template in exact_templates(value, self.dtype):
            yield template, {}

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


def _width(value: Traced) -> int:
    """How many numbers a row of x has, where the value is x @ W + b or the like; else as many as its own."""
    ahead, v = 6, value
    while ahead and v.function is not None and v.function is not np.matmul:
        v = next((o for o in v.operands if not o.weak and o.function is not None), v.operands[0])
        ahead -= 1
    if v.function is np.matmul:
        return int(v.args[1].shape[-2])
    return int(value.shape[-1])
