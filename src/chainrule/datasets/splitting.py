"""Splitting rows into those to train on and those to hold back."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np
import numpy.typing as npt

from chainrule.datasets.arguments import generator
from chainrule.errors import DataError, SettingError, shown
from chainrule.lang.messages import _

__all__ = ["parted_rows", "stratified_split"]

Rows = npt.NDArray[np.int64]


def stratified_split(
    t: npt.ArrayLike, fraction: float = 0.2, seed: int | np.random.Generator = 0
) -> tuple[Rows, Rows]:
    """Split rows in two so that every class is held back in proportion.

    Args:
        t: class ids (n,) of whole numbers; or regression targets of floats, (n,) or (n, 1),
            which are split at random without classes.
        fraction: the part to hold back, above 0 and below 1.
        seed: a whole number from 0, or a `numpy.random.Generator` to draw from.

    Returns:
        The indices of the rows to train on and of the rows held back, both int64 and sorted;
        each row is in one of them. Every class keeps at least one row to train on.

    Raises:
        SettingError: a fraction or seed out of range.
        DataError: t is no such array, or has too few rows to hold one back.

    >>> train, held = stratified_split([0, 0, 0, 0, 1, 1, 1, 1], fraction=0.25)
    >>> len(train), np.array([0, 0, 0, 0, 1, 1, 1, 1])[held].tolist()
    (6, [0, 1])
    """
    if (
        isinstance(fraction, bool)
        or not isinstance(fraction, Real)
        or not 0.0 < float(fraction) < 1.0
    ):
        raise SettingError(
            _(
                "fraction, the part of the rows to hold back, must be above 0 and below 1. Got {got}.",
                got=shown(fraction),
            )
        )
    random = generator("stratified_split", seed)
    targets = np.asarray(t)
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.ndim != 1 or targets.dtype.kind not in "biuf":
        raise DataError(
            _(
                "t must be class ids (n,) or numbers (n,) or (n, 1). Got shape {shape} of dtype {dtype}.",
                shape=targets.shape,
                dtype=targets.dtype,
            )
        )
    count = len(targets)
    if count < 2:
        raise DataError(
            _(
                "At least 2 rows are needed to hold some back. Got {count}. Add rows, or train without"
                " held-back rows.",
                count=count,
            )
        )
    quota = held_rows(count, float(fraction))
    order = np.arange(count, dtype=np.int32 if count < 2**31 else np.int64)
    random.shuffle(order)  # half the memory of random.permutation(count), in the same order
    if targets.dtype.kind == "f":
        held = order[:quota]
    else:
        classes, sizes = np.unique(targets, return_counts=True)
        ids = np.searchsorted(classes, targets).astype(np.min_scalar_type(len(classes)))
        shares = _shares(sizes, float(fraction), quota)
        by_class = order[np.argsort(ids[order], kind="stable")]
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        held = np.concatenate([by_class[a : a + n] for a, n in zip(starts, shares, strict=True)])
    held_mask = np.zeros(count, dtype=bool)
    held_mask[held] = True
    return np.flatnonzero(~held_mask), np.flatnonzero(held_mask)


def parted_rows(
    t: npt.NDArray[np.generic], fraction: float, seed: int | np.random.Generator
) -> tuple[Rows, Rows]:
    """`stratified_split` for targets of any shape: class ids (n,) in proportion, all else at random."""
    ids = t.ndim == 1 and t.dtype.kind in "iu"
    return stratified_split(t if ids else np.arange(len(t), dtype=float), fraction, seed)


def held_rows(count: int, fraction: float) -> int:
    """How many of so many rows are held back: at least one, and not all."""
    return min(max(math.floor(count * fraction + 0.5), 1), count - 1)


def _shares(sizes: npt.NDArray[np.intp], fraction: float, quota: int) -> npt.NDArray[np.intp]:
    """The number of rows of each class to hold back: in proportion, at least one left to train on."""
    most = sizes - 1
    if not most.any():
        raise DataError(
            _(
                "Every one of the {count} classes has a single row, which is needed for training, so none can"
                " be held back. Add rows, or train without held-back rows. (Are these numbers to predict,"
                " rather than classes? Then give them as floats.)",
                count=len(sizes),
            )
        )
    exact = sizes.astype(np.float64) * fraction
    shares: npt.NDArray[np.intp] = np.minimum(np.floor(exact).astype(np.intp), most)
    while shares.sum() < quota:
        open_classes = np.flatnonzero(shares < most)
        if not open_classes.size:
            break
        behind = (exact - shares)[open_classes]
        nearest_first = open_classes[np.argsort(-behind, kind="stable")]
        shares[nearest_first[: quota - int(shares.sum())]] += 1
    return shares
