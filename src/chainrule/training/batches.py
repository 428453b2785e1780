"""Mini-batches: rows drawn at random, or all rows in another order every epoch."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, SettingError, shown
from chainrule.lang.messages import _
from chainrule.layers.initial import Seed, generator

__all__ = ["Batches", "batch_count", "get_mini_batch", "rows_used"]

Array = npt.NDArray[Any]

#: From so many rows on, memory matters more than a conversion at every batch.
MANY = 1 << 22


def get_mini_batch(
    x: npt.ArrayLike, t: npt.ArrayLike, size: int, seed: Seed = None
) -> tuple[Array, Array]:
    """`size` different rows of x with their targets, drawn at random (chapter, step 1).

    >>> import chainrule as cr
    >>> x, t = cr.datasets.spiral()
    >>> x_batch, t_batch = cr.get_mini_batch(x, t, 30, seed=0)
    >>> x_batch.shape, t_batch.shape
    ((30, 2), (30,))
    """
    x, t = np.asarray(x), np.asarray(t)
    if x.ndim == 0 or t.ndim == 0 or len(x) != len(t):
        raise DataError(
            _("x has shape {x} and t {t}: every row of x needs one target.", x=x.shape, t=t.shape)
        )
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or not 1 <= size <= len(x):
        raise SettingError(
            _(
                "size={size} must be a whole number from 1 to {rows}, the rows there are.",
                size=shown(size),
                rows=len(x),
            )
        )
    rows = generator(seed).choice(len(x), size, replace=False)
    return x[rows], t[rows]


def rows_used(n: int, size: int, drop_last: bool) -> int:
    """How many of n rows an epoch uses: all, or without those of a last, smaller batch.

    >>> rows_used(5, 2, drop_last=False), rows_used(5, 2, drop_last=True), rows_used(1, 2, drop_last=True)
    (5, 4, 1)
    """
    return n - n % size if drop_last and n > size else n


def batch_count(n: int, size: int, drop_last: bool) -> int:
    """How many batches an epoch has.

    >>> batch_count(5, 2, drop_last=False), batch_count(5, 2, drop_last=True), batch_count(1, 2, True)
    (3, 2, 1)
    """
    return math.ceil(rows_used(n, size, drop_last) / size)


class Batches:
    """n rows in batches of `size`, in another order every epoch.

    The last, smaller batch is kept, or with `drop_last` left out: other rows in every epoch.

    >>> batches = Batches(5, 2, np.random.default_rng(0))
    >>> batches.shuffle()
    >>> [batches[i].tolist() for i in range(len(batches))]
    [[2, 4], [3, 0], [1]]
    """

    def __init__(
        self,
        n: int,
        size: int,
        rng: np.random.Generator,
        *,
        shuffled: bool = True,
        drop_last: bool = False,
    ) -> None:
        #: How many rows an epoch uses.
        self.used = rows_used(n, size, drop_last)
        self.n, self.size, self.rng, self.shuffled = n, size, rng, shuffled
        #: Of many rows, numbers of 4 bytes; the order is the same.
        self.dtype = np.dtype(np.int32 if MANY <= n < 2**31 else np.intp)
        self._rows: Array | None = None if n >= MANY else np.arange(n)

    @cached_property
    def order(self) -> Array:
        """The rows in the order of this epoch."""
        return np.arange(self.n, dtype=self.dtype)

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return math.ceil(self.used / self.size)

    def __getitem__(self, i: int) -> Array:
        """The row indices of batch i."""
        rows = self.order[i * self.size : min((i + 1) * self.size, self.used)]
        return rows.astype(np.intp, copy=False)

    def shuffle(self, order: Array | None = None) -> None:
        """Draw the order of the next epoch; or of several, into `order` (epochs, rows used)."""
        if order is None:
            self._draw(self.order)
        elif self.used == self.n:
            self._draw(order)
        else:
            whole = np.empty((*order.shape[:-1], self.n), order.dtype)
            self._draw(whole)
            order[...] = whole[..., : self.used]

    def _draw(self, order: Array) -> None:
        order[...] = np.arange(self.n, dtype=self.dtype) if self._rows is None else self._rows
        if self.shuffled:
            self.rng.permuted(order, axis=-1, out=order)
