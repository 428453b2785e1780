"""The kind of a column of text cells: decided once, from all of its cells and the user's options.

A column is numeric when it has more distinct numbers than distinct words; the words are then kept
beside the numbers. How often each occurs does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from chainrule.datasets.cells import NO_NUMBER, too_wide
from chainrule.datasets.columns import Column, Texts, whole_or_not
from chainrule.datasets.dates import ambiguous, day_first_in, day_of, surely_dates
from chainrule.datasets.forms import Form
from chainrule.datasets.writings import CURRENCIES, SCALES, UNITS, NumberText, parse_number

__all__ = ["Candidate", "Decision"]

#: Up to this many distinct numbers among words are read as words.
FEW_NUMBERS = 2
#: Up to this many distinct bounds (<40, >=40), if there are no more plain numbers, are categories.
FEW_BOUNDS = 10


@dataclass(frozen=True)
class Decision:
    """The form of a column and, if it is numeric, its values.

    `values` has the number of each category (NaN if it is missing or a word), `words` the
    categories that are words. `cases` has the special cases met while reading, by name ("comma",
    "unit", …), each with its categories; `Remarks` turns them into notes.
    """

    form: Form
    values: npt.NDArray[np.float64] | None = None
    words: tuple[int, ...] = ()
    cases: dict[str, list[int]] = field(default_factory=dict)

    def words_of(self, text: Texts) -> Texts | None:
        """The words beside the numbers as a text column, in which the numbers are missing."""
        if not self.words:
            return None
        new_codes = np.full(len(text.categories) + 1, -1, np.int32)
        new_codes[list(self.words)] = np.arange(len(self.words))
        return Texts(new_codes[text.codes], tuple(text.categories[i] for i in self.words))

    def numbers_of(self, text: Texts) -> Column:
        """The numbers (n,), whole ones as int64; NaN where a cell is missing or a word."""
        assert self.values is not None
        return whole_or_not(np.append(self.values, np.nan)[text.codes])


class Candidate:
    """A column whose cells are not all plain numbers.

    Categories are referred to by their index in `text.categories`.
    """

    def __init__(self, text: Texts, form: Form | None, missing: frozenset[str] = NO_NUMBER) -> None:
        self.text, self.form, self._missing = text, form, missing

    @cached_property
    def cells(self) -> list[NumberText | None]:
        """Each category as a number; None if it is missing or not a number."""
        return [None if c in self._missing else parse_number(c) for c in self.text.categories]

    @cached_property
    def number_ids(self) -> list[int]:
        """The categories that are numbers with the column's unit or without a unit."""
        known = [i for i, cell in enumerate(self.cells) if cell and not cell.infinite]
        unit = self.unit
        numbers = [] if unit is None else [i for i in known if self._base(i) in ("", unit)]
        bounds = [i for i in numbers if self._cell(i).bound]
        plain = len(numbers) - len(bounds)
        signs = {self._cell(i).bound for i in bounds}
        alike = len(signs) == 1 and "-" not in signs and len(known) == len(bounds) == self._known
        if plain <= len(bounds) <= FEW_BOUNDS and bounds and not alike:
            return [
                i for i in numbers if not self._cell(i).bound
            ]  # <40, >=40; 3-5, 6+: kinds of rows
        return numbers

    @property
    def _known(self) -> int:
        """The number of categories that do not mean a missing cell."""
        return sum(c not in self._missing for c in self.text.categories)

    @cached_property
    def unit(self) -> str | None:
        """The unit that all numbers with a unit share, "" for none; None if there are several."""
        known = [i for i, cell in enumerate(self.cells) if cell and not cell.infinite]
        if self.form is not None and self.form.unit:
            return self.form.unit
        units = {self._base(i) for i in known} - {""}
        if len(units) > 1:
            return "" if any(not self._base(i) for i in known) else None
        unit = next(iter(units), "")
        marked = sum(bool(self._base(i)) for i in known)
        if (
            unit.casefold() not in UNITS
            and not set(unit) & set(CURRENCIES)
            and 2 * marked < len(known)
        ):
            return ""  # 12, 14, 12A: codes
        return unit

    def _base(self, i: int) -> str:
        """The unit of category `i` without its power of ten, in a normal spelling."""
        cell = self.cells[i]
        assert cell is not None
        unit = cell.unit.removesuffix(".")
        if _scale(self.text.categories[i], unit):
            unit = unit.rstrip("kKMBbmn万亿")
        return unit if len(unit) < 2 else unit.casefold().removesuffix("s") or unit

    @property
    def commas(self) -> int:
        """How many categories are numbers only if the comma is the decimal sign."""
        return sum(self._cell(i).point is None for i in self.number_ids)

    @property
    def points(self) -> int:
        """How many categories are numbers only if the point is the decimal sign."""
        return sum(self._cell(i).comma is None for i in self.number_ids)

    def _cell(self, i: int) -> NumberText:
        cell = self.cells[i]
        assert cell is not None
        return cell

    def decide(self, decimal_option: str, fallback: str, day_first: bool | None = None) -> Decision:
        """What the column holds.

        The decimal sign is `decimal_option` if given, else the one that the cells show, else
        `fallback`, the sign of other columns. `day_first` is the option of that name.
        """
        form = self.form
        if form is not None and form.kind == "text":
            return Decision(form)
        if form is not None and form.kind == "date":
            return self._dates(form, day_first)
        cases: dict[str, list[int]] = {}
        categories = self.text.categories
        missing = [i for i, c in enumerate(categories) if c in self._missing]
        infinite = [i for i, cell in enumerate(self.cells) if cell and cell.infinite]
        plain = [self._cell(i).digits for i in self.number_ids]
        if form is None and all(plain):
            if infinite and not self.number_ids:
                return Decision(Form("text"))
            if any(too_wide(c) for c in plain) or (
                infinite and all(categories[i].isdigit() for i in infinite)
            ):
                return Decision(Form("text"), cases={"wide": [*self.number_ids, *infinite]})
            if any(c[0] == "0" and len(c) > 1 for c in plain):
                return Decision(Form("text"), cases={"zeros": self.number_ids})
        others = set(range(len(categories))) - {*missing, *infinite, *self.number_ids}
        words = sorted(others)
        if (
            form is None
            and words
            and any(re.match("0[0-9]", categories[i]) for i in self.number_ids)
        ):
            return Decision(Form("text"), cases={"zeros": self.number_ids})
        if (
            (form is None or form.kind == "number")
            and not self.number_ids
            and (words or form is None)
        ):
            dates = self.sure_dates(day_first) if form is None else None
            return dates or Decision(Form("text"), cases=self._text_cases(words))
        if form is None and words and len(self.number_ids) <= max(len(words), FEW_NUMBERS):
            return Decision(Form("text"), cases=self._text_cases(words))
        decimal, doubtful = self._decimal(decimal_option, fallback)
        values = np.full(len(categories), np.nan)
        for i in self.number_ids:
            values[i] = self._number(i, decimal, cases)
        if doubtful:
            cases["doubtful"] = doubtful
        cases["missing"], cases["infinite"] = missing, infinite
        word_ids: tuple[int, ...] = ()
        if form is not None and form.kind == "number":
            cases["unread"] = words
        else:
            cases["words"], word_ids = words, tuple(words)
        kind = form.kind if form is not None else "mixed" if word_ids else "number"
        shows_decimal = any(set(categories[i]) & {",", "."} for i in self.number_ids)
        column_form = Form(kind, decimal if shows_decimal else "", self.unit or "")
        return Decision(
            column_form, values, word_ids, {what: cells for what, cells in cases.items() if cells}
        )

    def sure_dates(self, day_first: bool | None = None) -> Decision | None:
        """The days of the column; None unless all its cells are dates that can be read in one way."""
        known = [i for i, c in enumerate(self.text.categories) if c not in self._missing]
        if not surely_dates([self.text.categories[i] for i in known], day_first) or self.number_ids:
            return None
        dates = self._dates(Form("date"), day_first)
        return replace(dates, cases={**dates.cases, "read dates": known})

    def _decimal(self, option: str, fallback: str) -> tuple[str, list[int]]:
        """The decimal sign, and the categories for which it is only a guess."""
        commas, points = self.commas, self.points
        if option:
            return option, []
        if bool(commas) != bool(points):
            return ("," if commas else "."), []
        if self.form is not None and self.form.decimal:
            return self.form.decimal, []
        ambiguous_ids = [
            i
            for i in self.number_ids
            if None not in (c := self._cell(i))[:2] and c.point != c.comma
        ]
        if fallback == ".":  # 1.234 is read so by everybody
            ambiguous_ids = [i for i in ambiguous_ids if "," in self.text.categories[i]]
        return fallback, ambiguous_ids

    def _number(self, i: int, decimal: str, cases: dict[str, list[int]]) -> float:
        """The number of category `i`; its special cases are added to `cases`."""
        cell, category = self._cell(i), self.text.categories[i]
        value = cell.value(decimal)
        by_comma = value == cell.comma and (value != cell.point or decimal == ",")
        if "," in category:
            cases.setdefault("comma" if by_comma else "thousands", []).append(i)
        if "." in category and by_comma and value != cell.point:
            cases.setdefault("thousands", []).append(i)
        for mark in cell.marks:
            cases.setdefault(mark, []).append(i)
        if self._base(i):
            cases.setdefault("unit", []).append(i)
        scale = _scale(category, cell.unit.removesuffix("."))
        if scale:
            cases.setdefault("scale", []).append(i)
        return value * scale if scale else value

    def _text_cases(self, words: Sequence[int]) -> dict[str, list[int]]:
        """The special cases of a column that stays text."""
        categories = self.text.categories
        if (
            words
            and all(day_of(categories[i], False) is not None for i in words)
            and not self.number_ids
        ):
            return {"dates": list(words)}
        marked = [i for i, cell in enumerate(self.cells) if cell and cell.unit]
        units = {self._base(i) for i in marked}
        if len(units) > 1 and len(marked) > len(categories) / 2:
            return {"units": marked}
        return {"few": self.number_ids} if self.number_ids else {}

    def _dates(self, form: Form, option: bool | None) -> Decision:
        categories = self.text.categories
        from_cells = day_first_in(categories)
        first = next((f for f in (option, form.day_first, from_cells) if f is not None), False)
        day_numbers = [None if c in self._missing else day_of(c, first) for c in categories]
        values = np.array([np.nan if day is None else day for day in day_numbers], float)
        bad = [
            i for i, c in enumerate(categories) if day_numbers[i] is None and c not in self._missing
        ]
        if len(bad) == len(categories) > 0:
            return Decision(Form("text"))
        cases = {
            "undated": bad,
            "missing": [i for i, c in enumerate(categories) if c in self._missing],
        }
        if (
            option is None
            and form.day_first is None
            and from_cells is None
            and (cell := ambiguous(categories))
        ):
            cases["doubtful date"] = [categories.index(cell)]
        day_first = first if from_cells is not None or option is not None else form.day_first
        cases = {what: cells for what, cells in cases.items() if cells}
        return Decision(Form("date", day_first=day_first), values, (), cases)


def _scale(category: str, unit: str) -> float | None:
    """The power of ten in 1.2M or €300k, where no space precedes the letter."""
    for letters, scale in SCALES.items():
        if unit.endswith(letters) and (unit == letters or unit[-len(letters) - 1] in CURRENCIES):
            rest = category.rstrip("*†‡§¶#^)+. ")
            attached = rest.endswith(letters) and rest[: -len(letters)][-1:].isdigit()
            return scale if attached or unit != letters else None
    return None
