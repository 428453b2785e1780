"""Columns as a table takes them: numbers of some width, or texts as codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, shown

__all__ = ["Column", "Texts", "as_column", "check_matrix", "encoded"]

Column = npt.NDArray[Any]


@dataclass(frozen=True)
class Texts:
    """A text column: `codes` (n,) int32 into the distinct `categories`; -1 is missing."""

    codes: npt.NDArray[np.int32]
    categories: tuple[str, ...]

    def decoded(self) -> npt.NDArray[np.str_]:
        """The texts (n,), with "" for a missing one."""
        return np.array([*self.categories, ""], dtype=np.str_)[self.codes]


def check_matrix(x: Column, where: str) -> Column:
    """`x` (n, d) in a storage a table takes (bool becomes uint8), or a DataError."""
    if x.ndim != 2 or 0 in x.shape:
        raise DataError(
            f"{where}: a matrix (rows, columns) with at least one of each is needed. "
            f"Got shape {x.shape}."
        )
    if x.dtype.kind == "b":
        return x.astype(np.uint8)
    if x.dtype.kind not in "iuf":
        raise DataError(
            f"{where}: whole numbers, floats or bools are needed. Got dtype {x.dtype}. "
            "Convert the array to numbers first."
        )
    if x.dtype == np.uint64:
        if x.max() > np.iinfo(np.int64).max:
            raise DataError(f"{where}: {x.max()} is too large for a 64-bit whole number.")
        return x.astype(np.int64)
    if x.dtype.kind == "f":
        if x.dtype.itemsize > 8:
            with np.errstate(over="ignore"):
                x = x.astype(np.float64)
        for start in range(0, len(x), 4096):
            bad = np.isinf(x[start : start + 4096])
            if bad.any():
                row, column = np.argwhere(bad)[0].tolist()
                total = int(np.isinf(x).sum())
                raise DataError(
                    f"{where}: row {row + start}, column {column} is infinite "
                    f"({total} such cell{'s' if total > 1 else ''}). Finite numbers are "
                    "needed, or NaN for a missing cell."
                )
    return x.astype(x.dtype.newbyteorder("="), copy=False)


def encoded(cells: Iterable[str]) -> Texts:
    """Texts as codes, in order of first appearance; "" is missing."""
    seen: dict[str, int] = {"": -1}
    codes = np.fromiter((seen.setdefault(cell, len(seen) - 1) for cell in cells), np.int32)
    return Texts(codes, tuple(seen)[1:])


def as_column(value: object, where: str) -> Column | Texts:
    """A column from what somebody gave, or a DataError that begins with `where`."""
    if isinstance(value, Texts):
        return value
    if isinstance(value, np.ma.MaskedArray) and bool(np.ma.getmaskarray(value).any()):
        raise DataError(
            f"{where}: a masked array's mask would be lost. "
            "Mark missing cells by NaN: array.astype(float).filled(numpy.nan)."
        )
    try:
        array = np.array(value)
    except ValueError:
        raise DataError(f"{where}: the rows are of unlike length. Got {shown(value)}.") from None
    if array.ndim != 1:
        raise DataError(f"{where}: a column is 1-D. Got shape {array.shape}.")
    if array.dtype.kind == "U":
        if not isinstance(value, np.ndarray) and not all(isinstance(v, str) for v in value):  # type: ignore[attr-defined]
            raise DataError(f"{where}: texts and numbers are mixed. Got {shown(value)}.")
        return encoded(array.tolist())
    if array.dtype.kind == "O":
        cells = array.tolist()
        if any(isinstance(cell, str) for cell in cells) and all(
            cell is None or isinstance(cell, str) for cell in cells
        ):
            return encoded("" if cell is None else cell for cell in cells)
        if all(cell is None or isinstance(cell, int | float | np.number) for cell in cells):
            array = np.array([np.nan if c is None else float(c) for c in cells])
        else:
            odd = next((c for c in cells if not isinstance(c, str | int | float | None)), cells)
            raise DataError(
                f"{where}: a column holds numbers or texts, one kind only. Got {shown(odd)}."
            )
    if not len(array):
        return array.astype(np.float64)
    return check_matrix(array.reshape(-1, 1), where)[:, 0]
