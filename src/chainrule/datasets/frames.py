"""Frames of other libraries (pandas, polars, Arrow) and dicts: their columns by name."""

from __future__ import annotations

from collections.abc import Mapping

from chainrule.datasets.wording import quoted
from chainrule.errors import DataError
from chainrule.lang.messages import _

__all__ = ["THE_FRAME", "frame_columns"]

THE_FRAME = _("the frame")


def frame_columns(data: object, source: str = THE_FRAME) -> dict[str, object] | None:
    """The columns of a frame or a dict by name; None if `data` is neither.

    A name that is not a str (pandas numbers columns) is converted: 0 becomes "0".

    Raises:
        DataError: two columns have the same name.

    >>> frame_columns({"a": [1, 2], 0: [3, 4]})
    {'a': [1, 2], '0': [3, 4]}
    >>> frame_columns([[1, 2]]) is None
    True
    """
    if isinstance(data, Mapping):
        pairs = list(data.items())
    elif hasattr(data, "column_names") and hasattr(data, "to_pydict"):  # Arrow
        pairs = list(data.to_pydict().items())
    elif hasattr(data, "columns") and hasattr(data, "get_columns"):  # polars
        pairs = [(column.name, column) for column in data.get_columns()]
    elif hasattr(data, "columns") and hasattr(data, "items") and hasattr(data, "dtypes"):  # pandas
        pairs = list(data.items())
    else:
        return None
    columns: dict[str, object] = {}
    for name, column in pairs:
        column_name = name if isinstance(name, str) else str(name)
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
