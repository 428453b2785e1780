"""A wide picture in rows: an arrow that continues in a later row has its name at both ends."""

from __future__ import annotations

import math
from bisect import bisect
from collections import deque
from dataclasses import replace

from chainrule.drawing.diagram import Arrow, Diagram, Group, Run, Vertex
from chainrule.drawing.layout import lay_out
from chainrule.graph.scopes import around

__all__ = ["in_rows"]

#: Free space between two rows.
BETWEEN = 16.0
#: The cost of cutting an arrow, as a difference of a row's length from that of the others.
CUT = 120.0

#: A last row shorter than this part of the width is joined to the row before.
SHORT = 0.2


def in_rows(diagram: Diagram, width: float) -> Diagram:
    """A laid-out diagram unchanged if it fits, else in rows of about that width, laid out again.

    It is cut between outermost vertices and layers; a layer stays in one row.
    """
    cuts = _cuts(diagram, width) if diagram.width > width else []
    if not cuts:
        return diagram
    rows = [Diagram() for _ in range(len(cuts) + 1)]
    row_of = _rows_of(diagram, cuts)
    groups: dict[Group | None, Group | None] = {None: None}
    for group in sorted(diagram.groups, key=lambda g: sum(1 for _ in around(g))):
        groups[group] = replace(group, outer=groups[group.outer])
    for group in diagram.groups:
        outermost = list(around(group))[-1]
        copied = groups[group]
        assert copied is not None
        rows[bisect(cuts, outermost.x)].groups.append(copied)
    copies = {v: replace(v, group=groups[v.group]) for v in diagram.vertices}
    for v, copy in copies.items():
        rows[row_of[v]].vertices.append(copy)
    for arrow in diagram.arrows:
        first, last = row_of[arrow.source], row_of[arrow.target]
        source, target = copies[arrow.source], copies[arrow.target]
        if first == last:
            rows[first].arrows.append(replace(arrow, source=source, target=target))
            continue
        end, start = (arrow.content.name_beyond(side) for side in (-1, 1))
        rows[first].vertices.append(end)
        rows[first].arrows.append(replace(arrow, source=source, target=end))
        rows[last].vertices.append(start)
        rest = arrow.content.without_numbers()
        rows[last].arrows.append(Arrow(start, target, weight=arrow.weight, content=rest))
    return _under_each_other(rows)


def _cuts(diagram: Diagram, width: float) -> list[float]:
    """The x of the cuts, from left to right: rows of similar length, few arrows cut."""
    spans = [(g.x, g.x + g.width) for g in diagram.groups if g.outer is None]
    spans += [
        (v.x - v.width / 2, v.x + v.width / 2)
        for v in diagram.vertices
        if v.group is None and not v.beside
    ]
    gaps: deque[float] = deque()
    reached = -math.inf
    for left, right in sorted(spans):
        if left > reached > -math.inf:
            gaps.append((reached + left) / 2)
        reached = max(reached, right)
    starts = sorted(arrow.source.x for arrow in diagram.arrows)
    ends = sorted(arrow.target.x for arrow in diagram.arrows)
    cuts: list[float] = []
    here, left = 0.0, math.ceil(diagram.width / width)
    while left > 1 and gaps:
        target = here + (diagram.width - here) / left
        near = [gap for gap in gaps if here + 0.4 * width < gap < here + width] or [gaps[0]]
        here = min(
            near, key=lambda c: abs(c - target) + CUT * (bisect(starts, c) - bisect(ends, c))
        )
        if diagram.width - here < SHORT * width:
            break
        cuts.append(here)
        while gaps and gaps[0] <= here:
            gaps.popleft()
        left = math.ceil((diagram.width - here) / width)
    return cuts


def _rows_of(diagram: Diagram, cuts: list[float]) -> dict[Vertex, int]:
    """The row of every vertex: a name is in the row of its arrow's other end."""
    row_of: dict[Vertex, int] = {}
    for v in diagram.vertices:
        outermost = list(around(v.group))
        row_of[v] = bisect(cuts, outermost[-1].x if outermost else v.x)
    for arrow in diagram.arrows:
        if arrow.source.beside and arrow.source.group is None:
            row_of[arrow.source] = row_of[arrow.target]
        if arrow.target.beside and arrow.target.group is None:
            row_of[arrow.target] = row_of[arrow.source]
    return row_of


def _under_each_other(rows: list[Diagram]) -> Diagram:
    whole = Diagram()
    for row in rows:
        lay_out(row)
        down = whole.height + (BETWEEN if whole.height else 0.0)
        for vertex in row.vertices:
            vertex.y += down
        for group in row.groups:
            group.y += down
        for arrow in row.arrows:
            arrow.runs = [Run(run.left, run.right, run.y + down) for run in arrow.runs]
            arrow.label_y += down
        whole.vertices += row.vertices
        whole.arrows += row.arrows
        whole.groups += row.groups
        whole.width, whole.height = max(whole.width, row.width), down + row.height
    return whole
