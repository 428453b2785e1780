"""The rules of a `Preprocessor`: each makes one column of x, or several, from a column of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.datasets.columns import Texts, short
from chainrule.datasets.dates import DATE_PARTS, DatePart
from chainrule.datasets.forms import Form
from chainrule.datasets.table import Table

__all__ = [
    "DATE_PARTS",
    "MISSING",
    "CodeColumn",
    "DatePart",
    "FlagColumn",
    "Layout",
    "NumberColumn",
    "Part",
    "TextColumn",
    "WordColumn",
    "category_ids",
]

MISSING = "(missing)"
NUMBER = Form("number")


@dataclass(frozen=True)
class NumberColumn:
    """x = z = (number - center) / scale; with `clip`, x = z / √(1 + (z / clip)²); 0 if scale is 0.

    The number is the cell, or with `of` a part of its date; a missing cell counts as the median.
    """

    name: str
    center: float
    scale: float
    median: float
    form: Form = NUMBER
    clip: float | None = None
    of: DatePart | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """`height`, or `born: month`."""
        return (self.name if self.of is None else f"{self.name}: {self.of}",)


@dataclass(frozen=True)
class FlagColumn:
    """x = 1 where a number is missing, else 0."""

    name: str

    @property
    def features(self) -> tuple[str, ...]:
        """`height (missing)`."""
        return (f"{self.name} {MISSING}",)


@dataclass(frozen=True)
class TextColumn:
    """One-hot: a column of 0 and 1 for each category."""

    name: str
    categories: tuple[str, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """`island=Biscoe`, ..."""
        return tuple(f"{self.name}={category or MISSING}" for category in self.categories)


@dataclass(frozen=True)
class WordColumn(TextColumn):
    """One-hot: a column of 0 and 1 for each word that occurs among the numbers of a column."""


@dataclass(frozen=True)
class CodeColumn:
    """x = the number of the cell's category: `values[i]` for `categories[i]`, `other` for the rest.

    With `rows`, the values are row numbers of a CategoryEmbedding, and there are so many rows for
    this column. A category that is alone is one column of a one-hot code.
    """

    name: str
    categories: tuple[str, ...]
    values: tuple[float, ...]
    other: float
    rows: int = 0

    @property
    def features(self) -> tuple[str, ...]:
        """`island`, or `island=Biscoe` if there is one category."""
        if len(self.categories) == 1:
            return (f"{self.name}={self.categories[0] or MISSING}",)
        return (self.name,)


Part = NumberColumn | FlagColumn | TextColumn | WordColumn | CodeColumn


@dataclass(frozen=True)
class Layout:
    """Which columns of x are what: the first `numbers` are numbers, to be embedded or not.

    The last `columns` hold row numbers of a CategoryEmbedding with `rows` rows, among which `unknown`
    stand for texts that the training rows do not have.
    """

    numbers: int
    columns: int = 0
    rows: int = 0
    unknown: tuple[int, ...] = ()

    def one_hot(self, x: npt.ArrayLike) -> npt.NDArray[Any]:
        """x with columns of 0 and 1 in place of row numbers: for a linear model.

        >>> Layout(numbers=1, columns=1, rows=3).one_hot([[0.5, 2.0]])
        array([[0.5, 0. , 0. , 1. ]])
        """
        rows = np.asarray(x)
        if not self.columns:
            return rows
        codes = np.zeros((len(rows), self.rows), rows.dtype)
        for ids in rows[:, -self.columns :].T:
            codes[np.arange(len(rows)), ids.astype(np.int64)] = 1
        return np.concatenate([rows[:, : -self.columns], codes], axis=1)

    def mean_row(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The mean row of `one_hot(x)`, which is not made for that.

        >>> Layout(numbers=1, columns=1, rows=3).mean_row([[0.5, 2.0], [1.5, 0.0]])
        array([1. , 0.5, 0. , 0.5])
        """
        rows = np.asarray(x)
        numbers = rows[:, : rows.shape[1] - self.columns].mean(axis=0, dtype=np.float64)
        counts = np.zeros(self.rows)
        for ids in rows[:, rows.shape[1] - self.columns :].T:
            counts += np.bincount(ids.astype(np.int64), minlength=self.rows)
        return np.concatenate([numbers, counts / len(rows)])

    def width(self, features: int) -> int:
        """The columns of `one_hot(x)`, for so many of x."""
        return features - self.columns + self.rows


def part_columns(table: Table, part: Part) -> npt.NDArray[np.floating[Any]]:
    """The columns of x (n, features) that a part makes; those of numbers are made all together."""
    if isinstance(part, FlagColumn):
        return table.missing(part.name).astype(np.float32)[:, None]
    assert not isinstance(part, NumberColumn)
    ids = part_ids(table, part)
    if isinstance(part, CodeColumn):
        codes: npt.NDArray[np.float64] = np.array([*part.values, part.other])[ids]
        return codes.reshape(-1, 1)
    one_hot: npt.NDArray[np.bool_] = ids[:, None] == np.arange(len(part.categories))
    return one_hot.astype(np.float32)


def part_ids(table: Table, part: TextColumn | CodeColumn) -> npt.NDArray[np.int64]:
    """For each row the index of its text among the part's categories; -1 if it is not there."""
    return category_ids(table, part.name, part.categories, beside=isinstance(part, WordColumn))


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
    cells = table[name].tolist()
    texts = ("" if cell != cell else short(cell) for cell in cells)
    number_ids = np.fromiter((id_of.get(text, -1) for text in texts), np.int64, len(table))
    return number_ids if words is None else np.where(words.codes >= 0, of(words, -1), number_ids)
