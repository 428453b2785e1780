"""The layout beside Graphviz's `dot`: arrows that cross, summed over 50 random graphs, and time.

    python benchmarks/crossings.py

Both layouts are measured the same way, as drawn: every arrow is a polyline along its curve, and
two arrows cross where their polylines do, outside a vertex they share. Graphviz is no dependency
of chainrule; without it, only our own figures are printed.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import time
from itertools import pairwise

from chainrule.drawing.diagram import Arrow, Diagram, Run, Vertex
from chainrule.drawing.layout import lay_out

Point = tuple[float, float]
Line = list[Point]
GRAPHS = 50
RADIUS = 20.0


def edges(seed: int, n: int, m: int) -> list[tuple[int, int]]:
    """A random directed acyclic graph: arrows mostly to vertices not far off, as in computations."""
    rng = random.Random(seed)
    found: dict[tuple[int, int], None] = {}
    for head in range(1, n):
        found[max(0, head - 1 - int(rng.expovariate(0.25))), head] = None
    while len(found) < m:
        tail = rng.randrange(n - 1)
        found[tail, min(n - 1, tail + 1 + int(rng.expovariate(0.15)))] = None
    return list(found)


def ours(n: int, links: list[tuple[int, int]]) -> list[Line]:
    """The arrows as chainrule draws them."""
    diagram = Diagram([Vertex(2 * RADIUS, 2 * RADIUS, round=True) for _ in range(n)])
    diagram.arrows = [Arrow(diagram.vertices[a], diagram.vertices[b]) for a, b in links]
    lay_out(diagram)
    return [_along(arrow.runs) for arrow in diagram.arrows]


def _along(runs: list[Run]) -> Line:
    line: Line = []
    for i, run in enumerate(runs):
        if i:
            before = runs[i - 1]
            a, b = (before.right, before.y), (run.left, run.y)
            middle = (a[0] + b[0]) / 2
            line += _bezier(a, (middle, a[1]), (middle, b[1]), b)
        line += [(run.left, run.y), (run.right, run.y)]
    return line


def _bezier(a: Point, b: Point, c: Point, d: Point, steps: int = 12) -> Line:
    line = []
    for i in range(steps + 1):
        t = i / steps
        w = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
        line.append(
            (
                sum(u * p[0] for u, p in zip(w, (a, b, c, d), strict=True)),
                sum(u * p[1] for u, p in zip(w, (a, b, c, d), strict=True)),
            )
        )
    return line


def by_dot(dot: str, n: int, links: list[tuple[int, int]]) -> list[Line]:
    """The arrows as `dot` draws them."""
    text = 'digraph { rankdir=LR; node [shape=circle, fixedsize=true, width=0.56, label=""];\n'
    text += "".join(f"{v};" for v in range(n))
    text += "".join(f"{a} -> {b} [arrowhead=none];" for a, b in links) + "}"
    out = subprocess.run(
        [dot, "-Tjson"], input=text, capture_output=True, text=True, check=True
    ).stdout
    drawn = json.loads(out)
    place = {int(v["_gvid"]): int(v["name"]) for v in drawn["objects"]}
    lines = {}
    for edge in drawn["edges"]:
        points = [(float(x), float(y)) for x, y in edge["_draw_"][-1]["points"]]
        line: Line = []
        for i in range(0, len(points) - 1, 3):
            a, b, c, d = points[i : i + 4]
            line += _bezier(a, b, c, d)
        lines[place[edge["tail"]], place[edge["head"]]] = line
    return [lines[link] for link in links]


def count(lines: list[Line], links: list[tuple[int, int]]) -> int:
    """How often two of the lines cross, outside a vertex that both are tied to."""
    boxes = [_box(line) for line in lines]
    total = 0
    for i in range(len(lines)):
        for j in range(i):
            if _apart(boxes[i], boxes[j]):
                continue
            shared = set(links[i]) & set(links[j])
            ends = [lines[i][0 if links[i][0] == v else -1] for v in shared]
            total += _crossings(lines[i], lines[j], ends)
    return total


def _box(line: Line) -> tuple[float, float, float, float]:
    xs, ys = [p[0] for p in line], [p[1] for p in line]
    return min(xs), min(ys), max(xs), max(ys)


def _apart(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]


def _crossings(first: Line, second: Line, ends: list[Point]) -> int:
    found = 0
    for a, b in pairwise(first):
        for c, d in pairwise(second):
            if _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0:
                near = any(abs(a[0] - x) + abs(a[1] - y) < 1.5 * RADIUS for x, y in ends)
                found += not near
    return found


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def main() -> None:
    """Print the table."""
    dot = shutil.which("dot")
    sizes = [(12, 16), (20, 30), (30, 45), (45, 60), (60, 80)]
    sums = [0, 0]
    print(f"{'vertices':>8} {'arrows':>6}   {'ours':>6} {'dot':>6}   crossings, 10 graphs each")
    for n, m in sizes:
        here = [0, 0]
        for seed in range(GRAPHS // len(sizes)):
            links = edges(1000 * n + seed, n, m)
            here[0] += count(ours(n, links), links)
            if dot:
                here[1] += count(by_dot(dot, n, links), links)
        sums = [a + b for a, b in zip(sums, here, strict=True)]
        print(f"{n:>8} {m:>6}   {here[0]:>6} {here[1] if dot else '-':>6}")
    ratio = f", {sums[0] / sums[1]:.2f} x dot's {sums[1]}" if dot else " (dot is not installed)"
    print(f"50 graphs: {sums[0]} crossings{ratio}; the aim is at most 1.2")
    for n, m in ((100, 140), (300, 400), (300, 600)):
        links = edges(n, n, m)
        start = time.perf_counter()
        ours(n, links)
        print(f"{n} vertices, {m} arrows: laid out in {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
