"""exp, log, log1p and tanh of one number, in a form that becomes vector instructions.

Compiled code that calls the C library's `exp` computes one number at a time. The functions here
are additions, multiplications, selections and work on bits, without a branch, a table or a call:
inlined into a loop over an array, they are computed for 4 to 16 numbers at once.

All four follow the same plan (Cody and Waite, Software Manual for the Elementary Functions, 1980;
Muller, Elementary Functions, 2016): take a power of two out of x, so that a small number remains;
a short polynomial for that one; put the power of two back. The polynomials were fitted for the
smallest largest error (Lawson's reweighted least squares, 1961, on Chebyshev points, each
coefficient rounded to the dtype in its turn and the rest fitted again).

In a kernel they take float32 or float64 and give the same dtype. Called from plain Python they
are NumPy's functions. Errors, in units in the last place (ulp): exp and log below 1, log1p below
1.5, tanh below 2 (2.1 where the processor has no fused multiply-add). Infinities, NaN, the sign of
0 and subnormal numbers are as in C.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from chainrule.engine.compiler.body import Body
from chainrule.engine.compiler.functions import as_written, function_of, inlined
from chainrule.engine.compiler.refusals import Refused
from chainrule.engine.compiler.registry import rule
from chainrule.engine.compiler.values import Number

__all__ = ["exp", "log", "log1p", "polynomial", "tanh"]

Real = TypeVar("Real", np.float32, np.float64)


def exp(x: Real) -> Real:
    """eˣ: inf above the largest number, through subnormal numbers to 0 below; error < 1 ulp."""
    y: Real = np.exp(x)
    return y


def log(x: Real) -> Real:
    """ln x, the natural logarithm: −inf at 0, NaN below; error < 1 ulp."""
    y: Real = np.log(x)
    return y


def log1p(x: Real) -> Real:
    """ln(1 + x), precise for small x too: −inf at −1, NaN below; error < 1.5 ulp."""
    y: Real = np.log1p(x)
    return y


def tanh(x: Real) -> Real:
    """(eˣ − e⁻ˣ)/(eˣ + e⁻ˣ), for small x too; error < 2 ulp."""
    y: Real = np.tanh(x)
    return y


class _Numbers(NamedTuple):
    """What differs between the dtypes."""

    log2_e: Any  # 1/ln 2
    ln2_high: Any  # ln 2 in two parts; the first has so few bits that n·ln2_high is exact
    ln2_low: Any
    lowest: Any  # exp is 0 below lowest and inf above highest
    highest: Any
    flat: Any  # tanh(x) rounds to 1 from 2x = flat on
    exp_tail: tuple[Any, ...]  # (eʳ − 1 − r)/r² in powers of r, for |r| ≤ ½ ln 2
    log_tail: tuple[Any, ...]  # (ln((1+s)/(1−s)) − 2s)/s³ in powers of s², for |s| ≤ 0.1716


_FLOAT32 = _Numbers(
    log2_e=np.float32(1.442695),
    ln2_high=np.float32(0.693145751953125),
    ln2_low=np.float32(1.4286068e-06),
    lowest=np.float32(-104),
    highest=np.float32(89),
    flat=np.float32(20),
    exp_tail=tuple(
        map(
            np.float32,
            (0.5, 0.16666666, 0.041666493, 0.008333545, 0.0013932331, 0.00019762572),
        )
    ),
    log_tail=tuple(map(np.float32, (0.66666776, 0.39977568, 0.2987146))),
)

_FLOAT64 = _Numbers(
    log2_e=np.float64(1.4426950408889634),
    ln2_high=np.float64(0.6931471805598903),
    ln2_low=np.float64(5.497923018708371e-14),
    lowest=np.float64(-746),
    highest=np.float64(710),
    flat=np.float64(40),
    exp_tail=tuple(
        map(
            np.float64,
            (
                0.5,
                0.16666666666666677,
                0.041666666666666685,
                0.008333333333321778,
                0.001388888888889243,
                0.00019841269885396783,
                2.480158728318614e-05,
                2.755724509734712e-06,
                2.755732498126342e-07,
                2.5108704964757314e-08,
                2.0895518859065297e-09,
            ),
        )
    ),
    log_tail=tuple(
        map(
            np.float64,
            (
                0.6666666666666735,
                0.3999999999940985,
                0.2857142874348323,
                0.22222198457517406,
                0.1818357053872765,
                0.15313885944093727,
                0.1479765633214929,
            ),
        )
    ),
)


@inlined
@as_written
def polynomial(x: Any, coefficients: Any) -> Any:
    """c₀ + x(c₁ + x(c₂ + …)); the coefficients are given from the last to the first."""
    total = coefficients[0] * x + coefficients[1]
    for c in coefficients[2:]:
        total = total * x + c
    return total


def _functions(real: Any, bits: Any, numbers: _Numbers) -> dict[str, Callable[[Any], Any]]:
    """The four functions for one dtype, as text to compile; bits is the unsigned type as wide.

    A number is sign·2ᵉ·1.mantissa, kept as the bits sign, e + bias, mantissa. `.view` reads the
    same bits as the other type, so whole powers of two are put in and taken out by integer
    additions and shifts.
    """
    n_mantissa: int = np.finfo(real).nmant
    bias: int = np.finfo(real).maxexp - 1

    log2_e, ln2_high, ln2_low, lowest, highest, flat, _, _ = numbers
    exp_tail, log_tail = numbers.exp_tail[::-1], numbers.log_tail[::-1]
    zero, half, one, two = real(0), real(0.5), real(1), real(2)
    minus_one, inf, minus_inf, nan = real(-1), real(np.inf), real(-np.inf), real(np.nan)
    smallest_normal = np.finfo(real).tiny
    far = real(2.0**60)

    mantissa_bits, mantissa = bits(n_mantissa), bits(2**n_mantissa - 1)
    sign = bits(2 ** (8 * real().itemsize - 1))
    not_sign = bits(sign - 1)
    one_bit = bits(1)
    one_as_bits, half_as_bits = one.view(bits), half.view(bits)
    root_half_as_bits = real(math.sqrt(0.5)).view(bits)
    root_half_to_one = bits(one_as_bits - root_half_as_bits)

    # Adding 1.5·2^n_mantissa leaves no room for a fraction: the sum is rounded to a whole number,
    # which then stands in its lowest bits.
    shifter = real(1.5 * 2.0**n_mantissa)
    shifter_as_bits = shifter.view(bits)
    twice_bias = bits(2 * bias)

    # The other way round: bits of a whole number i, set into those of 2^n_mantissa, are the
    # number 2^n_mantissa + i. (A conversion of 64-bit integers needs AVX-512 to be a vector's.)
    whole_as_bits = real(2.0**n_mantissa).view(bits)
    whole_and_bias = real(2.0**n_mantissa + bias)

    lift, lifted = real(2.0**n_mantissa), real(n_mantissa)

    @as_written
    def split_exp(x: Any) -> Any:
        # x = n·ln 2 + r with |r| ≤ ½ ln 2; gives n + shifter, and r and c with eʳ = 1 + r + c.
        shifted = x * log2_e + shifter
        n = shifted - shifter
        r = (x - n * ln2_high) - n * ln2_low
        return shifted, r, r * r * polynomial(r, exp_tail)

    @as_written
    def log_of_product(f: Any, e: Any) -> Any:
        # ln((1 + f)·2ᵉ) for √½ ≤ 1 + f < √2. With s = f/(2 + f), 1 + f = (1 + s)/(1 − s), and
        # ln(1 + f) = 2s + s³·tail(s²) = f − (h − s(h + s²·tail)) with h = f²/2: f itself is exact,
        # and what is taken from it is small.
        s = f / (two + f)
        z = s * s
        h = half * f * f
        tail = z * polynomial(z, log_tail)
        return e * ln2_high + (f - (h - (s * (h + tail) + e * ln2_low)))

    # In the selections below a comparison with NaN is false, and NaN goes where it has to.

    @as_written
    def exp(x: Any) -> Any:
        x = lowest if x < lowest else x
        x = highest if x > highest else x
        shifted, r, c = split_exp(x)
        # 2ⁿ itself may be too large or too small for a number: 2^a·2^b with a + b = n. The double
        # bias makes the halves positive; each keeps one bias, which its exponent needs.
        n = bits(bits(real(shifted).view(bits) - shifter_as_bits) + twice_bias)
        a = bits(n >> one_bit)
        b = bits(n - a)
        scale_a = bits(a << mantissa_bits).view(real)
        scale_b = bits(b << mantissa_bits).view(real)
        return (one + (r + c)) * scale_a * scale_b

    @as_written
    def tanh(x: Any) -> Any:
        # u/(1 + u) with u = ½(e^(2|x|) − 1) = ½(2ⁿ − 1) + ½2ⁿr + ½2ⁿc, then the sign of x. Where
        # x is small, its relative error is that of u, and u's first sum may cancel: `lost` is
        # what that sum loses in rounding. Written v − v·v/(1 + u), with v = u up to 1 and 1 from
        # there on, it is the same, but the other roundings only touch the part taken away.
        x_bits = real(x).view(bits)
        y = two * bits(x_bits & not_sign).view(real)
        y = flat if y > flat else y
        shifted, r, c = split_exp(y)
        half_power = bits(bits(real(shifted).view(bits) << mantissa_bits) + half_as_bits).view(real)
        whole, part = half_power - half, half_power * r
        total = whole + part
        lost = part - (total - whole)
        u = total + (half_power * c + lost)
        v = one if u > one else u
        y = v - v * (v / (one + u))
        return bits(real(y).view(bits) | bits(x_bits & sign)).view(real)

    @as_written
    def log(x: Any) -> Any:
        subnormal = x < smallest_normal
        y = x * lift if subnormal else x
        # Raised by 1 − √½, as bits, the exponent steps at √½·2ᵉ instead of at 2ᵉ.
        raised = bits(real(y).view(bits) + root_half_to_one)
        e = bits(bits(raised >> mantissa_bits) | whole_as_bits).view(real) - whole_and_bias
        e = e - lifted if subnormal else e
        m = bits(bits(raised & mantissa) + root_half_as_bits).view(real)
        y = log_of_product(m - one, e)
        y = y if x < inf else x
        y = nan if x < zero else y
        return minus_inf if x == zero else y

    @as_written
    def log1p(x: Any) -> Any:
        u = one + x
        raised = bits(real(u).view(bits) + root_half_to_one)
        biased = bits(raised >> mantissa_bits)
        e = bits(biased | whole_as_bits).view(real) - whole_and_bias
        m = bits(bits(raised & mantissa) + root_half_as_bits).view(real)
        # u has lost the last digits of x. (1 + x)/2ᵉ − 1 from x itself has not; and beyond far,
        # where 2⁻ᵉ may be no number, they make no difference.
        power = bits(bits(one_as_bits + one_as_bits) - bits(biased << mantissa_bits)).view(real)
        f = x * power + (power - one) if u < far else m - one
        y = log_of_product(f, e)
        y = y if x < inf else x
        y = x if x == zero else y  # keeps the sign of 0
        y = nan if x < minus_one else y
        return minus_inf if x == minus_one else y

    return {"exp": exp, "log": log, "log1p": log1p, "tanh": tanh}


_BY_DTYPE = {
    "float32": _functions(np.float32, np.uint32, _FLOAT32),
    "float64": _functions(np.float64, np.uint64, _FLOAT64),
}


def _compile_as_ours(function: Callable[[Any], Any]) -> None:
    """Have compiled code that calls the function take the text for its argument's dtype."""

    @rule(function)
    def write(body: Body, x: Number) -> Number:
        texts: Any = _BY_DTYPE.get(x.kind.name)
        if texts is None:
            raise Refused(f"{function.__name__} of a {x.kind.name}")
        found: Number = body.call(function_of(texts[function.__name__]), [x])
        return found


for _function in (exp, log, log1p, tanh):
    _compile_as_ours(_function)
