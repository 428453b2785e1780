"""The rows and the class that `chainrule explain` was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, SettingError, nearest, shown
from chainrule.explaining.encoded import answers_of
from chainrule.lang.messages import _, _n

if TYPE_CHECKING:
    from chainrule.datasets import Preprocessor, Table
    from chainrule.files import Model

__all__ = ["chosen_label", "chosen_rows"]

Indices = npt.NDArray[np.intp]


def chosen_rows(
    model: Model,
    preparation: Preprocessor,
    table: Table,
    row: Sequence[int],
    line: Sequence[int],
    worst: int | None,
    every: bool,
) -> Indices:
    """The indices of the rows that were asked for."""
    if worst is not None and (row or line):
        raise SettingError(_("--worst chooses the rows; leave --row and --line out."))
    if worst is not None:
        return _worst(model, preparation, table, worst)
    indices = [*row, *(_on_line(table, number) for number in line)]
    for index in row:
        if index >= len(table):
            raise SettingError(
                _(
                    "--row {row}: {source} has {count}, 0 to {last}.",
                    row=index,
                    source=table.source,
                    count=_n("{n:,} row", "{n:,} rows", len(table)),
                    last=len(table) - 1,
                )
            )
    if indices:
        return np.array(list(dict.fromkeys(indices)), np.intp)
    return np.arange(len(table) if every else 1, dtype=np.intp)


def _on_line(table: Table, line: int) -> int:
    """The index of the row on a line of the file."""
    lines = table.lines
    if lines is None:
        raise SettingError(
            _("--line: {source} has no lines. Say --row N, counted from 0.", source=table.source)
        )
    found = np.flatnonzero(lines == line)
    if not found.size:
        raise SettingError(
            _(
                "--line {line}: {source} has no row there; its rows begin on lines {first} to {last}.",
                line=line,
                source=table.source,
                first=lines[0],
                last=lines[-1],
            )
        )
    return int(found[0])


def _worst(model: Model, preparation: Preprocessor, table: Table, count: int) -> Indices:
    """The rows whose true class is least probable, or whose errors are largest."""
    from chainrule.datasets import rows_with_target

    known = np.flatnonzero(rows_with_target(table, preparation.target, preparation.task)[0])
    if preparation.classes is not None:
        known = known[preparation.class_ids(table.rows(known)) >= 0]
    if not len(known):
        raise DataError(
            _("{source}: no row is of a class that the model knows.", source=table.source)
        )
    rows = table.rows(known)
    answers, t = answers_of(model, preparation.transform(rows)), preparation.targets(rows)
    if preparation.classes is not None:
        errors = -answers[np.arange(len(t)), t]
    else:
        errors = np.abs(answers - preparation.inverse_transform(t)[:, 0])
    return known[np.argsort(-errors, kind="stable")[:count]]


def chosen_label(preparation: Preprocessor, given: str | None) -> object:
    """The class of --class, which is a whole number where the labels are."""
    if given is None:
        return None
    classes = preparation.classes
    if classes is None:
        raise SettingError(
            _(
                "--class: the model predicts a number ({target}), which has no classes. Leave it out.",
                target=preparation.target,
            )
        )
    by_text: dict[str, object] = {str(label): label for label in classes}
    if given not in by_text:
        raise SettingError(
            _(
                "--class: {nearest}. Got {got}.",
                nearest=nearest(given, list(by_text)[:40]),
                got=shown(given),
            )
        )
    return by_text[given]
