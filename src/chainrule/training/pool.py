"""Networks of like structure, trained by threads that each run the steps of several in one call."""

from __future__ import annotations

import contextvars
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.cache import ProgramCache
from chainrule.engine.compiled.many import Given, SharedStep, Workplace, address, put
from chainrule.engine.compiled.pieces import bound
from chainrule.engine.compiled.step import CompiledStep
from chainrule.errors import NonFiniteError, RecordingError
from chainrule.graph.reads import outdated
from chainrule.lang.messages import _
from chainrule.layers import Loss
from chainrule.networks import Network
from chainrule.networks.flat import Segment
from chainrule.nodes.base import ignore_fp_errors
from chainrule.optimizers import Optimizer, clip_grads
from chainrule.schedules import Constant
from chainrule.training.batches import Batches, rows_used
from chainrule.training.callbacks import EarlyStopping
from chainrule.training.compiled import CALL_SECONDS, epoch_means
from chainrule.training.cost import step_estimate
from chainrule.training.loop import Settings, columns, not_finite_after
from chainrule.training.progress import ProgressOfMany
from chainrule.training.signals import Interrupt
from chainrule.training.state import scores_of
from chainrule.training.stepper import BUFFER, Stepper
from chainrule.training.structure import structure_of
from chainrule.training.trainer import Trainer

__all__ = ["Cohort", "Group", "Member", "Pool"]

Array = npt.NDArray[Any]

#: The most row numbers that a thread draws at a time.
MOST_ROWS = 4_000_000


class Member:
    """One network in its training."""

    def __init__(
        self,
        trainer: Trainer,
        data: tuple[Array, Array, Array | None],
        rows: Array | None,
        held_out: tuple[Array, Array] | None,
        stopping: EarlyStopping | None,
        structure: Hashable,
        seeds: Sequence[int],
    ) -> None:
        self.trainer, self.data, self.rows, self.held_out = trainer, data, rows, held_out
        self.stopping, self.structure, self.seeds = stopping, structure, seeds
        #: How many rows it is trained on.
        self.n = len(data[0]) if rows is None else len(rows)
        #: How many epochs are left.
        self.left = 0
        self.begun = self.ended = False
        self.error: NonFiniteError | None = None
        self.segments: Sequence[Segment] = ()
        #: The arrays that a step changes, but for the gradients.
        self.changing: list[Array] = []
        self.given: Given | None = None
        self.cohort: Cohort

    @property
    def evaluated(self) -> tuple[Array, Array]:
        """The rows to evaluate after an epoch."""
        return self.data[:2] if self.held_out is None else self.held_out

    def bind(self, buffers: Collection[Array]) -> list[Array]:
        """Make the optimizer's state; gives the arrays that are the network's own."""
        flats = self.trainer.model._flatten_parameters()
        self.segments = [run for flat in flats for run in flat.segments()]
        state = [s for slots in bound(self.trainer.optimizer, self.segments) for s in slots]
        self.changing = [*(s.data for s in self.segments), *buffers, *state]
        return [*(a for flat in flats for a in (flat.data, flat.grad)), *buffers, *state]


