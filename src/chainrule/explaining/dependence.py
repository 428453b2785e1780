"""Partial dependence: the mean answer of a model when a column has the same value in all rows."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chainrule.datasets import Preprocessor, Table
from chainrule.datasets.parts import FlagColumn, NumberColumn
from chainrule.datasets.targets import Target
from chainrule.datasets.wording import at_column, quoted
from chainrule.errors import DataError, SettingError
from chainrule.explaining.encoded import Encoded, answers_of, chosen_columns, quick
from chainrule.files import Model
from chainrule.lang.messages import _
from chainrule.networks.parts import ROWS
from chainrule.settings import language, whole
from chainrule.training.progress import ProgressOfParts

__all__ = ["PartialDependence", "partial_dependence"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
#: The middle part of the numbers of a column, between which the grid lies.
EDGES = 0.05, 0.95


@dataclass(frozen=True)
class PartialDependence:
    """The mean answer of a model for each value of a column.

    `grid` (G,): the values, numbers or texts, where "" is a missing cell. `mean`: probabilities (G,
    classes), or values (G,) in the unit of the target. `lines`: the answer of every row, (n, G, …).
    """

    column: str
    kind: Literal["number", "date", "text"]
    grid: Array
    mean: Floats
    lines: Floats | None = None


def partial_dependence(
    model: Model,
    data: object,
    column: str,
    *,
    points: int = 50,
    grid: npt.ArrayLike | None = None,
    lines: bool = False,
    progress: str | bool | None = None,
    lang: str | None = None,
) -> PartialDependence:
    """Give all rows the same value in a column, for one value after the other, and average the answers.

    After Friedman, "Greedy function approximation", 2001; with `lines`, also the answers row by
    row, as in Goldstein et al., "Peeking inside the black box", 2015. All other cells stay as they
    are, so that where columns go together the values may be such as no row has.

    Args:
        model: a model with the preparation of its table.
        data: a Table, a frame or a dict of columns; the target is not needed.
        column: the name of the column.
        points: how many values: of a number the middle nine tenths in equal steps, or all values if
            they are no more; of a text the most frequent categories.
        grid: the values themselves; dates as days since 1970.
        lines: keep the answers of every row.
        progress: "auto" shows a bar on a terminal, and elsewhere a line every few seconds, if it takes
            long; None nothing. `lang`: the language of what is shown, as in `Trainer.fit`.

    Raises:
        SettingError: a model without preparation, or no such column of it.
        DataError: no rows, a column without numbers, texts in `grid` where numbers are due.

    >>> import chainrule as cr
    >>> table = cr.datasets.Table({"a": [0.0, 1.0, 2.0, 3.0], "t": [0.5, 2.5, 4.5, 6.5]})
    >>> prepared = cr.datasets.Preprocessor.fit(table, "t")
    >>> net = cr.Sequential(cr.Affine([[1.0]], [0.0]), loss=cr.MeanSquaredError())
    >>> found = cr.partial_dependence(cr.files.Model(net, prepared), table, "a", grid=[1, 2])
    >>> found.mean.round(6).tolist()
    [2.5, 4.5]
    """
    encoded = Encoded(model, data)
    preparation, x = encoded.preparation, encoded.x
    if not isinstance(column, str):
        raise SettingError(_("column: give the name of one column; got {got}.", got=repr(column)))
    (name,) = chosen_columns(preparation, [column])
    if not len(x):
        raise DataError(_("{source} has no rows to average over.", source=encoded.table.source))
    parts = [part for part in preparation.parts if part.name == name]
    is_number = any(isinstance(part, NumberColumn) for part in parts)
    values: Array
    if grid is None:
        most = whole(points, "points")
        values = _numbers(encoded.table, name, most) if is_number else _texts(encoded, name, most)
    else:
        values = np.asarray(grid, np.float64 if is_number else np.str_)
    alone = Preprocessor("", Target("regression"), parts, ())
    cells = alone.transform(Table({name: values}, _("the grid"), kinds=preparation.forms))
    own, rows, at_once = encoded.places[name], len(x), max(1, ROWS // len(x))
    mean, every = [], []
    batch = np.tile(x, (min(at_once, len(cells)), 1))
    parts_of_grid = -(-len(cells) // at_once)
    what = _("the effect of {column}", column=quoted(name, 40))
    shown = ProgressOfParts(progress, what, parts_of_grid, language(lang))
    with closing(shown), quick(model.network, batch[:ROWS], parts_of_grid):
        for start in range(0, len(cells), at_once):
            some = cells[start : start + at_once]
            batch[: len(some) * rows, own] = np.repeat(some, rows, axis=0)
            answers = answers_of(model, batch[: len(some) * rows])
            each = answers.reshape(len(some), rows, *answers.shape[1:])
            mean.append(each.mean(axis=1))
            shown.advance()
            if lines:
                every.append(each)
    is_date = is_number and preparation.forms[name].kind == "date"
    return PartialDependence(
        name,
        "date" if is_date else "number" if is_number else "text",
        values,
        np.concatenate(mean),
        np.concatenate(every).swapaxes(0, 1) if lines else None,
    )


def _numbers(table: Table, name: str, points: int) -> Floats:
    """The values of a number column, or equal steps between its quantiles."""
    cells = table.matrix([name])[:, 0]
    known = np.unique(cells[np.isfinite(cells)])
    if not known.size:
        where = at_column(table.source, quoted(name))
        raise DataError(_("{where} has no number to take values from. Give a grid.", where=where))
    if len(known) <= points:
        return known
    low, high = np.quantile(cells[np.isfinite(cells)], EDGES)
    if low == high:  # most cells are the same
        low, high = known[0], known[-1]
    return np.linspace(low, high, points)


def _texts(encoded: Encoded, name: str, points: int) -> npt.NDArray[np.str_]:
    """The categories of a column that the model knows, the most frequent ones if they are many."""
    known = [
        category
        for part in encoded.preparation.parts
        if part.name == name and not isinstance(part, NumberColumn | FlagColumn)
        for category in part.categories
    ]
    if len(known) > points:
        cells, counts = np.unique(encoded.table[name].astype(np.str_), return_counts=True)
        often = dict(zip(cells.tolist(), counts.tolist(), strict=True))
        known = sorted(known, key=lambda category: -often.get(category, 0))[:points]
    return np.array(known, np.str_)
