"""Memory: whose memory a value is, what may take it over, and a pool of buffers.

With `CHAINRULE_DEBUG=1` planned memory is spoilt: filled with NaN before every run, and wherever a
value is read for the last time. So a value that is read before it was written, or after its memory
was given away, shows at once. chainrule's own tests always run so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.primitives import put_flat
from chainrule.engine.trace import Traced

__all__ = [
    "Pool",
    "debugging",
    "in_place",
    "is_elementwise",
    "is_opaque",
    "memories",
    "needed",
    "owner",
    "root_of",
    "spoil",
]

Array = npt.NDArray[Any]


def root_of(value: Traced) -> Traced:
    """The value whose memory this one looks into."""
    while value.is_view:
        value = value.args[0]
    return value


def memories(value: Traced) -> list[Traced]:
    """What must be at hand at run time to read the value."""
    if value.weak:
        return [v for v in needed([value]) if v.function is None and v.known is None]
    return [root_of(value)]


def needed(targets: Iterable[Traced]) -> set[Traced]:
    """The targets and everything they are computed from."""
    seen: set[Traced] = set()
    ahead = list(targets)
    while ahead:
        value = ahead.pop()
        if value not in seen:
            seen.add(value)
            ahead.extend(value.operands)
    return seen


def debugging() -> bool:
    """Whether planned memory is to be spoilt, as `CHAINRULE_DEBUG` says."""
    return os.environ.get("CHAINRULE_DEBUG", "0") not in ("", "0")


def spoil(*arrays: Array) -> None:
    """Fill arrays in one piece with bytes that are NaN as real numbers, and absurd as others.

    >>> a = np.zeros(2)
    >>> spoil(a)
    >>> a
    array([nan, nan])
    """
    for array in arrays:
        array.reshape(-1).view(np.uint8).fill(0xFF)


def owner(array: Array) -> Array:
    """The array whose memory it is that an array looks into.

    >>> a = np.zeros((2, 3))
    >>> owner(a.T[1:]) is a
    True
    """
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


class Pool:
    """Buffers of bytes, handed out and taken back."""

    def __init__(self) -> None:
        self.free: list[Array] = []
        #: Every buffer there is.
        self.rooms: list[Array] = []
        self.nbytes = 0

    def take(self, nbytes: int) -> Array:
        """A buffer of at least that many bytes: the smallest free one that fits, or a new one."""
        fitting = [b for b in self.free if b.nbytes >= nbytes]
        if fitting:
            best = min(fitting, key=lambda b: b.nbytes)
            self.free = [b for b in self.free if b is not best]
            return best
        self.nbytes += nbytes
        room = np.empty(nbytes + 64, np.uint8)
        start = -room.ctypes.data % 64  # whole cache lines, and the same bits whatever malloc gives
        self.rooms.append(room[start : start + nbytes])
        return self.rooms[-1]

    def give(self, buffer: Array) -> None:
        """Take a buffer back."""
        self.free.append(buffer)


def is_elementwise(value: Traced) -> bool:
    """Whether each element comes from the operands' elements in its own place."""
    return (isinstance(value.function, np.ufunc) and value.function is not np.matmul) or (
        value.function is np.where
    )


def in_place(value: Traced) -> list[Traced]:
    """The operands whose memory the result may take."""
    if value.function is np.where:
        return [value.args[2]]
    if value.function is put_flat:
        return [value.args[0]]
    return value.operands if is_elementwise(value) else []


def is_opaque(value: Traced) -> bool:
    """Whether the primitive makes its own results, such as a hand-written layer's forward."""
    return bool(getattr(value.function, "opaque", False))
