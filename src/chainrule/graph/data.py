"""User data as an array of numbers, or an error that says what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.errors import DTypeError, ShapeError, shown
from chainrule.graph.variable import Variable
from chainrule.lang.messages import Text, _, _p, sentences
from chainrule.nodes.base import Array

__all__ = ["as_numbers", "name_of", "of_shape"]

#: Whole numbers in an object array; Decimal and Fraction count as real numbers by their __float__.
_WHOLE = (int, np.integer)
_MISSING = frozenset({"NoneType", "NAType", "NaTType"})


def name_of(owner: object) -> str:
    """The subject of an error message: a given name, or the class of a layer or network."""
    return owner if isinstance(owner, str) else type(owner).__name__


def as_numbers(x: Any, owner: object) -> Array:
    """x as an array of numbers in this machine's byte order; an error if it holds none."""
    if isinstance(x, Variable):
        x = x.data
    if isinstance(x, np.ndarray) and x.dtype.kind in "fiub":
        if isinstance(x, np.ma.MaskedArray):
            raise DTypeError(
                _(
                    "{owner} got a masked array, whose mask would be lost. Fill it first: x.filled(value).",
                    owner=name_of(owner),
                )
            )
        return _native(np.asarray(x))
    if hasattr(x, "toarray"):
        raise DTypeError(
            _(
                "{owner} needs a dense array of numbers; got a sparse {kind}. Write x.toarray().",
                owner=name_of(owner),
                kind=type(x).__name__,
            )
        )
    try:
        array = np.asarray(x)
    except ValueError:
        raise ShapeError(_uneven(name_of(owner), x)) from None
    if array.dtype.kind == "O" and array.size:
        array = _of_objects(array)
    if array.dtype.kind not in "fiub":
        raise DTypeError(
            sentences(
                _(
                    "{owner} needs an array of numbers; got dtype {dtype} ({value}).",
                    owner=name_of(owner),
                    dtype=array.dtype,
                    value=shown(x, 40),
                ),
                _advice(x, array),
            )
        )
    return _native(array)


def _native(array: Array) -> Array:
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _of_objects(array: Array) -> Array:
    """An array of Python or NumPy number objects as an array of numbers; any other array unchanged."""
    values = list(array.flat)
    try:
        if all(isinstance(v, _WHOLE) and not isinstance(v, bool) for v in values):
            return np.array([int(v) for v in values], np.int64).reshape(array.shape)
        if not any(isinstance(v, str | bytes | complex) or _missing(v) for v in values):
            return np.array([float(v) for v in values]).reshape(array.shape)
    except (TypeError, ValueError, OverflowError):
        pass
    return array


def _missing(value: object) -> bool:
    return type(value).__name__ in _MISSING


def _advice(x: Any, array: Array) -> str:
    """Advice on values that are not numbers: which column or row, and what to do."""
    columns = getattr(x, "column_names", getattr(x, "columns", None))  # Arrow; pandas, polars
    if columns is None:
        return _of_values(_p("an array of data", "It"), array)
    hints = (_of_values(_("Column {name!r}", name=name), _cells(x[name])) for name in columns)
    return next(filter(None, hints), "")


def _cells(column: Any) -> Array:
    """A column of a frame as an array; of objects where a missing number would become NaN."""
    array = np.asarray(column)
    return np.asarray(column, dtype=object) if array.dtype.kind == "f" else array


def _of_values(what: Text, array: Array) -> str:
    values: Iterable[object] = array.flat
    if array.dtype.kind in "OUST":
        for i, value in enumerate(values):
            if _missing(value):
                return _(
                    "{what} has no value in row {row}: fill such rows, or leave them out.",
                    what=what,
                    row=_row(array, i),
                )
            if isinstance(value, str | bytes):
                return _(
                    "{what} holds text, such as {text} in row {row}: encode it as numbers (cr.one_hot of"
                    " ids, or cr.datasets.Preprocessor), or leave it out.",
                    what=what,
                    text=shown(_plain(value), 30),
                    row=_row(array, i),
                )
    if array.dtype.kind in "mM":
        return _("{what} holds dates or times: count them in days, say, as numbers.", what=what)
    if array.dtype.kind == "c":
        return _(
            "{what} holds complex numbers: give real and imaginary parts as two columns.", what=what
        )
    return ""


def _plain(value: object) -> object:
    """A NumPy scalar as a Python object."""
    return value.item() if isinstance(value, np.generic) else value


def _row(array: Array, i: int) -> int:
    return i // max(1, array.size // max(1, len(array))) if array.ndim else 0


def _uneven(owner: str, rows: Any) -> Text:
    """The error for a list of rows of unequal length: which row differs from the first."""
    arrays = [row for row in rows if isinstance(row, np.ndarray) and row.ndim > 1]
    if len(arrays) > 1 and len(arrays) == len(rows) and len({len(a) for a in arrays}) == 1:
        return _(
            "{owner} got {count} arrays with {rows} rows each. One array is taken: put them side by side,"
            " np.concatenate([a, b], axis=1), and let predict(x) take its columns apart, x[:, :3].",
            owner=owner,
            count=len(arrays),
            rows=len(arrays[0]),
        )
    lengths = [len(row) if hasattr(row, "__len__") else None for row in rows]
    for i, n in enumerate(lengths):
        if n != lengths[0]:
            return _(
                "{owner} got rows of unequal length: row 0 has {first} entries and row {row} has {other}.",
                owner=owner,
                first=lengths[0],
                row=i,
                other=n,
            )
    return _("{owner} got nested rows of unequal length.", owner=owner)


def of_shape(t: Array, shape: tuple[int, ...]) -> Array | None:
    """t reshaped to `shape`, if the two differ only by a last axis of length 1; else None.

    >>> import numpy as np
    >>> of_shape(np.ones(3), (3, 1)).shape, of_shape(np.ones((3, 1)), (3,)).shape
    ((3, 1), (3,))
    >>> of_shape(np.ones(3), (1, 3))
    """
    if t.shape == shape:
        return t
    return (
        t.reshape(shape)
        if t.ndim
        and shape in ((*t.shape, 1), t.shape[:-1])
        and (t.size == np.prod(shape, dtype=int))
        else None
    )
