"""Mini-batches: rows drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, SettingError, shown
from chainrule.layers.initial import Seed, generator

__all__ = ["get_mini_batch"]


def get_mini_batch(
    x: npt.ArrayLike, t: npt.ArrayLike, size: int, seed: Seed = None
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """`size` different rows of x with their targets, drawn by the seed (chapter, step 1).

    >>> import chainrule as cr
    >>> x, t = cr.datasets.spiral()
    >>> x_batch, t_batch = cr.get_mini_batch(x, t, 30, seed=0)
    >>> x_batch.shape, t_batch.shape
    ((30, 2), (30,))
    """
    x, t = np.asarray(x), np.asarray(t)
    if x.ndim == 0 or t.ndim == 0 or len(x) != len(t):
        raise DataError(f"x has shape {x.shape} and t {t.shape}: every row of x needs one target.")
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or not 1 <= size <= len(x):
        raise SettingError(
            f"size={shown(size)} must be a whole number from 1 to {len(x)}, the rows there are."
        )
    rows = generator(seed).choice(len(x), size, replace=False)
    return x[rows], t[rows]
