"""What a model has to beat: one answer for every row, and a straight line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chainrule.datasets.parts import Layout
from chainrule.errors import DataError, ShapeError
from chainrule.lang.messages import _
from chainrule.layers.initial import generator
from chainrule.networks.parts import in_parts
from chainrule.training.linear import Linear, fit_linear
from chainrule.training.metrics import r2, row_losses

__all__ = ["Baselines", "Comparison"]

Array = npt.NDArray[Any]

#: The line is fitted to so many rows and numbers at most, drawn from all rows, and to so many columns.
ROWS, NUMBERS, COLUMNS = 10_000, 4_000_000, 1_000


@dataclass(frozen=True)
class Comparison:
    """The scores of one model and of the baselines on the same rows: accuracy, or R².

    A score is None where it has no meaning, or where there is no line. `worse_than` says what the
    model does not beat: "constant" if it is no better than one answer for every row; "linear" if
    the line is better by more than chance explains: the sum of the row-by-row differences exceeds
    the root of the sum of their squares, one standard error.
    """

    model: float | None
    constant: float | None
    linear: float | None
    worse_than: Literal["constant", "linear"] | None


@dataclass(frozen=True)
class Baselines:
    """The simplest models of a training set: one `answer` for every row, and a `linear` model.

    `answer` is the mean of the targets (outputs,); in classification, the share of every class
    (classes,), the largest of which is the predicted class. `linear` is None for tables of more
    than 1,000 columns.

    >>> x, t = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 0, 1]
    >>> baselines = Baselines.fit(x, t, classes=2)
    >>> baselines.answer.tolist()
    [0.75, 0.25]
    >>> scores = [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]
    >>> found = baselines.compare(scores, x, t)
    >>> found.model, found.constant, found.worse_than
    (0.5, 0.75, 'constant')
    """

    answer: npt.NDArray[np.float64]
    linear: Linear | None
    classifies: bool
    #: The mean row of x (columns,), one-hot, from which answers are explained; None if it was not kept.
    mean: npt.NDArray[np.float64] | None = None

    @classmethod
    def fit(
        cls,
        x: npt.ArrayLike,
        t: npt.ArrayLike,
        classes: int | None = None,
        layout: Layout | None = None,
    ) -> Baselines:
        """The baselines of training rows x (n, columns).

        t: values (n,) or (n, outputs), or class ids (n,) when `classes` is given.
        layout: where x holds row numbers of embeddings, the line has a column for each of them.

        Raises:
            DataError, ShapeError: as `fit_linear`.
        """
        rows, targets = np.asarray(x), np.asarray(t)
        if rows.ndim != 2 or targets.shape[:1] != rows.shape[:1]:
            raise ShapeError(
                _(
                    "x must be (n, columns) with a target for every row; got shapes {x} and {t}.",
                    x=rows.shape,
                    t=targets.shape,
                )
            )
        if not len(rows):
            raise DataError(_("x has no rows, so there is nothing to compare with."))
        if classes is None:
            answer = targets.astype(np.float64).reshape(len(rows), -1).mean(axis=0)
        else:
            answer = np.bincount(targets, minlength=classes) / len(targets)
        mean = rows.mean(axis=0, dtype=np.float64) if layout is None else layout.mean_row(rows)
        line = None
        width = layout.width(rows.shape[1]) if layout else rows.shape[1]
        if width <= COLUMNS:
            most = min(ROWS, NUMBERS // max(width, 1))
            if len(rows) > most:  # drawn at random: every second row may be of the same class
                sample = generator(0).permutation(len(rows))[:most]
                rows, targets = rows[sample], targets[sample]
            line = fit_linear(layout.one_hot(rows) if layout else rows, targets, classes)
        return cls(answer, line, classes is not None, np.asarray(mean))

    def compare(
        self, y: npt.ArrayLike, x: npt.ArrayLike, t: npt.ArrayLike, layout: Layout | None = None
    ) -> Comparison:
        """The scores of a model's outputs y (n, outputs) for the rows x, and of the baselines.

        layout: as in `fit`.
        """
        outputs, true = np.asarray(y, np.float64), np.asarray(t)
        constant = np.broadcast_to(self.answer, outputs.shape)
        line = None if self.linear is None else self._line(self.linear, np.asarray(x), layout)
        costs = row_losses(outputs, true, self.classifies)
        worse: Literal["constant", "linear"] | None = None
        if costs.any() and costs.sum() >= row_losses(constant, true, self.classifies).sum():
            worse = "constant"
        elif line is not None:
            gaps = costs - row_losses(line, true, self.classifies)
            if gaps.sum() > math.sqrt(np.sum(gaps**2)):
                worse = "linear"
        line_score = None if line is None else self._score(line, true)
        return Comparison(
            self._score(outputs, true), self._score(constant, true), line_score, worse
        )

    @staticmethod
    def _line(linear: Linear, x: Array, layout: Layout | None) -> Array:
        if layout is None:
            return linear.predict(x)
        return in_parts(lambda rows: linear.predict(layout.one_hot(rows)), x)

    def _score(self, y: Array, t: Array) -> float | None:
        if self.classifies:
            return 1.0 - float(row_losses(y, t, True).mean()) if len(t) else None
        score = r2(y, t.reshape(y.shape))
        return score if math.isfinite(score) else None
