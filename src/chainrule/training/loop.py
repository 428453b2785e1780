"""The training loop: mini-batch, gradient, update, repeat; and what can stop it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import NonFiniteError
from chainrule.lang.languages import chosen
from chainrule.lang.messages import _, in_language, sentences
from chainrule.networks.steps import Segments
from chainrule.nodes.base import ignore_fp_errors
from chainrule.optimizers import Optimizer
from chainrule.storage.checkpoint import Checkpoint
from chainrule.training.batches import Batches
from chainrule.training.callbacks import Callback, EarlyStopping
from chainrule.training.checkpoints import Checkpoints, EpochPlace, go_on
from chainrule.training.history import History
from chainrule.training.metrics import Metric
from chainrule.training.pace import Pace
from chainrule.training.progress import Progress
from chainrule.training.ranks import Ranks
from chainrule.training.signals import Interrupt
from chainrule.training.state import Training
from chainrule.training.stepper import BUFFER, Stepper

__all__ = ["Loop", "Settings", "columns", "not_finite_after"]

Array = npt.NDArray[Any]


@dataclass
class Settings:
    """The settings of one fit."""

    batch_size: int
    #: The held-out rows (x, t), if there are any.
    validation: tuple[Array, Array] | None = None
    metrics: dict[str, Metric] = field(default_factory=dict)
    max_grad: float | None = None
    shuffle: bool = True
    #: Whether the last batch of an epoch is left out, if it is smaller than the others.
    drop_last: bool = False
    callbacks: list[Callback] = field(default_factory=list)
    progress: str | bool | None = None
    #: The language of the progress lines.
    lang: str = "en"
    #: What writes checkpoints, and the one that the fit goes on from.
    checkpoints: Checkpoints | None = None
    resumed: Checkpoint | None = None
    #: Whether signals that end a program keep the training first; on rank 0 it writes checkpoints.
    keeps: bool = False


class Loop:
    """One fit on the NumPy engine: its epochs and steps."""

    def __init__(
        self,
        trainer: Training,
        x: Array,
        t: Array,
        w: Array | None,
        epochs: int,
        settings: Settings,
    ) -> None:
        self.trainer, self.settings = trainer, settings
        self.validation, self.metrics, self.callbacks = (
            settings.validation,
            settings.metrics,
            settings.callbacks,
        )
        self.ranks = Ranks(trainer)
        self.interrupt: Interrupt | None = None
        self.batch_size, self.epochs = settings.batch_size, epochs
        self.batches = Batches(
            len(x),
            self.batch_size,
            trainer.rng,
            shuffled=settings.shuffle,
            drop_last=settings.drop_last,
        )
        #: How many rows an epoch uses.
        self.n = self.batches.used
        self.steps = len(self.batches)
        self.stepper = Stepper(trainer, x, t, w, batches=self.steps, max_grad=settings.max_grad)
        self.x, self.t, self.w = x, t, w
        shows = settings.progress if self.ranks.first else None
        self.progress = Progress(shows, epochs, self.steps, settings.lang)
        self.optimizer = trainer.optimizer
        self.observes_steps = any(map(_observes_steps, self.callbacks))
        #: Whether a callback may change the training; one that only stops it does not.
        self.may_change = any(type(c) is not EarlyStopping for c in self.callbacks)
        self.pace = Pace(trainer.communicator.size)
        #: How far the present epoch has come; None between two epochs.
        self.place: EpochPlace | None = None
        #: How many threads share a batch.
        self.threads = 1

    def run(self) -> History:
        """Run all epochs, or those that are left after a checkpoint."""
        trainer, history, checkpoints = (
            self.trainer,
            self.trainer.history,
            self.settings.checkpoints,
        )
        history.stopped = trainer.stop_reason = None
        history.interrupted = trainer.interrupted = False
        trainer.received = None
        self._notify("on_start")
        left = self.epochs if self.settings.resumed is None else self._go_on(self.settings.resumed)
        history.reserve(left * self.steps)
        completed = False
        try:
            with (
                Interrupt(trainer, keeps=self.settings.keeps) as self.interrupt,
                ignore_fp_errors(),
            ):
                np.setbufsize(BUFFER)  # for this block only
                if checkpoints is not None:
                    checkpoints.begin(self)
                self._run(left)
                if checkpoints is not None and not checkpoints.complete:
                    why = trainer.stop_reason  # first: a signal may come at any time
                    checkpoints.end(self, None if trainer.interrupted else why)
            received = trainer.received = trainer.received or self.interrupt.received
            if received is not None:
                trainer.stop(_("stopped by {signal}", signal=received.name))
            if received is not None and checkpoints is not None:
                kept = _(
                    "stopped by {signal} in epoch {epoch}; the training is kept in {file}",
                    signal=received.name,
                    epoch=trainer.current_epoch,
                    file=checkpoints.latest,
                )
                self.progress.say(kept)
            completed = True
        except Exception as error:
            if checkpoints is not None and (note := checkpoints.note()) is not None:
                error.add_note(in_language(note, chosen()))
            raise
        finally:
            self.progress.close()
            if completed:
                self._notify("on_end")
        history.stopped, history.interrupted = trainer.stop_reason, trainer.interrupted
        return history

    def _go_on(self, resumed: Checkpoint) -> int:
        """Go to the place of a checkpoint; gives the number of epochs that are left."""
        go_on(self, resumed.state)
        state, trainer = resumed.state, self.trainer
        self.progress.say(_("going on from {file}", file=resumed.path))
        if state["ended"] is not None:  # something other than the number of epochs ended it
            trainer.stop(state["ended"])
            return 0
        left: int = self.epochs - (trainer.current_epoch - state["first"]["epoch"])
        return max(0, left)

    def _run(self, left: int) -> None:
        for _epoch in range(left):
            if self._stops():
                break
            self._agree()
            self._epoch(self.trainer.current_epoch + 1)
            self.ranks.compare_parameters(self.trainer.current_epoch)

    def _stops(self, *, in_epoch: bool = False) -> bool:
        """Whether training ends here. Of several ranks all say the same.

        After a step they know it by the message of its gradients, unless a callback came after that.
        """
        trainer = self.trainer
        if self.ranks.several and in_epoch and not self.observes_steps:
            stops = self._told_to_stop()
        else:
            stops = self.ranks.any(bool(trainer.stop_reason))
        if stops and self.interrupt is not None:
            trainer.received = self.ranks.agree_to_stop(self.interrupt.received)
        return stops

    @property
    def _sent(self) -> float:
        """The seconds that messages between ranks have taken so far."""
        return self.stepper.program.sent if self.ranks.several else 0.0

    def _remark_pace(self, steps: int, seconds: float, sent: float) -> None:
        """Say once, after some steps, if ranks are slower than one alone."""
        remark = self.pace.add(steps, seconds, sent)
        if remark is not None:
            self.progress.say(remark)

    def _agree(self) -> None:
        """Of several ranks: see that callbacks have changed the same on all of them."""
        if self.may_change:
            self.ranks.refuse_other_steps()

    def _told_to_stop(self) -> bool:
        """Whether any rank wanted to stop, at the latest step."""
        return self.stepper.program.stops

    def _epoch(self, number: int) -> None:
        history, checkpoints = self.trainer.history, self.settings.checkpoints
        place = self._open()
        start_time, total, rows = time.perf_counter() - place.seconds, 0.0, 0.0
        earlier = history.losses[history.steps - place.steps :].tolist()
        for i in range(self.steps):
            batch = self.batches[i]
            if i < place.steps:  # made before the checkpoint
                loss = earlier[i]
            else:
                if self.observes_steps:
                    self._agree()
                began, sent = time.perf_counter(), self._sent
                loss = self.stepper.step(batch, number, i)
                self._remark_pace(1, time.perf_counter() - began, self._sent - sent)
                history.add_step(loss)
            # The epoch's loss weights the batches by their rows, or by the rows' weights.
            weight = len(batch) if self.w is None else float(self.w[batch].sum())
            total, rows = total + loss * weight, rows + weight
            if i < place.steps:
                continue
            place.steps = i + 1
            if self.progress.bar is not None:
                self.progress.step(number, loss)
            if self.callbacks:
                self._notify("on_step")
            stops = self._stops(in_epoch=True)  # once: a signal may come at any time
            if checkpoints is not None:
                place.seconds = time.perf_counter() - start_time
                self._keep(checkpoints, stops)
            if stops:
                break
        self._close(number, total / rows if rows else 0.0, place.lr, start_time)

    def _open(self, order: Array | None = None) -> EpochPlace:
        """Draw the order of an epoch, or that of the epoch that a checkpoint was in the midst of."""
        bits = self.trainer.rng.bit_generator
        if self.place is None:
            self.place = EpochPlace(bits.state, self._rate())
        else:
            bits.state = self.place.generator
        self.batches.shuffle(order)
        return self.place

    def _keep(self, checkpoints: Checkpoints, stops: bool) -> None:
        """After steps: write a checkpoint if it is due, or if training `stops` here.

        After the last step of an epoch that waits until the epoch is closed.
        """
        if self.place is None or self.place.steps == self.steps:
            return
        if stops:
            checkpoints.write(self)
            checkpoints.complete = True
        else:
            checkpoints.observe(self, epoch_ended=False)

    def _rate(self) -> float:
        return float(getattr(self.trainer.optimizer, "lr", math.nan))

    def _close(self, number: int, loss: float, lr: float, start_time: float) -> None:
        """End an epoch: evaluate, add its row to the history, and notify schedule and callbacks."""
        trainer = self.trainer
        trainer.current_epoch, self.place = number, None
        figures = {"loss": loss}
        figures.update(self._evaluation(number))
        self._add_penalty(figures)
        figures.update(lr=lr, seconds=time.perf_counter() - start_time)
        trainer.history.epochs.append(figures)
        if isinstance(trainer.optimizer, Optimizer):
            trainer.optimizer.schedule.observe(figures.get("val_loss", figures["loss"]))
        self.progress.epoch(number, figures)
        self._notify("on_epoch")
        if self.settings.checkpoints is not None and not trainer.stop_reason:
            self.settings.checkpoints.observe(self, epoch_ended=True)

    def _evaluation(self, number: int) -> dict[str, float]:
        """Loss and metrics on the held-out rows; without any, the given metrics on all rows."""
        if self.validation is None and not self.metrics:
            return {}
        data = (self.x, self.t) if self.validation is None else self.validation
        try:
            scores = self.trainer.evaluate_prepared(*data, self.metrics)
        except NonFiniteError as error:
            raise not_finite_after(number, self.validation is not None, error) from None
        return columns(scores, self.validation is not None)

    def _add_penalty(self, figures: dict[str, float]) -> None:
        optimizer = self.trainer.optimizer
        if isinstance(optimizer, Optimizer) and (optimizer.l1 or optimizer.l2):
            params, _, decays, _ = self._segments()
            figures["penalty"] = optimizer.penalty(params, decays)

    def _segments(self) -> Segments:
        """The arrays that the optimizer updates."""
        return self.stepper.program.segments()

    def source(self) -> str | None:
        """The text of the step's program; None for a hand-written model, which has none."""
        return self.stepper.program.source

    def _notify(self, event: str) -> None:
        for callback in self.callbacks:
            try:
                getattr(callback, event)(self.trainer)
            except Exception as error:
                note = _(
                    "raised by the callback {callback}.{event} in epoch {epoch}; the model is as the last"
                    " step left it",
                    callback=type(callback).__name__,
                    event=event,
                    epoch=self.trainer.current_epoch,
                )
                error.add_note(in_language(note, chosen()))
                raise


def _observes_steps(callback: Callback) -> bool:
    return getattr(callback.on_step, "__func__", None) is not Callback.on_step


def columns(scores: dict[str, float], held_out: bool) -> dict[str, float]:
    """The scores of held-out rows, or of those trained on, as columns of the history."""
    if not held_out:
        return {name: value for name, value in scores.items() if name != "loss"}
    return {f"val_{name}": value for name, value in scores.items()}


def not_finite_after(epoch: int, held_out: bool, error: NonFiniteError) -> NonFiniteError:
    """The error for rows that could not be evaluated after an epoch."""
    if held_out:
        when = _(
            "Training stopped after epoch {epoch}, when the held-out rows were evaluated.",
            epoch=epoch,
        )
    else:
        when = _("Training stopped after epoch {epoch}, when all rows were evaluated.", epoch=epoch)
    return NonFiniteError(sentences(when, *error.args))
