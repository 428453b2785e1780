"""cr.cross_entropy, cr.softmax_cross_entropy, ...: losses of rows, with checked targets; and one_hot.

The targets are checked as by the loss layers, wherever their values are known.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from chainrule import nodes
from chainrule.errors import DTypeError, ShapeError
from chainrule.graph.functions.elementwise import logical_and
from chainrule.graph.recording import current_recording
from chainrule.graph.targets import answer_data, answers, class_data, class_targets
from chainrule.graph.variable import Variable, apply
from chainrule.lang.messages import _
from chainrule.nodes.base import Array, Value

__all__ = ["cross_entropy", "one_hot", "sigmoid_cross_entropy", "softmax_cross_entropy"]

#: A check of targets: for an owner, and the shape of the scores.
Check = Callable[[object, tuple[int, ...], Array], Array]


def cross_entropy(y: Value, t: Value) -> Value:
    """lₙ = -log yₙ at the class tₙ, of probabilities y (..., C): losses (...).

    t: class ids (...), one-hot rows or probabilities (..., C); with those, l = -Σ t · log(y).

    Raises:
        DataError: ids that are not whole numbers from 0 to C - 1, or rows of t that are no
            probabilities.

    >>> import chainrule as cr
    >>> cr.cross_entropy([[0.25, 0.75], [0.5, 0.5]], [0, 1]).round(3)
    array([1.386, 0.693])
    """
    return of_probabilities(y, _targets("cross_entropy", y, t, class_targets))


def softmax_cross_entropy(s: Value, t: Value) -> Value:
    """lₙ = -log softmax(sₙ) at the class tₙ, of scores s (..., C): losses (...).

    t: class ids (...), one-hot rows or probabilities (..., C); with those, l = -Σ t · log(softmax(s)).

    Raises:
        DataError: ids that are not whole numbers from 0 to C - 1, or rows of t that are no
            probabilities.

    >>> import chainrule as cr
    >>> cr.softmax_cross_entropy([[0.0, 0.0], [0.0, 0.0]], [[1, 0], [0.5, 0.5]]).round(3)
    array([0.693, 0.693])
    """
    return of_scores(s, _targets("softmax_cross_entropy", s, t, class_targets))


def sigmoid_cross_entropy(s: Value, t: Value) -> Value:
    """l = -t log σ(s) - (1-t) log(1-σ(s)) for scores s and targets t in [0, 1], of one shape.

    A single number t stands for all scores.

    Raises:
        DataError: targets outside of 0 to 1.

    >>> import chainrule as cr
    >>> cr.sigmoid_cross_entropy([0.0, 0.0], [0, 1]).round(3)
    array([0.693, 0.693])
    """
    return of_answers(s, _targets("sigmoid_cross_entropy", s, t, _answers))


def _answers(who: object, shape: tuple[int, ...], t: Array) -> Array:
    return answers(who, shape if t.ndim else (), t)


def _targets(who: str, s: Value, t: Value, check: Check) -> Value:
    """The targets, checked; those of a recorded step are checked again before every run."""
    shape = s.shape if isinstance(s, Variable) else np.shape(s)
    if check is class_targets and not (shape and shape[-1]):
        raise ShapeError(
            _(
                "{who} takes scores or probabilities (..., C), of one class at least; got shape {shape}.",
                who=who,
                shape=shape,
            )
        )
    if not isinstance(t, Variable):
        take = class_data if check is class_targets else answer_data
        checked = check(who, shape, take(who, t))
        return t if isinstance(t, int | float) else checked  # a plain number has no dtype
    data = t.data
    checked = check(who, shape, data.real)  # without a complex step
    recording = current_recording()
    if recording is not None:
        recording.checks.append((t, lambda values: check(who, (len(values), *shape[1:]), values)))
    if checked is data:
        return t
    if check is _answers:
        return t.reshape(checked.shape)
    if data.shape == shape:  # probabilities, even if one-hot: they may have a gradient
        return t if data.dtype.kind in "fc" else t.astype(np.float64)
    if recording is not None:
        raise DTypeError(
            _(
                "{who} in a recorded network takes class ids as whole numbers of shape {wanted}; got {dtype}"
                " of shape {shape}.",
                who=who,
                wanted=shape[:-1],
                dtype=data.dtype,
                shape=data.shape,
            )
        )
    return checked


def of_probabilities(y: Value, t: Value) -> Value:
    """Cross entropy of checked targets: ids, or probabilities."""
    if t.dtype.kind not in "fc":
        return apply(nodes.CrossEntropy(), y, t)
    impossible = logical_and(t == 0, y == 0)  # and 0 · log 0 counts as 0
    return -((t * np.log(np.where(impossible, 1, y))).sum(-1))


def of_scores(s: Value, t: Value) -> Value:
    """Softmax and cross entropy of checked targets: ids, or probabilities."""
    soft = t.dtype.kind in "fc"
    node = nodes.SoftTargetCrossEntropy if soft else nodes.SoftmaxCrossEntropy
    return apply(node(), s, t)


def of_answers(s: Value, t: Value) -> Value:
    """Sigmoid and cross entropy of checked targets."""
    return apply(nodes.SigmoidCrossEntropy(), s, t)


def one_hot(t: Value, n: int, dtype: npt.DTypeLike = np.float64) -> Value:
    """Ids (...,) to rows (..., n) with a 1 in the column of the id.

    >>> import chainrule as cr
    >>> cr.one_hot([0, 2], 3)
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    ids = t.data if isinstance(t, Variable) else np.asarray(t)
    if ids.dtype.kind not in "iu" or (ids.size and (ids.min() < 0 or ids.max() >= n)):
        if not ids.size:
            raise ShapeError(
                _(
                    "one_hot needs whole-number ids from 0 to {last}; got dtype {dtype}.",
                    last=n - 1,
                    dtype=ids.dtype,
                )
            )
        raise ShapeError(
            _(
                "one_hot needs whole-number ids from 0 to {last}; got dtype {dtype} with values from {low}"
                " to {high}.",
                last=n - 1,
                dtype=ids.dtype,
                low=ids.min(),
                high=ids.max(),
            )
        )
    return apply(nodes.OneHot(n, dtype), t)
