"""Many networks trained at once, each as its own Trainer would."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import SettingError, shown
from chainrule.lang.messages import _, _n
from chainrule.layers.initial import Seed, generator
from chainrule.networks import Network
from chainrule.optimizers import Adam, Optimizer
from chainrule.schedules import Constant
from chainrule.settings import language, positive, whole
from chainrule.training.callbacks import EarlyStopping, as_early_stopping
from chainrule.training.history import History
from chainrule.training.jobs import Jobs, job_count
from chainrule.training.many_kept import kept_in
from chainrule.training.metrics import Metric
from chainrule.training.progress import ProgressOfMany
from chainrule.training.sharing import ManyFits
from chainrule.training.signals import end_by
from chainrule.training.trainer import Data, Trainer

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
    n_jobs: int | None = None,
    progress: str | bool | None = "auto",
    lang: str | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    every: str | None = None,
    keep: int = 2,
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

    `n_jobs`: how many processes share the networks, by joblib (extra `[sklearn]`), -1 for one per core;
    within `joblib.parallel_config("dask")` or `"ray"` the jobs of that cluster, whatever `n_jobs` says.
    By default this process alone, outside of such a block. Each job trains some of the networks, with
    the same bits; `docs/many.md` has more.

    `checkpoint`: a folder that gets the state of all networks, `every` so often and at the end; the
    latest `keep` stay. The same call goes on from the newest one there: the bits are then those of a
    call that was never stopped. `epochs` may be larger; anything else that differs is refused. Signals
    and full disks are as in `Trainer.fit`.

    Raises:
        SettingError: an argument that does not fit; or a checkpoint of another training.

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
    fits = ManyFits(trainers, range(many), data, epochs, options, early_stopping, shown_progress)
    try:
        with kept_in(checkpoint, every, keep, fits):
            places = fits.finish_ended()
            if job_count(n_jobs) == 1:
                fits.run(fits.groups(places))
            else:
                Jobs(fits, places, n_jobs).run()
    finally:
        shown_progress.close()
    if fits.received is not None:
        end_by(fits.received)
    return [trainer.history for trainer in trainers]


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


def _for_each(given: Any, many: int, kind: type) -> list[Any]:
    """What each network gets: its own of a list of that kind, else the same as all."""
    if isinstance(given, list) and len(given) == many and all(isinstance(g, kind) for g in given):
        return given
    return [given] * many
