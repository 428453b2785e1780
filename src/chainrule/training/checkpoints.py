"""Checkpoints of a fit: when one is written, what is in it, and how a fit goes on from one."""

from __future__ import annotations

import sys
import time
import warnings
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

__all__ = ["EVERY", "CheckpointWarning", "Checkpoints", "EpochPlace", "go_on"]

#: How often a checkpoint is written if nobody says: every half minute, at the most.
EVERY = Interval(seconds=30.0)
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

    trainer: Training
    callbacks: list[Callback]
    #: How far the present epoch has come; None between two epochs.
    place: EpochPlace | None
    #: How many threads share a batch.
    threads: int


class Checkpoints:
    """Writes the checkpoints of one fit into a folder.

    `first` is what the fit began with: the generator before rows were held out, and how many epochs
    there had been.
    """

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
        self._step = self._epoch = -1
        self._written, self._cost = time.perf_counter(), 0.0

    def steps_left(self, loop: Fit) -> int:
        """How many steps may be made in one go until a checkpoint is due."""
        if self.every.steps is None:
            return sys.maxsize
        return max(1, self.every.steps - (loop.trainer.history.steps - self._step))

    def begin(self, loop: Fit) -> None:
        """Write the first checkpoint, so that a folder that cannot be written is found at once."""
        self.write(loop, must=True)

    def observe(self, loop: Fit, *, epoch_ended: bool) -> None:
        """After a step, or an epoch: write a checkpoint if one is due."""
        every, trainer = self.every, loop.trainer
        if every.steps is not None:
            due = trainer.history.steps - self._step >= every.steps
        elif every.epochs is not None:
            due = epoch_ended and trainer.current_epoch - self._epoch >= every.epochs
        else:
            waited = time.perf_counter() - self._written
            due = waited >= max(every.seconds or 0.0, self._cost / SHARE)
        if due:
            self.write(loop)

    def write(self, loop: Fit, *, ended: Text | str | None = None, must: bool = False) -> None:
        """Write a checkpoint now. If that fails, say so and go on, unless it `must` be written."""
        began = time.perf_counter()
        trainer = loop.trainer
        checkpoint = Checkpoint(
            step=trainer.history.steps,
            epoch=trainer.current_epoch,
            settings=self.settings,
            state={
                **capture(trainer),
                **_place(loop),
                "first": self.first,
                "callbacks": {k: c.state() for k, c in named_callbacks(loop.callbacks).items()},
                "engine": trainer.engine_used,
                "threads": loop.threads,
                "ended": None if ended is None else str(ended),
            },
            score=_score(loop),
        )
        try:
            self.latest = self.folder.write(checkpoint)
        except OSError as error:
            if must:
                raise
            self._warn(error)
        self._step, self._epoch = checkpoint.step, checkpoint.epoch
        self._written = time.perf_counter()
        self._cost = self._written - began

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


def go_on(loop: Fit, checkpoint: Checkpoint) -> None:
    """Set a loop that is about to run to the place of a checkpoint."""
    state = checkpoint.state
    put_back(loop.trainer, state)
    for name, callback in named_callbacks(loop.callbacks).items():
        if name in state["callbacks"]:
            callback.restore(state["callbacks"][name])
    place = state["place"]
    loop.place = None if place is None else EpochPlace(state["generator"], **place)


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
