"""Arrays that machine code is made for: no others but those of the same lengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Sized", "rows_at_once"]


@dataclass(frozen=True)
class Sized:
    """An array whose lengths are known. With `rows_last` its last axis is the rows, and has room for
    whole vectors of them; a kernel indexes it by the row first, and of a `stacked` one by its number
    in the stack before that."""

    array: npt.NDArray[Any]
    rows_last: bool = False
    stacked: bool = False

    @property
    def plain(self) -> npt.NDArray[Any]:
        """The array as a kernel that runs as plain Python indexes it."""
        return np.moveaxis(self.array, -1, int(self.stacked)) if self.rows_last else self.array


def rows_at_once(vector_bytes: int) -> int:
    """How many rows are computed abreast: as many as there are float32 numbers in a vector."""
    return vector_bytes // 4
