"""The compiled training step: its kernel, its arrays, and many steps per call."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.compiled.blas import blas
from chainrule.engine.compiled.constants import SMALL, SPARE
from chainrule.engine.compiled.ids import check_ids
from chainrule.engine.compiled.library import NO_PRODUCTS, products
from chainrule.engine.compiled.machine import Call, kernel
from chainrule.engine.compiled.module import Source, handed_over, train_text
from chainrule.engine.compiled.over_ranks import OverRanks
from chainrule.engine.compiled.pieces import in_one_piece
from chainrule.engine.compiled.record import record_step
from chainrule.engine.compiled.shards import ShardArrays
from chainrule.engine.compiled.symbolic import (
    ROWS,
    NotCompilable,
    Rows,
    Symbolic,
    Value,
    overlay,
)
from chainrule.engine.compiled.threads import WORTH, Crew, shards_for, thread_count
from chainrule.engine.compiled.values import NotAbreast, NotInTurn
from chainrule.engine.compiled.work import multiplications, products_of
from chainrule.engine.memory import debugging
from chainrule.engine.protocols import Division, RecordableNetwork, UpdateRule
from chainrule.lang.messages import _

__all__ = ["CompiledStep"]

Array = npt.NDArray[Any]

#: Rows of the data that a recording is made with.
SAMPLE = 16
#: Up to so many parameters, and so much work in a step, rows are computed abreast.
MOST_NUMBERS, MOST_WORK = 12_000, 2_000_000
#: Of fewer rows in a part of a batch most lanes would be empty: then row by row.
FEWEST = 32
#: Rows abreast are computed in blocks of so many, whose numbers stay in the processor's cache.
BLOCK = 128

#: Why a result cannot be written for every batch, by what it is.
_SAME = {
    "loss": _("its loss is the same number for all data"),
    "gradient": _("its gradient is the same number for all data"),
    "written": _("what it writes is the same number for all data"),
}


class CompiledStep:
    """Forward, backward and update of a network, compiled; many steps per call."""

    def __init__(
        self,
        network: RecordableNetwork,
        optimizer: UpdateRule,
        data: Sequence[tuple[str, Array]],
        batch_size: int,
        *,
        threads: int | None = None,
        max_grad: float | None = None,
        say: Callable[[str], None] | None = None,
        seconds: Callable[[], float] | None = None,
        division: Division | None = None,
        origins: bool = False,
    ) -> None:
        """`division`: how ranks share every batch, if they do; `origins`: whether lines tell their nodes."""
        self.network, self.optimizer, self.batch = network, optimizer, batch_size
        #: What adds up over ranks; whether one of them wanted to stop after the latest step.
        self.ranks = None if division is None else OverRanks(division)
        self.max_grad = max_grad
        self.limited = max_grad is not None or optimizer.clip_norm is not None
        # Recording needs rows of the right kind, with any contents; the step may outlive the data.
        sample = [(name, a[:SAMPLE].copy()) for name, a in data]
        record, targets = record_step(network, sample, origins=origins)
        widths = {d for _, a in data for d in a.shape[1:]}
        widths |= {d for p in network.named_parameters().values() for d in p.shape}
        step = self.step = overlay(record, widths)
        self.reads = step.reads
        if not any(t.role == "gradient" for t in targets):
            raise NotCompilable(_("nothing in the network is to be trained"))
        self.segments = network._segments()
        moved = {id(t.payload) for t in targets if t.role == "gradient"}
        #: The gradients of parameters that the loss does not depend on: nothing else writes them.
        self.idle = [
            p.grad
            for p in network.named_parameters().values()
            if p.trainable and id(p) not in moved
        ]
        self.work = multiplications(step, batch_size)
        #: Whether the latest run met a number that is not finite, and the loss of that step.
        self.failed, self.bad_loss = False, math.nan
        self.pace = 1e-3  # seconds per step, the latest measurement
        self._say, self._seconds, self._threads = say, seconds, threads
        #: Whether rows are computed abreast, one in each lane of a vector.
        self.abreast = self._is_small()
        #: How many rows at a time are computed in a step; 0 for all of them.
        self.block = BLOCK if self.abreast and batch_size > BLOCK else 0
        ways = [(True, BLOCK)] if self.block else []
        ways += [(True, 0)] if self.abreast else []
        for self.abreast, self.block in ways:
            with contextlib.suppress(NotAbreast, NotCompilable):  # of what its rows do
                self._make(targets, data)
                return
        self.abreast, self.block = False, 0
        self._make(targets, data)

    def _make(self, targets: Sequence[Any], data: Sequence[tuple[str, Array]]) -> None:
        """Write the text, make the arrays, compile."""
        #: Whether each thread computes several parts of a batch, one after the other.
        self.in_turn = self._apart and (self.abreast or self.work < WORTH)
        try:
            self.text = self._text(self.step, targets)
        except NotInTurn:
            self.in_turn = False
            self.text = self._text(self.step, targets)
        if self.abreast and not self._lies_abreast():
            raise NotAbreast
        #: How many rows of a batch this process has at most.
        own = self.batch if self.ranks is None else -(-self.batch // self.ranks.division.size)
        self.shards = self._shards(own)
        sizes = [] if self.abreast else products_of(self.step, self.batch)
        several = self.shards > 1 or self._apart
        multiplies = any(size >= SMALL or several for _, size in sizes)
        self.blas = blas() if multiplies else None
        #: What the kernel calls to multiply.
        self._products = products(sizes, parted=self._apart) if multiplies else NO_PRODUCTS
        self._arrays = ShardArrays(
            self.text.arguments,
            self.segments,
            self.network.named_parameters().values(),
            self.reads,
            batch=own,
            shards=self.shards,
            parts=self._parts,
            abreast=self.abreast,
            block=self.block,
        )
        if self.ranks is not None:
            self.ranks.take(self._arrays.parts())
        self._losses, self._checks = np.zeros(1), np.zeros((2, self._parts, 16))
        begin = nullcontext if self.blas is None else self.blas.alone
        self.crew = Crew(self.shards, begin, SPARE * (self._parts // self.shards))
        self._kernel: Any = None
        self.take(data)

    @property
    def _apart(self) -> bool:
        """Whether each part of a batch is computed by itself, so that no bit depends on the others."""
        return self.ranks is not None and self.ranks.division.parts is not None

    @property
    def _rows_of_part(self) -> int:
        """How many rows each such part of a batch has at most; 0 if there are none."""
        return -(-self.batch // self.ranks.parts) if self.ranks is not None and self._apart else 0

    def _shards(self, own: int) -> int:
        """The threads that share this process's rows, each with its own part of them."""
        mixed, ranks = self.text.mixed, self.ranks
        if ranks is not None and mixed is not None:
            raise NotCompilable(mixed)
        if mixed is not None:
            return 1
        apart = None if ranks is None else ranks.division.parts
        if apart is not None and not self.in_turn:
            return apart
        # A shard may get no rows of the last, smaller batch.
        shards = shards_for(self.work * own / self.batch, own, thread_count(self._threads))
        # Threads with the same number of parts each, whose sums are those of pairs.
        return shards if apart is None else 1 << min(shards, apart).bit_length() - 1

    @property
    def _parts(self) -> int:
        """Into how many parts this process cuts its rows."""
        apart = None if self.ranks is None else self.ranks.division.parts
        return self.shards if apart is None else apart

    def _is_small(self) -> bool:
        """Whether widths are so small that machine code for these very sizes pays."""
        if self._apart and self._rows_of_part < FEWEST:
            return False
        numbers = sum(s.data.size for s in self.segments)
        part = self.work * min(1, BLOCK / self.batch)
        return numbers <= MOST_NUMBERS and part <= MOST_WORK

    def _lies_abreast(self) -> bool:
        """Whether the rows of a batch are the first axis of every array that has them."""
        for a in self.text.arguments:
            with_rows = [d for d in a.shape if isinstance(d, Rows)]
            first = a.shape[1 if a.stacked else 0]
            if a.role != "data" and with_rows and (first != ROWS or len(with_rows) > 1):
                return False
        return self.text.mixed is None

    # -- the text --------------------------------------------------------------------------------

    def _text(self, step: Symbolic, targets: Sequence[Any]) -> Source:
        written = []
        for target, value in zip(targets, step.targets, strict=True):
            if not isinstance(value, Value):
                raise NotCompilable(_SAME[target.role])
            written.append((target.role, target.name, value, target.payload))
        dtypes = {s.data.dtype for s in self.segments}
        if len(dtypes) > 1:
            raise NotCompilable(_("its parameters are of several dtypes"))
        (dtype,) = dtypes
        kinds = " → ".join(type(layer).__name__ for layer in self.network.layers)
        title = (
            f"A training step of {kinds}, {type(self.network.loss).__name__}, with"
            f" {type(self.optimizer).__name__}."
        )
        return train_text(
            title,
            step,
            written,
            self.optimizer,
            [(s.decays, s.lr_factor) for s in self.segments],
            dtype,
            self.limited,
            self.abreast,
            self.block,
            self.ranks is not None,
            self._rows_of_part,
            self.in_turn,
        )

    # -- the data --------------------------------------------------------------------------------

    def take(self, data: Sequence[tuple[str, Array]]) -> None:
        """Use other data of the same kind, and the present arrays of the optimizer's state."""
        by_name, n = dict(data), len(data[0][1])
        check_ids(self.step, by_name)
        numbers, words = self.step.numbers.tables([self.batch, n % self.batch or self.batch])
        leaves = [a for a in self.text.arguments if a.role == "data"]
        arrays = {a.name: in_one_piece(by_name[a.payload.name], "data") for a in leaves}
        runs, nothing = self._arrays.runs(self.optimizer), np.zeros(1, np.intp)
        given = [
            {
                "blas": self._products, "crew": self.crew.words, "shard": k, "shards": self.shards,
                **({} if self.ranks is None else self.ranks.given),
                **({"parts": self._parts} if self.in_turn else {}),
                "batch": self.batch, "order": nothing, "starts": nothing, "rates": self.rates(1),
                "numbers": numbers, "words": words, "losses": self._losses, "checks": self._checks,
                **({"limits": self._limits()} if self.limited else {}),
                **handed_over(self.text.arguments, {**self._arrays.given(k), **arrays}), **runs,
            }
            for k in range(self.shards)
        ]  # fmt: skip
        if self._kernel is None:
            # (What is known makes other machine code, whose last bits may be others.)
            alone = {"shards": 1} if self.shards == 1 and not self._apart else {}
            self._kernel = kernel(
                self.text.source, "train", given[0], self._say, self._seconds, **alone
            )
        self._calls: list[Call] = [self._kernel.call(arguments) for arguments in given]

    def release(self) -> None:
        """Drop the references to the data."""
        self._calls = []

    def _limits(self) -> Array:
        """The limits of the gradients' norm; 0 for none."""
        return np.array([self.max_grad or 0.0, self.optimizer.clip_norm or 0.0])

    # -- running --------------------------------------------------------------------------------------

    @property
    def call(self) -> Call:
        """The first shard's call of the kernel."""
        return self._calls[0]

    def array(self, name: str) -> Array:
        """The first shard's array of that name in the text; none of the data's."""
        return self._arrays.first(name)

    def rates(self, steps: int) -> Array:
        """The optimizer's numbers for the next steps."""
        return self.optimizer.hyperparameters_for(steps)

    def run(self, order: Array, starts: Array, rates: Array, *, again: bool = False) -> Array:
        """Make steps over these rows; gives the losses of the steps that succeeded.

        `order` are row numbers, `starts` where each step's rows begin in it (and where the last
        ends). A step with a number that is not finite is the last one, and the caller must discard
        what it has written; its loss is `bad_loss`. The wish of a rank to stop ends the run after a
        step, unless the steps are made `again`.
        """
        steps = len(starts) - 1
        if len(self._losses) < steps:
            self._losses = np.zeros(steps)

        limits = {"limits": self._limits()} if self.limited else {}
        for grad in self.idle:
            grad.fill(0)
        if debugging():
            self._arrays.spoil()

        def work(k: int, crew: Array) -> int:
            call = self._calls[k]
            call.change(
                crew=crew, order=order, starts=starts, rates=rates, losses=self._losses, **limits
            )
            return call()

        if self.ranks is not None:
            self.ranks.begin(self.crew.words, again)
        done: int = self.crew.run(work)
        self.failed = done < steps
        if self.ranks is not None:  # they may also have agreed to stop
            self.ranks.end()
            self.failed = self.ranks.failed
        self.optimizer.iter += done
        if self.failed:
            self.bad_loss = float(self._losses[done])
        return self._losses[:done].copy()
