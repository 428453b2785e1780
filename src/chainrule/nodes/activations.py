"""Activations, each stable: Sigmoid, Tanh, Softplus, Softmax, LogSumExp; ReLU and its variants."""

from __future__ import annotations

import math

import numpy as np

from chainrule.lang.messages import _
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
    """The sigmoid function (chapter, equation 1.15 and figure 1-28).

    Exact to the last digits at both ends: for x = -1000 the exponential overflows to
    infinity, quietly, and 1/∞ = 0 is the right value.
    """

    symbol = "σ"
    elementwise = True
    holomorphic = False
    formula = "y = 1 / (1 + e^-x)"
    why = "∂y/∂x = e⁻ˣ / (1 + e⁻ˣ)² = y (1 - y)"
    gradients = {"x": "dy · y · (1 - y)"}

    def forward(self, x: Value) -> Value:
        return 1 / (1 + np.exp(-x))

    decompose = forward

    def backward(self, dy: Value) -> Value:
        y = self.out
        return dy * (y * (1 - y))


class Tanh(Node):
    """The hyperbolic tangent."""

    symbol = "tanh"
    elementwise = True
    formula = "y = tanh(x)"
    why = "∂y/∂x = 1 - tanh² x"
    gradients = {"x": "dy · (1 - y^2)"}

    def forward(self, x: Value) -> Value:
        return np.tanh(x)

    def backward(self, dy: Value) -> Value:
        y = self.out
        return dy * (1 - y * y)

    def decompose(self, x: Value) -> Value:
        """(eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)."""
        up, down = np.exp(x), np.exp(-x)
        return (up - down) / (up + down)


class ReLU(Node):
    """What is below 0 becomes 0; the gradient at 0 is 0."""

    symbol = "ReLU"
    elementwise = True
    holomorphic = False
    formula = "y = max(x, 0)"
    why = _("∂y/∂x = 1 where x > 0, else 0")
    gradients = {"x": _("dy where x > 0, else 0")}

    def forward(self, x: Value) -> Value:
        return np.maximum(x, 0)

    def backward(self, dy: Value) -> Value:
        return np.where(self.out > 0, dy, 0)


class LeakyReLU(Node):
    """A ReLU that lets through a little of what is below 0; the gradient at 0 is the slope.

    Source: Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic
    models", 2013.
    """

    symbol = "LReLU"
    elementwise = True
    holomorphic = False
    formula = _("y = x where x > 0, else slope · x")
    why = _("∂y/∂x = 1 where x > 0, else the slope")
    gradients = {"x": _("dy where x > 0, else slope · dy")}

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def forward(self, x: Value) -> Value:
        return np.where(x > 0, x, self.slope * x)

    decompose = forward

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return np.where(x > 0, dy, self.slope * dy)


class ELU(Node):
    """A ReLU that goes on below 0, to -alpha.

    Source: Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by
    exponential linear units", 2016.
    """

    symbol = "ELU"
    elementwise = True
    formula = _("y = x where x > 0, else alpha · (e^x - 1)")
    why = _("∂y/∂x = 1 where x > 0, else alpha eˣ")
    gradients = {"x": _("dy where x > 0, else dy · alpha · e^x")}

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Value) -> Value:
        return np.where(x > 0, x, self.alpha * _exp_less_one(np.minimum(x, 0)))

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return np.where(x > 0, dy, dy * (self.alpha * np.exp(np.minimum(x, 0))))

    def decompose(self, x: Value) -> Value:
        """A choice between x and alpha · (eˣ - 1)."""
        return np.where(x > 0, x, self.alpha * (np.exp(x) - 1))


class SELU(Node):
    """An ELU of fixed slopes, c = 1.0507 and a = 1.6733.

    The numbers are such that layers with weights of variance 1/inputs keep mean 0 and variance 1.
    Source: Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", 2017.
    """

    symbol = "SELU"
    elementwise = True

    c = 1.0507009873554805
    a = 1.6732632423543772
    formula = _("y = c · x where x > 0, else c · a · (e^x - 1)")
    why = _("∂y/∂x = c where x > 0, else c a eˣ")
    gradients = {"x": _("dy · c where x > 0, else dy · c · a · e^x")}

    def forward(self, x: Value) -> Value:
        return np.where(x > 0, self.c * x, self.c * self.a * _exp_less_one(np.minimum(x, 0)))

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        below = self.c * self.a * np.exp(np.minimum(x, 0))
        return np.where(x > 0, dy * self.c, dy * below)

    def decompose(self, x: Value) -> Value:
        """A choice between c · x and c · a · (eˣ - 1)."""
        return np.where(x > 0, self.c * x, self.c * self.a * (np.exp(x) - 1))


