"""Trigonometric and hyperbolic functions, element by element; angles are in radians."""

from __future__ import annotations

import numpy as np

from chainrule.lang.messages import _
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
    """The sine of x in radians."""

    symbol = "sin"
    elementwise = True
    formula = "y = sin(x)"
    why = "∂y/∂x = cos x"
    gradients = {"x": "dy · cos(x)"}

    def forward(self, x: Value) -> Value:
        return np.sin(x)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return dy * np.cos(x)


class Cos(Node):
    """The cosine of x in radians."""

    symbol = "cos"
    elementwise = True
    formula = "y = cos(x)"
    why = "∂y/∂x = -sin x"
    gradients = {"x": "-dy · sin(x)"}

    def forward(self, x: Value) -> Value:
        return np.cos(x)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return -dy * np.sin(x)


class Tan(Node):
    """The tangent of x in radians."""

    symbol = "tan"
    elementwise = True
    formula = "y = tan(x)"
    why = "∂y/∂x = 1 + y²"
    gradients = {"x": "dy · (1 + y²)"}

    def forward(self, x: Value) -> Value:
        return np.tan(x)

    def backward(self, dy: Value) -> Value:
        return dy * (1 + self.out * self.out)


class Arcsin(Node):
    """The angle whose sine is x, from -π/2 to π/2."""

    symbol = "arcsin"
    elementwise = True
    formula = "y = arcsin(x)"
    why = "∂y/∂x = 1/√(1 - x²)"
    gradients = {"x": "dy / √(1 - x²)"}

    def forward(self, x: Value) -> Value:
        return np.arcsin(x)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return dy / np.sqrt((1 - x) * (1 + x))


class Arccos(Node):
    """The angle whose cosine is x, from 0 to π."""

    symbol = "arccos"
    elementwise = True
    formula = "y = arccos(x)"
    why = "∂y/∂x = -1/√(1 - x²)"
    gradients = {"x": "-dy / √(1 - x²)"}

    def forward(self, x: Value) -> Value:
        return np.arccos(x)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return -dy / np.sqrt((1 - x) * (1 + x))


class Arctan(Node):
    """The angle whose tangent is x, from -π/2 to π/2."""

    symbol = "arctan"
    elementwise = True
    formula = "y = arctan(x)"
    why = "∂y/∂x = 1/(1 + x²)"
    gradients = {"x": "dy / (1 + x²)"}

    def forward(self, x: Value) -> Value:
        return np.arctan(x)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return dy / (1 + x * x)


class Arctan2(Node):
    """The angle of the point (y, x) from the x axis, from -π to π; arguments in NumPy's order.

    A zero gradient stays zero, also at the origin, where there is no angle.
    """

    symbol = "arctan2"
    elementwise = True
    holomorphic = False
    formula = "z = arctan2(x, y)"
    why = _("∂z/∂x = y/(x² + y²) and ∂z/∂y = -x/(x² + y²)")
    gradients = {"x": "dz · y / (x² + y²)", "y": "-dz · x / (x² + y²)"}

    def forward(self, x: Value, y: Value) -> Value:
        if x.dtype.kind == "c" or y.dtype.kind == "c":  # complex steps: the angle that they add
            a, b = x.real, y.real
            return np.arctan2(a, b) + np.arctan((x * b - y * a) / (y * b + x * a))
        return np.arctan2(x, y)

    def backward(self, dz: Value) -> tuple[Value, Value]:
        x, y = self.inputs
        r = x * x + y * y
        share = np.where((dz == 0) & (r == 0), 0, dz / r)
        return share * y, -share * x


class Sinh(Node):
    """The hyperbolic sine, (eˣ - e⁻ˣ) / 2."""

    symbol = "sinh"
    elementwise = True
    formula = "y = sinh(x)"
    why = "∂y/∂x = cosh x"
    gradients = {"x": "dy · cosh(x)"}

    def forward(self, x: Value) -> Value:
        return np.sinh(x)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return dy * np.cosh(x)


class Cosh(Node):
    """The hyperbolic cosine, (eˣ + e⁻ˣ) / 2."""

    symbol = "cosh"
    elementwise = True
    formula = "y = cosh(x)"
    why = "∂y/∂x = sinh x"
    gradients = {"x": "dy · sinh(x)"}

    def forward(self, x: Value) -> Value:
        return np.cosh(x)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return dy * np.sinh(x)


class Arcsinh(Node):
    """The number whose sinh is x: log(x + √(x² + 1))."""

    symbol = "arcsinh"
    elementwise = True
    formula = "y = arcsinh(x)"
    why = "∂y/∂x = 1/√(x² + 1)"
    gradients = {"x": "dy / √(x² + 1)"}

    def forward(self, x: Value) -> Value:
        return np.arcsinh(x)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return dy / np.sqrt(x * x + 1)


class Arccosh(Node):
    """The number, at least 0, whose cosh is x: log(x + √(x² - 1))."""

    symbol = "arccosh"
    elementwise = True
    formula = "y = arccosh(x)"
    why = "∂y/∂x = 1/√(x² - 1)"
    gradients = {"x": "dy / √(x² - 1)"}

    def forward(self, x: Value) -> Value:
        return np.arccosh(x)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return dy / np.sqrt((x - 1) * (x + 1))


class Arctanh(Node):
    """The number whose tanh is x: log((1 + x) / (1 - x)) / 2."""

    symbol = "arctanh"
    elementwise = True
    formula = "y = arctanh(x)"
    why = "∂y/∂x = 1/(1 - x²)"
    gradients = {"x": "dy / (1 - x²)"}

    def forward(self, x: Value) -> Value:
        return np.arctanh(x)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return dy / ((1 - x) * (1 + x))
