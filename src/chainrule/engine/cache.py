"""A cache of programs by key, such as shapes; the least recently used is dropped first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["ProgramCache"]

_T = TypeVar("_T")


class ProgramCache(Generic[_T]):
    """At most `size` programs of one revision; beyond that, the least recently used is dropped.

    >>> cache = ProgramCache[str](2)
    >>> for key in ("a", "b", "a", "c"):
    ...     if cache.get(key, 0) is None:
    ...         _ = cache.put(key, 0, f"program {key}")
    >>> cache.get("b", 0), cache.get("a", 0), cache.get("a", 1)
    (None, 'program a', None)
    """

    __slots__ = ("_programs", "revision", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.revision = 0
        self._programs: OrderedDict[Hashable, _T] = OrderedDict()

    def get(self, key: Hashable, revision: int) -> _T | None:
        """The program for a key; None if there is none of this revision."""
        if revision != self.revision:
            return None
        program = self._programs.get(key)
        if program is not None:
            self._programs.move_to_end(key)
        return program

    def put(self, key: Hashable, revision: int, program: _T) -> _T:
        """Store a program, and give it; programs of another revision are dropped."""
        if revision != self.revision:
            self.clear()
            self.revision = revision
        self._programs[key] = program
        self._programs.move_to_end(key)
        if len(self._programs) > self.size:
            self._programs.popitem(last=False)
        return program

    def clear(self) -> None:
        """Drop all programs."""
        self._programs.clear()

    def __len__(self) -> int:
        return len(self._programs)

    def __reduce__(self) -> tuple[object, ...]:
        # A copy begins empty: programs contain arrays of the original.
        return ProgramCache, (self.size,)
