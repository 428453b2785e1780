"""Floor, Ceil, Trunc, Rint, Mod: rounding to whole numbers, and the remainder, element by element."""

from __future__ import annotations

import numpy as np

from chainrule.lang.messages import _
from chainrule.nodes.base import Node, Value

__all__ = ["Ceil", "Floor", "Mod", "Rint", "Trunc"]


class _Rounding(Node):
    """A step function: constant wherever it has a derivative, so no gradient flows through it."""

    elementwise = True
    differentiable = False
    holomorphic = False
    why = _("A step does not move with its input: no gradient")

    def backward(self, dy: Value) -> None:
        return


def _real(x: Value) -> Value:
    """x without the imaginary part of a complex step, which does not move a whole number."""
    return x.real if x.dtype.kind == "c" else x


class Floor(_Rounding):
    """The largest whole number that is not above x."""

    symbol = "floor"
    formula = "y = ⌊x⌋"

    def forward(self, x: Value) -> Value:
        return np.floor(_real(x))


class Ceil(_Rounding):
    """The smallest whole number that is not below x."""

    symbol = "ceil"
    formula = "y = ⌈x⌉"

    def forward(self, x: Value) -> Value:
        return np.ceil(_real(x))


class Trunc(_Rounding):
    """The whole part of x, towards 0."""

    symbol = "trunc"
    formula = "y = trunc(x)"

    def forward(self, x: Value) -> Value:
        return np.trunc(_real(x))


class Rint(_Rounding):
    """The nearest whole number; of two equally near ones, the even one."""

    symbol = "round"
    formula = "y = round(x)"

    def forward(self, x: Value) -> Value:
        return np.rint(_real(x))


class Mod(Node):
    """The remainder of x / y, x - y · ⌊x / y⌋; it has the sign of y."""

    symbol = "mod"
    elementwise = True
    holomorphic = False
    formula = "z = x mod y"
    why = _("Between the jumps the number of steps stays")
    gradients = {"x": "dz", "y": "-dz · ⌊x / y⌋"}

    def forward(self, x: Value, y: Value) -> Value:
        if x.dtype.kind == "c" or y.dtype.kind == "c":  # complex steps do not move the whole steps
            return x - y * np.floor(x.real / y.real)
        return np.remainder(x, y)

    def backward(self, dz: Value) -> tuple[Value, Value]:
        x, y = self.inputs
        return dz, -dz * np.rint((x - self.out) / y)
