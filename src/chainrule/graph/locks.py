"""Arrays held by a recorded computation are read-only until its backward pass, or its end.

The backward pass reads what the forward pass read; an array changed in between would give
a silently wrong gradient. So the arrays are locked, and NumPy raises at the very line that
tries to write into one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Hold"]

Array = npt.NDArray[Any]


_guard = threading.RLock()  # re-entrant: the garbage collector may release a Hold at any point
#: How many holds keep an array that was writeable before, by its id.
_holds: dict[int, int] = {}
#: Views that nothing holds any more, but whose base is held: they become writeable after it.
_waiting: dict[int, list[Array]] = {}


class Hold:
    """Keeps some arrays, and the arrays they are views of, read-only until `release`."""

    __slots__ = ("_arrays", "released")

    def __init__(self, arrays: Iterable[Array]) -> None:
        self.released = False
        self._arrays: list[Array] = []
        with _guard:
            for given in arrays:
                array: Any = given
                while isinstance(array, np.ndarray):
                    count = _holds.get(id(array), 0)
                    if count or array.flags.writeable:
                        array.setflags(write=False)
                        _holds[id(array)] = count + 1
                        self._arrays.append(array)
                    # What is read-only by its owner's wish stays so.
                    array = array.base

    def release(self) -> None:
        """Make every array writeable again that no other hold keeps."""
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
    """Make an array writeable, and the views that waited for it; or let it wait for its base."""
    base: Any = array.base
    while isinstance(base, np.ndarray):
        if id(base) in _holds:
            _waiting.setdefault(id(base), []).append(array)
            return
        base = base.base
    with suppress(ValueError):  # its owner made the base read-only meanwhile
        array.setflags(write=True)
    for view in _waiting.pop(id(array), ()):
        _free(view)
