"""Ranks that are threads of one process: quick to start, for many small cases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["Threads", "on_threads"]

T = TypeVar("T")


class Threads:
    """The ranks' communicator."""

    def __init__(self, rank: int, size: int, table: list[Any], barrier: threading.Barrier) -> None:
        self.rank, self.size = rank, size
        self._table, self._barrier = table, barrier

    def all_reduce(self, array: Any) -> None:
        self._table[self.rank] = array.copy()
        self._barrier.wait()
        array[...] = sum(self._table[1:], self._table[0])
        self._barrier.wait()

    def broadcast(self, array: Any) -> None:
        if self.rank == 0:
            self._table[0] = array.copy()
        self._barrier.wait()
        array[...] = self._table[0]
        self._barrier.wait()

    def exchange(self, array: Any, other: int) -> Any:
        self._table[self.rank] = array.copy()
        self._barrier.wait()
        got = self._table[other]
        self._barrier.wait()
        return got

    def barrier(self) -> None:
        self._barrier.wait()


def on_threads(size: int, work: Callable[[Threads], T]) -> list[T]:
    """What the ranks' work gives, in their order; raises what the first of them raised."""
    table: list[Any] = [None] * size
    barrier = threading.Barrier(size, timeout=60)
    given: dict[int, T] = {}
    errors: dict[int, BaseException] = {}

    def rank(i: int) -> None:
        try:
            given[i] = work(Threads(i, size, table, barrier))
        except BaseException as error:
            errors[i] = error
            if not isinstance(error, threading.BrokenBarrierError):
                barrier.abort()

    threads = [threading.Thread(target=rank, args=(i,)) for i in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in sorted(errors.values(), key=lambda e: isinstance(e, threading.BrokenBarrierError)):
        raise error
    return [given[i] for i in range(size)]
