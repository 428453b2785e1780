"""Revisions: how a network learns that one of its own layers has changed, and no other network does."""

from __future__ import annotations

from typing import Any
from weakref import ReferenceType, ref

__all__ = ["Revision"]


class Revision:
    """How often something has changed, with all that it is made of.

    What was recorded at one number holds as long as the number stays. A change is handed on to those
    that follow: a layer's to the networks and layers that it was recorded in.

    >>> layer, network, other = Revision(), Revision(), Revision()
    >>> network.follow(layer)
    >>> layer.change()
    >>> layer.number, network.number, other.number
    (1, 1, 0)
    """

    __slots__ = ("__weakref__", "_followers", "number")

    def __init__(self) -> None:
        self.number = 0
        self._followers: dict[int, ReferenceType[Revision]] = {}

    def follow(self, part: Revision) -> None:
        """Change whenever a part does."""
        key = id(self)
        if part is not self and key not in part._followers:
            followers = part._followers
            followers[key] = ref(self, lambda _: followers.pop(key, None))

    def change(self) -> None:
        """Count a change, here and in all that follow."""
        seen = {id(self): self}
        waiting = [self]
        while waiting:
            one = waiting.pop()
            one.number += 1
            for found in tuple(one._followers.values()):
                follower = found()
                if follower is not None and id(follower) not in seen:
                    seen[id(follower)] = follower
                    waiting.append(follower)

    def __reduce__(self) -> tuple[Any, ...]:
        return Revision, ()  # a copy is recorded anew, and followed by nobody
