"""Permutation importance: how much worse a model scores when a column's cells are shuffled."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError
from chainrule.explaining.encoded import Encoded, chosen_columns, probabilities_of, quick
from chainrule.files import Model
from chainrule.lang.messages import _
from chainrule.layers.initial import Seed, generator
from chainrule.networks.parts import ROWS, in_parts
from chainrule.settings import language, whole
from chainrule.training.metrics import regression_scores
from chainrule.training.probabilities import log_loss
from chainrule.training.progress import ProgressOfParts

__all__ = ["Importance", "permutation_importance", "rows_for"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

#: How many rows are predicted in all where the rows may be fewer, and the fewest rows then.
PREDICTIONS, FEWEST = 1_000_000, 500
#: The metrics of which more is better.
RISING = ("accuracy", "r2")


@dataclass(frozen=True)
class Importance:
    """How much the scores of a model on some rows lose when a column is shuffled.

    `columns` are in the order of what the first metric loses, the largest first; `scores` are those of
    the rows as they are, by metric; `lost[metric]` (columns, repeats) says how much worse each
    shuffle made it: what accuracy or R² fell by, what log loss or RMSE (in the target's unit) rose by.
    """

    columns: tuple[str, ...]
    scores: dict[str, float]
    lost: dict[str, Floats]
    #: How many rows were predicted.
    rows: int

    @property
    def metric(self) -> str:
        """The first metric, by which the columns are in order: "accuracy" or "r2"."""
        return next(iter(self.scores))

    @property
    def mean(self) -> Floats:
        """The mean loss of the first metric for each column."""
        return np.asarray(self.lost[self.metric].mean(axis=1))

    @property
    def std(self) -> Floats:
        """Its standard deviation over the repeats."""
        return np.asarray(self.lost[self.metric].std(axis=1))


def permutation_importance(
    model: Model,
    data: object,
    *,
    repeats: int = 5,
    seed: Seed = 0,
    columns: Sequence[str] | None = None,
    most_rows: int | None = None,
    progress: str | bool | None = None,
    lang: str | None = None,
) -> Importance:
    """Shuffle the cells of one column at a time, and see how much worse the model scores.

    After Breiman, "Random forests", 2001, for any model as in Fisher, Rudin and Dominici, "All models
    are wrong, but many are useful", 2019. A column of the table is shuffled as a whole, however
    many inputs it becomes. Of two columns that tell the same neither may seem important, since the
    other is still there.

    Args:
        model: a model with the preparation of its table.
        data: rows with their targets, best such as the model was not trained on: a Table, a frame or a
            dict of columns.
        repeats: how many times each column is shuffled.
        seed: of the shuffles; each column has its own, whichever others are asked for.
        columns: the names of some columns; all by default.
        most_rows: take so many rows at most, drawn by the seed.
        progress: "auto" shows a bar on a terminal, and elsewhere a line every few seconds, if it takes
            long; None nothing. `lang`: the language of what is shown, as in `Trainer.fit`.

    Raises:
        DataError: fewer than two rows, a target missing or of a class that training did not have.
        SettingError: a model without preparation, or a name that is no column of it.

    >>> import chainrule as cr
    >>> table = cr.datasets.load("iris")
    >>> prepared = cr.datasets.Preprocessor.fit(table, "species")
    >>> x, t = prepared.transform(table), prepared.targets(table)
    >>> net = cr.Sequential(cr.Affine.sized(4, 3), loss=cr.SoftmaxWithLoss(), seed=0)
    >>> history = cr.Trainer(net, cr.Adam(0.05)).fit(x, t, 50, progress=None)
    >>> importance = cr.permutation_importance(cr.files.Model(net, prepared), table)
    >>> importance.columns[:2], importance.metric
    (('petal_width_cm', 'petal_length_cm'), 'accuracy')
    """
    encoded = Encoded(model, _drawn(data, most_rows, seed), target=True)
    preparation, x, rows = encoded.preparation, encoded.x, len(encoded.x)
    whole(repeats, "repeats")
    if rows < 2:
        raise DataError(
            _(
                "{source} has {rows} rows: shuffling changes nothing. Give two rows or more.",
                source=encoded.table.source,
                rows=rows,
            )
        )
    names = chosen_columns(preparation, columns)
    t = preparation.targets(encoded.table)
    places, children = encoded.places, generator(seed).spawn(len(preparation.columns))
    shufflers = dict(zip(preparation.columns, children, strict=True))
    at_once = max(1, min(repeats, ROWS // rows))
    batch = np.tile(x, (at_once, 1))
    found: dict[str, list[dict[str, float]]] = {}
    parts = len(names) * -(-repeats // at_once)
    shown = ProgressOfParts(progress, _("shuffling columns"), parts, language(lang))
    with closing(shown), quick(model.network, batch[:ROWS], parts + 1):
        scores = _scores(model, in_parts(model.network.predict, x), t)
        for name in names:
            own, orders = places[name], [shufflers[name].permutation(rows) for _r in range(repeats)]
            found[name] = []
            for start in range(0, repeats, at_once):
                part = orders[start : start + at_once]
                batch[: len(part) * rows, own] = x[np.concatenate(part)[:, None], own]
                outputs = in_parts(model.network.predict, batch[: len(part) * rows])
                found[name] += [_scores(model, y, t) for y in np.split(outputs, len(part))]
                shown.advance()
            batch[:, own] = np.tile(x[:, own], (at_once, 1))
    lost = {
        metric: np.array([[_worse(metric, score, s[metric]) for s in found[n]] for n in names])
        for metric, score in scores.items()
    }
    means = [-values.mean(axis=1) for values in lost.values()]
    order = np.lexsort(means[::-1])
    lost = {metric: values[order] for metric, values in lost.items()}
    return Importance(tuple(names[i] for i in order), scores, lost, rows)


def rows_for(columns: int, repeats: int) -> int:
    """So many rows that shuffling them takes seconds rather than hours.

    >>> rows_for(10, 5), rows_for(784, 5)
    (20000, 500)
    """
    return max(FEWEST, PREDICTIONS // (columns * repeats))


def _drawn(data: object, most: int | None, seed: Seed) -> object:
    """The rows, or so many of them in their order, of a table that has more."""
    from chainrule.datasets import Table

    if most is None or not isinstance(data, Table) or len(data) <= whole(most, "most_rows"):
        return data
    return data.rows(np.sort(generator(seed).choice(len(data), most, replace=False)))


def _scores(model: Model, outputs: Array, t: Array) -> dict[str, float]:
    """The metrics of outputs, the first of which is the one that reports give."""
    preparation = model.preparation
    assert preparation is not None
    if preparation.classes is None:
        y = preparation.limited(outputs)
        found = regression_scores(y, t, preparation.scale)
        return {name: value for name in ("r2", "rmse") if (value := found[name]) is not None}
    if outputs.ndim == 1 or outputs.shape[1] == 1:
        ids = (outputs.reshape(-1) > 0).astype(np.int64)
    else:
        ids = outputs.argmax(axis=1)
    accuracy = float(np.mean(ids == t))
    return {"accuracy": accuracy, "log_loss": log_loss(probabilities_of(model, outputs), t)}


def _worse(metric: str, before: float, after: float) -> float:
    return before - after if metric in RISING else after - before
