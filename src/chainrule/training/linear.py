"""A linear model of some rows: the baseline that a network has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, SettingError, ShapeError
from chainrule.lang.messages import _
from chainrule.networks.parts import ROWS
from chainrule.settings import from_zero, whole

__all__ = ["Linear", "fit_linear"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

#: Softmax regression has converged when the largest gradient per row is at most this.
ENOUGH = 1e-6
#: It stops after ROUNDS iterations, or after WORK multiplications, but not before FEW iterations; by
#: then the model is close to the best line.
ROUNDS, WORK, FEW = 500, 200_000_000, 50


@dataclass(frozen=True)
class Linear:
    """A linear model: `predict(x)` is x @ W + b, values or scores of classes; see `fit_linear`."""

    W: Floats
    b: Floats

    def predict(self, x: npt.ArrayLike) -> Floats:
        """Values or scores (n, outputs) of the rows x (n, columns).

        Raises:
            ShapeError: rows of another length.
        """
        rows = np.asarray(x)
        if rows.ndim != 2 or rows.shape[1] != len(self.W):
            raise ShapeError(
                _(
                    "This linear model takes rows of {n} numbers, x (n, {n}); got shape {shape}.",
                    n=len(self.W),
                    shape=rows.shape,
                )
            )
        y: Floats = np.empty((len(rows), len(self.b)))
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS].astype(np.float64, copy=False)
            y[start : start + ROWS] = part @ self.W + self.b
        return y


def fit_linear(
    x: npt.ArrayLike, t: npt.ArrayLike, classes: int | None = None, *, ridge: float = 1.0
) -> Linear:
    """The linear model of some rows: least squares, or softmax regression if `classes` is given.

    It minimizes Σ ½ (xW + b - t)² + ½ ridge Σ W², or Σ cross-entropy(xW + b, t) + ½ ridge Σ W².
    `b` is not penalized. Each has a single minimum, so the result depends on no seed.

    x: (n, columns), standardised; t: values (n,) or (n, outputs), or class ids (n,) below `classes`.

    Raises:
        DataError: no rows, numbers that are not finite, or ids out of range.
        ShapeError: x is no table, or t has another number of rows.
        SettingError: a ridge below 0, or fewer than two classes.

    >>> line = fit_linear([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0], ridge=0)
    >>> line.predict([[10.0]]).round(6).tolist()
    [[21.0]]
    >>> two = fit_linear([[-1.0], [-2.0], [1.0], [3.0]], [0, 0, 1, 1], classes=2)
    >>> two.predict([[-4.0], [4.0]]).argmax(axis=1).tolist()
    [0, 1]
    """
    rows, targets = np.asarray(x, np.float64), np.asarray(t)
    ridge = from_zero(ridge, "ridge")
    if rows.ndim != 2 or targets.shape[:1] != rows.shape[:1] or targets.ndim > 2:
        raise ShapeError(
            _(
                "fit_linear takes x (n, columns) and a target for every row; got shapes {x} and {t}.",
                x=rows.shape,
                t=targets.shape,
            )
        )
    if not len(rows):
        raise DataError(_("fit_linear: x has no rows, so no line can be fitted."))
    if not np.isfinite(rows).all():
        raise DataError(
            _("fit_linear: x has numbers that are not finite, so no line can be fitted.")
        )
    if classes is None:
        values = targets.astype(np.float64).reshape(len(rows), -1)
        if not np.isfinite(values).all():
            raise DataError(_("fit_linear: t has numbers that are not finite."))
        return _least_squares(rows, values, ridge)
    if whole(classes, "classes") < 2:
        raise SettingError(
            _("classes={classes}: a choice needs two classes at least.", classes=classes)
        )
    ids = targets.reshape(len(rows), -1)
    if ids.shape[1] != 1 or ids.dtype.kind not in "iu" or ids.min() < 0 or ids.max() >= classes:
        raise DataError(
            _(
                "fit_linear: t must be class ids (n,), whole numbers from 0 to {last}.",
                last=classes - 1,
            )
        )
    return _softmax_regression(rows, np.eye(classes)[ids[:, 0]], ridge)


def _least_squares(x: Floats, t: Floats, ridge: float) -> Linear:
    """W solves (XᵀX + ridge I) W = XᵀT, for X and T centred at 0."""
    center, mean = x.mean(axis=0), t.mean(axis=0)
    centred = x - center
    gram = centred.T @ centred + ridge * np.eye(x.shape[1])
    right = centred.T @ (t - mean)
    # Without a ridge, columns may be linearly dependent: lstsq gives the shortest W that fits.
    W = np.linalg.solve(gram, right) if ridge else np.linalg.lstsq(centred, t - mean)[0]
    return Linear(W, mean - center @ W)


def _softmax_regression(x: Floats, t: Floats, ridge: float) -> Linear:
    """Newton steps with a fixed matrix, accelerated by Nesterov's momentum.

    The second derivative of the cross-entropy with respect to the scores is at most ½, whatever
    the scores; so ½ XᵀX + ridge I bounds the Hessian, and each step decreases the cost. Source:
    Böhning, "Multinomial logistic regression algorithm", 1992.
    """
    center = x.mean(axis=0)
    ones = np.concatenate([x - center, np.ones((len(x), 1))], axis=1)
    penalty = np.full((ones.shape[1], 1), max(ridge, 1e-9 * len(x)))
    penalty[-1] = 0.0
    inverse = np.linalg.inv(0.5 * ones.T @ ones + np.diag(penalty[:, 0]))
    W = np.zeros((ones.shape[1], t.shape[1]))
    W[-1] = np.log(np.maximum(t.mean(axis=0), 1e-9))
    ahead, speed = W, 0
    work = len(x) * (x.shape[1] + 3 * t.shape[1])
    for _iteration in range(min(ROUNDS, max(FEW, WORK // work))):
        gradient = ones.T @ (_softmax(ones @ ahead) - t) + penalty * ahead
        if np.abs(gradient).max() <= ENOUGH * len(x):
            break
        new = ahead - inverse @ gradient
        # The look-ahead went too far if the gradient there opposes the step: restart the momentum.
        speed = 0 if np.sum(gradient * (new - W)) > 0 else speed + 1
        ahead, W = new + speed / (speed + 3) * (new - W), new
    return Linear(ahead[:-1], ahead[-1] - center @ ahead[:-1])


def _softmax(scores: Floats) -> Floats:
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Floats = e / e.sum(axis=1, keepdims=True)
    return shares
