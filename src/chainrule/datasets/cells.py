"""Cells of a text table: words for missing values, and whole columns of plain numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from chainrule.datasets.columns import Column

__all__ = ["MISSING", "NO_NUMBER", "NUMBER", "Numbers", "numbers_of", "too_wide"]

#: Cells that mean a missing value in a column of any kind.
MISSING = frozenset(
    {"", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "Nan", "-NaN", "-nan", "na", "null", "NULL", "Null",
     "?", "<NA>", "NaT", "#N/A", "#N/A N/A", "#NA", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!",
     "#NULL!", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"}
)  # fmt: skip
#: Cells that mean a missing value only in a column of numbers; in a text column they are texts.
NO_NUMBER = frozenset(
    {"None", "none", "NONE", "-", "--", "---", "–", "—", ".", "..", "...", "…", "*", "**", "***",
     "n.a.", "N.A.", "n.d.", "N.D.", "nil", "Nil", "NIL"}
)  # fmt: skip
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
PLAIN = b"0123456789+-.eE"
PLAIN_WHOLE = b"0123456789+-"
TENS = 10 ** np.arange(1, 19, dtype=np.int64)


class Numbers(NamedTuple):
    """A column of numbers, and how its cells are written.

    `digits`: all cells consist of digits only; `zeros`: some cell has a leading zero; `points`:
    some cell has a decimal point.
    """

    values: Column
    digits: bool
    zeros: bool
    points: bool


def numbers_of(
    cells: Sequence[str], missing: frozenset[str] = MISSING, words: dict[str, int] | None = None
) -> Numbers | None:
    """The cells as numbers, in the smallest integer type or float64; None if a cell is no number.

    Fast path: texts made only of digits, signs, points and e are numbers exactly when float()
    accepts them. Only columns with missing cells are parsed cell by cell. If `words` is given,
    it gets the count of each word that was read as missing.
    """
    letters = "".join(cells).encode("utf-8", "surrogatepass")
    count = len(cells)
    if not letters.translate(None, PLAIN):
        try:
            if not letters.translate(None, PLAIN_WHOLE):
                whole_numbers = np.fromiter(map(int, cells), np.int64, count)
                digits = b"-" not in letters and b"+" not in letters
                # There are leading zeros if there are more digits than the numbers need.
                needed = count + int(np.searchsorted(TENS, whole_numbers, "right").sum())
                zeros = digits and len(letters) > needed
                return Numbers(_smallest(whole_numbers), digits, zeros, False)
            values = np.fromiter(map(float, cells), np.float64, count)
            if not np.isfinite(values).all():
                return None
            return Numbers(values, False, False, b"." in letters)
        except OverflowError:
            return None
        except ValueError:
            pass  # an empty cell, or a text such as 5-3
    values = np.empty(count)
    whole, digits, zeros, points = True, True, False, False
    for i, cell in enumerate(cells):
        cell = cell.strip()
        if cell in missing:
            values[i] = np.nan
            whole = False
            if cell and words is not None:
                words[cell] = words.get(cell, 0) + 1
            continue
        if not NUMBER.fullmatch(cell):
            return None
        values[i] = value = float(cell)
        if math.isinf(value):
            return None
        whole = whole and WHOLE.fullmatch(cell) is not None
        digits = digits and cell.isdigit()
        zeros = zeros or (cell[0] == "0" and len(cell) > 1 and cell.isdigit())
        points = points or "." in cell
        if len(cell) > 18 and too_wide(cell):
            return None
    if whole:
        try:
            values = _smallest(np.array([int(cell) for cell in cells], dtype=np.int64))
        except (OverflowError, ValueError):
            return None
    return Numbers(values, digits, zeros, points)


def _smallest(values: npt.NDArray[np.int64]) -> Column:
    low, high = int(values.min()), int(values.max())
    for kind in (np.uint8, np.int16, np.int32):
        limits = np.iinfo(kind)
        if limits.min <= low and high <= limits.max:
            return values.astype(kind)
    return values


def too_wide(cell: str) -> bool:
    """Whether the cell is a whole number that does not fit into 64 bits."""
    if not WHOLE.fullmatch(cell):
        return False
    return len(cell) > 30 or not -(2**63) <= int(cell) < 2**63
