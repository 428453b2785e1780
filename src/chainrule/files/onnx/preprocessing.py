"""The preparation of a table, folded into the graph: raw columns in, the network's inputs out.

`PARTS` has one rule for each kind of part that a `Preprocessor` has: a function that writes the part's
columns of the network's inputs, (N, k) float32. A new kind of part needs a rule here, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from chainrule.datasets.dates import DatePart
from chainrule.datasets.parts import (
    CodeColumn,
    FlagColumn,
    NumberColumn,
    Part,
    TextColumn,
    WordColumn,
)
from chainrule.datasets.preprocessing import Preprocessor
from chainrule.errors import RecordingError
from chainrule.files.onnx.writer import BATCH, ML, Writer
from chainrule.lang.messages import _

__all__ = ["PARTS", "Columns", "write_preparation"]


class Columns:
    """The raw columns of the table, one input (N, 1) each: float64 for numbers, texts for the others.

    NaN, and the empty text, is a missing cell. Where words stand among the numbers of a column, its cells
    are texts.
    """

    def __init__(self, writer: Writer, parts: Iterable[Part]) -> None:
        self.writer = writer
        self.put, self.constant = writer.put, writer.constant
        #: The words that stand for no number, of the columns whose cells are texts.
        self._words: dict[str, tuple[str, ...]] = {}
        for part in parts:
            if isinstance(part, TextColumn | CodeColumn):
                self._words[part.name] = self._words.get(part.name, ()) + part.categories
        self._inputs: dict[str, str] = {}

    def input(self, name: str) -> str:
        """The input of a column."""
        if name not in self._inputs:
            kind = np.dtype(object if name in self._words else np.float64)
            self._inputs[name] = self.writer.input(name, kind, (BATCH, 1))
        return self._inputs[name]

    def numbers(self, name: str) -> str:
        """A column of numbers, float64; NaN where a cell is missing, or a word."""
        cells = self.input(name)
        if name not in self._words:
            return cells
        words = list(dict.fromkeys((*self._words[name], "")))
        known = self.put("Less", self.constant(-1, np.int64), self.ids(name, words))
        texts = self.put("Where", known, self.constant(np.array("NaN", object)), cells)
        return self.put("Cast", texts, to=_DOUBLE)

    def missing(self, name: str) -> str:
        """Whether a number is missing: NaN, or the empty text among words."""
        if name not in self._words:
            return self.put("IsNaN", self.input(name))
        return self.put("Less", self.constant(-1, np.int64), self.ids(name, [""]))

    def ids(self, name: str, categories: Iterable[str]) -> str:
        """The place of each text in a list of them, int64; -1 if it is not there."""
        keys = list(categories)
        return self.put(
            "LabelEncoder", self.input(name), domain=ML,
            keys_strings=keys, values_int64s=list(range(len(keys))), default_int64=-1,
        )  # fmt: skip

    def one_hot(self, name: str, categories: tuple[str, ...]) -> str:
        """1 in the column of each text, else 0: (N, k) float32."""
        places = self.constant(np.arange(len(categories))[None, :])
        same = self.put("Equal", self.ids(name, categories), places)
        return self.put("Cast", same, to=_FLOAT)


#: Codes of ONNX's dtypes.
_FLOAT, _DOUBLE = 1, 11


def _number(columns: Columns, part: NumberColumn) -> str:
    """z = (number - center) / scale, and 0 where scale is 0; a missing number counts as the median.

    With a limit, z / √(1 + (z / clip)²).
    """
    put = columns.put

    def constant(value: float) -> str:
        return columns.constant(value, np.float64)

    numbers = columns.numbers(part.name)
    if part.of is not None:
        numbers = _date_part(columns, numbers, part.of)
    filled = put("Where", put("IsNaN", numbers), constant(part.median), numbers)
    if part.scale == 0.0:
        return put("Cast", put("Not", put("Equal", filled, filled)), to=_FLOAT)
    z = put("Div", put("Sub", filled, constant(part.center)), constant(part.scale))
    if part.clip is not None:
        far = put("Div", z, constant(part.clip))
        root = put("Sqrt", put("Add", constant(1.0), put("Mul", far, far)))
        z = put("Div", z, root)
    return put("Cast", z, to=_FLOAT)


def _date_part(columns: Columns, days: str, part: DatePart) -> str:
    """A part of dates given as days since 1970-01-01, by the calendar's own arithmetic in float64.

    Years are counted from the first of March, so that the day of a leap year is the last one.
    """
    put = columns.put

    def number(value: float) -> str:
        return columns.constant(value, np.float64)

    def floored(a: str, by: float) -> str:
        return put("Floor", put("Div", a, number(by)))

    def less(a: str, *terms: tuple[str, float]) -> str:
        for term, factor in terms:
            a = put("Sub", a, put("Mul", term, number(factor)))
        return a

    day = put("Floor", days)
    if part == "hour":
        return put("Mul", put("Sub", days, day), number(24))
    if part == "weekday":
        shifted = put("Add", day, number(3))
        return less(shifted, (floored(shifted, 7), 7))
    shifted = put("Add", day, number(719468))
    era = floored(shifted, 146097)  # 400 years
    of_era = less(shifted, (era, 146097))
    counted = less(
        of_era,
        (floored(of_era, 1460), 1),
        (floored(of_era, 36524), -1),
        (floored(of_era, 146096), 1),
    )
    year = floored(counted, 365)
    of_year = less(of_era, (year, 365), (floored(year, 4), 1), (floored(year, 100), -1))
    month = floored(put("Add", put("Mul", of_year, number(5)), number(2)), 153)
    if part == "day":
        before = floored(put("Add", put("Mul", month, number(153)), number(2)), 5)
        return put("Add", put("Sub", of_year, before), number(1))
    late = put("Less", month, number(10))
    of_calendar = put("Add", month, put("Where", late, number(3), number(-9)))
    if part == "month":
        return of_calendar
    next_year = put("Where", late, number(0), number(1))
    return put("Add", put("Add", year, put("Mul", era, number(400))), next_year)


def _flag(columns: Columns, part: FlagColumn) -> str:
    """1 where a number is missing, else 0."""
    return columns.put("Cast", columns.missing(part.name), to=_FLOAT)


def _codes(columns: Columns, part: CodeColumn) -> str:
    """The number of each text's category."""
    table = columns.constant(np.array([*part.values, part.other], np.float32))
    return columns.put("Gather", table, columns.ids(part.name, part.categories), axis=0)


def _texts(columns: Columns, part: TextColumn | WordColumn) -> str:
    return columns.one_hot(part.name, part.categories)


#: The rule of each kind of part.
PARTS: dict[type[Any], Callable[[Columns, Any], str]] = {
    NumberColumn: _number,
    FlagColumn: _flag,
    CodeColumn: _codes,
    TextColumn: _texts,
    WordColumn: _texts,
}


def write_preparation(writer: Writer, preparation: Preprocessor) -> str:
    """The inputs of the network, (N, features) float32, from the columns of the table."""
    columns = Columns(writer, preparation.parts)
    for name in preparation.columns:
        columns.input(name)
    blocks = []
    for part in preparation.parts:
        rule = PARTS.get(type(part))
        if rule is None:
            raise RecordingError(
                _(
                    "column {name}: its preparation ({kind}) cannot be written in ONNX.",
                    name=part.name,
                    kind=type(part).__name__,
                )
            )
        writer.part = part.name
        blocks.append(rule(columns, part))
    return writer.put("Concat", *blocks, axis=1, name="prepared")