class Group:
    """Networks that share a compiled step; `key` is the same for all that may.

    Raises:
        NotCompilable: it cannot be compiled.
    """

    def __init__(
        self,
        first: Member,
        batch: int,
        settings: Settings,
        key: Hashable,
        say: Callable[[str], None],
    ) -> None:
        self.batch, self.settings = batch, settings
        self.shared = _shared_step(first, batch, settings, key, say)
        self.step = self.shared.step
        network, o = self.step.network, first.trainer.optimizer
        self.network: Network = network  # type: ignore[assignment]
        self.has_buffers = bool(self.network.named_buffers())
        idle = {id(g) for g in self.step.idle}
        parameters = enumerate(network.named_parameters().values())
        #: The places of parameters whose gradients no step writes.
        self.idle = [i for i, p in parameters if id(p.grad) in idle]
        self.loss: Loss = first.trainer.model.loss
        self.evaluates = first.held_out is not None or bool(settings.metrics)
        #: Whether something follows from every epoch.
        self.observes = bool(
            self.evaluates or first.stopping or o.l1 or o.l2 or o.schedule.observes
        )
        self.workplaces: dict[int, Workplace] = {}
        self._data: dict[tuple[int, ...], Given] = {}
        if self.evaluates:
            if self.network.engine == "auto":  # it would not always compile
                self.network.engine = "compiled"
            self.network._warm_up(first.evaluated[0], say)
        #: Whether several threads may predict at a time; recording for NumPy runs a user's own code.
        self.predicts = self.evaluates and self.network._compiled(first.evaluated[0]) is not None

    def alone(self) -> AbstractContextManager[None]:
        """Within it, BLAS uses one thread for each of ours."""
        return nullcontext() if self.step.blas is None else self.step.blas.alone()

    def workplace(self, k: int) -> Workplace:
        """What thread k works with."""
        if k not in self.workplaces:
            self.workplaces[k] = Workplace(self.shared)
        return self.workplaces[k]

    def data_of(self, member: Member) -> Given:
        """The words for a member's data."""
        x, t, w = member.data
        key = id(x), id(t), id(w), member.n
        if key not in self._data:
            used = rows_used(member.n, self.batch, self.settings.drop_last)
            self._data[key] = self.shared.for_data(_named(x, t, w), used)
        return self._data[key]

    def begin(self, member: Member) -> None:
        """Make a member ready for its first step."""
        trainer, network = member.trainer, member.trainer.model
        own = member.bind(network.named_buffers().values() if self.has_buffers else ())
        member.given = self.shared.for_network(self.data_of(member), own, member.seeds)
        trainer.engine_used, member.begun = "compiled", True
        if network.engine != "compiled":
            network.engine = "compiled"
        if self.evaluates and network is not self.network:
            network._predict_like(self.network, member.evaluated[0])
        parameters = list(network.named_parameters().values()) if self.idle else []
        for i in self.idle:
            parameters[i].grad.fill(0)
        trainer.history.reserve(member.left * member.cohort.steps)
        if member.stopping is not None:
            member.stopping.on_start(trainer)


#: The steps of small networks, for later calls.
_steps: ProgramCache[SharedStep] = ProgramCache(16)
_steps_lock = threading.Lock()
#: Larger networks, in bytes, are not kept.
_KEPT = 1 << 20


def _shared_step(
    first: Member, batch: int, settings: Settings, key: Hashable, say: Callable[[str], None]
) -> SharedStep:
    """The step for networks like the first: an earlier call's, or recorded now."""
    key = key, settings.max_grad is None
    with _steps_lock:
        known = _steps.get(key, 0)
    if known is not None and not outdated(known.step.reads):
        # That network may have been changed since.
        now = structure_of(known.step.network)  # type: ignore[arg-type]
        then = first.structure, list(known.seeds)
        if now == then:
            return known
    trainer, (x, t, w) = first.trainer, first.data
    rows = slice(None) if first.rows is None else first.rows
    x, t, w = x[rows], t[rows], None if w is None else w[rows]
    some = x[:batch], t[:batch], None if w is None else w[:batch]
    step = CompiledStep(
        trainer.model, trainer.optimizer, _named(x, t, w), batch, threads=1,
        max_grad=settings.max_grad, say=say, seconds=lambda: step_estimate(trainer, *some).compiling,
    )  # fmt: skip
    buffers = trainer.model.named_buffers().values()
    shared = SharedStep(step, first.bind(buffers), first.seeds)
    if sum(s.data.nbytes for s in first.segments) <= _KEPT:
        with _steps_lock:
            _steps.put(key, 0, shared)
    return shared


def _named(x: Array, t: Array, w: Array | None) -> list[tuple[str, Array]]:
    return [("x", x), ("t", t)] + ([] if w is None else [("w", w)])


class Cohort:
    """Members of a group with as many rows to train on, so that their steps begin alike."""

    def __init__(self, group: Group, n: int) -> None:
        self.group, self.n = group, n
        #: How many rows an epoch uses.
        self.used = rows_used(n, group.batch, group.settings.drop_last)
        #: The members that no thread has begun with.
        self.waiting: deque[Member] = deque()
        self.starts = np.arange(0, self.used, group.batch)
        self.sizes = np.diff(np.append(self.starts, self.used))
        self.steps = len(self.starts)
        #: Seconds per step: about so many before the first measurement.
        self.pace = 1e-6 + group.step.work / 2e10
        self._bounds: dict[int, Array] = {}

    def add(self, member: Member) -> None:
        """Let a member wait for its turn."""
        member.cohort = self
        self.waiting.append(member)

    def slice(self, i: int) -> slice:
        """The rows of an epoch's order that are batch i."""
        return slice(self.starts[i], self.starts[i] + self.group.batch)

    def bounds(self, epochs: int) -> Array:
        """Where the steps of some epochs begin, and the last ends."""
        if epochs not in self._bounds:
            starts = np.add.outer(np.arange(epochs) * self.used, self.starts)
            self._bounds[epochs] = np.append(starts, epochs * self.used)
        return self._bounds[epochs]


