"""Pace: when steps are due, where they are not to be taken as fast as it goes; and when to stop."""

from __future__ import annotations

import time
from dataclasses import dataclass

__all__ = ["FIRST_SPEED", "SPEEDS", "Goal", "Pace"]

#: Epochs a second that the page offers; None is as fast as it goes.
SPEEDS = (1.0, 2.0, 5.0, 10.0, 50.0, None)
#: That of a newcomer: the border of the first data set bends and closes within ten seconds.
FIRST_SPEED = 5.0
#: Steps that are due within so many seconds are taken together.
TICK = 1 / 40
#: Who is later than so many seconds does not catch up.
LATE = 0.25


@dataclass(frozen=True)
class Goal:
    """Where playing stops by itself: at a step, or when the score at the end of an epoch is reached."""

    step: int | None = None
    score: float | None = None


class Pace:
    """Says how many steps are due, and how long it is until the next one.

    >>> pace = Pace()
    >>> pace.due(25, now=1.0) > 1_000_000, pace.wait(25, now=1.0)
    (True, 0.0)
    >>> pace.set(4.0)
    >>> pace.begin(25, now=1.0)
    >>> [pace.due(25, now=1.0 + passed) for passed in (0.0, 0.0, 0.05)]
    [1, 0, 5]
    """

    #: A number of steps that no slice of time reaches.
    MANY = 1 << 30

    def __init__(self, epochs: float | None = None) -> None:
        self.epochs = epochs
        self._batches = 0
        self._since = self._taken = 0.0

    def set(self, epochs: float | None) -> None:
        """Take so many epochs a second from now on; None for as many as can be."""
        self.epochs, self._batches = epochs, 0

    def begin(self, batches: int, now: float | None = None) -> None:
        """Count from now on, with epochs of so many batches; the first step is due at once."""
        self._batches = batches
        now = time.perf_counter() if now is None else now
        self._since, self._taken = now - 1 / self._rate, 0

    @property
    def _rate(self) -> float:
        """Steps a second."""
        return (self.epochs or 1.0) * max(self._batches, 1)

    def due(self, batches: int, now: float | None = None) -> int:
        """How many steps are to be taken now, which then count as taken."""
        if self.epochs is None:
            return self.MANY
        now = time.perf_counter() if now is None else now
        if batches != self._batches:
            self.begin(batches, now)
        due = int((now - self._since) * self._rate + 1e-9 - self._taken)
        most = max(1, int(self._rate * LATE))
        if due > most:
            self._since += (due - most) / self._rate
            due = most
        self._taken += due
        return due

    def wait(self, batches: int, now: float | None = None) -> float:
        """Seconds until steps are due."""
        if self.epochs is None or batches != self._batches:
            return 0.0
        now = time.perf_counter() if now is None else now
        together = max(1, int(self._rate * TICK))
        return max(0.0, self._since + (self._taken + together) / self._rate - now)
