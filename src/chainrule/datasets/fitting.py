"""What a `Preprocessor` learns from the training rows: a rule for each column, and for the target."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from chainrule.datasets.columns import Texts
from chainrule.datasets.dates import day_of
from chainrule.datasets.forms import Form
from chainrule.datasets.table import GROUP, Table
from chainrule.datasets.wording import at_column, counted, quoted, some
from chainrule.datasets.writings import parse_number
from chainrule.errors import DataError
from chainrule.lang.messages import Spelled, Text, _, _n, sentences

__all__ = [
    "MISSING",
    "NumberColumn",
    "Part",
    "Task",
    "TextColumn",
    "WordColumn",
    "category_ids",
    "filled_note",
    "fit_columns",
    "fit_target",
    "labels_in",
    "short",
]

Task = Literal["classification", "regression"]
MISSING = "(missing)"
FEW_CLASSES = 20
MANY_TEXTS = 50
TOO_MANY_TEXTS = 1000
NUMBER = Form("number")
LARGEST_TARGET = 1e300  # predictions some deviations away must still be finite
CLASSIFICATION = Spelled("task='classification'", command="--task classification")
REGRESSION = Spelled("task='regression'", command="--task regression")


@dataclass(frozen=True)
class NumberColumn:
    """x = (cell - mean) / std; 0 where std is 0; a missing cell counts as the median."""

    name: str
    mean: float
    std: float
    median: float
    form: Form = NUMBER


@dataclass(frozen=True)
class TextColumn:
    """One-hot: a column of 0 and 1 for each category."""

    name: str
    categories: tuple[str, ...]


@dataclass(frozen=True)
class WordColumn:
    """One-hot: a column of 0 and 1 for each word that occurs among the numbers of a column."""

    name: str
    categories: tuple[str, ...]


Part = NumberColumn | TextColumn | WordColumn


def category_ids(
    table: Table, name: str, categories: Sequence[str], beside: bool = False
) -> npt.NDArray[np.int64]:
    """For each row the index of its text in `categories` (n,), -1 if it is not among them.

    In a number column the texts are the numbers and the words; with `beside`, only the words.
    """
    id_of = {category: i for i, category in enumerate(categories)}

    def of(text: Texts, empty: int) -> npt.NDArray[np.int64]:
        ids = [id_of.get(category, -1) for category in text.categories]
        return np.array([*ids, empty], dtype=np.int64)[text.codes]

    if table.kind(name) == "text":
        return of(table.texts(name), id_of.get("", -1))
    words = table.words(name)
    if beside:
        return np.full(len(table), -1, np.int64) if words is None else of(words, -1)
    whole = table.kind(name) == "int"
    cells = table[name].tolist()
    texts = ("" if cell != cell else str(cell if whole else short(cell)) for cell in cells)
    number_ids = np.fromiter((id_of.get(text, -1) for text in texts), np.int64, len(table))
    return number_ids if words is None else np.where(words.codes >= 0, of(words, -1), number_ids)


def short(value: float) -> str:
    """A number as a text, without the point of a whole one."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def fit_target(
    table: Table, target: str, task: str, notes: list[Text]
) -> tuple[Task, tuple[str, ...] | tuple[int, ...] | None, float, float]:
    """The task, the classes (None in regression), and the target's mean and standard deviation.

    A sentence about the target is added to `notes`.
    """
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
        return "classification", words, 0.0, 1.0
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
        return "classification", ids, 0.0, 1.0
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
    center, spread = _moments(values)
    if not spread > 0:
        raise DataError(
            _(
                "{where}: the numbers differ by less than {least:.3g}, too little to predict. Multiply the"
                " column by a power of ten.",
                where=where,
                least=2.0**-1022,
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
    return "regression", None, center, spread


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


def fit_columns(table: Table, target: str, notes: list[Text]) -> list[Part]:
    """The rules for every column but the target, in the table's order."""
    names = [name for name in table.names if name != target]
    learned = _fit_numbers(table, [name for name in names if table.kind(name) != "text"])
    gaps = table.missing_counts()
    parts: list[Part] = []
    empty, constant, filled = [], [], []
    for name in names:
        if table.kind(name) == "text":
            part = _fit_text(table, name, notes)
            if part is not None:
                parts.append(part)
            continue
        number = learned[name]
        beside = _fit_words(table, name, notes)
        if number is None and beside is None:
            empty.append(name)
            continue
        parts.extend(part for part in (number, beside) if part is not None)
        if number is None:
            continue
        if number.std == 0.0:
            constant.append(name)
        if gaps.get(name):
            filled.append(filled_note(name, gaps[name], number.median))
    numbers = [part.name for part in parts if isinstance(part, NumberColumn)]
    if numbers:
        notes.append(
            _n(
                "{n} number column was standardised: minus the training mean, divided by the training"
                " standard deviation ({names}).",
                "{n} number columns were standardised: minus the training mean, divided by the training"
                " standard deviation ({names}).",
                len(numbers),
                names=some(numbers, 4),
            )
        )
    notes.extend(filled[:20])
    if len(filled) > 20:
        notes.append(
            _n(
                "Missing cells in {n} more column were filled likewise.",
                "Missing cells in {n} more columns were filled likewise.",
                len(filled) - 20,
            )
        )
    if constant:
        notes.append(
            _n(
                "{n} column holds one value only in the training rows and became 0: {names}.",
                "{n} columns hold one value only in the training rows and became 0: {names}.",
                len(constant),
                names=some(constant, 5),
            )
        )
    if empty:
        notes.append(
            _n(
                "{n} column has no value in the training rows and was left out: {names}.",
                "{n} columns have no value in the training rows and were left out: {names}.",
                len(empty),
                names=some(empty, 5),
            )
        )
    return parts


def _fit_text(table: Table, name: str, notes: list[Text]) -> TextColumn | None:
    text = table.texts(name)
    counts = np.bincount(text.codes[text.codes >= 0], minlength=len(text.categories))
    present = sorted(c for c, n in zip(text.categories, counts.tolist(), strict=True) if n)
    missing = int((text.codes < 0).sum())
    distinct, rows, column = len(present), len(table), quoted(name)
    if distinct > TOO_MANY_TEXTS or (distinct > MANY_TEXTS and distinct * 2 > rows):
        note: Text = _(
            "{column} was left out: {count} distinct texts in {rows} rows.",
            column=column,
            count=distinct,
            rows=rows,
        )
        digits = [category for category in present if re.match(r"\W*\d", category)]
        if 2 * len(digits) > distinct and not all(day_of(c, False) is not None for c in digits):
            hint = _(
                "(If they are numbers, such as {text}, write them as 12.5.)",
                text=quoted(digits[0], 40),
            )
            note = sentences(note, hint)
        notes.append(note)
        return None
    if not present:
        notes.append(_("{column} was left out: it holds no text at all.", column=column))
        return None
    if distinct + (missing > 0) < 2:
        notes.append(
            _(
                "{column} was left out: it holds one text only, {text}.",
                column=column,
                text=quoted(present[0], 80),
            )
        )
        return None
    categories = tuple(present) + (("",) if missing else ())
    names = some(categories, text_of=lambda category: category or _("(missing)"))
    if missing:
        notes.append(
            _n(
                "{column} became {count} columns ({names}), {n} cell missing.",
                "{column} became {count} columns ({names}), {n} cells missing.",
                missing,
                column=column,
                count=len(categories),
                names=names,
            )
        )
    else:
        notes.append(
            _(
                "{column} became {count} columns ({names}).",
                column=column,
                count=len(categories),
                names=names,
            )
        )
    return TextColumn(name, categories)


def _fit_words(table: Table, name: str, notes: list[Text]) -> WordColumn | None:
    """The rule for the words beside the numbers of a column; None if there are no words."""
    words = table.words(name)
    if words is None:
        return None
    counts = np.bincount(words.codes[words.codes >= 0], minlength=len(words.categories)).tolist()
    present = sorted(c for c, n in zip(words.categories, counts, strict=True) if n)
    if not present:
        return None
    if len(present) > MANY_TEXTS and len(present) * 2 > len(table):
        notes.append(
            _(
                "The words among the numbers of {column} were left out, and count as missing: {count}"
                " distinct texts in {rows} rows.",
                column=quoted(name),
                count=len(present),
                rows=len(table),
            )
        )
        return None
    notes.append(
        _n(
            "The words among the numbers of {column} became {n} more column ({names}); where they stand, the"
            " number is the training median.",
            "The words among the numbers of {column} became {n} more columns ({names}); where they stand, the"
            " number is the training median.",
            len(present),
            column=quoted(name),
            names=some(present),
        )
    )
    return WordColumn(name, tuple(present))


def _fit_numbers(table: Table, names: list[str]) -> dict[str, NumberColumn | None]:
    """Mean, standard deviation and median of the known cells; None for a column without any."""
    learned: dict[str, NumberColumn | None] = {}
    for start in range(0, len(names), GROUP):
        group = names[start : start + GROUP]
        cells = np.ascontiguousarray(table.matrix(group).T)
        for name, values in zip(group, cells, strict=True):
            gaps = np.isnan(values)
            known = values[~gaps] if gaps.any() else values
            if not known.size:
                learned[name] = None
                continue
            mean, std = _moments(known)
            form = table.form(name) or NUMBER
            learned[name] = NumberColumn(name, mean, std, _median(known), form)
    return learned


def _moments(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard deviation, without overflow; exactly (value, 0) for a constant."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        return low, 0.0
    exponent = max(math.frexp(low)[1], math.frexp(high)[1])
    scaled = np.ldexp(values, -exponent)  # scaling by a power of two is exact
    mean = float(scaled.mean())
    scaled -= mean
    std = math.sqrt(float(np.mean(scaled * scaled)))
    std = min(std, math.nextafter(1.0, 0.0))
    return math.ldexp(mean, exponent), math.ldexp(std, exponent)


def _median(values: npt.NDArray[np.float64]) -> float:
    half = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, half)[half])
    both = np.partition(values, [half - 1, half])
    return float(both[half - 1]) / 2 + float(both[half]) / 2


def filled_note(name: str, count: int, median: float) -> Text:
    """The sentence that missing cells were filled with the median."""
    return _n(
        "{n} missing cell in {column} was filled with the training median {median:.6g}.",
        "{n} missing cells in {column} were filled with the training median {median:.6g}.",
        count,
        column=quoted(name),
        median=median,
    )
