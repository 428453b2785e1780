"""A frame to predict from: the model's columns, found by name and read as in training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chainrule.datasets.columns import Column, Read, Texts, as_column, encoded
from chainrule.datasets.deciding import Candidate
from chainrule.datasets.forms import Kinds, form_of
from chainrule.datasets.frames import THE_FRAME
from chainrule.datasets.table import Table
from chainrule.datasets.wording import absent, some
from chainrule.errors import DataError
from chainrule.lang.messages import _p

__all__ = ["table_of"]


def table_of(columns: Mapping[str, object], known: Kinds, source: str = THE_FRAME) -> Table:
    """A table of the `known` columns, read in their known forms; other columns are ignored.

    In a number column, texts are parsed as in a file ("1,234", "12 kg"); in a text column, bools
    become "True" and "False".

    Raises:
        DataError: a known column is absent, or cannot be a column of a table.
    """
    _refuse_absent(columns, known, source)
    read_columns: dict[str, object] = {}
    words: dict[str, Texts] = {}
    for name, value in columns.items():
        form = form_of(known.get(name))
        if form is None:
            continue
        column = as_column(value, source, name)
        if isinstance(column, Texts) and form.kind != "text":
            decision = Candidate(column, form).decide("", form.decimal or ".")
            if decision.values is not None:
                beside = decision.words_of(column)
                if beside is not None:
                    words[name] = beside
                column = decision.numbers_of(column)
        elif form.kind == "text" and not isinstance(column, Texts) and _are_truths(value):
            column = encoded({1: "True", 0: "False"}.get(cell, "") for cell in column.tolist())
        read_columns[name] = column
    blocks: list[tuple[list[str], Column]] = [
        ([name], np.asarray(column).reshape(-1, 1))
        for name, column in read_columns.items()
        if not isinstance(column, Texts)
    ]
    texts = {name: column for name, column in read_columns.items() if isinstance(column, Texts)}
    return Table.from_blocks(list(read_columns), blocks, texts, source, words=words)


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
