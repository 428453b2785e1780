"""Columns of numbers in another writing, with more distinct texts than memory holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from chainrule.datasets.columns import Texts, encoded
from chainrule.datasets.deciding import Candidate
from chainrule.datasets.forms import Form
from chainrule.datasets.rules import Reading
from chainrule.datasets.storage import Storage

__all__ = ["ManyTexts"]


class ManyTexts:
    """The numbers of a column with too many texts to keep, read chunk by chunk in a known form."""

    def __init__(self, form: Form, free: bool, storage: Storage) -> None:
        self.form = replace(form, kind="mixed") if free and form.kind == "number" else form
        self.storage, self.numbers = storage, storage.growing()
        self.code_of: dict[str, int] = {}
        self.codes: npt.NDArray[np.int32] | None = None

    def add(self, cells: list[str], start: int, rows: int, reading: Reading) -> None:
        """Take over the cells of the rows from `start` on, of so many rows in all."""
        text = encoded("" if cell in reading.missing else cell for cell in cells)
        candidate = Candidate(text, self.form, reading.missing_numbers)
        decimal = reading.decimal or self.form.decimal
        decision = candidate.decide(decimal, decimal or ".", reading.day_first)
        if decision.values is None:  # not a number among them
            words: Texts | None = text
            self.numbers.append(np.full(len(cells), np.nan))
        else:
            words = decision.words_of(text)
            self.numbers.append(decision.numbers_of(text))
        if words is None or self.form.kind != "mixed":
            return
        if self.codes is None:
            self.codes = self.storage.empty(rows, np.int32)
            self.codes[:] = -1
        new = [self.code_of.setdefault(word, len(self.code_of)) for word in words.categories]
        self.codes[start : start + len(cells)] = np.array([*new, -1], np.int32)[words.codes]

    @property
    def too_many(self) -> bool:
        """Whether there are too many words among the numbers."""
        return len(self.code_of) > (self.storage.most_texts or len(self.code_of))

    def words(self) -> Texts | None:
        """The words among the numbers; None if there are none."""
        return None if self.codes is None else Texts(self.codes, tuple(self.code_of))
