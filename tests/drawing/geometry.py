"""What a laid-out diagram must keep to, measured on what is drawn."""

from __future__ import annotations

import random
from itertools import combinations, pairwise

from chainrule.drawing.diagram import Arrow, Diagram, Group, Vertex

Box = tuple[float, float, float, float]
Point = tuple[float, float]


def random_diagram(seed: int, *, groups: bool) -> Diagram:
    """Vertices of many sizes, arrows with and without labels, names, and boxes in boxes."""
    rng = random.Random(seed)
    n = rng.randint(2, 26)
    diagram = Diagram()
    # Vertices are in topological order; a group is a stretch of them, so that no arrow leaves one
    # and comes back.
    inside: list[Group | None] = [None] * n
    if groups:
        _box(rng, 0, n, None, inside, diagram.groups, 3)
    for i in range(n):
        if rng.random() < 0.2:
            v = Vertex(8.0, 16.0, port=0.0)
        elif rng.random() < 0.3:
            v = Vertex(rng.randint(40, 160), rng.randint(24, 90))
        else:
            size = 2 * rng.randint(16, 26)
            v = Vertex(size, size, round=True)
        v.group = inside[i]
        diagram.vertices.append(v)
    for head in range(1, n):
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
            tail = max(0, head - 1 - int(rng.expovariate(0.3)))
            diagram.arrows.append(_arrow(rng, diagram.vertices[tail], diagram.vertices[head]))
    for v in diagram.vertices[:]:
        if rng.random() < 0.35:
            name = Vertex(rng.randint(4, 60), 18.0, beside=1, group=v.group)
            diagram.vertices.append(name)
            diagram.arrows.append(_arrow(rng, name, v))
    name = Vertex(rng.randint(4, 60), 18.0, beside=-1)
    diagram.vertices.append(name)
    diagram.arrows.append(_arrow(rng, diagram.vertices[n - 1], name))
    return diagram


def _box(
    rng: random.Random,
    start: int,
    stop: int,
    outer: Group | None,
    inside: list[Group | None],
    found: list[Group],
    depth: int,
) -> None:
    while start < stop and depth:
        end = min(stop, start + rng.randint(2, 8))
        if rng.random() < 0.6 and end - start > 1:
            group = Group(rng.randint(30, 150), 24.0, outer)
            found.append(group)
            for i in range(start, end):
                inside[i] = group
            _box(rng, start, end, group, inside, found, depth - 1)
        start = end


def _arrow(rng: random.Random, tail: Vertex, head: Vertex) -> Arrow:
    if rng.random() < 0.2:
        return Arrow(tail, head, weight=rng.choice((1.0, 2.0, 3.0)))
    size = (rng.randint(10, 110), rng.randint(10, 60), rng.randint(8, 60))
    return Arrow(tail, head, *size, weight=rng.choice((1.0, 2.0, 3.0)))


def box_of(v: Vertex) -> Box:
    """The vertex's rectangle."""
    return v.x - v.width / 2, v.y - v.height / 2, v.x + v.width / 2, v.y + v.height / 2


def group_box(g: Group) -> Box:
    """The group's rectangle."""
    return g.x, g.y, g.x + g.width, g.y + g.height


def label_box(arrow: Arrow) -> Box:
    """The room that the arrow's label takes, its arrow included."""
    half = arrow.width / 2
    x, y = arrow.label_x, arrow.label_y
    return x - half, y - arrow.above, x + half, y + arrow.below


def line_of(arrow: Arrow) -> list[Point]:
    """The arrow as drawn: level runs, and curves between them, in short steps."""
    line: list[Point] = []
    for i, run in enumerate(arrow.runs):
        if i:
            before = arrow.runs[i - 1]
            for k in range(1, 12):
                t = k / 12
                s = t * t * (3 - 2 * t)
                x = before.right + (run.left - before.right) * _sideways(t)
                line.append((x, before.y + (run.y - before.y) * s))
        line += [(run.left, run.y), (run.right, run.y)]
    return line


def _sideways(t: float) -> float:
    """Where a curve with both handles in the middle is, from 0 to 1."""
    return 1.5 * t * (1 - t) ** 2 + 1.5 * t * t * (1 - t) + t**3


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes overlap, by more than rounding."""
    e = 1e-6
    return a[0] < b[2] - e and b[0] < a[2] - e and a[1] < b[3] - e and b[1] < a[3] - e


def crosses(line: list[Point], box: Box) -> bool:
    """Whether a line goes through a box."""
    for a, b in pairwise(line):
        for k in range(9):
            x, y = a[0] + (b[0] - a[0]) * k / 8, a[1] + (b[1] - a[1]) * k / 8
            if overlap((x - 1e-5, y - 1e-5, x + 1e-5, y + 1e-5), box):
                return True
    return False


def around(group: Group | None) -> set[Group]:
    """A group and those it is in."""
    found = set()
    while group is not None:
        found.add(group)
        group = group.outer
    return found


def faults(diagram: Diagram) -> list[str]:
    """Everything that a laid-out diagram breaks."""
    found = []
    vertices = {v: box_of(v) for v in diagram.vertices}
    labels = {a: label_box(a) for a in diagram.arrows if a.width}
    lines = {a: line_of(a) for a in diagram.arrows}
    place = {v: i for i, v in enumerate(diagram.vertices)}
    for a, b in combinations(vertices, 2):
        if overlap(vertices[a], vertices[b]):
            found.append(f"vertices {place[a]} and {place[b]} overlap")
    for arrow, box in labels.items():
        for v in vertices:
            if overlap(box, vertices[v]):
                found.append(f"a label lies on vertex {place[v]}")
        for other, line in lines.items():
            if other is not arrow and crosses(line, (box[0], box[1] - 4, box[2], box[3] + 4)):
                found.append("a label lies on another's arrow")
    for first, second in combinations(labels.values(), 2):
        if overlap(first, second):
            found.append("two labels overlap")
    for arrow, line in lines.items():
        for v, box in vertices.items():
            if v not in (arrow.source, arrow.target) and crosses(line, box):
                found.append(f"an arrow goes through vertex {place[v]}")
        if any(a[0] > b[0] + 1e-6 for a, b in pairwise(line)):
            found.append("an arrow goes back")
    found += _group_faults(diagram, vertices, labels)
    canvas = (0.0, 0.0, diagram.width, diagram.height)
    things = [*vertices.values(), *labels.values(), *map(group_box, diagram.groups)]
    things += [(x, y, x, y) for line in lines.values() for x, y in line]
    if any(b[0] < 0 or b[1] < 0 or b[2] > canvas[2] or b[3] > canvas[3] for b in things):
        found.append("something is outside the picture")
    return found


def _group_faults(
    diagram: Diagram, vertices: dict[Vertex, Box], labels: dict[Arrow, Box]
) -> list[str]:
    found = []
    for group in diagram.groups:
        box = group_box(group)
        for v, b in vertices.items():
            mine = group in around(v.group)
            if mine and not (
                box[0] <= b[0]
                and box[1] + group.title_height <= b[1]
                and b[2] <= box[2]
                and b[3] <= box[3]
            ):
                found.append("a vertex is not inside its box")
            if not mine and overlap(box, b):
                found.append("a vertex is in a box that is not its own")
        for arrow, b in labels.items():
            both = group in around(arrow.source.group) & around(arrow.target.group)
            if not both and overlap(box, b):
                found.append("a label lies on a box")
    for one, other in combinations(diagram.groups, 2):
        related = one in around(other) or other in around(one)
        if not related and overlap(group_box(one), group_box(other)):
            found.append("two boxes overlap")
    return found
