"""Scores of probabilities: log loss, Brier score, and whether they come true (calibration)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, SettingError, ShapeError, nearest, shown
from chainrule.graph.data import as_numbers
from chainrule.lang.messages import Text, _
from chainrule.settings import whole
from chainrule.training.labels import TARGETS, finite

__all__ = ["CalibrationCurve", "brier_score", "calibration_curve", "log_loss"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Strategy = Literal["uniform", "quantile"]

PROBABILITIES: Text = _("probabilities")
STRATEGIES = ("uniform", "quantile")


def log_loss(probabilities: npt.ArrayLike, t: npt.ArrayLike) -> float:
    """The mean of -log p over the rows, p the probability of the true class.

    probabilities: (N, C), or (N,) those of class 1; t: class ids (N,). A probability below the
    smallest normal float64 counts as that, so that the mean is finite.

    >>> round(log_loss([[0.9, 0.1], [0.2, 0.8]], [0, 1]), 4)
    0.1643
    """
    p, ids = _rows(probabilities, t)
    truth = p[np.arange(len(ids)), ids]
    return float(-np.log(np.maximum(truth, np.finfo(np.float64).tiny)).mean())


def brier_score(probabilities: npt.ArrayLike, t: npt.ArrayLike) -> float:
    """The mean squared error of the probabilities; 0 is perfect.

    For two classes the mean of (p - t)², from 0 to 1; for more of Σ (p - one-hot)², from 0 to 2
    (Brier, "Verification of forecasts expressed in terms of probability", 1950). Arguments as in
    `log_loss`.

    >>> round(brier_score([0.9, 0.2], [1, 0]), 4), round(brier_score([[0.5, 0.3, 0.2]], [0]), 4)
    (0.025, 0.38)
    """
    p, ids = _rows(probabilities, t)
    errors = p - np.eye(p.shape[1])[ids]
    squares = float(np.sum(errors**2) / len(ids))
    return squares / 2 if p.shape[1] == 2 else squares


@dataclass(frozen=True)
class CalibrationCurve:
    """How often what was said with some probability came true; the bins without rows are left out.

    For each bin: the mean probability `said`, the share `came_true`, and the number of `rows`.
    `edges` are those of all bins.
    """

    said: Floats
    came_true: Floats
    rows: npt.NDArray[np.int64]
    edges: Floats

    @property
    def error(self) -> float:
        """The expected calibration error: Σ rows/N · |came true - said|.

        Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", 2015.
        """
        shares = self.rows / self.rows.sum()
        return float(np.sum(shares * np.abs(self.came_true - self.said)))

    @property
    def largest_error(self) -> float:
        """The maximum calibration error, that of the worst bin."""
        return float(np.abs(self.came_true - self.said).max())


def calibration_curve(
    probabilities: npt.ArrayLike,
    t: npt.ArrayLike,
    bins: int = 10,
    strategy: Strategy = "uniform",
) -> CalibrationCurve:
    """The reliability diagram of probabilities: in each bin of them, how often they came true.

    probabilities (N,): those of class 1, with t of 0 and 1. probabilities (N, C): what counts is the
    class of the largest one, and whether it is the true one of the ids t (N,), as in Guo et al., "On
    calibration of modern neural networks", 2017. Bins are equally wide ("uniform") or hold
    equally many rows ("quantile").

    Raises:
        DataError: probabilities outside 0 … 1, or rows of them that do not add up to 1.
        ShapeError: not one target for each row.

    >>> curve = calibration_curve([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 0], bins=2)
    >>> curve.said.round(3).tolist(), curve.came_true.tolist(), round(curve.error, 3)
    ([0.15, 0.85], [0.0, 0.5], 0.25)
    """
    if strategy not in STRATEGIES:
        raise SettingError(
            _(
                "strategy: {nearest}. Got {got}.",
                nearest=nearest(strategy, STRATEGIES),
                got=shown(strategy),
            )
        )
    count = whole(bins, "bins")
    one_column = np.ndim(probabilities) == 1
    p, ids = _rows(probabilities, t)
    chances, hits = (p[:, 1], ids == 1) if one_column else (p.max(axis=1), p.argmax(axis=1) == ids)
    edges = np.linspace(0.0, 1.0, count + 1)
    if strategy == "quantile":
        edges = np.percentile(chances, edges * 100)
    places = np.searchsorted(edges[1:-1], chances)
    rows = np.bincount(places, minlength=count)
    kept = rows > 0
    said, came = (
        np.bincount(places, weights=values, minlength=count)[kept] / rows[kept]
        for values in (chances, hits)
    )
    return CalibrationCurve(said, came, rows[kept], edges)


def _rows(probabilities: npt.ArrayLike, t: npt.ArrayLike) -> tuple[Floats, npt.NDArray[np.int64]]:
    """The probabilities (N, C) in float64, and the ids (N,), checked."""
    p = finite(as_numbers(probabilities, PROBABILITIES), PROBABILITIES).astype(np.float64)
    ids = finite(as_numbers(t, TARGETS), TARGETS)
    if p.ndim not in (1, 2) or ids.shape != p.shape[:1]:
        raise ShapeError(
            _(
                "probabilities are (N, classes), or (N,) of a yes, with N class ids; got shapes"
                " {probabilities} and {targets}.",
                probabilities=p.shape,
                targets=ids.shape,
            )
        )
    if p.ndim == 1:
        p = np.stack([1 - p, p], axis=1)
    wrong = (p < 0).any(axis=1) | (p > 1).any(axis=1) | (np.abs(p.sum(axis=1) - 1) > 1e-3)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            _(
                "probabilities go from 0 to 1, and those of a row add up to 1; row {row} is {values}."
                " Scores become probabilities by cr.softmax(scores).",
                row=row,
                values=shown(p[row].tolist()),
            )
        )
    classes = p.shape[1]
    odd = (ids != np.floor(ids)) | (ids < 0) | (ids >= classes)
    if odd.any():
        raise DataError(
            _(
                "targets are class ids from 0 to {last}, for {classes} probabilities a row; got {id:g}.",
                last=classes - 1,
                classes=classes,
                id=ids[odd][0],
            )
        )
    return p, ids.astype(np.int64)
