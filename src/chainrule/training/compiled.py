"""The training loop on the compiled engine: many steps, or many epochs, per call."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.compiled.step import CompiledStep
from chainrule.engine.compiled.values import NotCompilable
from chainrule.graph.reads import outdated
from chainrule.optimizers import clip_grads
from chainrule.training.callbacks import Callback, EarlyStopping
from chainrule.training.cost import weighed
from chainrule.training.history import History
from chainrule.training.loop import Loop, Settings
from chainrule.training.state import Training

__all__ = ["CompiledLoop"]

Array = npt.NDArray[Any]

#: How long a call should take, in seconds: short enough for Ctrl-C and a moving bar.
CALL = 0.025
#: A snapshot may cost this part of the time.
KEEPING = 0.03


class CompiledLoop(Loop):
    """As `Loop`, with whole stretches of steps run as machine code.

    `kernel` is None while the training is such that the compiled engine does not take it; then
    the steps are those of `Loop`.
    """

    def __init__(
        self,
        trainer: Training,
        x: Array,
        t: Array,
        w: Array | None,
        epochs: int,
        settings: Settings,
    ) -> None:
        super().__init__(trainer, x, t, w, epochs, settings)
        self.each_step = any(map(_looks_at_steps, self.watchers))
        self.each_epoch = bool(
            self.watchers
            or self.metrics
            or self.held is not None
            or self.optimizer.l1
            or self.optimizer.l2
            or self.optimizer.schedule.observes
        )
        self.may_change = any(type(c) is not EarlyStopping for c in self.watchers)
        self.begins = np.arange(0, self.n, self.batch_size)
        self.sizes = np.diff(np.append(self.begins, self.n))
        #: What was run since the state was kept, with the optimizer's numbers.
        self._log: list[tuple[Array, Array, Array]] = []
        self._kept: Any = None
        self._kept_at, self._cost = -math.inf, 0.0
        self.kernel: CompiledStep | None = None
        self._form: Any = None
        self._refresh()
        if self.kernel is not None:
            if trainer.model.engine != "compiled":
                trainer.model.engine = trainer.engine
            if self.held is not None or self.metrics:
                trainer.model._warm_up(
                    (self.x if self.held is None else self.held[0]), self.progress.say
                )
            self.progress.begin()

    def _refresh(self) -> None:
        """See that there is a kernel for the training as it now is: a callback may change it."""
        form = self._now()
        if form == self._form and not (self.kernel and outdated(self.kernel.reads)):
            return
        data = [("x", self.x), ("t", self.t)]
        if self.w is not None:
            data.append(("w", self.w))
        trainer, self._kept = self.trainer, None
        kinds = [part for name, a in data for part in (name, a.shape[1:], a.dtype)]
        # A kept kernel takes any data of the kind, and any state of the optimizer.
        whose = _Same(trainer.model), _Same(self.optimizer)
        asked = self.batch_size, self.settings.max_grad, trainer.threads
        wanted = (*form[:-1], *whose, *kinds, *asked)
        try:
            kept, kernel = trainer._kernel or (None, None)  # type: tuple[Any, Any]
            if kept == wanted and not outdated(kernel.reads):
                kernel.take(data)
            else:
                kernel = CompiledStep(
                    trainer.model,
                    self.optimizer,
                    data,
                    self.batch_size,
                    threads=trainer.threads,
                    max_grad=self.settings.max_grad,
                    say=self.progress.say,
                    seconds=self._seconds,
                )
                trainer._kernel = wanted, kernel
            self.kernel = kernel
            trainer.engine_used, trainer.engine_reason = "compiled", None
        except NotCompilable as reason:
            self.kernel = None
            trainer.engine_used, trainer.engine_reason = "numpy", reason.args[0]
        self._form = self._now()

    def _seconds(self) -> float:
        """How long compiling takes, about."""
        n = self.batch_size
        w = None if self.w is None else self.w[:n]
        return weighed(self.trainer, self.x[:n], self.t[:n], w).compiling

    def _now(self) -> Any:
        """What the kernel is made for."""
        o = self.optimizer
        switches = (bool(o.l1), bool(o.l2), bool(o.weight_decay), o.clip_value is None)
        # The kernel moves the very arrays of this state, so the list is kept to compare with.
        return (*switches, o.clip_norm is None, self.trainer.model._revision.number, _Same(o.state))

    def run(self) -> History:
        """All epochs; the kernel is kept for the next fit, the data are not."""
        try:
            return super().run()
        finally:
            if self.kernel is not None:
                self.kernel.release()

    def source(self) -> str | None:
        """The text of the compiled step."""
        return super().source() if self.kernel is None else self.kernel.text.source

    def _run(self) -> None:
        left = self.epochs
        while left and not self.trainer.stop_reason:
            self._refresh()
            number, count = self.trainer.current_epoch + 1, 1
            if self.kernel is None:
                self._epoch(number)
            else:
                if not (self.each_epoch or self.each_step):
                    count = int(min(left, max(1, CALL / (self.kernel.pace * self.steps))))
                self._some(number, count)
            left -= count

    def _some(self, number: int, count: int) -> None:
        """Some epochs, in as many calls as it takes."""
        trainer, steps = self.trainer, self.steps
        started, updates = time.perf_counter(), self.optimizer.iter
        dice = trainer.rng.bit_generator
        before, lr = dice.state, self._rate()
        order = np.empty((count, self.n), np.intp)
        self.batches.shuffle(order)
        starts = np.append(np.add.outer(np.arange(count) * self.n, self.begins), count * self.n)
        losses = np.empty(count * steps)
        done, failed = 0, False
        while done < len(losses) and not trainer.stop_reason and not failed:
            if self.each_step:
                self._refresh()
            most = 1
            if not self.each_step and self.kernel is not None:
                most = max(1, min(len(losses) - done, int(CALL / self.kernel.pace)))
            here = starts[done : done + most + 1]
            found, failed = self._call(
                order.reshape(-1), here, number + done // steps, done % steps
            )
            losses[done : done + len(found)] = found
            done += len(found)
            if self.progress.bar is not None and len(found):
                self.progress.step(number + (done - 1) // steps, float(found[-1]), len(found))
            if self.each_step and not failed:
                self._tell("on_step")
        ended = done // steps if failed else -(-done // steps)
        if ended + failed < count:  # the epochs to come are drawn when they come
            dice.state = before
            self.batches.shuffle(order[: ended + failed])
        # Every epoch of one call is told to have taken the same time.
        share = (time.perf_counter() - started) / max(ended, 1)
        means = self._means(losses[:done], order[:ended])
        schedule = self.optimizer.schedule
        lrs = [lr, *(float(schedule(updates + e * steps)) for e in range(1, len(means)))]
        for e, (mean, lr) in enumerate(zip(means.tolist(), lrs, strict=False)):
            if self.each_epoch:
                self._close(number + e, mean, lr, time.perf_counter() - share)
                continue
            figures = {"loss": mean, "lr": lr, "seconds": share}  # nobody else looks at it
            trainer.current_epoch = number + e
            trainer.history.epochs.append(figures)
            if self.progress.shows:
                self.progress.epoch(number + e, figures)
        if failed:
            e, i = divmod(done, steps)
            self._fail(order[e, self.begins[i] : self.begins[i] + self.batch_size], number + e, i)

    def _means(self, losses: Array, orders: Array) -> Array:
        """The loss of every epoch: batches count by their rows, or by the weights of these."""
        table = np.zeros((len(orders), self.steps))
        weights = np.empty_like(table)
        weights[...] = self.sizes
        if self.w is not None:
            each = self.w.astype(float).reshape(self.n, -1).sum(axis=1)
            for row, order in zip(weights, orders, strict=True):
                row[...] = np.add.reduceat(each[order], self.begins)
        k = min(len(losses), table.size)
        table.reshape(-1)[:k] = losses[:k]
        weights.reshape(-1)[k:] = 0  # of an epoch that was stopped
        whole = weights.sum(axis=1)
        means: Array = (table * weights).sum(axis=1) / np.where(whole == 0, 1, whole)
        return means

    def _call(self, order: Array, starts: Array, epoch: int, i: int) -> tuple[Array, bool]:
        """One call of the kernel; the losses of the steps that went well, and whether one did not.

        After one that did not, or an exception, the state is that after the last good step.
        """
        kernel, history = self.kernel, self.trainer.history
        rows, places = order[starts[0] : starts[-1]], starts - starts[0]
        if kernel is None:  # since a callback, in the midst of an epoch
            history.add_step(self.stepper.step(rows, epoch, i))
            return history.losses[-1:], False
        try:
            rates = kernel.rates(len(places) - 1)
        except Exception:  # of a schedule: the steps before that are to be made first
            places = places[:2]
            rates = kernel.rates(1)
        self._keep()
        began = time.perf_counter()
        try:
            losses = kernel.run(rows, places, rates)
        except BaseException:
            self._return()
            raise
        steps = len(places) - 1
        # A slow first call says little; what follows is longer by and by.
        kernel.pace = max((time.perf_counter() - began) / steps, kernel.pace / 8)
        failed = len(losses) < steps
        if failed:
            self._return()
            good = places[: len(losses) + 1]
            if len(losses):
                kernel.run(rows, good, rates)
        else:
            self._log.append((rows, places, rates))
        history.add_steps(losses)
        if self.settings.max_grad:  # as the NumPy engine leaves them
            clip_grads(self.stepper.program.segments()[1], self.settings.max_grad)
        return losses, failed

    def _keep(self) -> None:
        """Keep the state, not so often that it costs much time."""
        now = time.perf_counter()
        if self._kept is None or now - self._kept_at > self._cost / KEEPING:
            self._kept = self.trainer.snapshot(place=False)
            self._kept_at = time.perf_counter()
            self._cost = self._kept_at - now
            self._log.clear()

    def _return(self) -> None:
        """Go back to the state before the latest call: to the one kept, and on from there."""
        assert self.kernel is not None
        self.trainer.restore(self._kept)
        for entry in self._log:
            self.kernel.run(*entry)

    def _fail(self, rows: Array, epoch: int, i: int) -> None:
        """Let the NumPy engine name what is wrong with a batch."""
        assert self.kernel is not None
        self.stepper.gradient(rows, epoch, i)  # raises, if it finds the same
        for buffer, before in zip(self.stepper.buffers, self.stepper.before, strict=True):
            buffer[...] = before
        self.stepper.blame(rows, epoch, i, self.kernel.bad_loss)

    def _tell(self, event: str) -> None:
        if self.may_change:
            self._kept = None  # what a callback does is in no log
        super()._tell(event)


class _Same:
    """Equal to another of the very same object."""

    def __init__(self, thing: object) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.thing is self.thing

    def __hash__(self) -> int:
        return id(self.thing)


def _looks_at_steps(watcher: Callback) -> bool:
    return getattr(watcher.on_step, "__func__", None) is not Callback.on_step
