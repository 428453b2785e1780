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
from chainrule.networks.steps import Segments, segments_of
from chainrule.optimizers import clip_grads
from chainrule.schedules import Constant
from chainrule.training.cost import step_estimate
from chainrule.training.history import History
from chainrule.training.loop import Loop, Settings
from chainrule.training.ranks import threads_of_rank
from chainrule.training.state import Snapshot, Training

__all__ = ["CALL_SECONDS", "CompiledLoop", "epoch_means"]

Array = npt.NDArray[Any]

#: How long one call of the kernel should take, in seconds: short enough for Ctrl-C and a smooth bar.
CALL_SECONDS = 0.025
#: The share of the time that snapshots may take.
SNAPSHOT_SHARE = 0.03


class CompiledLoop(Loop):
    """`Loop` with many steps per call, run as machine code.

    `kernel` is None while the compiled engine cannot run the training; then `Loop` makes the steps.
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
        self.observes_epochs = bool(
            self.callbacks
            or self.metrics
            or self.validation is not None
            or self.optimizer.l1
            or self.optimizer.l2
            or self.optimizer.schedule.observes
        )
        self.batch_starts = np.arange(0, self.n, self.batch_size)
        self.sizes = np.diff(np.append(self.batch_starts, self.n))
        #: The calls since the snapshot: row numbers, step bounds, the optimizer's numbers.
        self._log: list[tuple[Array, Array, Array]] = []
        self._snapshot: Snapshot | None = None
        self._snapshot_time, self._snapshot_cost = -math.inf, 0.0
        self.kernel: CompiledStep | None = None
        self._signature: tuple[object, ...] | None = None
        self._refresh()
        if self.kernel is not None:
            if trainer.model.engine != "compiled":
                trainer.model.engine = trainer.engine
            if self.validation is not None or self.metrics:
                trainer.model._warm_up(
                    (self.x if self.validation is None else self.validation[0]), self.progress.say
                )
            self.progress.begin()

    def _refresh(self) -> None:
        """Make the kernel anew if a callback has changed the training."""
        signature = self._current_signature()
        if signature == self._signature and not (self.kernel and outdated(self.kernel.reads)):
            return
        data = [("x", self.x), ("t", self.t)]
        if self.w is not None:
            data.append(("w", self.w))
        trainer, self._snapshot = self.trainer, None
        kinds = [part for name, a in data for part in (name, a.shape[1:], a.dtype)]
        # The kernel of an earlier fit takes any data of its kind, and any state of the optimizer.
        owners = _Identity(trainer.model), _Identity(self.optimizer)
        ranks = _Identity(trainer.communicator), trainer.reproducible
        options = self.batch_size, self.settings.max_grad, trainer.threads, *ranks
        key = (*signature[:-1], *owners, *kinds, *options)
        earlier = trainer._kernel
        try:
            if earlier is not None and earlier[0] == key and not outdated(earlier[1].reads):
                kernel = earlier[1]
                kernel.take(data)
            else:
                kernel = CompiledStep(
                    trainer.model,
                    self.optimizer,
                    data,
                    self.batch_size,
                    threads=self._threads(),
                    max_grad=self.settings.max_grad,
                    say=self.progress.say,
                    seconds=self._seconds,
                    division=trainer.division(trainer.model) if trainer.divides else None,
                )
                trainer._kernel = key, kernel
            self.kernel = kernel
            self.threads = kernel.shards
            trainer.engine_used, trainer.engine_reason = "compiled", None
        except NotCompilable as reason:
            self.kernel = None
            trainer.engine_used, trainer.engine_reason = "numpy", reason.args[0]
        self._signature = self._current_signature()

    def _threads(self) -> int | None:
        """The threads asked for; of ranks each has one."""
        return self.trainer.threads or threads_of_rank(self.trainer.communicator.size)

    def _seconds(self) -> float:
        """About how long compiling takes, in seconds."""
        n = self.batch_size
        w = None if self.w is None else self.w[:n]
        return step_estimate(self.trainer, self.x[:n], self.t[:n], w).compiling

    def _current_signature(self) -> tuple[object, ...]:
        """The properties of the training that a kernel depends on; the optimizer's state comes last."""
        o = self.optimizer
        switches = (bool(o.l1), bool(o.l2), bool(o.weight_decay), o.clip_value is None)
        # The kernel updates the arrays of this very list, so it is compared by identity.
        return (
            *switches,
            o.clip_norm is None,
            self.trainer.model._revision.number,
            _Identity(o.state),
        )

    def run(self) -> History:
        """Run all epochs. The kernel stays for the next fit, without the data."""
        try:
            return super().run()
        finally:
            if self.kernel is not None:
                self.kernel.release()

    def _segments(self) -> Segments:
        """The arrays that the optimizer updates; known without a step of the NumPy engine."""
        return super()._segments() if self.kernel is None else segments_of(self.trainer.model)

    def source(self) -> str | None:
        """The source text of the compiled step."""
        return super().source() if self.kernel is None else self.kernel.text.source

    def _run(self, left: int) -> None:
        while left and not self._stops():
            self._refresh()
            self._agree()
            number, count = self.trainer.current_epoch + 1, 1
            if self.kernel is None:
                self._epoch(number)
            else:
                if not (self.observes_epochs or self.observes_steps or self._keeps_counts()):
                    count = int(min(left, max(1, CALL_SECONDS / (self.kernel.pace * self.steps))))
                    count = self.ranks.of_first(count)
                self._run_epochs(number, count)
            left -= count
            self.ranks.compare_parameters(self.trainer.current_epoch)

    def _keeps_counts(self) -> bool:
        """Whether the next call is of one epoch: checkpoints count steps or epochs, or one is begun."""
        checkpoints = self.settings.checkpoints
        if self.ranks.several and self.settings.keeps:  # which may end at any step
            return True
        return self.place is not None or (
            checkpoints is not None and checkpoints.every.seconds is None
        )

    def _run_epochs(self, number: int, count: int) -> None:
        """Run `count` epochs from epoch `number` on, in as many calls as that takes."""
        trainer, steps, checkpoints = self.trainer, self.steps, self.settings.checkpoints
        order = np.empty((count, self.n), self.batches.dtype)
        place = self._open(order)
        start_time, updates = time.perf_counter() - place.seconds, self.optimizer.iter
        bit_generator = trainer.rng.bit_generator
        start_state, lr = place.generator, place.lr
        starts = np.append(
            np.add.outer(np.arange(count) * self.n, self.batch_starts), count * self.n
        )
        losses = np.empty(count * steps)
        done, failed = place.steps, False
        losses[:done] = trainer.history.losses[trainer.history.steps - done :]
        # Several epochs are short, and are made to their end, where their state is kept.
        whole = checkpoints is not None and count > 1
        stops = False
        while done < len(losses) and not failed and not stops:
            most = 1
            if self.observes_steps:
                self._refresh()
                self._agree()
            elif self.kernel is not None:
                most = max(1, min(len(losses) - done, int(CALL_SECONDS / self.kernel.pace)))
                if checkpoints is not None:
                    most = min(most, checkpoints.steps_left(self))
                most = self.ranks.of_first(most)
            bounds = starts[done : done + most + 1]
            new, failed = self._run_steps(
                order.reshape(-1), bounds, number + done // steps, done % steps
            )
            losses[done : done + len(new)] = new
            done += len(new)
            if self.progress.bar is not None and len(new):
                self.progress.step(number + (done - 1) // steps, float(new[-1]), len(new))
            if self.observes_steps and not failed:
                self._notify("on_step")
            stops = not whole and self._stops(in_epoch=True)  # once: a signal may come at any time
            if checkpoints is not None and count == 1 and not failed:
                place.steps, place.seconds = done, time.perf_counter() - start_time
                self._keep(checkpoints, stops)
        finished = done // steps if failed else -(-done // steps)
        if finished + failed < count:  # go back: epochs that did not run have drawn no order
            bit_generator.state = start_state
            self.batches.shuffle(order[: finished + failed])
        # The epochs share the time equally.
        share = (time.perf_counter() - start_time) / max(finished, 1)
        means = epoch_means(losses[:done], order[:finished], self.batch_starts, self.sizes, self.w)
        schedule, ended = self.optimizer.schedule, len(means)
        if type(schedule) is Constant:
            lrs = [lr] * ended
        else:
            lrs = [lr, *(float(schedule(updates + e * steps)) for e in range(1, ended))]
        if self.observes_epochs:
            for e, (mean, lr) in enumerate(zip(means.tolist(), lrs, strict=False)):
                self._close(number + e, mean, lr, time.perf_counter() - share)
        else:  # no callback or metric observes them
            figures = [
                {"loss": mean, "lr": lr, "seconds": share}
                for mean, lr in zip(means.tolist(), lrs, strict=False)
            ]
            trainer.history.epochs += figures
            self.place = None
            if figures:
                trainer.current_epoch = number + len(figures) - 1
            if self.progress.shows:
                for e, epoch in enumerate(figures):
                    self.progress.epoch(number + e, epoch)
            if checkpoints is not None and not trainer.stop_reason:
                checkpoints.observe(self, epoch_ended=True)
        if failed:
            e, i = divmod(done, steps)
            first = self.batch_starts[i]
            rows = order[e, first : first + self.batch_size].astype(np.intp, copy=False)
            self._fail(rows, number + e, i)

    def _run_steps(self, order: Array, starts: Array, epoch: int, i: int) -> tuple[Array, bool]:
        """One call of the kernel: the losses of the steps that succeeded, and whether one failed.

        order: row numbers; starts: where each step's rows begin in it, and where the last ends. A step
        fails if a number is not finite. After a failure or an exception the state is that after the
        last step that succeeded.
        """
        kernel, history = self.kernel, self.trainer.history
        rows = order[starts[0] : starts[-1]].astype(np.intp, copy=False)
        bounds = starts - starts[0]
        if kernel is None:  # a callback has made the step uncompilable during this epoch
            history.add_step(self.stepper.step(rows, epoch, i))
            return history.losses[-1:], False
        try:
            rates = kernel.rates(len(bounds) - 1)
        except Exception:  # raised by a schedule: make the steps before that update first
            bounds = bounds[:2]
            rates = kernel.rates(1)
        self._take_snapshot()
        start_time, sent = time.perf_counter(), self._sent
        try:
            losses = kernel.run(rows, bounds, rates)
        except BaseException:
            if not self.ranks.several:  # the others go no step back with this one
                self._roll_back()
            raise
        made = max(len(losses), 1)
        # The first call may be slow. Limiting the drop to 1/8 lets the calls grow step by step.
        seconds = time.perf_counter() - start_time
        kernel.pace = max(seconds / made, kernel.pace / 8)
        self._remark_pace(made, seconds, self._sent - sent)
        failed = kernel.failed
        if failed:
            self._roll_back()
            good = bounds[: len(losses) + 1]
            if len(losses):
                kernel.run(rows, good, rates, again=True)
        else:
            self._log.append((rows, bounds[: len(losses) + 1], rates))
        history.add_steps(losses)
        if self.settings.max_grad:  # leave the gradients clipped, as the NumPy engine does
            clip_grads(self._segments()[1], self.settings.max_grad)
        return losses, failed

    def _take_snapshot(self) -> None:
        """Take a snapshot, unless the share of the time spent on snapshots would be too large."""
        now = time.perf_counter()
        due = now - self._snapshot_time > self._snapshot_cost / SNAPSHOT_SHARE
        if self._snapshot is None or self.ranks.of_first(int(due)):
            self._snapshot = self.trainer.snapshot(place=False)
            self._snapshot_time = time.perf_counter()
            self._snapshot_cost = self._snapshot_time - now
            self._log.clear()

    def _roll_back(self) -> None:
        """Restore the state before the latest call: the snapshot, then the logged calls again."""
        assert self.kernel is not None
        assert self._snapshot is not None
        self.trainer.restore(self._snapshot)
        for entry in self._log:
            self.kernel.run(*entry, again=True)

    @property
    def _sent(self) -> float:
        """The seconds that messages between ranks have taken so far."""
        ranks = None if self.kernel is None else self.kernel.ranks
        return super()._sent if ranks is None else ranks.division.seconds

    def _told_to_stop(self) -> bool:
        """Whether any rank wanted to stop, at the latest step."""
        ranks = None if self.kernel is None else self.kernel.ranks
        return super()._told_to_stop() if ranks is None else ranks.stops

    def _fail(self, rows: Array, epoch: int, i: int) -> None:
        """Raise the error for a batch: the NumPy engine finds what is not finite."""
        assert self.kernel is not None
        self.stepper.explain(rows, epoch, i, self.kernel.bad_loss)

    def _notify(self, event: str) -> None:
        if self.may_change:
            self._snapshot = None  # the log does not record what a callback changes
        super()._notify(event)


def epoch_means(
    losses: Array, orders: Array, starts: Array, sizes: Array, w: Array | None
) -> Array:
    """The mean loss of every epoch: batches are weighted by their rows, or by the rows' weights.

    losses: of all steps so far, in order; orders: the row numbers of each epoch (epochs, rows);
    starts and sizes: where the batches of an epoch begin, and how many rows they have.
    """
    table = np.zeros((len(orders), len(starts)))
    weights = np.empty_like(table)
    weights[...] = sizes
    if w is not None:
        row_weights = w.astype(float).reshape(len(w), -1).sum(axis=1)
        for row, order in zip(weights, orders, strict=True):
            row[...] = np.add.reduceat(row_weights[order], starts)
    k = min(len(losses), table.size)
    table.reshape(-1)[:k] = losses[:k]
    weights.reshape(-1)[k:] = 0  # steps of a stopped epoch that did not run
    whole = weights.sum(axis=1)
    means: Array = (table * weights).sum(axis=1) / np.where(whole == 0, 1, whole)
    return means


class _Identity:
    """Compares by the identity of an object."""

    def __init__(self, target: object) -> None:
        self.target = target

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.target is self.target

    def __hash__(self) -> int:
        return id(self.target)
