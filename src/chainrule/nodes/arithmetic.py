"""Add, Sub, Mul, Div, Neg, Pow, Abs, Sign: arithmetic, element by element."""

from __future__ import annotations

import numpy as np

from chainrule.lang.messages import _
from chainrule.nodes.base import Node, Value

__all__ = ["Abs", "Add", "Div", "Mul", "Neg", "Pow", "Sign", "Sub"]


class Add(Node):
    """The sum of two values of one shape, element by element (chapter, figure 1-18)."""

    symbol = "+"
    elementwise = True
    formula = "z = x + y"
    why = _("∂z/∂x = ∂z/∂y = 1: the gradient passes on to both as it is")
    gradients = {"x": "dz", "y": "dz"}

    def forward(self, x: Value, y: Value) -> Value:
        return x + y

    def backward(self, dz: Value) -> tuple[Value, Value]:
        return dz, dz


class Sub(Node):
    """The difference, element by element."""

    symbol = "−"
    elementwise = True
    formula = "z = x - y"
    why = _("∂z/∂x = 1 and ∂z/∂y = -1")
    gradients = {"x": "dz", "y": "-dz"}

    def forward(self, x: Value, y: Value) -> Value:
        return x - y

    def backward(self, dz: Value) -> tuple[Value, Value]:
        return dz, -dz


class Mul(Node):
    """The product, element by element (chapter, figure 1-19)."""

    symbol = "×"
    elementwise = True
    formula = "z = x · y"
    why = _("∂z/∂x = y and ∂z/∂y = x: the inputs change places")
    gradients = {"x": "dz · y", "y": "dz · x"}

    def forward(self, x: Value, y: Value) -> Value:
        return x * y

    def backward(self, dz: Value) -> tuple[Value, Value]:
        x, y = self.inputs
        return dz * y if self.asks(0) else None, dz * x if self.asks(1) else None


class Div(Node):
    """The quotient, element by element. A zero gradient stays zero, also where y = 0."""

    symbol = "÷"
    elementwise = True
    formula = "z = x / y"
    why = _("∂z/∂x = 1/y and ∂z/∂y = -x/y² = -z/y")
    gradients = {"x": "dz / y", "y": "-dx · z"}

    def forward(self, x: Value, y: Value) -> Value:
        return x / y

    def backward(self, dz: Value) -> tuple[Value, Value]:
        _, y = self.inputs
        zero = (dz == 0) & (y == 0)
        dx = np.where(zero, 0, dz / y)
        return dx, np.where(zero, 0, -dx * self.out) if self.asks(1) else None


class Neg(Node):
    """The other sign."""

    symbol = "−"
    elementwise = True
    formula = "z = -x"
    why = "∂z/∂x = -1"
    gradients = {"x": "-dz"}

    def forward(self, x: Value) -> Value:
        return -x

    def backward(self, dz: Value) -> Value:
        return -dz


class Pow(Node):
    """A power, element by element.

    x ** 0 is the constant 1. The gradient for y is taken as 0 where x <= 0, where z is real
    for single values of y only. A zero gradient stays zero, also where x = 0; any other is infinite
    there for y between 0 and 1, of x ** 0.5 too, where the gradient of sqrt(x) is taken as 0.
    """

    symbol = "**"
    elementwise = True
    formula = "z = x ** y"
    gradients = {"x": "dz · y · x ** (y - 1)", "y": "dz · z · log(x)"}

    def forward(self, x: Value, y: Value) -> Value:
        return x**y

    def backward(self, dz: Value) -> tuple[Value, Value]:
        x, y = self.inputs
        slope = y * x ** np.where(y == 0, 1, y - 1)
        dx = np.where((dz == 0) & (x == 0), 0, dz * slope)
        if not self.asks(1):
            return dx, None
        return dx, np.where(x > 0, dz * self.out * np.log(np.where(x > 0, x, 1)), 0)


class Abs(Node):
    """The absolute value; the gradient at 0 is 0."""

    symbol = "|x|"
    elementwise = True
    holomorphic = False
    formula = "z = |x|"
    how = _("written so that it also holds, by its real part, for a complex step")
    why = _("∂z/∂x = 1 for x > 0, -1 for x < 0, and at the kink 0")
    gradients = {"x": "dz · sign(x)"}

    def forward(self, x: Value) -> Value:
        return np.where(x < 0, -x, x)

    def backward(self, dz: Value) -> Value:
        (x,) = self.inputs
        return np.where(x > 0, dz, np.where(x < 0, -dz, 0 * dz))


class Sign(Node):
    """1, 0 or -1 as x is above, at or below 0; the gradient is 0 everywhere."""

    symbol = "sgn"
    elementwise = True
    holomorphic = False
    formula = "z = sign(x)"
    how = _("in the dtype of x")
    why = "∂z/∂x = 0"
    gradients = {"x": "0"}

    def forward(self, x: Value) -> Value:
        return np.where(x > 0, 1, np.where(x < 0, -1, 0 * x))

    def backward(self, dz: Value) -> Value:
        return 0 * dz
