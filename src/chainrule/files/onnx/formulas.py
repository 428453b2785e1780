"""What ONNX has no operator for, as a formula of what it has, without losing digits.

The graph is lowered with these rules, so that the primitives that are left have an operator each.
"""

from __future__ import annotations

import math

import numpy as np

from chainrule.engine.primitives import Function
from chainrule.engine.rules import TEXT_FUNCTIONS
from chainrule.engine.trace import Trace, Traced
from chainrule.nodes.base import Value

__all__ = ["ONNX_FUNCTIONS"]


def _size(x: Value) -> Value:
    return np.maximum(x, -x)


def _expm1(x: Value) -> Value:
    """2h / (1 - h) with h = tanh(x/2) near 0, where e^x - 1 would cancel."""
    h = np.tanh(x * 0.5)
    return np.where(_size(x) < 1, (h + h) / (1 - h), np.exp(x) - 1)


def _log1p(x: Value) -> Value:
    """log(u) · x / (u - 1) with u = 1 + x, which makes good for what u lost of x; x where u is 1.

    Where x is so large that the 1 is lost, or infinite, it is log(u).
    """
    u = 1 + x
    log = np.log(u)
    near = np.where(u == 1, x, log * (x / (u - 1)))
    return np.where(u == x, log, near)


def _cbrt(x: Value) -> Value:
    """In float64, since 1/3 is no number of float32."""
    wide = x.astype(np.float64)
    root = _size(wide) ** (1 / 3)
    return np.where(wide < 0, -root, root).astype(x.dtype)


def _arctan2(y: Value, x: Value) -> Value:
    """The angle of (|y|, |x|), from which those of the other quarters follow."""
    origin = np.logical_and(y == 0, x == 0)
    angle = np.where(origin, 0, np.arctan(_size(y) / _size(x)))
    angle = np.where(x < 0, math.pi - angle, angle)
    return np.where(y < 0, -angle, angle)


def _remainder(x: Value, y: Value) -> Value:
    """The remainder with the sign of y; that of fmod has the sign of x."""
    r = np.fmod(x, y)
    return np.where(r * y < 0, r + y, r)


def _trunc(x: Value) -> Value:
    return np.where(x < 0, np.ceil(x), np.floor(x))


def _exp2(x: Value) -> Value:
    return 2.0**x


def _log2(x: Value) -> Value:
    return np.log(x) * (1 / math.log(2))


def _log10(x: Value) -> Value:
    return np.log(x) * (1 / math.log(10))


def _isfinite(x: Value) -> Value:
    return _size(x) < math.inf


def _not_equal(x: Value, y: Value) -> Value:
    return np.logical_not(x == y)


def _cumsum(trace: Trace, x: Traced, axis: int) -> Traced:
    """A running sum, which ONNX has; to the engines it is a product with a triangle of ones."""
    return trace.call(np.cumsum, x, axis=axis % x.ndim)


_FORMULAS: dict[Function, Function] = {
    np.arctan2: _arctan2,
    np.cbrt: _cbrt,
    np.exp2: _exp2,
    np.expm1: _expm1,
    np.isfinite: _isfinite,
    np.log10: _log10,
    np.log1p: _log1p,
    np.log2: _log2,
    np.not_equal: _not_equal,
    np.remainder: _remainder,
    np.trunc: _trunc,
}

#: The rules by which a graph is lowered for ONNX.
ONNX_FUNCTIONS: dict[Function, Function] = {
    **TEXT_FUNCTIONS,
    **_FORMULAS,
    np.cumsum: _cumsum,
}
