"""Many fits in one process: which networks share compiled steps, and which are trained alone."""

from __future__ import annotations

import copy
import math
import signal
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from chainrule.errors import NonFiniteError, SettingError
from chainrule.lang.languages import chosen
from chainrule.lang.messages import Text, _, in_language
from chainrule.networks import Network
from chainrule.optimizers import Optimizer
from chainrule.storage.checkpoint import Checkpoint
from chainrule.training.batches import batch_count
from chainrule.training.callbacks import EarlyStopping
from chainrule.training.choice import Choice, choose
from chainrule.training.kept_fits import KeptFits, finish, has_begun, is_finished
from chainrule.training.loop import Settings
from chainrule.training.metrics import named_metrics
from chainrule.training.progress import ProgressOfMany
from chainrule.training.signals import Interrupt
from chainrule.training.structure import Draws, rule_of, structure_of
from chainrule.training.trainer import Trainer, refuse_nonfinite

if TYPE_CHECKING:
    from chainrule.training.pool import Cohort, Pool

__all__ = ["Alike", "ManyFits"]

Array = npt.NDArray[Any]
#: What each network is trained on: x, t, weights, held-out rows, as they were given.
Given = tuple[Any, Any, Any, Any]


@dataclass(frozen=True)
class Alike:
    """Networks that may share a step, and their engine."""

    entries: list[Entry]
    key: tuple[Hashable, ...]
    choice: Choice


