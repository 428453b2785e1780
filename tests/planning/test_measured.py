"""What is measured on this machine: forks that work together, sums over real ranks, steps."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.distributed.launching import needs_ranks

import chainrule as cr
from chainrule.distributed import mpiexec
from chainrule.distributed.messages import Messages
from chainrule.planning import crowd, measured
from chainrule.planning import steps as planning_steps
from chainrule.planning.crowd import crowded
from chainrule.planning.links import Link, Message, all_reduce_seconds
from chainrule.planning.measured import _apart, measure_link, measure_steps
from chainrule.planning.steps import RankSteps

linux = pytest.mark.skipif(sys.platform != "linux", reason="forks")


class Steps:
    """Steps that take what they are told to, and cost what a model says, and a half more."""

    reproducible = False

    def __init__(self) -> None:
        self.made: list[tuple[int, int, bool]] = []

    def estimated(self, flops: float | None) -> tuple[float, float]:
        return (1.0, 0.001) if flops is None else (2.0, 0.002)

    def seconds(self, ranks: int, rows: int, *, plainly: bool = False) -> float:
        self.made.append((ranks, rows, plainly))
        return 1.5 * (1.0 + 0.001 * rows)


def children() -> set[str]:
    """The processes that this one has started, those that have ended and were not waited for included."""
    lists = Path("/proc/self/task").glob("*/children")
    return {pid for each in lists for pid in each.read_text().split()}


@linux
def test_forks_work_at_the_same_time(tmp_path: Path) -> None:
    def work() -> float:
        """Goes on when three are at it, the first time and the second."""
        turn = len([*tmp_path.glob(f"{os.getpid()} *")])
        (tmp_path / f"{os.getpid()} {turn}").touch()
        for _look in range(2000):
            if len([*tmp_path.glob(f"* {turn}")]) == 3:
                return float(os.getpid())
            time.sleep(0.01)
        raise TimeoutError

    before = children()
    found = crowded(work, 3)
    assert found is not None
    assert found != os.getpid()
    assert children() <= before


@linux
@pytest.mark.parametrize("way", ["raises", "is killed"])
def test_a_fork_that_fails(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "PATIENCE", 0.5)

    def work() -> float:
        if way == "raises":
            raise MemoryError
        os.kill(os.getpid(), signal.SIGKILL)
        return 0.0

    before = children()
    assert crowded(work, 2) is None
    assert children() <= before


def test_elsewhere_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert crowded(lambda: 1.0, 2) is None


@needs_ranks
def test_sums_over_two_ranks() -> None:
    found = measure_link(2, [8, 1_000_000])
    if os.environ.get("SLURM_JOB_ID") is None and (os.cpu_count() or 1) > 1:
        assert isinstance(found, Link), found
        assert 0 < found.latency < 1
        assert 0 < all_reduce_seconds(1_000_000, 2, found) < 10


def test_why_sums_are_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMI_SIZE", "2")
    assert "rank itself" in str(measure_link(2, [8])) or "not installed" in str(
        measure_link(2, [8])
    )
    monkeypatch.delenv("PMI_SIZE")
    monkeypatch.setattr(mpiexec, "find_spec", lambda _name: None)
    assert measure_link(2, [8]) == "the extra mpi is not installed"


@needs_ranks
def test_ranks_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*mpiexec.RANKS, *mpiexec.SIZES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(measured, "PATIENCE", 0.01)
    assert measure_link(2, [8]) == "mpiexec could not start 2 ranks"


def test_sizes_that_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _apart(256, 1) == [256, 64, 16, 4, 1]
    assert _apart(100, 13) == [100, 25, 13]
    monkeypatch.setattr(measured, "crowded", lambda work, _n: 2 * work())
    monkeypatch.setattr(measured, "LONGEST", 1e9)
    steps: Any = Steps()
    times = measure_steps(steps, 512, [1, 2, 8], 2, None, 10**9)
    assert {(ranks, rows) for ranks, rows, plainly in steps.made if not plainly} == {
        (2, 256), (2, 64),
    }  # fmt: skip
    assert {rows for _ranks, rows, plainly in steps.made if plainly} == {512, 128}
    assert times.computing(1, 512, 1) == pytest.approx(1.5 * 1.512)
    assert times.computing(2, 256, 2) == pytest.approx(2 * 1.5 * 1.256)  # all cores at work
    assert times.computing(8, 64, 1) == pytest.approx(1.5 * 1.064)  # each on a machine of its own


def test_steps_that_would_take_too_long_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "LONGEST", 1.1)
    steps: Any = Steps()
    times = measure_steps(steps, 10**6, [1], 1, None, 10**9)
    assert max(rows for _ranks, rows, _plainly in steps.made) == 100
    assert times.computing(1, 10**6, 1) == pytest.approx(1.5 * 1001)
    few: Any = Steps()
    measure_steps(few, 10**6, [1, 2], 1, None, 7)  # there is no memory for more
    assert max(rows for _ranks, rows, _plainly in few.made) == 7


def test_with_flops_no_step_is_made() -> None:
    steps: Any = Steps()
    times = measure_steps(steps, 512, [1, 2], 2, 1e9, 10**9)
    assert steps.made == []
    assert times.computing(2, 100, 2) == times.computing(1, 100, 1) == pytest.approx(2.2)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_a_real_step_takes_time(engine: str) -> None:
    if engine == "compiled":
        pytest.importorskip("llvmlite")
    layers = cr.Affine.sized(8, 16), cr.ReLU(), cr.Dropout(0.1), cr.Affine.sized(16, 3)
    net = cr.Sequential(*layers, loss=cr.SoftmaxWithLoss())
    x, t, w = net._prepare(*cr.networks.made_up.made_up_rows(net, 20))  # type: ignore[misc]
    steps = RankSteps(net, cr.Adam(), (x, t, w), engine, reproducible=False)
    assert 0 < steps.seconds(2, 30) < 10
    assert steps.messages(2) == [Message(4 * (8 * 16 + 16 + 16 * 3 + 3 + 2))]


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("ranks", [1, 2, 4, 8])
def test_of_reproducible_steps_the_parts_of_a_rank_are_timed(
    ranks: int, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "compiled":
        pytest.importorskip("llvmlite")
    net = cr.Sequential(cr.Affine.sized(8, 16), cr.ReLU(), cr.Affine.sized(16, 3))
    net.loss = cr.SoftmaxWithLoss()
    parts: set[int] = set()
    made = Messages.__init__

    def counted(self: Messages, *given: Any, **named: Any) -> None:
        made(self, *given, **named)
        assert self.rank == ranks - 1  # the last one has the most rows
        parts.add(self.parts or 0)

    def timed(run: Any, epoch: int = 1) -> float:
        run(epoch)
        return 1.0

    monkeypatch.setattr(Messages, "__init__", counted)
    monkeypatch.setattr(planning_steps, "_fastest", timed)
    monkeypatch.setattr(RankSteps, "_around", 0.0)
    x, t, w = net._prepare(*cr.networks.made_up.made_up_rows(net, 20))  # type: ignore[misc]
    steps = RankSteps(net, cr.Adam(), (x, t, w), engine, reproducible=True)
    assert steps.seconds(ranks, 6) == 1.0
    assert parts == {8 // ranks}
    gradients = 4 * (8 * 16 + 16 + 16 * 3 + 3 + 2)
    assert steps.messages(ranks) == [Message(gradients, d) for d in (1, 2, 4) if d < ranks]
