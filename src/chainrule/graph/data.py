"""What people bring as data: an array of numbers, or one sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import DTypeError, ShapeError, shown
from chainrule.graph.variable import Variable

__all__ = ["as_numbers", "name_of", "of_shape"]

Array = npt.NDArray[Any]

#: One element of an object array that counts as a number; Decimal and Fraction have __float__.
_WHOLE = (int, np.integer)
_MISSING = frozenset({"NoneType", "NAType", "NaTType"})


def name_of(owner: Any) -> str:
    """Who speaks in an error: a name, or the class of a layer or network."""
    return owner if isinstance(owner, str) else type(owner).__name__


def as_numbers(x: Any, owner: Any) -> Array:
    """x as an array of numbers in this machine's byte order, or one clear error."""
    if isinstance(x, Variable):
        x = x.data
    if isinstance(x, np.ndarray) and x.dtype.kind in "fiub":
        if isinstance(x, np.ma.MaskedArray):
            raise DTypeError(
                f"{name_of(owner)} got a masked array, whose mask would be lost."
                " Fill it first: x.filled(value)."
            )
        return _native(np.asarray(x))
    if hasattr(x, "toarray"):
        raise DTypeError(
            f"{name_of(owner)} needs a dense array of numbers; got a sparse {type(x).__name__}."
            " Write x.toarray()."
        )
    try:
        array = np.asarray(x)
    except ValueError:
        raise ShapeError(f"{name_of(owner)} got {_uneven(x)}.") from None
    if array.dtype.kind == "O" and array.size:
        array = _of_objects(array)
    if array.dtype.kind not in "fiub":
        raise DTypeError(
            f"{name_of(owner)} needs an array of numbers; got dtype {array.dtype}"
            f" ({shown(x, 40)}).{_advice(x, array)}"
        )
    return _native(array)


def _native(array: Array) -> Array:
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _of_objects(array: Array) -> Array:
    """Python's and NumPy's numbers in an array of objects, as numbers; anything else as it was."""
    values = list(array.flat)
    try:
        if all(isinstance(v, _WHOLE) and not isinstance(v, bool) for v in values):
            return np.array([int(v) for v in values], np.int64).reshape(array.shape)
        if not any(isinstance(v, str | bytes | complex) or _missing(v) for v in values):
            return np.array([float(v) for v in values]).reshape(array.shape)
    except (TypeError, ValueError, OverflowError):
        pass
    return array


def _missing(value: Any) -> bool:
    return type(value).__name__ in _MISSING


def _advice(x: Any, array: Array) -> str:
    """What to do about values that are no numbers: which column, or which place, and how."""
    columns = getattr(x, "columns", None)
    if columns is not None:
        for name in columns:
            advice = _of_values(np.asarray(x[name]))
            if advice:
                return f" Column {name!r}{advice}"
        return ""
    return f" It{advice}" if (advice := _of_values(array)) else ""


def _of_values(array: Array) -> str:
    values: Iterable[Any] = array.flat
    if array.dtype.kind in "OUST":
        for i, value in enumerate(values):
            if _missing(value):
                return f" has no value in row {_row(array, i)}: fill such rows, or leave them out."
            if isinstance(value, str | bytes):
                return (
                    f" holds text, such as {shown(_plain(value), 30)} in row {_row(array, i)}: encode it as"
                    " numbers (cr.one_hot of ids, or cr.datasets.Preparation), or leave it out."
                )
    if array.dtype.kind in "mM":
        return " holds dates or times: count them in days, say, as numbers."
    if array.dtype.kind == "c":
        return " holds complex numbers: give real and imaginary parts as two columns."
    return ""


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _row(array: Array, i: int) -> int:
    return i // max(1, array.size // max(1, len(array))) if array.ndim else 0


def _uneven(rows: Any) -> str:
    """Which row of a list differs from the first in length."""
    arrays = [row for row in rows if isinstance(row, np.ndarray) and row.ndim > 1]
    if len(arrays) > 1 and len(arrays) == len(rows) and len({len(a) for a in arrays}) == 1:
        return (
            f"{len(arrays)} arrays with {len(arrays[0])} rows each. One array is taken: put them side by"
            " side, np.concatenate([a, b], axis=1), and let predict(x) take its columns apart, x[:, :3]"
        )
    lengths = [len(row) if hasattr(row, "__len__") else None for row in rows]
    for i, n in enumerate(lengths):
        if n != lengths[0]:
            return f"rows of unequal length: row 0 has {lengths[0]} entries and row {i} has {n}"
    return "nested rows of unequal length"


def of_shape(t: Array, shape: tuple[int, ...]) -> Array | None:
    """t in a shape that is its own but for a last axis of length 1; None if it is another.

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
