"""What was recorded once and is run again: programs by the shapes they are for, the latest kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Generic, TypeVar

__all__ = ["ProgramCache"]

_T = TypeVar("_T")


class ProgramCache(Generic[_T]):
    """At most `size` programs of one revision; of more, that one goes which was not used for longest.

    >>> cache = ProgramCache[str](2)
    >>> for key in ("a", "b", "a", "c"):
    ...     if cache.get(key, 0) is None:
    ...         _ = cache.put(key, 0, f"program {key}")
    >>> cache.get("b", 0), cache.get("a", 0), cache.get("a", 1)
    (None, 'program a', None)
    """

    __slots__ = ("_kept", "revision", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.revision = 0
        self._kept: OrderedDict[Hashable, _T] = OrderedDict()

    def get(self, key: Hashable, revision: int) -> _T | None:
        """The program for a key, if there is one of this revision."""
        if revision != self.revision:
            return None
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: Hashable, revision: int, program: _T) -> _T:
        """Keep a program; those of another revision go."""
        if revision != self.revision:
            self.clear()
            self.revision = revision
        self._kept[key] = program
        self._kept.move_to_end(key)
        if len(self._kept) > self.size:
            self._kept.popitem(last=False)
        return program

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)

    def __reduce__(self) -> tuple[Any, ...]:
        return ProgramCache, (self.size,)  # programs hold the arrays of the original
