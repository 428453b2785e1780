"""The y of everything in a level: in the order of its column, with arrows as straight as possible."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from itertools import pairwise

from chainrule.drawing.layout.columns import in_order
from chainrule.drawing.layout.items import Item, Link
from chainrule.drawing.layout.simplex import Pull, settle

__all__ = ["heights"]

#: Free space between two items of a column.
GAP = 8.0
#: The free space above and below an arrow.
ROOM = 8.0
#: How much more a bend inside a long arrow costs than one at its end.
STRAIGHT = 8.0
#: A smaller bend would look like a wobble: the arrow runs straight, and meets the outline off its port.
SMALL = 7.0
#: The weights of an arrow that carries a computed value, and of an input.
COMPUTED, INPUT = 3.0, 2.0

Rows = list[list[tuple[str, int]]]


def heights(items: list[Item], links: list[Link], rows: Rows, effort: int) -> None:
    """Give every item its y, and every link its straight pieces and their y; the top is 0."""
    work = _Heights(items, links, rows)
    y = work.solve(effort)
    for i, item in enumerate(items):
        item.y = y[i]
    for k, link in enumerate(links):
        out, into = work.ports[k]
        link.pieces = [(a, b, y[v]) for a, b, v in work.pieces[k]]
        tail, head = items[link.tail], items[link.head]
        link.label_y = next(at for a, b, at in link.pieces if a <= 2 * link.labelled + 1 <= b)
        # A name beside the arrow is at the arrow's height; other items are met at their port.
        if tail.beside:
            tail.y = link.pieces[0][2]
        else:
            at = _met(tail, out, link.out_port, link.pieces[0][2])
            link.pieces.insert(0, (2 * link.first, 2 * link.first, at))
        if head.beside:
            head.y = link.pieces[-1][2]
        else:
            at = _met(head, into, link.in_port, link.pieces[-1][2])
            link.pieces.append((2 * link.last + 2, 2 * link.last + 2, at))
    _to_top(items, links)


def _met(item: Item, port: float, fixed: float | None, at: float) -> float:
    """The height at which a link meets an item: its port, or its own height if the bend were small."""
    bend = at - item.y - port
    free = fixed is None and not item.edge
    return at if free and abs(bend) <= min(SMALL, 0.3 * item.height / 2) else item.y + port


def _to_top(items: list[Item], links: list[Link]) -> None:
    """Move everything up or down so that the top is at 0."""
    tops = [item.y - item.height / 2 for item in items]
    for link in links:
        tops += [link.label_y - link.above, *(at - ROOM for _, _, at in link.pieces)]
    top = min(tops)
    for item in items:
        item.y -= top
    for link in links:
        link.label_y -= top
        link.pieces = [(a, b, at - top) for a, b, at in link.pieces]


class _Heights:
    """The unknown heights (of items, then of straight pieces of links) and the pulls between them."""

    def __init__(self, items: list[Item], links: list[Link], rows: Rows) -> None:
        self.items, self.links, self.rows = items, links, rows
        self.count = len(items)
        #: For each link its pieces: (first column, last column, unknown).
        self.pieces: list[list[tuple[int, int, int]]] = [[] for _ in links]
        self._cut()
        self.ports = self._ports()

    def _cut(self) -> None:
        """Cut long links where they cross one another, so that the pieces keep one order."""
        running: set[int] = set()
        for c, row in enumerate(self.rows):
            here = [k for kind, k in row if kind != "item"]
            going = [k for k in here if k in running]
            position_of = {k: i for i, (kind, k) in enumerate(self.rows[c - 1]) if kind != "item"}
            straight = set(_longest_rise(going, [position_of[k] for k in going]))
            for k in here:
                if k in straight:
                    a, _, v = self.pieces[k][-1]
                    self.pieces[k][-1] = (a, c, v)
                else:
                    self.pieces[k].append((c, c, self.count))
                    self.count += 1
            running = set(here)

    def _ports(self) -> list[tuple[float, float]]:
        """The heights, relative to their centres, at which each link leaves its tail and enters its head."""
        out: list[list[int]] = [[] for _ in self.items]
        into: list[list[int]] = [[] for _ in self.items]
        for c in range(1, len(self.rows), 2):
            for _, k in self.rows[c]:
                if c == 2 * self.links[k].first + 1:
                    out[self.links[k].tail].append(k)
                if c == 2 * self.links[k].last + 1:
                    into[self.links[k].head].append(k)
        ports = [(0.0, 0.0)] * len(self.links)
        for i, item in enumerate(self.items):
            for k, at in zip(out[i], self._fan(item, out[i]), strict=True):
                fixed = self.links[k].out_port
                ports[k] = (at if fixed is None else fixed, ports[k][1])
            for k, at in zip(into[i], self._fan(item, into[i]), strict=True):
                fixed = self.links[k].in_port
                ports[k] = (ports[k][0], at if fixed is None else fixed)
        return ports

    def _fan(self, item: Item, ends: list[int]) -> list[float]:
        """The ports of links side by side; the one link of the largest weight is at the centre."""
        if len(ends) < 2:
            return [0.0] * len(ends)
        most = max(self.links[k].weight for k in ends)
        main = [j for j, k in enumerate(ends) if self.links[k].weight == most]
        middle = float(main[0]) if len(main) == 1 else (len(ends) - 1) / 2
        reach = 0.7 * item.height / 2
        far = max(middle, len(ends) - 1 - middle)
        step = min(item.port, math.floor(4 * reach / far) / 4)
        return [(j - middle) * step for j in range(len(ends))]

    def solve(self, effort: int) -> list[float]:
        """All heights, at their least distances or more, with the least cost of bends."""
        apart = self._separations()
        pulls = [Pull(u, v, at, -math.inf, 0.0) for (u, v), at in apart.items()]
        return settle(self._start(apart), [*pulls, *self._bends()], effort)

    def _separations(self) -> dict[tuple[int, int], float]:
        apart: dict[tuple[int, int], float] = {}
        for c, row in enumerate(self.rows):
            before: tuple[int, float] | None = None
            for kind, k in row:
                v, above, below = self._room(c, kind, k)
                if before is not None:
                    u, low = before
                    apart[u, v] = max(apart.get((u, v), 0.0), low + GAP + above)
                before = (v, below)
        return apart

    def _room(self, c: int, kind: str, k: int) -> tuple[int, float, float]:
        """The unknown at an entry of a row, and the space it takes above and below."""
        if kind == "item":
            half = self.items[k].height / 2
            return k, half, half
        v = next(v for a, b, v in self.pieces[k] if a <= c <= b)
        link = self.links[k]
        if c != 2 * link.labelled + 1:
            return v, ROOM, ROOM
        named = [i.height / 2 for i in (self.items[link.tail], self.items[link.head]) if i.beside]
        return v, max(link.above, ROOM, *named), max(link.below, ROOM, *named)

    def _start(self, apart: dict[tuple[int, int], float]) -> list[float]:
        """A valid start: everything as high as possible."""
        y = [0.0] * self.count
        follow: list[list[tuple[int, float]]] = [[] for _ in y]
        for (u, v), at in apart.items():
            follow[u].append((v, at))
        for u in in_order(self.count, list(apart)):
            for v, at in follow[u]:
                y[v] = max(y[v], y[u] + at)
        return y

    def _bends(self) -> list[Pull]:
        pulls = []
        even = self._even()
        leaving = Counter(link.tail for link in self.links)
        entering = Counter(link.head for link in self.links)
        for k, link in enumerate(self.links):
            out, into = self.ports[k]
            pieces = self.pieces[k]
            # A bend of an only arrow costs more than that of one of several.
            alone = leaving[link.tail] == 1
            only = 2.0 if alone and entering[link.head] == 1 else 1.0
            w = only * COMPUTED if alone else 0.8 * link.weight
            pulls.append(Pull(link.tail, pieces[0][2], out, -w, w))
            for (_, _, u), (_, _, v) in pairwise(pieces):
                pulls.append(Pull(u, v, 0.0, -STRAIGHT, STRAIGHT))
            w = only * link.weight
            pulls.append(Pull(pieces[-1][2], link.head, -even.get(k, into), -w, w))
        return pulls

    def _even(self) -> dict[int, float]:
        """The heights of an item's links relative to it, where only leaves enter: evenly spaced."""
        entering: dict[int, list[int]] = {}
        for c in range(1, len(self.rows), 2):
            for _, k in self.rows[c]:
                if c == 2 * self.links[k].last + 1 and self.links[k].in_port is None:
                    entering.setdefault(self.links[k].head, []).append(k)
        offsets: dict[int, float] = {}
        for ends in entering.values():
            weights = {self.links[k].weight for k in ends}
            if len(ends) < 2 or len(weights) > 1 or max(weights) > INPUT:
                continue
            at = [0.0]
            for k, m in pairwise(ends):
                c = 2 * self.links[k].last + 1
                below, above = self._room(c, "label", k)[2], self._room(c, "label", m)[1]
                at.append(at[-1] + below + GAP + above)
            middle = math.floor(2 * at[-1]) / 4
            offsets.update((k, p - middle) for k, p in zip(ends, at, strict=True))
        return offsets


def _longest_rise(names: list[int], positions: list[int]) -> list[int]:
    """The longest subsequence of the names whose positions rise (Fredman, 1975)."""
    ends: list[int] = []
    best: list[int] = []
    before: list[int] = []
    for i, p in enumerate(positions):
        n = bisect_left(ends, p)
        before.append(best[n - 1] if n else -1)
        ends[n : n + 1], best[n : n + 1] = [p], [i]
    rising = []
    i = best[-1] if best else -1
    while i >= 0:
        rising.append(names[i])
        i = before[i]
    return rising[::-1]
