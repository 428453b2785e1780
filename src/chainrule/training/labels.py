"""The labels in the arguments of a metric: ids, scores, probabilities, one-hot rows or texts.

Arguments that could be read in two ways are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, DTypeError, ShapeError, shown
from chainrule.graph.data import as_numbers, of_shape
from chainrule.graph.targets import first_text, one_hot_ids
from chainrule.lang.messages import Text, _, sentences

__all__ = ["OUTPUTS", "PREDICTIONS", "TARGETS", "Labels", "finite", "paired", "same_shape"]

Array = npt.NDArray[Any]

#: The names of a metric's arguments in messages.
PREDICTIONS, OUTPUTS, TARGETS = _("predictions"), _("outputs"), _("targets")
_ONE_COLUMN = _(
    "Say which: for ids give integers; for probabilities of yes binary_accuracy(outputs, t,"
    " threshold=0.5); for a network's scores binary_accuracy(outputs, t, threshold=0)."
)


@dataclass(frozen=True)
class Labels:
    """The predicted and the true label of every row, and the number of classes that had scores."""

    predicted: Array
    true: Array
    classes: int | None = None


def same_shape(predictions: Array, t: Array) -> Array:
    """t in the shape of the predictions, where (N,) and (N, 1) are alike; else a ShapeError."""
    fitting = of_shape(t, predictions.shape)
    if fitting is None:
        raise ShapeError(
            _(
                "predictions of shape {predictions} do not match targets of shape {targets}: every"
                " prediction needs one target.",
                predictions=predictions.shape,
                targets=t.shape,
            )
        )
    return fitting


def finite(values: Array, what: Text) -> Array:
    """The values; a DataError if there are none, or if one is NaN or infinite."""
    if not values.size:
        raise DataError(
            _(
                "a metric needs at least one row; got {what} of shape {shape}.",
                what=what,
                shape=values.shape,
            )
        )
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        index = np.argwhere(~np.isfinite(values))[0]
        raise DataError(
            _(
                "a metric needs numbers; {what}[{place}] is {value}. Leave such rows out, or look at why"
                " they are not finite.",
                what=what,
                place=", ".join(str(int(i)) for i in index),
                value=values[tuple(index)],
            )
        )
    return values


def paired(outputs: npt.ArrayLike, t: npt.ArrayLike) -> Labels:
    """The labels of predictions and targets, whatever form either has.

    Raises:
        DataError: numbers that mean one thing as ids and another as scores or probabilities.
        ShapeError: shapes of predictions and targets that do not match.
    """
    y, true = _as_array(outputs, PREDICTIONS), _as_array(t, TARGETS)
    texts = [a.dtype.kind == "U" for a in (y, true)]
    if any(texts):
        return _of_texts(y, true, texts)
    finite(y, PREDICTIONS)
    finite(true, TARGETS)
    if y.ndim >= 2 and y.shape[-1] > 1:
        return _of_columns(y, true)
    return _of_one_column(y, true)


def _as_array(values: npt.ArrayLike, what: Text) -> Array:
    if first_text(values) is None:
        return as_numbers(values, what)
    array = np.asarray(values)
    if array.dtype.kind == "O" and not all(isinstance(v, str) for v in array.flat):
        odd = next(v for v in array.flat if not isinstance(v, str))
        raise DTypeError(
            _(
                "{what} are texts, but for {odd}: give labels of one kind.",
                what=what,
                odd=shown(odd),
            )
        )
    return array.astype(str)


def _of_texts(y: Array, true: Array, texts: list[bool]) -> Labels:
    if not all(texts):
        one, other = (PREDICTIONS, TARGETS) if texts[0] else (TARGETS, PREDICTIONS)
        raise DTypeError(
            _(
                "the {texts} are texts and the {numbers} numbers. Give both alike: with names, t ="
                " np.unique(texts, return_inverse=True) texts become ids, and names[ids] are the texts.",
                texts=one,
                numbers=other,
            )
        )
    return Labels(y, same_shape(finite(y, PREDICTIONS), true))


def _of_columns(y: Array, true: Array) -> Labels:
    """The labels of rows of scores, of probabilities or of one-hot rows; or of sequences of ids."""
    classes = y.shape[-1]
    ids = of_shape(true, y.shape[:-1])
    if ids is not None:
        ids = _ids(ids)
        _check_range(ids, classes)
        return Labels(y.argmax(axis=-1), ids, classes)
    if true.shape != y.shape:
        raise ShapeError(
            _(
                "predictions of shape {predictions} are {classes} scores a row, and need targets of shape"
                " {ids} (ids) or {predictions} (one-hot); got {targets}.",
                predictions=y.shape,
                classes=classes,
                ids=y.shape[:-1],
                targets=true.shape,
            )
        )
    signs = (np.abs(true) == 1).all()  # 1 for the class, -1 for the others
    hot = one_hot_ids((true + 1) / 2) if signs else one_hot_ids(true)
    if y.dtype.kind in "iub" and true.dtype.kind in "iub":
        if hot is None or one_hot_ids(y) is None:
            if max(y.max(), true.max()) > 1:
                return Labels(y, true)  # ids, one for each element of a sequence
            raise DataError(
                _(
                    "predictions and targets of shape {shape} hold 0 and 1 only, and not a single 1 in each"
                    " row. For questions answered one by one use binary_accuracy; for ids of two classes"
                    " give both as one line, .ravel().",
                    shape=y.shape,
                )
            )
        return Labels(y.argmax(axis=-1), hot, classes)
    if hot is None and not ((true >= 0).all() and np.allclose(true.sum(axis=-1), 1, atol=1e-3)):
        row = next(r for r in true.reshape(-1, classes) if r.sum() != 1 or (r < 0).any())
        raise DataError(
            _(
                "targets of shape {shape} should be one-hot rows or probabilities, which add up to 1; one"
                " is {row}. For questions answered one by one use binary_accuracy.",
                shape=true.shape,
                row=shown(row.tolist()),
            )
        )
    return Labels(y.argmax(axis=-1), true.argmax(axis=-1) if hot is None else hot, classes)


def _of_one_column(y: Array, true: Array) -> Labels:
    """The labels of ids; or of one yes-or-no score per row, where the numbers cannot be ids."""
    hot = one_hot_ids(true) if true.ndim == y.ndim + 1 - (y.shape[-1:] == (1,)) else None
    if true.ndim >= 2 and true.shape[-1] > 1 and hot is not None:
        true = hot
    true = same_shape(y, true)
    if y.dtype.kind in "iub":
        return Labels(y, _ids(true))
    if (y == np.floor(y)).all():
        values = set(np.unique(y).tolist())
        if values <= {0.0, 1.0} or values <= set(np.unique(true).tolist()) or true.max() > 1:
            return Labels(y, _ids(true))
        if min(values) >= 0:
            unclear = _(
                "predictions such as {value:g} beside targets of 0 and 1 could be ids, or scores of yes.",
                value=max(values),
            )
            raise DataError(sentences(unclear, _ONE_COLUMN))
    elif set(np.unique(true).tolist()) == {-1, 1}:
        return Labels(y > 0, true > 0, 2)  # the sign is the class
    elif y.min() >= 0 and y.max() <= 1:
        unclear = _(
            "predictions from {low:.4g} to {high:.4g}, one a row, could be probabilities, or scores of which"
            " those above 0 are a yes.",
            low=y.min(),
            high=y.max(),
        )
        raise DataError(sentences(unclear, _ONE_COLUMN))
    if true.min() < 0 or true.max() > 1:
        odd = true.min() if true.min() < 0 else true.max()
        raise DataError(
            _(
                "one score a row answers a yes-or-no question, with targets 0 and 1; the targets hold"
                " {odd:g}. Give ids as integers, or a score for each class, (N, C).",
                odd=odd,
            )
        )
    return Labels(y > 0, true > 0.5, 2)


def _ids(t: Array) -> Array:
    if t.dtype.kind == "f" and not (t == np.floor(t)).all():
        odd = t[t != np.floor(t)][0]
        raise DataError(_("targets are ids; got {odd}. For values use r2 or mae.", odd=odd))
    return t


def _check_range(ids: Array, classes: int) -> None:
    bad = (ids < 0) | (ids >= classes)
    if bad.any():
        raise DataError(
            _(
                "targets hold the class {id:g}, and the predictions have {classes} scores a row: ids go from"
                " 0 to {last}.",
                id=ids[bad][0],
                classes=classes,
                last=classes - 1,
            )
        )
