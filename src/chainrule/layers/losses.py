"""The losses: one number that says how far the outputs are from the targets.

Each is the weighted mean Σ wᵢ lᵢ / Σ wᵢ of the rows' losses lᵢ (all wᵢ = 1 unless given), so
the size of the batch does not matter: twice the same rows give the same loss and gradients.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, NonFiniteError, SettingError, ShapeError, shown
from chainrule.graph import functions
from chainrule.graph.recording import current_recording, within
from chainrule.graph.variable import Variable
from chainrule.layers.base import Layer, as_numbers
from chainrule.nodes.base import Value
from chainrule.settings import below_one, positive

__all__ = [
    "CrossEntropyError",
    "HalfSquaredError",
    "Huber",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SigmoidWithLoss",
    "SoftmaxWithLoss",
]

Array = npt.NDArray[Any]


class Loss(Layer):
    """A layer at the end of a network: `forward(x, t)` gives the loss, `backward()` gives dx.

    Write one by giving `rows(x, t)`, the loss of every row; for targets that need a check or
    a conversion, also `targets(x, t)`.
    """

    #: "classes" (ids), "binary" or "values": what the targets are, for metrics and predictions.
    target: ClassVar[str] = "values"

    def __init__(self) -> None:
        super().__init__()

    def rows(self, x: Value, t: Value) -> Value:
        """The loss lᵢ of every row."""
        raise NotImplementedError(f"{type(self).__name__} has no rows")

    def targets(self, x_shape: tuple[int, ...], t: Array) -> Array:
        """The targets, checked, in the form that `rows` takes."""
        if t.shape != x_shape:
            hint = ""
            if t.ndim == 1 and len(x_shape) == 2 and x_shape == (len(t), 1):
                hint = " Give t as a column: t[:, None]."
            raise ShapeError(
                f"{type(self).__name__} compares outputs of shape {x_shape} with targets of the same"
                f" shape; got targets of shape {t.shape}.{hint}"
            )
        return t if t.dtype.kind == "f" else t.astype(float)

    def link(self, x: Value) -> Value:
        """From the network's outputs to probabilities or predicted values."""
        return x

    def weights(self, t: Array, sample_weight: npt.ArrayLike | None, dtype: Any) -> Array | None:
        """The weight of every row; None where all are 1."""
        if sample_weight is None:
            return None
        w = as_numbers(sample_weight, self)
        if w.shape != (len(t),) or not np.all(np.isfinite(w)) or np.any(w < 0) or not w.any():
            raise DataError(
                f"sample_weight must be {len(t)} numbers from 0, one a row and not all 0; got shape"
                f" {w.shape}{f' with values from {w.min()} to {w.max()}' if w.size else ''}."
            )
        return w.astype(dtype)

    def formula(self, x: Value, t: Value, w: Value = None) -> Value:
        """L = Σ wᵢ lᵢ / Σ wᵢ."""
        if not x.shape or x.size == 0:
            raise ShapeError(
                f"{type(self).__name__} needs at least one row of at least one output; got outputs of"
                f" shape {x.shape}."
            )
        losses = self.rows(x, t)
        if w is None:
            return functions.mean(losses)
        if losses.ndim > 1:
            losses = functions.mean(losses, tuple(range(1, losses.ndim)))
        # A batch whose rows all weigh 0 says nothing: its loss is 0, and so are its gradients.
        total = functions.sum(w)
        return functions.sum(w * losses) / functions.where(total == 0, 1, total)

    def record(self, x: Variable, *more: Any) -> Variable:
        """The loss as a Variable; targets and weights may be arrays."""
        t, w = (*more, None)[:2]
        x = self.entering(x)
        if current_recording() is None:
            # For an engine, targets and weights were checked where the data came in.
            given = t.data if isinstance(t, Variable) else as_numbers(t, self)
            checked = self.targets(x.shape, given)
            if checked is not given or not isinstance(t, Variable):
                t = Variable(checked, "t", requires_grad=False)
            if not isinstance(w, Variable):
                weights = self.weights(checked, w, x.dtype)
                w = None if weights is None else Variable(weights, "w", requires_grad=False)
        # Targets that are real numbers are compared in the dtype of the outputs.
        t = t if t.dtype.kind in "iu" else t.astype(x.dtype)
        with within(self):
            out: Variable = self.formula(x, t, w)
        return out

    def forward(self, x: Any, t: Any = None, sample_weight: npt.ArrayLike | None = None) -> Any:
        """The loss of the outputs x for the targets t: a number; a Variable for a Variable."""
        if t is None:
            raise ShapeError(f"{type(self).__name__}.forward needs outputs and targets: (x, t).")
        if isinstance(x, Variable):
            return self.record(x, t, sample_weight)
        x = self.taken(x)
        t = self.targets(x.shape, as_numbers(t, self))
        w = self.weights(t, sample_weight, x.dtype)
        self.__dict__.update(x=x, t=t)
        loss = self.run_forward(x, t, w)
        if not math.isfinite(loss):
            raise NonFiniteError(self.blame(x, t, float(loss)))
        return loss

    def blame(self, x: Array, t: Array, loss: float) -> str:
        """Why a loss is not finite, in a sentence."""
        bad = np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))
        if len(bad):
            more = f" and {len(bad) - 1} more rows" if len(bad) > 1 else ""
            return (
                f"{type(self).__name__}: the loss is {loss}, because row {bad[0]}{more} of the outputs"
                " it was given holds NaN or infinity. Look at the data, or lower the learning rate."
            )
        return (
            f"{type(self).__name__}: the loss is {loss} for finite outputs (largest"
            f" {np.abs(x).max():.4g}). The numbers are too large for {x.dtype}, or an impossible"
            " output was scored."
        )

    @property
    def y(self) -> Array:
        """The predictions of the latest `forward`: probabilities, or values."""
        out: Array = self.link(self.x)
        return out


