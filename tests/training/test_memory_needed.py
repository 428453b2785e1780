"""The memory of a training: estimated before the first step, and refused with a batch that fits."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import SettingError
from chainrule.memory import memory_left, memory_limit, physical_memory
from chainrule.training import memory_needed
from chainrule.training.memory_needed import PART

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys, numpy as np, chainrule as cr
width, rows, engine = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
from chainrule.training.memory_needed import memory_needed
layers = cr.Affine.sized(4, width), cr.ReLU(), cr.Affine.sized(width, 1)
net = cr.Sequential(*layers, loss=cr.MeanSquaredError())
x, t = np.ones((rows, 4), np.float32), np.ones((rows, 1), np.float32)
trainer = cr.Trainer(net, cr.Adam(), engine=engine, threads=1)
def most():  # ru_maxrss begins with that of the parent
    with open("/proc/self/status") as file:
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1]) * 1024
trainer.fit(x[:8], t[:8], 1, 8, progress=None)
before = most()
trainer.fit(x, t, 2, rows, progress=None)
print(most() - before, memory_needed(trainer, x, t, None, rows))
"""


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize(("width", "rows"), [(1024, 10_000), (4096, 4_000)])
def test_the_estimate_is_near_what_a_process_takes(width: int, rows: int, engine: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(width), str(rows), engine],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    taken, estimated = map(int, done.stdout.split())
    assert 0.5 * estimated <= taken <= 1.9 * estimated


def trainer() -> cr.Trainer:
    layers = cr.Affine.sized(2, 4096), cr.ReLU(), cr.Affine.sized(4096, 1)
    net = cr.Sequential(*layers, loss=cr.MeanSquaredError())
    return cr.Trainer(net, cr.Adam(), engine="numpy")


def test_a_batch_that_is_too_large_is_refused_with_one_that_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = 1 << 27
    monkeypatch.setattr(memory_needed, "memory_left", lambda: left)
    x, t = np.zeros((20_000, 2), np.float32), np.zeros((20_000, 1), np.float32)
    made = trainer()
    before = [p.tobytes() for p in made.model.params]
    with pytest.raises(SettingError, match=r"take about .* GiB, and 0.1 GiB of memory") as refused:
        made.fit(x, t, 1, 20_000, progress=None)
    assert [p.tobytes() for p in made.model.params] == before
    found = re.search(r"A batch of ([\d,]+) rows fits", str(refused.value))
    assert found is not None
    rows = int(found[1].replace(",", ""))
    takes = [memory_needed.memory_needed(made, x, t, None, n) for n in (rows, int(1.01 * rows))]
    assert takes[0] <= PART * left < takes[1]
    made.fit(x, t, 1, rows, progress=None)


def test_what_cannot_even_be_planned_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    made = trainer()
    real = type(made.model).step_program

    def planned(network: Any, *given: Any, rows: Any) -> Any:
        if len(rows) > 1000:
            raise MemoryError
        return real(network, *given, rows=rows)

    x, t = np.zeros((400_000, 2), np.float32), np.zeros((400_000, 1), np.float32)
    true = memory_needed.memory_needed(made, x, t, None, 4000)
    monkeypatch.setattr(type(made.model), "step_program", planned)
    guess = memory_needed.memory_needed(made, x, t, None, 4000)
    assert 0.9 * true < guess < 1.1 * true
    monkeypatch.setattr(memory_needed, "memory_left", lambda: 1 << 30)
    with pytest.raises(SettingError, match="steps on 400,000 rows"):
        made.fit(x, t, 1, 400_000, progress=None)


def test_what_is_left_is_within_the_limits() -> None:
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
