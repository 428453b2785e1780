"""Predictions for many rows, some at a time, so that memory does not grow with the rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["ROWS", "in_parts"]

#: Up to so many rows are predicted at once.
ROWS = 1 << 14


def in_parts(predict: Callable[[npt.NDArray[Any]], Any], x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """predict(x), at most ROWS rows at a time.

    >>> in_parts(np.square, np.array([1, 2, 3])).tolist()
    [1, 4, 9]
    """
    if len(x) <= ROWS:
        return np.asarray(predict(x))
    parts = (x[start : start + ROWS] for start in range(0, len(x), ROWS))
    return np.concatenate([np.asarray(predict(part)) for part in parts])
