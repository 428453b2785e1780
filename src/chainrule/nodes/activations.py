"""Activations, each stable: Sigmoid, Tanh, Softplus, Softmax, LogSumExp; ReLU and its kin."""

from __future__ import annotations

import math

import numpy as np

from chainrule.nodes.base import Node, Value

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "LeakyReLU",
    "LogSumExp",
    "Mish",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]


def _exp_less_one(x: Value) -> Value:
    """e^x - 1 for x <= 0, without the cancellation near 0: 2h / (1 - h) with h = tanh(x/2)."""
    h = np.tanh(x / 2)
    return 2 * h / (1 - h)


def _sigmoid(x: Value) -> Value:
    """1 / (1 + e^-x), written so that no exponential overflows, here and in further derivatives."""
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(np.minimum(x, -x)))


def _softplus(x: Value) -> Value:
    """log(1 + e^x) without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(np.minimum(x, -x)))


class Sigmoid(Node):
    """y = 1 / (1 + e⁻ˣ) (chapter, equation 1.15 and figure 1-28).

    Exact to the last digits at both ends: for x = -1000 the exponential overflows to
    infinity, quietly, and 1/∞ = 0 is the right value.
    """

    symbol = "σ"
    elementwise = True
    holomorphic = False

    def forward(self, x: Value) -> Value:
        """y = 1 / (1 + e^-x)."""
        return 1 / (1 + np.exp(-x))

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = e⁻ˣ / (1 + e⁻ˣ)² = y (1 - y), so dx = dy · y · (1 - y)."""
        y = self.out
        return dy * (y * (1 - y))

    def elementary(self, x: Value) -> Value:
        """Negate, exp, + 1, reciprocal."""
        return 1 / (1 + np.exp(-x))


class Tanh(Node):
    """y = tanh x."""

    symbol = "tanh"
    elementwise = True

    def forward(self, x: Value) -> Value:
        """y = tanh(x)."""
        return np.tanh(x)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = 1 - tanh² x, so dx = dy · (1 - y^2)."""
        y = self.out
        return dy * (1 - y * y)

    def elementary(self, x: Value) -> Value:
        """(eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)."""
        up, down = np.exp(x), np.exp(-x)
        return (up - down) / (up + down)


class ReLU(Node):
    """y = max(x, 0); the gradient at 0 is 0."""

    symbol = "ReLU"
    elementwise = True
    holomorphic = False

    def forward(self, x: Value) -> Value:
        """y = max(x, 0)."""
        return np.maximum(x, 0)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = 1 where x > 0, else 0, so dx = dy where x > 0, else 0."""
        return np.where(self.out > 0, dy, 0)


class LeakyReLU(Node):
    """y = x where x > 0, slope · x elsewhere; the gradient at 0 is the slope.

    Source: Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic
    models", 2013.
    """

    symbol = "LReLU"
    elementwise = True
    holomorphic = False

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def forward(self, x: Value) -> Value:
        """y = x where x > 0, else slope · x."""
        return np.where(x > 0, x, self.slope * x)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = 1 where x > 0, else the slope, so dx = dy where x > 0, else slope · dy."""
        (x,) = self.inputs
        return np.where(x > 0, dy, self.slope * dy)

    def elementary(self, x: Value) -> Value:
        """A choice between x and slope · x."""
        return np.where(x > 0, x, self.slope * x)


class ELU(Node):
    """y = x where x > 0, alpha · (eˣ - 1) elsewhere: a ReLU that goes on below 0, to -alpha.

    Source: Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by
    exponential linear units", 2016.
    """

    symbol = "ELU"
    elementwise = True

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Value) -> Value:
        """y = x where x > 0, else alpha · (e^x - 1)."""
        return np.where(x > 0, x, self.alpha * _exp_less_one(np.minimum(x, 0)))

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = 1 where x > 0, else alpha eˣ, so dx = dy where x > 0, else dy · alpha · e^x."""
        (x,) = self.inputs
        return np.where(x > 0, dy, dy * (self.alpha * np.exp(np.minimum(x, 0))))

    def elementary(self, x: Value) -> Value:
        """A choice between x and alpha · (eˣ - 1)."""
        return np.where(x > 0, x, self.alpha * (np.exp(x) - 1))


