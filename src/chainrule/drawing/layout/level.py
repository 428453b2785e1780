"""The layout of one level of a diagram: items in columns, and links from left to right.

Columns of items alternate with columns of the labels of links. A link is horizontal inside every
column, in a row of its own, and curves only in the empty gaps between columns. So no link can cross
an item, and no label can overlap anything.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TypeAlias

from chainrule.drawing.diagram import Run
from chainrule.drawing.layout.columns import columns
from chainrule.drawing.layout.crossings import ordered
from chainrule.drawing.layout.heights import heights
from chainrule.drawing.layout.items import Item, Link

__all__ = ["Level"]

#: A link in a gap: the positions and ports of its two ends, by which it is sorted, and its number.
Crossing: TypeAlias = tuple[int, float, int, float, int]

#: The least width of a column of labels, so that every arrow is visible.
SHORTEST = 18.0


class Level:
    """Items and links; `lay_out()` sets their positions, relative to the level's corner."""

    def __init__(self, items: list[Item], links: list[Link], effort: int) -> None:
        self.items, self.links, self.effort = items, links, effort
        self.width = 0.0

    def lay_out(self) -> None:
        """Set the columns, their order, the heights and the widths, and draw the links."""
        if not self.items:
            return
        self._set_columns()
        rows = self._order()
        heights(self.items, self.links, rows, self.effort)
        self._set_widths(len(rows))

    def _set_columns(self) -> None:
        ends = [(link.tail, link.head) for link in self.links]
        for item, column in zip(
            self.items, columns(len(self.items), ends, self.effort), strict=True
        ):
            item.column = column
        last = max(item.column for item in self.items)
        for item in self.items:
            if item.edge:
                item.column = 0 if item.edge == "left" else last
        for link in self.links:
            tail, head = self.items[link.tail], self.items[link.head]
            if tail.beside:
                tail.column = head.column - 1
            if head.beside:
                head.column = tail.column + 1
        for link in self.links:
            link.first, link.last = self.items[link.tail].column, self.items[link.head].column - 1
            link.labelled = (link.first + link.last) // 2

    def _order(self) -> list[list[tuple[str, int]]]:
        """The entries of each column from top to bottom: ("item", i), ("pass", k) or ("label", k).

        Even columns hold items, and links that pass them; odd ones the labels of links.
        """
        count = 1 + max(item.column for item in self.items)
        kinds: list[tuple[str, int]] = [("item", i) for i in range(len(self.items))]
        left: list[list[int]] = [[] for _ in kinds]
        right: list[list[int]] = [[] for _ in kinds]
        #: The vertices of each link, one a column.
        paths: list[list[int]] = []
        for k, link in enumerate(self.links):
            path = [link.tail]
            for _ in range(link.first + 1, link.last + 1):
                path.append(len(kinds))
                kinds.append(("pass", k))
                left.append([])
                right.append([])
            path.append(link.head)
            for a, b in pairwise(path):
                right[a].append(b)
                left[b].append(a)
            paths.append(path)
        order = ordered(self._first_order(paths, kinds, count), left, right, self.effort)
        position = {v: i for column in order for i, v in enumerate(column)}
        rows: list[list[tuple[str, int]]] = [[] for _ in range(2 * count - 1)]
        for c, column in enumerate(order):
            rows[2 * c] = [kinds[v] for v in column if not self._is_name(v)]
        gaps: list[list[Crossing]] = [[] for _ in range(count - 1)]
        for k, link in enumerate(self.links):
            for c in range(link.first, link.last + 1):
                a, b = paths[k][c - link.first : c - link.first + 2]
                out = link.out_port if c == link.first else None
                into = link.in_port if c == link.last else None
                gaps[c].append((position[a], out or 0.0, position[b], into or 0.0, k))
        for c, gap in enumerate(gaps):
            rows[2 * c + 1] = [("label", k) for k in self._between(sorted(gap))]
        return rows

    def _between(self, gap: list[Crossing]) -> list[int]:
        """The links of a column of labels in order, with the links of leaves inserted by their ends.

        A leaf begins in this column, so its link crosses none before it.
        """
        rows = [key for key in gap if self.items[self.links[key[-1]].tail].beside <= 0]
        for leaf in gap:
            if self.items[self.links[leaf[-1]].tail].beside <= 0:
                continue
            ends = [key[2:4] for key in rows]
            crossed = sum(end < leaf[2:4] for end in ends)  # if it is on top of all
            fewest, best = crossed, 0
            target = sum(key < leaf for key in rows)
            for i, end in enumerate(ends, 1):
                crossed += (end > leaf[2:4]) - (end < leaf[2:4])
                nearer = abs(i - target) < abs(best - target)
                if crossed < fewest or (crossed == fewest and nearer):
                    fewest, best = crossed, i
            rows.insert(best, leaf)
        return [key[-1] for key in rows]

    def _is_name(self, v: int) -> bool:
        return v < len(self.items) and self.items[v].beside != 0

    def _first_order(
        self, paths: list[list[int]], kinds: list[tuple[str, int]], count: int
    ) -> list[list[int]]:
        """The order of a depth-first walk back from the ends; the links of a tree then do not cross."""
        into: list[list[list[int]]] = [[] for _ in self.items]
        for k, link in enumerate(self.links):
            into[link.head].append(paths[k])
        starts = {link.tail for link in self.links}
        order: list[list[int]] = [[] for _ in range(count)]
        seen = [False] * len(kinds)
        stack = [(v, self.items[v].column) for v in range(len(self.items)) if v not in starts][::-1]
        while stack:
            v, column = stack.pop()
            if seen[v]:
                continue
            seen[v] = True
            order[column].append(v)
            if v >= len(self.items):
                continue
            for path in reversed(into[v]):
                # The link's own vertices come before what is behind it.
                steps = list(zip(path[:-1], range(column - len(path) + 1, column), strict=True))
                stack.extend(steps)
        return order

    def _set_widths(self, count: int) -> None:
        widths = [SHORTEST if c % 2 else 0.0 for c in range(count)]
        #: The space left and right of the labels for the names beside arrows.
        before, after = [0.0] * count, [0.0] * count
        for item in self.items:
            c = 2 * item.column
            room = before if item.beside > 0 else after if item.beside < 0 else widths
            room[c + item.beside] = max(room[c + item.beside], item.width)
        for link in self.links:
            c = 2 * link.labelled + 1
            widths[c] = max(widths[c], link.width)
        widths = [sum(parts) for parts in zip(widths, before, after, strict=True)]
        left, right = _sides(widths, self._bends(count))
        self.width = right[-1]
        for item in self.items:
            c = 2 * item.column + item.beside
            if item.edge:
                item.x = 0.0 if item.edge == "left" else self.width
            elif item.beside > 0:
                item.x = left[c] + before[c] - item.width / 2
            elif item.beside < 0:
                item.x = right[c] - after[c] + item.width / 2
            else:
                item.x = (left[c] + right[c]) / 2
        for link in self.links:
            c = 2 * link.labelled + 1
            link.label_x = (left[c] + before[c] + right[c] - after[c]) / 2
            self._draw(link, left, right)

    def _bends(self, count: int) -> list[float]:
        """The largest bend of the links between each column and the next."""
        bends = [0.0] * (count - 1)
        for link in self.links:
            for (_, b, y), (_, _, z) in pairwise(link.pieces):
                bends[b] = max(bends[b], abs(y - z))
        return bends

    def _draw(self, link: Link, left: list[float], right: list[float]) -> None:
        """Set the horizontal runs of a link; adjacent ones at one height are joined."""
        tail, head = self.items[link.tail], self.items[link.head]
        start = tail.x + tail.reach(link.pieces[0][2] - tail.y)
        end = head.x - head.reach(link.pieces[-1][2] - head.y)
        link.runs = []
        for i, (a, b, y) in enumerate(link.pieces):
            last = i == len(link.pieces) - 1
            run = Run(left[a] if i else start, end if last else right[b], y)
            if link.runs and link.runs[-1].y == y:
                run = Run(link.runs.pop().left, run.right, y)
            link.runs.append(run)


def _sides(widths: list[float], bends: list[float]) -> tuple[list[float], list[float]]:
    """The left and the right side of every column; wide bends get wide gaps."""
    left, right = [0.0], [widths[0]]
    for width, bend in zip(widths[1:], bends, strict=True):
        gap = 5.0 if bend == 0 else min(16.0 + 0.55 * bend, 110.0)
        left.append(round(right[-1] + gap, 2))
        right.append(left[-1] + width)
    return left, right
