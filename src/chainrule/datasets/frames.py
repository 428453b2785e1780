"""Frames of other libraries (pandas, polars, Arrow) and dicts: their columns by name.

Arrow frames are read by the Arrow C interface, since there every kind of cell has one meaning,
whatever the library. pandas needs pyarrow for it, so its columns are read by its own methods.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from chainrule.datasets.arrow import arrow_columns
from chainrule.datasets.columns import Read, Texts, as_column
from chainrule.datasets.wording import at_column, quoted
from chainrule.errors import DataError
from chainrule.lang.messages import _

__all__ = ["THE_FRAME", "by_unique_name", "frame_columns"]

THE_FRAME = _("the frame")


def frame_columns(data: object, source: str = THE_FRAME) -> dict[str, object] | None:
    """The columns of a frame or a dict by name; None if `data` is neither.

    A name that is not a str (pandas numbers columns) is converted: 0 becomes "0", and the levels
    ("a", "b") of one column "a_b". The index of a pandas frame is no column.

    Raises:
        DataError: two columns have the same name, or cells are of a kind no column can have.

    >>> frame_columns({"a": [1, 2], 0: [3, 4]})
    {'a': [1, 2], '0': [3, 4]}
    >>> frame_columns([[1, 2]]) is None
    True
    """
    if isinstance(data, Mapping):
        pairs = [(name, _own(column, name, source)) for name, column in data.items()]
    elif _is_pandas(data) and hasattr(data, "columns"):
        pairs = [(name, _of_pandas(column, name, source)) for name, column in data.items()]  # type: ignore[attr-defined]
    elif hasattr(data, "__arrow_c_stream__") and not hasattr(data, "iloc"):
        pairs = list(arrow_columns(data, source))
    else:
        return None
    return by_unique_name(pairs, source)


def by_unique_name(pairs: Iterable[tuple[object, object]], source: str) -> dict[str, object]:
    """The columns by name; a DataError if two have the same one."""
    columns: dict[str, object] = {}
    for name, column in pairs:
        column_name = _name(name)
        if column_name in columns:
            raise DataError(
                _(
                    "{source}: two columns are called {name}. Rename one.",
                    source=source,
                    name=quoted(column_name, 80),
                )
            )
        columns[column_name] = column
    return columns


def _name(name: object) -> str:
    if isinstance(name, tuple):
        return "_".join(str(level) for level in name if str(level))
    return name if isinstance(name, str) else str(name)


def _is_pandas(data: object) -> bool:
    """Whether it is a frame or a column of pandas, or of a library that goes by its methods."""
    return hasattr(data, "iloc") and hasattr(data, "items")


def _own(column: object, name: object, source: str) -> object:
    """A column of a dict, read if it is one of a frame."""
    if _is_pandas(column) and not hasattr(column, "columns"):
        return _of_pandas(column, name, source)
    if hasattr(column, "__arrow_c_stream__"):
        read = arrow_columns(column, at_column(source, quoted(_name(name), 80)))
        return read[0][1] if len(read) == 1 else column
    return column


def _of_pandas(column: Any, name: object, source: str) -> object:
    """A pandas column by its dtype: NumPy's own stay, the others become numbers or texts."""
    dtype = column.dtype
    kind = str(dtype)
    if isinstance(dtype, np.dtype):
        return column.to_numpy()
    if hasattr(dtype, "pyarrow_dtype"):
        return arrow_columns(column.array.__arrow_array__(), source)[0][1]
    if kind == "category":
        entries = as_column(column.cat.categories.to_numpy(), source, _name(name))
        codes = column.cat.codes.to_numpy()
        if isinstance(entries, Texts):
            return Read(
                Texts(np.append(entries.codes, np.int32(-1))[codes], entries.categories).tidy(),
                categories=True,
            )
        return Read(np.append(entries, np.nan)[codes] if (codes < 0).any() else entries[codes])
    if kind.startswith("str"):
        codes, texts = column.factorize()
        known = Texts(codes.astype(np.int32), tuple(texts.tolist()))
        return Read(known.tidy() if "" in known.categories else known)
    if kind.startswith("datetime64"):  # with a zone: the instants, in UTC
        return column.to_numpy(dtype=f"datetime64[{dtype.unit}]")
    if hasattr(dtype, "numpy_dtype"):  # Int64, boolean, Float64: numbers beside a mask
        truths, missing = kind == "boolean", column.isna().any()
        plain: Any = np.float64 if missing else dtype.numpy_dtype
        more: dict[str, Any] = {"na_value": np.nan} if missing else {}
        return Read(np.array(column.to_numpy(dtype=plain, **more)), truths)
    if kind.startswith("Sparse"):
        return np.asarray(column)
    return list(column)
