"""Comparisons, Where, Clip, Maximum, Minimum: one value or another, element by element."""

from __future__ import annotations

import numpy as np

from chainrule.lang.messages import _
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
    why = _("A truth value does not move with its inputs: no gradient")

    def backward(self, dz: Value) -> tuple[None, None]:
        return None, None


class Equal(_Comparison):
    """Whether two values are equal."""

    symbol = "="
    formula = "z = (x == y)"

    def forward(self, x: Value, y: Value) -> Value:
        return x == y


class NotEqual(_Comparison):
    """Whether two values differ."""

    symbol = "≠"
    formula = "z = (x != y)"

    def forward(self, x: Value, y: Value) -> Value:
        return x != y


class Less(_Comparison):
    """Whether x is below y."""

    symbol = "<"
    holomorphic = False
    formula = "z = (x < y)"

    def forward(self, x: Value, y: Value) -> Value:
        return x < y


class LessEqual(_Comparison):
    """Whether x is at most y."""

    symbol = "≤"
    holomorphic = False
    formula = "z = (x <= y)"

    def forward(self, x: Value, y: Value) -> Value:
        return x <= y


class Greater(_Comparison):
    """Whether x is above y."""

    symbol = ">"
    holomorphic = False
    formula = "z = (x > y)"

    def forward(self, x: Value, y: Value) -> Value:
        return x > y


class GreaterEqual(_Comparison):
    """Whether x is at least y."""

    symbol = "≥"
    holomorphic = False
    formula = "z = (x >= y)"

    def forward(self, x: Value, y: Value) -> Value:
        return x >= y


class LogicalAnd(_Comparison):
    """Whether both of two are true."""

    symbol = "∧"
    formula = _("z = x and y")

    def forward(self, x: Value, y: Value) -> Value:
        return np.logical_and(x, y)


class LogicalOr(_Comparison):
    """Whether one of two is true, or both."""

    symbol = "∨"
    formula = _("z = x or y")

    def forward(self, x: Value, y: Value) -> Value:
        return np.logical_or(x, y)


class LogicalNot(Node):
    """The other truth value."""

    symbol = "¬"
    elementwise = True
    differentiable = False
    formula = _("z = not x")
    why = _("A truth value does not move with its input: no gradient")

    def forward(self, x: Value) -> Value:
        return np.logical_not(x)

    def backward(self, dz: Value) -> None:
        return


class Where(Node):
    """One value where a condition holds, another elsewhere."""

    symbol = "where"
    elementwise = True
    formula = _("z = x where condition, else y")
    gradients = {"x": _("dz where condition, else 0"), "y": _("0 where condition, else dz")}

    def forward(self, condition: Value, x: Value, y: Value) -> Value:
        return np.where(condition, x, y)

    def backward(self, dz: Value) -> tuple[None, Value, Value]:
        condition = self.inputs[0]
        return None, np.where(condition, dz, 0), np.where(condition, 0, dz)


class Clip(Node):
    """Values held between two limits; the gradient is 1 inside and at both ends, else 0."""

    symbol = "clip"
    elementwise = True
    holomorphic = False
    formula = _("y = x held between low and high")
    why = _("∂y/∂x = 1 inside, else 0")
    gradients = {"x": _("dy where low <= x <= high, else 0")}

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        self.low, self.high = low, high

    def forward(self, x: Value) -> Value:
        if self.low is not None:
            x = np.maximum(x, self.low)
        return x if self.high is None else np.minimum(x, self.high)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        if self.low is not None:
            dy = np.where(x >= self.low, dy, 0)
        return dy if self.high is None else np.where(x <= self.high, dy, 0)


class Maximum(Node):
    """The larger of two values; where they are equal, each gets half of the gradient."""

    symbol = "max"
    elementwise = True
    holomorphic = False
    formula = "z = max(x, y)"
    gradients = {
        "x": _("dz where x > y, dz / 2 where x = y, else 0"),
        "y": _("dz where x < y, dz / 2 where x = y, else 0"),
    }

    def forward(self, x: Value, y: Value) -> Value:
        return np.maximum(x, y)

    def backward(self, dz: Value) -> tuple[Value, Value]:
        x, y = self.inputs
        half = np.where(x == y, 0.5 * dz, 0)
        return np.where(x > y, dz, half), np.where(x < y, dz, half)


class Minimum(Node):
    """The smaller of two values; where they are equal, each gets half of the gradient."""

    symbol = "min"
    elementwise = True
    holomorphic = False
    formula = "z = min(x, y)"
    gradients = {
        "x": _("dz where x < y, dz / 2 where x = y, else 0"),
        "y": _("dz where x > y, dz / 2 where x = y, else 0"),
    }

    def forward(self, x: Value, y: Value) -> Value:
        return np.minimum(x, y)

    def backward(self, dz: Value) -> tuple[Value, Value]:
        x, y = self.inputs
        half = np.where(x == y, 0.5 * dz, 0)
        return np.where(x < y, dz, half), np.where(x > y, dz, half)
