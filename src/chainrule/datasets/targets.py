"""What a `Preprocessor` learns about the target: the task, the classes, or mean and standard deviation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from chainrule.datasets.columns import short
from chainrule.datasets.dates import day_of
from chainrule.datasets.table import Table
from chainrule.datasets.wording import at_column, counted, quoted, some
from chainrule.datasets.writings import parse_number
from chainrule.errors import DataError
from chainrule.lang.messages import Spelled, Text, _, _n

__all__ = ["Target", "Task", "fit_target", "labels_in", "moments"]

Task = Literal["classification", "regression"]
FEW_CLASSES = 20
MANY_TEXTS = 50
#: A hundredth of the rows with so much of the variance is spoken of.
MOST = 0.8
LARGEST_TARGET = 1e300  # predictions some deviations away must still be finite
CLASSIFICATION = Spelled("task='classification'", command="--task classification")
REGRESSION = Spelled("task='regression'", command="--task regression")


@dataclass(frozen=True)
class Target:
    """What is learnt about the target.

    `classes` is None in regression; `center` and `spread` are its mean and standard deviation, 0 and 1
    in classification; `limits` are its least and largest value, between which answers are kept.
    """

    task: Task
    classes: tuple[str, ...] | tuple[int, ...] | None = None
    center: float = 0.0
    spread: float = 1.0
    limits: tuple[float, float] | None = None


def fit_target(table: Table, target: str, task: str, notes: list[Text]) -> Target:
    """What the rows tell about the target; a sentence about it is added to `notes`."""
    where = at_column(table.source, quoted(target))
    labels = labels_in(table, target, task)
    if labels is not None:
        words = tuple(sorted(labels))
        if task == "regression":
            raise DataError(
                _(
                    "{where}: regression needs numbers. Got texts, such as {text}. Use {option}, or another"
                    " target.",
                    where=where,
                    text=quoted(words[0], 80),
                    option=CLASSIFICATION,
                )
            )
        if task == "auto":
            _refuse_many(where, words, len(table))
        _several(words, where)
        notes.append(_class_note(target, words, [labels[name] for name in words]))
        return Target("classification", words)
    values = table.matrix([target])[:, 0]
    distinct, sizes = np.unique(values, return_counts=True)
    whole = bool((distinct == np.floor(distinct)).all() and np.abs(distinct).max() <= 2**53)
    if task == "classification" and not whole:
        odd = distinct[distinct != np.floor(distinct)]
        raise DataError(
            _(
                "{where}: classes are texts or whole numbers. Got {number}. Use {option}, or another target.",
                where=where,
                number=odd[0] if odd.size else distinct[-1],
                option=REGRESSION,
            )
        )
    if task == "classification" or (task == "auto" and whole and len(distinct) <= FEW_CLASSES):
        ids = tuple(int(value) for value in distinct.tolist())
        _several(ids, where)
        notes.append(_class_note(target, ids, sizes.tolist()))
        return Target("classification", ids)
    if len(distinct) < 2:
        raise DataError(
            _(
                "{where}: the target is {number:g} in every row, so there is nothing to learn. Choose another"
                " target column.",
                where=where,
                number=distinct[0],
            )
        )
    largest = max(abs(float(distinct[0])), abs(float(distinct[-1])))
    if largest > LARGEST_TARGET:
        raise DataError(
            _(
                "{where}: the numbers are too large to predict; they go up to {largest:.3g}, and at most"
                " {limit:g} is possible. Divide the column by a power of ten.",
                where=where,
                largest=largest,
                limit=LARGEST_TARGET,
            )
        )
    center, spread = moments(values)
    if not spread > 0:
        raise DataError(
            _(
                "{where}: the numbers differ by less than {least:.3g}, too little to predict. Multiply the"
                " column by a power of ten.",
                where=where,
                least=2.0**-1022,
            )
        )
    form = table.form(target)
    if form is not None and form.kind == "date":
        notes.append(
            _(
                "{column} holds dates or times: what is predicted are days since 1970-01-01.",
                column=quoted(target),
            )
        )
    notes.append(
        _(
            "{column} is a number to predict (regression), standardised with the training mean {mean:.6g}"
            " and standard deviation {std:.6g}.",
            column=quoted(target),
            mean=center,
            std=spread,
        )
    )
    few, share = _largest(values, center)
    if share >= MOST:
        notes.append(
            _n(
                "{column} is very unequal: {n} of {rows} rows has {share:.0%} of its variance, so errors and"
                " scores go by that one. If ratios count more than differences, predict its logarithm.",
                "{column} is very unequal: {n} of {rows} rows have {share:.0%} of its variance, so errors and"
                " scores go by these. If ratios count more than differences, predict its logarithm.",
                few,
                column=quoted(target),
                rows=len(values),
                share=share,
            )
        )
    return Target("regression", None, center, spread, (float(distinct[0]), float(distinct[-1])))


def _largest(values: npt.NDArray[np.float64], center: float) -> tuple[int, float]:
    """A hundredth of the rows, and the part of the variance that those farthest from the mean have."""
    few = len(values) // 100
    if not few:
        return 0, 0.0
    far = np.abs(values - center)
    squares = (far / far.max()) ** 2
    return few, float(np.partition(squares, -few)[-few:].sum() / squares.sum())


def labels_in(table: Table, target: str, task: str) -> dict[str, int] | None:
    """The labels of the target with their counts; None if the target is numeric.

    A column of numbers and words has labels if `task` is classification, or if it is "auto" and
    the numbers are few and whole.
    """
    if table.kind(target) == "text":
        text = table.texts(target)
        counts = np.bincount(text.codes, minlength=len(text.categories)).tolist()
        return {name: n for name, n in zip(text.categories, counts, strict=True) if n}
    words = table.words(target)
    if words is None or not bool((words.codes >= 0).any()) or task == "regression":
        return None
    values = table.matrix([target])[:, 0]
    numbers, number_counts = np.unique(values[~np.isnan(values)], return_counts=True)
    counts = np.bincount(words.codes[words.codes >= 0], minlength=len(words.categories)).tolist()
    word_counts = {name: n for name, n in zip(words.categories, counts, strict=True) if n}
    whole = bool((numbers == np.floor(numbers)).all())
    if task == "auto" and not (whole and len(numbers) + len(word_counts) <= FEW_CLASSES):
        return None
    return {
        short(value): n for value, n in zip(numbers.tolist(), number_counts.tolist(), strict=True)
    } | word_counts


def _refuse_many(where: Text, words: Sequence[str], rows: int) -> None:
    """Raise a DataError for a text column with too many texts to be classes."""
    numbers = sum(bool(parse_number(word)) or day_of(word, False) is not None for word in words)
    single = 2 * len(words) > rows
    if len(words) > MANY_TEXTS and (single or 2 * numbers > len(words)):
        otherwise = _(
            "If they are numbers or dates, say so (--number, --date); if they are classes, {option}; or"
            " choose another target.",
            option=CLASSIFICATION,
        )
        plain = _("Choose another column to predict.")
        raise DataError(
            _(
                "{where}: there are {count} different texts in {rows} rows, such as {first} and {last}, which"
                " would each be a class. {advice}",
                where=where,
                count=len(words),
                rows=rows,
                first=quoted(words[0], 40),
                last=quoted(words[-1], 40),
                advice=Spelled(otherwise, page=plain),
            )
        )


def _several(classes: Sequence[str] | Sequence[int], where: Text) -> None:
    if len(classes) < 2:
        only = classes[0]
        raise DataError(
            _(
                "{where}: there is one class only, {name}, so there is nothing to tell apart. Add rows of"
                " another class, or choose another target column.",
                where=where,
                name=quoted(only, 80) if isinstance(only, str) else only,
            )
        )


def _class_note(target: str, classes: Sequence[object], counts: list[int]) -> Text:
    return _(
        "{column} has {count} classes: {classes}.",
        column=quoted(target),
        count=len(classes),
        classes=some(list(zip(classes, counts, strict=True)), text_of=counted),
    )


def moments(
    values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64] | None = None
) -> tuple[float, float]:
    """Mean and standard deviation, without overflow; exactly (value, 0) for a constant."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        return low, 0.0
    exponent = max(math.frexp(low)[1], math.frexp(high)[1])
    scaled = np.ldexp(values, -exponent)  # scaling by a power of two is exact
    mean = float(np.average(scaled, weights=weights))
    scaled -= mean
    np.multiply(scaled, scaled, out=scaled)
    std = math.sqrt(float(np.average(scaled, weights=weights)))
    std = min(std, math.nextafter(1.0, 0.0))
    return math.ldexp(mean, exponent), math.ldexp(std, exponent)
