"""A node of an ONNX file as a call: its inputs and settings, and how many numbers it may give."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import FormatError
from chainrule.graph.variable import Variable
from chainrule.lang.messages import _
from chainrule.nodes.base import Value

__all__ = ["Call", "Meaning", "constant", "largest", "shapes_of", "short", "together"]


@dataclass(frozen=True)
class Call:
    """A node of the file: its inputs (None where one is left out), its settings, and the opset."""

    op: str
    inputs: tuple[Any, ...]
    settings: dict[str, Any]
    version: int
    outputs: int = 1

    def input(self, i: int) -> Any:
        """Input i, or None."""
        return self.inputs[i] if i < len(self.inputs) else None

    def whole(self, name: str, i: int, default: Any = None) -> Any:
        """Whole numbers, given as a setting in older opsets and as an input in later ones."""
        given = self.input(i)
        if given is None:
            return self.settings.get(name, default)
        return [int(n) for n in np.atleast_1d(constant(given))]


@dataclass(frozen=True)
class Meaning:
    """What an operator computes, and how many numbers that is at most, asked before it is computed."""

    run: Callable[[Call], Any]
    size: Callable[[Call], int]


def constant(value: Value) -> npt.NDArray[Any]:
    """A value that must not depend on the rows, such as an axis."""
    if isinstance(value, Variable):
        raise FormatError(_("a shape, an axis or the like is computed from the rows"))
    return np.asarray(value)


# -- sizes --------------------------------------------------------------------------------------------


def shapes_of(call: Call) -> list[tuple[int, ...]]:
    """The shapes of the inputs."""
    return [
        np.shape(v.data if isinstance(v, Variable) else v) for v in call.inputs if v is not None
    ]


def largest(call: Call) -> int:
    """As many as the largest input has."""
    return max((math.prod(shape) for shape in shapes_of(call)), default=1)


def together(call: Call) -> int:
    """As many as the inputs have, repeated to one shape."""
    return math.prod(np.broadcast_shapes(*shapes_of(call)))


def short(value: float) -> float:
    """A setting, which ONNX keeps in float32, as short as it was written."""
    return float(str(np.float32(value)))
