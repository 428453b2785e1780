"""How JavaScript reads and writes numbers, which is how a link's text becomes one and back."""

from __future__ import annotations

import math
import re
from decimal import Decimal

__all__ = ["WHITESPACE", "number", "number_text"]

#: What JavaScript's `trim` takes off, which is not quite what Python's `strip` does.
WHITESPACE = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INFINITE = re.compile(r"[+-]?Infinity")
_IN_BASE = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")
_BASES = {"x": 16, "o": 8, "b": 2}


def number(text: str) -> float:
    """The number that unary plus makes of a text; NaN if it is none.

    >>> number(" 0x1f "), number("1e3"), number(""), number("1,5")
    (31.0, 1000.0, 0.0, nan)
    """
    text = text.strip(WHITESPACE)
    if not text:
        return 0.0
    if _IN_BASE.fullmatch(text):
        try:
            return float(int(text[2:], _BASES[text[1].lower()]))
        except OverflowError:
            return math.inf
    if _DECIMAL.fullmatch(text) or _INFINITE.fullmatch(text):
        return float(text)
    return math.nan


def number_text(value: float) -> str:
    """The number as JavaScript writes it: the fewest digits that give it back.

    >>> number_text(10.0), number_text(1e-7), number_text(1e21), number_text(0.03)
    ('10', '1e-7', '1e+21', '0.03')
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"  # of -0 too
    sign = "-" if value < 0 else ""
    _, figures, least = Decimal(repr(abs(value))).normalize().as_tuple()
    assert isinstance(least, int)
    digits = "".join(map(str, figures))
    point = len(digits) + least  # how many digits stand before the decimal point
    if 0 < point <= 21:
        before = digits[:point].ljust(point, "0")
        return f"{sign}{before}.{digits[point:]}" if digits[point:] else sign + before
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    after = f".{digits[1:]}" if digits[1:] else ""
    return f"{sign}{digits[0]}{after}e{point - 1:+d}"
