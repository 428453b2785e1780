"""Communicators by themselves: the parts of a batch, what ranks tell, and what is missing."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import pytest
from tests.distributed.threads import on_threads

import chainrule as cr
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
