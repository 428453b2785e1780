"""Locks: the arrays of a recorded computation are read-only until its backward pass, or its end.

The backward pass reads what the forward pass read; an array changed in between would give
a silently wrong gradient. So the arrays are locked, and NumPy raises at the line that tries to
write into one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress

import numpy as np

from chainrule.nodes.base import Array

__all__ = ["Hold"]

_guard = threading.RLock()  # re-entrant: the garbage collector may release a Hold at any point
#: The number of holds on each array that was writeable before, by its id.
_holds: dict[int, int] = {}
#: Views without a hold whose base still has one, by the base's id; they become writeable after it.
_waiting: dict[int, list[Array]] = {}


class Hold:
    """Keeps arrays, and the arrays they are views of, read-only until `release`."""

    __slots__ = ("_arrays", "released")

    def __init__(self, arrays: Iterable[Array]) -> None:
        self.released = False
        self._arrays: list[Array] = []
        with _guard:
            for given in arrays:
                array: object = given
                while isinstance(array, np.ndarray):
                    count = _holds.get(id(array), 0)
                    if count or array.flags.writeable:
                        array.setflags(write=False)
                        _holds[id(array)] = count + 1
                        self._arrays.append(array)
                    # An array that its owner has made read-only stays so.
                    array = array.base

    def release(self) -> None:
        """Make every array writeable again that has no other hold."""
        if self.released:
            return
        self.released = True
        with _guard:
            for array in self._arrays:
                count = _holds[id(array)] - 1
                if count:
                    _holds[id(array)] = count
                else:
                    del _holds[id(array)]
                    _free(array)
            self._arrays = []

    def __del__(self) -> None:
        self.release()


def _free(array: Array) -> None:
    """Make an array and its waiting views writeable; if its base has a hold, let it wait for that."""
    base: object = array.base
    while isinstance(base, np.ndarray):
        if id(base) in _holds:
            _waiting.setdefault(id(base), []).append(array)
            return
        base = base.base
    with suppress(ValueError):  # its owner made the base read-only meanwhile
        array.setflags(write=True)
    for view in _waiting.pop(id(array), ()):
        _free(view)
