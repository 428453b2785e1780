"""Communicators by themselves: the parts of a batch, what ranks tell, and what is missing."""

from __future__ import annotations

import subprocess
import sys
import types
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from tests.distributed.launching import environment
from tests.distributed.threads import on_threads

import chainrule as cr
from chainrule.distributed.alone import STARTED, refuse_alone
from chainrule.distributed.communicator import part_of, told_by_all


@pytest.mark.parametrize("size", [1, 2, 3, 8, 16])
@pytest.mark.parametrize("n", [0, 1, 7, 64, 1001])
def test_parts_make_up_the_batch(n: int, size: int) -> None:
    parts = [part_of(n, rank, size) for rank in range(size)]
    assert [row for start, stop in parts for row in range(start, stop)] == list(range(n))
    lengths = [stop - start for start, stop in parts]
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize(
    "texts", [["", "", ""], ["ein Wort", "", "一二三四五"], ["a" * 1000, "b", "c"]]
)
def test_every_rank_hears_what_all_tell(texts: list[str]) -> None:
    heard = on_threads(3, lambda ranks: told_by_all(ranks, texts[ranks.rank]))
    assert heard == [texts] * 3


def test_alone() -> None:
    alone: cr.Communicator = cr.SerialCommunicator()
    numbers = np.arange(3.0)
    alone.all_reduce(numbers)
    alone.broadcast(numbers)
    alone.barrier()
    assert numbers.tolist() == [0, 1, 2]
    assert told_by_all(alone, "一") == ["一"]


def test_without_mpi4py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(cr.errors.ExtraMissingError, match=r'pip install "chainrule\[mpi\]"'):
        cr.MPICommunicator()


def test_without_an_mpi_library(monkeypatch: pytest.MonkeyPatch) -> None:
    class Package(types.ModuleType):
        def __getattr__(self, name: str) -> object:
            raise RuntimeError("cannot load MPI library\nand more")

    monkeypatch.setitem(sys.modules, "mpi4py", Package("mpi4py"))
    monkeypatch.delitem(sys.modules, "mpi4py.MPI", raising=False)
    with pytest.raises(cr.errors.ExtraMissingError, match=r"library \(cannot load MPI library\): "):
        cr.MPICommunicator()


class Alone:
    """An MPI library that knows of one process."""

    def Get_library_version(self) -> str:
        return "Open MPI v5.0.11, package: …"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, None),
        ({"SLURM_STEP_NUM_TASKS": "1"}, None),
        ({"SLURM_NTASKS": "4"}, None),  # a batch script, which is alone
        ({"SLURM_STEP_NUM_TASKS": "2", "OMPI_COMM_WORLD_SIZE": "1"}, None),  # mpiexec in a step
        (
            {"SLURM_STEP_NUM_TASKS": "2"},
            "2 processes were started together (SLURM_STEP_NUM_TASKS=2)",
        ),
        (
            {"SLURM_STEP_NUM_TASKS": "2", "PMI_SIZE": "2"},
            "(PMI_SIZE=2), and Open MPI v5.0.11, which",
        ),
        ({"OMPI_COMM_WORLD_SIZE": "3"}, "they would be 3 trainings in place of one"),
    ],
)
def test_processes_that_do_not_know_of_each_other(
    told: dict[str, str], said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in STARTED:
        monkeypatch.delenv(name, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    if said is None:
        refuse_alone(Alone())
        return
    with pytest.raises(cr.errors.RanksApartError) as raised:
        refuse_alone(Alone())
    assert said in str(raised.value)


@pytest.mark.skipif(find_spec("mpi4py") is None, reason="mpi4py is not there (extra mpi)")
def test_a_process_that_was_started_with_others_is_refused() -> None:
    """In a process of its own: MPI begins but once in each."""
    done = subprocess.run(
        [sys.executable, "-c", "import chainrule as cr; cr.MPICommunicator()"],
        env={**environment(), "SLURM_STEP_NUM_TASKS": "2"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "RanksApartError: 2 processes were started together" in done.stderr


def test_a_model_written_by_hand_is_refused() -> None:
    class Mine:
        params: tuple[Any, ...] = ()
        grads: tuple[Any, ...] = ()

        def forward(self, x: Any, t: Any) -> float:
            return 0.0

        def backward(self) -> None:
            pass

    trainer = cr.Trainer(Mine(), cr.SGD(0.1), reproducible=True)
    with pytest.raises(cr.errors.SettingError, match="Mine is a model written by hand"):
        trainer.fit(np.zeros((4, 2)), np.zeros(4, int), 1, progress=None)


def test_rows_that_need_each_other_are_refused() -> None:
    class Largest(cr.Network):
        def __init__(self) -> None:
            super().__init__()
            self.first = cr.Affine.sized(2, 3)
            self.loss = cr.SoftmaxWithLoss()

        def predict(self, x: Any) -> Any:
            h = self.first(x)
            return h - cr.max(h, axis=0)

    trainer = cr.Trainer(Largest(), cr.SGD(0.1), reproducible=True)
    with pytest.raises(cr.errors.SettingError, match="works across the rows"):
        trainer.fit(np.ones((4, 2)), np.zeros(4, int), 1, progress=None)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_the_gradients_of_the_last_step_stay(engine: str) -> None:
    if engine == "compiled":
        pytest.importorskip("llvmlite")
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(64, 5)), rng.integers(0, 3, 64)
    grads = []
    for reproducible in (False, True):
        layer = cr.Affine.sized(5, 3, dtype=np.float64)
        net = cr.Sequential(layer, loss=cr.SoftmaxWithLoss(), seed=0)
        optimizer = cr.SGD(0.1, l2=0.1)
        trainer = cr.Trainer(net, optimizer, engine=engine, reproducible=reproducible)
        trainer.fit(x, t, 1, 64, max_grad=0.05, progress=None)
        grads.append(net.grads)
    assert np.linalg.norm(np.concatenate([g.ravel() for g in grads[0]])) > 0.04
    for a, b in zip(*grads, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
