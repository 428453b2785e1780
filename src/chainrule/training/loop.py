"""The training loop: mini-batch, gradient, update, repeat; and what may end it."""

from __future__ import annotations

import math
import signal
import threading
import time
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

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

__all__ = ["Interrupt", "Loop", "Settings"]

Array = npt.NDArray[Any]


@dataclass
class Settings:
    """What a fit was asked for."""

    batch_size: int
    held: tuple[Array, Array] | None = None
    metrics: dict[str, Metric] = field(default_factory=dict)
    max_grad: float | None = None
    shuffle: bool = True
    watchers: list[Callback] = field(default_factory=list)
    progress: str | bool | None = None
    #: The language of what is shown.
    lang: str = "en"


class Loop:
    """One fit: the epochs, the steps, and what may end them."""

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
        self.held, self.metrics, self.watchers = settings.held, settings.metrics, settings.watchers
        self.n, self.batch_size, self.epochs = len(x), settings.batch_size, epochs
        self.batches = Batches(self.n, self.batch_size, trainer.rng, shuffled=settings.shuffle)
        self.steps = len(self.batches)
        self.stepper = Stepper(trainer, x, t, w, batches=self.steps, max_grad=settings.max_grad)
        self.x, self.t, self.w = x, t, w
        self.progress = Progress(settings.progress, epochs, self.steps, settings.lang)
        self.optimizer = trainer.optimizer

    def run(self) -> History:
        """All epochs."""
        trainer, history = self.trainer, self.trainer.history
        history.reserve(self.epochs * self.steps)
        history.stopped = trainer.stop_reason = None
        history.interrupted = trainer.interrupted = False
        self._tell("on_start")
        ended = False
        try:
            with Interrupt(trainer), ignore_fp_errors():
                np.setbufsize(BUFFER)  # for this block only
                self._run()
            ended = True
        finally:
            self.progress.close()
            if ended:
                self._tell("on_end")
        history.stopped, history.interrupted = trainer.stop_reason, trainer.interrupted
        return history

    def _run(self) -> None:
        for _epoch in range(self.epochs):
            if self.trainer.stop_reason:
                break
            self._epoch(self.trainer.current_epoch + 1)

    def _epoch(self, number: int) -> None:
        trainer, history = self.trainer, self.trainer.history
        started, total, rows = time.perf_counter(), 0.0, 0.0
        self.batches.shuffle()
        lr = self._rate()
        for i in range(self.steps):
            batch = self.batches[i]
            loss = self.stepper.step(batch, number, i)
            history.add_step(loss)
            # Of batches too, the mean is weighted: by rows, or by the weights of the rows.
            weight = len(batch) if self.w is None else float(self.w[batch].sum())
            total, rows = total + loss * weight, rows + weight
            if self.progress.bar is not None:
                self.progress.step(number, loss)
            if self.watchers:
                self._tell("on_step")
            if trainer.stop_reason:
                break
        self._close(number, total / rows if rows else 0.0, lr, started)

    def _rate(self) -> float:
        return float(getattr(self.trainer.optimizer, "lr", math.nan))

    def _close(self, number: int, loss: float, lr: float, started: float) -> None:
        """What there is to do and to tell at the end of an epoch."""
        trainer = self.trainer
        trainer.current_epoch = number
        figures = {"loss": loss}
        figures.update(self._evaluated(number))
        self._add_penalty(figures)
        figures.update(lr=lr, seconds=time.perf_counter() - started)
        trainer.history.epochs.append(figures)
        if isinstance(trainer.optimizer, Optimizer):
            trainer.optimizer.schedule.observe(figures.get("val_loss", figures["loss"]))
        self.progress.epoch(number, figures)
        self._tell("on_epoch")

    def _evaluated(self, number: int) -> dict[str, float]:
        """Loss and metrics on the held-out rows; without any, the metrics that were asked for."""
        if self.held is None and not self.metrics:
            return {}
        data = (self.x, self.t) if self.held is None else self.held
        try:
            found = self.trainer.evaluate_prepared(*data, self.metrics)
        except NonFiniteError as error:
            if self.held is None:
                when = _(
                    "Training stopped after epoch {epoch}, when all rows were evaluated.",
                    epoch=number,
                )
            else:
                when = _(
                    "Training stopped after epoch {epoch}, when the held-out rows were evaluated.",
                    epoch=number,
                )
            raise NonFiniteError(sentences(when, *error.args)) from None
        if self.held is None:
            return {name: value for name, value in found.items() if name != "loss"}
        return {f"val_{name}": value for name, value in found.items()}

    def _add_penalty(self, figures: dict[str, float]) -> None:
        optimizer = self.trainer.optimizer
        if isinstance(optimizer, Optimizer) and (optimizer.l1 or optimizer.l2):
            params, _, decays, _ = self.stepper.program.segments()
            figures["penalty"] = optimizer.penalty(params, decays)

    def source(self) -> str | None:
        """The text of the step's program; None if there is none, as for a model by hand."""
        return self.stepper.program.source

    def _tell(self, event: str) -> None:
        for watcher in self.watchers:
            try:
                getattr(watcher, event)(self.trainer)
            except Exception as error:
                note = _(
                    "raised by the callback {callback}.{event} in epoch {epoch}; the model is as the last"
                    " step left it",
                    callback=type(watcher).__name__,
                    event=event,
                    epoch=self.trainer.current_epoch,
                )
                error.add_note(in_language(note, chosen()))
                raise


class Interrupt:
    """Ctrl-C asks for a stop at the next step's end; a second one raises at once."""

    def __init__(self, trainer: Training) -> None:
        self.trainer = trainer
        self.old: Any = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self.old = signal.getsignal(signal.SIGINT)
            if self.old is signal.default_int_handler:
                signal.signal(signal.SIGINT, self._asked)

    def _asked(self, number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, self.old)
        self.trainer.interrupt()

    def __exit__(self, *error: object) -> None:
        if self.old is signal.default_int_handler:
            signal.signal(signal.SIGINT, self.old)