class ManyFits:
    """The fits of many trainers, one for each network: who shares a step, and who is trained alone.

    `numbers` are those of the trainers in the call of `fit_many`, of which these may be a part.
    """

    def __init__(
        self,
        trainers: Sequence[Trainer],
        numbers: Sequence[int],
        data: Sequence[Given],
        epochs: int,
        options: Mapping[str, Any],
        stopping: EarlyStopping | None,
        progress: ProgressOfMany,
    ) -> None:
        self.trainers, self.numbers, self.data = list(trainers), list(numbers), list(data)
        self.epochs, self.options, self.stopping = epochs, dict(options), stopping
        self.progress = progress
        #: What keeps the states, and those that fits go on from, with the file that they are from.
        self.kept: KeptFits | None = None
        self.resumed: dict[int, Mapping[str, Any]] = {}
        self.file: Checkpoint | None = None
        #: The networks for themselves, by their places here.
        self.alone: list[int] = []
        self.interrupted = False
        #: The signal that is to end the program, and whether it is being trained, in a job.
        self.received: signal.Signals | None = None
        self.running = False
        self._current: Trainer | Pool | None = None
        self._told: dict[Text, None] = {}

    # -- training ---------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """End training, since Ctrl-C was pressed, or a signal came."""
        self.interrupted = True
        if self._current is not None:
            self._current.interrupt()

    @property
    def told(self) -> list[Text]:
        """Why networks are not compiled, where somebody may expect that they are."""
        return list(self._told)

    def go_on(self, checkpoint: Checkpoint, states: Sequence[Mapping[str, Any]]) -> None:
        """Let the fits go on from the states of a checkpoint, each with the engine that it has run on."""
        self.file = checkpoint
        for i, (trainer, state) in enumerate(zip(self.trainers, states, strict=True)):
            if has_begun(state):  # others begin anew
                self.resumed[i] = state
            if state["engine"] is not None:
                trainer.engine = state["engine"]

    def finish_ended(self) -> list[int]:
        """End the fits of which nothing is left to do; gives the places of the others."""
        left = []
        for i in range(len(self.trainers)):
            state = self.resumed.get(i)
            if state is None or not is_finished(state, self.epochs):
                left.append(i)
            else:
                self.finish(i, state)
        return left

    def finish(self, i: int, state: Mapping[str, Any]) -> None:
        """End a fit with a state that it came to before, or in a job."""
        trainer = self.trainers[i]
        if self.kept is not None:
            self.kept.fix(i, state)
        finish(trainer, copy.copy(self.stopping), state)
        if state["engine"] == "compiled":
            trainer.model.engine = "compiled"
        self._advance(trainer)

    def _advance(self, trainer: Trainer) -> None:
        if trainer.history.interrupted:
            return
        epochs = trainer.history.epochs
        self.progress.advance(self.epochs)
        self.progress.end(epochs[-1]["loss"] if epochs else math.nan)

    def groups(self, places: Sequence[int]) -> list[Alike]:
        """The networks at these places that may share steps; the others are put into `alone`."""
        found: dict[tuple[Hashable, ...], list[Entry]] = {}
        for entry in self._entries(places):
            o = entry.trainer.optimizer
            alike = id(entry.structure), rule_of(o), o.schedule.observes, entry.kinds()
            found.setdefault(alike, []).append(entry)
        return [
            Alike(entries, (entries[0].structure, *rest), self._choice(entries))
            for (_structure, *rest), entries in found.items()
        ]

    def run(self, groups: Sequence[Alike]) -> None:
        """Train the networks of groups, and those alone."""
        cohorts: list[Cohort] = []
        for group in groups:
            if group.choice.engine == "compiled":
                cohorts += self._made(group)
            else:
                self._leave(group.entries, group.choice.reason)
        self.alone.sort()
        for i in self.alone:
            _entered(self.trainers[i], *self.data[i][:3])  # refused before anything is trained
        with Interrupt(self, keeps=self.kept is not None and self.kept.writes) as interrupt:
            if self.kept is not None:
                self.kept.write(must=True)
            if cohorts:
                from chainrule.engine.compiled.threads import thread_count
                from chainrule.training.pool import Pool

                self.progress.begin()
                count = thread_count(self.trainers[0].threads)
                self._current = Pool(cohorts, count, self.progress, self.kept)
                if self.interrupted:
                    self._current.interrupt()
                self._current.run()
            for i in self.alone:
                self._one(i)
        self._current = None
        self.received = interrupt.received

    def _one(self, i: int) -> None:
        """Train a network by its own Trainer."""
        trainer, (x, t, w, validation) = self.trainers[i], self.data[i]
        history, kept, state = trainer.history, self.kept, self.resumed.get(i)
        if self.interrupted:
            trainer.interrupt()
            history.stopped, history.interrupted = trainer.stop_reason, True
        else:
            self._current = trainer
            trainer._keeper = kept
            if state is not None and self.file is not None:
                trainer._resumed = replace(self.file, state=dict(state))
            try:
                trainer.fit(
                    x, t, self.epochs, validation=validation, sample_weight=w, progress=None,
                    early_stopping=copy.copy(self.stopping), **self.options,
                )  # fmt: skip
            except NonFiniteError as error:
                history.stopped, history.error = error.args[0], error
                if kept is not None:
                    kept.keep(kept.fits[i], None, error)
            except Exception as error:
                note = _("raised while networks[{i}] was trained", i=self.numbers[i])
                error.add_note(in_language(note, chosen()))
                raise
        self._advance(trainer)

    # -- who shares a step ------------------------------------------------------------------------

    def _entries(self, places: Sequence[int]) -> Iterator[Entry]:
        """The networks that may share a step, with their data; the others are put into `alone`."""
        firsts: dict[Hashable, tuple[Hashable, Trainer]] = {}
        entered: dict[Hashable, Any] = {}
        apart: list[int] = []
        for i in places:
            trainer = self.trainers[i]
            o = trainer.optimizer
            by_hand = not isinstance(trainer.model, Network) or not isinstance(o, Optimizer)
            found = None if by_hand or trainer.engine == "numpy" else structure_of(trainer.model)
            if found is None:
                apart.append(i)
                continue
            structure, first = firsts.setdefault(found[0], (found[0], trainer))
            x, t, w, validation = self.data[i]
            key = id(structure), id(x), id(t), id(w)
            if key not in entered:
                entered[key] = _entered(first, x, t, w)
            xs, ts, ws = entered[key]
            rows = held_out = None
            if isinstance(validation, tuple | list):
                key_of_held_out = id(structure), id(validation)
                if key_of_held_out not in entered:
                    entered[key_of_held_out] = first._split(xs, ts, ws, validation)[3]
                held_out = entered[key_of_held_out]
            elif validation is not None:
                rows, rest = trainer._parted(ts, validation)
                held_out = xs[rest], ts[rest]
            yield Entry(i, trainer, entered[key], rows, held_out, structure, found[1], self.options)
        self.alone += apart
        _refuse_shared(self.trainers, self.numbers, apart)

    def _choice(self, entries: list[Entry]) -> Choice:
        """The engine for networks of one structure."""
        first = entries[0]
        trainer, (x, t, w) = first.trainer, first.data
        n = first.batch
        drops = self.options["drop_last"]
        steps = self.epochs * sum(batch_count(e.n, n, drops) for e in entries)
        choice = choose(trainer, x[:n], t[:n], None if w is None else w[:n], steps)
        if choice.reason is not None and (trainer.engine == "compiled" or choice.by_hand):
            self.tell(choice.reason)
        return choice

    def _made(self, group: Alike) -> list[Cohort]:
        """The cohorts of networks of one structure; those that cannot be compiled are left alone."""
        from chainrule.engine.compiled.values import NotCompilable
        from chainrule.training.pool import Cohort, Group, Member

        entries = group.entries
        first, settings = entries[0], self._settings(entries[0])
        shared: Group | None = None
        cohorts: dict[int, Cohort] = {}
        apart: list[Entry] = []
        for entry in entries:
            member = Member(
                entry.trainer, entry.data, entry.rows, entry.held_out, copy.copy(self.stopping),
                entry.structure, entry.draws, self.epochs, self.numbers[entry.i],
            )  # fmt: skip
            if entry.i in self.resumed:
                member.go_on(self.resumed[entry.i])
            try:
                if shared is None:
                    shared = Group(member, first.batch, settings, group.key, self.progress.say)
                if not shared.takes(member):
                    apart.append(entry)
                    continue
            except NotCompilable as error:
                reason: Text = error.args[0]
                self._leave(entries if shared is None else [entry], reason)
                if shared is None:
                    return []
                continue
            entry.trainer.engine_used = "compiled"
            if self.kept is not None:
                self.kept.join(member)
            cohorts.setdefault(member.n, Cohort(shared, member.n)).add(member)
        made = list(cohorts.values())
        if apart:  # where numbers of the one are equal, and those of the other are not
            key = (*group.key, tuple(ratio for _seed, ratio in apart[0].draws))
            made += self._made(replace(group, entries=apart, key=key))
        return made

    def _settings(self, entry: Entry) -> Settings:
        """The settings of a fit, as a Trainer makes them."""
        metrics, evaluates = self.options["metrics"], entry.held_out is not None
        evaluates = evaluates or metrics is not None
        kind = entry.trainer.kind_of(entry.data[1])
        return Settings(
            entry.batch,
            None,
            named_metrics(metrics, kind) if evaluates else {},
            self.options["max_grad"],
            self.options["shuffle"],
            self.options["drop_last"],
        )

    def _leave(self, entries: list[Entry], reason: Text | None) -> None:
        """Leave networks to the NumPy engine, one after another."""
        for entry in entries:
            entry.trainer.engine = entry.trainer.engine_used = "numpy"
            if entry.rows is not None:  # the rows are drawn already
                held_out = entry.held_out
                x, t, w = (None if a is None else a[entry.rows] for a in entry.data)
                self.data[entry.i] = x, t, w, held_out
            self.alone.append(entry.i)
        if reason is not None and self.trainers[0].engine == "compiled":
            self.tell(reason)

    def tell(self, reason: Text) -> None:
        """Say once why networks are not compiled."""
        if reason not in self._told:
            self._told[reason] = None
            self.progress.say(_("This training runs on the NumPy engine: {why}.", why=reason))


