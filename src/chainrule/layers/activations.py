"""Activations as layers: Sigmoid, Tanh, Softmax; ReLU and its variants."""

from __future__ import annotations

from typing import ClassVar

from chainrule.errors import ShapeError
from chainrule.graph import functions
from chainrule.lang.messages import _, says
from chainrule.layers.base import Layer
from chainrule.nodes.base import Value
from chainrule.settings import finite

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "LeakyReLU",
    "Mish",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
]


class _Activation(Layer):
    """A layer without parameters, with as many outputs per row as inputs."""

    def __init__(self) -> None:
        super().__init__()

    def _widths(self, inputs: int | None) -> tuple[int | None, int | None]:
        return inputs, inputs


class Sigmoid(_Activation):
    """y = 1 / (1 + e⁻ˣ), any shape (chapter, figure 1-28).

    >>> import chainrule as cr, numpy as np
    >>> cr.Sigmoid().forward(np.array([0.0, -1000.0]))
    array([0.5, 0. ])
    """

    @says("y = 1 / (1 + e⁻ˣ).")
    def formula(self, x: Value) -> Value:
        return functions.sigmoid(x)


class Tanh(_Activation):
    """y = tanh x, any shape."""

    @says("y = tanh x.")
    def formula(self, x: Value) -> Value:
        return functions.tanh(x)


class ReLU(_Activation):
    """y = max(x, 0), any shape."""

    @says("y = max(x, 0).")
    def formula(self, x: Value) -> Value:
        return functions.relu(x)


class LeakyReLU(_Activation):
    """y = x where x > 0, slope · x elsewhere, any shape."""

    hyperparameters: ClassVar = {"slope": finite}

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        self.slope = slope

    @says(_("y = x where x > 0, slope · x elsewhere."))
    def formula(self, x: Value) -> Value:
        return functions.leaky_relu(x, self.slope)


class ELU(_Activation):
    """y = x where x > 0, alpha · (eˣ - 1) elsewhere, any shape.

    >>> import chainrule as cr, numpy as np
    >>> cr.ELU().forward(np.array([1.0, -1000.0]))
    array([ 1., -1.])
    """

    hyperparameters: ClassVar = {"alpha": finite}

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha

    @says(_("y = x where x > 0, alpha · (eˣ - 1) elsewhere."))
    def formula(self, x: Value) -> Value:
        return functions.elu(x, self.alpha)


class SELU(_Activation):
    """y = c · x where x > 0, c · a · (eˣ - 1) elsewhere, any shape; c = 1.0507, a = 1.6733.

    Meant for weights of variance 1/inputs: init="xavier" where there are as many outputs as inputs.
    """

    @says(_("y = c · x where x > 0, c · a · (eˣ - 1) elsewhere."))
    def formula(self, x: Value) -> Value:
        return functions.selu(x)


class SiLU(_Activation):
    """y = x / (1 + e⁻ˣ), any shape: x times its sigmoid. Also called Swish."""

    @says(_("y = x times its sigmoid."))
    def formula(self, x: Value) -> Value:
        return functions.silu(x)


class Mish(_Activation):
    """y = x · tanh(log(1 + eˣ)), any shape."""

    @says(_("y = x times a smooth gate."))
    def formula(self, x: Value) -> Value:
        return functions.mish(x)


class GELU(_Activation):
    """y = x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))), any shape."""

    @says(_("y = x times a smooth gate."))
    def formula(self, x: Value) -> Value:
        return functions.gelu(x)


class Softmax(_Activation):
    """yₖ = e^(xₖ) / Σⱼ e^(xⱼ) along the last axis, any number of axes.

    To train a classifier use SoftmaxWithLoss, which stays exact where a logarithm of this output
    would overflow.
    """

    @says("y = softmax x.")
    def formula(self, x: Value) -> Value:
        if not x.ndim or not x.shape[-1]:
            raise ShapeError(
                _(
                    "Softmax needs at least one score a row, along the last axis; got shape {shape}.",
                    shape=x.shape,
                )
            )
        return functions.softmax(x)
