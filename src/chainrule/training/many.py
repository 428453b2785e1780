"""Many networks trained at once, each as its own Trainer would."""

from __future__ import annotations

import copy
import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import NonFiniteError, SettingError, shown
from chainrule.lang.messages import Text, _, _n
from chainrule.layers.initial import Seed, generator
from chainrule.networks import Network
from chainrule.optimizers import Adam, Optimizer
from chainrule.schedules import Constant
from chainrule.settings import language, positive, whole
from chainrule.training.batches import batch_count
from chainrule.training.callbacks import EarlyStopping, as_early_stopping
from chainrule.training.choice import Choice, choose
from chainrule.training.history import History
from chainrule.training.loop import Settings
from chainrule.training.metrics import Metric, named_metrics
from chainrule.training.progress import ProgressOfMany
from chainrule.training.signals import Interrupt
from chainrule.training.structure import rule_of, structure_of
from chainrule.training.trainer import Data, Trainer

if TYPE_CHECKING:
    from chainrule.training.pool import Cohort

__all__ = ["fit_many"]

Array = npt.NDArray[Any]


def fit_many(
    networks: Sequence[Any],
    optimizers: Any,
    x: npt.ArrayLike | list[Array],
    t: npt.ArrayLike | list[Array],
    epochs: int = 10,
    batch_size: int = 32,
    *,
    seeds: int | Sequence[Seed] = 0,
    validation: float | Data | list[Data] | None = None,
    sample_weight: npt.ArrayLike | list[Array] | None = None,
    metrics: Iterable[str | Metric] | None = None,
    early_stopping: EarlyStopping | int | None = None,
    max_grad: float | None = None,
    shuffle: bool = True,
    drop_last: bool = False,
    engine: str = "auto",
    threads: int | None = None,
    progress: str | bool | None = "auto",
    lang: str | None = None,
) -> list[History]:
    """Train many networks at once on all cores, and return the history of each.

    Each network gets the very bits that `Trainer(network, optimizer, seed=seed, engine=engine,
    threads=1).fit(x, t, ...)` gives it, whatever the number of threads; it takes a small part of
    the time, since networks of one structure share one compiled step, and a thread makes the steps
    of several in one call. Those with another structure are compiled for themselves. What cannot be
    compiled, or shares parameters with a network outside, is trained by its own Trainer, one after
    another.

    `optimizers`: one for each network, such as `[cr.SGD(lr) for lr in rates]`, with decays of their
    own; or one, of which every network gets a copy. `seeds`: a seed for each, or a whole number, from
    which each gets a child, `numpy.random.default_rng(seeds).spawn(len(networks))[i]`.
    `x`, `t`, `sample_weight`: the same for all, or a list of arrays, one for each network;
    `validation`: a fraction, which each draws for itself, (x, t), or a list of such pairs.
    The other settings are those of `Trainer.fit`. Early stopping is each network's own: those that
    have ended make room for others. `threads`: one per core by default, or CHAINRULE_NUM_THREADS.
    `engine`: "auto" compiles if that pays for all networks of a structure together, and is then
    "compiled"; else it is "numpy".

    Ctrl-C ends all after the steps that are being made; the networks stay usable, and
    `history.stopped` gives the reason. A network whose loss or gradient is not finite stops with the
    parameters of its last good step, the reason in `history.stopped`, and the NonFiniteError that
    its Trainer would have raised in `history.error`; the others go on.

    >>> import chainrule as cr
    >>> x, t = cr.datasets.spiral()
    >>> nets = [cr.TwoLayerNet(2, 10, 3, seed=i) for i in range(20)]
    >>> rates = [cr.SGD(lr=0.1 * (1 + i)) for i in range(20)]
    >>> histories = cr.fit_many(nets, rates, x, t, epochs=100, batch_size=30, progress=None)
    >>> best = min(range(20), key=lambda i: histories[i]["loss"][-1])
    >>> histories[best]["loss"][-1] < 0.3
    True
    """
    trainers = _trainers(networks, optimizers, seeds, engine, threads)
    many, epochs = len(trainers), whole(epochs, "epochs")
    options: dict[str, Any] = {
        "batch_size": whole(batch_size, "batch_size"),
        "metrics": metrics if metrics is None or isinstance(metrics, str) else list(metrics),
        "max_grad": None if max_grad is None else positive(max_grad, "max_grad"),
        "shuffle": shuffle,
        "drop_last": drop_last,
        "lang": language(lang),
    }
    if early_stopping is not None:
        early_stopping = as_early_stopping(early_stopping, validation is not None)
    data = list(
        zip(
            _for_each(x, many, np.ndarray),
            _for_each(t, many, np.ndarray),
            _for_each(sample_weight, many, np.ndarray),
            _for_each(validation, many, tuple),
            strict=True,
        )
    )
    shown_progress = ProgressOfMany(progress, many, epochs, options["lang"])
    fit = _Fit(trainers, data, epochs, options, early_stopping, shown_progress)
    try:
        fit.run()
    finally:
        shown_progress.close()
    return [trainer.history for trainer in trainers]