def class_ids(owner: Any, rows: int, classes: int, t: Array) -> Array:
    """Ids (N,) from ids or one-hot rows (N, C), checked."""
    usual = rows > 0 and t.shape == (rows,) and t.dtype.kind in "iu" and t.dtype.isnative
    # One look is enough there: as a number without sign, a negative id is a huge one.
    if usual and t.view(f"u{t.dtype.itemsize}").max() < classes:
        return t
    if t.ndim == 2 and t.shape == (rows, classes) and (classes > 1 or t.dtype.kind == "f"):
        hot = t.sum(axis=1)
        if not (((t == 0) | (t == 1)).all() and (hot == 1).all()):
            bad = int(np.flatnonzero(~(((t == 0) | (t == 1)).all(axis=1) & (hot == 1)))[0])
            raise DataError(
                f"{type(owner).__name__}: one-hot targets must have a single 1 in each row; row {bad} is"
                f" {shown(t[bad].tolist())}. For soft targets use label_smoothing."
            )
        ids: Array = t.argmax(axis=1)
        return ids
    if t.shape == (rows, 1) and t.dtype.kind in "iu":
        # Of a single class, a column of ones is one-hot.
        t = np.zeros(rows, t.dtype) if classes == 1 and (t == 1).all() else t[:, 0]
    if t.shape != (rows,):
        raise ShapeError(
            f"{type(owner).__name__}: {rows} rows of {classes} scores need targets of shape ({rows},)"
            f" (class ids) or ({rows}, {classes}) (one-hot); got {t.shape}."
        )
    if t.dtype.kind == "f":
        whole = t.astype(np.int64) if np.isfinite(t).all() else t
        if not np.array_equal(whole, t):
            bad = int(np.flatnonzero(~(np.isfinite(t) & (np.floor(t) == t)))[0])
            raise DataError(
                f"{type(owner).__name__}: targets must be class ids, whole numbers from 0 to"
                f" {classes - 1}; t[{bad}] is {t[bad]}. For real-valued targets use MeanSquaredError."
            )
        t = whole
    if t.dtype.kind == "b":
        t = t.astype(np.int64)
    if t.size and (t.min() < 0 or t.max() >= classes):
        bad = int(np.flatnonzero((t < 0) | (t >= classes))[0])
        raise DataError(
            f"{type(owner).__name__}: targets must be class ids from 0 to {classes - 1}, since there are"
            f" {classes} scores a row; t[{bad}] is {t[bad]}. Renumber the classes, or widen the last layer."
        )
    return t