class SELU(Node):
    """y = c · x where x > 0, c · a · (eˣ - 1) elsewhere, c = 1.0507, a = 1.6733.

    The numbers are such that layers with weights of variance 1/inputs keep mean 0 and variance 1.
    Source: Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", 2017.
    """

    symbol = "SELU"
    elementwise = True

    c = 1.0507009873554805
    a = 1.6732632423543772

    def forward(self, x: Value) -> Value:
        """y = c · x where x > 0, else c · a · (e^x - 1)."""
        return np.where(x > 0, self.c * x, self.c * self.a * _exp_less_one(np.minimum(x, 0)))

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = c where x > 0, else c a eˣ, so dx = dy · c where x > 0, else dy · c · a · e^x."""
        (x,) = self.inputs
        below = self.c * self.a * np.exp(np.minimum(x, 0))
        return np.where(x > 0, dy * self.c, dy * below)

    def elementary(self, x: Value) -> Value:
        """A choice between c · x and c · a · (eˣ - 1)."""
        return np.where(x > 0, self.c * x, self.c * self.a * (np.exp(x) - 1))


class SiLU(Node):
    """y = x / (1 + e⁻ˣ), x times its sigmoid; Swish is another name.

    Source: Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units", 2018.
    """

    symbol = "SiLU"
    elementwise = True

    def forward(self, x: Value) -> Value:
        """y = x / (1 + e^-x)."""
        return x * _sigmoid(x)

    def backward(self, dy: Value) -> Value:
        """By the product rule, with σ(x) = 1 / (1 + e⁻ˣ).

        So dx = dy · σ(x) · (1 + x · (1 - σ(x))).
        """
        (x,) = self.inputs
        gate = _sigmoid(x)
        return dy * (gate * (1 + x * _sigmoid(-x)))

    def elementary(self, x: Value) -> Value:
        """x / (1 + e⁻ˣ)."""
        return x / (1 + np.exp(-x))


class Mish(Node):
    """y = x · tanh(log(1 + eˣ)): smooth, and a little below 0 for some x below 0.

    Source: Misra, "Mish: a self regularized non-monotonic activation function", 2020.
    """

    symbol = "Mish"
    elementwise = True

    def forward(self, x: Value) -> Value:
        """y = x · tanh(log(1 + e^x))."""
        return x * np.tanh(_softplus(x))

    def backward(self, dy: Value) -> Value:
        """By the product rule, with u = log(1 + eˣ), whose slope is σ(x).

        So dx = dy · (tanh(u) + x · (1 - tanh(u)^2) · σ(x)), u = log(1 + e^x).
        """
        (x,) = self.inputs
        gate = np.tanh(_softplus(x))
        return dy * (gate + x * (1 - gate * gate) * _sigmoid(x))

    def elementary(self, x: Value) -> Value:
        """x · tanh(log(1 + eˣ))."""
        return x * np.tanh(np.log(1 + np.exp(x)))


class GELU(Node):
    """y = x/2 · (1 + tanh(c (x + a x³))), c = √(2/π), a = 0.044715: x times a smooth gate.

    Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016 (the tanh form).
    """

    symbol = "GELU"
    elementwise = True
    holomorphic = False

    c = math.sqrt(2 / math.pi)
    a = 0.044715

    def forward(self, x: Value) -> Value:
        """y = x / 2 · (1 + tanh(c · (x + a · x^3)))."""
        return 0.5 * x * (1 + np.tanh(self.c * (x + self.a * (x * x * x))))

    def backward(self, dy: Value) -> Value:
        """By the product rule, with u = c (x + a x³) in the gate.

        So dx = dy · ((1 + tanh(u)) / 2 + x / 2 · (1 - tanh(u)^2) · c · (1 + 3 · a · x^2)),
        u = c · (x + a · x^3).
        """
        (x,) = self.inputs
        x = np.minimum(np.maximum(x, -30), 30)  # beyond, the gate is 0 or 1 and x² could overflow
        gate = np.tanh(self.c * (x + self.a * (x * x * x)))
        slope = self.c * (1 + 3 * self.a * (x * x))
        return dy * (0.5 * (1 + gate) + 0.5 * x * (1 - gate * gate) * slope)

    def elementary(self, x: Value) -> Value:
        """x/2 · (1 + tanh(c (x + a x³)))."""
        return 0.5 * x * (1 + np.tanh(self.c * (x + self.a * (x * x * x))))


class Softplus(Node):
    """y = log(1 + eˣ), a smooth ReLU, without overflow."""

    symbol = "softplus"
    elementwise = True
    holomorphic = False

    def forward(self, x: Value) -> Value:
        """y = log(1 + e^x); computed as max(x, 0) + log(1 + e^(-|x|)), which cannot overflow."""
        return _softplus(x)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = eˣ / (1 + eˣ), the sigmoid of x, so dx = dy / (1 + e^-x)."""
        (x,) = self.inputs
        return dy * _sigmoid(x)

    def elementary(self, x: Value) -> Value:
        """log(1 + eˣ)."""
        return np.log(1 + np.exp(x))


