"""Slopes by a complex step, through the layer's own `record` on complex Variables."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule import layers
from chainrule.graph import Parameter, Variable
from chainrule.graph.mode import complex_steps

Array = npt.NDArray[Any]

STEP = 1e-30


def value(out: Any) -> Array:
    """The array of a Variable, or the array."""
    return out.data if isinstance(out, Variable) else np.asarray(out)


class Held:
    """A layer whose buffers stand still: each call begins from the same clock and statistics."""

    def __init__(self, layer: Any, training: bool) -> None:
        self.layer, self.training = layer, training
        self.buffers = {name: array.copy() for name, array in layer.buffers.items()}

    def __call__(self, x: Any, *more: Any) -> Any:
        self.restore()
        with layers.training_mode(self.training):
            return self.layer.forward(x, *more)

    def restore(self) -> None:
        for name, array in self.buffers.items():
            self.layer.buffers[name][...] = array


def complex_twin(layer: Any) -> Any:
    """A copy that computes in complex numbers."""
    twin = copy.deepcopy(layer)
    for name, parameter in twin.parameters.items():
        twin._parameters[name] = Parameter(parameter.data.astype(complex), name)
    for name, buffer in twin.buffers.items():
        if buffer.dtype.kind == "f":
            twin._buffers[name] = buffer.astype(complex)
    return twin


def slope(layer: Any, training: bool, x: Array, more: list[Any], along: str, v: Array) -> Array:
    """The derivative of the output along the direction v of x, or of the parameter named."""
    twin = complex_twin(layer)
    if along == "x":
        z = x + 1j * STEP * v
    else:
        z = x if twin.takes_ids else x.astype(complex)
        twin._parameters[along].data[...] += 1j * STEP * v
    with layers.training_mode(training), complex_steps():
        out = twin._record(Variable(z), *more)
    return np.asarray(out.data.imag / STEP)


def close_enough(got: float, want: float, terms: Array) -> bool:
    """The bound: 1e-12 of what was added up, and 1e-14."""
    return bool(abs(got - want) <= 1e-12 * np.abs(terms).sum() + 1e-14)
