"""The training loop: mini-batch, gradient, update, repeat; and what can stop it."""

from __future__ import annotations

import math
import signal
import threading
import time
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from chainrule.errors import NonFiniteError
from chainrule.lang.languages import chosen
from chainrule.lang.messages import _, in_language, sentences
from chainrule.nodes.base import ignore_fp_errors
from chainrule.optimizers import Optimizer
from chainrule.training.batches import Batches
from chainrule.training.callbacks import Callback
from chainrule.training.history import History
from chainrule.training.metrics import Metric
from chainrule.training.progress import Progress
from chainrule.training.state import Training
from chainrule.training.stepper import BUFFER, Stepper

__all__ = ["Interrupt", "Loop", "Settings", "columns", "not_finite_after"]

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
    callbacks: list[Callback] = field(default_factory=list)
    progress: str | bool | None = None
    #: The language of the progress lines.
    lang: str = "en"


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
        self.n, self.batch_size, self.epochs = len(x), settings.batch_size, epochs
        self.batches = Batches(self.n, self.batch_size, trainer.rng, shuffled=settings.shuffle)
        self.steps = len(self.batches)
        self.stepper = Stepper(trainer, x, t, w, batches=self.steps, max_grad=settings.max_grad)
        self.x, self.t, self.w = x, t, w
        self.progress = Progress(settings.progress, epochs, self.steps, settings.lang)
        self.optimizer = trainer.optimizer

    def run(self) -> History:
        """Run all epochs."""
        trainer, history = self.trainer, self.trainer.history
        history.reserve(self.epochs * self.steps)
        history.stopped = trainer.stop_reason = None
        history.interrupted = trainer.interrupted = False
        self._notify("on_start")
        completed = False
        try:
            with Interrupt(trainer), ignore_fp_errors():
                np.setbufsize(BUFFER)  # for this block only
                self._run()
            completed = True
        finally:
            self.progress.close()
            if completed:
                self._notify("on_end")
        history.stopped, history.interrupted = trainer.stop_reason, trainer.interrupted
        return history

    def _run(self) -> None:
        for _epoch in range(self.epochs):
            if self.trainer.stop_reason:
                break
            self._epoch(self.trainer.current_epoch + 1)

    def _epoch(self, number: int) -> None:
        trainer, history = self.trainer, self.trainer.history
        start_time, total, rows = time.perf_counter(), 0.0, 0.0
        self.batches.shuffle()
        lr = self._rate()
        for i in range(self.steps):
            batch = self.batches[i]
            loss = self.stepper.step(batch, number, i)
            history.add_step(loss)
            # The epoch's loss weights the batches by their rows, or by the rows' weights.
            weight = len(batch) if self.w is None else float(self.w[batch].sum())
            total, rows = total + loss * weight, rows + weight
            if self.progress.bar is not None:
                self.progress.step(number, loss)
            if self.callbacks:
                self._notify("on_step")
            if trainer.stop_reason:
                break
        self._close(number, total / rows if rows else 0.0, lr, start_time)

    def _rate(self) -> float:
        return float(getattr(self.trainer.optimizer, "lr", math.nan))

    def _close(self, number: int, loss: float, lr: float, start_time: float) -> None:
        """End an epoch: evaluate, add its row to the history, and notify schedule and callbacks."""
        trainer = self.trainer
        trainer.current_epoch = number
        figures = {"loss": loss}
        figures.update(self._evaluation(number))
        self._add_penalty(figures)
        figures.update(lr=lr, seconds=time.perf_counter() - start_time)
        trainer.history.epochs.append(figures)
        if isinstance(trainer.optimizer, Optimizer):
            trainer.optimizer.schedule.observe(figures.get("val_loss", figures["loss"]))
        self.progress.epoch(number, figures)
        self._notify("on_epoch")

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
            params, _, decays, _ = self.stepper.program.segments()
            figures["penalty"] = optimizer.penalty(params, decays)

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


class _Interruptible(Protocol):
    def interrupt(self) -> None:
        """End training, since Ctrl-C was pressed."""


class Interrupt:
    """Within it, Ctrl-C stops training at the end of the current step; a second one raises at once."""

    def __init__(self, trainer: _Interruptible) -> None:
        self.trainer = trainer
        self.previous: Any = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self.previous = signal.getsignal(signal.SIGINT)
            if self.previous is signal.default_int_handler:
                signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, self.previous)
        self.trainer.interrupt()

    def __exit__(self, *error: object) -> None:
        if self.previous is signal.default_int_handler:
            signal.signal(signal.SIGINT, self.previous)