class Softmax(Node):
    """yₖ = e^(xₖ) / Σⱼ e^(xⱼ) along an axis; a logit of -∞ gets the probability 0."""

    symbol = "softmax"
    holomorphic = False

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Value) -> Value:
        """y = e^x / Σ e^x; shifted by the largest logit, so that no exponential overflows."""
        e = np.exp(x - np.max(x, axis=self.axis, keepdims=True))
        return e / np.sum(e, axis=self.axis, keepdims=True)

    def backward(self, dy: Value) -> Value:
        """∂yⱼ/∂xₖ = yⱼ (δⱼₖ - yₖ), so dx = y · (dy - Σ dy · y)."""
        y = self.out
        return y * (dy - np.sum(dy * y, axis=self.axis, keepdims=True))

    def elementary(self, x: Value) -> Value:
        """eˣ / Σ eˣ."""
        e = np.exp(x)
        return e / np.sum(e, axis=self.axis, keepdims=True)


class LogSumExp(Node):
    """y = log Σⱼ e^(xⱼ) along an axis, without overflow."""

    symbol = "lse"
    holomorphic = False

    def __init__(self, axis: int = -1, keepdims: bool = False) -> None:
        self.axis, self.keepdims = axis, keepdims

    def parts(self, x: Value) -> tuple[Value, Value, Value]:
        """The largest logit m, e^(x - m), and its sum."""
        m = np.max(x, axis=self.axis, keepdims=True)
        # Where every logit is -∞ or one is +∞ the shift would make ∞ - ∞; there shift by 0.
        m = np.where(np.isfinite(m), m, 0)
        e = np.exp(x - m)
        return m, e, np.sum(e, axis=self.axis, keepdims=True)

    def forward(self, x: Value) -> Value:
        """y = log Σ e^x; computed as m + log Σ e^(x - m) with m the largest logit."""
        m, _, total = self.parts(x)
        y = m + np.log(total)
        return y if self.keepdims else np.squeeze(y, axis=self.axis)

    def backward(self, dy: Value) -> Value:
        """∂y/∂xₖ = e^(xₖ) / Σⱼ e^(xⱼ), so dx = dy · softmax(x); 0 where every logit is -∞."""
        (x,) = self.inputs
        _, e, total = self.parts(x)
        if not self.keepdims:
            dy = np.expand_dims(dy, self.axis)
        return dy * (e / np.where(total == 0, 1, total))

    def elementary(self, x: Value) -> Value:
        """Log Σ eˣ."""
        return np.log(np.sum(np.exp(x), axis=self.axis, keepdims=self.keepdims))
