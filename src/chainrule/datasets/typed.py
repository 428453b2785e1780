"""Columns that know their types (of a frame, a database, Parquet) as a table stores them.

What the types leave open is decided as for the cells of a text table: texts that are surely dates are
dates, and columns whose form is known are read in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from chainrule.datasets.columns import Column, Read, Texts, as_column, encoded, holds_dates, short
from chainrule.datasets.deciding import Candidate, Decision
from chainrule.datasets.forms import Form
from chainrule.datasets.rules import Reading
from chainrule.datasets.wording import dates_note, quoted
from chainrule.lang.messages import Text

__all__ = ["Mixed", "Typed", "read_typed"]


@dataclass(frozen=True)
class Mixed:
    """Texts of which some are numbers, to be read as the cells of a text table."""

    texts: Texts


@dataclass(frozen=True)
class Typed:
    """Columns by name: numbers or texts, the words beside numbers, how they were written, and notes."""

    columns: dict[str, Column | Texts] = field(default_factory=dict)
    words: dict[str, Texts] = field(default_factory=dict)
    forms: dict[str, Form] = field(default_factory=dict)
    notes: list[Text] = field(default_factory=list)

    @property
    def texts(self) -> dict[str, Texts]:
        """The columns of texts."""
        return {name: c for name, c in self.columns.items() if isinstance(c, Texts)}

    @property
    def blocks(self) -> list[tuple[list[str], Column]]:
        """The columns of numbers, each a block (n, 1) of its own."""
        numbers = [(name, c) for name, c in self.columns.items() if not isinstance(c, Texts)]
        return [([name], column.reshape(-1, 1)) for name, column in numbers]


def read_typed(columns: Mapping[str, object], reading: Reading, source: str) -> Typed:
    """The columns as a table stores them, in the forms that `reading` knows of some.

    In a number column, texts are parsed as in a file ("1,234", "12 kg"); in a text column, numbers
    become texts, and bools "True" and "False". Texts of which all are dates become days since
    1970-01-01, unless they are said to be texts, or are categories by their own type.

    Raises:
        DataError: a column that no table can have.
    """
    typed, dated = Typed(), []
    for name, value in columns.items():
        form = reading.form(name)
        column = as_column(value.texts if isinstance(value, Mixed) else value, source, name)
        if isinstance(column, Texts):
            column = column.stripped()
            decision = _decided(column, form, reading, value)
            if decision is None:
                typed.columns[name] = _without(column, reading.missing_words or frozenset())
                continue
            if "read dates" in decision.cases and reading.judged(name):
                dated.append((name, column.categories[decision.cases["read dates"][0]]))
            _keep(typed, name, column, decision)
        elif form is not None and form.kind == "text":
            typed.columns[name] = _as_texts(column, _are_truths(value))
        else:
            typed.columns[name] = column
            if holds_dates(value):
                typed.forms[name] = Form("date")
    if dated:
        typed.notes.append(dates_note([name for name, _cell in dated], quoted(dated[0][1], 40)))
    return typed


def _decided(column: Texts, form: Form | None, reading: Reading, value: object) -> Decision | None:
    """What a column of texts holds; None for texts."""
    missing = reading.missing | reading.missing_numbers
    candidate = Candidate(column, form, missing)
    if form is None and not isinstance(value, Mixed):
        kept = isinstance(value, Read) and value.categories
        return None if kept else candidate.sure_dates(reading.day_first)
    if form is not None and form.kind == "text":
        return None
    known = reading.decimal or (form.decimal if form is not None else "")
    return candidate.decide(reading.decimal, known or ".", reading.day_first)


def _keep(typed: Typed, name: str, column: Texts, decision: Decision) -> None:
    typed.forms[name] = decision.form
    if decision.values is None:
        typed.columns[name] = column
        return
    beside = decision.words_of(column)
    if beside is not None:
        typed.words[name] = beside
    typed.columns[name] = decision.numbers_of(column)


def _without(texts: Texts, missing: frozenset[str]) -> Texts:
    """The texts, where some words count as missing."""
    if missing.isdisjoint(texts.categories):
        return texts
    return Texts(texts.codes, tuple("" if c in missing else c for c in texts.categories)).tidy()


def _as_texts(column: Column, truths: bool) -> Texts:
    """Numbers as texts, a whole one without a point; bools as "True" and "False"."""
    cells = column.tolist()
    if truths:
        return encoded({1: "True", 0: "False"}.get(cell, "") for cell in cells)
    return encoded("" if cell != cell else short(cell) for cell in cells)


def _are_truths(value: object) -> bool:
    if isinstance(value, Read):
        return value.truths
    return getattr(value, "dtype", None) == np.dtype(bool) or (
        isinstance(value, list) and all(isinstance(cell, bool) for cell in value)
    )