@dataclass
class Entry:
    """A network that may share a step, with its data as the network takes them."""

    i: int
    trainer: Trainer
    data: tuple[Array, Array, Array | None]
    rows: Array | None
    held_out: tuple[Array, Array] | None
    structure: Hashable
    draws: Draws
    options: dict[str, Any]

    @property
    def n(self) -> int:
        """How many rows it is trained on."""
        return len(self.data[0]) if self.rows is None else len(self.rows)

    @property
    def batch(self) -> int:
        """The rows of a batch."""
        return min(int(self.options["batch_size"]), self.n)

    def kinds(self) -> Hashable:
        """The kinds of its data, and of those held out."""
        held_out = self.held_out or ()
        kinds = tuple(a is not None and (a.shape[1:], a.dtype.str) for a in (*self.data, *held_out))
        return self.batch, kinds


def _entered(trainer: Trainer, x: Any, t: Any, w: Any) -> tuple[Array, Array, Array | None]:
    """Data as a trainer takes them; those that do not fit are refused."""
    xs, ts, ws = trainer._enter(x, t, w)
    refuse_nonfinite(xs, ts)
    return xs, ts, ws


def _refuse_shared(
    trainers: Sequence[Trainer], numbers: Sequence[int], apart: Sequence[int]
) -> None:
    """Raise for networks that share parameters."""
    if not any(isinstance(trainers[i].model, Network) for i in apart):
        return
    owners: dict[int, int] = {}
    for i, trainer in zip(numbers, trainers, strict=True):
        if isinstance(trainer.model, Network):
            for parameter in trainer.model.named_parameters().values():
                first = owners.setdefault(id(parameter), i)
                if first != i:
                    raise SettingError(
                        _(
                            "networks[{first}] and networks[{i}] share parameters, which two trainings"
                            " would change at once. Train them one after the other.",
                            first=first,
                            i=i,
                        )
                    )
