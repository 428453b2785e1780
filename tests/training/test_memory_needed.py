"""The memory of a training: estimated before the first step, and refused with a batch that fits."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.distributed.launching import MPIEXEC, environment, needs_ranks

import chainrule as cr
from chainrule.errors import SettingError
from chainrule.memory import memory_left, memory_limit, physical_memory
from chainrule.training import cost, memory_needed
from chainrule.training.loop import Settings
from chainrule.training.memory_needed import PART, StepMemory, refuse_too_large

ROOT = Path(__file__).parents[2]
#: Trainings of which parameters take the most memory, and of which the rows of a batch do.
WIDE, LONG = "1024-1024-1024-10 64", "8-512-512-1 8000"
CASES = [
    f"numpy Adam {WIDE} reproducible kept", f"numpy SGD {LONG}", f"compiled Adam {WIDE} threads",
    f"compiled SGD {LONG} reproducible",
]  # fmt: skip
MORE_CASES = [
    f"numpy Adam {WIDE} stopping", f"numpy SGD {LONG} reproducible",
    f"compiled Adam {WIDE} reproducible kept",
]  # fmt: skip
ON_RANKS = [f"numpy Adam {WIDE} ranks", f"compiled Adam {WIDE} ranks reproducible"]


def taken(*start: str, env: dict[str, str]) -> None:
    """Train in a process of its own, and compare what it took."""
    plain = {k: v for k, v in env.items() if k != "CHAINRULE_DEBUG"}  # which fills memory early
    # Compiling takes memory of its own: the process that is measured finds the kernels ready.
    for _run in range(2 if any("compiled" in word for word in start) else 1):
        done = subprocess.run(
            start, capture_output=True, text=True, check=False, cwd=ROOT, env=plain, timeout=120
        )
        assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["engine"] == found["case"].split()[0]
    assert 0.7 * found["needed"] <= found["taken"] <= 1.3 * found["needed"], found


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells how much memory was taken")
@pytest.mark.parametrize(
    "case", [*CASES, *(pytest.param(c, marks=pytest.mark.long) for c in MORE_CASES)]
)
def test_the_estimate_is_near_what_a_process_takes(case: str) -> None:
    if "compiled" in case:
        pytest.importorskip("llvmlite")
    taken(sys.executable, "-m", "tests.training.memory_taken", case, env={**os.environ})


@needs_ranks
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells how much memory was taken")
@pytest.mark.parametrize("case", [ON_RANKS[0], pytest.param(ON_RANKS[1], marks=pytest.mark.long)])
def test_and_near_what_a_rank_takes(case: str) -> None:
    if "compiled" in case:
        pytest.importorskip("llvmlite")
    own = [sys.executable, "-m", "tests.training.memory_taken", case]
    taken(str(MPIEXEC), "--oversubscribe", "-n", "2", *own, env=environment())


def trainer() -> cr.Trainer:
    layers = cr.Affine.sized(2, 4096), cr.ReLU(), cr.Affine.sized(4096, 1)
    net = cr.Sequential(*layers, loss=cr.MeanSquaredError())
    return cr.Trainer(net, cr.Adam(), engine="numpy")


def test_a_batch_that_is_too_large_is_refused_with_one_that_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = 1 << 27
    monkeypatch.setattr(memory_needed, "memory_left", lambda _processes: left)
    x, t = np.zeros((20_000, 2), np.float32), np.zeros((20_000, 1), np.float32)
    made = trainer()
    before = [p.tobytes() for p in made.model.params]
    with pytest.raises(SettingError, match=r"take about .* GiB, and 0.1 GiB of memory") as refused:
        made.fit(x, t, 1, 20_000, progress=None)
    assert [p.tobytes() for p in made.model.params] == before
    found = re.search(r"A batch of ([\d,]+) rows fits", str(refused.value))
    assert found is not None
    rows = int(found[1].replace(",", ""))
    memory = StepMemory(made, (x, t, None), "numpy")
    takes = [memory.bytes(n) - memory.there for n in (rows, int(1.01 * rows))]
    assert takes[0] <= PART * left < takes[1]
    made.fit(x[:rows], t[:rows], 1, rows, progress=None)
    # What it holds since then is less to have, and is no reason to refuse it the next time.
    monkeypatch.setattr(memory_needed, "memory_left", lambda _processes: left // 10)
    made.fit(x[:rows], t[:rows], 1, rows, progress=None)


def test_what_does_not_fit_is_not_even_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recording all rows of a batch takes more than the step: that would be the end of the program."""
    made = trainer()
    real = type(made.model).step_program
    recorded: list[int] = []

    def planned(network: Any, *given: Any, rows: Any) -> Any:
        recorded.append(len(rows))
        return real(network, *given, rows=rows)

    x, t = np.zeros((400_000, 2), np.float32), np.zeros((400_000, 1), np.float32)
    monkeypatch.setattr(type(made.model), "step_program", planned)
    monkeypatch.setattr(memory_needed, "memory_left", lambda _processes: 1 << 30)
    for engine in ("numpy", "auto", "compiled"):
        made.engine = engine
        with pytest.raises(SettingError, match="steps on 400,000 rows"):
            made.fit(x, t, 1, 400_000, progress=None)
    assert max(recorded) <= 1024


