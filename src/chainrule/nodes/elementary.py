"""Exponentials, logarithms and roots, element by element."""

from __future__ import annotations

import math

import numpy as np

from chainrule.nodes.base import Node, Value, called

__all__ = ["Cbrt", "Erf", "Exp", "Exp2", "Expm1", "Log", "Log1p", "Log2", "Log10", "Sqrt"]


@called(lambda x: np.zeros(x.shape, x.dtype if x.dtype.kind == "f" else float))
def erf(x: Value) -> Value:
    """The error function of every element, by `math.erf`.

    >>> erf(np.array([0.0, 1.0]))
    array([0.        , 0.84270079])
    """
    x = np.asarray(x)
    values = np.fromiter(map(math.erf, x.ravel().tolist()), float, x.size).reshape(x.shape)
    return values.astype(x.dtype) if x.dtype.kind == "f" else values


class Exp(Node):
    """The exponential function."""

    symbol = "exp"
    elementwise = True
    formula = "y = e^x"
    why = "∂y/∂x = eˣ = y"
    gradients = {"x": "dy · y"}

    def forward(self, x: Value) -> Value:
        return np.exp(x)

    def backward(self, dy: Value) -> Value:
        return dy * self.out


class Log(Node):
    """The logarithm to the base e. A zero gradient stays zero, also at x = 0."""

    symbol = "log"
    elementwise = True
    formula = "y = log(x)"
    why = "∂y/∂x = 1/x"
    gradients = {"x": "dy / x"}

    def forward(self, x: Value) -> Value:
        return np.log(x)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return np.where((dy == 0) & (x == 0), 0, dy / x)


class Log1p(Node):
    """The logarithm of 1 + x, exact for small x. A zero gradient stays zero, also at x = -1."""

    symbol = "log1p"
    elementwise = True
    formula = "y = log(1 + x)"
    why = "∂y/∂x = 1/(1 + x)"
    gradients = {"x": "dy / (1 + x)"}

    def forward(self, x: Value) -> Value:
        return np.log1p(x)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return np.where((dy == 0) & (x == -1), 0, dy / (1 + x))

    def decompose(self, x: Value) -> Value:
        """Log(1 + x)."""
        return np.log(1 + x)


class Sqrt(Node):
    """The square root. At x = 0, where the slope is infinite, the gradient is taken as 0.

    So the length √(Σ x²) of a zero vector has the gradient 0 and not NaN.
    """

    symbol = "√"
    elementwise = True
    formula = "y = √x"
    why = "∂y/∂x = 1/(2√x) = 1/(2y)"
    gradients = {"x": "dy / (2 · y)"}

    def forward(self, x: Value) -> Value:
        return np.sqrt(x)

    def backward(self, dy: Value) -> Value:
        y = self.out
        return np.where(y == 0, 0, dy / (2 * y))


class Exp2(Node):
    """Powers of 2."""

    symbol = "exp2"
    elementwise = True
    formula = "y = 2^x"
    why = "∂y/∂x = y · log 2"
    gradients = {"x": "dy · y · log(2)"}

    def forward(self, x: Value) -> Value:
        return np.exp2(x)

    def backward(self, dy: Value) -> Value:
        return dy * self.out * math.log(2)


class Expm1(Node):
    """The exponential less 1, exact for small x."""

    symbol = "expm1"
    elementwise = True
    formula = "y = e^x - 1"
    why = "∂y/∂x = eˣ = y + 1"
    gradients = {"x": "dy · (y + 1)"}

    def forward(self, x: Value) -> Value:
        return np.expm1(x)

    def backward(self, dy: Value) -> Value:
        return dy * (self.out + 1)

    def decompose(self, x: Value) -> Value:
        """e^x - 1."""
        return np.exp(x) - 1


class Log2(Node):
    """The logarithm to the base 2. A zero gradient stays zero, also at x = 0."""

    symbol = "log₂"
    elementwise = True
    formula = "y = log₂(x)"
    why = "∂y/∂x = 1/(x · log 2)"
    gradients = {"x": "dy / (x · log(2))"}

    def forward(self, x: Value) -> Value:
        return np.log2(x)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return np.where((dy == 0) & (x == 0), 0, dy / (x * math.log(2)))


class Log10(Node):
    """The logarithm to the base 10. A zero gradient stays zero, also at x = 0."""

    symbol = "log₁₀"
    elementwise = True
    formula = "y = log₁₀(x)"
    why = "∂y/∂x = 1/(x · log 10)"
    gradients = {"x": "dy / (x · log(10))"}

    def forward(self, x: Value) -> Value:
        return np.log10(x)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return np.where((dy == 0) & (x == 0), 0, dy / (x * math.log(10)))


class Cbrt(Node):
    """The cube root, also of negative x. At x = 0, of infinite slope, the gradient is taken as 0."""

    symbol = "cbrt"
    elementwise = True
    holomorphic = False
    formula = "y = ∛x"
    why = "∂y/∂x = 1/(3y²)"
    gradients = {"x": "dy / (3 · y²)"}

    def forward(self, x: Value) -> Value:
        if x.dtype.kind == "c":  # a complex step beside a real number, of either sign
            sign = np.where(x.real < 0, -1.0, 1.0)
            return sign * (sign * x) ** (1 / 3)
        return np.cbrt(x)

    def backward(self, dy: Value) -> Value:
        y = self.out
        return np.where(y == 0, 0, dy / (3 * y * y))


class Erf(Node):
    """2/√π ∫₀ˣ e^(-t²) dt: the share of a normal distribution within ±√2 x standard deviations of its mean.

    Python computes it element by element, so it is slow. The exact GELU is x/2 · (1 + erf(x/√2)).
    """

    symbol = "erf"
    elementwise = True
    analytic = False
    holomorphic = False
    formula = "y = erf(x)"
    why = "∂y/∂x = 2/√π · e^(-x²)"
    gradients = {"x": "dy · 2/√π · e^(-x²)"}

    def forward(self, x: Value) -> Value:
        return erf(x)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return dy * (2 / math.sqrt(math.pi) * np.exp(-x * x))
