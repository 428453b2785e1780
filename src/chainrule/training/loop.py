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
from chainrule.networks import Network
from chainrule.networks.steps import Runs, Step, make_step
from chainrule.nodes.base import quiet
from chainrule.optimizers import Optimizer, clip_grads, global_norm
from chainrule.training.callbacks import Callback
from chainrule.training.history import History
from chainrule.training.metrics import Metric
from chainrule.training.progress import Progress
from chainrule.training.state import Training

__all__ = ["Interrupt", "Loop", "Settings"]

#: How many elements NumPy copies at a time where an operand is repeated: a step stays within a
#: few KiB of its plan, and is no slower than with NumPy's own 8,192.
BUFFER = 416

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
        self.steps = math.ceil(self.n / self.batch_size)
        self.step: Step = make_step(trainer.model, x, t, w)
        self.x, self.t, self.w = x, t, w
        self.progress = Progress(settings.progress, epochs, self.steps)
        self.buffers: list[Array] = []
        if isinstance(trainer.model, Network):
            self.buffers = list(trainer.model.named_buffers().values())
        self.before = [b.copy() for b in self.buffers]
        self.optimizer = trainer.optimizer
        self.ours = isinstance(trainer.optimizer, Optimizer)
        self.rows = np.arange(self.n)
        self.order = self.rows.copy()

    def run(self) -> History:
        """All epochs."""
        trainer, history = self.trainer, self.trainer.history
        history.reserve(self.epochs * self.steps)
        history.stopped = trainer.stop_reason = None
        self._tell("on_start")
        ended = False
        try:
            with Interrupt(trainer), quiet():
                np.setbufsize(BUFFER)  # for this block only
                self._run()
            ended = True
        finally:
            self.progress.close()
            if ended:
                self._tell("on_end")
        history.stopped = trainer.stop_reason
        return history

    def _run(self) -> None:
        for _ in range(self.epochs):
            if self.trainer.stop_reason:
                break
            self._epoch(self.trainer.current_epoch + 1)

    def _epoch(self, number: int) -> None:
        trainer, history = self.trainer, self.trainer.history
        started, total, rows = time.perf_counter(), 0.0, 0.0
        self.draw(self.order)
        lr = self._rate()
        for i in range(self.steps):
            batch = self.order[i * self.batch_size : (i + 1) * self.batch_size]
            loss = self.take(batch, number, i)
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

    def draw(self, order: Array) -> None:
        """The order of the rows in an epoch, or in several, one below the other."""
        order[...] = self.rows
        if self.settings.shuffle:
            self.trainer.rng.permuted(order, axis=-1, out=order)

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
            which = "all" if self.held is None else "the held-out"
            raise NonFiniteError(
                f"Training stopped after epoch {number}, when {which} rows were evaluated. {error}"
            ) from None
        if self.held is None:
            return {name: value for name, value in found.items() if name != "loss"}
        return {f"val_{name}": value for name, value in found.items()}

    def _add_penalty(self, figures: dict[str, float]) -> None:
        optimizer = self.trainer.optimizer
        if isinstance(optimizer, Optimizer) and (optimizer.l1 or optimizer.l2):
            runs = self.step.runs()
            figures["penalty"] = optimizer.penalty(runs[0], runs[2])

    def take(self, rows: Array, epoch: int, i: int) -> float:
        """One step with these rows: gradient, check, update; the loss before the update.

        Raises:
            NonFiniteError: the loss or a gradient is not finite, and nothing was updated.
        """
        loss, (params, grads, decays, factors) = self._gradient(rows, epoch, i)
        if self.ours and not params:  # all is frozen, and the state is to wait for what comes
            self.optimizer.iter += 1
        elif self.ours:
            # An optimizer with an update of its own need not know of factors.
            self.optimizer.update(params, grads, decays, *(() if factors is None else (factors,)))
        else:
            self.optimizer.update(params, grads)
        return loss

    def _gradient(self, rows: Array, epoch: int, i: int) -> tuple[float, Runs]:
        """The loss of a batch, and what to update; raises if a number is not finite."""
        if self.buffers:
            _copy(self.buffers, self.before)
        loss = self.step.run(rows)
        runs = self.step.runs()
        grads, most = runs[1], self.settings.max_grad
        norm = clip_grads(grads, most) if most else global_norm(grads)
        if not (math.isfinite(loss) and math.isfinite(norm) and self._sound()):
            _copy(self.before, self.buffers)
            self._blame(rows, epoch, i, loss)
        return loss, runs

    def _sound(self) -> bool:
        return not self.buffers or all(np.isfinite(buffer).all() for buffer in self.buffers)

    def _blame(self, rows: Array, epoch: int, i: int, loss: float) -> None:
        model = self.trainer.model
        what = (
            f"the loss is {loss}"
            if not math.isfinite(loss)
            else ("a gradient or a running statistic is not finite")
        )
        where = ""
        if isinstance(model, Network):
            w = None if self.w is None else self.w[rows]
            where = " " + model.find_nonfinite(self.x[rows], self.t[rows], w)
        raise NonFiniteError(
            f"Training stopped in epoch {epoch}, batch {i + 1} of {self.steps}: {what}.{where} The"
            f" parameters are those before this batch. Lower the learning rate (now"
            f" {getattr(self.trainer.optimizer, 'lr', '?')}), clip the gradients (max_grad=1.0), or look"
            " at the scale of the data."
        )

    def source(self) -> str | None:
        """The text of the step's program; None if there is none, as for a model by hand."""
        return self.step.source

    def _tell(self, event: str) -> None:
        for watcher in self.watchers:
            try:
                getattr(watcher, event)(self.trainer)
            except Exception as error:
                error.add_note(
                    f"raised by the callback {type(watcher).__name__}.{event} in epoch"
                    f" {self.trainer.current_epoch}; the model is as the last step left it"
                )
                raise


def _copy(sources: list[Array], targets: list[Array]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target[...] = source


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
        self.trainer.stop("interrupted by Ctrl-C")

    def __exit__(self, *error: object) -> None:
        if self.old is signal.default_int_handler:
            signal.signal(signal.SIGINT, self.old)
