"""Metrics: how good predictions are, in the usual numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, SettingError, ShapeError, nearest, refuse_class, shown
from chainrule.graph.data import as_numbers
from chainrule.lang.messages import _
from chainrule.settings import whole
from chainrule.training.labels import OUTPUTS, PREDICTIONS, TARGETS, finite, paired, same_shape

__all__ = [
    "METRICS",
    "ClassScore",
    "Metric",
    "accuracy",
    "answer_accuracy",
    "binary_accuracy",
    "class_accuracy",
    "class_scores",
    "confusion_matrix",
    "in_units",
    "mae",
    "named_metrics",
    "r2",
    "regression_scores",
    "rmse",
    "row_losses",
]

Array = npt.NDArray[Any]
#: A function of outputs (scores or values) and targets, which gives a number.
Metric: TypeAlias = Callable[[Array, Array], float]


def accuracy(outputs: npt.ArrayLike, t: npt.ArrayLike) -> float:
    """The share of rows whose class is right, as scikit-learn's accuracy_score for labels.

    outputs: ids or texts, as `network.classify` and scikit-learn give them (N,); scores or
    probabilities of each class, or one-hot rows (N, C). t: ids or texts (N,), one-hot rows or
    probabilities (N, C). Sequences work too: (N, T, C) and (N, T). Scores (N,) or (N, 1) answer one
    yes-or-no question, yes above 0, with targets 0 and 1. For several questions per row, each
    with its own answer, see `binary_accuracy`.

    Raises:
        DataError: numbers that could be read in two ways, such as 0.3 and 0.8 in a single column:
            scores or probabilities?

    >>> accuracy([0, 1, 2, 2], [0, 2, 1, 1])
    0.25
    >>> accuracy([[2.0, 1.0], [0.0, 3.0]], [0, 0])
    0.5
    >>> accuracy(["cat", "dog"], ["cat", "cow"])
    0.5
    """
    labels = paired(outputs, t)
    return float(np.mean(labels.predicted == labels.true))


def binary_accuracy(
    outputs: npt.ArrayLike, t: npt.ArrayLike, threshold: float | None = None
) -> float:
    """The share of yes-or-no answers that are right, of any shape: yes above the threshold.

    The threshold is 0 for scores, 0.5 for probabilities and answers 0 and 1. Without one, numbers
    beyond 0 and 1 are scores; t is yes above 0.5.

    Raises:
        DataError: without a threshold, numbers between 0 and 1: probabilities or scores?

    >>> binary_accuracy([[2.0, -1.0], [3.0, 4.0]], [[1, 0], [1, 0]])
    0.75
    >>> binary_accuracy([0.2, 0.9], [0, 1], threshold=0.5)
    1.0
    """
    y = finite(as_numbers(outputs, OUTPUTS), OUTPUTS)
    true = same_shape(y, finite(as_numbers(t, TARGETS), TARGETS))
    if true.min() < 0 or true.max() > 1:
        raise DataError(
            _(
                "yes-or-no targets go from 0 to 1; got values from {low:g} to {high:g}.",
                low=true.min(),
                high=true.max(),
            )
        )
    if threshold is None:
        threshold = 0.0
        if y.min() >= 0 and y.max() <= 1 and not ((y == 0) | (y == 1)).all():
            raise DataError(
                _(
                    "outputs from {low:.4g} to {high:.4g} could be probabilities, or scores of which those"
                    " above 0 are a yes. Say which: threshold=0.5 or threshold=0.",
                    low=y.min(),
                    high=y.max(),
                )
            )
    return float(np.mean((y > threshold) == (true > 0.5)))


def r2(outputs: npt.ArrayLike, t: npt.ArrayLike) -> float:
    """R² = 1 - Σ (y - t)² / Σ (t - mean t)², over all outputs; 0 is as good as the mean.

    Several columns are weighted by their variances (scikit-learn's "variance_weighted"). NaN where
    R² is not defined: for fewer than two rows, or targets that are all the same.
    """
    y, t = _values(outputs, t)
    if (t == t[:1]).all():
        return math.nan
    total = float(np.sum((t - t.mean(axis=0)) ** 2))
    rest = float(np.sum((y - t) ** 2))
    return 1 - rest / total if total else math.nan


def rmse(outputs: npt.ArrayLike, t: npt.ArrayLike) -> float:
    """√(mean (y - t)²), in the units of t."""
    y, t = _values(outputs, t)
    return float(np.sqrt(np.mean((y - t) ** 2)))


def mae(outputs: npt.ArrayLike, t: npt.ArrayLike) -> float:
    """Mean |y - t|, in the units of t."""
    y, t = _values(outputs, t)
    return float(np.mean(np.abs(y - t)))


def _values(outputs: npt.ArrayLike, t: npt.ArrayLike) -> tuple[Array, Array]:
    y, true = as_numbers(outputs, OUTPUTS), as_numbers(t, TARGETS)
    y, true = finite(y, OUTPUTS).astype(float), finite(true, TARGETS).astype(float)
    true = same_shape(y, true)
    return (y, true) if y.ndim else (y[None], true[None])


def row_losses(y: npt.ArrayLike, t: npt.ArrayLike, classes: bool) -> npt.NDArray[np.float64]:
    """The loss of each row (n,): 1 for a wrong class, or the squared error.

    y: outputs (n, outputs); t: class ids (n,), or values (n, outputs).

    >>> row_losses([[2.0, 1.0], [0.0, 3.0]], [0, 0], classes=True).tolist()
    [0.0, 1.0]
    """
    outputs, true = np.asarray(y, np.float64), np.asarray(t)
    if classes:
        return np.asarray(outputs.argmax(axis=1) != true, np.float64)
    return np.asarray(((outputs - true.reshape(outputs.shape)) ** 2).sum(axis=1))


def confusion_matrix(
    outputs: npt.ArrayLike, t: npt.ArrayLike, classes: int | None = None
) -> npt.NDArray[np.int64]:
    """Counts (C, C): row, the true class; column, the predicted one.

    `outputs` and `t` are as in `accuracy`. `classes` is C; by default it is the number of scores
    in a row, or the largest id plus 1. Texts are in alphabetical order.

    >>> confusion_matrix([0, 1, 1], [0, 0, 1])
    array([[1, 1],
           [0, 1]])
    """
    labels = paired(outputs, t)
    predicted, true = labels.predicted.ravel(), labels.true.ravel()
    if predicted.dtype.kind == "U":
        names, ids = np.unique(np.concatenate([true, predicted]), return_inverse=True)
        true, predicted = ids[: len(true)], ids[len(true) :]
        default = len(names)
    else:
        true, predicted = true.astype(np.int64), predicted.astype(np.int64)
        default = labels.classes or int(max(true.max(), predicted.max())) + 1
    n = default if classes is None else whole(classes, "classes")
    for what, ids in ((TARGETS, true), (PREDICTIONS, predicted)):
        bad = (ids < 0) | (ids >= n)
        if bad.any():
            raise DataError(
                _(
                    "confusion_matrix counts classes from 0 to {last}; the {what} hold {id}. Give more"
                    " classes, or renumber them.",
                    last=n - 1,
                    what=what,
                    id=ids[bad][0],
                )
            )
    counts = np.zeros((n, n), np.int64)
    np.add.at(counts, (true, predicted), 1)
    return counts


@dataclass(frozen=True)
class ClassScore:
    """One class: its number of rows, and its recall and precision.

    Recall is the share of its rows that are predicted right, None if it has no rows; precision the
    share of its predictions that are right, None if it is never predicted.
    """

    rows: int
    recall: float | None
    precision: float | None


def class_scores(counts: npt.ArrayLike) -> list[ClassScore]:
    """The score of each class, from a confusion matrix.

    >>> class_scores([[1, 1], [0, 1]])[1]
    ClassScore(rows=1, recall=1.0, precision=0.5)
    """
    table = np.asarray(counts)
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise ShapeError(_("a confusion matrix is square; got shape {shape}.", shape=table.shape))
    columns = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    return [
        ClassScore(n, hits / n if n else None, hits / predicted if predicted else None)
        for hits, n, predicted in zip(*(c.tolist() for c in columns), strict=True)
    ]


def in_units(value: float | None, beside: float = 0.0) -> str:
    """An error in the units of the target as text, in the usual form for amounts; "-" for None.

    `beside` is an error that it stands beside, whose last digit is then its own.

    >>> in_units(29552.4), in_units(61.9), in_units(0.000123456), in_units(2.5e12)
    ('29,552', '61.90', '0.0001235', '2.500e+12')
    >>> in_units(0.00123, beside=61.914), in_units(898.43, beside=163203.1)
    ('0.00', '898')
    """
    if value is None:
        return "-"
    size = abs(beside or value)
    if not 1e-5 <= size < 1e9:
        return f"{value:.3e}" if value else "0"
    told = f"{value:,.{max(0, 3 - math.floor(math.log10(size)))}f}"
    return told if told.strip("-0.") else told.removeprefix("-")


def regression_scores(
    y: npt.ArrayLike, t: npt.ArrayLike, unit: float = 1.0
) -> dict[str, float | None]:
    """R², RMSE and MAE of standardised predictions and targets; the last two times `unit`.

    R² is None where it is not defined: for fewer than two rows, or if all targets are the same.
    The differences are squared in standardised units: in the target's own unit the squares could
    underflow to 0, or overflow.
    """
    predicted, true = np.asarray(y, np.float64).ravel(), np.asarray(t, np.float64).ravel()
    errors, deviations = predicted - true, true - true.mean()
    constant = bool((true == true[0]).all())
    r2 = None if constant else 1 - float(np.sum(errors**2)) / float(np.sum(deviations**2))
    return {
        "r2": r2,
        "rmse": float(np.sqrt(np.mean(errors**2))) * unit,
        "mae": float(np.mean(np.abs(errors))) * unit,
    }


METRICS: dict[str, Metric] = {"accuracy": accuracy, "r2": r2, "rmse": rmse, "mae": mae}


def class_accuracy(scores: Array, t: Array) -> float:
    """The accuracy of scores (..., C) of classes, for targets that are ids or one-hot rows."""
    true = t.argmax(axis=-1) if t.shape == scores.shape else t
    return float(np.mean(scores.argmax(axis=-1) == true))


def answer_accuracy(scores: Array, t: Array) -> float:
    """The accuracy of yes-or-no scores: yes for a score above 0, and for a target above 0.5."""
    return float(np.mean((scores > 0) == (same_shape(scores, t) > 0.5)))


#: The default metrics of a network, by the kind of targets of its loss.
_OF_TARGET: dict[str, dict[str, Metric]] = {
    "values": {"r2": r2},
    "classes": {"accuracy": class_accuracy},
    "binary": {"accuracy": answer_accuracy},
}
#: The standard columns of a history, whose names no metric may have.
_RESERVED = ("loss", "penalty", "lr", "seconds")


def named_metrics(
    metrics: str | Metric | Iterable[str | Metric] | None, target: str
) -> dict[str, Metric]:
    """Metrics by name, from names and functions; None gives the default ones for the targets."""
    defaults = _OF_TARGET.get(target, {})
    if metrics is None:
        return defaults
    chosen: dict[str, Metric] = {}
    for metric in [metrics] if isinstance(metrics, str) or callable(metrics) else metrics:
        name, function = _named(metric, METRICS | defaults)
        if metric is accuracy or (metric is binary_accuracy and target == "binary"):
            function = defaults.get("accuracy", function)  # a network's outputs are known as scores
        if chosen.get(name, function) is not function:
            raise SettingError(
                _(
                    'two metrics are called "{name}"; give each function a name of its own, by def.',
                    name=name,
                )
            )
        chosen[name] = function
    return chosen


def _named(metric: str | Metric, known: dict[str, Metric]) -> tuple[str, Metric]:
    if isinstance(metric, str) and metric in known:
        return metric, known[metric]
    where = _("the metric {name}", name=getattr(metric, "__name__", ""))
    refuse_class(metric, where, _("a metric"))
    if not callable(metric):
        raise SettingError(
            _(
                "metric {name} is not known; {nearest}.",
                name=shown(metric),
                nearest=nearest(metric, known),
            )
        )
    name = str(getattr(metric, "__name__", type(metric).__name__))
    if name in _RESERVED:
        raise SettingError(
            _(
                'a metric cannot be called "{name}", which is a column of every history; rename it.',
                name=name,
            )
        )
    return name, metric
