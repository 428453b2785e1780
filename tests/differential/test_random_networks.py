"""Random networks by every road: eager Variables, a complex step, both engines, the script, predict.

`python -m pytest -m long tests/differential` takes 100,000 networks and compiles 1,000.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.differential.agreement import (
    NUMPY_ROADS,
    STEPS,
    Case,
    Unfit,
    compare,
    compiled,
    compiled_predictions,
    divided,
    on_ranks,
    script,
)
from tests.differential.networks import Part, PlannedNetwork, data, draw_plan, make
from tests.differential.shrinking import shrunk
from tests.engine.compiled.plain import compiling, plainly
from tests.nodes.shares import chunks

import chainrule as cr
from chainrule import nodes
from chainrule.checking.step import check_step
from chainrule.engine.compiled import predict
from chainrule.nodes import Node

Road = Callable[[Case], list[str]]


def scan(first: int, n: int, roads: Sequence[Road], **how: Any) -> None:
    """None of n networks goes wrong; the first that does is shown as small as it can be.

    Networks that say nothing (at a kink, not finite, declined) do not count, and are few.
    """
    unfit: Counter[str] = Counter()
    seed, left = first, n
    while left:
        plan = draw_plan(seed, **{"tame": bool(seed % 2), **how})
        seed += 1
        try:
            wrong = compare(plan, roads)
        except Unfit as why:
            unfit[str(why)] += 1
            assert unfit.total() <= max(2, n // 10), unfit
            continue
        left -= 1
        if wrong:
            small = shrunk(plan, lambda p: bool(_compared(p, roads)))
            pytest.fail("\n".join([f"seed {seed - 1}: {small}", *compare(small, roads)]))


def _compared(plan: Any, roads: Sequence[Road]) -> list[str]:
    try:
        return compare(plan, roads)
    except Unfit:
        return []


def test_a_seed_is_one_network() -> None:
    for seed in range(60):
        assert repr(draw_plan(seed)) == repr(draw_plan(seed))  # arrays have no == of their own


@pytest.mark.parametrize("chunk", chunks(1, of=20))
def test_the_numpy_engine(chunk: int) -> None:
    scan(chunk * 500, 100, NUMPY_ROADS)


@pytest.mark.long
@pytest.mark.parametrize("chunk", range(100))
def test_the_numpy_engine_at_length(chunk: int) -> None:
    scan(1_000_000 + chunk * 10_000, 250, NUMPY_ROADS)
    scan(1_000_000 + chunk * 10_000 + 5_000, 750, STEPS)


class Counted:
    """A road that some networks cannot take, and how many could."""

    def __init__(self, road: Callable[[Case], list[str] | None]) -> None:
        self.road, self.taken, self.refused = road, 0, 0

    def __call__(self, case: Case) -> list[str]:
        wrong = self.road(case)
        self.taken += wrong is not None
        self.refused += wrong is None
        return wrong or []


def test_batches_in_parts() -> None:
    road = Counted(lambda case: divided(case, "numpy"))
    scan(60_000, 100, [road], by_hand=False)
    assert road.taken > road.refused


def test_batches_in_parts_in_kernels_as_python() -> None:
    road = Counted(lambda case: divided(case, "compiled"))
    with plainly():
        scan(70_000, 60, [road], by_hand=False)
    assert road.taken > road.refused


def _ranks(case: Case) -> list[str] | None:
    """Two ranks and three on both engines."""
    wrong = on_ranks(case, "numpy", 3, reproducible=False)
    if wrong is not None:
        wrong += on_ranks(case, "compiled", 2, reproducible=False) or []
    return wrong


@pytest.mark.parametrize("chunk", chunks(1, of=4))
def test_ranks(chunk: int) -> None:
    road = Counted(_ranks)
    scan(80_000 + chunk * 500, 5, [road], by_hand=False, moves=2)
    assert road.taken


@pytest.mark.long
@pytest.mark.parametrize("chunk", range(50))
def test_ranks_at_length(chunk: int) -> None:
    scan(6_000_000 + chunk * 1_000, 20, [Counted(_ranks)], by_hand=False, moves=3)


def _script(folder: Path) -> Road:
    return lambda case: script(case, folder) or []


@pytest.mark.parametrize("chunk", chunks(1, of=4))
def test_written_programs(chunk: int, tmp_path: Path) -> None:
    scan(10_000 + chunk * 500, 30, [_script(tmp_path)], by_hand=False)


@pytest.mark.long
@pytest.mark.parametrize("chunk", range(10))
def test_written_programs_at_length(chunk: int, tmp_path: Path) -> None:
    scan(3_000_000 + chunk * 10_000, 500, [_script(tmp_path)], by_hand=False)


def plain(shards: int) -> Road:
    """The text of the compiled engine, run as Python."""

    def road(case: Case) -> list[str]:
        with plainly(shards), pytest.MonkeyPatch.context() as patch:
            patch.setattr(predict, "BLOCK", 4)
            return [*compiled(case), *compiled_predictions(case)]

    return road


@pytest.mark.parametrize("chunk", chunks(1, of=2))
def test_kernels_as_python(chunk: int) -> None:
    scan(20_000 + chunk * 500, 50, [plain(1), plain(3)], by_hand=False)


@pytest.mark.long
@pytest.mark.parametrize("chunk", range(20))
def test_kernels_as_python_at_length(chunk: int) -> None:
    scan(4_000_000 + chunk * 10_000, 500, [plain(1), plain(2)], by_hand=False)


def in_machine_code(case: Case) -> list[str]:
    """The compiled engine as it is used, alone and in two shards."""
    wrong = compiled(case)
    with compiling(2):
        return [*wrong, *compiled(case)]


@pytest.mark.parametrize("chunk", chunks(0, of=10))
def test_the_compiled_engine(chunk: int) -> None:
    scan(30_000 + chunk * 500, 5, [in_machine_code], by_hand=False, moves=2)


@pytest.mark.long
@pytest.mark.parametrize("chunk", range(100))
def test_the_compiled_engine_at_length(chunk: int) -> None:
    roads = [in_machine_code, compiled_predictions] if chunk % 10 == 0 else [in_machine_code]
    scan(5_000_000 + chunk * 1_000, 10, roads, by_hand=False, moves=3)


def looked_at(case: Case) -> list[str]:
    """What `cr.check` says of the step: nothing, where all is well."""
    x, t, w = case.part(0)
    return list(map(str, check_step(case.fresh(), x, t, w, engine="numpy").lines()))


def test_the_check_of_a_step_finds_nothing_where_there_is_nothing() -> None:
    scan(40_000, 60, [looked_at])


def _all_parts(parts: Sequence[Part]) -> Iterator[Part]:
    for part in parts:
        yield part
        yield from _all_parts(part.parts)


def test_every_node_and_layer_is_drawn() -> None:
    """What is public takes part: a new node or layer has to have its row among the moves."""
    public = {name for name in nodes.__all__ if getattr(nodes, name) is not Node}
    layers = {n for n in cr.layers.__all__ if isinstance(getattr(cr.layers, n), type)}
    layers -= {"Layer", "Loss"}
    seen_nodes, seen_layers, seen_losses = set(), set(), set()
    known: Counter[str] = Counter()
    for seed in range(2000):
        plan = draw_plan(seed, tame=bool(seed % 2))
        words = {plan.loss, *(move.name for move in plan.moves)}
        words |= {part.name for part in _all_parts(plan.parts)}
        if all(known[word] > 4 for word in words):  # it takes longer to make it than to draw it
            continue
        known.update(words)
        net: PlannedNetwork = make(plan)
        x, t, w = net._prepare(*data(net.plan, 4))
        more = () if w is None else (cr.Variable(w, requires_grad=False),)
        loss = net._record_loss(cr.Variable(x), cr.Variable(t, requires_grad=False), *more)
        seen_nodes |= {type(node).__name__ for node in loss.graph.nodes}
        seen_layers |= {type(layer).__name__ for layer in net.layers}
        seen_losses.add(type(net.loss).__name__)
        if public <= seen_nodes and layers <= seen_layers | seen_losses:
            return
    missing = public - seen_nodes
    assert not missing, f"no row of tests/differential/moves.py draws {sorted(missing)}"
    missing = layers - seen_layers - seen_losses
    assert not missing, f"tests/differential/networks.py does not draw {sorted(missing)}"
