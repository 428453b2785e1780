"""sin and cos of one number, in a form that becomes vector instructions.

For float32: x = ±m·2ᵉ with a whole number m below 2²⁴. How many quarter turns that is, m·2ᵉ·2/π, only
matters but for whole turns, four of them: m·(2ᵉ·2/π mod 4). The number in brackets is looked up by e,
to 82 bits in two parts; m times the first, 29 bits, is exact in float64. So numbers of all sizes take
the same way, the largest without loss (Payne and Hanek, Radian reduction for trigonometric functions,
1983). Two short polynomials for half a quarter turn to either side do the rest, fitted as those of
`elementary`.
Errors are below 0.6 units in the last place. For float64 the functions are the C library's.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from chainrule.engine.compiled.elementary import polynomial
from chainrule.engine.compiler.body import Body
from chainrule.engine.compiler.functions import as_written, function_of
from chainrule.engine.compiler.registry import RULES, rule
from chainrule.engine.compiler.tables import looked_up
from chainrule.engine.compiler.values import Number

__all__ = ["cos", "sin"]

Real = TypeVar("Real", np.float32, np.float64)


def sin(x: Real) -> Real:
    """sin x, x in radians, of any size: NaN if it is infinite."""
    y: Real = np.sin(x)
    return y


def cos(x: Real) -> Real:
    """cos x, x in radians, of any size: NaN if it is infinite."""
    y: Real = np.cos(x)
    return y


_BIAS, _MANTISSA_BITS = 127, 23
#: 2/π: 264 bits behind the point, for 2ᵉ·2/π with e up to 104 and 90 bits behind that.
_TWO_OVER_PI = Fraction(
    0xA2F9836E4E441529FC2757D1F534DDC0DB6295993C439041FE5163ABDEBBC561B7, 2**264
)


def _quarters() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """2ᵉ·2/π mod 4 for each exponent as it stands in the bits of a float32: 29 bits, and the rest."""
    high, low = np.full(256, np.nan), np.full(256, np.nan)  # the last is that of infinity and NaN
    for biased in range(255):
        whole = Fraction(2) ** (biased - _BIAS - _MANTISSA_BITS) * _TWO_OVER_PI % 4
        unit = Fraction(2) ** (math.frexp(whole)[1] - 29)
        first = whole // unit * unit
        high[biased], low[biased] = float(first), float(whole - first)
    return high, low


_high, _low = map(looked_up, _quarters())

_bits, _wide_bits, _real, _wide = np.uint32, np.uint64, np.float32, np.float64
_sign, _not_sign = np.uint32(1 << 31), np.uint32((1 << 31) - 1)
_mantissa, _exponent_of_whole = (
    np.uint32((1 << _MANTISSA_BITS) - 1),
    np.uint32(_BIAS + _MANTISSA_BITS << _MANTISSA_BITS),
)
_places, _to_sign = np.uint32(_MANTISSA_BITS), np.uint64(62)
_one_quarter, _two_quarters = np.uint64(1), np.uint64(2)
_one, _half_pi = np.float64(1), np.float64(math.pi / 2)
#: Below, sin x rounds to x.
_small = np.float32(2.0**-12)
#: Added, it rounds to a whole number, which then stands in the lowest bits.
_shifter = np.float64(1.5 * 2.0**52)
#: (sin r - r)/r³ and (cos r - 1)/r² in powers of r², for |r| ≤ π/4; from the last to the first.
_sin_tail = tuple(
    map(
        np.float64,
        (
            2.718084064524643e-06,
            -0.00019839308345676043,
            0.008333329292698623,
            -0.16666666640692826,
        ),
    )
)
_cos_tail = tuple(
    map(
        np.float64,
        (2.438314460901013e-05, -0.0013886677159215544, 0.04166662021514877, -0.4999999969321975),
    )
)


@as_written
def _quarter_turns(x: Any) -> Any:
    """Of |x|: quarter turns, a whole number in the lowest bits, and sine and cosine of what is left."""
    x_bits = _real(x).view(_bits)
    e = (x_bits & _not_sign) >> _places
    m = _wide(((x_bits & _mantissa) | _exponent_of_whole).view(_real))
    turns, rest = m * _high(e), m * _low(e)
    shifted = (turns + rest) + _shifter
    r = ((turns - (shifted - _shifter)) + rest) * _half_pi
    z = r * r
    sine = r + r * (z * polynomial(z, _sin_tail))
    cosine = _one + z * polynomial(z, _cos_tail)
    return _wide(shifted).view(_wide_bits), sine, cosine


@as_written
def _with_sign(y: Any, two_quarters: Any) -> Any:
    turned = _wide_bits((two_quarters & _two_quarters) << _to_sign)
    return _real(_wide_bits(_wide(y).view(_wide_bits) ^ turned).view(_wide))


@as_written
def _sin(x: Any) -> Any:
    q, sine, cosine = _quarter_turns(x)
    of_size = _with_sign(cosine if (q & _one_quarter) != 0 else sine, q)
    y = _bits(_real(of_size).view(_bits) ^ (_real(x).view(_bits) & _sign)).view(_real)
    return x if abs(x) < _small else y


@as_written
def _cos(x: Any) -> Any:
    q, sine, cosine = _quarter_turns(x)
    return _with_sign(sine if (q & _one_quarter) != 0 else cosine, _wide_bits(q + _one_quarter))


def _compile_as_ours(function: Any, text: Any) -> None:
    """Have compiled code take the text for float32, and C's function for float64."""

    @rule(function)
    def write(body: Body, x: Number) -> Number:
        if x.kind.name == "float32":
            found = body.call(function_of(text), [x])
        else:
            found = RULES[getattr(np, function.__name__)](body, x)
        assert isinstance(found, Number)
        return found


for _function, _text in ((sin, _sin), (cos, _cos)):
    _compile_as_ours(_function, _text)
