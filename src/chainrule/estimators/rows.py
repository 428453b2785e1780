"""Rows as scikit-learn gives them, as tables and as what a network takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import (
    check_array,
)

from chainrule.datasets import Table
from chainrule.datasets.columns import is_missing
from chainrule.errors import DataError
from chainrule.files.architecture import build, describe
from chainrule.lang.messages import _
from chainrule.networks import Network

__all__ = ["float64", "gaps", "picked", "table_of_array", "with_texts"]

Array = npt.NDArray[Any]


def table_of_array(X: Array) -> Table:
    """An array as a table; columns of objects are texts or numbers."""
    names = [f"x{i}" for i in range(X.shape[1])]
    if X.dtype.kind in "biuf":
        return Table.from_matrix(X, names, source="X")
    if X.dtype.kind == "c":
        raise DataError(_("Complex data not supported: X has dtype {dtype}.", dtype=X.dtype))
    columns: dict[str, Any] = {}
    for name, column in zip(names, X.T, strict=True):
        texts = all(isinstance(cell, str) or cell is None or cell != cell for cell in column)
        if texts and any(isinstance(cell, str) for cell in column):
            columns[name] = [cell if isinstance(cell, str) else "" for cell in column]
        else:
            columns[name] = check_array(
                column.reshape(-1, 1), dtype=np.float64, ensure_all_finite="allow-nan"
            )[:, 0]
    return Table(columns, "X")


def gaps(labels: Array) -> npt.NDArray[np.bool_]:
    """Which labels are None, NaN or pandas.NA (n,)."""
    if labels.dtype.kind != "O" or labels.ndim != 1:
        return np.zeros(len(labels), bool)
    return np.array([is_missing(label) for label in labels], bool)


def with_texts(table: Table, names: Sequence[str]) -> Table:
    """The table with some columns of numbers as texts, so that they are categories."""
    from chainrule.datasets.columns import encoded, short

    table.require(*names)
    columns: dict[str, Any] = {}
    for name in table.names:
        if name in names and table.kind(name) != "text":
            cells = table[name].astype(np.float64).tolist()
            columns[name] = encoded("" if cell != cell else short(cell) for cell in cells)
        else:
            columns[name] = table.texts(name) if table.kind(name) == "text" else table[name]
    return Table(columns, table.source)


def picked(y: Any, kept: Array) -> Any:
    """The rows of y that are kept."""
    if hasattr(y, "iloc"):
        return y.iloc[np.flatnonzero(kept)]
    return np.asarray(y)[kept]


def float64(network: Network) -> Any:
    """A copy of a network that computes in float64."""
    arrays = {
        **{name: p.data for name, p in network.named_parameters().items()},
        **network.named_buffers(),
    }
    wide = {k: a.astype(np.float64) if a.dtype.kind == "f" else a for k, a in arrays.items()}
    return build(describe(network), wide, "network_")
