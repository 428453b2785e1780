"""Activations as layers: Sigmoid, Tanh, Softmax; ReLU and its variants."""

from __future__ import annotations

from typing import ClassVar

from chainrule.errors import ShapeError
from chainrule.graph import functions
from chainrule.lang.messages import _
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
    """A layer without parameters."""

    def __init__(self) -> None:
        super().__init__()


class Sigmoid(_Activation):
    """y = 1 / (1 + e⁻ˣ), any shape (chapter, figure 1-28).

    >>> import chainrule as cr, numpy as np
    >>> cr.Sigmoid().forward(np.array([0.0, -1000.0]))
    array([0.5, 0. ])
    """

    def formula(self, x: Value) -> Value:
        """y = 1 / (1 + e⁻ˣ)."""
        return functions.sigmoid(x)


class Tanh(_Activation):
    """y = tanh x, any shape."""

    def formula(self, x: Value) -> Value:
        """y = tanh x."""
        return functions.tanh(x)


class ReLU(_Activation):
    """y = max(x, 0), any shape."""

    def formula(self, x: Value) -> Value:
        """y = max(x, 0)."""
        return functions.relu(x)


class LeakyReLU(_Activation):
    """y = x where x > 0, slope · x elsewhere, any shape."""

    hyperparameters: ClassVar = {"slope": finite}

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        self.slope = slope

    def formula(self, x: Value) -> Value:
        """y = x where x > 0, slope · x elsewhere."""
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

    def formula(self, x: Value) -> Value:
        """y = x where x > 0, alpha · (eˣ - 1) elsewhere."""
        return functions.elu(x, self.alpha)


class SELU(_Activation):
    """y = c · x where x > 0, c · a · (eˣ - 1) elsewhere, any shape; c = 1.0507, a = 1.6733.

    Meant for weights of variance 1/inputs: init="xavier" where there are as many outputs as inputs.
    """

    def formula(self, x: Value) -> Value:
        """y = c · x where x > 0, c · a · (eˣ - 1) elsewhere."""
        return functions.selu(x)


class SiLU(_Activation):
    """y = x / (1 + e⁻ˣ), any shape: x times its sigmoid. Also called Swish."""

    def formula(self, x: Value) -> Value:
        """y = x times its sigmoid."""
        return functions.silu(x)


class Mish(_Activation):
    """y = x · tanh(log(1 + eˣ)), any shape."""

    def formula(self, x: Value) -> Value:
        """y = x · tanh(log(1 + eˣ))."""
        return functions.mish(x)


class GELU(_Activation):
    """y = x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))), any shape."""

    def formula(self, x: Value) -> Value:
        """y = x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))."""
        return functions.gelu(x)


class Softmax(_Activation):
    """yₖ = e^(xₖ) / Σⱼ e^(xⱼ) along the last axis, any number of axes.

    To train a classifier use SoftmaxWithLoss, which stays exact where a logarithm of this output
    would overflow.
    """

    def formula(self, x: Value) -> Value:
        """y = softmax x."""
        if not x.ndim or not x.shape[-1]:
            raise ShapeError(
                _(
                    "Softmax needs at least one score a row, along the last axis; got shape {shape}.",
                    shape=x.shape,
                )
            )
        return functions.softmax(x)
