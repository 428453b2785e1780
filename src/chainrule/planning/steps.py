"""The step of one rank of many, made here by itself: its messages are counted, its time is measured."""

from __future__ import annotations

import copy
import functools
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.distributed.messages import Messages
from chainrule.engine.compiled.values import NotCompilable
from chainrule.engine.cost import estimate
from chainrule.networks import Network
from chainrule.nodes.base import ignore_fp_errors
from chainrule.optimizers import Optimizer
from chainrule.planning.links import Message
from chainrule.training import Trainer
from chainrule.training.cost import step_work
from chainrule.training.stepper import BUFFER, Stepper

__all__ = ["RankSteps"]

Array = npt.NDArray[Any]
#: The processor's seconds that a try takes at least, and how many there are.
TRY, TRIES = 0.02, 4
#: The steps of an epoch: at the least and at the most, and the rows that are to be enough.
EPOCH, LONG_EPOCH, EPOCH_ROWS = 4, 64, 8192
#: A learning rate that moves nothing far, since the targets may be made up.
RATE = 1e-6
#: Rows of the two steps that say how the work grows with the rows.
FEW, MORE = 64, 128


class _LastRank:
    """The last of some ranks, which has the most rows, without the others: their sums are only counted."""

    def __init__(self, size: int) -> None:
        self.rank, self.size = size - 1, size
        self.sent: list[Message] = []

    def all_reduce(self, array: Array) -> None:
        """Note how much would be sent."""
        self.sent.append(Message(array.nbytes))

    def broadcast(self, array: Array) -> None:
        """Nothing comes."""

    def exchange(self, array: Array, other: int) -> Array:
        """Note how much would be sent, and how far; the other's is taken to be the same."""
        self.sent.append(Message(array.nbytes, self.rank ^ other))
        return array

    def barrier(self) -> None:
        """There is nobody to wait for."""


class RankSteps:
    """The steps of a rank, one of so many, on copies of a network and its optimizer.

    x, t, w: prepared rows; a batch that has more takes them again. The engine is "numpy" or "compiled".
    """

    def __init__(
        self,
        network: Network,
        optimizer: Optimizer,
        data: tuple[Array, Array, Array | None],
        engine: str,
        *,
        reproducible: bool,
    ) -> None:
        self.network, self.optimizer = copy.deepcopy(network), copy.deepcopy(optimizer)
        self.optimizer.lr = RATE
        self.data, self.engine, self.reproducible = data, engine, reproducible
        self._steppers: dict[tuple[int, bool], tuple[Stepper, _LastRank]] = {}

    def rows(self, n: int) -> Array:
        """The numbers of n rows, in an order such as a training draws."""
        return np.resize(np.random.default_rng(0).permutation(len(self.data[0])), n)

    def taken(self, n: int) -> tuple[Array, Array, Array | None]:
        """n rows, with their targets and weights."""
        rows, (x, t, w) = self.rows(n), self.data
        return x[rows], t[rows], None if w is None else w[rows]

    def estimated(self, flops: float | None) -> tuple[float, float]:
        """The seconds of a step on no rows, and those of each row, by the cost model of the engine."""
        few, more = (self._estimated(n, flops) for n in (FEW, MORE))
        row = (more - few) / (MORE - FEW)
        return few - FEW * row, row

    def _estimated(self, n: int, flops: float | None) -> float:
        found = estimate(step_work(self.network, self.optimizer, *self.taken(n)), flops)
        return found.compiled if self.engine == "compiled" else found.numpy

    def messages(self, ranks: int) -> list[Message]:
        """What so many ranks tell each other in a step, in the order of the sums."""
        stepper, lone = self._stepper(ranks, self.reproducible)
        lone.sent.clear()
        with ignore_fp_errors():
            stepper.gradient(self.rows(2 * ranks), 1, 0)
        return list(lone.sent)

    def seconds(self, ranks: int, rows: int, *, plainly: bool = False) -> float:
        """The processor's seconds of a step of so many rows on the last of some ranks.

        plainly: without the parts of reproducible=True.
        """
        apart = self.reproducible and not plainly
        if self.engine == "compiled" and not apart:
            return self._fitted(rows)
        if self.engine == "compiled":
            with suppress(NotCompilable):  # ranks then train on the NumPy engine
                return self._in_parts(ranks, rows)
        stepper, _lone = self._stepper(ranks, apart)
        return self._stepped(stepper, ranks * rows) + self._around

    @functools.cached_property
    def _around(self) -> float:
        """The seconds that a training takes around a step on the NumPy engine."""
        return max(self._fitted(FEW) - self._stepped(self._stepper(1, False)[0], FEW), 0.0)

    def _stepped(self, stepper: Stepper, n: int) -> float:
        """The processor's seconds of a step on a batch of n rows."""
        batch = self.rows(n)

        def run(steps: int) -> None:
            for _step in range(steps):
                stepper.step(batch, 1, 0)

        with ignore_fp_errors():
            np.setbufsize(BUFFER)  # as in a training; for this block only
            return _fastest(run)

    def _in_parts(self, ranks: int, rows: int) -> float:
        """The processor's seconds of a compiled step of a rank's share of the eight parts."""
        from chainrule.engine.compiled.step import CompiledStep

        batch = ranks * rows
        division = Messages(self.network, _LastRank(ranks), reproducible=True)
        data = [(name, a) for name, a in zip("xtw", self.data, strict=True) if a is not None]
        kernel = CompiledStep(self.network, self.optimizer, data, batch, division=division)
        epoch = self._epoch(rows)
        order, starts = self.rows(epoch * batch), np.arange(epoch + 1) * batch
        rates = kernel.rates(epoch)

        def run(steps: int) -> None:
            for _epoch in range(steps // epoch):
                kernel.run(order, starts, rates)

        return _fastest(run, epoch)

    @staticmethod
    def _epoch(rows: int) -> int:
        """The steps of an epoch of so many rows each."""
        return min(max(EPOCH, EPOCH_ROWS // rows), LONG_EPOCH)

    def _fitted(self, rows: int) -> float:
        """The processor's seconds of a step of so many rows, in a training on one thread."""
        trainer = Trainer(self.network, self.optimizer, engine=self.engine, threads=1)
        epoch = self._epoch(rows)
        x, t, w = self.taken(epoch * rows)

        def run(steps: int) -> None:
            trainer.fit(x, t, steps // epoch, rows, sample_weight=w, progress=None)

        return _fastest(run, epoch)

    def _stepper(self, ranks: int, reproducible: bool) -> tuple[Stepper, _LastRank]:
        key = ranks, reproducible
        if key not in self._steppers:
            lone = _LastRank(ranks)
            trainer = Trainer(
                self.network, self.optimizer, engine="numpy", communicator=lone, reproducible=reproducible
            )  # fmt: skip
            self._steppers[key] = Stepper(trainer, *self.data, batches=1), lone
        return self._steppers[key]


def _fastest(run: Callable[[int], None], steps: int = 1) -> float:
    """The processor's seconds of a step in the fastest of some tries, since others only add to them."""
    run(steps)  # plans, or compiles
    took = _seconds(run, steps)
    while took < TRY:
        steps *= 2 if took > TRY / 8 else 8
        took = _seconds(run, steps)
    return min(took, *(_seconds(run, steps) for _more in range(TRIES - 1))) / steps


def _seconds(run: Callable[[int], None], steps: int) -> float:
    began = time.process_time()
    run(steps)
    return time.process_time() - began
