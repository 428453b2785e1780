"""Comparisons, Where, Clip, Maximum, Minimum: one value or another, element by element."""

from __future__ import annotations

import numpy as np

from chainrule.nodes.base import Node, Value

__all__ = [
    "Clip",
    "Equal",
    "Greater",
    "GreaterEqual",
    "Less",
    "LessEqual",
    "LogicalAnd",
    "LogicalNot",
    "LogicalOr",
    "Maximum",
    "Minimum",
    "NotEqual",
    "Where",
]


class _Comparison(Node):
    """True or False for each element; no gradient flows back through a decision."""

    elementwise = True
    differentiable = False

    def backward(self, dz: Value) -> tuple[None, None]:
        """A truth value does not move with its inputs: no gradient."""
        return None, None


class Equal(_Comparison):
    """z = (x == y)."""

    symbol = "="

    def forward(self, x: Value, y: Value) -> Value:
        """z = (x == y)."""
        return x == y


class NotEqual(_Comparison):
    """z = (x != y)."""

    symbol = "≠"

    def forward(self, x: Value, y: Value) -> Value:
        """z = (x != y)."""
        return x != y


class Less(_Comparison):
    """z = (x < y)."""

    symbol = "<"
    holomorphic = False

    def forward(self, x: Value, y: Value) -> Value:
        """z = (x < y)."""
        return x < y


class LessEqual(_Comparison):
    """z = (x <= y)."""

    symbol = "≤"
    holomorphic = False

    def forward(self, x: Value, y: Value) -> Value:
        """z = (x <= y)."""
        return x <= y


class Greater(_Comparison):
    """z = (x > y)."""

    symbol = ">"
    holomorphic = False

    def forward(self, x: Value, y: Value) -> Value:
        """z = (x > y)."""
        return x > y


class GreaterEqual(_Comparison):
    """z = (x >= y)."""

    symbol = "≥"
    holomorphic = False

    def forward(self, x: Value, y: Value) -> Value:
        """z = (x >= y)."""
        return x >= y


class LogicalAnd(_Comparison):
    """z = x and y, for truth values."""

    symbol = "∧"

    def forward(self, x: Value, y: Value) -> Value:
        """z = x and y."""
        return np.logical_and(x, y)


class LogicalOr(_Comparison):
    """z = x or y, for truth values."""

    symbol = "∨"

    def forward(self, x: Value, y: Value) -> Value:
        """z = x or y."""
        return np.logical_or(x, y)


class LogicalNot(Node):
    """z = not x, for truth values."""

    symbol = "¬"
    elementwise = True
    differentiable = False

    def forward(self, x: Value) -> Value:
        """z = not x."""
        return np.logical_not(x)

    def backward(self, dz: Value) -> None:
        """A truth value does not move with its input: no gradient."""
        return


class Where(Node):
    """z = x where the condition holds, y elsewhere."""

    symbol = "where"
    elementwise = True

    def forward(self, condition: Value, x: Value, y: Value) -> Value:
        """z = x where condition, else y."""
        return np.where(condition, x, y)

    def backward(self, dz: Value) -> tuple[None, Value, Value]:
        """So dx = dz where condition, else 0 and dy = 0 where condition, else dz."""
        condition = self.inputs[0]
        return None, np.where(condition, dz, 0), np.where(condition, 0, dz)


class Clip(Node):
    """y = x held between low and high; the gradient is 1 inside and at both ends, else 0."""

    symbol = "clip"
    elementwise = True
    holomorphic = False

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        self.low, self.high = low, high

    def forward(self, x: Value) -> Value:
        """y = x held between low and high."""
        if self.low is not None:
            x = np.maximum(x, self.low)
        return x if self.high is None else np.minimum(x, self.high)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = 1 inside, else 0, so dx = dy where low <= x <= high, else 0."""
        (x,) = self.inputs
        if self.low is not None:
            dy = np.where(x >= self.low, dy, 0)
        return dy if self.high is None else np.where(x <= self.high, dy, 0)


class Maximum(Node):
    """z = the larger of x and y; where they are equal, each gets half of the gradient."""

    symbol = "max"
    elementwise = True
    holomorphic = False

    def forward(self, x: Value, y: Value) -> Value:
        """z = max(x, y)."""
        return np.maximum(x, y)

    def backward(self, dz: Value) -> tuple[Value, Value]:
        """So dx = dz where x > y, dz / 2 where x = y, else 0 and
        dy = dz where x < y, dz / 2 where x = y, else 0.
        """
        x, y = self.inputs
        half = np.where(x == y, 0.5 * dz, 0)
        return np.where(x > y, dz, half), np.where(x < y, dz, half)


class Minimum(Node):
    """z = the smaller of x and y; where they are equal, each gets half of the gradient."""

    symbol = "min"
    elementwise = True
    holomorphic = False

    def forward(self, x: Value, y: Value) -> Value:
        """z = min(x, y)."""
        return np.minimum(x, y)

    def backward(self, dz: Value) -> tuple[Value, Value]:
        """So dx = dz where x < y, dz / 2 where x = y, else 0 and
        dy = dz where x > y, dz / 2 where x = y, else 0.
        """
        x, y = self.inputs
        half = np.where(x == y, 0.5 * dz, 0)
        return np.where(x < y, dz, half), np.where(x > y, dz, half)
