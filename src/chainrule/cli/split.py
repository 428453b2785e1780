"""Which rows to train on and which to hold out; the same for training and for evaluation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from chainrule.cli.terminal import number_of
from chainrule.datasets import Preparation, Table, rows_with_target, stratified_split
from chainrule.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Rows", "divide", "keep_rows"]

Task = Literal["auto", "classification", "regression"]
Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """A table divided: the rows with a target, and which of them are held out."""

    table: Table
    task: Literal["classification", "regression"]
    training: Numbers
    held: Numbers
    notes: tuple[str, ...]


def keep_rows(
    table: Table, target: str, missing: str, task: Task = "auto"
) -> tuple[Table, tuple[str, ...]]:
    """The rows that can be learned from, and sentences about those that cannot."""
    known, lost = rows_with_target(table, target, task)
    notes = []
    words = table.words(target)
    wordy = np.zeros(len(table), bool) if words is None else (words.codes >= 0) & ~known
    if words is not None and wordy.any():
        said = dict.fromkeys(words.categories[code] for code in words.codes[wordy].tolist())
        some = ", ".join(map(repr, list(said)[:3])) + (", …" if len(said) > 3 else "")
        verbs = ("have words", "are") if wordy.sum() > 1 else ("has a word", "is")
        notes.append(
            f"{int(wordy.sum()):,} of {number_of(len(table), 'row')} {verbs[0]} in place of a number"
            f" in {target!r} ({some}) and {verbs[1]} left out. (As classes: --task classification.)"
        )
    if lost - wordy.sum():
        count = int(lost - wordy.sum())
        verbs = ("have", "are") if count > 1 else ("has", "is")
        rows = number_of(len(table), "row")
        notes.append(f"{count:,} of {rows} {verbs[0]} no {target!r} and {verbs[1]} left out.")
    table = table.rows(known) if lost else table
    if missing == "fill":
        return table, tuple(notes)
    gaps = np.zeros(len(table), bool)
    for name in table.missing_counts():
        gaps |= table.missing(name)
    if gaps.any():
        counts = table.missing_counts()
        listed = ", ".join(f"{name!r} {count}" for name, count in list(counts.items())[:8])
        if missing == "error":
            raise DataError(
                f"{table.source}: {int(gaps.sum())} of {number_of(len(table), 'row')}"
                f" {'have' if gaps.sum() > 1 else 'has'} missing cells ({listed})."
                " Complete them, or say --missing fill or --missing drop."
            )
        if gaps.all():
            raise DataError(
                f"{table.source}: every row has a missing cell ({listed}), so --missing drop leaves"
                " nothing. Say --missing fill, or take out such columns."
            )
        plural = "rows with missing cells are" if gaps.sum() > 1 else "row with missing cells is"
        notes.append(f"{int(gaps.sum())} {plural} left out ({listed}).")
        table = table.rows(~gaps)
    return table, tuple(notes)


def divide(table: Table, target: str, task: Task, fraction: float, seed: int, missing: str) -> Rows:
    """Leave out the rows without a target, then hold back a fraction, class by class."""
    table, notes = keep_rows(table, target, missing, task)
    # The target's kind decides how to divide; the preparation itself sees the training rows only.
    beside = "row" if target != "row" else "line"
    column: Sequence[Any] = table.column(target)  # type: ignore[assignment]
    alone = Table.from_matrix(np.zeros((len(table), 1)), (beside,), {target: column}, table.source)
    kind = Preparation.fit(alone, target, task)
    if fraction == 0:
        everything = np.arange(len(table))
        return Rows(table, kind.task, everything, everything[:0], notes)
    t = kind.targets(alone)
    alike = kind.classes is not None and len(np.unique(t)) == len(t)
    if len(t) < 2 or alike:
        what = (
            "there is 1 row with a target only"
            if len(t) < 2
            else f"every one of the {len(t):,} classes of {target!r} has a single row"
        )
        numbers = bool(kind.classes) and not isinstance((kind.classes or [""])[0], str)
        hint = " If these are numbers to predict, say --task regression." if numbers else ""
        if (
            alike
            and not numbers
            and all(re.search(r"\d", str(name)) for name in kind.classes or ())
        ):
            hint = (
                " If these are amounts, write them as numbers alone, without units and signs: 1.5."
            )
        raise DataError(
            f"{table.source}: {what}, which is needed for training, so none can be held out. Add"
            f" rows, or say --validation 0.{hint}"
        )
    training, held = stratified_split(t, fraction, seed)
    return Rows(table, kind.task, training, held, notes)
