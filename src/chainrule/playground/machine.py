"""A machine: a training and its batches, whose whole state can be copied and restored."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from chainrule.errors import NonFiniteError
from chainrule.layers.initial import generator
from chainrule.nodes.base import ignore_fp_errors
from chainrule.playground.building import make_network, make_optimizer
from chainrule.playground.compatible.training import epoch_batches
from chainrule.playground.data import Array, Data
from chainrule.playground.settings import Settings
from chainrule.training.batches import Batches
from chainrule.training.metrics import Metric, answer_accuracy, class_accuracy, r2
from chainrule.training.state import Snapshot, Training
from chainrule.training.stepper import Stepper

__all__ = ["Machine", "State"]

#: The settings that a machine is built with: a change of one needs a new machine.
BUILT_IN = ("optimizer", "dropout", "batch_size")


@dataclass(frozen=True)
class State:
    """All that the next step depends on: what the arrays hold, and where in the epoch it is.

    `epoch` counts the completed epochs, `batch` the batches taken of the present one; `rng` is the
    generator's state before the order of the present epoch was drawn.
    """

    snapshot: Snapshot
    epoch: int
    batch: int
    rng: Mapping[str, Any]
    #: The sum of the losses over the rows of the present epoch.
    total: float

    @property
    def nbytes(self) -> int:
        """About how many bytes of memory it takes."""
        return self.snapshot.nbytes + 2_000


class Machine:
    """Trains the network of some settings as `cr.Trainer` does, one step at a time."""

    def __init__(self, settings: Settings, data: Data) -> None:
        self.settings, self.data = settings, data
        self.network = make_network(settings, data)
        self.optimizer = make_optimizer(settings)
        self.training = Training(self.network, self.optimizer, generator(settings.weight_seed))
        x, t = data.inputs(settings.features), data.targets(settings.loss)
        x, t = np.ascontiguousarray(x), np.ascontiguousarray(t)
        n = data.train
        self.train, self.test = (x[:n], t[:n]), (x[n:], t[n:])
        self.metric: Metric = r2
        if data.classes is not None:
            several = t.ndim == 1 or t.shape[-1] > 1
            self.metric = class_accuracy if several else answer_accuracy
        self.epoch = self.batch = 0
        self._shuffled = Batches(n, settings.batch_size, self.training.rng)
        #: How many batches an epoch has.
        self.batches = len(self._shuffled)
        #: The batches of the first epoch and of the later ones, where no order is drawn.
        self._fixed: tuple[list[Array], list[Array]] | None = None
        if settings.mode == "compatible":
            self._fixed = epoch_batches(n, settings.batch_size)
            self.batches = len(self._fixed[0])
        self._stepper = Stepper(self.training, *self.train, None, batches=self.batches)
        self.flat = self.network._flatten_parameters()[0]
        self.optimizer.bind(*self._stepper.program.segments())
        self._drawn = False
        self._rng: Mapping[str, Any] = self._generator.state
        #: What moved the parameters last, and what they were before it.
        self.moved_by: Literal["step", "edit"] | None = None
        self._before = self.flat.data.copy()
        #: The rows of the latest step, and their loss.
        self.rows: Array | None = None
        self.loss: float | None = None
        #: The mean loss of the latest epoch's batches, each before its update, as Trainer reports it.
        self.epoch_loss = math.nan
        self._total = 0.0

    @property
    def _generator(self) -> np.random.BitGenerator:
        return self.training.rng.bit_generator

    @property
    def parameters(self) -> list[Array]:
        """The parameters, in the order of `flat`."""
        return [p.data for p in self.flat.parameters]

    def suits(self, settings: Settings) -> bool:
        """Whether it can continue with these settings, of which only live ones may differ."""
        return all(getattr(settings, name) == getattr(self.settings, name) for name in BUILT_IN)

    def upcoming(self) -> Array:
        """The rows of the step that comes next."""
        if self._fixed is not None:
            return self._fixed[self.epoch > 0][self.batch]
        if not self._drawn:
            self._rng = self._generator.state
            self._shuffled.shuffle()
            self._drawn = True
        return self._shuffled[self.batch]

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Restore the state on leaving the block."""
        state, grad = self.state(), self.flat.grad.copy()
        rows, loss = self.rows, self.loss
        moved_by, before = self.moved_by, self._before.copy()
        try:
            yield
        finally:
            self.restore(state)
            self.flat.grad[...] = grad
            self.rows, self.loss = rows, loss
            self.moved_by, self._before[...] = moved_by, before

    def step(self) -> bool:
        """Take a step; whether an epoch ended with it.

        Raises:
            NonFiniteError: a number is not finite, and nothing has changed.
        """
        rows = self.upcoming()
        self._before[...] = self.flat.data
        self.loss = self._stepper.step(rows, self.epoch + 1, self.batch)
        self.rows, self.moved_by = rows, "step"
        self._total += self.loss * len(rows)
        self.batch += 1
        if self.batch < self.batches:
            return False
        self.rows = rows.copy()  # the next order is drawn in the same place
        self.epoch_loss = self._total / self._seen(self.epoch)
        self.epoch, self.batch, self._drawn, self._total = self.epoch + 1, 0, False, 0.0
        return True

    def edit(self, parameter: int, place: tuple[int, ...], value: float) -> None:
        """Set a number of a parameter by hand: the gradients are those of other weights now."""
        self._before[...] = self.flat.data
        self.parameters[parameter][place] = value
        self.moved_by = "edit"

    @property
    def gradient(self) -> Array | None:
        """The gradients (P,) that the latest step took; None before a step, and after an edit."""
        return self.flat.grad.copy() if self.moved_by == "step" else None

    @property
    def change(self) -> Array | None:
        """What the latest step, or edit, added to the parameters (P,); None where there was none."""
        if self.moved_by is None:
            return None
        change: Array = self.flat.data - self._before
        return change

    def row(self, row: int) -> tuple[Array, Array]:
        """One row as the network takes it, and its target; the rows to train on come first."""
        n = len(self.train[0])
        x, t = self.train if row < n else self.test
        at = row if row < n else row - n
        return x[at : at + 1], t[at : at + 1]

    def _seen(self, epoch: int) -> int:
        """How many rows the batches of an epoch have."""
        n = len(self.train[0])
        if self._fixed is None:
            return n
        return sum(map(len, self._fixed[epoch > 0]))

    def new_epoch(self) -> None:
        """Skip the rest of the present epoch."""
        self.batch, self._drawn, self._total = 0, False, 0.0

    @property
    def slots(self) -> Array:
        """The optimizer's slots (slots, P), in the order of the weights."""
        slots = np.empty((len(self.optimizer.slots), self.flat.data.size))
        at = 0
        for group in self.optimizer.state or []:
            for row, slot in zip(slots, group, strict=True):
                row[at : at + slot.size] = slot
            at += group[0].size if group else 0
        return slots

    def state(self) -> State:
        """A copy of all that the next step depends on."""
        return State(
            self.training.snapshot(place=False),
            self.epoch,
            self.batch,
            self._rng if self._drawn else self._generator.state,
            self._total,
        )

    def restore(self, state: State) -> None:
        """Restore a state; every array keeps its address."""
        self.training.restore(state.snapshot)
        self.epoch, self.batch, self._total = state.epoch, state.batch, state.total
        self._rng = self._generator.state = dict(state.rng)
        self.rows = self.loss = self.moved_by = None
        self._drawn = state.batch > 0 and self._fixed is None
        if self._drawn:
            self._shuffled.shuffle()

    def changed(self, settings: Settings) -> Machine:
        """A machine in this state with other settings: this one where it suits them, else a new one."""
        if self.suits(settings):
            self._set_numbers(settings)
            return self
        if settings.batch_size != self.settings.batch_size:
            self.new_epoch()
        other = Machine(settings, self.data)
        state, fresh = self.state(), other.training.snapshot(place=False)
        # Layers with a clock that are new begin at 0; a new optimizer begins afresh.
        known = len(state.snapshot.arrays)
        arrays = [*state.snapshot.arrays[: len(fresh.arrays)], *fresh.arrays[known:]]
        same = state.snapshot if settings.optimizer == self.settings.optimizer else fresh
        other.restore(replace(state, snapshot=replace(same, arrays=arrays)))
        other.flat.grad[...] = self.flat.grad
        other.rows, other.loss = self.rows, self.loss
        other.moved_by, other._before = self.moved_by, self._before
        return other

    def _set_numbers(self, settings: Settings) -> None:
        old, optimizer = self.settings, self.optimizer
        self.settings = settings
        if settings.learning_rate != old.learning_rate:
            optimizer.lr = settings.learning_rate
        for name in ("l1", "l2"):
            if getattr(settings, name) != getattr(old, name):
                setattr(optimizer, name, getattr(settings, name))
        for name, value in settings.optimizer_numbers.items():
            if value != old.optimizer_numbers[name]:
                setattr(optimizer, name, value)

    def scores(self) -> tuple[float, float, float, float]:
        """Losses and scores as the network is now: train, test loss; train, test score."""
        scores = [self._score(*rows) for rows in (self.train, self.test)]
        return scores[0][0], scores[1][0], scores[0][1], scores[1][1]

    def _score(self, x: Array, t: Array) -> tuple[float, float]:
        if not len(x):
            return math.nan, math.nan
        try:
            with ignore_fp_errors():
                scores = self.training.evaluate_prepared(x, t, {"score": self.metric})
        except NonFiniteError:
            return math.nan, math.nan
        return scores["loss"], scores["score"]
