"""Arrays held by a recorded computation are read-only until its backward pass, or its end.

The backward pass reads what the forward pass read; an array changed in between would give
a silently wrong gradient. So the arrays are locked, and NumPy raises at the very line that
tries to write into one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Hold"]

Array = npt.NDArray[Any]


class _Lock:
    """One array that was made read-only: by how many holds, and which views wait for it."""

    __slots__ = ("array", "count", "waiting")

    def __init__(self, array: Array) -> None:
        self.array, self.count = array, 1
        #: Views that nothing holds any more: writeable again only after this array is.
        self.waiting: list[Array] = []


_guard = threading.RLock()  # re-entrant: the garbage collector may release a Hold at any point
_locks: dict[int, _Lock] = {}


class Hold:
    """Keeps some arrays, and the arrays they are views of, read-only until `release`."""

    __slots__ = ("_held", "released")

    def __init__(self, arrays: Iterable[Array]) -> None:
        self.released = False
        self._held: list[_Lock] = []
        with _guard:
            for given in arrays:
                array: Any = given
                while isinstance(array, np.ndarray):
                    self._take(array)
                    array = array.base

    def _take(self, array: Array) -> None:
        lock = _locks.get(id(array))
        if lock is not None:
            lock.count += 1
        elif array.flags.writeable:
            array.setflags(write=False)
            lock = _locks[id(array)] = _Lock(array)
        else:
            return  # read-only by its owner's wish, and stays so
        self._held.append(lock)

    def release(self) -> None:
        """Make every array writeable again that no other hold keeps."""
        if self.released:
            return
        self.released = True
        with _guard:
            for lock in self._held:
                lock.count -= 1
                if lock.count == 0:
                    del _locks[id(lock.array)]
                    _free(lock.array, lock.waiting)
        self._held = []

    def __del__(self) -> None:
        self.release()


def _free(array: Array, waiting: list[Array]) -> None:
    """Make an array writeable, and the views that waited for it; or let it wait for its base."""
    base: Any = array.base
    while isinstance(base, np.ndarray):
        if id(base) in _locks:
            _locks[id(base)].waiting += [array, *waiting]
            return
        base = base.base
    array.setflags(write=True)
    for view in waiting:
        _free(view, [])
