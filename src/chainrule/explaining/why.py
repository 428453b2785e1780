"""Why a row got its answer: what each column of the table adds to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chainrule.datasets import Preprocessor, Table
from chainrule.errors import DataError, SettingError, nearest, shown
from chainrule.explaining.answers import log_odds, outputs_of
from chainrule.explaining.encoded import Encoded, probabilities_of
from chainrule.explaining.gradients import (
    Answer,
    Attribution,
    at_the_row,
    integrated,
    rows_at_once,
)
from chainrule.files import Model
from chainrule.lang.messages import _, _p
from chainrule.networks.parts import in_parts
from chainrule.nodes.base import Value

__all__ = ["METHODS", "Contributions", "Method", "explain_rows"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]
Method = Literal["integrated", "gradient"]

METHODS = ("integrated", "gradient")


@dataclass(frozen=True)
class Contributions:
    """What each column adds to the answers of some rows.

    `value` (n,) is what is explained: of a classifier the log-odds log p/(1 - p) of the class
    `explained` (n,), of a regression the answer in the unit of the target. `start` is the same for
    the baseline, and `added` (n, columns) leads from the one to the other.
    """

    columns: tuple[str, ...]
    added: Floats
    value: Floats
    start: Floats
    #: The ids of the explained classes; None in regression.
    explained: Ids | None
    #: The probabilities (n, classes); None in regression.
    probabilities: Floats | None
    method: Method
    #: Where the baseline, a mean of encoded rows, comes from.
    baseline: Literal["training", "given", "rows"]
    #: How many gradients were averaged for each row.
    steps: npt.NDArray[np.int64]

    @property
    def gap(self) -> Floats:
        """What the contributions leave of value - start; 0 if they are complete."""
        return np.asarray(self.value - self.start - self.added.sum(axis=1))

    def order(self, row: int) -> list[int]:
        """The indices of the columns by the size of what they add to a row's answer."""
        found: list[int] = np.argsort(-np.abs(self.added[row]), kind="stable").tolist()
        return found


def explain_rows(
    model: Model,
    data: object,
    rows: npt.ArrayLike | None = None,
    *,
    label: object = None,
    method: Method = "integrated",
    baseline: object = None,
) -> Contributions:
    """What each column of the table adds to the answers of a model, by gradients of its graph.

    Explained is the answer of a regression in its unit, or the log-odds log p/(1 - p) of a class:
    for two classes, the difference of their scores. The way begins at the mean of the encoded
    training rows, which the model file keeps with the baselines. What the inputs that a column
    became add is summed; a category that has weights of its own counts by the gradient with respect to
    these weights, on a straight way from the mean weights to its own.

    Args:
        model: a model with the preparation of its table.
        data: a Table, a frame or a dict of columns; the target is not needed.
        rows: the indices of the rows to explain; all by default.
        label: the class to explain; by default the class that each row got.
        method: "integrated" gradients, which add up (see `integrated_gradients`), or "gradient" times
            input.
        baseline: rows whose mean is where the way begins. By default the training rows; for a model
            that does not keep their mean, `data`.

    Raises:
        SettingError: a model without preparation, another method, or a label that is no class.
        DataError: a column is absent, or a row that is not there.

    >>> import chainrule as cr
    >>> table = cr.datasets.load("iris")
    >>> prepared = cr.datasets.Preprocessor.fit(table, "species")
    >>> x, t = prepared.transform(table), prepared.targets(table)
    >>> net = cr.Sequential(cr.Affine.sized(4, 3), loss=cr.SoftmaxWithLoss(), seed=0)
    >>> history = cr.Trainer(net, cr.Adam(0.05)).fit(x, t, 50, progress=None)
    >>> why = cr.explain_rows(cr.files.Model(net, prepared), table, [0])
    >>> prepared.labels(why.explained).tolist(), why.columns[why.order(0)[0]]
    (['setosa'], 'sepal_length_cm')
    >>> bool(abs(why.gap[0]) < 0.01 * abs(why.value[0] - why.start[0]))
    True
    """
    if method not in METHODS:
        raise SettingError(
            _("method: {nearest}. Got {got}.", nearest=nearest(method, METHODS), got=shown(method))
        )
    encoded = Encoded(model, data)
    preparation, layout = encoded.preparation, encoded.preparation.layout
    start, came = _start(encoded, baseline)
    chosen = encoded.x if rows is None else encoded.x[_indices(rows, encoded.table)]
    explained, probabilities, answer = _asked(model, preparation, chosen, label, encoded)
    added, found = [], list[Attribution]()
    places, some = encoded.wide_places.values(), rows_at_once(len(start))
    for first in range(0, max(len(chosen), 1), some):  # one-hot rows may be wide
        z = layout.one_hot(chosen[first : first + some])
        found.append(_attribution(method, answer, z, start, first))
        added.append(np.stack([found[-1].added[:, own].sum(axis=1) for own in places], axis=1))
    scale, center = preparation.scale, preparation.center  # 1 and 0 for classes
    return Contributions(
        preparation.columns,
        np.concatenate(added) * scale,
        np.concatenate([part.value for part in found]) * scale + center,
        np.concatenate([part.start for part in found]) * scale + center,
        explained,
        probabilities,
        method,
        came,
        np.concatenate([part.steps for part in found]),
    )


