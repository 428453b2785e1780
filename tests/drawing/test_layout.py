"""The layout: its laws on random diagrams, its parts against slow oracles."""

from __future__ import annotations

import math
import random
import sys
from itertools import combinations, pairwise, permutations

import numpy as np
import pytest
from tests.drawing.geometry import faults, random_diagram

from chainrule.drawing.diagram import Arrow, Diagram, Vertex
from chainrule.drawing.layout import lay_out
from chainrule.drawing.layout.columns import columns
from chainrule.drawing.layout.crossings import crossings, ordered
from chainrule.drawing.layout.heights import _longest_rise
from chainrule.drawing.layout.simplex import Pull, settle


@pytest.mark.parametrize("seed", range(30))
def test_a_random_diagram_breaks_no_rule(seed: int) -> None:
    diagram = random_diagram(seed, groups=False)
    lay_out(diagram)
    assert faults(diagram) == []


@pytest.mark.parametrize("seed", range(30))
def test_boxes_in_boxes_break_no_rule(seed: int) -> None:
    diagram = random_diagram(seed, groups=True)
    lay_out(diagram)
    assert faults(diagram) == []


@pytest.mark.long
def test_many_random_diagrams() -> None:
    for seed in (*range(30, 60), *range(1000, 2500)):
        diagram = random_diagram(seed, groups=seed % 2 == 0)
        lay_out(diagram)
        assert faults(diagram) == [], seed


def test_the_same_diagram_gets_the_same_places() -> None:
    first, second = (random_diagram(7, groups=True) for _ in range(2))
    lay_out(first)
    lay_out(second)
    assert [(v.x, v.y) for v in first.vertices] == [(v.x, v.y) for v in second.vertices]
    assert [a.runs for a in first.arrows] == [a.runs for a in second.arrows]


def test_a_long_arrow_is_straight_where_it_can_be() -> None:
    # A skip connection over a chain: one level run between its two bends.
    chain = [Vertex(40, 40, round=True) for _ in range(6)]
    arrows = [Arrow(a, b, 30, 20, 20, 3.0) for a, b in pairwise(chain)]
    skip = Arrow(chain[0], chain[-1], 30, 20, 20, 2.5)
    lay_out(Diagram(chain, [*arrows, skip]))
    assert len({v.y for v in chain}) == 1
    assert all(len(a.runs) == 1 for a in arrows)
    assert len(skip.runs) == 3
    assert skip.runs[1].right - skip.runs[1].left > 0.6 * (chain[-1].x - chain[0].x)


def test_two_inputs_stand_evenly_about_their_node() -> None:
    x, y = (Vertex(20, 18, beside=1) for _ in range(2))
    plus, z = Vertex(40, 40, round=True), Vertex(20, 18, beside=-1)
    arrows = [Arrow(x, plus, 30, 20, 20, 2.0), Arrow(y, plus, 30, 20, 20, 2.0), Arrow(plus, z, 9)]
    lay_out(Diagram([x, y, plus, z], arrows))
    assert x.y < plus.y < y.y
    assert plus.y - x.y == y.y - plus.y
    assert z.y == plus.y


def test_a_thing_alone_and_nothing_at_all() -> None:
    alone = Diagram([Vertex(40, 40)])
    lay_out(alone)
    assert (alone.width, alone.height) == (64, 64)
    empty = Diagram()
    lay_out(empty)
    assert empty.width > 0


