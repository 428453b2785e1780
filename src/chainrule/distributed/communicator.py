"""Communicator: what the ranks of a training tell each other."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Communicator", "SerialCommunicator", "part_of", "told_by_all"]

Array = npt.NDArray[Any]


class Communicator(Protocol):
    """The ranks of a training, numbered from 0, of which this process is one.

    All ranks call the same methods in the same order; each call waits until all have made it. Arrays
    are contiguous, and of the same shape and dtype on every rank.
    """

    @property
    def rank(self) -> int:
        """The number of this process."""

    @property
    def size(self) -> int:
        """How many ranks there are."""

    def all_reduce(self, array: Array) -> None:
        """Put the sum of all ranks' arrays into each of them: the same bits everywhere."""

    def broadcast(self, array: Array) -> None:
        """Put the array of rank 0 into those of all others."""

    def exchange(self, array: Array, other: int) -> Array:
        """Send an array to another rank, which calls this with the number of this one; gives its."""

    def barrier(self) -> None:
        """Wait until all ranks are here."""


class SerialCommunicator:
    """The one rank of a training in one process, which has nobody to talk to.

    >>> alone = SerialCommunicator()
    >>> alone.rank, alone.size
    (0, 1)
    """

    rank, size = 0, 1

    def all_reduce(self, array: Array) -> None:
        """The sum over one rank: nothing changes."""

    def broadcast(self, array: Array) -> None:
        """Nothing changes."""

    def exchange(self, array: Array, other: int) -> Array:
        """There is no other."""
        raise IndexError(other)

    def barrier(self) -> None:
        """There is nobody to wait for."""


def part_of(n: int, rank: int, size: int) -> tuple[int, int]:
    """Where the rows of a rank begin and end in a batch of n, which is divided by position.

    >>> [part_of(7, rank, 3) for rank in range(3)], part_of(1, 0, 3)
    ([(0, 2), (2, 4), (4, 7)], (0, 0))
    """
    return n * rank // size, n * (rank + 1) // size


def told_by_all(communicator: Communicator, text: str) -> list[str]:
    """What every rank tells, in the order of the ranks."""
    told = np.frombuffer(text.encode(), np.uint8)
    lengths = np.zeros(communicator.size, np.int64)
    lengths[communicator.rank] = len(told)
    communicator.all_reduce(lengths)
    table = np.zeros((communicator.size, max(int(lengths.max()), 1)), np.uint8)
    table[communicator.rank, : len(told)] = told
    communicator.all_reduce(table)
    return [bytes(row[:n]).decode() for row, n in zip(table, lengths.tolist(), strict=True)]
