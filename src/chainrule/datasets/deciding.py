"""What a column of cells holds: decided here, once, from all of its cells and what is said of it.

No share of cells decides: a column is of numbers when it has more different
numbers than different words, and then the words stay beside the numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from chainrule.datasets.cells import NO_NUMBER, too_wide
from chainrule.datasets.columns import Texts
from chainrule.datasets.dates import ambiguous, day_of, first_of
from chainrule.datasets.forms import Form
from chainrule.datasets.writings import CURRENCIES, SCALES, UNITS, Written, written

__all__ = ["Candidate", "Decided"]

#: So many numbers among words are words as well.
FEW_NUMBERS = 2
#: So many bounds, and no more numbers than these, are kinds of rows: <40, >=40.
FEW_BOUNDS = 10


@dataclass(frozen=True)
class Decided:
    """A column's form; of numbers, the value of every category (NaN: missing, or a word) and the words.

    `done` has what was done, by name, with the categories that it was done to.
    """

    form: Form
    values: npt.NDArray[np.float64] | None = None
    words: tuple[int, ...] = ()
    done: dict[str, list[int]] = field(default_factory=dict)

    def words_of(self, text: Texts) -> Texts | None:
        """The words beside the numbers, as a column of texts that lacks the numbers."""
        if not self.words:
            return None
        place = np.full(len(text.categories) + 1, -1, np.int32)
        place[list(self.words)] = np.arange(len(self.words))
        return Texts(place[text.codes], tuple(text.categories[i] for i in self.words))

    def numbers_of(self, text: Texts) -> npt.NDArray[np.float64]:
        """The number of every row."""
        assert self.values is not None
        return np.append(self.values, np.nan)[text.codes]


class Candidate:
    """A column that is not plain numbers all the way down."""

    def __init__(self, text: Texts, form: Form | None, missing: frozenset[str] = NO_NUMBER) -> None:
        self.text, self.form, self._missing = text, form, missing

    @cached_property
    def cells(self) -> list[Written | None]:
        """What every category says as a number."""
        return [None if c in self._missing else written(c) for c in self.text.categories]

    @cached_property
    def read(self) -> list[int]:
        """The categories that are numbers in the column's unit."""
        known = [i for i, cell in enumerate(self.cells) if cell and not cell.infinite]
        unit = self.unit
        found = [] if unit is None else [i for i in known if self._base(i) in ("", unit)]
        bounds = [i for i in found if self._cell(i).bound]
        plain = len(found) - len(bounds)
        signs = {self._cell(i).bound for i in bounds}
        alike = len(signs) == 1 and "-" not in signs and len(known) == len(bounds) == self._known
        if plain <= len(bounds) <= FEW_BOUNDS and bounds and not alike:
            return [
                i for i in found if not self._cell(i).bound
            ]  # <40, >=40; 3-5, 6+: kinds of rows
        return found

    @property
    def _known(self) -> int:
        """How many different cells there are but words for missing."""
        return sum(c not in self._missing for c in self.text.categories)

    @cached_property
    def unit(self) -> str | None:
        """The one unit of the numbers that have any; None if there are several."""
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
        """The unit of a category without its power of ten, and alike however it is spelt."""
        cell = self.cells[i]
        assert cell is not None
        unit = cell.unit.removesuffix(".")
        if _scale(self.text.categories[i], unit):
            unit = unit.rstrip("kKMBbmn万亿")
        return unit if len(unit) < 2 else unit.casefold().removesuffix("s") or unit

    @property
    def commas(self) -> int:
        """How many categories are numbers only if the comma is the decimal sign."""
        return sum(self._cell(i).point is None for i in self.read)

    @property
    def points(self) -> int:
        """How many categories are numbers only if the point is the decimal sign."""
        return sum(self._cell(i).comma is None for i in self.read)

    def _cell(self, i: int) -> Written:
        cell = self.cells[i]
        assert cell is not None
        return cell

    def decide(self, said: str, otherwise: str, day_first: bool | None = None) -> Decided:
        """The column's form, by the decimal sign that is said, that its cells tell, or another's."""
        form = self.form
        if form is not None and form.kind == "text":
            return Decided(form)
        if form is not None and form.kind == "date":
            return self._dates(form, day_first)
        done: dict[str, list[int]] = {}
        categories = self.text.categories
        missing = [i for i, c in enumerate(categories) if c in self._missing]
        infinite = [i for i, cell in enumerate(self.cells) if cell and cell.infinite]
        plain = [self._cell(i).digits for i in self.read]
        if form is None and all(plain):
            if infinite and not self.read:
                return Decided(Form("text"))
            if any(too_wide(c) for c in plain) or (
                infinite and all(categories[i].isdigit() for i in infinite)
            ):
                return Decided(Form("text"), done={"wide": [*self.read, *infinite]})
            if any(c[0] == "0" and len(c) > 1 for c in plain):
                return Decided(Form("text"), done={"zeros": self.read})
        others = set(range(len(categories))) - {*missing, *infinite, *self.read}
        words = sorted(others)
        if form is None and words and any(re.match("0[0-9]", categories[i]) for i in self.read):
            return Decided(Form("text"), done={"zeros": self.read})
        if (form is None or form.kind == "number") and not self.read and (words or form is None):
            return Decided(Form("text"), done=self._text(words))
        if form is None and words and len(self.read) <= max(len(words), FEW_NUMBERS):
            return Decided(Form("text"), done=self._text(words))
        decimal, doubtful = self._decimal(said, otherwise)
        values = np.full(len(categories), np.nan)
        for i in self.read:
            values[i] = self._read(i, decimal, done)
        if doubtful:
            done["doubtful"] = doubtful
        done["missing"], done["infinite"] = missing, infinite
        kept: tuple[int, ...] = ()
        if form is not None and form.kind == "number":
            done["unread"] = words
        else:
            done["words"], kept = words, tuple(words)
        kind = form.kind if form is not None else "mixed" if kept else "number"
        told = any(set(categories[i]) & {",", "."} for i in self.read)
        kept_form = Form(kind, decimal if told else "", self.unit or "")
        return Decided(
            kept_form, values, kept, {what: cells for what, cells in done.items() if cells}
        )

    def _decimal(self, said: str, otherwise: str) -> tuple[str, list[int]]:
        """The decimal sign, and the categories that only a guess has told how to read."""
        commas, points = self.commas, self.points
        if said:
            return said, []
        if bool(commas) != bool(points):
            return ("," if commas else "."), []
        if self.form is not None and self.form.decimal:
            return self.form.decimal, []
        two = [i for i in self.read if None not in (c := self._cell(i))[:2] and c.point != c.comma]
        if otherwise == ".":  # 1.234 is what everybody reads it as
            two = [i for i in two if "," in self.text.categories[i]]
        return otherwise, two

    def _read(self, i: int, decimal: str, done: dict[str, list[int]]) -> float:
        """The number of a category; `done` gets what was done to read it."""
        cell, category = self._cell(i), self.text.categories[i]
        value = cell.value(decimal)
        by_comma = value == cell.comma and (value != cell.point or decimal == ",")
        if "," in category:
            done.setdefault("comma" if by_comma else "thousands", []).append(i)
        if "." in category and by_comma and value != cell.point:
            done.setdefault("thousands", []).append(i)
        for mark in cell.marks:
            done.setdefault(mark, []).append(i)
        if self._base(i):
            done.setdefault("unit", []).append(i)
        scale = _scale(category, cell.unit.removesuffix("."))
        if scale:
            done.setdefault("scale", []).append(i)
        return value * scale if scale else value

    def _text(self, words: Sequence[int]) -> dict[str, list[int]]:
        """What is worth a word about a column that stays one of texts."""
        categories = self.text.categories
        if words and all(day_of(categories[i], False) is not None for i in words) and not self.read:
            return {"dates": list(words)}
        marked = [i for i, cell in enumerate(self.cells) if cell and cell.unit]
        units = {self._base(i) for i in marked}
        if len(units) > 1 and len(marked) > len(categories) / 2:
            return {"units": marked}
        return {"few": self.read} if self.read else {}

    def _dates(self, form: Form, said: bool | None) -> Decided:
        categories = self.text.categories
        told = first_of(categories)
        first = next((f for f in (said, form.day_first, told) if f is not None), False)
        found = [None if c in self._missing else day_of(c, first) for c in categories]
        values = np.array([np.nan if day is None else day for day in found], float)
        bad = [i for i, c in enumerate(categories) if found[i] is None and c not in self._missing]
        if len(bad) == len(categories) > 0:
            return Decided(Form("text"))
        done = {
            "undated": bad,
            "missing": [i for i, c in enumerate(categories) if c in self._missing],
        }
        if (
            said is None
            and form.day_first is None
            and told is None
            and (cell := ambiguous(categories))
        ):
            done["doubtful date"] = [categories.index(cell)]
        kept = first if told is not None or said is not None else form.day_first
        done = {what: cells for what, cells in done.items() if cells}
        return Decided(Form("date", day_first=kept), values, (), done)


def _scale(category: str, unit: str) -> float | None:
    """The power of ten of 1.2M and €300k, which have no space before the letter."""
    for letters, scale in SCALES.items():
        if unit.endswith(letters) and (unit == letters or unit[-len(letters) - 1] in CURRENCIES):
            rest = category.rstrip("*†‡§¶#^)+. ")
            attached = rest.endswith(letters) and rest[: -len(letters)][-1:].isdigit()
            return scale if attached or unit != letters else None
    return None
