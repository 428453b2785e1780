"""The base class of losses, and the losses for regression.

A loss is one number that says how far the outputs are from the targets. Each is the weighted mean
Σ wᵢ lᵢ / Σ wᵢ of the rows' losses lᵢ (by default wᵢ = 1), so it does not depend on the batch size:
the same rows twice give the same loss and gradients.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, NonFiniteError, ShapeError, missing_method
from chainrule.graph import functions
from chainrule.graph.data import as_numbers, of_shape
from chainrule.graph.recording import current_recording
from chainrule.graph.scopes import within
from chainrule.graph.variable import Variable
from chainrule.lang.messages import Text, _, _n, says, sentences
from chainrule.layers.base import Array, Layer
from chainrule.nodes.base import Value
from chainrule.settings import positive

__all__ = ["HalfSquaredError", "Huber", "Loss", "MeanAbsoluteError", "MeanSquaredError"]


class Loss(Layer):
    """A layer at the end of a network: `forward(x, t)` gives the loss, `backward()` gives dx.

    To write a loss, define `rows(x, t)`, the loss of every row; for targets that need a check or
    a conversion, also `targets(x_shape, t)`. Targets (N,) and (N, 1) are treated alike.
    """

    #: The kind of targets, "classes" (ids), "binary" or "values", for metrics and predictions.
    target: ClassVar[str] = "values"

    def __init__(self) -> None:
        super().__init__()

    @says(_("The loss lᵢ of every row."))
    def rows(self, x: Value, t: Value) -> Value:
        raise missing_method(self, "rows(self, x, t)")

    def targets(self, x_shape: tuple[int, ...], t: Array) -> Array:
        """The targets, checked, in the form that `rows` takes."""
        fitting = of_shape(t, x_shape)
        if fitting is None:
            ids = t.dtype.kind in "iu" and t.shape == x_shape[:-1]
            raise ShapeError(
                sentences(
                    _(
                        "{loss} compares outputs of shape {outputs} with targets of the same shape; got"
                        " targets of shape {targets}.",
                        loss=type(self).__name__,
                        outputs=x_shape,
                        targets=t.shape,
                    ),
                    _("For class ids use SoftmaxWithLoss.") if ids else None,
                )
            )
        return fitting if fitting.dtype.kind == "f" else fitting.astype(float)

    def given(self, t: npt.ArrayLike) -> Array:
        """The targets as an array of numbers, before `targets` checks them."""
        return as_numbers(t, self)

    def counted(self, t: Array) -> Array | None:
        """A mask of the checked targets that count; None if all do."""
        return None

    def link(self, x: Value) -> Value:
        """The probabilities or predicted values for the network's outputs x."""
        return x

    def average(self, outputs: Sequence[Value], weights: Sequence[float]) -> Value:
        """The outputs whose `link` is the weighted mean of the links of several networks' outputs.

        `weights` add up to 1.
        """
        mean = outputs[0] * weights[0]
        for output, weight in zip(outputs[1:], weights[1:], strict=True):
            mean = mean + output * weight
        return mean

    def places(self, t: Array) -> tuple[int, ...]:
        """The shape of the losses that `rows` gives for the checked targets; each loss has a weight."""
        return t.shape

    def weights(
        self, t: Array, sample_weight: npt.ArrayLike | None, dtype: npt.DTypeLike
    ) -> Array | None:
        """The weight of every row, or of every loss; None if all are 1."""
        if sample_weight is None:
            return None
        w = as_numbers(sample_weight, self)
        row = of_shape(w, (len(t),))
        w = w if row is None else row
        fits = row is not None or w.shape == self.places(t)
        if not fits or not np.all(np.isfinite(w)) or np.any(w < 0) or not w.any():
            raise DataError(_bad_weights(len(t), w))
        return w.astype(dtype)

    @says("L = Σ wᵢ lᵢ / Σ wᵢ.")
    def formula(self, x: Value, t: Value, w: Value = None) -> Value:
        if not x.shape or x.size == 0:
            raise ShapeError(
                _(
                    "{loss} needs at least one row of at least one output; got outputs of shape {shape}.",
                    loss=type(self).__name__,
                    shape=x.shape,
                )
            )
        losses = self.rows(x, t)
        if w is None:
            return functions.mean(losses)
        if losses.ndim > w.ndim:
            losses = functions.mean(losses, tuple(range(w.ndim, losses.ndim)))
        # If all rows of a batch have weight 0, its loss is 0, and so are its gradients.
        total = functions.sum(w)
        return functions.sum(w * losses) / functions.where(total == 0, 1, total)

    def _record(self, x: Variable, *more: Value) -> Variable:
        """The loss as a Variable; targets and weights may be arrays."""
        t, w = (*more, None)[:2]
        x = self._cast(x)
        if current_recording() is None:
            # An engine records targets and weights that the network has checked already.
            numbers = t.data if isinstance(t, Variable) else self.given(t)
            checked = self.targets(x.shape, numbers)
            if checked is not numbers or not isinstance(t, Variable):
                t = Variable(checked, "t", requires_grad=False)
            if not isinstance(w, Variable):
                weights = self.weights(checked, w, x.dtype)
                w = None if weights is None else Variable(weights, "w", requires_grad=False)
        # Floating-point targets are compared in the dtype of the outputs.
        t = t if t.dtype.kind in "iu" else t.astype(x.dtype)
        with within(self):
            out: Variable = self.formula(x, t, w)
        return out

    def forward(
        self, x: Value, t: Value = None, sample_weight: npt.ArrayLike | None = None
    ) -> Value:
        """The loss of the outputs x for the targets t: a number; a Variable for a Variable."""
        if t is None:
            raise ShapeError(
                _("{loss}.forward needs outputs and targets: (x, t).", loss=type(self).__name__)
            )
        if isinstance(x, Variable):
            return self._record(x, t, sample_weight)
        x = self._as_array(x)
        t = self.targets(x.shape, self.given(t))
        w = self.weights(t, sample_weight, x.dtype)
        self.__dict__.update(x=x, t=t)
        loss = self._run_plan(x, t, w)
        if not math.isfinite(loss):
            raise NonFiniteError(self._nonfinite(x, t, float(loss)))
        return loss

    def _nonfinite(self, x: Array, t: Array, loss: float) -> Text:
        """The reason why a loss is not finite, as a message."""
        name = type(self).__name__
        bad = np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))
        if len(bad) > 1:
            return _(
                "{name}: the loss is {loss}, because row {row} and {others} of the outputs it was given"
                " holds NaN or infinity. Look at the data, or lower the learning rate.",
                name=name,
                loss=loss,
                row=bad[0],
                others=_n("{n} more row", "{n} more rows", len(bad) - 1),
            )
        if len(bad):
            return _(
                "{name}: the loss is {loss}, because row {row} of the outputs it was given holds NaN or"
                " infinity. Look at the data, or lower the learning rate.",
                name=name,
                loss=loss,
                row=bad[0],
            )
        return _(
            "{name}: the loss is {loss} for finite outputs (largest {largest:.4g}). The numbers are too"
            " large for {dtype}, or an impossible output was scored.",
            name=name,
            loss=loss,
            largest=np.abs(x).max(),
            dtype=x.dtype,
        )

    @property
    def y(self) -> Array:
        """The predictions of the latest `forward`: probabilities, or values."""
        out: Array = self.link(self.x)
        return out


