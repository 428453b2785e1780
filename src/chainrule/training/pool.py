"""Networks of like structure, trained by threads that each run the steps of several in one call."""

from __future__ import annotations

import contextvars
import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.cache import ProgramCache
from chainrule.engine.compiled.many import Given, SharedStep, Workplace, address, put
from chainrule.engine.compiled.pieces import bound
from chainrule.engine.compiled.step import CompiledStep
from chainrule.errors import NonFiniteError, RecordingError
from chainrule.graph.reads import outdated
from chainrule.lang.languages import chosen
from chainrule.lang.messages import _, in_language
from chainrule.layers import Loss
from chainrule.networks import Network
from chainrule.networks.flat import Segment
from chainrule.nodes.base import ignore_fp_errors
from chainrule.optimizers import Optimizer, clip_grads
from chainrule.schedules import Constant
from chainrule.training.batches import Batches, rows_used
from chainrule.training.callbacks import Callback, EarlyStopping
from chainrule.training.captured import put_back
from chainrule.training.checkpoints import EpochPlace, rejoin
from chainrule.training.compiled import CALL_SECONDS, epoch_means
from chainrule.training.cost import step_estimate
from chainrule.training.kept_fits import KeptFits
from chainrule.training.loop import Settings, columns, not_finite_after
from chainrule.training.progress import ProgressOfMany
from chainrule.training.state import scores_of
from chainrule.training.stepper import BUFFER, Stepper
from chainrule.training.structure import Draws, structure_of
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
        draws: Draws,
        epochs: int,
        number: int,
    ) -> None:
        self.trainer, self.data, self.rows, self.held_out = trainer, data, rows, held_out
        self.stopping, self.structure, self.draws = stopping, structure, draws
        #: The numbers that are others in its step than in the shared one.
        self.numbers: Mapping[int, Any] = {}
        #: Which of the networks of the call it is.
        self.number = number
        #: How many rows it is trained on.
        self.n = len(data[0]) if rows is None else len(rows)
        #: How many epochs are left.
        self.left = epochs
        self.begun = self.ended = False
        self.error: NonFiniteError | None = None
        self.segments: Sequence[Segment] = ()
        #: The arrays that a step changes, but for the gradients.
        self.changing: list[Array] = []
        self.given: Given | None = None
        self.cohort: Cohort
        #: The state that it goes on from.
        self.resumed: Mapping[str, Any] | None = None
        #: How far the present epoch has come, between two rounds; None between two epochs.
        self.place: EpochPlace | None = None
        self.threads = 1

    @property
    def callbacks(self) -> list[Callback]:
        """What observes it."""
        return [self.stopping] if self.begun and self.stopping is not None else []

    @property
    def made(self) -> int:
        """How many steps of the present epoch are made."""
        return 0 if self.place is None else self.place.steps

    def go_on(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.resumed = state
        self.left -= state["epoch"] - state["first"]["epoch"]
        put_back(self.trainer, state)
        rejoin(self, state)

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

    def takes(self, member: Member) -> bool:
        """Whether a member has this step, but for some numbers, which are found here.

        Raises:
            NotCompilable: no step can take its data.
        """
        self.data_of(member)
        network, data = member.trainer.model, _named(*member.data)
        numbers = self.shared.numbers_of(network, data, member.draws)
        member.numbers = numbers or {}
        return numbers is not None

    def begin(self, member: Member) -> None:
        """Make a member ready for its first step."""
        trainer, network = member.trainer, member.trainer.model
        own = member.bind(network.named_buffers().values() if self.has_buffers else ())
        member.given = self.shared.for_network(self.data_of(member), own, member.numbers)
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
            if member.resumed is not None:
                rejoin(member, member.resumed)


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
        then = first.structure, known.draws
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
    shared = SharedStep(step, first.bind(buffers), first.draws)
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

    def batches(self, member: Member) -> Batches:
        """What draws a member's orders."""
        group, rng = self.group, member.trainer.rng
        shuffled, drops = group.settings.shuffle, group.settings.drop_last
        return Batches(self.n, group.batch, rng, shuffled=shuffled, drop_last=drops)

    def draw(self, member: Member, order: Array) -> None:
        """Draw the orders of a member's next epochs (epochs, rows)."""
        self.batches(member).shuffle(order)
        if member.rows is not None:
            order[...] = member.rows[order]

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
        #: The steps of its first epoch that earlier rounds made.
        self.made = made = team[0].made
        self.orders = np.empty((len(team), epochs, cohort.used), np.intp)
        self.losses = np.zeros((len(team), steps))
        for row, member in zip(self.losses, team, strict=True):
            history = member.trainer.history
            row[:made] = history.losses[history.steps - made :]
        #: How many steps went well, and whether one did not.
        self.good, self.failed = np.full(len(team), made, np.int64), np.zeros(len(team), bool)
        optimizers: list[Optimizer] = [m.trainer.optimizer for m in team]
        #: The updates before its first epoch.
        self.updates = [o.iter - made for o in optimizers]
        known: dict[Any, Array] = {}
        self.rates = [_rates(o, steps - made, known) for o in optimizers]
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

    def outputs(self) -> dict[int, Array]:
        """The outputs for the rows to evaluate, of the members that have ended the epoch."""
        return {
            i: np.asarray(member.trainer.model.predict(member.evaluated[0]))
            for i, member in enumerate(self.team)
            if self.good[i] == self.losses.shape[1]
        }

    def run(self, workplace: Workplace, pool: Pool) -> None:
        """Make the steps, in as many calls as that takes."""
        bounds, done = self.cohort.bounds(self.epochs), self.made
        last = min(self.losses.shape[1], done + pool.steps_left(self.team))
        start_time = time.perf_counter()
        for member, order in zip(self.team, self.orders, strict=True):
            self.cohort.draw(member, order)
        while done < last and not (pool.pauses() or self.failed.any()):
            began = time.perf_counter()
            some = bounds[done : min(done + self.most, last) + 1]
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
            first = done - self.made
            put(own, place, rates[first : first + steps] if len(rates) > 1 else rates)


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
    user's own code (schedules, metrics) runs in one. With `kept`, which keeps their states, all end
    their rounds when a checkpoint is due, and go on when it is written.
    """

    def __init__(
        self,
        cohorts: Sequence[Cohort],
        threads: int,
        progress: ProgressOfMany,
        kept: KeptFits | None = None,
    ) -> None:
        self.cohorts, self.progress, self.kept = deque(cohorts), progress, kept
        self.members = [m for cohort in cohorts for m in cohort.waiting]
        self.threads = max(1, min(threads, len(self.members)))
        self.stopped = self.interrupted = False
        self._turn = threading.Condition()
        #: How many rounds are running, and whether they are to end for a checkpoint.
        self._running, self._pausing = 0, False
        self._error: BaseException | None = None

    def interrupt(self) -> None:
        """End training after the calls that are running, since Ctrl-C was pressed, or a signal came."""
        self.stopped = self.interrupted = True

    def pauses(self) -> bool:
        """Whether rounds end before their last step."""
        return self.stopped or self._pausing or (self.kept is not None and self.kept.late())

    def steps_left(self, team: Sequence[Member]) -> int:
        """How many steps a team may make until a checkpoint is due."""
        if self.kept is None:
            return sys.maxsize
        return min(self.kept.steps_left(member) for member in team)

    def run(self) -> None:
        """Train all members."""
        with ignore_fp_errors():
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
            if self.kept is not None:
                self.kept.write()
            for member in self.members:
                if not member.ended:
                    self._end_within(member)

    def _work(self, k: int) -> None:
        """The work of thread k."""
        team: list[Member] = []
        runs = False
        try:
            while True:
                with self._turn:
                    following = self._next(team)
                    if following is None:
                        return
                    group = following.cohort.group
                    workplace = group.workplace(k)
                    self._running += 1
                    runs = True
                with group.alone():
                    following.run(workplace, self)
                outputs = following.outputs() if group.predicts else {}
                with self._turn:
                    if group.evaluates and not group.predicts:
                        outputs = following.outputs()
                    team = self._close(following, outputs)
                    self._running -= 1
                    runs = False
                    self._turn.notify_all()
                if self.kept is not None:
                    self._keep(self.kept, following.team)
        except BaseException as error:
            with (
                self._turn
            ):  # at once: who waits for this round would write what it has left behind
                self.stopped, self._error = True, self._error or error
                self._running -= runs
                self._turn.notify_all()

    def _keep(self, kept: KeptFits, team: Sequence[Member]) -> None:
        """After a round: if a checkpoint is due, wait for the others, and write it."""
        with self._turn:
            if not self._pausing:
                self._pausing = any(kept.due(m, epoch_ended=m.place is None) for m in team)
            while self._pausing and self._running and not self.stopped:
                self._turn.wait()
            if self._pausing and not self.stopped:
                kept.write()
            self._pausing = False
            self._turn.notify_all()

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
        first = (team or waiting)[0]
        left, made = first.left, first.made
        epochs = 1 if observes or made else min(left, most)
        if self.kept is not None and self.kept.every.epochs is not None:
            epochs = min(epochs, self.kept.every.epochs)
        if observes or not team:
            fair = -(-len(waiting) // (2 * self.threads))
            while waiting and len(team) < max(1, min(most // epochs, len(team) + fair)):
                if waiting[0].made != made or not (observes or waiting[0].left == left):
                    break
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
        share = ran.seconds * steps / (len(ran.team) * max(1, int(ran.good.max()) - ran.made))
        whole = None
        if ran.team[0].data[2] is None and (ran.good == ran.losses.shape[1]).all():
            orders = ran.orders.reshape(-1, cohort.used)
            whole = epoch_means(ran.losses.reshape(-1), orders, cohort.starts, cohort.sizes, None)
            whole = whole.reshape(len(ran.team), ran.epochs)
        going = []
        for i, member in enumerate(ran.team):
            trainer, good, failed = member.trainer, int(ran.good[i]), bool(ran.failed[i])
            losses, order = ran.losses[i, :good], ran.orders[i]
            trainer.history.add_steps(losses[ran.made :])
            trainer.optimizer.iter += good - ran.made
            finished, rest = divmod(good, steps)
            bad = order[finished, cohort.slice(rest)].copy() if failed else None
            if finished + failed < ran.epochs:  # go back: the other epochs have drawn no order
                trainer.rng.bit_generator.state = ran.generators[i]
                cohort.batches(member).shuffle(np.empty_like(order[: finished + failed]))
            member.place = None
            if rest and not failed:
                lr = float(trainer.optimizer.schedule(ran.updates[i] + finished * steps))
                bits = trainer.rng.bit_generator.state
                member.place = EpochPlace(bits, lr, rest, share * rest / steps)
            if cohort.group.settings.max_grad:
                clip_grads([s.grad for s in member.segments], cohort.group.settings.max_grad)
            means = None if whole is None else whole[i]
            if means is None:
                losses = losses[: finished * steps]
                w, starts = member.data[2], cohort.starts
                means = epoch_means(losses, order[:finished], starts, cohort.sizes, w)
            with self._member(member):
                self._add_epochs(member, means.tolist(), ran.updates[i], share, outputs.get(i))
                if bad is not None:
                    stepper = Stepper(
                        trainer,
                        *member.data,
                        batches=steps,
                        max_grad=cohort.group.settings.max_grad,
                    )
                    number, loss = trainer.current_epoch + 1, float(ran.losses[i, good])
                    stepper.explain(bad, number, rest, loss)
            member.left -= finished
            if member.left and not (trainer.stop_reason or member.error):
                going.append(member)
            else:
                self._end(member)
            self.progress.advance(finished, member.left if member.ended else 0)
        return going

    @contextmanager
    def _member(self, member: Member) -> Iterator[None]:
        """Within it, what goes wrong is of one member; a number that is not finite ends it alone."""
        try:
            yield
        except NonFiniteError as error:
            member.error = error
        except Exception as error:
            note = _("raised while networks[{i}] was trained", i=member.number)
            error.add_note(in_language(note, chosen()))
            raise

    def _end_within(self, member: Member) -> None:
        """End a member that is interrupted: an epoch that it is in the midst of ends there."""
        trainer, place, cohort = member.trainer, member.place, member.cohort
        trainer.interrupt()
        if place is not None:
            order = np.empty((1, cohort.used), np.intp)
            cohort.draw(member, order)
            losses, w = trainer.history.losses[-place.steps :], member.data[2]
            means = epoch_means(losses, order, cohort.starts, cohort.sizes, w).tolist()
            y = None
            if cohort.group.evaluates:
                y = np.asarray(trainer.model.predict(member.evaluated[0]))
            before = trainer.optimizer.iter - place.steps
            with self._member(member):
                self._add_epochs(member, means, before, place.seconds, y)
            trainer.interrupt()  # whatever an epoch more would have ended it by
            member.place = None
        self._end(member)

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
        if self.kept is not None and not trainer.interrupted:
            self.kept.keep(member, trainer.stop_reason, member.error)
        if member.begun and member.stopping is not None and member.error is None:
            member.stopping.on_end(trainer)
        history.stopped, history.interrupted = trainer.stop_reason, trainer.interrupted
        if member.error is not None:
            history.stopped, history.error = member.error.args[0], member.error
        member.ended, member.given = True, None
        if not history.interrupted:
            self.progress.end(history.epochs[-1]["loss"] if history.epochs else math.nan)
