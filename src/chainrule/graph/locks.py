"""Arrays held by a recorded computation are read-only until its backward pass, or its end.

The backward pass reads what the forward pass read; an array changed in between would give
a silently wrong gradient. So the arrays are locked, and NumPy raises at the very line that
tries to write into one.
"""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from chainrule.nodes.base import Value

__all__ = ["Hold"]

_guard = threading.RLock()  # re-entrant: the garbage collector may release a Hold at any point
_held: dict[int, tuple[npt.NDArray[np.generic], list[int]]] = {}


def _with_bases(array: Value) -> list[npt.NDArray[np.generic]]:
    chain = []
    while isinstance(array, np.ndarray):
        chain.append(array)
        array = array.base
    return chain


class Hold:
    """Keeps some arrays, and the arrays they are views of, read-only until `release`."""

    __slots__ = ("_arrays", "released")

    def __init__(self, arrays: list[Value]) -> None:
        self.released = False
        self._arrays: list[npt.NDArray[np.generic]] = []
        with _guard:
            for given in arrays:
                for array in _with_bases(given):
                    entry = _held.get(id(array))
                    if entry is not None:
                        entry[1][0] += 1
                    elif array.flags.writeable:
                        array.flags.writeable = False
                        _held[id(array)] = (array, [1])
                    else:
                        continue  # read-only by its owner's wish, and stays so
                    self._arrays.append(array)

    def release(self) -> None:
        """Make every array writeable again that no other hold keeps."""
        if self.released:
            return
        self.released = True
        with _guard:
            free = []
            for array in self._arrays:
                count = _held[id(array)][1]
                count[0] -= 1
                if count[0] == 0:
                    del _held[id(array)]
                    free.append(array)
            # A view can be writeable only after the array it looks into.
            for array in sorted(free, key=lambda a: len(_with_bases(a))):
                array.flags.writeable = True
        self._arrays = []

    def __del__(self) -> None:
        self.release()
