"""What one cell of a text table may be: missing, a number, or something that was meant as one."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from chainrule.datasets.columns import Column

__all__ = ["MISSING", "NUMBER", "Numbers", "numbers_of", "sort_of", "too_wide"]

MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "?"})
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
COMMA = re.compile(
    r"[+-]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+,\d+|\d{1,3}(?:\.\d{3})+,\d+)", re.ASCII
)
INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
OTHER_WRITING = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|\d+(?:_\d+)+(?:\.\d+)?)", re.ASCII)
PLAIN = b"0123456789+-.eE"
PLAIN_WHOLE = b"0123456789+-"
TENS = 10 ** np.arange(1, 19, dtype=np.int64)


class Numbers(NamedTuple):
    """Cells that are all numbers: whether they are digits only, and any begins with a zero."""

    values: Column
    digits: bool
    zeros: bool


def numbers_of(cells: Sequence[str]) -> Numbers | None:
    """The cells as numbers in the smallest whole-number type or float64; None if some is none.

    Texts made only of digits, signs, points and e are numbers exactly when float() takes
    them; so the slow look at single cells is for columns with gaps.
    """
    letters = "".join(cells).encode("utf-8", "surrogatepass")
    count = len(cells)
    if not letters.translate(None, PLAIN):
        try:
            if not letters.translate(None, PLAIN_WHOLE):
                whole_numbers = np.fromiter(map(int, cells), np.int64, count)
                digits = b"-" not in letters and b"+" not in letters
                # Leading zeros are the digits there are more of than the numbers need.
                needed = count + int(np.searchsorted(TENS, whole_numbers, "right").sum())
                return Numbers(_smallest(whole_numbers), digits, digits and len(letters) > needed)
            values = np.fromiter(map(float, cells), np.float64, count)
            return Numbers(values, False, False) if np.isfinite(values).all() else None
        except OverflowError:
            return None
        except ValueError:
            pass  # an empty cell, or a text such as 5-3
    values = np.empty(count)
    whole, digits, zeros = True, True, False
    for i, cell in enumerate(cells):
        cell = cell.strip()
        if cell in MISSING:
            values[i] = np.nan
            whole = False
            continue
        if not NUMBER.fullmatch(cell):
            return None
        values[i] = value = float(cell)
        if math.isinf(value):
            return None
        whole = whole and WHOLE.fullmatch(cell) is not None
        digits = digits and cell.isdigit()
        zeros = zeros or (cell[0] == "0" and len(cell) > 1 and cell.isdigit())
        if len(cell) > 18 and too_wide(cell):
            return None
    if whole:
        try:
            values = _smallest(np.array([int(cell) for cell in cells], dtype=np.int64))
        except (OverflowError, ValueError):
            return None
    return Numbers(values, digits, zeros)


def _smallest(values: npt.NDArray[np.int64]) -> Column:
    low, high = int(values.min()), int(values.max())
    for kind in (np.uint8, np.int16, np.int32):
        limits = np.iinfo(kind)
        if limits.min <= low and high <= limits.max:
            return values.astype(kind)
    return values


def sort_of(cell: str) -> str:
    """What a cell is: "number", "large", "comma", "infinite", "other" (0xff, 1_000), or "text"."""
    if NUMBER.fullmatch(cell):
        return "large" if math.isinf(float(cell)) else "number"
    for pattern, sort in ((COMMA, "comma"), (INFINITE, "infinite"), (OTHER_WRITING, "other")):
        if pattern.fullmatch(cell):
            return sort
    return "text"


def too_wide(cell: str) -> bool:
    """Whether a whole number takes more than 64 bits."""
    if not WHOLE.fullmatch(cell):
        return False
    return len(cell) > 30 or not -(2**63) <= int(cell) < 2**63
