"""Columns that know their types, read as the columns of training were where that is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from chainrule.datasets.columns import Column, Read, Texts, as_column, encoded, holds_dates, short
from chainrule.datasets.deciding import Candidate
from chainrule.datasets.forms import Form, Kinds, form_of
from chainrule.datasets.frames import THE_FRAME
from chainrule.datasets.remarks import with_data_notes
from chainrule.datasets.rules import Reading
from chainrule.datasets.table import Table
from chainrule.datasets.wording import absent, some
from chainrule.errors import DataError
from chainrule.lang.messages import _p

__all__ = ["Mixed", "table_of", "typed_table"]


def table_of(columns: Mapping[str, object], known: Kinds, source: str = THE_FRAME) -> Table:
    """A table of the `known` columns, read in their known forms; other columns are ignored.

    In a number column, texts are parsed as in a file ("1,234", "12 kg"); in a text column, numbers
    become texts, and bools "True" and "False".

    Raises:
        DataError: a known column is absent, or cannot be a column of a table.
    """
    _refuse_absent(columns, known, source)
    used = {name: value for name, value in columns.items() if name in known}
    return _table(used, lambda name: form_of(known.get(name)), source)


def typed_table(columns: Mapping[str, object], reading: Reading, source: str) -> Table:
    """A table of columns from a file that knows their types; `reading` may say more of some.

    Raises:
        DataError: a column of the reading's kinds is absent, or a column no table can have.
    """
    table = _table(columns, reading.form, source, reading.decimal, reading.day_first)
    return with_data_notes(table, [name for name in table.names if reading.judged(name)])


@dataclass(frozen=True)
class Mixed:
    """Texts of which some are numbers, to be read as the cells of a text table."""

    texts: Texts


def _table(
    columns: Mapping[str, object],
    form_of_column: Callable[[str], Form | None],
    source: str,
    decimal: str = "",
    day_first: bool | None = None,
) -> Table:
    texts: dict[str, Texts] = {}
    words: dict[str, Texts] = {}
    forms: dict[str, Form] = {}
    blocks: list[tuple[list[str], Column]] = []
    for name, value in columns.items():
        form, mixed = form_of_column(name), isinstance(value, Mixed)
        column = as_column(value.texts if isinstance(value, Mixed) else value, source, name)
        if isinstance(column, Texts) and (mixed or (form is not None and form.kind != "text")):
            known = decimal or (form.decimal if form is not None else "")
            decision = Candidate(column, form).decide(decimal, known or ".", day_first)
            forms[name] = decision.form
            if decision.values is not None:
                beside = decision.words_of(column)
                if beside is not None:
                    words[name] = beside
                column = decision.numbers_of(column)
        elif form is not None and form.kind == "text" and not isinstance(column, Texts):
            column = _as_texts(column, _are_truths(value))
        elif holds_dates(value):
            forms[name] = Form("date")
        if isinstance(column, Texts):
            texts[name] = column
        else:
            blocks.append(([name], column.reshape(-1, 1)))
    return Table.from_blocks(list(columns), blocks, texts, source, words=words, forms=forms)


def _as_texts(column: Column, truths: bool) -> Texts:
    """Numbers as texts, a whole one without a point; bools as "True" and "False"."""
    cells = column.tolist()
    if truths:
        return encoded({1: "True", 0: "False"}.get(cell, "") for cell in cells)
    return encoded("" if cell != cell else short(cell) for cell in cells)


def _refuse_absent(columns: Mapping[str, object], known: Kinds, source: str) -> None:
    names = [name for name in known if name not in columns]
    if names:
        free = [name for name in columns if name not in known]
        here = some(list(columns), rest="…") if columns else _p("columns of a table", "none")
        raise DataError(absent(source, names, free, here))


def _are_truths(value: object) -> bool:
    if isinstance(value, Read):
        return value.truths
    return getattr(value, "dtype", None) == np.dtype(bool) or (
        isinstance(value, list) and all(isinstance(cell, bool) for cell in value)
    )