class _Fit:
    """One call of `fit_many`: who shares a step, and who is trained alone."""

    def __init__(
        self,
        trainers: list[Trainer],
        data: list[tuple[Any, Any, Any, Any]],
        epochs: int,
        options: dict[str, Any],
        stopping: EarlyStopping | None,
        progress: ProgressOfMany,
    ) -> None:
        self.trainers, self.data, self.epochs, self.options = trainers, data, epochs, options
        self.stopping, self.progress = stopping, progress
        #: The trainers for themselves, each with its number.
        self.alone: list[tuple[int, Trainer]] = []
        self.current: Trainer | None = None
        self.interrupted = False
        self._told: set[Text] = set()

    def interrupt(self) -> None:
        """End training, since Ctrl-C was pressed."""
        self.interrupted = True
        if self.current is not None:
            self.current.interrupt()

    def run(self) -> None:
        """Train all networks."""
        cohorts = self._cohorts()
        for i, trainer in self.alone:
            trainer._enter(*self.data[i][:3])  # so that data which do not fit are refused at once
        if cohorts:
            from chainrule.engine.compiled.threads import thread_count
            from chainrule.training.pool import Pool

            self.progress.begin()
            count = thread_count(self.trainers[0].threads)
            pool = Pool(cohorts, self.epochs, count, self.progress)
            pool.run()
            self.interrupted = pool.interrupted
        with Interrupt(self):
            for i, trainer in self.alone:
                self._one(i, trainer)

    def _one(self, i: int, trainer: Trainer) -> None:
        """Train a network by its own Trainer."""
        history, (x, t, w, validation) = trainer.history, self.data[i]
        if self.interrupted:
            trainer.interrupt()
            history.stopped, history.interrupted = trainer.stop_reason, True
        else:
            self.current = trainer
            try:
                trainer.fit(
                    x, t, self.epochs, validation=validation, sample_weight=w, progress=None,
                    early_stopping=copy.copy(self.stopping), **self.options,
                )  # fmt: skip
            except NonFiniteError as error:
                history.stopped, history.error = error.args[0], error
        epochs = history.epochs
        self.progress.advance(self.epochs)
        self.progress.end(epochs[-1]["loss"] if epochs else math.nan)

    # -- who shares a step ------------------------------------------------------------------------

    def _cohorts(self) -> list[Cohort]:
        """The networks that share compiled steps; the others are put into `alone`."""
        groups: dict[tuple[Hashable, ...], list[_Entry]] = {}
        for entry in self._entries():
            o = entry.trainer.optimizer
            alike = id(entry.structure), rule_of(o), o.schedule.observes, entry.kinds()
            groups.setdefault(alike, []).append(entry)
        cohorts: list[Cohort] = []
        for (_structure, *rest), entries in groups.items():
            key = entries[0].structure, *rest
            choice = self._choice(entries)
            if choice.engine == "compiled":
                cohorts += self._made(entries, key)
            else:
                self._leave(entries, choice.reason)
        self.alone.sort(key=lambda each: each[0])
        return cohorts

    def _entries(self) -> Iterator[_Entry]:
        """The networks that may share a step, with their data; the others are put into `alone`."""
        firsts: dict[Hashable, tuple[Hashable, Trainer]] = {}
        entered: dict[Hashable, Any] = {}
        apart: list[int] = []
        for i, trainer in enumerate(self.trainers):
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
                entered[key] = first._enter(x, t, w)
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
            yield _Entry(
                i, trainer, entered[key], rows, held_out, structure, found[1], self.options
            )
        self.alone += [(i, self.trainers[i]) for i in apart]
        _refuse_shared([trainer.model for trainer in self.trainers], apart)

    def _choice(self, entries: list[_Entry]) -> Choice:
        """The engine for networks of one structure."""
        first = entries[0]
        trainer, (x, t, w) = first.trainer, first.data
        n = first.batch
        drops = self.options["drop_last"]
        steps = self.epochs * sum(batch_count(e.n, n, drops) for e in entries)
        choice = choose(trainer, x[:n], t[:n], None if w is None else w[:n], steps)
        if choice.reason is not None and (trainer.engine == "compiled" or choice.by_hand):
            self._tell(choice.reason)
        return choice

    def _made(self, entries: list[_Entry], key: Hashable) -> list[Cohort]:
        """The cohorts of networks of one structure; those that cannot be compiled are left alone."""
        from chainrule.engine.compiled.values import NotCompilable
        from chainrule.training.pool import Cohort, Group, Member

        first, settings = entries[0], self._settings(entries[0])
        group: Group | None = None
        cohorts: dict[int, Cohort] = {}
        for entry in entries:
            member = Member(
                entry.trainer, entry.data, entry.rows, entry.held_out,
                copy.copy(self.stopping), entry.structure, entry.seeds,
            )  # fmt: skip
            try:
                if group is None:
                    group = Group(member, first.batch, settings, key, self.progress.say)
                group.data_of(member)
            except NotCompilable as error:
                reason: Text = error.args[0]
                self._leave(entries if group is None else [entry], reason)
                if group is None:
                    return []
                continue
            cohorts.setdefault(member.n, Cohort(group, member.n)).add(member)
        return list(cohorts.values())

    def _settings(self, entry: _Entry) -> Settings:
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

    def _leave(self, entries: list[_Entry], reason: Text | None) -> None:
        """Leave networks to the NumPy engine, one after another."""
        for entry in entries:
            entry.trainer.engine = "numpy"
            if entry.rows is not None:  # the rows are drawn already
                held_out = entry.held_out
                x, t, w = (None if a is None else a[entry.rows] for a in entry.data)
                self.data[entry.i] = x, t, w, held_out
            self.alone.append((entry.i, entry.trainer))
        if reason is not None and self.trainers[0].engine == "compiled":
            self._tell(reason)

    def _tell(self, reason: Text) -> None:
        """Say once why networks are not compiled."""
        if reason not in self._told:
            self._told.add(reason)
            self.progress.say(_("This training runs on the NumPy engine: {why}.", why=reason))


