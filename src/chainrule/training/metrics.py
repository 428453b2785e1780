"""Metrics: how good predictions are, in numbers people know."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chainrule.errors import SettingError, ShapeError, nearest

__all__ = [
    "METRICS",
    "Metric",
    "accuracy",
    "confusion_matrix",
    "default_metrics",
    "mae",
    "r2",
    "rmse",
]

Array = npt.NDArray[Any]
#: From outputs (scores or values) and targets to a number.
Metric: TypeAlias = Callable[[Array, Array], float]


def _ids(outputs: Array, t: Array) -> tuple[Array, Array]:
    if outputs.ndim == 2 and outputs.shape[1] > 1:
        ids = outputs.argmax(axis=1)
        if t.ndim == 2 and t.shape == outputs.shape:
            t = t.argmax(axis=1)
    else:
        ids = (outputs.reshape(len(outputs)) > 0).astype(np.int64)
    return ids, t.reshape(len(t))


def accuracy(outputs: npt.ArrayLike, t: npt.ArrayLike) -> float:
    """The part of the rows whose class is right: scores (N, C), or (N, 1) with yes above 0.

    >>> accuracy([[2.0, 1.0], [0.0, 3.0]], [0, 0])
    0.5
    """
    ids, t = _ids(np.asarray(outputs), np.asarray(t))
    return float(np.mean(ids == t))


def r2(outputs: npt.ArrayLike, t: npt.ArrayLike) -> float:
    """R² = 1 - Σ (y - t)² / Σ (t - mean t)², over all outputs; 0 is as good as the mean."""
    y, t = _values(outputs, t)
    total = float(np.sum((t - t.mean(axis=0)) ** 2))
    rest = float(np.sum((y - t) ** 2))
    return 1 - rest / total if total else (1.0 if rest == 0 else 0.0)


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
    if y.ndim == 2 and y.shape[1] == 1 and t.ndim == 1:
        y = y[:, 0]
    if y.shape != t.shape:
        raise ShapeError(f"outputs of shape {y.shape} do not match targets of shape {t.shape}.")
    return y, t


def confusion_matrix(ids: npt.ArrayLike, t: npt.ArrayLike, classes: int) -> npt.NDArray[np.int64]:
    """Counts (classes, classes): row, the true class; column, the predicted one.

    >>> confusion_matrix([0, 1, 1], [0, 0, 1], 2)
    array([[1, 1],
           [0, 1]])
    """
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (np.asarray(t), np.asarray(ids)), 1)
    return counts


METRICS: dict[str, Metric] = {"accuracy": accuracy, "r2": r2, "rmse": rmse, "mae": mae}


def default_metrics(target: str) -> dict[str, Metric]:
    """The metrics that go with the targets of a loss."""
    return {"r2": r2} if target == "values" else {"accuracy": accuracy}


def named_metrics(metrics: Iterable[str | Metric] | None, target: str) -> dict[str, Metric]:
    """Metrics by name, from names and functions; None gives the ones that suit the targets."""
    if metrics is None:
        return default_metrics(target)
    chosen: dict[str, Metric] = {}
    for metric in [metrics] if isinstance(metrics, str) else metrics:
        if callable(metric):
            chosen[getattr(metric, "__name__", "metric")] = metric
        elif metric in METRICS:
            chosen[metric] = METRICS[metric]
        else:
            raise SettingError(f'metric "{metric}" is not known; {nearest(str(metric), METRICS)}.')
    return chosen
