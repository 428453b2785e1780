"""Rows that were not there in training: whether their columns will do, and what is said of their cells."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from chainrule.datasets.fitting import filled_notes
from chainrule.datasets.parts import (
    FlagColumn,
    NumberColumn,
    Part,
    TextColumn,
    WordColumn,
    part_ids,
)
from chainrule.datasets.table import Table
from chainrule.datasets.wording import absent, quoted, some
from chainrule.errors import DataError
from chainrule.lang.messages import Text, _, _n, listed

__all__ = ["check_columns", "is_number", "new_row_notes"]


def check_columns(table: Table, parts: Sequence[Part]) -> None:
    """Raise a DataError where a column that the parts need is absent, or holds texts for numbers."""
    columns = list(dict.fromkeys(part.name for part in parts))
    lost = [name for name in columns if name not in table]
    if lost:
        free = [name for name in table.names if name not in columns]
        raise DataError(absent(table.source, lost, free, some(table.names)))
    wrong = [
        part.name
        for part in parts
        if isinstance(part, NumberColumn) and not part.of and table.kind(part.name) == "text"
    ]
    if wrong:
        raise _texts_in(table, wrong)


def _texts_in(table: Table, names: Sequence[str]) -> DataError:
    """The error about texts in these columns, which were numbers in training."""
    columns: list[Text] = []
    first = None
    for name in names[:5]:
        cells = table[name].tolist()
        bad = [i for i, cell in enumerate(cells) if cell and not is_number(cell)]
        first = table.location_of(bad[0], name) if bad and first is None else first
        examples: Text = listed(
            _("{cell} ({line})", cell=quoted(cells[i], 40), line=table.line_of(i)) for i in bad[:3]
        )
        if len(bad) > 3:
            examples = _("{cells}, and {count} more", cells=examples, count=len(bad) - 3)
        column = quoted(name)
        columns.append(
            _("column {column}: {cells}", column=column, cells=examples or _("no number"))
        )
    if len(names) > 5:
        columns.append(_n("and {n} more column", "and {n} more columns", len(names) - 5))
    return DataError(
        _(
            "{where}: texts where the training rows have numbers. Got {columns}. Correct the cells, or"
            " leave them empty.",
            where=first or table.source,
            columns=listed(columns, "clauses"),
        )
    )


def new_row_notes(table: Table, parts: Sequence[Part]) -> tuple[Text, ...]:
    """Sentences about missing cells that are filled, and texts that the training rows do not have."""
    counts = table.missing_counts()
    gaps: list[tuple[str, int, float]] = []
    known: dict[tuple[str, bool], TextColumn] = {}
    for part in parts:
        if isinstance(part, NumberColumn):
            if counts.get(part.name) and part.of is None:
                gaps.append((part.name, counts[part.name], part.median))
        elif not isinstance(part, FlagColumn):
            beside = isinstance(part, WordColumn)
            before = known.get((part.name, beside))
            categories = part.categories if before is None else before.categories + part.categories
            known[part.name, beside] = (WordColumn if beside else TextColumn)(part.name, categories)
    warnings = filled_notes(gaps)
    for (name, beside), part in known.items():
        new = part_ids(table, part) < 0
        if beside:
            words = table.words(name)
            new &= np.zeros(len(table), bool) if words is None else words.codes >= 0
        unseen = int(new.sum())
        if unseen:
            warnings.append(
                _n(
                    "{n} cell in {column} holds a text that the training rows do not have, and became"
                    " zeros.",
                    "{n} cells in {column} hold texts that the training rows do not have, and became"
                    " zeros.",
                    unseen,
                    column=quoted(name),
                )
            )
    return tuple(warnings)


def is_number(cell: str) -> bool:
    """Whether a text is a finite number as Python writes it."""
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False
