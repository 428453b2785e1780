"""Columns as a table stores them: arrays of numbers, or texts as integer codes."""

from __future__ import annotations

import datetime as dt
import decimal
import numbers
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.datasets.dates import days, days_of
from chainrule.datasets.wording import at_column, quoted
from chainrule.errors import DataError, shown
from chainrule.lang.messages import _, _n, sentences

__all__ = [
    "Column",
    "Read",
    "Texts",
    "as_column",
    "check_matrix",
    "encoded",
    "holds_dates",
    "is_missing",
    "short",
    "whole_or_not",
]

Column = npt.NDArray[Any]
#: A location for error messages: its text, or a function that makes the text when there is an error.
Location = str | Callable[[], str]


@dataclass(frozen=True)
class Texts:
    """A text column: `codes` (n,) int32 into the distinct `categories`; -1 is missing."""

    codes: npt.NDArray[np.int32]
    categories: tuple[str, ...]

    def decoded(self) -> npt.NDArray[np.str_]:
        """The texts (n,), with "" for a missing one."""
        return np.array([*self.categories, ""], dtype=np.str_)[self.codes]

    def tidy(self) -> Texts:
        """The same texts with each category once, in order of first appearance, and no others.

        >>> Texts(np.array([2, 1, 0, 2]), ("", "b", "a")).tidy().categories
        ('a', 'b')
        """
        known = encoded(self.categories)
        codes = np.append(known.codes, np.int32(-1))[self.codes]
        used, first = np.unique(codes, return_index=True)
        used = used[np.argsort(first)]
        used = used[used >= 0]
        new = np.full(len(known.categories) + 1, -1, np.int32)
        new[used] = np.arange(len(used))
        return Texts(new[codes], tuple(known.categories[i] for i in used.tolist()))

    def stripped(self) -> Texts:
        """The same texts without blanks around them, as those of a text table are read.

        >>> Texts(np.array([0, 1, 2]), (" a", "a", " ")).stripped().codes.tolist()
        [0, 0, -1]
        """
        bare = tuple(category.strip() for category in self.categories)
        return self if bare == self.categories else Texts(self.codes, bare).tidy()


@dataclass(frozen=True)
class Read:
    """A column of a frame, already read.

    `truths`: its numbers are bools; `dates`: they are dates; `categories`: its type says that its
    texts are categories.
    """

    values: Column | Texts
    truths: bool = False
    dates: bool = False
    categories: bool = False


def holds_dates(value: object) -> bool:
    """Whether a column, as `as_column` takes it, holds dates or instants, and nothing else."""
    if isinstance(value, Read):
        return value.dates
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        return bool(value.dtype.kind == "M")
    if not isinstance(value, list | tuple | np.ndarray):
        return False
    known = [cell for cell in value if not is_missing(cell)]
    return bool(known) and all(isinstance(cell, dt.date | np.datetime64) for cell in known)


def check_matrix(x: Column, where: Location) -> Column:
    """`x` (n, d) in a dtype that a table can store: bool becomes uint8, uint64 int64.

    Raises:
        DataError: not 2-D, empty, not numeric, infinite, or too large for 64 bits.
    """
    if x.ndim != 2 or 0 in x.shape:
        raise DataError(
            _(
                "{where}: a matrix (rows, columns) with at least one of each is needed. Got shape {shape}.",
                where=_where_text(where),
                shape=x.shape,
            )
        )
    if x.dtype.kind == "b":
        return x.astype(np.uint8)
    if x.dtype.kind not in "iuf":
        raise DataError(
            _(
                "{where}: whole numbers, floats or bools are needed. Got dtype {dtype}. Convert the array"
                " to numbers first.",
                where=_where_text(where),
                dtype=x.dtype,
            )
        )
    if x.dtype == np.uint64:
        if x.max() > np.iinfo(np.int64).max:
            raise DataError(
                _(
                    "{where}: {number} is too large for a 64-bit whole number.",
                    where=_where_text(where),
                    number=x.max(),
                )
            )
        return x.astype(np.int64)
    if x.dtype.kind == "f":
        if x.dtype.itemsize > 8:
            with np.errstate(over="ignore"):
                x = x.astype(np.float64)
        for start in range(0, len(x), 4096):
            bad = np.isinf(x[start : start + 4096])
            if bad.any():
                row, column = np.argwhere(bad)[0].tolist()
                raise DataError(
                    _n(
                        "{where}: row {row}, column {column} is infinite ({n} such cell). Finite numbers are"
                        " needed, or NaN for a missing cell.",
                        "{where}: row {row}, column {column} is infinite ({n} such cells). Finite numbers are"
                        " needed, or NaN for a missing cell.",
                        int(np.isinf(x).sum()),
                        where=_where_text(where),
                        row=row + start,
                        column=column,
                    )
                )
    return x.astype(x.dtype.newbyteorder("="), copy=False)


