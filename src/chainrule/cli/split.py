"""Which rows to train on and which to hold out; the same for training and for evaluation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chainrule.datasets import Preprocessor, Table, rows_with_target, stratified_split
from chainrule.datasets.wording import quoted
from chainrule.errors import DataError
from chainrule.lang.messages import Text, _, _n, listed, sentences

__all__ = ["Split", "divide", "keep_rows"]

Task = Literal["auto", "classification", "regression"]
Indices = npt.NDArray[np.signedinteger[Any]]


@dataclass(frozen=True)
class Split:
    """The rows of a table that have a target, and the indices of those trained on and held out."""

    table: Table
    task: Literal["classification", "regression"]
    training: Indices
    held: Indices
    notes: tuple[Text, ...]


def keep_rows(
    table: Table, target: str, missing: str, task: Task = "auto"
) -> tuple[Table, tuple[Text, ...]]:
    """The rows that can be learned from, and sentences about those that cannot."""
    known, lost = rows_with_target(table, target, task)
    notes: list[Text] = []
    total = _n("{n:,} row", "{n:,} rows", len(table))
    words = table.words(target)
    wordy = np.zeros(len(table), bool) if words is None else (words.codes >= 0) & ~known
    if words is not None and wordy.any():
        texts = dict.fromkeys(words.categories[code] for code in words.codes[wordy].tolist())
        notes.append(
            _n(
                "{n:,} of {rows} has a word in place of a number in {target!r} ({words}) and is left out."
                " (As classes: --task classification.)",
                "{n:,} of {rows} have words in place of a number in {target!r} ({words}) and are left out."
                " (As classes: --task classification.)",
                int(wordy.sum()),
                rows=total,
                target=target,
                words=listed([*map(quoted, list(texts)[:3]), *(["…"] if len(texts) > 3 else [])]),
            )
        )
    if lost - wordy.sum():
        notes.append(
            _n(
                "{n:,} of {rows} has no {target!r} and is left out.",
                "{n:,} of {rows} have no {target!r} and are left out.",
                int(lost - wordy.sum()),
                rows=total,
                target=target,
            )
        )
    table = table.rows(known) if lost else table
    if missing == "fill":
        return table, tuple(notes)
    gaps = np.zeros(len(table), bool)
    for name in table.missing_counts():
        gaps |= table.missing(name)
    if gaps.any():
        counts = list(table.missing_counts().items())[:8]
        where = listed([_("{name!r} {count}", name=name, count=count) for name, count in counts])
        count = int(gaps.sum())
        if missing == "error":
            raise DataError(
                _n(
                    "{source}: {n} of {rows} has missing cells ({columns}). Complete them, or say --missing"
                    " fill or --missing drop.",
                    "{source}: {n} of {rows} have missing cells ({columns}). Complete them, or say --missing"
                    " fill or --missing drop.",
                    count,
                    source=table.source,
                    rows=_n("{n:,} row", "{n:,} rows", len(table)),
                    columns=where,
                )
            )
        if gaps.all():
            raise DataError(
                _(
                    "{source}: every row has a missing cell ({columns}), so --missing drop leaves nothing."
                    " Say --missing fill, or take out such columns.",
                    source=table.source,
                    columns=where,
                )
            )
        notes.append(
            _n(
                "{n} row with missing cells is left out ({columns}).",
                "{n} rows with missing cells are left out ({columns}).",
                count,
                columns=where,
            )
        )
        table = table.rows(~gaps)
    return table, tuple(notes)


def divide(
    table: Table, target: str, task: Task, fraction: float, seed: int, missing: str
) -> Split:
    """Leave out the rows without a target, then hold back a fraction, class by class."""
    table, notes = keep_rows(table, target, missing, task)
    # The target's kind decides how to divide; the preparation itself sees the training rows only.
    beside = "row" if target != "row" else "line"
    texts = table.kind(target) == "text"
    column: Any = table.texts(target) if texts else table.column(target)
    alone = Table.from_matrix(
        np.zeros((len(table), 1), np.uint8), (beside,), {target: column}, table.source
    )
    kind = Preprocessor.fit(alone, target, task)
    if fraction == 0:
        everything = np.arange(len(table))
        return Split(table, kind.task, everything, everything[:0], notes)
    t = kind.targets(alone)
    alike = kind.classes is not None and len(np.unique(t)) == len(t)
    if len(t) < 2 or alike:
        what = (
            _("there is 1 row with a target only")
            if len(t) < 2
            else _(
                "every one of the {count:,} classes of {target!r} has a single row",
                count=len(t),
                target=target,
            )
        )
        numbers = bool(kind.classes) and not isinstance((kind.classes or [""])[0], str)
        hint = None
        if numbers:
            hint = _("If these are numbers to predict, say --task regression.")
        elif alike and all(re.search(r"\d", str(name)) for name in kind.classes or ()):
            hint = _(
                "If these are amounts, write them as numbers alone, without units and signs: 1.5."
            )
        problem = _(
            "{source}: {what}, which is needed for training, so none can be held out. Add rows, or say"
            " --validation 0.",
            source=table.source,
            what=what,
        )
        raise DataError(sentences(problem, hint))
    training, held_out = stratified_split(t, fraction, seed)
    if table.on_disk:  # memory matters more than a conversion
        small = np.min_scalar_type(-len(table))
        return Split(table, kind.task, training.astype(small), held_out.astype(small), notes)
    return Split(table, kind.task, training, held_out, notes)
