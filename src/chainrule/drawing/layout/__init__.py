"""Layout: the positions of everything in a diagram, from left to right; it is deterministic.

Every group is laid out separately, the innermost first, and is then one box in the level around it.
So no box can overlap another, or a vertex outside it.
"""

from __future__ import annotations

import math
from itertools import pairwise

from chainrule.drawing.diagram import Arrow, Diagram, Group, Run, Vertex
from chainrule.drawing.layout.items import ARROW, Item, Link
from chainrule.drawing.layout.level import Level
from chainrule.graph.scopes import around

__all__ = ["lay_out"]

#: Free space inside the border of a group, and around the whole picture.
PADDING = 12.0
#: The most visits of vertices in one step of the layout of a level: about a tenth of a second.
EFFORT = 600_000


def lay_out(diagram: Diagram) -> None:
    """Set the positions of the diagram's vertices, groups and arrows."""
    levels = _Levels(diagram)
    for group in sorted(diagram.groups, key=_depth, reverse=True):
        levels.inner(group)
    level = levels.of[None]
    level.lay_out()
    diagram.width, diagram.height = level.width + 2 * PADDING, levels.bottom(level) + 2 * PADDING
    levels.put_all()


def _depth(group: Group) -> int:
    return sum(1 for _ in around(group))


class _Levels:
    """Cuts a diagram into levels, one for each group, and puts their layouts together."""

    def __init__(self, diagram: Diagram) -> None:
        self.diagram = diagram
        self.of: dict[Group | None, Level] = {
            group: Level([], [], EFFORT) for group in (None, *diagram.groups)
        }
        self.item: dict[Vertex | Group, int] = {}
        for v in diagram.vertices:
            item = Item(v.width, v.height, v.round, v.beside, v.port, content=v)
            self._add(v.group, v, item)
        for group in diagram.groups:
            self._add(group.outer, group, Item(0.0, 0.0, content=group))
        #: Pairs of links, one part of an arrow and the next, by the groups on both sides.
        self.joints: dict[Group | None, list[tuple[Link, Link]]] = {}
        #: The parts of every arrow, from left to right: the group, and the link in its level.
        self.parts: dict[Arrow, list[tuple[Group | None, Link]]] = {}
        for arrow in diagram.arrows:
            self.parts[arrow] = self._cut(arrow)

    def _add(self, group: Group | None, thing: Vertex | Group, item: Item) -> None:
        items = self.of[group].items
        self.item[thing] = len(items)
        items.append(item)

    def _cut(self, arrow: Arrow) -> list[tuple[Group | None, Link]]:
        """Cut an arrow into links: out of its source's groups, across, and into its target's groups."""
        # None is the whole diagram.
        out, into = [*around(arrow.source.group), None], [*around(arrow.target.group), None]
        shared = next(group for group in out if group in into)
        parts: list[tuple[Group | None, Link]] = []
        tail: Vertex | Group = arrow.source
        for group in out[: out.index(shared)]:
            assert group is not None
            parts.append((group, self._link(group, self.item[tail], self._end(group, "right"))))
            tail = group
        head: Vertex | Group = arrow.target
        inner: list[tuple[Group | None, Link]] = []
        for group in into[: into.index(shared)]:
            assert group is not None
            inner.append((group, self._link(group, self._end(group, "left"), self.item[head])))
            head = group
        across = self._link(shared, self.item[tail], self.item[head])
        across.width, across.above, across.below = arrow.width, arrow.above, arrow.below
        across.content = arrow
        parts = [*parts, (shared, across), *reversed(inner)]
        for _, link in parts:
            link.weight = arrow.weight
        for before, after in pairwise(parts):
            self.joints.setdefault(before[0], []).append((before[1], after[1]))
            self.joints.setdefault(after[0], []).append((before[1], after[1]))
        return parts

    def _link(self, group: Group | None, tail: int, head: int) -> Link:
        link = Link(tail, head, above=ARROW, below=ARROW)
        self.of[group].links.append(link)
        return link

    def _end(self, group: Group, edge: str) -> int:
        items = self.of[group].items
        items.append(Item(0.0, 2 * ARROW, edge=edge))
        return len(items) - 1

    @staticmethod
    def bottom(level: Level) -> float:
        """The lowest y of the items and labels of a level."""
        low = [item.y + item.height / 2 for item in level.items]
        for link in level.links:
            low += [link.label_y + link.below, *(run.y + ARROW for run in link.runs)]
        return max(low, default=0.0)

    def inner(self, group: Group) -> None:
        """Lay out a group's level; the group becomes an item of that size, with ports."""
        level = self.of[group]
        level.lay_out()
        missing = max(0.0, group.title_width - level.width)
        group.width = level.width + missing + 2 * PADDING
        # Whole numbers, so that heights stay exact.
        group.height = math.ceil(self.bottom(level) + group.title_height + PADDING)
        item = self.of[group.outer].items[self.item[group]]
        item.width, item.height = group.width, group.height
        own = set(level.links)
        middle = group.height / 2 - group.title_height
        for before, after in self.joints.get(group, []):
            if before in own and level.items[before.head].edge:
                after.out_port = level.items[before.head].y - middle
            elif after in own and level.items[after.tail].edge:
                before.in_port = level.items[after.tail].y - middle

    def put_all(self) -> None:
        """Turn positions in a level into positions in the picture, the outermost level first."""
        corner: dict[Group | None, tuple[float, float]] = {None: (PADDING, PADDING)}
        for group in [None, *sorted(self.diagram.groups, key=_depth)]:
            x, y = corner[group]
            for item in self.of[group].items:
                thing = item.content
                if isinstance(thing, Vertex):
                    thing.x, thing.y = x + item.x, y + item.y
                elif isinstance(thing, Group):
                    thing.x, thing.y = x + item.x - item.width / 2, y + item.y - item.height / 2
                    spare = (thing.width - self.of[thing].width) / 2
                    corner[thing] = (thing.x + spare, thing.y + thing.title_height)
        for arrow, parts in self.parts.items():
            arrow.runs = []
            for group, link in parts:
                x, y = corner[group]
                self._draw(arrow, group, link, x, y)

    def _draw(self, arrow: Arrow, group: Group | None, link: Link, x: float, y: float) -> None:
        if link.content is arrow:
            arrow.label_x, arrow.label_y = x + link.label_x, y + link.label_y
        items = self.of[group].items
        for i, run in enumerate(link.runs):
            left, right = x + run.left, x + run.right
            if group is not None and i == 0 and items[link.tail].edge:
                left = group.x
            if group is not None and i == len(link.runs) - 1 and items[link.head].edge:
                right = group.x + group.width
            if arrow.runs and abs(arrow.runs[-1].y - y - run.y) < 1e-6:
                left = arrow.runs.pop().left
            arrow.runs.append(Run(left, right, y + run.y))