def _where_text(where: Location) -> str:
    return where if isinstance(where, str) else where()


def encoded(cells: Iterable[str]) -> Texts:
    """Texts as codes, categories in order of first appearance; "" is missing."""
    seen: dict[str, int] = {"": -1}
    codes = np.fromiter((seen.setdefault(cell, len(seen) - 1) for cell in cells), np.int32)
    return Texts(codes, tuple(seen)[1:])


def short(value: float) -> str:
    """A number as a text, without the point of a whole one.

    >>> short(3.0), short(2.5), short(2**60)
    ('3', '2.5', '1152921504606846976')
    """
    whole = isinstance(value, int) or (value.is_integer() and abs(value) < 1e15)
    return str(int(value)) if whole else repr(value)


def as_column(value: object, source: str, name: object) -> Column | Texts:
    """A column from a list or an array, or one that was read from a frame.

    Dates become days since 1970-01-01. None, NaN, NA and NaT are missing cells.

    Raises:
        DataError: not such a column; the message begins with `source` and `name`.
    """
    if isinstance(value, Read):
        value = value.values
    if isinstance(value, Texts):
        return value

    def where() -> str:
        return at_column(source, quoted(name, 80))

    if isinstance(value, np.ma.MaskedArray) and bool(np.ma.getmaskarray(value).any()):
        raise DataError(
            _(
                "{where}: a masked array's mask would be lost. Mark missing cells by NaN:"
                " array.astype(float).filled(numpy.nan).",
                where=where(),
            )
        )
    array = _as_array(value, where)
    if array.ndim != 1:
        raise DataError(
            _("{where}: a column is 1-D. Got shape {shape}.", where=where(), shape=array.shape)
        )
    if array.dtype.kind == "U":
        if not isinstance(value, np.ndarray) and not all(isinstance(v, str) for v in value):  # type: ignore[attr-defined]
            mixed = _("{where}: texts and numbers are mixed.", where=where())
            raise DataError(sentences(mixed, _MIXED, _("Got {got}.", got=shown(value))))
        return encoded(array.tolist())
    if array.dtype.kind in "mM":
        unit, many = np.datetime_data(array.dtype)
        if array.dtype.kind == "M" and unit in ("Y", "M"):
            array, unit, many = array.astype("datetime64[D]"), "D", 1
        if unit not in ("Y", "M"):
            day_numbers = days_of(array.astype(np.int64) * many, unit)
            return whole_or_not(np.where(np.isnat(array), np.nan, day_numbers))
    if array.dtype.kind in "OT":
        cells = [None if is_missing(cell) else cell for cell in array.tolist()]
        known = [cell for cell in cells if cell is not None]
        if known and all(isinstance(cell, str) for cell in known):
            return encoded("" if cell is None else cell for cell in cells)
        if known and all(isinstance(cell, dt.date) for cell in known):
            return whole_or_not(np.array([np.nan if c is None else days(c) for c in cells]))
        if not all(isinstance(c, numbers.Real | decimal.Decimal | np.bool_) for c in known):
            odd = next((c for c in known if not isinstance(c, str | int | float)), cells)
            several = _(
                "{where}: a column holds numbers, texts or dates, one kind only.", where=where()
            )
            raise DataError(sentences(several, _MIXED, _("Got {got}.", got=shown(odd))))
        if known == cells and known and all(isinstance(c, numbers.Integral) for c in known):
            array = np.array([int(c) for c in known])
        else:
            array = np.array([np.nan if c is None else float(c) for c in cells])
    if not len(array):
        return array.astype(np.float64)
    return check_matrix(array.reshape(-1, 1), where)[:, 0]


_MIXED = _("Make it one: column.astype(str), or pandas.to_numeric(column, errors='coerce').")


def _as_array(value: object, where: Callable[[], str]) -> Column:
    """The cells as an array of a NumPy dtype, or of Python objects."""
    try:
        return np.array(value)
    except ValueError:
        raise DataError(
            _("{where}: the rows are of unlike length. Got {got}.", where=where(), got=shown(value))
        ) from None


def is_missing(cell: object) -> bool:
    """Whether the cell is None, NaN of any type, pandas.NA or NaT."""
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(cell, float | np.floating | decimal.Decimal) and cell != cell


def whole_or_not(values: npt.NDArray[np.float64]) -> Column:
    """The values as int64 if all are whole numbers that a float holds exactly."""
    whole = bool(((values == np.floor(values)) & (np.abs(values) < 2**53)).all())
    return values.astype(np.int64) if whole and len(values) else values
