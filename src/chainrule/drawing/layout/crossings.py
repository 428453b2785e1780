"""The order of the items in each column, so that few arrows cross.

Sweeps in both directions sort every column by the mean (or median) position of its items'
neighbours, and then exchange adjacent items as long as that helps; the best order found is kept.

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
    """The number of crossing pairs of links between adjacent columns; `right[v]` has the neighbours of v."""
    total = 0
    for here, there in pairwise(columns):
        position = {v: i for i, v in enumerate(there)}
        ends: list[int] = []
        for v in here:
            positions = sorted(position[w] for w in right[v])
            for p in positions:
                total += len(ends) - bisect_right(ends, p)
            for p in positions:
                insort(ends, p)
    return total


def ordered(
    columns: Columns, left: Sequence[Sequence[int]], right: Sequence[Sequence[int]], budget: int
) -> Columns:
    """The columns, each in an order that leaves few crossings; equally good ones keep the given order.

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
    """The search for an order of columns: the best order so far, and the remaining budget."""

    def __init__(
        self, left: Sequence[Sequence[int]], right: Sequence[Sequence[int]], budget: int
    ) -> None:
        self.left, self.right, self.budget = left, right, budget
        self.position = [0] * len(left)
        self.best: Columns = []
        self.best_count = -1

    def run(self, columns: Columns, *, median: bool) -> None:
        """Sweep from this order until several sweeps bring no improvement."""
        for column in columns:
            self._number(column)
        fewest = -1
        idle = 0
        sweep = 0
        while True:
            self._exchange(columns, sweep % 4 >= 2)
            count = crossings(columns, self.right)
            if self.best_count < 0 or count < self.best_count:
                self.best, self.best_count = [list(column) for column in columns], count
            idle = 0 if fewest < 0 or count < fewest else idle + 1
            fewest = count if fewest < 0 else min(fewest, count)
            if count == 0 or idle >= _PATIENCE or self.budget <= 0:
                return
            forwards = sweep % 2 == 0
            for column in columns[1:] if forwards else columns[-2::-1]:
                self._sort(column, self.left if forwards else self.right, median)
            sweep += 1

    def _number(self, column: list[int]) -> None:
        for i, v in enumerate(column):
            self.position[v] = i

    def _sort(self, column: list[int], neighbours: Sequence[Sequence[int]], median: bool) -> None:
        """Sort by the mean or median position of the neighbours; an item without any keeps its position."""
        self.budget -= len(column)
        position = self.position
        keys = {}
        for v in column:
            ends = neighbours[v]
            if not ends:
                continue
            if len(ends) == 1:
                keys[v] = float(position[ends[0]])
            elif median:
                positions = sorted([position[w] for w in ends])
                keys[v] = (
                    positions[(len(positions) - 1) // 2] + positions[len(positions) // 2]
                ) / 2
            else:
                keys[v] = sum([position[w] for w in ends]) / len(ends)
        tied = iter(sorted(keys, key=keys.__getitem__))  # stable: `keys` is in the old order
        column[:] = [next(tied) if v in keys else v for v in column]
        self._number(column)

    def _exchange(self, columns: Columns, also_equal: bool) -> None:
        """Exchange adjacent items while that lowers the crossings; once also where it changes nothing."""
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
        position, left, right = self.position, self.left, self.right
        better = False
        for i in range(len(column) - 1):
            u, v = column[i], column[i + 1]
            gain = _gain(left[u], left[v], position) + _gain(right[u], right[v], position)
            if gain > 0 or (gain == 0 and also_equal):
                column[i], column[i + 1] = v, u
                position[u], position[v] = i + 1, i
                better = better or gain > 0
        return better


def _gain(us: Sequence[int], vs: Sequence[int], position: Sequence[int]) -> int:
    """The decrease in crossings if v, now below u, moves above it."""
    if len(us) == 1 and len(vs) == 1:
        a, b = position[us[0]], position[vs[0]]
        return (a > b) - (a < b)
    gain = 0
    for u in us:
        a = position[u]
        for v in vs:
            b = position[v]
            gain += (a > b) - (a < b)
    return gain
