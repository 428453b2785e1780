"""Checkpoints of a fit: when one is written, what is in it, and how a fit goes on from one."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chainrule.lang.languages import chosen
from chainrule.lang.messages import Text, _, in_language
from chainrule.storage.checkpoint import Checkpoint
from chainrule.storage.folder import CheckpointFolder
from chainrule.training.callbacks import Callback, EarlyStopping
from chainrule.training.captured import capture, named_callbacks, put_back
from chainrule.training.intervals import Interval
from chainrule.training.state import Training

__all__ = [
    "EVERY",
    "NETWORKS",
    "CheckpointWarning",
    "Checkpoints",
    "EpochPlace",
    "Fit",
    "beginning",
    "go_on",
    "rejoin",
    "state_of",
]

#: How often a checkpoint is written if nobody says: every half minute, at the most.
EVERY = Interval(seconds=30.0)
#: Where a checkpoint of many fits has the state of each.
NETWORKS = "networks"
#: The share of the time that checkpoints by the clock may take.
SHARE = 0.02


class CheckpointWarning(UserWarning):
    """A checkpoint could not be written; training goes on, and the earlier ones are there still."""


@dataclass
class EpochPlace:
    """How far an epoch has come: the generator before its order was drawn, its first rate, its steps."""

    generator: Any
    lr: float
    steps: int = 0
    seconds: float = 0.0


class Fit(Protocol):
    """A fit that runs, as far as checkpoints see it."""

    @property
    def trainer(self) -> Training:
        """The training."""

    @property
    def callbacks(self) -> Sequence[Callback]:
        """Those whose state is kept."""

    #: How far the present epoch has come; None between two epochs.
    place: EpochPlace | None
    #: How many threads share a batch.
    threads: int


class Checkpoints:
    """Writes the checkpoints of one fit into a folder.

    `first` is what the fit began with: the generator before rows were held out, and how many epochs
    there had been.
    """

    #: Whether it writes, and does not only keep states for another process.
    writes = True

    def __init__(
        self,
        folder: CheckpointFolder,
        every: Interval,
        settings: dict[str, Any],
        first: dict[str, Any],
    ) -> None:
        self.folder, self.every, self.settings, self.first = folder, every, settings, first
        #: The path of the latest checkpoint, and the step that it was written after.
        self.latest: str | None = None
        #: Whether the state that the fit ends with is written.
        self.complete = False
        #: The steps and epochs of each training, by its id, that the latest checkpoint has.
        self._kept: dict[int, tuple[int, int]] = {}
        self._written, self._cost = time.perf_counter(), 0.0

    def steps_left(self, loop: Fit) -> int:
        """How many steps may be made in one go until a checkpoint is due."""
        if self.every.steps is None:
            return sys.maxsize
        return max(1, self.every.steps - self._since(loop.trainer)[0])

    def _since(self, training: Training) -> tuple[int, int]:
        """The steps and epochs of a training since its latest checkpoint."""
        steps, epochs = self._kept.get(id(training), (-1, -1))
        return training.history.steps - steps, training.current_epoch - epochs

    def begin(self, loop: Fit) -> None:
        """Write the first checkpoint, so that a folder that cannot be written is found at once."""
        self.write(loop, must=True)

    def observe(self, loop: Fit, *, epoch_ended: bool) -> None:
        """After a step, or an epoch: write a checkpoint if one is due."""
        if self.due(loop, epoch_ended=epoch_ended):
            self.write(loop)

    def due(self, loop: Fit, *, epoch_ended: bool) -> bool:
        """Whether a checkpoint is to be written after a step, or an epoch."""
        every, (steps, epochs) = self.every, self._since(loop.trainer)
        if every.steps is not None:
            return steps >= every.steps
        if every.epochs is not None:
            return epoch_ended and epochs >= every.epochs
        return self.late()

    def late(self) -> bool:
        """Whether a checkpoint is due by the clock."""
        if self.every.seconds is None:
            return False
        waited = time.perf_counter() - self._written
        return waited >= max(self.every.seconds, self._cost / SHARE)

    def end(self, loop: Fit, why: str | None) -> None:
        """Write the state at the end of a fit.

        `why`: what ended it, if that was neither the number of epochs nor an interruption.
        """
        self.write(loop, ended=why)

    def write(self, loop: Fit, *, ended: str | None = None, must: bool = False) -> None:
        """Write a checkpoint now. If that fails, say so and go on, unless it `must` be written."""
        began = time.perf_counter()
        checkpoint = self._checkpoint(loop, ended)
        try:
            self.latest = self.folder.write(checkpoint)
        except OSError as error:
            if must:
                raise
            self._warn(error)
        trainings = self._trainings(loop)
        self._kept = {id(one): (one.history.steps, one.current_epoch) for one in trainings}
        self._written = time.perf_counter()
        self._cost = self._written - began

    def _trainings(self, loop: Fit) -> Sequence[Training]:
        """The trainings that a checkpoint has the state of."""
        return [loop.trainer]

    def _checkpoint(self, loop: Fit, ended: str | None) -> Checkpoint:
        trainer = loop.trainer
        return Checkpoint(
            step=trainer.history.steps,
            epoch=trainer.current_epoch,
            settings=self.settings,
            state=state_of(loop, self.first, ended),
            score=_score(loop),
        )

    def _warn(self, error: OSError) -> None:
        there = self.latest or self.folder.path
        note = _(
            "no checkpoint was written ({why}). Training goes on; the latest is {file}.",
            why=error.strerror or str(error),
            file=there,
        )
        warnings.warn(in_language(note, chosen()), CheckpointWarning, stacklevel=2)

    def note(self) -> Text | None:
        """Where the latest checkpoint is, for the error that ends a training."""
        if self.latest is None:
            return None
        return _("the training up to its latest checkpoint is in {file}", file=self.latest)


def beginning(training: Training) -> dict[str, Any]:
    """What a fit begins with: the generator, before it holds rows out, and the epochs before it."""
    return {"generator": training.rng.bit_generator.state, "epoch": training.current_epoch}


def state_of(fit: Fit, first: Mapping[str, Any], ended: str | None = None) -> dict[str, Any]:
    """The state of a fit between two steps, as plain values; `first` is what it began with.

    `ended`: what ended it, if that was neither the number of epochs nor an interruption.
    """
    return {
        **capture(fit.trainer),
        **_place(fit),
        "first": dict(first),
        "callbacks": {k: c.state() for k, c in named_callbacks(fit.callbacks).items()},
        "engine": fit.trainer.engine_used,
        "threads": fit.threads,
        "ended": ended,
    }


def go_on(fit: Fit, state: Mapping[str, Any]) -> None:
    """Set a fit that is about to run to the place that `state_of` found."""
    put_back(fit.trainer, state)
    rejoin(fit, state)


def rejoin(fit: Fit, state: Mapping[str, Any]) -> None:
    """Set the callbacks of a fit, and how far its epoch has come, whose training is put back already."""
    for name, callback in named_callbacks(fit.callbacks).items():
        if name in state["callbacks"]:
            callback.restore(state["callbacks"][name])
    place = state["place"]
    fit.place = None if place is None else EpochPlace(state["generator"], **place)


def _place(loop: Fit) -> dict[str, Any]:
    """How far the epoch has come; the generator is then that from before its order was drawn."""
    place = loop.place
    if place is None:
        return {"place": None}
    told = {"lr": place.lr, "steps": place.steps, "seconds": place.seconds}
    return {"place": told, "generator": place.generator}


def _score(loop: Fit) -> float | None:
    """The score of the latest epoch, the smaller the better: what early stopping watches, or val_loss."""
    epochs = loop.trainer.history.epochs
    if not epochs:
        return None
    for callback in loop.callbacks:
        if isinstance(callback, EarlyStopping) and callback.monitor in epochs[-1]:
            return callback.sign * epochs[-1][callback.monitor]
    return epochs[-1].get("val_loss")