def _attribution(
    method: Method, answer: Answer, z: Array, start: Floats, first: int
) -> Attribution:
    """What each column of these one-hot rows adds; they are the rows from `first` on."""

    def of_rows(z: Value, rows: npt.NDArray[np.intp]) -> Value:
        return answer(z, first + rows)

    begin = np.broadcast_to(start.astype(z.dtype), z.shape)
    return (integrated if method == "integrated" else at_the_row)(of_rows, z, begin)


def _start(
    encoded: Encoded, baseline: object
) -> tuple[Floats, Literal["training", "given", "rows"]]:
    """The mean row of `layout.one_hot`, and where it comes from."""
    layout, kept = encoded.preparation.layout, encoded.model.baselines
    if baseline is None and kept is not None and kept.mean is not None:
        return kept.mean, "training"
    x = encoded.x if baseline is None else Encoded(encoded.model, baseline).x
    if not len(x):
        raise DataError(_("the baseline is the mean of some rows, and there are none."))
    some = rows_at_once(layout.width(x.shape[1]))
    total = np.zeros(layout.width(x.shape[1]))
    for first in range(0, len(x), some):
        total += layout.one_hot(x[first : first + some]).sum(axis=0, dtype=np.float64)
    return total / len(x), "rows" if baseline is None else "given"


def _indices(rows: npt.ArrayLike, table: Table) -> npt.NDArray[np.intp]:
    """The rows to explain, which are in the table."""
    chosen = np.atleast_1d(np.asarray(rows))
    wrong = chosen.dtype.kind not in "iu" and chosen.size
    if (
        chosen.ndim != 1
        or wrong
        or (chosen.size and not 0 <= chosen.min() <= chosen.max() < len(table))
    ):
        raise DataError(
            _(
                "{source} has {count} rows, 0 to {last}; got rows={rows}.",
                source=table.source,
                count=len(table),
                last=len(table) - 1,
                rows=shown(rows),
            )
        )
    return chosen.astype(np.intp)


def _asked(
    model: Model, preparation: Preprocessor, x: Array, label: object, encoded: Encoded
) -> tuple[Ids | None, Floats | None, Answer]:
    """The explained classes, the probabilities, and the answer as a function of `one_hot` rows."""
    network, layout = model.network, preparation.layout
    places = encoded.coded_places
    if preparation.classes is None:
        if label is not None:
            raise SettingError(
                _(
                    "label: {target} is a number (regression), which has no classes; leave label out.",
                    target=preparation.target,
                )
            )
        return None, None, lambda z, _rows: outputs_of(network, z, layout, places)
    probabilities = probabilities_of(model, in_parts(network.predict, x))
    if label is None:
        ids = probabilities.argmax(axis=1)
    else:
        if label not in preparation.classes:
            raise SettingError(
                _(
                    "label: {nearest}. Got {got}.",
                    nearest=nearest(
                        label,
                        list(map(str, preparation.classes[:40])),
                        _p("what may be chosen", "classes"),
                    ),
                    got=shown(label),
                )
            )
        ids = np.full(len(x), preparation.classes.index(label))
    return (
        ids,
        probabilities,
        lambda z, rows: log_odds(network, outputs_of(network, z, layout, places), ids[rows]),
    )
