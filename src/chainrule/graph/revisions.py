"""Revisions: counters by which a network notices changes of its own layers, and of no others."""

from __future__ import annotations

from weakref import ReferenceType, ref

__all__ = ["Revision"]


class Revision:
    """A counter of the changes of an object, including those of its parts.

    A recording is valid as long as the number stays the same. A change is passed on to all followers:
    that of a layer to the networks and layers that it was recorded in.

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
        pending = [self]
        while pending:
            revision = pending.pop()
            revision.number += 1
            for reference in tuple(revision._followers.values()):
                follower = reference()
                if follower is not None and id(follower) not in seen:
                    seen[id(follower)] = follower
                    pending.append(follower)

    def __reduce__(self) -> tuple[object, ...]:
        return Revision, ()  # a copy has no recordings and no followers
