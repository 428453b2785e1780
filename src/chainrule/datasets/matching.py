"""The columns of a frame that a model was trained on, found by name and read as those were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.datasets.columns import Column, Texts, as_column, encoded
from chainrule.datasets.deciding import Candidate
from chainrule.datasets.forms import Kinds, form_of
from chainrule.datasets.frames import THE_FRAME
from chainrule.datasets.table import Table
from chainrule.datasets.wording import absent, some
from chainrule.errors import DataError
from chainrule.lang.messages import _p

__all__ = ["table_of"]


def table_of(columns: Mapping[str, object], known: Kinds, source: str = THE_FRAME) -> Table:
    """The columns that are `known`, read as those were; others are not looked at.

    Texts where numbers were are read as in a file ("1,234", "12 kg"), truths as the words that
    a file has for them.

    Raises:
        DataError: a known column that is absent, or that cannot be one of a table.
    """
    _refuse_absent(columns, known, source)
    found: dict[str, object] = {}
    words: dict[str, Texts] = {}
    for name, value in columns.items():
        form = form_of(known.get(name))
        if form is None:
            continue
        column = as_column(value, source, name)
        if isinstance(column, Texts) and form.kind != "text":
            decided = Candidate(column, form).decide("", form.decimal or ".")
            if decided.values is not None:
                beside = decided.words_of(column)
                if beside is not None:
                    words[name] = beside
                column = decided.numbers_of(column)
        elif form.kind == "text" and not isinstance(column, Texts) and _are_truths(value):
            column = encoded({1: "True", 0: "False"}.get(cell, "") for cell in column.tolist())
        found[name] = column
    blocks: list[tuple[list[str], Column]] = [
        ([name], np.asarray(column).reshape(-1, 1))
        for name, column in found.items()
        if not isinstance(column, Texts)
    ]
    texts = {name: column for name, column in found.items() if isinstance(column, Texts)}
    return Table.from_blocks(list(found), blocks, texts, source, words=words)


def _refuse_absent(columns: Mapping[str, object], known: Kinds, source: str) -> None:
    names = [name for name in known if name not in columns]
    if names:
        free = [name for name in columns if name not in known]
        here = some(list(columns), rest="…") if columns else _p("columns of a table", "none")
        raise DataError(absent(source, names, free, here))


def _are_truths(value: Any) -> bool:
    return str(getattr(value, "dtype", "")).lower().startswith("bool") or (
        isinstance(value, list) and all(isinstance(cell, bool) for cell in value)
    )
