"""The states of many fits at once: in one checkpoint, or for the job that hands them back."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chainrule.errors import NonFiniteError
from chainrule.storage.checkpoint import Checkpoint
from chainrule.storage.folder import CheckpointFolder
from chainrule.training.callbacks import Callback, EarlyStopping
from chainrule.training.captured import put_back
from chainrule.training.checkpoints import (
    EVERY,
    NETWORKS,
    Checkpoints,
    EpochPlace,
    Fit,
    beginning,
    rejoin,
    state_of,
)
from chainrule.training.intervals import Interval
from chainrule.training.state import Training

__all__ = ["KeptFits", "finish", "has_begun", "is_finished"]


@dataclass
class _Waiting:
    """A fit that has not begun, or has ended."""

    trainer: Training
    callbacks: list[Callback] = field(default_factory=list)
    place: EpochPlace | None = None
    threads: int = 1


class KeptFits(Checkpoints):
    """Keeps the states of many fits; with a folder, checkpoints of all of them are written there.

    Steps and epochs of `every` are those of each: a checkpoint is due when any has made so many.
    """

    def __init__(
        self,
        trainings: Sequence[Training],
        folder: CheckpointFolder | None = None,
        every: Interval = EVERY,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        place = CheckpointFolder("") if folder is None else folder
        super().__init__(place, every, dict(settings or {}), {})
        self.writes = folder is not None
        self.trainings = list(trainings)
        self.firsts = [beginning(one) for one in trainings]
        #: The fits of the trainings, as far as they run; and the states that no longer change.
        self.fits: list[Fit] = [_Waiting(one) for one in trainings]
        self.fixed: dict[int, Mapping[str, Any]] = {}

    def join(self, fit: Fit) -> None:
        """A fit is about to run."""
        self.fits[self._number(fit)] = fit

    def _number(self, fit: Fit) -> int:
        return next(i for i, one in enumerate(self.trainings) if one is fit.trainer)

    def begin(self, loop: Fit) -> None:
        """A fit begins: it joins the others, whose first checkpoint is written."""
        self.join(loop)

    def keep(self, fit: Fit, why: str | None, error: NonFiniteError | None = None) -> None:
        """Keep the state that a fit has ended with, before early stopping goes back to its best epoch."""
        fit.place = None
        i = self._number(fit)
        said = None if error is None else error.args[0]
        state = {**state_of(fit, self.firsts[i], said or why), "error": said}
        self.fixed[i] = copy.deepcopy(state) if fit.callbacks else state

    def fix(self, i: int, state: Mapping[str, Any] | None = None) -> None:
        """Keep a state until another one is given: by default that of now."""
        if state is None:
            now = state_of(self.fits[i], self.firsts[i])
            state = copy.deepcopy({**now, "error": None}) if self.writes else None
        if state is not None:
            self.fixed[i] = state

    def observe_all(self) -> None:
        """After fits have ended: write a checkpoint if one is due."""
        if any(self.due(fit, epoch_ended=True) for fit in self.fits):
            self.write()

    def end(self, loop: Fit, why: str | None) -> None:
        """A fit has ended, or is interrupted."""
        if not loop.trainer.interrupted:
            self.keep(loop, why)
        self.write()

    def states(self) -> list[Mapping[str, Any]]:
        """The state of each fit, by number."""
        return [
            self.fixed[i] if i in self.fixed else {**state_of(fit, self.firsts[i]), "error": None}
            for i, fit in enumerate(self.fits)
        ]

    def steps_left(self, loop: Fit) -> int:
        """How many steps may be made in one go until a checkpoint is due."""
        return super().steps_left(loop) if self.writes else sys.maxsize

    def late(self) -> bool:
        """Whether a checkpoint is due by the clock."""
        return self.writes and super().late()

    def due(self, loop: Fit, *, epoch_ended: bool) -> bool:
        """Whether a checkpoint is to be written."""
        return self.writes and super().due(loop, epoch_ended=epoch_ended)

    def write(
        self, loop: Fit | None = None, *, ended: str | None = None, must: bool = False
    ) -> None:
        """Write a checkpoint of all now, if there is a folder."""
        if self.writes:
            super().write(loop or self.fits[0], must=must)

    def _trainings(self, loop: Fit) -> Sequence[Training]:
        return self.trainings

    def _checkpoint(self, loop: Fit, ended: str | None) -> Checkpoint:
        return Checkpoint(
            step=sum(one.history.steps for one in self.trainings),
            epoch=sum(one.current_epoch for one in self.trainings),
            settings=self.settings,
            state={NETWORKS: self.states()},
        )


def has_begun(state: Mapping[str, Any]) -> bool:
    """Whether a fit has made a step, or has ended before its first."""
    return len(state["history"]["losses"]) > 0 or state["ended"] is not None


def is_finished(state: Mapping[str, Any], epochs: int) -> bool:
    """Whether nothing is left to do for a fit of so many epochs."""
    return state["ended"] is not None or state["epoch"] - state["first"]["epoch"] >= epochs


def finish(trainer: Training, stopping: EarlyStopping | None, state: Mapping[str, Any]) -> None:
    """Give a training the state that its fit has ended with elsewhere, and end it here."""
    put_back(trainer, state)
    history, error = trainer.history, state["error"]
    if stopping is not None and error is None and state["callbacks"]:
        stopping.on_start(trainer)
        rejoin(_Waiting(trainer, [stopping]), state)
        stopping.on_end(trainer)
    trainer.stop_reason = history.stopped = state["ended"]
    history.interrupted = trainer.interrupted = False
    history.error = None if error is None else NonFiniteError(error)
    trainer.engine_used = state["engine"]
