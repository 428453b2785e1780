"""Add, Sub, Mul, Div, Neg, Pow, Abs, Sign: arithmetic, element by element."""

from __future__ import annotations

import numpy as np

from chainrule.nodes.base import Node, Value

__all__ = ["Abs", "Add", "Div", "Mul", "Neg", "Pow", "Sign", "Sub"]


class Add(Node):
    """z = x + y (chapter, figure 1-18). Both inputs and the output have one shape."""

    symbol = "+"
    elementwise = True

    def forward(self, x: Value, y: Value) -> Value:
        """z = x + y."""
        return x + y

    def backward(self, dz: Value) -> tuple[Value, Value]:
        """∂z/∂x = ∂z/∂y = 1, so dx = dz and dy = dz: the gradient passes on to both as it is."""
        return dz, dz


class Sub(Node):
    """z = x - y."""

    symbol = "−"
    elementwise = True

    def forward(self, x: Value, y: Value) -> Value:
        """z = x - y."""
        return x - y

    def backward(self, dz: Value) -> tuple[Value, Value]:
        """∂z/∂x = 1 and ∂z/∂y = -1, so dx = dz and dy = -dz."""
        return dz, -dz


class Mul(Node):
    """z = x · y, element by element (chapter, figure 1-19)."""

    symbol = "×"
    elementwise = True

    def forward(self, x: Value, y: Value) -> Value:
        """z = x · y."""
        return x * y

    def backward(self, dz: Value) -> tuple[Value, Value]:
        """∂z/∂x = y and ∂z/∂y = x, so dx = dz · y and dy = dz · x: the inputs change places."""
        x, y = self.inputs
        return dz * y if self.asks(0) else None, dz * x if self.asks(1) else None


class Div(Node):
    """z = x / y. A zero gradient stays zero, also where y = 0."""

    symbol = "÷"
    elementwise = True

    def forward(self, x: Value, y: Value) -> Value:
        """z = x / y."""
        return x / y

    def backward(self, dz: Value) -> tuple[Value, Value]:
        """∂z/∂x = 1/y and ∂z/∂y = -x/y² = -z/y, so dx = dz / y and dy = -dx · z."""
        _, y = self.inputs
        unasked = (dz == 0) & (y == 0)
        dx = np.where(unasked, 0, dz / y)
        return dx, np.where(unasked, 0, -dx * self.out) if self.asks(1) else None


class Neg(Node):
    """z = -x."""

    symbol = "−"
    elementwise = True

    def forward(self, x: Value) -> Value:
        """z = -x."""
        return -x

    def backward(self, dz: Value) -> Value:
        """∂z/∂x = -1, so dx = -dz."""
        return -dz


class Pow(Node):
    """z = x ** y.

    x ** 0 is the constant 1. The gradient for y is taken as 0 where x <= 0, where z is real
    for single values of y only. A zero gradient stays zero, also where x = 0; any other is infinite
    there for y between 0 and 1, of x ** 0.5 too, where the gradient of sqrt(x) is taken as 0.
    """

    symbol = "**"
    elementwise = True

    def forward(self, x: Value, y: Value) -> Value:
        """z = x ** y."""
        return x**y

    def backward(self, dz: Value) -> tuple[Value, Value]:
        """So dx = dz · y · x ** (y - 1) and dy = dz · z · log(x)."""
        x, y = self.inputs
        slope = y * x ** np.where(y == 0, 1, y - 1)
        dx = np.where((dz == 0) & (x == 0), 0, dz * slope)
        if not self.asks(1):
            return dx, None
        return dx, np.where(x > 0, dz * self.out * np.log(np.where(x > 0, x, 1)), 0)


class Abs(Node):
    """z = |x|; the gradient at 0 is 0."""

    symbol = "|x|"
    elementwise = True
    holomorphic = False

    def forward(self, x: Value) -> Value:
        """z = |x|; written so that it also holds, by its real part, for a complex step."""
        return np.where(x < 0, -x, x)

    def backward(self, dz: Value) -> Value:
        """∂z/∂x = 1 for x > 0, -1 for x < 0, so dx = dz · sign(x); at the kink, 0."""
        (x,) = self.inputs
        return np.where(x > 0, dz, np.where(x < 0, -dz, 0 * dz))


class Sign(Node):
    """z = 1, 0 or -1 as x is above, at or below 0; its gradient is 0 everywhere."""

    symbol = "sgn"
    elementwise = True
    holomorphic = False

    def forward(self, x: Value) -> Value:
        """z = sign(x); in the dtype of x."""
        return np.where(x > 0, 1, np.where(x < 0, -1, 0 * x))

    def backward(self, dz: Value) -> Value:
        """∂z/∂x = 0, so dx = 0."""
        return 0 * dz
