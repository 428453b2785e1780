"""What classifiers are to say: class ids or probabilities, answers from no to yes; checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, DTypeError, ShapeError, shown
from chainrule.graph.data import as_numbers, name_of, of_shape
from chainrule.graph.variable import Variable

__all__ = ["answer_data", "answers", "class_data", "class_targets", "first_text", "one_hot_ids"]

Array = npt.NDArray[Any]

#: How far probabilities may add up to something else than 1, since they come rounded.
ROUNDING = 1e-3
#: How far an answer may lie outside of 0 to 1: a numerical derivative steps a little beyond.
BEYOND = 1e-4


def first_text(t: Any) -> str | None:
    """The first of labels that are texts; None for anything else.

    >>> first_text(["cat", "dog"]), first_text([0, 1])
    ('cat', None)
    """
    if (
        isinstance(t, Variable)
        or hasattr(t, "toarray")
        or (isinstance(t, np.ndarray) and t.dtype.kind not in "USTO")
    ):
        return None
    first = t
    while isinstance(first, list | tuple) or np.ndim(first):
        if not len(first):
            return None
        first = first[0] if isinstance(first, list | tuple) else np.asarray(first)[0]
    return str(first) if isinstance(first, str | bytes) else None


def class_data(owner: Any, t: Any) -> Array:
    """The targets of classes as an array of numbers; of texts, how to make them ids."""
    text = first_text(t)
    if text is not None:
        raise DTypeError(
            f"{name_of(owner)} needs class ids, numbers from 0; got texts such as {shown(text, 30)}. Number"
            " them: names, t = np.unique(t, return_inverse=True); then names[network.classify(x)] are"
            " the predicted ones."
        )
    return as_numbers(t, owner)


def answer_data(owner: Any, t: Any) -> Array:
    """The targets of yes-or-no scores as an array of numbers; of texts, how to make them 0 and 1."""
    text = first_text(t)
    if text is not None:
        raise DTypeError(
            f"{name_of(owner)} needs targets, numbers from 0 (no) to 1 (yes); got texts such as"
            f" {shown(text, 30)}. Say which of them is a yes: t = (np.asarray(t) =="
            f" {shown(text, 30)}).astype(float)."
        )
    return as_numbers(t, owner)


def class_targets(owner: Any, shape: tuple[int, ...], t: Array, ignore: int | None = None) -> Array:
    """The targets of scores (..., C), checked: whole ids (...), or probabilities (..., C).

    One-hot rows become ids. The id `ignore` is allowed whatever it is.

    >>> import numpy as np
    >>> class_targets("loss", (2, 3), np.array([[0, 1, 0], [0, 0, 1]]))
    array([1, 2])
    """
    lead, classes = shape[:-1], shape[-1]
    usual = t.size > 0 and t.shape == lead and t.dtype.kind in "iu" and t.dtype.isnative
    # One look is enough there: as a number without sign, a negative id is a huge one.
    if usual and t.view(f"u{t.dtype.itemsize}").max() < classes:
        return t
    if t.shape == shape and (classes > 1 or t.dtype.kind == "f"):
        ids = one_hot_ids(t)
        return _probabilities(owner, t) if ids is None else ids
    if t.shape == shape and t.dtype.kind in "iu" and (t == 1).all():
        return np.zeros(lead, t.dtype)  # of a single class, a column of ones is one-hot
    fitting = of_shape(t, lead)
    if fitting is None:
        raise ShapeError(
            f"{name_of(owner)}: outputs of shape {shape} are {classes} scores a row, and need targets of"
            f" shape {lead} (class ids) or {shape} (one-hot, or probabilities); got {t.shape}."
        )
    t = fitting
    if t.dtype.kind == "f":
        t = _whole(owner, t, classes)
    elif t.dtype.kind == "b":
        t = t.astype(np.int64)
    _in_range(owner, t, classes, ignore)
    return t


def one_hot_ids(t: Array) -> Array | None:
    """The ids of rows (..., C) that have a single 1 each and 0 elsewhere; None if one has not."""
    hot = ((t == 0) | (t == 1)).all() and (t.sum(axis=-1) == 1).all()
    return np.asarray(t.argmax(axis=-1)) if hot else None


def _place(bad: Array) -> str:
    """The first true place of a mask, such as "3" or "3, 0"."""
    return ", ".join(str(int(i)) for i in np.argwhere(bad)[0])


def _probabilities(owner: Any, t: Array) -> Array:
    """Rows (..., C) of numbers from 0 that add up to 1."""
    total = t.sum(axis=-1)
    bad = ~((t >= -BEYOND).all(axis=-1) & (np.abs(total - 1) <= ROUNDING))
    if bad.any():
        row = t[tuple(np.argwhere(bad)[0])]
        several = ((row == 0) | (row == 1)).all()
        raise DataError(
            f"{name_of(owner)}: targets with a column for each class are probabilities from 0 that add"
            f" up to 1, one-hot rows a single 1 and else 0; row {_place(bad)} is {shown(row.tolist())},"
            f" which adds up to {row.sum():.6g}."
            + (
                " If each column is a question of its own, answered yes or no, use SigmoidWithLoss."
                if several
                else " Divide each row by its sum, or for real-valued targets use MeanSquaredError."
            )
        )
    return t if t.dtype.kind == "f" else t.astype(float)


def _whole(owner: Any, t: Array, classes: int) -> Array:
    whole = t.astype(np.int64) if np.isfinite(t).all() else t
    if np.array_equal(whole, t):
        return whole
    bad = ~(np.isfinite(t) & (np.floor(t) == t))
    raise DataError(
        f"{name_of(owner)}: targets must be class ids, whole numbers from 0 to {classes - 1};"
        f" t[{_place(bad)}] is {t[bad][0]}. For real-valued targets use MeanSquaredError."
    )


def _in_range(owner: Any, t: Array, classes: int, ignore: int | None) -> None:
    bad = (t < 0) | (t >= classes)
    if ignore is not None:
        bad &= t != ignore
    if not bad.any():
        return
    what = "Renumber the classes, or widen the last layer."
    named = t[t != ignore] if ignore is not None else t
    if named.min() == 1 and named.max() == classes:
        what = "They seem to count from 1: give t - 1."
    elif set(np.unique(t[bad]).tolist()) <= {-1, -100}:
        what = f"To leave such rows out, give the loss ignore_index={t[bad][0]}."
    raise DataError(
        f"{name_of(owner)}: targets must be class ids from 0 to {classes - 1}, since there are {classes}"
        f" scores a row; t[{_place(bad)}] is {t[bad][0]}. {what}"
    )


def answers(owner: Any, shape: tuple[int, ...], t: Array) -> Array:
    """The targets of yes-or-no scores, checked: numbers from 0 to 1, in the scores' shape.

    >>> import numpy as np
    >>> answers("loss", (2, 1), np.array([0, 1])).shape
    (2, 1)
    """
    fitting = of_shape(t, shape)
    if fitting is None:
        raise ShapeError(
            f"{name_of(owner)} compares scores of shape {shape} with targets of the same shape; got"
            f" targets of shape {t.shape}."
        )
    if fitting.size and not (fitting.min() >= -BEYOND and fitting.max() <= 1 + BEYOND):
        low, high = fitting.min(), fitting.max()
        hint = " For several classes use SoftmaxWithLoss."
        if low == -1 and high <= 1:
            hint = " For -1 and 1 give (t + 1) / 2."
        elif np.isnan(low):
            hint = " Fill or drop the rows without a value."
        raise DataError(
            f"{name_of(owner)}: targets are probabilities from 0 to 1; got values from {low} to"
            f" {high}.{hint}"
        )
    return fitting
