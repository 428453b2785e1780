"""Rows as scikit-learn gives them, as tables and as what a network takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import (
    check_array,
)

from chainrule.datasets.columns import is_missing
from chainrule.errors import DataError
from chainrule.files.architecture import build, describe
from chainrule.lang.messages import _
from chainrule.networks import Network

__all__ = ["columns_of_array", "float64", "gaps", "picked"]

Array = npt.NDArray[Any]


def columns_of_array(X: Array) -> dict[str, Any]:
    """The columns of an array by name; those of objects are texts or numbers."""
    names = [f"x{i}" for i in range(X.shape[1])]
    if X.dtype.kind in "biuf":
        return dict(zip(names, X.T, strict=True))
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
    return columns


def gaps(labels: Array) -> npt.NDArray[np.bool_]:
    """Which labels are None, NaN or pandas.NA (n,)."""
    if labels.dtype.kind != "O" or labels.ndim != 1:
        return np.zeros(len(labels), bool)
    return np.array([is_missing(label) for label in labels], bool)


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
