"""Templates: the formulas of layers, lowered, at lengths that stand for those of any network."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.engine.memory import needed
from chainrule.engine.plans import StepRecording
from chainrule.engine.primitives import Function
from chainrule.engine.trace import Traced
from chainrule.errors import ChainruleError
from chainrule.files.onnx.formulas import ONNX_FUNCTIONS
from chainrule.files.onnx.writings import EXACT, SETTINGS, Exact, Shape, Writing, writings
from chainrule.graph.mode import inference_mode
from chainrule.graph.variable import Variable

__all__ = ["LENGTHS", "WIDTH", "Template", "exact_templates", "templates"]

#: Lengths of the axes of x and y, which stand for others; primes, so that their products tell them, and
#: larger than any axis is by number.
LENGTHS = (11, 13, 17, 29)
#: The numbers that a row of x has, where these are not as many as a row of y has.
WIDTH = 31


@dataclass(frozen=True)
class Template:
    """A formula, lowered: its value, what it is of, and the layer that it makes of what it was laid over."""

    out: Traced
    x: Traced
    arrays: dict[Traced, str]
    make: Callable[..., Any]
    #: Larger formulas are tried first, since a smaller one may be a part of it.
    order: tuple[bool, int]


@functools.lru_cache(16)
def templates(ndim: int, dtype: np.dtype[Any]) -> dict[Function, list[Template]]:
    """The templates of values with so many axes, by the last operation."""
    found: dict[Function, list[Template]] = {}
    made = (_template(writing, ndim, dtype) for writing in writings())
    for template in sorted((t for t in made if t is not None), key=lambda t: t.order):
        if template.out.function is not None:
            found.setdefault(template.out.function, []).append(template)
    return found


def exact_templates(value: Traced, dtype: np.dtype[Any]) -> Iterator[Template]:
    """The templates of layers with lengths of their own, at the lengths that a value tells."""
    if value.ndim != 2:
        return
    for lengths in EXACT.values():
        for exact in dict.fromkeys(lengths(value)):
            if exact.width > 0:
                template = _exact_template(exact, value.shape, dtype)
                if template is not None and template.out.function is value.function:
                    yield template


@functools.lru_cache(64)
def _exact_template(exact: Exact, outer: Shape, dtype: np.dtype[Any]) -> Template | None:
    return _recorded(exact.make, dict(exact.shapes), {}, outer, exact.width, dtype)


def _template(writing: Writing, ndim: int, dtype: np.dtype[Any]) -> Template | None:
    outer = (*LENGTHS[: ndim - 1], LENGTHS[-1])
    shapes = writing.shapes(WIDTH, outer[-1])
    width = WIDTH if "W" in shapes else outer[-1]
    settings = {name: SETTINGS[name] for name in writing.settings}
    found = _recorded(writing.formula, shapes, settings, outer, width, dtype)
    if found is None:
        return None
    return replace(found, make=_maker(writing), order=(writing.folds, found.order[1]))


def _recorded(
    make: Callable[..., Any],
    shapes: Mapping[str, Shape],
    settings: Mapping[str, float],
    outer: Shape,
    width: int,
    dtype: np.dtype[Any],
) -> Template | None:
    """A formula or a layer, recorded for rows of `width` numbers; None if its value is not `outer`."""
    arrays = {name: np.full(shape, 0.5, dtype) for name, shape in shapes.items()}
    names: dict[int, str] = {}

    def formula(x: Variable) -> Variable:
        if isinstance(make, type | functools.partial):
            layer = make(**arrays, **settings)
            names.update({id(p.data): name for name, p in layer._parameters.items()})
            names.update({id(b): name for name, b in layer.buffers.items()})
            out: Variable = layer._record(x)
            return out
        parameters = {name: Variable(array, name) for name, array in arrays.items()}
        names.update({id(v.data): name for name, v in parameters.items()})
        out = make(x, **parameters, **settings)
        return out

    try:
        with inference_mode():
            rows = np.full((*outer[:-1], width), 0.5, dtype)
            recording = StepRecording(formula, [("x", rows)], ONNX_FUNCTIONS)
            value, _ = recording.results(recording.lower())
    except ChainruleError:
        return None  # the layer takes no rows of so many axes
    if value.shape != outer:
        return None
    inside = needed([value])
    leaves = {v: names[id(v.array)] for v in inside if v.array is not None and id(v.array) in names}
    return Template(value, recording.arguments["x"], leaves, make, (False, -len(inside)))


def _maker(writing: Writing) -> Callable[..., Any]:
    def make(**given: Any) -> Any:
        buffers = {k: given.pop(k) for k in ("running_mean", "running_var") if k in given}
        layer = writing.make(**given)
        for name, array in buffers.items():
            layer.buffers[name][...] = array
        return layer

    return make
