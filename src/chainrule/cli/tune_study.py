"""The study of `chainrule tune`: where its trials are kept, with Optuna, and what they are trials of."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.cli.facts import fact_name, fact_text
from chainrule.cli.tune_optuna import optuna, sqlalchemy
from chainrule.errors import SettingError
from chainrule.lang.messages import _, _n, listed
from chainrule.training.trials import Trial, Trials

__all__ = ["Study", "storage_file", "storage_url", "told_url"]

#: Seconds between the signs of life of a trial, and without one before it counts as killed; how often
#: a killed trial is tried again.
HEARTBEAT, GRACE, RETRIES = 10, 60, 3
#: Seconds that a process waits for another one that writes to the same SQLite file, or begins a study.
LOCKED, BEGINNING = 60.0, 10.0
#: Trials, and rungs of each, before one is ended early; trials before settings are drawn by their scores.
STARTUP, FIRST_RUNGS, RANDOM = 5, 5, 10
#: What is kept with a study: what its trials are trials of.
ABOUT = "chainrule"


def storage_file(storage: str | None, out: str) -> str | None:
    """The SQLite file of a storage: the one given, or one beside the model; None for an address.

    >>> storage_file(None, "models/iris.safetensors"), storage_file("postgresql://host/db", "a")
    ('models/iris.tuning.sqlite', None)
    """
    if storage is not None and "://" in storage:
        return None
    return storage or f"{out.removesuffix('.safetensors')}.tuning.sqlite"


def storage_url(storage: str | None, out: str) -> str:
    """The address of a storage."""
    file = storage_file(storage, out)
    if file is None:
        return str(storage)
    return sqlalchemy.URL.create("sqlite", database=file).render_as_string()


def told_url(url: str) -> str:
    """An address as it is shown: the name of an SQLite file, or the address without its password."""
    try:
        made = sqlalchemy.make_url(url)
    except sqlalchemy.exc.ArgumentError:
        return url
    if made.get_backend_name() == "sqlite" and made.database:
        return made.database
    return made.render_as_string(hide_password=True)


class Study:
    """A study in a storage, made or gone on with; the trials of several processes come together in it."""

    def __init__(
        self,
        url: str,
        name: str,
        about: Mapping[str, Any],
        first: Sequence[Mapping[str, Any]],
        *,
        resume: bool,
        **of_trials: Any,
    ) -> None:
        """Make it, or go on with it; `of_trials` is what `Trials` says of its trials."""
        self.name, self.of_trials = name, of_trials
        self.told = told_url(url)
        options: dict[str, Any] = {
            "storage": _storage(url),
            "sampler": _Sampler(about["seed"]),
            "pruner": optuna.pruners.MedianPruner(STARTUP, n_warmup_steps=FIRST_RUNGS),
        }
        minimize, maximize = (
            optuna.study.StudyDirection.MINIMIZE,
            optuna.study.StudyDirection.MAXIMIZE,
        )
        direction = maximize if of_trials["accuracy"] else minimize
        try:
            self.study = optuna.create_study(study_name=name, direction=direction, **options)
            self.new = True
        except optuna.exceptions.DuplicatedStudyError:
            self.study = optuna.load_study(study_name=name, **options)
            self.new = False
        if not self.new:
            self._check(about, resume)
            return
        for params in first:
            self.study.enqueue_trial(dict(params))
        self.study.set_user_attr(ABOUT, dict(about))

    def _check(self, about: Mapping[str, Any], resume: bool) -> None:
        """Raise unless this study is to be gone on with, and is of the same data and settings."""
        if not resume:
            raise SettingError(
                _(
                    "{storage} has a study {name!r} already, of {trials}. Say --resume to go on with it, or"
                    " give another --study NAME, --storage or --out.",
                    storage=self.told,
                    name=self.name,
                    trials=_n("{n:,} trial", "{n:,} trials", len(self.trials.all)),
                )
            )
        known = self._about()
        if not isinstance(known, dict):
            raise SettingError(
                _(
                    "{storage}: the study {name!r} was not made by `chainrule tune`. Say --study NAME for"
                    " another.",
                    storage=self.told,
                    name=self.name,
                )
            )
        differ = [
            _(
                "{name} {old} there, {new} here",
                name=fact_name(key),
                old=fact_text(known.get(key)),
                new=fact_text(about.get(key)),
            )
            for key in dict.fromkeys((*about, *known))
            if known.get(key) != about.get(key)
        ]
        if differ:
            raise SettingError(
                _(
                    "{storage}: the study {name!r} was made with something else: {differences}. Its scores"
                    " say nothing here. Give the same again, or --study NAME for another.",
                    storage=self.told,
                    name=self.name,
                    differences=listed(differ, "clauses"),
                )
            )

    def _about(self) -> object:
        """What the study is of; another process may be about to say it."""
        deadline = time.monotonic() + BEGINNING
        while ABOUT not in self.study.user_attrs and time.monotonic() < deadline:
            time.sleep(0.1)
        return self.study.user_attrs.get(ABOUT)

    @property
    def trials(self) -> Trials:
        """The trials that have ended, but for those that failed."""
        ended = optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED
        found = self.study.get_trials(deepcopy=False, states=ended)
        return Trials(list(map(_trial, found)), **self.of_trials)

    def look_for_killed(self) -> None:
        """Put trials without a sign of life back, to be tried again."""
        optuna.storages.fail_stale_trials(self.study)

    def unfinished(self) -> tuple[int, int]:
        """How many trials are being tried now, by whichever process, and how many wait to be."""
        states = [one.state for one in self.study.get_trials(deepcopy=False)]
        kinds = optuna.trial.TrialState
        return states.count(kinds.RUNNING), states.count(kinds.WAITING)

    def put_back(self, trial: optuna.Trial) -> None:
        """Put a trial that was interrupted back, to be tried when the study goes on."""
        self.study.enqueue_trial(trial.params)


def _trial(one: optuna.trial.FrozenTrial) -> Trial:
    kept = one.user_attrs
    seconds = 0.0 if one.duration is None else one.duration.total_seconds()
    pruned = one.state == optuna.trial.TrialState.PRUNED
    return Trial(
        one.number, kept.get("values", {}), one.value, pruned, kept.get("epochs", 0), seconds
    )


class _Sampler(optuna.samplers.BaseSampler):
    """TPE whose draws go by the seed and the trial's number, so that no two processes draw the same.

    Source: Bergstra, Bardenet, Bengio and Kégl, "Algorithms for hyper-parameter optimization", 2011.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def before_trial(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        child = np.random.SeedSequence([self.seed, trial.number]).generate_state(1)
        self.inner = optuna.samplers.TPESampler(
            n_startup_trials=RANDOM, multivariate=True, constant_liar=True, seed=int(child[0])
        )

    def infer_relative_search_space(self, *given: Any) -> Any:
        return self.inner.infer_relative_search_space(*given)

    def sample_relative(self, *given: Any) -> Any:
        return self.inner.sample_relative(*given)

    def sample_independent(self, *given: Any) -> Any:
        return self.inner.sample_independent(*given)


def _storage(url: str) -> optuna.storages.RDBStorage:
    """The storage at an address, with signs of life; its tables are made if need be."""
    again = optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=RETRIES)
    wait = {"connect_args": {"timeout": LOCKED}} if url.startswith("sqlite") else None
    for left in (2, 1, 0):
        try:
            made = optuna.storages.RDBStorage(
                url,
                engine_kwargs=wait,
                heartbeat_interval=HEARTBEAT,
                grace_period=GRACE,
                heartbeat_stale_trial_callback=again,
            )
        except (ImportError, RuntimeError, sqlalchemy.exc.SQLAlchemyError) as error:
            if isinstance(error, sqlalchemy.exc.DBAPIError) and left:
                time.sleep(0.3)  # another process may make the tables at this moment
                continue
            why = getattr(error, "orig", None) or error.__cause__ or error
            raise SettingError(
                _(
                    "--storage {storage}: {why}. Give the name of an SQLite file, or the address of a"
                    " database such as postgresql://user@host/name, whose driver is installed.",
                    storage=told_url(url),
                    why=" ".join(str(why).split()).rstrip("."),
                )
            ) from None
        if made.engine.dialect.name == "sqlite":
            sqlalchemy.event.listen(made.engine, "begin", _reserve)
        return made
    raise AssertionError


def _reserve(connection: sqlalchemy.Connection) -> None:
    """Let nobody else write from the first look on: two processes would take the same waiting trial."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