class _Round:
    """Some epochs of some members of a cohort: what a thread does between two looks at the others."""

    def __init__(self, cohort: Cohort, team: list[Member], epochs: int, most: int) -> None:
        self.cohort, self.team, self.epochs, self.most = cohort, team, epochs, most
        steps = epochs * cohort.steps
        self.orders = np.empty((len(team), epochs, cohort.used), np.intp)
        self.losses = np.zeros((len(team), steps))
        #: How many steps went well, and whether one did not.
        self.good, self.failed = np.zeros(len(team), np.int64), np.zeros(len(team), bool)
        optimizers: list[Optimizer] = [m.trainer.optimizer for m in team]
        self.updates = [o.iter for o in optimizers]
        known: dict[Any, Array] = {}
        self.rates = [_rates(o, steps, known) for o in optimizers]
        shared, settings = cohort.group.shared, cohort.group.settings
        self.words = np.stack([m.given.words for m in team if m.given is not None])
        self.places = shared.places
        self.limits = []
        for row, o in zip(self.words, optimizers, strict=True):
            if "limits" in self.places:
                self.limits.append(np.array([settings.max_grad or 0.0, o.clip_norm or 0.0]))
                put(row, self.places["limits"], self.limits[-1])
        self.generators = [m.trainer.rng.bit_generator.state for m in team]
        self.seconds = 0.0

    def batches(self, member: Member) -> Batches:
        """What draws a member's orders."""
        group = self.cohort.group
        settings, rng = group.settings, member.trainer.rng
        shuffled, drops = settings.shuffle, settings.drop_last
        return Batches(self.cohort.n, group.batch, rng, shuffled=shuffled, drop_last=drops)

    def outputs(self) -> dict[int, Array]:
        """The outputs for the rows to evaluate, of the members that have ended an epoch."""
        return {
            i: np.asarray(member.trainer.model.predict(member.evaluated[0]))
            for i, member in enumerate(self.team)
            if self.good[i] and not self.failed[i]
        }

    def shuffle(self) -> None:
        """Draw the orders of all epochs."""
        for member, order in zip(self.team, self.orders, strict=True):
            self.batches(member).shuffle(order)
            if member.rows is not None:
                order[...] = member.rows[order]

    def run(self, workplace: Workplace, pool: Pool) -> None:
        """Make the steps, in as many calls as that takes."""
        bounds, done, all_steps = self.cohort.bounds(self.epochs), 0, self.losses.shape[1]
        start_time = time.perf_counter()
        self.shuffle()
        while done < all_steps and not (pool.stopped or self.failed.any()):
            began = time.perf_counter()
            some = bounds[done : done + self.most + 1]
            steps, saved = len(some) - 1, [[a.copy() for a in m.changing] for m in self.team]
            self._point(self.words, some, done)
            went = workplace.run(self.words)
            for i in np.flatnonzero(went < steps):
                for array, old in zip(self.team[i].changing, saved[i], strict=True):
                    array[...] = old
                if went[i]:
                    self._point(self.words, some[: went[i] + 1], done)
                    workplace.run(self.words[i : i + 1])
            self.good += went
            self.failed |= went < steps
            done += steps
            # Limiting the drop to 1/8 lets the calls grow step by step.
            pace = (time.perf_counter() - began) / (steps * len(self.team))
            self.cohort.pace = max(pace, self.cohort.pace / 8)
        self.seconds = time.perf_counter() - start_time

    def _point(self, words: Array, bounds: Array, done: int) -> None:
        """Write into the words where orders, steps, rates and losses are."""
        places = self.places
        steps, first = len(bounds) - 1, int(bounds[0])
        self._starts = bounds - first
        put(words[0], places["starts"], self._starts)
        at = places["starts"]
        words[:, at : at + 2] = words[0, at : at + 2]
        place, row = places["order"], self.orders[0].nbytes
        words[:, place] = address(self.orders) + first * 8 + np.arange(len(words)) * row
        words[:, place + 1] = int(bounds[-1]) - first
        place, row = places["losses"], self.losses[0].nbytes
        words[:, place] = address(self.losses) + done * 8 + np.arange(len(words)) * row
        words[:, place + 1] = steps
        place = places["rates"]
        for own, rates in zip(words, self.rates, strict=True):
            put(own, place, rates[done : done + steps] if len(rates) > 1 else rates)