def _bad_weights(rows: int, w: Array) -> Text:
    """The message for weights that do not fit so many rows."""
    if not w.size:
        return _(
            "sample_weight must be {rows} numbers from 0, one a row and not all 0; got shape {shape}.",
            rows=rows,
            shape=w.shape,
        )
    return _(
        "sample_weight must be {rows} numbers from 0, one a row and not all 0; got shape {shape} with"
        " values from {low} to {high}.",
        rows=rows,
        shape=w.shape,
        low=w.min(),
        high=w.max(),
    )


class MeanSquaredError(Loss):
    """L = mean of (y - t)² over all n elements; y and t have the same shape. dy = 2 (y - t) / n."""

    @says("l = (y - t)².")
    def rows(self, y: Value, t: Value) -> Value:
        d = y - t
        return d * d


class HalfSquaredError(Loss):
    """L = mean of ½ (y - t)² over all n elements; y and t have the same shape. dy = (y - t) / n.

    Half of MeanSquaredError, so that the gradient has no factor 2; TensorFlow Playground's loss.

    >>> import chainrule as cr, numpy as np
    >>> loss = cr.HalfSquaredError()
    >>> float(loss.forward(np.array([[3.0]]), np.array([[1.0]]))), loss.backward()
    (2.0, array([[2.]]))
    """

    @says("l = ½ (y - t)².")
    def rows(self, y: Value, t: Value) -> Value:
        d = y - t
        return 0.5 * (d * d)


class MeanAbsoluteError(Loss):
    """L = mean of |y - t| over all elements; y and t have the same shape. The gradient at 0 is 0."""

    @says("l = |y - t|.")
    def rows(self, y: Value, t: Value) -> Value:
        return functions.abs(y - t)


class Huber(Loss):
    """L = mean of d²/2 where |d| <= delta, delta (|d| - delta/2) beyond; d = y - t.

    Source: Huber, "Robust estimation of a location parameter", 1964.
    """

    hyperparameters: ClassVar = {"delta": positive}

    def __init__(self, delta: float = 1.0) -> None:
        super().__init__()
        self.delta = delta

    @says(_("l = c (|d| - c/2) with c = min(|d|, delta)."))
    def rows(self, y: Value, t: Value) -> Value:
        d = functions.abs(y - t)
        c = functions.clip(d, high=self.delta)
        return c * (d - 0.5 * c)