def calls_to_lay_out(count: int) -> int:
    """How many calls of functions it takes: the same on every machine, however busy."""
    rng = random.Random(3)
    vertices = [Vertex(40, 40, round=True) for _ in range(count)]
    arrows = []
    for head in range(1, count):
        for _ in range(rng.choice((1, 1, 2))):
            tail = max(0, head - 1 - int(rng.expovariate(0.2)))
            arrows.append(Arrow(vertices[tail], vertices[head], 40, 30, 20, 3.0))
    calls = 0

    def called(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(called)
    try:
        lay_out(Diagram(vertices, arrows))
    finally:
        sys.setprofile(None)
    return calls


def test_many_vertices_cost_little_more_than_so_many_times_as_much() -> None:
    few, many = calls_to_lay_out(75), calls_to_lay_out(300)
    assert many < 1_500_000  # half a second's worth
    assert many < 8 * few


def test_a_chain_of_ten_thousand_is_no_trouble() -> None:
    vertices = [Vertex(8, 8) for _ in range(10_000)]
    diagram = Diagram(vertices, [Arrow(a, b) for a, b in pairwise(vertices)])
    lay_out(diagram)
    assert len({v.y for v in vertices}) == 1


# -- the parts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_the_simplex_finds_what_a_linear_program_finds(seed: int) -> None:
    scipy = pytest.importorskip("scipy.optimize")
    rng = random.Random(seed)
    n = rng.randint(2, 14)
    pulls, start = [], [0.0] * n
    for v in range(1, n):  # least distances down a random order, and pulls of all kinds
        for u in rng.sample(range(v), min(v, rng.randint(0, 2))):
            pulls.append(Pull(u, v, rng.randint(1, 9), -math.inf, rng.choice((0.0, 0.0, 1.0))))
            start[v] = max(start[v], start[u] + pulls[-1].at)
    for _ in range(2 * n):
        u, v = rng.sample(range(n), 2)
        w = rng.randint(1, 5)
        pulls.append(Pull(u, v, rng.randint(-20, 20) / 2, -w, w))
    got = settle(start, pulls, 10_000_000)
    # Σ cost as a linear program: the variables are y, and one cost for each pull.
    m = len(pulls)
    rows, limits = [], []
    for e, p in enumerate(pulls):
        difference = np.zeros(n + m)
        difference[p.head], difference[p.tail] = 1, -1
        for slope in (p.high, p.low):
            row = difference * (slope if math.isfinite(slope) else -1)
            if math.isfinite(slope):
                row[n + e] = -1
                rows.append(row)
                limits.append(slope * p.at)
            else:
                rows.append(row)
                limits.append(-p.at)
    cost = np.concatenate([np.zeros(n), np.ones(m)])
    best = scipy.linprog(
        cost, A_ub=np.array(rows), b_ub=limits, bounds=[(None, None)] * n + [(0, None)] * m
    )
    assert all(got[p.head] - got[p.tail] >= p.at for p in pulls if p.low == -math.inf)
    assert total(got, pulls) == pytest.approx(best.fun, abs=1e-6)


def total(y: list[float], pulls: list[Pull]) -> float:
    cost = 0.0
    for p in pulls:
        d = y[p.head] - y[p.tail] - p.at
        cost += d * (p.high if d > 0 else p.low) if d else 0.0
    return cost


def test_the_simplex_out_of_effort_still_keeps_the_distances() -> None:
    pulls = [Pull(i, i + 1, 2, -math.inf, 0.0) for i in range(9)]
    pulls += [Pull(0, 9, 40, -5, 5), Pull(4, 5, 7, -1, 1)]
    y = settle([2.0 * i for i in range(10)], pulls, 12)
    assert all(b - a >= 2 for a, b in pairwise(y))


@pytest.mark.parametrize("seed", range(10))
def test_columns_make_the_arrows_short(seed: int) -> None:
    rng = random.Random(seed)
    n = 6
    links = [(a, b) for a, b in combinations(range(n), 2) if rng.random() < 0.4]
    got = columns(n, links, 1_000_000)
    assert all(got[a] < got[b] for a, b in links)
    lengths = [
        sum(c[b] - c[a] for a, b in links)
        for c in np.ndindex(*[n] * n)
        if all(c[a] < c[b] for a, b in links)
    ]
    assert sum(got[b] - got[a] for a, b in links) == min(lengths, default=0)


def random_columns(seed: int, sizes: list[int]) -> tuple[list[list[int]], list[list[int]]]:
    rng = random.Random(seed)
    made, n = [], 0
    for size in sizes:
        made.append(list(range(n, n + size)))
        n += size
    right: list[list[int]] = [[] for _ in range(n)]
    for here, there in pairwise(made):
        for v in here:
            right[v] = [w for w in there if rng.random() < 0.4]
    return made, right


@pytest.mark.parametrize("seed", range(10))
def test_crossings_are_counted_as_by_hand(seed: int) -> None:
    made, right = random_columns(seed, [5, 6, 4])
    place = {v: i for column in made for i, v in enumerate(column)}
    by_hand = 0
    for column in made:
        ties = [(place[v], place[w]) for v in column for w in right[v]]
        by_hand += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(ties, 2))
    assert crossings(made, right) == by_hand


@pytest.mark.parametrize("seed", range(10))
def test_few_items_get_the_best_order_there_is(seed: int) -> None:
    made, right = random_columns(seed, [4, 4, 3])
    left: list[list[int]] = [[] for _ in right]
    for v, ends in enumerate(right):
        for w in ends:
            left[w].append(v)
    best = min(
        crossings([list(a), list(b), list(c)], right)
        for a in permutations(made[0])
        for b in permutations(made[1])
        for c in permutations(made[2])
    )
    assert crossings(ordered(made, left, right, 100_000), right) == best


@pytest.mark.parametrize("seed", range(20))
def test_the_longest_rise_is_the_longest(seed: int) -> None:
    places = random.Random(seed).sample(range(30), 8)
    got = _longest_rise(list(range(8)), places)
    assert [places[i] for i in got] == sorted(places[i] for i in got)
    longest = max(
        k
        for k in range(1, 9)
        for chosen in combinations(places, k)
        if list(chosen) == sorted(chosen)
    )
    assert len(got) == longest
