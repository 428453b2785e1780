"""Arrays at fixed alignments in memory, so that the same computation gives the same bits.

Some BLAS libraries round differently for another alignment. And a compiled loop over two arrays that
begin within a few hundred bytes of each other is not vectorised (it might overwrite what it has yet to
read), so it adds in another order.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["aligned", "room"]

Array = npt.NDArray[Any]

#: The bytes of a cache line.
_LINE = 64
#: Bytes left free before and after: more than a vectorised loop takes at a time.
_APART = 512


def room(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Zeros that begin at a cache line, with free memory on both sides.

    >>> room((3, 2), np.dtype(np.float32)).ctypes.data % 64
    0
    """
    nbytes = math.prod(shape) * dtype.itemsize
    whole = np.zeros(nbytes + _LINE + 2 * _APART, np.uint8)
    start = _APART + -(whole.ctypes.data + _APART) % _LINE
    return whole[start : start + nbytes].view(dtype).reshape(shape)


def aligned(array: Array) -> Array:
    """The array itself if `room` made it, else a copy in such memory.

    >>> a = room((4,), np.dtype(np.float64))
    >>> aligned(a) is a, aligned(a[1:]).ctypes.data % 64
    (True, 0)
    """
    whole = array.base
    if (
        isinstance(whole, np.ndarray)
        and whole.dtype == np.uint8
        and whole.nbytes == array.nbytes + _LINE + 2 * _APART
        and array.ctypes.data % _LINE == 0
        and array.flags.c_contiguous
    ):
        return array
    copy = room(array.shape, array.dtype)
    copy[...] = array
    return copy