def _rates(optimizer: Optimizer, steps: int, known: dict[Any, Array]) -> Array:
    """The optimizer's numbers for the next steps; the same array for optimizers alike."""
    if type(optimizer.schedule) is not Constant:
        return optimizer.hyperparameters_for(steps)
    key = type(optimizer), optimizer.iter, *optimizer._numbers(1.0)
    if key not in known:
        known[key] = optimizer.hyperparameters_for(steps)
    return known[key]


class Pool:
    """Threads that train the members of cohorts, each as its own Trainer would.

    Only shuffling, making steps and predicting run in several threads at a time; whatever may be a
    user's own code (schedules, metrics) runs in one.
    """

    def __init__(
        self, cohorts: Sequence[Cohort], epochs: int, threads: int, progress: ProgressOfMany
    ) -> None:
        self.cohorts, self.progress = deque(cohorts), progress
        self.members = [m for cohort in cohorts for m in cohort.waiting]
        for member in self.members:
            member.left = epochs
        self.threads = max(1, min(threads, len(self.members)))
        self.stopped = self.interrupted = False
        self._turn = threading.Lock()
        self._error: BaseException | None = None

    def interrupt(self) -> None:
        """End training after the calls that are running, since Ctrl-C was pressed."""
        self.stopped = self.interrupted = True

    def run(self) -> None:
        """Train all members."""
        with Interrupt(self), ignore_fp_errors():
            np.setbufsize(BUFFER)  # as in a Trainer's loop; the threads take it over
            others = [
                threading.Thread(
                    target=contextvars.copy_context().run, args=(self._work, k), daemon=True
                )
                for k in range(1, self.threads)
            ]
            try:
                for thread in others:
                    thread.start()
                self._work(0)
            finally:
                for thread in others:
                    thread.join()
            if self._error is not None:
                raise self._error
            for member in self.members:
                if not member.ended:
                    member.trainer.interrupt()
                    self._end(member)

    def _work(self, k: int) -> None:
        """The work of thread k."""
        try:
            team: list[Member] = []
            while True:
                with self._turn:
                    following = self._next(team)
                    if following is None:
                        return
                    group = following.cohort.group
                    workplace = group.workplace(k)
                with group.alone():
                    following.run(workplace, self)
                outputs = following.outputs() if group.predicts else {}
                with self._turn:
                    if group.evaluates and not group.predicts:
                        outputs = following.outputs()
                    team = self._close(following, outputs)
        except BaseException as error:
            self.stopped, self._error = True, self._error or error

    def _next(self, team: list[Member]) -> _Round | None:
        """What a thread does next, with the team that it has, or a new one."""
        while not team and self.cohorts and not self.cohorts[0].waiting:
            self.cohorts.popleft()
        if self.stopped or not (team or self.cohorts):
            return None
        cohort = team[0].cohort if team else self.cohorts[0]
        waiting, observes = cohort.waiting, cohort.group.observes
        calls = CALL_SECONDS / (cohort.pace * cohort.steps)
        most = int(max(1, min(calls, MOST_ROWS / cohort.n)))
        left = (team or waiting)[0].left
        epochs = 1 if observes else min(left, most)
        if observes or not team:
            fair = -(-len(waiting) // (2 * self.threads))
            while waiting and len(team) < max(1, min(most // epochs, len(team) + fair)):
                member = waiting.popleft()
                cohort.group.begin(member)
                team = [*team, member]
                fair -= 1
        steps = epochs * cohort.steps
        if len(team) == 1:
            steps = max(1, min(steps, int(CALL_SECONDS / cohort.pace)))
        if outdated(cohort.group.step.reads):
            raise RecordingError(
                _(
                    "something that the networks read has changed while fit_many was training them. Train"
                    " such networks one by one, each with its Trainer."
                )
            )
        return _Round(cohort, team, epochs, steps)

    def _close(self, ran: _Round, outputs: dict[int, Array]) -> list[Member]:
        """Write a round into the histories; gives the members that go on."""
        cohort, steps = ran.cohort, ran.cohort.steps
        share = ran.seconds / (len(ran.team) * ran.epochs)
        whole = None
        if ran.team[0].data[2] is None and (ran.good == ran.losses.shape[1]).all():
            orders = ran.orders.reshape(-1, cohort.used)
            whole = epoch_means(ran.losses.reshape(-1), orders, cohort.starts, cohort.sizes, None)
            whole = whole.reshape(len(ran.team), ran.epochs)
        going = []
        for i, member in enumerate(ran.team):
            trainer, good, failed = member.trainer, int(ran.good[i]), bool(ran.failed[i])
            losses, order = ran.losses[i, :good], ran.orders[i]
            trainer.history.add_steps(losses)
            trainer.optimizer.iter += good
            finished = good // steps if failed else -(-good // steps)
            bad = order[finished, cohort.slice(good % steps)].copy() if failed else None
            if (
                finished + failed < ran.epochs
            ):  # go back: epochs that did not run have drawn no order
                trainer.rng.bit_generator.state = ran.generators[i]
                ran.batches(member).shuffle(np.empty_like(order[: finished + failed]))
            means = None if whole is None else whole[i]
            if means is None:
                w = member.data[2]
                means = epoch_means(losses, order[:finished], cohort.starts, cohort.sizes, w)
            if cohort.group.settings.max_grad:
                clip_grads([s.grad for s in member.segments], cohort.group.settings.max_grad)
            if self.interrupted and good < ran.losses.shape[1]:
                trainer.interrupt()
            try:
                self._add_epochs(member, means.tolist(), ran.updates[i], share, outputs.get(i))
                if bad is not None:
                    stepper = Stepper(
                        trainer,
                        *member.data,
                        batches=steps,
                        max_grad=cohort.group.settings.max_grad,
                    )
                    number, loss = trainer.current_epoch + 1, float(ran.losses[i, good])
                    stepper.explain(bad, number, good % steps, loss)
            except NonFiniteError as error:
                member.error = error
            member.left -= ran.epochs
            if member.left and not (trainer.stop_reason or member.error):
                going.append(member)
            else:
                self._end(member)
            self.progress.advance(ran.epochs, member.left if member.ended else 0)
        return going

    def _add_epochs(
        self, member: Member, means: list[float], updates: int, share: float, y: Array | None
    ) -> None:
        """The rows of some epochs in the history, and what follows from each."""
        trainer, steps, group = member.trainer, member.cohort.steps, member.cohort.group
        schedule = trainer.optimizer.schedule
        epochs = trainer.history.epochs
        if not group.observes:
            lrs = [float(schedule(updates))] * len(means)
            if type(schedule) is not Constant:
                lrs = [float(schedule(updates + e * steps)) for e in range(len(means))]
            rows = zip(means, lrs, strict=True)
            epochs += [{"loss": mean, "lr": lr, "seconds": share} for mean, lr in rows]
            trainer.current_epoch += len(means)
            return
        for mean in means:
            trainer.current_epoch += 1
            figures = {"loss": mean}
            if y is not None:
                held_out = member.held_out is not None
                try:
                    scores = scores_of(group.loss, y, member.evaluated[1], group.settings.metrics)
                except NonFiniteError as error:
                    raise not_finite_after(trainer.current_epoch, held_out, error) from None
                figures.update(columns(scores, held_out))
            o = trainer.optimizer
            if o.l1 or o.l2:
                segments = member.segments
                figures["penalty"] = o.penalty(
                    [s.data for s in segments], [s.decays for s in segments]
                )
            figures.update(lr=float(schedule(updates)), seconds=share)
            epochs.append(figures)
            schedule.observe(figures.get("val_loss", mean))
            if member.stopping is not None:
                member.stopping.on_epoch(trainer)

    def _end(self, member: Member) -> None:
        """A member's training has ended."""
        trainer, history = member.trainer, member.trainer.history
        if member.begun and member.stopping is not None and member.error is None:
            member.stopping.on_end(trainer)
        history.stopped, history.interrupted = trainer.stop_reason, trainer.interrupted
        if member.error is not None:
            history.stopped, history.error = member.error.args[0], member.error
        member.ended, member.given = True, None
        self.progress.end(history.epochs[-1]["loss"] if history.epochs else math.nan)
