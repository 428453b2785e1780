"""What a preparation learns from the training rows: a rule for each column, and one for the target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from chainrule.datasets.table import GROUP, Table
from chainrule.errors import DataError, shown

__all__ = [
    "MISSING",
    "NumberColumn",
    "Task",
    "TextColumn",
    "filled_in",
    "fit_columns",
    "fit_target",
    "listed",
]

Task = Literal["classification", "regression"]
MISSING = "(missing)"
FEW_CLASSES = 20
MANY_TEXTS = 50
TOO_MANY_TEXTS = 1000
LARGEST_TARGET = 1e300  # so that an answer of some deviations is still a number


@dataclass(frozen=True)
class NumberColumn:
    """x = (cell - mean) / std; 0 where std is 0; a missing cell counts as the median."""

    name: str
    mean: float
    std: float
    median: float


@dataclass(frozen=True)
class TextColumn:
    """One column of 0 and 1 for each category."""

    name: str
    categories: tuple[str, ...]


def fit_target(
    table: Table, target: str, task: str, notes: list[str]
) -> tuple[Task, tuple[str, ...] | tuple[int, ...] | None, float, float]:
    """The task, the classes, and the centre and spread of numbers; `notes` gets a sentence."""
    where = f"{table.source}, column {target!r}"
    if table.kind(target) == "text":
        if task == "regression":
            raise DataError(
                f"{where}: regression needs numbers. Got texts, such as "
                f"{shown(table[target][0].item())}. Use task='classification', or another target."
            )
        text = table.texts(target)
        counts = np.bincount(text.codes, minlength=len(text.categories)).tolist()
        found = dict(zip(text.categories, counts, strict=True))
        words = tuple(sorted(name for name, count in found.items() if count))
        _several(words, where)
        notes.append(_class_note(target, words, [found[name] for name in words]))
        return "classification", words, 0.0, 1.0
    values = table.matrix([target])[:, 0]
    distinct, sizes = np.unique(values, return_counts=True)
    whole = bool((distinct == np.floor(distinct)).all() and np.abs(distinct).max() <= 2**53)
    if task == "classification" and not whole:
        odd = distinct[distinct != np.floor(distinct)]
        raise DataError(
            f"{where}: classes are texts or whole numbers. Got "
            f"{odd[0] if odd.size else distinct[-1]}. Use task='regression', or another target."
        )
    if task == "classification" or (task == "auto" and whole and len(distinct) <= FEW_CLASSES):
        ids = tuple(int(value) for value in distinct.tolist())
        _several(ids, where)
        notes.append(_class_note(target, ids, sizes.tolist()))
        return "classification", ids, 0.0, 1.0
    if len(distinct) < 2:
        raise DataError(
            f"{where}: the target is {distinct[0]:g} in every row, so there is nothing to learn. "
            "Choose another target column."
        )
    largest = max(abs(float(distinct[0])), abs(float(distinct[-1])))
    if largest > LARGEST_TARGET:
        raise DataError(
            f"{where}: the numbers are too large to predict; they go up to {largest:.3g}, and "
            f"at most {LARGEST_TARGET:g} is possible. Divide the column by a power of ten."
        )
    center, spread = _moments(values)
    if not spread > 0:
        raise DataError(
            f"{where}: the numbers differ by less than {2.0**-1022:.3g}, too little to predict. "
            "Multiply the column by a power of ten."
        )
    notes.append(
        f"{target!r} is a number to predict (regression), standardised with the training mean "
        f"{center:.6g} and standard deviation {spread:.6g}."
    )
    return "regression", None, center, spread


def _several(classes: Sequence[object], where: str) -> None:
    if len(classes) < 2:
        raise DataError(
            f"{where}: there is one class only, {shown(classes[0])}, so there is nothing to "
            "tell apart. Add rows of another class, or choose another target column."
        )


def _class_note(target: str, classes: Sequence[object], counts: list[int]) -> str:
    pairs = [f"{name} ({count})" for name, count in zip(classes, counts, strict=True)]
    return f"{target!r} has {len(classes)} classes: {listed(pairs)}."


def fit_columns(table: Table, target: str, notes: list[str]) -> list[NumberColumn | TextColumn]:
    """The rules for every column but the target, in the table's order."""
    names = [name for name in table.names if name != target]
    learned = _fit_numbers(table, [name for name in names if table.kind(name) != "text"])
    gaps = table.missing_counts()
    parts: list[NumberColumn | TextColumn] = []
    empty, constant, filled = [], [], []
    for name in names:
        if table.kind(name) == "text":
            part = _fit_text(table, name, notes)
            if part is not None:
                parts.append(part)
            continue
        number = learned[name]
        if number is None:
            empty.append(name)
            continue
        parts.append(number)
        if number.std == 0.0:
            constant.append(name)
        if gaps.get(name):
            filled.append(filled_in(name, gaps[name], number.median))
    numbers = [part.name for part in parts if isinstance(part, NumberColumn)]
    if numbers:
        plural = "s were" if len(numbers) > 1 else " was"
        notes.append(
            f"{len(numbers)} number column{plural} standardised: minus the training mean, "
            f"divided by the training standard deviation ({listed(numbers, 4)})."
        )
    notes.extend(filled[:20])
    if len(filled) > 20:
        notes.append(f"Missing cells in {len(filled) - 20} more columns were filled likewise.")
    if constant:
        notes.append(
            f"{len(constant)} column{'s hold' if len(constant) > 1 else ' holds'} one value only "
            f"in the training rows and became 0: {listed(constant, 5)}."
        )
    if empty:
        notes.append(
            f"{len(empty)} column{'s have' if len(empty) > 1 else ' has'} no value in the "
            f"training rows and {'were' if len(empty) > 1 else 'was'} left out: "
            f"{listed(empty, 5)}."
        )
    return parts