@dataclass
class _Entry:
    """A network that may share a step, with its data as the network takes them."""

    i: int
    trainer: Trainer
    data: tuple[Array, Array, Array | None]
    rows: Array | None
    held_out: tuple[Array, Array] | None
    structure: Hashable
    seeds: list[int]
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


def _trainers(
    networks: Sequence[Any], optimizers: Any, seeds: Any, engine: str, threads: int | None
) -> list[Trainer]:
    """A Trainer for each network."""
    if isinstance(networks, Network) or not isinstance(networks, Sequence):
        raise SettingError(
            _(
                "networks={networks} is no list: give fit_many a list of networks, or train one network"
                " with a Trainer.",
                networks=shown(networks),
            )
        )
    many = len(networks)
    own = _own_optimizers(optimizers, many)
    _refuse_twice("networks", networks)
    return [
        Trainer(network, optimizer, seed=seed, engine=engine, threads=threads)
        for network, optimizer, seed in zip(networks, own, _own_seeds(seeds, many), strict=True)
    ]


def _own_optimizers(given: Any, many: int) -> list[Any]:
    """An optimizer for each network: those of a list, or copies of one."""
    if not isinstance(given, list | tuple):
        one = Adam() if given is None else given
        return [_copied(one) for _i in range(many)]
    _refuse_length("optimizers", given, many)
    _refuse_twice("optimizers", given)
    schedules: set[int] = set()
    for optimizer in given:
        schedule = getattr(optimizer, "schedule", None)
        if schedule is not None and schedule.observes and id(schedule) in schedules:
            optimizer.schedule = copy.deepcopy(schedule)  # each follows its own losses
        schedules.add(id(schedule))
    return list(given)


def _copied(optimizer: Any) -> Any:
    """A copy of an optimizer; one of chainrule's is quickly made."""
    plain = type(optimizer).__module__.startswith("chainrule.") and isinstance(optimizer, Optimizer)
    if not plain or optimizer.state is not None or type(optimizer.schedule) is not Constant:
        return copy.deepcopy(optimizer)
    return copy.copy(optimizer)


def _own_seeds(given: Any, many: int) -> list[Any]:
    """A seed for each network: those of a list, or children of one."""
    if isinstance(given, list | tuple | range | np.ndarray):
        _refuse_length("seeds", given, many)
        seeds: list[Any] = list(given)
        _refuse_twice("seeds", [s for s in seeds if isinstance(s, np.random.Generator)])
        return seeds
    return list(generator(given).spawn(many))


def _refuse_length(name: str, given: Any, many: int) -> None:
    if len(given) != many:
        raise SettingError(
            _(
                "{name} has {given} entries for {networks}; give one for each network, or one alone"
                " for all.",
                name=name,
                given=len(given),
                networks=_n("{n} network", "{n} networks", many),
            )
        )


def _refuse_twice(name: str, given: Sequence[Any]) -> None:
    """Raise for an object that is in a list twice, since two trainings would change it."""
    places: dict[int, int] = {}
    for i, each in enumerate(given):
        first = places.setdefault(id(each), i)
        if first != i:
            raise SettingError(
                _(
                    "{name}[{first}] and {name}[{i}] are one object, which two trainings would change at"
                    " once. Make one for each.",
                    name=name,
                    first=first,
                    i=i,
                )
            )


def _refuse_shared(networks: Sequence[Any], apart: Sequence[int]) -> None:
    """Raise for networks that share parameters."""
    if not any(isinstance(networks[i], Network) for i in apart):
        return
    owners: dict[int, int] = {}
    for i, network in enumerate(networks):
        if isinstance(network, Network):
            for parameter in network.named_parameters().values():
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


def _for_each(given: Any, many: int, kind: type) -> list[Any]:
    """What each network gets: its own of a list of that kind, else the same as all."""
    if isinstance(given, list) and len(given) == many and all(isinstance(g, kind) for g in given):
        return given
    return [given] * many
