"""Sines and their kin, and the hyperbolic ones, element by element; angles are in radians."""

from __future__ import annotations

import numpy as np

from chainrule.nodes.base import Node, Value

__all__ = [
    "Arccos",
    "Arccosh",
    "Arcsin",
    "Arcsinh",
    "Arctan",
    "Arctan2",
    "Arctanh",
    "Cos",
    "Cosh",
    "Sin",
    "Sinh",
    "Tan",
]


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


class Tan(Node):
    """y = tan x, x in radians."""

    symbol = "tan"
    elementwise = True

    def forward(self, x: Value) -> Value:
        """y = tan(x)."""
        return np.tan(x)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = 1 + y², so dx = dy · (1 + y²)."""
        return dy * (1 + self.out * self.out)


class Arcsin(Node):
    """y = the angle whose sine is x, from -π/2 to π/2."""

    symbol = "arcsin"
    elementwise = True

    def forward(self, x: Value) -> Value:
        """y = arcsin(x)."""
        return np.arcsin(x)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = 1/√(1 - x²), so dx = dy / √(1 - x²)."""
        (x,) = self.inputs
        return dy / np.sqrt((1 - x) * (1 + x))


class Arccos(Node):
    """y = the angle whose cosine is x, from 0 to π."""

    symbol = "arccos"
    elementwise = True

    def forward(self, x: Value) -> Value:
        """y = arccos(x)."""
        return np.arccos(x)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = -1/√(1 - x²), so dx = -dy / √(1 - x²)."""
        (x,) = self.inputs
        return -dy / np.sqrt((1 - x) * (1 + x))


class Arctan(Node):
    """y = the angle whose tangent is x, from -π/2 to π/2."""

    symbol = "arctan"
    elementwise = True

    def forward(self, x: Value) -> Value:
        """y = arctan(x)."""
        return np.arctan(x)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = 1/(1 + x²), so dx = dy / (1 + x²)."""
        (x,) = self.inputs
        return dy / (1 + x * x)


class Arctan2(Node):
    """z = the angle of the point (y, x) from the x axis, from -π to π; arguments in NumPy's order.

    A zero gradient stays zero, also at the origin, where there is no angle.
    """

    symbol = "arctan2"
    elementwise = True
    holomorphic = False

    def forward(self, x: Value, y: Value) -> Value:
        """z = arctan2(x, y)."""
        if x.dtype.kind == "c" or y.dtype.kind == "c":  # complex steps: the angle that they add
            a, b = x.real, y.real
            return np.arctan2(a, b) + np.arctan((x * b - y * a) / (y * b + x * a))
        return np.arctan2(x, y)

    def backward(self, dz: Value) -> tuple[Value, Value]:
        """∂z/∂x = y/(x² + y²) and ∂z/∂y = -x/(x² + y²), so dx = dz · y / (x² + y²) and
        dy = -dz · x / (x² + y²).
        """
        x, y = self.inputs
        r = x * x + y * y
        share = np.where((dz == 0) & (r == 0), 0, dz / r)
        return share * y, -share * x


class Sinh(Node):
    """y = (eˣ - e⁻ˣ) / 2."""

    symbol = "sinh"
    elementwise = True

    def forward(self, x: Value) -> Value:
        """y = sinh(x)."""
        return np.sinh(x)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = cosh x, so dx = dy · cosh(x)."""
        (x,) = self.inputs
        return dy * np.cosh(x)


class Cosh(Node):
    """y = (eˣ + e⁻ˣ) / 2."""

    symbol = "cosh"
    elementwise = True

    def forward(self, x: Value) -> Value:
        """y = cosh(x)."""
        return np.cosh(x)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = sinh x, so dx = dy · sinh(x)."""
        (x,) = self.inputs
        return dy * np.sinh(x)


class Arcsinh(Node):
    """y = the number whose sinh is x: log(x + √(x² + 1))."""

    symbol = "arcsinh"
    elementwise = True

    def forward(self, x: Value) -> Value:
        """y = arcsinh(x)."""
        return np.arcsinh(x)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = 1/√(x² + 1), so dx = dy / √(x² + 1)."""
        (x,) = self.inputs
        return dy / np.sqrt(x * x + 1)


class Arccosh(Node):
    """y = the number, at least 0, whose cosh is x: log(x + √(x² - 1))."""

    symbol = "arccosh"
    elementwise = True

    def forward(self, x: Value) -> Value:
        """y = arccosh(x)."""
        return np.arccosh(x)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = 1/√(x² - 1), so dx = dy / √(x² - 1)."""
        (x,) = self.inputs
        return dy / np.sqrt((x - 1) * (x + 1))


class Arctanh(Node):
    """y = the number whose tanh is x: log((1 + x) / (1 - x)) / 2."""

    symbol = "arctanh"
    elementwise = True

    def forward(self, x: Value) -> Value:
        """y = arctanh(x)."""
        return np.arctanh(x)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = 1/(1 - x²), so dx = dy / (1 - x²)."""
        (x,) = self.inputs
        return dy / ((1 - x) * (1 + x))
