"""Floor, Ceil, Trunc, Rint, Mod: to whole numbers, and what is left, element by element."""

from __future__ import annotations

import numpy as np

from chainrule.nodes.base import Node, Value

__all__ = ["Ceil", "Floor", "Mod", "Rint", "Trunc"]


class _Rounding(Node):
    """A step function: constant wherever it has a derivative, so no gradient flows through it."""

    elementwise = True
    differentiable = False
    holomorphic = False

    def backward(self, dy: Value) -> None:
        """A step does not move with its input: no gradient."""
        return


def _real(x: Value) -> Value:
    """x without the imaginary part of a complex step, which does not move a whole number."""
    return x.real if x.dtype.kind == "c" else x


class Floor(_Rounding):
    """y = the largest whole number that is not above x."""

    symbol = "floor"

    def forward(self, x: Value) -> Value:
        """y = ⌊x⌋."""
        return np.floor(_real(x))


class Ceil(_Rounding):
    """y = the smallest whole number that is not below x."""

    symbol = "ceil"

    def forward(self, x: Value) -> Value:
        """y = ⌈x⌉."""
        return np.ceil(_real(x))


class Trunc(_Rounding):
    """y = the whole part of x, towards 0."""

    symbol = "trunc"

    def forward(self, x: Value) -> Value:
        """y = trunc(x)."""
        return np.trunc(_real(x))


class Rint(_Rounding):
    """y = the nearest whole number; of two equally near ones, the even one."""

    symbol = "round"

    def forward(self, x: Value) -> Value:
        """y = round(x)."""
        return np.rint(_real(x))


class Mod(Node):
    """z = x - y · ⌊x / y⌋: what is left of x after whole steps of y; it has the sign of y."""

    symbol = "mod"
    elementwise = True
    holomorphic = False

    def forward(self, x: Value, y: Value) -> Value:
        """z = x mod y."""
        if x.dtype.kind == "c" or y.dtype.kind == "c":  # complex steps do not move the whole steps
            return x - y * np.floor(x.real / y.real)
        return np.remainder(x, y)

    def backward(self, dz: Value) -> tuple[Value, Value]:
        """Between the jumps the number of steps stays, so dx = dz and dy = -dz · ⌊x / y⌋."""
        x, y = self.inputs
        return dz, -dz * np.rint((x - self.out) / y)
