"""Checks of classifiers' targets: class ids or probabilities, and yes-or-no answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import DataError, DTypeError, ShapeError, shown
from chainrule.graph.data import as_numbers, name_of, of_shape
from chainrule.graph.variable import Variable
from chainrule.lang.messages import _, sentences
from chainrule.nodes.base import Array

__all__ = ["answer_data", "answers", "class_data", "class_targets", "first_text", "one_hot_ids"]

#: The allowed error of a sum of probabilities, which may be rounded.
ROUNDING = 1e-3
#: How far an answer may lie outside of 0 to 1, as it does in a numerical derivative.
BEYOND = 1e-4


def first_text(t: Any) -> str | None:
    """The first label, if labels are texts; None for anything else.

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


def class_data(owner: object, t: Any) -> Array:
    """Class targets as an array of numbers; for texts, an error that says how to make them ids."""
    text = first_text(t)
    if text is not None:
        raise DTypeError(
            _(
                "{owner} needs class ids, numbers from 0; got texts such as {text}. Number them: names, t ="
                " np.unique(t, return_inverse=True); then names[network.classify(x)] are the predicted ones.",
                owner=name_of(owner),
                text=shown(text, 30),
            )
        )
    return as_numbers(t, owner)


def answer_data(owner: object, t: Any) -> Array:
    """Yes-or-no targets as an array of numbers; for texts, an error that says how to make them 0 and 1."""
    text = first_text(t)
    if text is not None:
        raise DTypeError(
            _(
                "{owner} needs targets, numbers from 0 (no) to 1 (yes); got texts such as {text}. Say which"
                " of them is a yes: t = (np.asarray(t) == {text}).astype(float).",
                owner=name_of(owner),
                text=shown(text, 30),
            )
        )
    return as_numbers(t, owner)


def class_targets(
    owner: object, shape: tuple[int, ...], t: Array, ignore: int | None = None
) -> Array:
    """The targets of scores (..., C), checked: whole ids (...), or probabilities (..., C).

    One-hot rows become ids. The id `ignore` is always allowed.

    >>> import numpy as np
    >>> class_targets("loss", (2, 3), np.array([[0, 1, 0], [0, 0, 1]]))
    array([1, 2])
    """
    lead, classes = shape[:-1], shape[-1]
    usual = t.size > 0 and t.shape == lead and t.dtype.kind in "iu" and t.dtype.isnative
    # One comparison is enough: as an unsigned number, a negative id is huge.
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
            _(
                "{owner}: outputs of shape {shape} are {classes} scores a row, and need targets of shape"
                " {ids} (class ids) or {shape} (one-hot, or probabilities); got {given}.",
                owner=name_of(owner),
                shape=shape,
                classes=classes,
                ids=lead,
                given=t.shape,
            )
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


def _first_index(bad: Array) -> str:
    """The index of the first True of a mask, as text: "3" or "3, 0"."""
    return ", ".join(str(int(i)) for i in np.argwhere(bad)[0])


def _probabilities(owner: object, t: Array) -> Array:
    """Rows (..., C) of numbers from 0 that add up to 1."""
    total = t.sum(axis=-1)
    bad = ~((t >= -BEYOND).all(axis=-1) & (np.abs(total - 1) <= ROUNDING))
    if bad.any():
        row = t[tuple(np.argwhere(bad)[0])]
        several = ((row == 0) | (row == 1)).all()
        raise DataError(
            sentences(
                _(
                    "{owner}: targets with a column for each class are probabilities from 0 that add up to"
                    " 1, one-hot rows a single 1 and else 0; row {row} is {values}, which adds up to"
                    " {sum:.6g}.",
                    owner=name_of(owner),
                    row=_first_index(bad),
                    values=shown(row.tolist()),
                    sum=row.sum(),
                ),
                _(
                    "If each column is a question of its own, answered yes or no, use SigmoidWithLoss."
                )
                if several
                else _(
                    "Divide each row by its sum, or for real-valued targets use MeanSquaredError."
                ),
            )
        )
    return t if t.dtype.kind == "f" else t.astype(float)


def _whole(owner: object, t: Array, classes: int) -> Array:
    whole = t.astype(np.int64) if np.isfinite(t).all() else t
    if np.array_equal(whole, t):
        return whole
    bad = ~(np.isfinite(t) & (np.floor(t) == t))
    raise DataError(
        _(
            "{owner}: targets must be class ids, whole numbers from 0 to {last}; t[{place}] is {value}."
            " For real-valued targets use MeanSquaredError.",
            owner=name_of(owner),
            last=classes - 1,
            place=_first_index(bad),
            value=t[bad][0],
        )
    )


def _in_range(owner: object, t: Array, classes: int, ignore: int | None) -> None:
    bad = (t < 0) | (t >= classes)
    if ignore is not None:
        bad &= t != ignore
    if not bad.any():
        return
    advice = _("Renumber the classes, or widen the last layer.")
    counted = t[t != ignore] if ignore is not None else t
    if counted.min() == 1 and counted.max() == classes:
        advice = _("They seem to count from 1: give t - 1.")
    elif set(np.unique(t[bad]).tolist()) <= {-1, -100}:
        advice = _("To leave such rows out, give the loss ignore_index={value}.", value=t[bad][0])
    raise DataError(
        sentences(
            _(
                "{owner}: targets must be class ids from 0 to {last}, since there are {classes} scores a"
                " row; t[{place}] is {value}.",
                owner=name_of(owner),
                last=classes - 1,
                classes=classes,
                place=_first_index(bad),
                value=t[bad][0],
            ),
            advice,
        )
    )


def answers(owner: object, shape: tuple[int, ...], t: Array) -> Array:
    """The targets of yes-or-no scores, checked: numbers from 0 to 1, in the scores' shape.

    >>> import numpy as np
    >>> answers("loss", (2, 1), np.array([0, 1])).shape
    (2, 1)
    """
    fitting = of_shape(t, shape)
    if fitting is None:
        raise ShapeError(
            _(
                "{owner} compares scores of shape {shape} with targets of the same shape; got targets of"
                " shape {given}.",
                owner=name_of(owner),
                shape=shape,
                given=t.shape,
            )
        )
    if fitting.size and not (fitting.min() >= -BEYOND and fitting.max() <= 1 + BEYOND):
        low, high = fitting.min(), fitting.max()
        hint = _("For several classes use SoftmaxWithLoss.")
        if low == -1 and high <= 1:
            hint = _("For -1 and 1 give (t + 1) / 2.")
        elif np.isnan(low):
            hint = _("Fill or drop the rows without a value.")
        raise DataError(
            sentences(
                _(
                    "{owner}: targets are probabilities from 0 to 1; got values from {low} to {high}.",
                    owner=name_of(owner),
                    low=low,
                    high=high,
                ),
                hint,
            )
        )
    return fitting