def _score_table(owner: Any, x_shape: tuple[int, ...]) -> tuple[int, int]:
    if len(x_shape) != 2 or not x_shape[1]:
        raise ShapeError(
            f"{type(owner).__name__} takes outputs of shape (rows, classes), of one class at least; got"
            f" shape {x_shape}."
        )
    return x_shape[0], x_shape[1]


class _ClassLoss(Loss):
    """What losses of class ids share: the check of the ids, and a weight for each class."""

    target = "classes"

    def __init__(self, *, class_weights: npt.ArrayLike | None = None) -> None:
        super().__init__()
        self.class_weights: Array | None = None
        if class_weights is not None:
            weights = as_numbers(class_weights, self).astype(float)
            if weights.ndim != 1 or not np.all(np.isfinite(weights)) or np.any(weights < 0):
                raise SettingError(
                    f"{type(self).__name__}: class_weights must be one number from 0 for each class;"
                    f" got {shown(class_weights)}."
                )
            self.class_weights = weights

    def targets(self, x_shape: tuple[int, ...], t: Array) -> Array:
        """Class ids, from ids or one-hot rows."""
        rows, classes = _score_table(self, x_shape)
        if self.class_weights is not None and len(self.class_weights) != classes:
            raise SettingError(
                f"{type(self).__name__}: class_weights has {len(self.class_weights)} entries, and there"
                f" are {classes} classes; give one number for each."
            )
        return class_ids(self, rows, classes, t)

    def weights(self, t: Array, sample_weight: npt.ArrayLike | None, dtype: Any) -> Array | None:
        """The weight of every row: sample weight times class weight; None where all are 1."""
        w = super().weights(t, sample_weight, dtype)
        if self.class_weights is None:
            return w
        by_class: Array = self.class_weights[t].astype(dtype)
        return by_class if w is None else w * by_class


class SoftmaxWithLoss(_ClassLoss):
    """Softmax and cross entropy: scores (N, C), t class ids (N,) or one-hot (N, C).

    L = Σ wₙ lₙ / Σ wₙ with lₙ = -log softmax(sₙ) at the right class (chapter, equations 1.6 to
    1.8 and figure 1-30); ds = (softmax(s) - t) / N. Exact for any gap between scores.

    `label_smoothing` ε puts the target (1-ε) on the class and ε/C on every class (Szegedy et
    al., 2016).

    >>> import chainrule as cr, numpy as np
    >>> loss = cr.SoftmaxWithLoss()
    >>> float(loss.forward(np.array([[0.0, 0.0]]), np.array([1])))
    0.6931471805599453
    >>> loss.backward()
    array([[ 0.5, -0.5]])
    """

    settings: ClassVar = {"label_smoothing": below_one}

    def __init__(
        self, *, class_weights: npt.ArrayLike | None = None, label_smoothing: float = 0.0
    ) -> None:
        super().__init__(class_weights=class_weights)
        self.label_smoothing = label_smoothing

    def rows(self, s: Value, t: Value) -> Value:
        """lₙ = -log softmax(sₙ) at tₙ."""
        losses = functions.softmax_cross_entropy(s, t)
        e = self.label_smoothing
        if e == 0:
            return losses
        even = functions.logsumexp(s) - functions.mean(s, -1)
        return (1 - e) * losses + e * even

    def link(self, s: Value) -> Value:
        """Probabilities (N, C)."""
        return functions.softmax(s)


