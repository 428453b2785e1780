"""In which order the items of each column stand, so that few arrows cross.

Sweeps to and fro sort every column by the mean (or the median) place of what its items are
tied to, and then exchange neighbours as long as that helps; the best order found is kept.

Source: Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system
structures", 1981; exchanging neighbours after Gansner et al., 1993, section 3.
"""

from __future__ import annotations

import random
from bisect import bisect_right, insort
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["crossings", "ordered"]

Columns = list[list[int]]


def crossings(columns: Sequence[Sequence[int]], right: Sequence[Sequence[int]]) -> int:
    """How many pairs of ties between neighbouring columns cross; `right[v]` is what v is tied to."""
    total = 0
    for here, there in pairwise(columns):
        place = {v: i for i, v in enumerate(there)}
        ends: list[int] = []
        for v in here:
            mine = sorted(place[w] for w in right[v])
            for p in mine:
                total += len(ends) - bisect_right(ends, p)
            for p in mine:
                insort(ends, p)
    return total


def ordered(
    columns: Columns, left: Sequence[Sequence[int]], right: Sequence[Sequence[int]], budget: int
) -> Columns:
    """The columns, each in an order that leaves few crossings; ties keep the order they came in.

    `budget` bounds the visits of vertices, so that large graphs get fewer trials.
    """
    search = _Search(left, right, budget)
    shuffler = random.Random(1)  # noqa: S311 - a fixed sequence of starts, not a secret
    start = [list(column) for column in columns]
    for trial in range(_TRIALS):
        search.run([list(column) for column in start], median=trial % 2 == 1)
        if search.best_count == 0 or search.budget <= 0:
            break
        if trial % 3 == 2:
            start = [list(column) for column in columns]
            for column in start:
                shuffler.shuffle(column)
        else:
            start = [column[::-1] for column in (columns if trial == 0 else search.best)]
    return search.best


_TRIALS = 12
#: Sweeps without a better order after which a trial ends.
_PATIENCE = 4


class _Search:
    """One graph's columns being put in order: the best order so far, and the effort left."""

    def __init__(
        self, left: Sequence[Sequence[int]], right: Sequence[Sequence[int]], budget: int
    ) -> None:
        self.left, self.right, self.budget = left, right, budget
        self.place = [0] * len(left)
        self.best: Columns = []
        self.best_count = -1

    def run(self, columns: Columns, *, median: bool) -> None:
        """Sweep from this order until nothing gets better for a while."""
        for column in columns:
            self._number(column)
        found = -1
        idle = 0
        sweep = 0
        while True:
            self._exchange(columns, sweep % 4 >= 2)
            count = crossings(columns, self.right)
            if self.best_count < 0 or count < self.best_count:
                self.best, self.best_count = [list(column) for column in columns], count
            idle = 0 if found < 0 or count < found else idle + 1
            found = count if found < 0 else min(found, count)
            if count == 0 or idle >= _PATIENCE or self.budget <= 0:
                return
            forwards = sweep % 2 == 0
            for column in columns[1:] if forwards else columns[-2::-1]:
                self._sort(column, self.left if forwards else self.right, median)
            sweep += 1

    def _number(self, column: list[int]) -> None:
        for i, v in enumerate(column):
            self.place[v] = i

    def _sort(self, column: list[int], ties: Sequence[Sequence[int]], median: bool) -> None:
        """By the mean or median place of the ties; what has none keeps its place among the others."""
        self.budget -= len(column)
        place = self.place
        keys = {}
        for v in column:
            ends = ties[v]
            if not ends:
                continue
            if len(ends) == 1:
                keys[v] = float(place[ends[0]])
            elif median:
                at = sorted([place[w] for w in ends])
                keys[v] = (at[(len(at) - 1) // 2] + at[len(at) // 2]) / 2
            else:
                keys[v] = sum([place[w] for w in ends]) / len(ends)
        tied = iter(sorted(keys, key=keys.__getitem__))  # stable: `keys` is in the old order
        column[:] = [next(tied) if v in keys else v for v in column]
        self._number(column)

    def _exchange(self, columns: Columns, also_equal: bool) -> None:
        """Exchange neighbours while that lowers the crossings; once also where it changes nothing."""
        active = list(range(len(columns)))
        while active and self.budget > 0:
            better: set[int] = set()
            for c in active:
                if self._exchange_in(columns[c], also_equal):
                    better.update((c - 1, c, c + 1))
            also_equal = False
            active = sorted(c for c in better if 0 <= c < len(columns))

    def _exchange_in(self, column: list[int], also_equal: bool) -> bool:
        self.budget -= 3 * len(column)
        place, left, right = self.place, self.left, self.right
        better = False
        for i in range(len(column) - 1):
            u, v = column[i], column[i + 1]
            gain = _gain(left[u], left[v], place) + _gain(right[u], right[v], place)
            if gain > 0 or (gain == 0 and also_equal):
                column[i], column[i + 1] = v, u
                place[u], place[v] = i + 1, i
                better = better or gain > 0
        return better


def _gain(us: Sequence[int], vs: Sequence[int], place: Sequence[int]) -> int:
    """How many crossings fewer there are if v, now below u, goes above it."""
    if len(us) == 1 and len(vs) == 1:
        a, b = place[us[0]], place[vs[0]]
        return (a > b) - (a < b)
    gain = 0
    for u in us:
        a = place[u]
        for v in vs:
            b = place[v]
            gain += (a > b) - (a < b)
    return gain
