"""Positions that minimise a sum of pulls: one network simplex, for columns and for heights.

Minimise Σ cost(y_head - y_tail) over all pulls. The cost of each has one kink, at the desired
distance, with slope `low` below it and `high` above it. `low = -∞` makes it a least distance.
At the minimum, enough pulls to connect everything (a spanning tree) are at their kink. Each step
removes one pull from the tree, moves the part that it connected as far as that lowers the cost, and
connects the part again by the pull that stopped it.

Source: Gansner, Koutsofios, North and Vo, "A technique for drawing directed graphs", 1993,
sections 2.3 and 4.2; the step across several kinks is the "long step" of the dual simplex.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Pull", "settle"]

_NONE = -1
_SMALL = 1e-9


@dataclass(slots=True, frozen=True)
class Pull:
    """The cost of y[head] - y[tail]: 0 at `at`, with a slope below and one above it."""

    tail: int
    head: int
    at: float
    low: float
    high: float


def settle(start: Sequence[float], pulls: Sequence[Pull], budget: int) -> list[float]:
    """The positions of the least cost of the pulls, from a start that keeps all least distances.

    Distances should be exact in binary (halves, quarters), so that "at the kink" is exact. After
    `budget` visits of vertices and pulls it stops at the present positions, which are valid.
    """
    work = _Simplex(list(start), pulls, budget)
    while work.improve():
        pass
    return work.y


class _Simplex:
    """The spanning tree, the slope of every pull outside it, and the resulting force on each vertex."""

    def __init__(self, y: list[float], pulls: Sequence[Pull], budget: int) -> None:
        n = len(y)
        self.y, self.pulls, self.budget = y, pulls, budget
        self.around: list[list[int]] = [[] for _ in range(n)]
        for e, pull in enumerate(pulls):
            self.around[pull.tail].append(e)
            self.around[pull.head].append(e)
        #: In the tree: the parent and the pull to it; roots have neither, and may move freely.
        self.parent, self.tie = [_NONE] * n, [_NONE] * n
        self.children: list[dict[int, None]] = [{} for _ in range(n)]
        self.in_tree = [False] * len(pulls)
        self.slope = [p.high if y[p.head] - y[p.tail] >= p.at else p.low for p in pulls]
        #: d(cost of the pulls outside the tree)/dy of each vertex.
        self.force = [0.0] * n
        self.stamp, self.seen = 0, [0] * n
        self.roots: list[int] = []
        self._grow()
        for e, pull in enumerate(pulls):
            if not self.in_tree[e]:
                self.force[pull.head] += self.slope[e]
                self.force[pull.tail] -= self.slope[e]

    def _grow(self) -> None:
        """Grow the spanning forest along pulls that are at their kink already."""
        reached = [False] * len(self.y)
        for root in range(len(self.y)):
            if reached[root]:
                continue
            reached[root] = True
            self.roots.append(root)
            ahead = [root]
            for v in ahead:
                for e in self.around[v]:
                    pull = self.pulls[e]
                    w = pull.head if pull.tail == v else pull.tail
                    if not reached[w] and self.y[pull.head] - self.y[pull.tail] == pull.at:
                        reached[w] = True
                        self.in_tree[e] = True
                        self.parent[w], self.tie[w] = v, e
                        self.children[v][w] = None
                        ahead.append(w)

    def improve(self) -> bool:
        """One pass over the tree: move every part whose move lowers the cost. False: none did."""
        order = list(self.roots)
        for v in order:
            order.extend(self.children[v])
        total = list(self.force)
        for v in reversed(order):
            if self.parent[v] != _NONE:
                total[self.parent[v]] += total[v]
        unhappy = [(-rate, v) for v in order if (rate := self._rate(v, total[v])[0]) > _SMALL]
        self.budget -= len(order)
        moved = False
        for _, v in sorted(unhappy):
            if self.budget <= 0:
                return False
            moved = self._move(v) or moved
        return moved

    def _rate(self, v: int, force: float) -> tuple[float, int]:
        """The gain per unit of moving v with its subtree, and the direction."""
        e = self.tie[v]
        if e == _NONE:
            return abs(force), -1 if force > 0 else 1
        pull = self.pulls[e]
        # Moving up by a unit costs `force` and the slope of the tie on that side.
        up, down = (pull.high, pull.low) if pull.head == v else (-pull.low, -pull.high)
        if -(force + up) > _SMALL:
            return -(force + up), 1
        return force + down, -1

    def _move(self, v: int) -> bool:
        part = [v]
        for u in part:
            part.extend(self.children[u])
        self.budget -= len(part)
        # An earlier move of this pass may have changed the gain.
        rate, direction = self._rate(v, math.fsum([self.force[u] for u in part]))
        if not rate > _SMALL:
            return False
        self.stamp += 1
        for u in part:
            self.seen[u] = self.stamp
        step, passed, stop = self._reach(part, rate, direction)
        for u in part:
            self.y[u] += direction * step
        self._cut(v, direction)
        for e in passed:
            pull = self.pulls[e]
            self._turn(e, pull.low if self.slope[e] == pull.high else pull.high)
        self._tie(v, stop)
        return True

    def _reach(self, part: list[int], rate: float, direction: int) -> tuple[float, list[int], int]:
        """The best step: its length, the pulls whose kink it passes, and the pull that stops it."""
        events = []
        for u in part:
            self.budget -= len(self.around[u])
            for e in self.around[u]:
                if self.in_tree[e]:
                    continue
                pull = self.pulls[e]
                inside = pull.head == u
                if self.seen[pull.tail if inside else pull.head] == self.stamp:
                    continue
                grows = direction if inside else -direction
                slack = self.y[pull.head] - self.y[pull.tail] - pull.at
                if self.slope[e] == pull.high and grows < 0:
                    events.append((slack, e))
                elif self.slope[e] == pull.low and grows > 0:
                    events.append((-slack, e))
        events.sort()
        for i, (step, e) in enumerate(events):
            rate -= self.pulls[e].high - self.pulls[e].low
            if rate <= _SMALL:
                return step, [k for _, k in events[:i]], e
        raise AssertionError("a pull without end: some vertex is held by nothing")

    def _turn(self, e: int, slope: float) -> None:
        """Give a pull outside the tree another slope."""
        pull, change = self.pulls[e], slope - self.slope[e]
        self.slope[e] = slope
        self.force[pull.head] += change
        self.force[pull.tail] -= change

    def _cut(self, v: int, direction: int) -> None:
        e = self.tie[v]
        if e == _NONE:
            self.roots.remove(v)
            return
        del self.children[self.parent[v]][v]
        self.parent[v] = self.tie[v] = _NONE
        pull = self.pulls[e]
        self.in_tree[e] = False
        self.slope[e] = 0.0
        self._turn(e, pull.high if (pull.head == v) == (direction > 0) else pull.low)

    def _tie(self, v: int, e: int) -> None:
        """Connect the part whose root is v to the rest by the pull e."""
        pull = self.pulls[e]
        inside = self.seen[pull.head] == self.stamp
        near, far = (pull.head, pull.tail) if inside else (pull.tail, pull.head)
        self._turn(e, 0.0)
        self.in_tree[e] = True
        # From `near` up to v every vertex becomes the child of the one below it.
        below, below_tie, u = far, e, near
        while u != _NONE:
            above, above_tie = self.parent[u], self.tie[u]
            if above != _NONE:
                del self.children[above][u]
            self.parent[u], self.tie[u] = below, below_tie
            self.children[below][u] = None
            below, below_tie, u = u, above_tie, above
