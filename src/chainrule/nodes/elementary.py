"""Exp, Log, Log1p, Sqrt, Sin, Cos: the elementary functions, element by element."""

from __future__ import annotations

import numpy as np

from chainrule.nodes.base import Node, Value

__all__ = ["Cos", "Exp", "Log", "Log1p", "Sin", "Sqrt"]


class Exp(Node):
    """y = eˣ."""

    symbol = "exp"
    elementwise = True

    def forward(self, x: Value) -> Value:
        """y = e^x."""
        return np.exp(x)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = eˣ = y, so dx = dy · y."""
        return dy * self.out


class Log(Node):
    """y = log x, to the base e. A zero gradient stays zero, also at x = 0."""

    symbol = "log"
    elementwise = True

    def forward(self, x: Value) -> Value:
        """y = log(x)."""
        return np.log(x)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = 1/x, so dx = dy / x."""
        (x,) = self.inputs
        return np.where((dy == 0) & (x == 0), 0, dy / x)


class Log1p(Node):
    """y = log(1 + x), exact for small x. A zero gradient stays zero, also at x = -1."""

    symbol = "log1p"
    elementwise = True

    def forward(self, x: Value) -> Value:
        """y = log(1 + x)."""
        return np.log1p(x)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = 1/(1 + x), so dx = dy / (1 + x)."""
        (x,) = self.inputs
        return np.where((dy == 0) & (x == -1), 0, dy / (1 + x))

    def elementary(self, x: Value) -> Value:
        """Log(1 + x)."""
        return np.log(1 + x)


class Sqrt(Node):
    """y = √x. At x = 0, where the slope is infinite, the gradient is taken as 0.

    So the length √(Σ x²) of a zero vector has the gradient 0 and not NaN.
    """

    symbol = "√"
    elementwise = True

    def forward(self, x: Value) -> Value:
        """y = √x."""
        return np.sqrt(x)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = 1/(2√x) = 1/(2y), so dx = dy / (2 · y)."""
        y = self.out
        return np.where(y == 0, 0, dy / (2 * y))


class Sin(Node):
    """y = sin x, x in radians."""

    symbol = "sin"
    elementwise = True

    def forward(self, x: Value) -> Value:
        """y = sin(x)."""
        return np.sin(x)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = cos x, so dx = dy · cos(x)."""
        (x,) = self.inputs
        return dy * np.cos(x)


class Cos(Node):
    """y = cos x, x in radians."""

    symbol = "cos"
    elementwise = True

    def forward(self, x: Value) -> Value:
        """y = cos(x)."""
        return np.cos(x)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = -sin x, so dx = -dy · sin(x)."""
        (x,) = self.inputs
        return -dy * np.sin(x)
