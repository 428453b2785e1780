"""Plans of ranks: laws, the same numbers as elsewhere, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import chainrule as cr
from chainrule.engine.cost import estimate
from chainrule.errors import DataError, SettingError
from chainrule.planning.links import Link, Machines, Message
from chainrule.planning.measured import Pace
from chainrule.training.cost import step_work
from chainrule.training.memory_needed import StepMemory

RANKS = [2**i for i in range(13)]
#: Planning for another machine, whose every number is given.
OTHER: dict[str, Any] = {"flops": 100, "ranks_per_node": 16}


def network(*sizes: int, norm: bool = False, seed: int = 0) -> cr.Sequential:
    layers: list[cr.Layer] = []
    for a, b in pairwise(sizes[:-1]):
        layers += [cr.Affine.sized(a, b), *([cr.BatchNorm.sized(b)] if norm else []), cr.ReLU()]
    layers.append(cr.Affine.sized(*sizes[-2:]))
    return cr.Sequential(*layers, loss=cr.SoftmaxWithLoss(), seed=seed)


@pytest.fixture(scope="module")
def large() -> cr.ScalingPlan:
    return cr.plan(network(784, 1024, 1024, 1024, 10), 512, RANKS, rows=60_000, **OTHER)


def test_a_step_gets_shorter_until_messages_dominate(large: cr.ScalingPlan) -> None:
    seconds = [each.same_batch.seconds for each in large.ranks]
    shortest = int(np.argmin(seconds))
    assert 3 < shortest < len(seconds) - 1
    assert all(a > b for a, b in pairwise(seconds[: shortest + 1]))
    assert all(a < b for a, b in pairwise(seconds[shortest:]))
    last = large.ranks[-1].same_batch
    assert (
        last.messages > large.ranks[1].same_batch.messages > large.ranks[0].same_batch.messages == 0
    )


@pytest.mark.parametrize("optimizer", [cr.SGD(0.1), cr.Adam()])
@pytest.mark.parametrize("sizes", [(64, 100, 10), (784, 512, 10)])
@pytest.mark.parametrize("batch", [1, 100, 4096])
def test_nobody_is_more_than_efficient(sizes: Any, batch: int, optimizer: cr.Optimizer) -> None:
    found = cr.plan(network(*sizes), batch, RANKS, optimizer=optimizer, **OTHER)
    for kind in ("same_batch", "same_rows"):
        parts = [getattr(each, kind).efficiency for each in found.ranks]
        assert parts[0] == pytest.approx(1)
        assert all(0 < part <= 1 + 1e-9 for part in parts)
        assert parts == sorted(parts, reverse=True)
    for each in found.ranks:
        assert each.same_batch.efficiency <= each.same_rows.efficiency + 1e-9
        assert each.same_batch.rows == -(-batch // each.ranks)
        assert each.same_rows.batch == batch * each.ranks


def test_the_step_of_one_rank_is_that_of_the_cost_model(large: cr.ScalingPlan) -> None:
    net = network(784, 1024, 1024, 1024, 10)
    x, t = np.zeros((512, 784), np.float32), np.zeros(512, int)
    work = step_work(net, cr.Adam(), x, t, None)
    assert large.ranks[0].same_batch.seconds == pytest.approx(estimate(work, 1e11).numpy, rel=0.02)
    # And products take what the flops say: two operations for each multiplication.
    slow, fast = (estimate(work, flops).numpy for flops in (1e9, 1e12))
    assert slow - fast == pytest.approx(2 * work.multiplications * (1e-9 - 1e-12))


def test_one_message_has_the_gradients(large: cr.ScalingPlan) -> None:
    parameters = sum(a * b + b for a, b in ((784, 1024), (1024, 1024), (1024, 1024), (1024, 10)))
    assert large.parameters == parameters
    assert large.messages == (4 * (parameters + 2),)  # the loss, and the wish to stop
    machines = Machines(16, large.within, large.between)
    for each in large.ranks:
        messages = [Message(nbytes) for nbytes in large.messages]
        assert each.same_batch.messages == machines.seconds(messages, each.ranks)


def test_sums_in_the_midst_of_a_step_are_messages_too() -> None:
    plain = cr.plan(network(20, 30, 40, 5), 64, [1, 8], **OTHER)
    norm = cr.plan(network(20, 30, 40, 5, norm=True), 64, [1, 8], **OTHER)
    assert len(plain.messages) == 1
    *sums, gradients = norm.messages
    assert len(sums) >= 4  # mean and variance of two layers at the least
    assert all(nbytes % 4 == 0 and nbytes <= 4 * 4 * 40 for nbytes in sums)
    assert gradients == plain.messages[0] + 4 * 2 * (30 + 40)
    assert norm.ranks[1].same_batch.messages > plain.ranks[1].same_batch.messages


def test_memory_is_that_of_the_estimate_of_fit() -> None:
    net, optimizer = network(784, 1024, 10), cr.Adam()
    found = cr.plan(net, 512, [1, 2, 8, 512], optimizer=optimizer, memory=1, **OTHER)
    x, t = np.zeros((512, 784), np.float32), np.zeros(512, int)
    trainer = cr.Trainer(net, optimizer, engine=found.engine, threads=1)
    for each in found.ranks:
        memory = StepMemory(trainer, (x, t, None), found.engine, ranks=each.ranks)
        assert each.memory == memory.bytes(each.same_batch.rows)
        assert each.fits == (min(each.ranks, 16) * each.memory <= 2**30)
    assert {each.fits for each in cr.plan(net, 512, [1, 2], **OTHER).ranks} == {None}
    tight = cr.plan(net, 512, [1, 16], memory=0.1, **OTHER)
    assert [each.fits for each in tight.ranks] == [True, False]
    assert "0.1 GiB" in tight.verdict or "102 MiB" in tight.verdict


def test_with_flops_the_same_numbers_come_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)

    def timed(*_args: object, **_named: object) -> float:
        return float(rng.uniform(0, 1e6))  # whoever goes by it gives other numbers each time

    for name in ("perf_counter", "process_time", "monotonic"):
        monkeypatch.setattr(f"time.{name}", timed)
    one, two = (
        cr.plan(network(64, 100, 10, seed=seed), 100, rows=1000, **OTHER) for seed in (0, 1)
    )
    assert one == two
    assert json.loads(json.dumps(one.to_dict())) == two.to_dict()


def test_the_network_and_the_optimizer_stay_as_they_are() -> None:
    net, optimizer = network(8, 16, 3), cr.Adam(0.1)
    before = [p.copy() for p in net.params]
    found = cr.plan(net, 32, [1, 2], optimizer=optimizer, engine="numpy", ranks_per_node=1)
    assert found.flops is None
    assert found.ranks[0].same_batch.computing > 0
    assert all((a == b).all() for a, b in zip(before, net.params, strict=True))
    assert optimizer.iter == 0
    assert optimizer.lr == 0.1
    assert optimizer.state is None


def test_epochs_and_the_rows_that_are_needed(large: cr.ScalingPlan) -> None:
    for each in large.ranks:
        step = each.same_batch
        assert step.epoch == pytest.approx(118 * step.seconds)  # 60,000 / 512
        whole = each.same_rows
        if whole.batch > 60_000:
            assert whole.epoch is None
    needed = [each.rows_needed for each in large.ranks]
    assert needed[0] == 1
    assert None not in needed
    assert needed == sorted(needed, key=lambda rows: rows or 0)
    for each in large.ranks[1:]:
        for rows, enough in ((each.rows_needed, True), ((each.rows_needed or 0) // 2, False)):
            again = cr.plan(
                network(784, 1024, 1024, 1024, 10), each.ranks * (rows or 1), [each.ranks], **OTHER
            )
            assert (again.ranks[-1].same_batch.efficiency >= 0.5) == enough
        break


def test_the_verdict_names_the_ranks(large: cr.ScalingPlan) -> None:
    most = large.most_ranks
    assert most.same_batch.efficiency >= 0.5
    after = large.ranks[large.ranks.index(most) + 1]
    assert after.same_batch.efficiency < 0.5
    assert f"{most.ranks} ranks are the most that are 50% efficient" in large.verdict
    assert str(large) == str(large.verdict)
    assert all("assumed" not in line for line in large.basis if "between" in line)


def test_reproducible_costs() -> None:
    net = network(64, 100, 10)
    plain = cr.plan(net, 96, [1, 2, 4, 8], **OTHER)
    same_bits = cr.plan(net, 96, reproducible=True, **OTHER)
    assert [each.ranks for each in same_bits.ranks] == [1, 2, 4, 8]
    for a, b in zip(plain.ranks, same_bits.ranks, strict=True):
        assert b.same_batch.efficiency <= a.same_batch.efficiency
        assert b.memory > a.memory
        assert b.same_batch.messages >= a.same_batch.messages
        # Log₂ p exchanges of all gradients, loss and wish, where plain ranks make one sum.
        assert same_bits.messages == plain.messages == (4 * (plain.parameters + 2),)
        link = same_bits.within
        each = link.latency + same_bits.messages[0] / link.bandwidth
        assert b.same_batch.messages == pytest.approx(math.log2(b.ranks) * each)
    with pytest.raises(SettingError, match="3 ranks cannot share them evenly: give 1, 2, 4 or 8"):
        cr.plan(net, 96, [1, 3], reproducible=True, **OTHER)


def test_data_of_ones_own() -> None:
    rng = np.random.default_rng(0)
    x, t, w = rng.normal(size=(50, 8)), rng.integers(0, 3, 50), np.ones(50)
    found = cr.plan(network(8, 16, 3), 64, [1, 2], x=x, t=t, sample_weight=w, **OTHER)
    assert (found.rows, found.batch_size) == (None, 64)
    assert found.ranks[0].same_batch.epoch is None
    whole = cr.plan(network(8, 16, 3), 64, [1, 2], rows=50, **OTHER)
    assert whole.batch_size == 50  # a batch beyond the rows means all
    assert whole.ranks[0].same_batch.epoch == whole.ranks[0].same_batch.seconds


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"batch_size": 0}, SettingError, "batch_size=0 must be"),
        ({"ranks": [0]}, SettingError, "ranks=0 must be"),
        ({"ranks_per_node": 0}, SettingError, "ranks_per_node=0 must be"),
        ({"bandwidth": 0}, SettingError, "bandwidth=0 must be"),
        ({"latency": -1}, SettingError, "latency=-1 must be"),
        ({"flops": -1}, SettingError, "flops=-1 must be"),
        ({"memory": 0}, SettingError, "memory=0 must be"),
        ({"efficiency": 1}, SettingError, "efficiency=1"),
        ({"efficiency": 0}, SettingError, "efficiency=0"),
        ({"rows": 0}, SettingError, "rows=0 must be"),
        ({"engine": "fast"}, SettingError, "engine"),
        ({"optimizer": "adam"}, SettingError, "is none of chainrule's"),
        ({"x": [[1.0]]}, DataError, "give both"),
    ],
)
def test_what_is_refused(given: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        cr.plan(network(8, 16, 3), **{**OTHER, **given})


def test_networks_that_are_refused() -> None:
    with pytest.raises(SettingError, match="is no cr"):
        cr.plan([1, 2])  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="a network"):
        cr.plan(cr.Sequential)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="has no loss"):
        cr.plan(cr.Sequential(cr.Affine.sized(3, 2)))
    silent = cr.Sequential(cr.ReLU(), loss=cr.MeanSquaredError())
    with pytest.raises(DataError, match="how wide its rows are"):
        cr.plan(silent)

    class Largest(cr.Layer):
        def formula(self, x: Any) -> Any:
            return x - cr.max(x, axis=0)

    mixed = cr.Sequential(cr.Affine.sized(3, 2), Largest(), loss=cr.SoftmaxWithLoss())
    with pytest.raises(SettingError, match="cannot be divided among ranks"):
        cr.plan(mixed, 8, [1, 2], **OTHER)


def test_between_sizes_the_work_decides() -> None:
    pace = Pace(1.0, 0.1, {10: 4.0, 1000: 202.0})  # twice the model's at both
    assert pace(100) == pytest.approx(22)
    assert pace(1) == pytest.approx(2.2)
    assert pace(10**6) == pytest.approx(2 * (1 + 1e5))
    leaning = Pace(0.0, 1.0, {1: 1.0, 100: 300.0})  # once, then three times the model's
    assert leaning(10) == pytest.approx(20)  # half-way, by the logarithm


def test_the_picture(tmp_path: Path, large: cr.ScalingPlan) -> None:
    pytest.importorskip("matplotlib")
    figure = cr.draw_scaling(large, tmp_path / "plan.svg")
    times, efficiency = figure.axes
    assert [text.get_text() for text in times.get_xticklabels()][:3] == ["1", "2", "4"]
    heights = [bar.get_height() for bar in cast("list[Any]", times.patches)]
    seconds = [each.same_batch.seconds for each in large.ranks]
    count = len(seconds)
    assert np.add(heights[:count], heights[count:]) == pytest.approx(1e3 * np.array(seconds))
    lines = {str(line.get_label()): line for line in efficiency.lines}
    shown = np.asarray(lines["the same batch"].get_ydata(), float)
    assert shown == pytest.approx([100 * each.same_batch.efficiency for each in large.ranks])
    zh = cr.draw_scaling(large, tmp_path / "plan.png", lang="zh")
    assert zh.axes[1].get_ylabel() == "效率"
    with pytest.raises(DataError, match="no curve"):
        cr.draw_scaling(dataclasses.replace(large, ranks=large.ranks[:1]))


def test_units_of_the_network_between_machines() -> None:
    found = cr.plan(network(8, 16, 3), 8, [1], bandwidth=8, latency=3, **OTHER)
    assert found.between == Link(3e-6, 1e9)
