"""Sigmoid, Tanh, ReLU, LeakyReLU, GELU, Softmax: activations as layers."""

from __future__ import annotations

import math

from chainrule.errors import SettingError, shown
from chainrule.graph import functions
from chainrule.layers.base import Layer
from chainrule.nodes.base import Value

__all__ = ["GELU", "LeakyReLU", "ReLU", "Sigmoid", "Softmax", "Tanh"]


class Sigmoid(Layer):
    """y = 1 / (1 + e⁻ˣ), any shape (chapter, figure 1-28).

    >>> import chainrule as cr, numpy as np
    >>> cr.Sigmoid().forward(np.array([0.0, -1000.0]))
    array([0.5, 0. ])
    """

    def formula(self, x: Value) -> Value:
        """y = 1 / (1 + e⁻ˣ)."""
        return functions.sigmoid(x)


class Tanh(Layer):
    """y = tanh x, any shape."""

    def formula(self, x: Value) -> Value:
        """y = tanh x."""
        return functions.tanh(x)


class ReLU(Layer):
    """y = max(x, 0), any shape."""

    def formula(self, x: Value) -> Value:
        """y = max(x, 0)."""
        return functions.relu(x)


class LeakyReLU(Layer):
    """y = x where x > 0, slope · x elsewhere, any shape."""

    settings = ("slope",)

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        if not math.isfinite(slope):
            raise SettingError(f"LeakyReLU: slope={shown(slope)} must be a finite number.")
        self.slope = float(slope)

    def formula(self, x: Value) -> Value:
        """y = x where x > 0, slope · x elsewhere."""
        return functions.leaky_relu(x, self.slope)


class GELU(Layer):
    """y = x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))), any shape."""

    def formula(self, x: Value) -> Value:
        """y = x times a smooth gate."""
        return functions.gelu(x)


class Softmax(Layer):
    """yₖ = e^(xₖ) / Σⱼ e^(xⱼ) along the last axis, any number of axes.

    For training a classifier use SoftmaxWithLoss, which is exact where this and a logarithm
    are not.
    """

    def formula(self, x: Value) -> Value:
        """y = softmax x."""
        return functions.softmax(x)
