"""The column of each item: every link goes to the right, and their total length is least."""

from __future__ import annotations

import math
from collections.abc import Sequence

from chainrule.drawing.layout.simplex import Pull, settle

__all__ = ["columns", "in_order"]


def in_order(n: int, links: Sequence[tuple[int, int]]) -> list[int]:
    """The vertices in topological order; those on a cycle are left out (Kahn, 1962)."""
    waits = [0] * n
    follow: list[list[int]] = [[] for _ in range(n)]
    for tail, head in links:
        waits[head] += 1
        follow[tail].append(head)
    ready = [v for v in range(n) if not waits[v]]
    for v in ready:
        for w in follow[v]:
            waits[w] -= 1
            if not waits[w]:
                ready.append(w)
    return ready


def columns(n: int, links: Sequence[tuple[int, int]], budget: int) -> list[int]:
    """The column of each vertex, from 0: the links' total length is least (links form no cycle)."""
    first = [0] * n
    follow: list[list[int]] = [[] for _ in range(n)]
    for tail, head in links:
        follow[tail].append(head)
    for v in in_order(n, links):
        for w in follow[v]:
            first[w] = max(first[w], first[v] + 1)
    last = max(first, default=0)
    pulls = [Pull(tail, head, 1, -math.inf, 1) for tail, head in links]
    # A weak pull to the left, for vertices without links.
    pulls += [Pull(n, v, 0, -math.inf, 1e-6) for v in range(n)]
    pulls += [Pull(n + 1, n, -last - 1, -1, 1)]
    positions = settle([*first, 0, last + 1], pulls, budget)
    left = min(positions[:n], default=0)
    return [round(y - left) for y in positions[:n]]