def _fit_text(table: Table, name: str, notes: list[str]) -> TextColumn | None:
    text = table.texts(name)
    counts = np.bincount(text.codes[text.codes >= 0], minlength=len(text.categories))
    present = sorted(c for c, n in zip(text.categories, counts.tolist(), strict=True) if n)
    missing = int((text.codes < 0).sum())
    distinct, rows = len(present), len(table)
    if distinct > TOO_MANY_TEXTS or (distinct > MANY_TEXTS and distinct * 2 > rows):
        notes.append(f"{name!r} was left out: {distinct} distinct texts in {rows} rows.")
        return None
    if distinct + (missing > 0) < 2:
        what = f"one text only, {shown(present[0])}" if present else "no text at all"
        notes.append(f"{name!r} was left out: it holds {what}.")
        return None
    categories = tuple(present) + (("",) if missing else ())
    shown_names = listed([c or MISSING for c in categories])
    gap = f", {missing} cell{'s' if missing > 1 else ''} missing" if missing else ""
    notes.append(f"{name!r} became {len(categories)} columns ({shown_names}){gap}.")
    return TextColumn(name, categories)


def _fit_numbers(table: Table, names: list[str]) -> dict[str, NumberColumn | None]:
    """Mean, deviation and median of the known cells; None for a column without any."""
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
            learned[name] = NumberColumn(name, mean, std, _median(known))
    return learned


def _moments(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard deviation, without overflow; exactly (value, 0) for a constant."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        return low, 0.0
    exponent = max(math.frexp(low)[1], math.frexp(high)[1])
    scaled = np.ldexp(values, -exponent)  # a power of two: changes no digit
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


def filled_in(name: str, count: int, median: float) -> str:
    """The sentence about missing cells and what stands for them."""
    plural = "s" if count > 1 else ""
    return (
        f"{count} missing cell{plural} in {name!r} {'were' if plural else 'was'} filled with "
        f"the training median {median:.6g}."
    )


def listed(names: Sequence[object], most: int = 12) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(str(name) for name in names[:most]) + more
