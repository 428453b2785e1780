"""The losses of classifiers: SoftmaxWithLoss, CrossEntropyError, SigmoidWithLoss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from chainrule.errors import SettingError, ShapeError, shown
from chainrule.graph import functions
from chainrule.graph.data import as_numbers
from chainrule.graph.functions.losses import of_answers, of_probabilities, of_scores
from chainrule.graph.targets import answer_data, answers, class_data, class_targets
from chainrule.lang.messages import Text, _, _p, says
from chainrule.layers.base import Array
from chainrule.layers.losses import Loss
from chainrule.nodes.base import Value
from chainrule.settings import below_one, optional_id

__all__ = ["CrossEntropyError", "SigmoidWithLoss", "SoftmaxWithLoss"]

EACH_CLASS = _p("one number for each", "class")
EACH_QUESTION = _p("one number for each", "question")


def _weights(owner: Loss, name: str, values: npt.ArrayLike | None, each: Text) -> Array | None:
    """A setting of one nonnegative number for each class or question, as a read-only array."""
    if values is None:
        return None
    weights = np.array(as_numbers(values, owner), float)
    if weights.ndim > 1 or not np.all(np.isfinite(weights)) or np.any(weights < 0):
        raise _weights_error(owner, name, values, each)
    weights.flags.writeable = False
    return weights


def _weights_error(owner: Loss, name: str, values: object, each: Text) -> SettingError:
    return SettingError(
        _(
            "{loss}: {name} must be one number from 0 for each {each}; got {given}.",
            loss=type(owner).__name__,
            name=name,
            each=each,
            given=shown(values),
        )
    )


class _ClassLoss(Loss):
    """The base of losses of classes: the check of the targets, and a weight for each class."""

    target = "classes"
    hyperparameters: ClassVar = {"ignore_index": optional_id}

    def __init__(
        self, *, class_weights: npt.ArrayLike | None = None, ignore_index: int | None = None
    ) -> None:
        super().__init__()
        self.class_weights = _weights(self, "class_weights", class_weights, EACH_CLASS)
        if self.class_weights is not None and self.class_weights.ndim == 0:
            raise _weights_error(self, "class_weights", class_weights, EACH_CLASS)
        self.ignore_index = ignore_index

    def given(self, t: npt.ArrayLike) -> Array:
        """The targets as an array of numbers; for texts an error that says how to make them ids."""
        return class_data(self, t)

    def targets(self, x_shape: tuple[int, ...], t: Array) -> Array:
        """The targets, checked, as class ids (for ids or one-hot rows) or as probabilities."""
        if len(x_shape) < 2 or not x_shape[-1]:
            raise ShapeError(
                _(
                    "{loss} takes outputs of shape (rows, classes), of one class at least; got shape"
                    " {shape}.",
                    loss=type(self).__name__,
                    shape=x_shape,
                )
            )
        classes = x_shape[-1]
        if self.class_weights is not None and len(self.class_weights) != classes:
            raise SettingError(
                _(
                    "{loss}: class_weights has {n} entries, and there are {classes} classes; give one"
                    " number for each.",
                    loss=type(self).__name__,
                    n=len(self.class_weights),
                    classes=classes,
                )
            )
        return class_targets(self, x_shape, t, self.ignore_index)

    def counted(self, t: Array) -> Array | None:
        """A mask of the checked targets that are not ignored; None if all count."""
        if self.ignore_index is None or t.dtype.kind == "f":
            return None
        counted: Array = t != self.ignore_index
        return None if counted.all() else counted

    def places(self, t: Array) -> tuple[int, ...]:
        """The shape of the losses: one for each id, or for each row of probabilities."""
        return t.shape[:-1] if t.dtype.kind == "f" else t.shape

    def weights(
        self, t: Array, sample_weight: npt.ArrayLike | None, dtype: npt.DTypeLike
    ) -> Array | None:
        """Sample weight times class weight, 0 for ignored targets; None if all are 1."""
        w = super().weights(t, sample_weight, dtype)
        factors: list[Array] = []
        counted = self.counted(t)
        if self.class_weights is not None:
            ids = t if counted is None else np.where(counted, t, 0)
            soft = t.dtype.kind == "f"  # probabilities: the mean of the class weights by t
            factors.append(t @ self.class_weights if soft else self.class_weights[ids])
        if counted is not None:
            factors.append(counted)
        for factor in factors:
            factor = factor.astype(dtype)
            w = factor if w is None else w.reshape(w.shape + (1,) * (factor.ndim - w.ndim)) * factor
        return w

    def named(self, x: Value, t: Value) -> Value:
        """The targets for `rows`; with `ignore_index`, ids as one-hot rows, and zeros if ignored."""
        if self.ignore_index is None or t.dtype.kind == "f":
            return t
        hot = functions.equal(functions.expand_dims(t, -1), np.arange(x.shape[-1]))
        return functions.where(hot, np.ones((), x.dtype), np.zeros((), x.dtype))


class SoftmaxWithLoss(_ClassLoss):
    """Softmax and cross entropy: scores (N, C), t class ids (N,), one-hot rows or probabilities (N, C).

    L = Σ wₙ lₙ / Σ wₙ with lₙ = -log softmax(sₙ) at the right class (chapter, equations 1.6 to
    1.8 and figure 1-30); ds = (softmax(s) - t) / N. Exact for any gap between scores. With
    probabilities, lₙ = -Σₖ tₙₖ log softmax(sₙ)ₖ. Sequences work as well: scores (N, T, C), t (N, T).

    `label_smoothing` ε makes the target (1-ε) for the class plus ε/C for every class (Szegedy et
    al., 2016). `class_weights`: a factor for each class, which weights the whole row, smoothing
    included, as in Keras (PyTorch weights each smoothed class); for probabilities, the mean of the
    factors by t. `ignore_index`: the id of targets that are left out, such as -1 for padding.

    >>> import chainrule as cr, numpy as np
    >>> loss = cr.SoftmaxWithLoss()
    >>> float(loss.forward(np.array([[0.0, 0.0]]), np.array([1])))
    0.6931471805599453
    >>> loss.backward()
    array([[ 0.5, -0.5]])
    >>> padded = cr.SoftmaxWithLoss(ignore_index=-1)
    >>> _ = padded.forward(np.zeros((2, 2)), np.array([1, -1]))
    >>> padded.backward()
    array([[ 0.5, -0.5],
           [ 0. ,  0. ]])
    """

    hyperparameters: ClassVar = {"label_smoothing": below_one, **_ClassLoss.hyperparameters}

    def __init__(
        self,
        *,
        class_weights: npt.ArrayLike | None = None,
        label_smoothing: float = 0.0,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(class_weights=class_weights, ignore_index=ignore_index)
        self.label_smoothing = label_smoothing

    @says(_("lₙ = -log softmax(sₙ) at tₙ."))
    def rows(self, s: Value, t: Value) -> Value:
        losses = of_scores(s, self.named(s, t))
        e = self.label_smoothing
        if e == 0:
            return losses
        even = functions.logsumexp(s) - functions.mean(s, -1)
        return (1 - e) * losses + e * even

    def link(self, s: Value) -> Value:
        """Probabilities (N, C)."""
        return functions.softmax(s)

    def average(self, outputs: Sequence[Value], weights: Sequence[float]) -> Value:
        """The logarithm of the mean probabilities, which softmax turns into them."""
        logs = [s - functions.logsumexp(s, -1, keepdims=True) for s in outputs]
        return _log_mean(logs, weights)


class CrossEntropyError(_ClassLoss):
    """Cross entropy of probabilities y (N, C), t class ids (N,), one-hot rows or probabilities (N, C).

    L = -Σ wₙ log yₙ[tₙ] / Σ wₙ (chapter, equations 1.7 and 1.8). A probability of 0 at the
    right class gives an infinite loss and raises: nothing is added inside the logarithm. After a
    Softmax layer this is the chapter's pair of layers; SoftmaxWithLoss is the numerically safe
    form, and documents `class_weights` and `ignore_index`.
    """

    @says("lₙ = -log yₙ[tₙ].")
    def rows(self, y: Value, t: Value) -> Value:
        return of_probabilities(y, self.named(y, t))


class SigmoidWithLoss(Loss):
    """Sigmoid and binary cross entropy: scores (N,), (N, 1) or (N, K), t in [0, 1], same shape.

    L = mean of -p t log σ(s) - (1-t) log(1-σ(s)), for each of K yes-or-no questions; for scores
    (N, 1), t may also be (N,). ds = (σ(s) - t) / (number of scores), for p = 1.

    `pos_weight` p: the weight of a yes, one number or one for each question; above 1 it makes up
    for rare ones. The mean still divides by the number of scores, as in PyTorch.

    >>> import chainrule as cr, numpy as np
    >>> loss = cr.SigmoidWithLoss(pos_weight=3.0)
    >>> round(float(loss.forward(np.zeros(2), np.array([1, 0]))), 4)  # (3 + 1)/2 · log 2
    1.3863
    """

    target = "binary"

    def __init__(self, *, pos_weight: npt.ArrayLike | None = None) -> None:
        super().__init__()
        self.pos_weight = _weights(self, "pos_weight", pos_weight, EACH_QUESTION)

    def given(self, t: npt.ArrayLike) -> Array:
        """The targets as an array of numbers; for texts an error that says how to make them 0 and 1."""
        return answer_data(self, t)

    def targets(self, x_shape: tuple[int, ...], t: Array) -> Array:
        """Numbers from 0 to 1 of the scores' shape."""
        p = self.pos_weight
        if p is not None and p.ndim and p.shape != x_shape[-1:]:
            raise SettingError(
                _(
                    "{loss}: pos_weight has {n} entries, and there are {scores} scores a row; give one"
                    " number, or one for each.",
                    loss=type(self).__name__,
                    n=len(p),
                    scores=x_shape[-1] if x_shape else _p("how many", "no"),
                )
            )
        return super().targets(x_shape, answers(self, x_shape, t))

    @says("l = -p t log σ(s) - (1-t) log(1-σ(s)).")
    def rows(self, s: Value, t: Value) -> Value:
        p = self.pos_weight
        if p is None:
            return of_answers(s, t)
        # A Python number takes the dtype of the scores; an array must be cast to it.
        p = p.item() if p.ndim == 0 else p.astype(s.dtype)
        return p * t * functions.softplus(-s) + (1 - t) * functions.softplus(s)

    def link(self, s: Value) -> Value:
        """Probabilities of yes."""
        return functions.sigmoid(s)

    def average(self, outputs: Sequence[Value], weights: Sequence[float]) -> Value:
        """The log-odds of the mean probability of yes, which sigmoid turns into it."""
        yes = _log_mean([-functions.softplus(-s) for s in outputs], weights)
        no = _log_mean([-functions.softplus(s) for s in outputs], weights)
        return yes - no


def _log_mean(logs: Sequence[Value], weights: Sequence[float]) -> Value:
    """log Σ weight · e^log, exact where an exponential would be 0."""
    terms = [log + math.log(weight) for log, weight in zip(logs, weights, strict=True)]
    return functions.logsumexp(functions.stack(terms), 0)