class SiLU(Node):
    """x times its sigmoid; Swish is another name.

    Source: Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units", 2018.
    """

    symbol = "SiLU"
    elementwise = True
    formula = "y = x / (1 + e^-x)"
    why = _("By the product rule, with σ(x) = 1 / (1 + e⁻ˣ)")
    gradients = {"x": "dy · σ(x) · (1 + x · (1 - σ(x)))"}

    def forward(self, x: Value) -> Value:
        return x * _sigmoid(x)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        gate = _sigmoid(x)
        return dy * (gate * (1 + x * _sigmoid(-x)))

    def decompose(self, x: Value) -> Value:
        """x / (1 + e⁻ˣ)."""
        return x / (1 + np.exp(-x))


class Mish(Node):
    """x times a gate: smooth, and a little below 0 for some x below 0.

    Source: Misra, "Mish: a self regularized non-monotonic activation function", 2020.
    """

    symbol = "Mish"
    elementwise = True
    formula = "y = x · tanh(log(1 + e^x))"
    why = _("By the product rule, with u = log(1 + eˣ), whose slope is σ(x)")
    gradients = {"x": "dy · (tanh(u) + x · (1 - tanh(u)^2) · σ(x)), u = log(1 + e^x)"}

    def forward(self, x: Value) -> Value:
        return x * np.tanh(_softplus(x))

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        gate = np.tanh(_softplus(x))
        return dy * (gate + x * (1 - gate * gate) * _sigmoid(x))

    def decompose(self, x: Value) -> Value:
        """x · tanh(log(1 + eˣ))."""
        return x * np.tanh(np.log(1 + np.exp(x)))


class GELU(Node):
    """x times a smooth gate, c = √(2/π), a = 0.044715.

    Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016 (the tanh form).
    """

    symbol = "GELU"
    elementwise = True
    holomorphic = False

    c = math.sqrt(2 / math.pi)
    a = 0.044715
    formula = "y = x / 2 · (1 + tanh(c · (x + a · x^3)))"
    why = _("By the product rule, with u = c (x + a x³) in the gate")
    gradients = {
        "x": "dy · ((1 + tanh(u)) / 2 + x / 2 · (1 - tanh(u)^2) · c · (1 + 3 · a · x^2)),"
        " u = c · (x + a · x^3)"
    }

    def forward(self, x: Value) -> Value:
        return 0.5 * x * (1 + np.tanh(self.c * (x + self.a * (x * x * x))))

    decompose = forward

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        x = np.minimum(np.maximum(x, -30), 30)  # beyond, the gate is 0 or 1 and x² could overflow
        gate = np.tanh(self.c * (x + self.a * (x * x * x)))
        slope = self.c * (1 + 3 * self.a * (x * x))
        return dy * (0.5 * (1 + gate) + 0.5 * x * (1 - gate * gate) * slope)


class Softplus(Node):
    """A smooth ReLU, without overflow."""

    symbol = "softplus"
    elementwise = True
    holomorphic = False
    formula = "y = log(1 + e^x)"
    how = _("computed as max(x, 0) + log(1 + e^(-|x|)), which cannot overflow")
    why = _("∂y/∂x = eˣ / (1 + eˣ), the sigmoid of x")
    gradients = {"x": "dy / (1 + e^-x)"}

    def forward(self, x: Value) -> Value:
        return _softplus(x)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return dy * _sigmoid(x)

    def decompose(self, x: Value) -> Value:
        """log(1 + eˣ)."""
        return np.log(1 + np.exp(x))


class Softmax(Node):
    """Probabilities of scores along an axis; a logit of -∞ gets the probability 0."""

    symbol = "softmax"
    holomorphic = False
    formula = "y = e^x / Σ e^x"
    how = _("shifted by the largest logit, so that no exponential overflows")
    why = "∂yⱼ/∂xₖ = yⱼ (δⱼₖ - yₖ)"
    gradients = {"x": "y · (dy - Σ dy · y)"}

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Value) -> Value:
        e = np.exp(x - np.max(x, axis=self.axis, keepdims=True))
        return e / np.sum(e, axis=self.axis, keepdims=True)

    def backward(self, dy: Value) -> Value:
        y = self.out
        return y * (dy - np.sum(dy * y, axis=self.axis, keepdims=True))

    def decompose(self, x: Value) -> Value:
        """eˣ / Σ eˣ."""
        e = np.exp(x)
        return e / np.sum(e, axis=self.axis, keepdims=True)


class LogSumExp(Node):
    """The logarithm of the sum of the exponentials along an axis, without overflow."""

    symbol = "lse"
    holomorphic = False
    formula = "y = log Σ e^x"
    how = _("computed as m + log Σ e^(x - m) with m the largest logit")
    why = _("∂y/∂xₖ = e^(xₖ) / Σⱼ e^(xⱼ), and 0 where every logit is -∞")
    gradients = {"x": "dy · softmax(x)"}

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
        m, _, total = self.parts(x)
        y = m + np.log(total)
        return y if self.keepdims else np.squeeze(y, axis=self.axis)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        _, e, total = self.parts(x)
        if not self.keepdims:
            dy = np.expand_dims(dy, self.axis)
        return dy * (e / np.where(total == 0, 1, total))

    def decompose(self, x: Value) -> Value:
        """Log Σ eˣ."""
        return np.log(np.sum(np.exp(x), axis=self.axis, keepdims=self.keepdims))
