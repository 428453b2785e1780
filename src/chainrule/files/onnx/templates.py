"""Templates: the formulas of layers, lowered, at lengths that stand for those of any network."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.memory import needed
from chainrule.engine.plans import StepRecording
from chainrule.engine.primitives import Function
from chainrule.engine.trace import Traced
from chainrule.errors import ChainruleError
from chainrule.files.onnx.formulas import ONNX_FUNCTIONS
from chainrule.files.onnx.writings import SETTINGS, Writing, writings
from chainrule.graph.mode import inference_mode
from chainrule.graph.variable import Variable

__all__ = ["LENGTHS", "WIDTH", "Template", "templates"]

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


def _template(writing: Writing, ndim: int, dtype: npt.DTypeLike) -> Template | None:
    outer = (*LENGTHS[: ndim - 1], LENGTHS[-1])
    arrays = {
        name: np.full(shape, 0.5, dtype) for name, shape in writing.shapes(WIDTH, outer[-1]).items()
    }
    settings = {name: SETTINGS[name] for name in writing.settings}
    names: dict[int, str] = {}

    def formula(x: Variable) -> Variable:
        if isinstance(writing.formula, type):
            layer = writing.formula(**arrays, **settings)
            names.update({id(p.data): name for name, p in layer._parameters.items()})
            names.update({id(b): name for name, b in layer.buffers.items()})
            out: Variable = layer._record(x)
            return out
        parameters = {name: Variable(array, name) for name, array in arrays.items()}
        names.update({id(v.data): name for name, v in parameters.items()})
        out = writing.formula(x, **parameters, **settings)
        return out

    rows = np.full((*outer[:-1], WIDTH) if "W" in arrays else outer, 0.5, dtype)
    try:
        with inference_mode():
            recording = StepRecording(formula, [("x", rows)], ONNX_FUNCTIONS)
            value, _ = recording.results(recording.lower())
    except ChainruleError:
        return None  # the layer takes no rows of so many axes
    if value.shape != outer:
        return None
    inside = needed([value])
    leaves = {v: names[id(v.array)] for v in inside if v.array is not None and id(v.array) in names}
    order = writing.folds, -len(inside)
    return Template(value, recording.arguments["x"], leaves, _maker(writing), order)


def _maker(writing: Writing) -> Callable[..., Any]:
    def make(**given: Any) -> Any:
        buffers = {k: given.pop(k) for k in ("running_mean", "running_var") if k in given}
        layer = writing.make(**given)
        for name, array in buffers.items():
            layer.buffers[name][...] = array
        return layer

    return make
