"""Metrics: how good predictions are, in numbers people know."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chainrule.errors import SettingError, ShapeError, nearest

__all__ = [
    "METRICS",
    "ClassScore",
    "Metric",
    "accuracy",
    "class_scores",
    "confusion_matrix",
    "default_metrics",
    "in_units",
    "mae",
    "r2",
    "regression_scores",
    "rmse",
    "yes_no_accuracy",
]

Array = npt.NDArray[Any]
#: From outputs (scores or values) and targets to a number.
Metric: TypeAlias = Callable[[Array, Array], float]


def accuracy(outputs: npt.ArrayLike, t: npt.ArrayLike) -> float:
    """The part of the rows whose class is right: scores (N, C) and ids or one-hot rows.

    Scores (N,) or (N, 1) are one yes-or-no question, yes above 0. For several questions in one
    row, each with an answer of its own, see `yes_no_accuracy`.

    >>> accuracy([[2.0, 1.0], [0.0, 3.0]], [0, 0])
    0.5
    """
    scores, targets = np.asarray(outputs), np.asarray(t)
    if scores.ndim < 2 or scores.shape[-1] == 1:
        return yes_no_accuracy(scores, targets)
    if targets.shape == scores.shape:
        targets = targets.argmax(axis=-1)
    ids: Array = scores.argmax(axis=-1)
    return float(np.mean(ids == _same_shape(ids, targets)))


def yes_no_accuracy(outputs: npt.ArrayLike, t: npt.ArrayLike) -> float:
    """The part of the yes-or-no answers that are right: scores of any shape, yes above 0.

    >>> yes_no_accuracy([[2.0, -1.0], [3.0, 4.0]], [[1, 0], [1, 0]])
    0.75
    """
    yes = np.asarray(outputs) > 0
    return float(np.mean(yes == (_same_shape(yes, np.asarray(t)) > 0.5)))


def _same_shape(found: Array, t: Array) -> Array:
    if found.shape != t.shape and found.size == t.size and found.ndim + t.ndim == 3:
        t = t.reshape(found.shape)  # (N,) beside (N, 1)
    if found.shape != t.shape:
        raise ShapeError(
            f"predictions of shape {found.shape} do not match targets of shape {t.shape}: every"
            " prediction needs one target."
        )
    return t


def r2(outputs: npt.ArrayLike, t: npt.ArrayLike) -> float:
    """R² = 1 - Σ (y - t)² / Σ (t - mean t)², over all outputs; 0 is as good as the mean.

    NaN where it has no meaning: for fewer than two rows, or targets that are all the same.
    """
    y, t = _values(outputs, t)
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
    y, t = np.asarray(outputs, dtype=float), np.asarray(t, dtype=float)
    return y, _same_shape(y, t)


def confusion_matrix(ids: npt.ArrayLike, t: npt.ArrayLike, classes: int) -> npt.NDArray[np.int64]:
    """Counts (classes, classes): row, the true class; column, the predicted one.

    >>> confusion_matrix([0, 1, 1], [0, 0, 1], 2)
    array([[1, 1],
           [0, 1]])
    """
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (np.asarray(t), np.asarray(ids)), 1)
    return counts


@dataclass(frozen=True)
class ClassScore:
    """How one class fares: its rows, the part of them found, the part of its mentions that are right.

    A part of nothing is None.
    """

    rows: int
    recall: float | None
    precision: float | None


def class_scores(counts: npt.ArrayLike) -> list[ClassScore]:
    """The classes one by one, from a confusion matrix.

    >>> class_scores([[1, 1], [0, 1]])[1]
    ClassScore(rows=1, recall=1.0, precision=0.5)
    """
    table = np.asarray(counts)
    hits, rows, told = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    return [
        ClassScore(n, hit / n if n else None, hit / said if said else None)
        for hit, n, said in zip(hits.tolist(), rows.tolist(), told.tolist(), strict=True)
    ]


def in_units(value: float | None) -> str:
    """An error in the units of the target, as people write amounts; a dash for none.

    >>> in_units(29552.4), in_units(61.914), in_units(0.000123456), in_units(2.5e12)
    ('29,552', '61.91', '0.0001235', '2.5e+12')
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def regression_scores(
    y: npt.ArrayLike, t: npt.ArrayLike, unit: float = 1.0
) -> dict[str, float | None]:
    """R², RMSE and MAE of standardised answers and targets; the last two times `unit`.

    R² is None where it is not defined: for fewer than two rows, or if all targets are the same.
    The differences are those of the standardised values: in the target's own unit their squares
    could underflow to nothing, or overflow.
    """
    given, true = np.asarray(y, np.float64).ravel(), np.asarray(t, np.float64).ravel()
    wrong, around = given - true, true - true.mean()
    constant = bool((true == true[0]).all())
    r2 = None if constant else 1 - float(np.sum(wrong**2)) / float(np.sum(around**2))
    return {
        "r2": r2,
        "rmse": float(np.sqrt(np.mean(wrong**2))) * unit,
        "mae": float(np.mean(np.abs(wrong))) * unit,
    }


METRICS: dict[str, Metric] = {"accuracy": accuracy, "r2": r2, "rmse": rmse, "mae": mae}


def default_metrics(target: str) -> dict[str, Metric]:
    """The metrics that go with the targets of a loss."""
    chosen: dict[str, dict[str, Metric]] = {
        "values": {"r2": r2},
        "classes": {"accuracy": accuracy},
        "binary": {"accuracy": yes_no_accuracy},
    }
    return chosen.get(target, {})


def named_metrics(metrics: Iterable[str | Metric] | None, target: str) -> dict[str, Metric]:
    """Metrics by name, from names and functions; None gives the ones that suit the targets."""
    if metrics is None:
        return default_metrics(target)
    chosen: dict[str, Metric] = {}
    for metric in [metrics] if isinstance(metrics, str) else metrics:
        if callable(metric):
            chosen[getattr(metric, "__name__", "metric")] = metric
        elif metric in METRICS:
            known = METRICS | default_metrics(target)
            chosen[metric] = known[metric]
        else:
            raise SettingError(f'metric "{metric}" is not known; {nearest(metric, METRICS)}.')
    return chosen
