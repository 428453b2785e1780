"""Memory: which values share memory, which results may overwrite an operand, and a pool of buffers.

With `CHAINRULE_DEBUG=1` planned memory is spoilt: filled with NaN before every run, and after the
last read of every value. A value that is read before it is written, or after its memory was reused,
is then NaN. chainrule's own tests always run in this mode.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np

from chainrule.engine.primitives import Array, put_flat
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


def root_of(value: Traced) -> Traced:
    """The value whose memory this one is a view of; itself if it is no view."""
    while value.is_view:
        value = value.args[0]
    return value


def memories(value: Traced) -> list[Traced]:
    """The values that must exist at run time to read this one."""
    if value.weak:
        return [v for v in needed([value]) if v.function is None and v.known is None]
    return [root_of(value)]


def needed(targets: Iterable[Traced]) -> set[Traced]:
    """The targets and everything they are computed from."""
    values: set[Traced] = set()
    stack = list(targets)
    while stack:
        value = stack.pop()
        if value not in values:
            values.add(value)
            stack.extend(value.operands)
    return values


def debugging() -> bool:
    """Whether planned memory is spoilt, by `CHAINRULE_DEBUG`."""
    return os.environ.get("CHAINRULE_DEBUG", "0") not in ("", "0")


def spoil(*arrays: Array) -> None:
    """Fill contiguous arrays with bytes that are NaN as floats, and absurd as other numbers.

    >>> a = np.zeros(2)
    >>> spoil(a)
    >>> a
    array([nan, nan])
    """
    for array in arrays:
        array.reshape(-1).view(np.uint8).fill(0xFF)


def owner(array: Array) -> Array:
    """The array that owns the memory of a view; itself if it is no view.

    >>> a = np.zeros((2, 3))
    >>> owner(a.T[1:]) is a
    True
    """
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


class Pool:
    """Buffers of bytes, which values take and give back."""

    def __init__(self) -> None:
        self.free: list[Array] = []
        #: All buffers, free ones and those in use.
        self.buffers: list[Array] = []
        self.nbytes = 0

    def take(self, nbytes: int) -> Array:
        """A buffer of at least that many bytes: the smallest free one that fits, or a new one."""
        fitting = [b for b in self.free if b.nbytes >= nbytes]
        if fitting:
            best = min(fitting, key=lambda b: b.nbytes)
            self.free = [b for b in self.free if b is not best]
            return best
        self.nbytes += nbytes
        memory = np.empty(nbytes + 64, np.uint8)
        # Aligned to a cache line, so that the bits do not depend on the address that malloc gives.
        start = -memory.ctypes.data % 64
        self.buffers.append(memory[start : start + nbytes])
        return self.buffers[-1]

    def give(self, buffer: Array) -> None:
        """Give a buffer back to the pool."""
        self.free.append(buffer)


def is_elementwise(value: Traced) -> bool:
    """Whether each element depends only on the operands' elements at the same index."""
    return (isinstance(value.function, np.ufunc) and value.function is not np.matmul) or (
        value.function is np.where
    )


def in_place(value: Traced) -> list[Traced]:
    """The operands that the result may overwrite."""
    if value.function is np.where:
        return [value.args[2]]
    if value.function is put_flat:
        return [value.args[0]]
    return value.operands if is_elementwise(value) else []


def is_opaque(value: Traced) -> bool:
    """Whether an engine does not look into the function, such as a hand-written layer's forward."""
    return bool(getattr(value.function, "opaque", False))