class CrossEntropyError(_ClassLoss):
    """Cross entropy of probabilities y (N, C), t class ids (N,) or one-hot (N, C).

    L = -Σ wₙ log yₙ[tₙ] / Σ wₙ (chapter, equations 1.7 and 1.8). A probability of 0 at the
    right class is an infinite loss and raises: nothing is added inside the logarithm. After a
    Softmax layer this is the chapter's chain of two; SoftmaxWithLoss is the safe form.
    """

    def rows(self, y: Value, t: Value) -> Value:
        """lₙ = -log yₙ[tₙ]."""
        return functions.cross_entropy(y, t)


class SigmoidWithLoss(Loss):
    """Sigmoid and binary cross entropy: scores (N,), (N, 1) or (N, K), t in [0, 1], same shape.

    L = mean of -t log σ(s) - (1-t) log(1-σ(s)), for each of K yes-or-no questions; for scores
    (N, 1), t may also be (N,). ds = (σ(s) - t) / (number of scores).
    """

    target = "binary"

    def targets(self, x_shape: tuple[int, ...], t: Array) -> Array:
        """Numbers from 0 to 1 of the scores' shape."""
        if t.ndim == 1 and len(x_shape) == 2 and x_shape == (len(t), 1):
            t = t[:, None]
        t = super().targets(x_shape, t)
        if t.size and not (t.min() >= 0 and t.max() <= 1):
            raise DataError(
                f"{type(self).__name__}: targets are probabilities from 0 to 1; got values from"
                f" {t.min()} to {t.max()}. For several classes use SoftmaxWithLoss."
            )
        return t

    def rows(self, s: Value, t: Value) -> Value:
        """l = -t log σ(s) - (1-t) log(1-σ(s))."""
        return functions.sigmoid_cross_entropy(s, t)

    def link(self, s: Value) -> Value:
        """Probabilities of yes."""
        return functions.sigmoid(s)


class MeanSquaredError(Loss):
    """L = mean of (y - t)² over all elements; y and t of one shape. dy = 2 (y - t) / n."""

    def rows(self, y: Value, t: Value) -> Value:
        """l = (y - t)²."""
        d = y - t
        return d * d


class HalfSquaredError(Loss):
    """L = mean of ½ (y - t)² over all elements; y and t of one shape. dy = (y - t) / n.

    Half of MeanSquaredError, so that the gradient has no factor 2; TensorFlow Playground's loss.

    >>> import chainrule as cr, numpy as np
    >>> loss = cr.HalfSquaredError()
    >>> float(loss.forward(np.array([[3.0]]), np.array([[1.0]]))), loss.backward()
    (2.0, array([[2.]]))
    """

    def rows(self, y: Value, t: Value) -> Value:
        """l = ½ (y - t)²."""
        d = y - t
        return 0.5 * (d * d)


class MeanAbsoluteError(Loss):
    """L = mean of |y - t| over all elements; y and t of one shape. The gradient at 0 is 0."""

    def rows(self, y: Value, t: Value) -> Value:
        """l = |y - t|."""
        return functions.abs(y - t)


class Huber(Loss):
    """L = mean of d²/2 where |d| <= delta, delta (|d| - delta/2) beyond; d = y - t.

    Source: Huber, "Robust estimation of a location parameter", 1964.
    """

    settings: ClassVar = {"delta": positive}

    def __init__(self, delta: float = 1.0) -> None:
        super().__init__()
        self.delta = delta

    def rows(self, y: Value, t: Value) -> Value:
        """l = c (|d| - c/2) with c = min(|d|, delta)."""
        d = functions.abs(y - t)
        c = functions.clip(d, high=self.delta)
        return c * (d - 0.5 * c)