def test_work_of_many_rows_is_that_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    net = trainer().model
    x, t = np.zeros((4000, 2), np.float32), np.zeros((4000, 1), np.float32)
    by_few = cost.step_work(net, cr.Adam(), x, t, None)
    monkeypatch.setattr(cost, "MOST", 4000)
    for a, b in zip(
        astuple(by_few), astuple(cost.step_work(net, cr.Adam(), x, t, None)), strict=True
    ):
        assert a == pytest.approx(b, rel=0.01)


class Ranks:
    """The first of some ranks, of which so many are on this machine; of others nothing is heard."""

    rank = 0

    def __init__(self, size: int, here: int) -> None:
        self.size, self.here = size, here

    def all_reduce(self, array: Any) -> None:
        """Texts are those of this rank, elsewhere, or of all that have no error."""
        if array.ndim == 2:
            array[1 : self.here] = array[0]
        elif array.dtype == np.int64 and len(array) == self.size:
            array[1:] = array[0]

    def broadcast(self, array: Any) -> None: ...

    def barrier(self) -> None: ...

    def exchange(self, array: Any, other: int) -> Any:
        return array


@pytest.mark.parametrize("reproducible", [False, True])
def test_the_ranks_of_a_machine_share_its_memory(
    reproducible: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, t = np.zeros((40_000, 2), np.float32), np.zeros((40_000, 1), np.float32)
    net = trainer().model
    asked: list[int] = []

    def left(processes: int) -> int:
        asked.append(processes)
        return 2**32 // processes

    monkeypatch.setattr(memory_needed, "memory_left", left)
    settings = Settings(40_000)
    for here in (1, 4):
        ranks = Ranks(4, here)
        made = cr.Trainer(net, cr.Adam(), communicator=ranks, reproducible=reproducible)
        needed = StepMemory(made, (x, t, None), "numpy", ranks=4).bytes(10_000)
        assert 2**28 < needed < 2**32
        monkeypatch.setattr(memory_needed, "PART", 1.5 * needed / 2**32)
        if here == 1:
            refuse_too_large(made, (x, t, None), 40_000, "numpy", settings)
        else:
            with pytest.raises(
                SettingError, match=r"GiB on the 4 ranks of this machine, and 4\.0 GiB"
            ):
                refuse_too_large(made, (x, t, None), 40_000, "numpy", settings)
    assert asked == [1, 4]


class ByHand:
    """The chapter's way: no graph to plan."""

    def __init__(self, width: int) -> None:
        self.W = np.zeros((width, width), np.float32)
        self.params, self.grads = [self.W], [np.zeros_like(self.W)]

    def forward(self, x: Any, t: Any) -> float:
        self.x, self.d = x, (x @ self.W - t) / len(x)
        return float((self.d**2).sum())

    def backward(self) -> None:
        self.grads[0][...] = self.x.T @ self.d


def test_a_model_written_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of it counts: parameters, gradients, slots, the rows of a batch."""
    made = cr.Trainer(ByHand(6000), cr.Adam())
    x = np.zeros((100, 6000), np.float32)
    memory, p = StepMemory(made, (x, x, None), "numpy"), 4 * 6000**2
    assert memory.there == p
    assert memory.bytes(100) == 2 * p + 2 * p + p + 2 * x.nbytes
    monkeypatch.setattr(memory_needed, "memory_left", lambda _processes: 4 * p)
    with pytest.raises(SettingError, match=r"steps on 100 rows take about 0.5 GiB.* Not even one"):
        made.fit(x, x, 1, 100, progress=None)


def test_what_is_left_is_within_the_limits() -> None:
    assert memory_left(4) <= memory_left() // 3
    assert 0 < memory_left() <= memory_limit() <= physical_memory()
    program = (
        "import resource; from chainrule.memory import memory_left;"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)); print(memory_left())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert 0 < int(done.stdout) < 1 << 30
    assert resource.getrlimit(resource.RLIMIT_AS)[0] != 1 << 30
