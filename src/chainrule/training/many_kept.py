"""The folder that `fit_many` keeps its trainings in: what is compared with it, and how it is gone on with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from chainrule.errors import SettingError
from chainrule.lang.languages import chosen
from chainrule.lang.messages import _, _n, in_language
from chainrule.networks import Network
from chainrule.optimizers import Optimizer
from chainrule.settings import whole
from chainrule.storage.folder import CheckpointFolder
from chainrule.training.callbacks import EarlyStopping
from chainrule.training.checkpoints import EVERY, NETWORKS
from chainrule.training.digests import digest
from chainrule.training.intervals import Interval
from chainrule.training.kept_fits import KeptFits
from chainrule.training.loop import Settings
from chainrule.training.metrics import named_metrics
from chainrule.training.progress import ProgressOfMany
from chainrule.training.run_settings import (
    data_settings,
    fit_settings,
    model_settings,
    refuse_differences,
)
from chainrule.training.sharing import ManyFits
from chainrule.training.state import parameter_arrays
from chainrule.training.trainer import Trainer

__all__ = ["fits_digest", "kept_in"]


@contextmanager
def kept_in(
    checkpoint: str | os.PathLike[str] | None, every: str | None, keep: int, fits: ManyFits
) -> Iterator[None]:
    """Within it, fits are kept in a folder, and go on from the newest checkpoint that is there.

    Raises:
        SettingError: the checkpoint is of other trainings.
    """
    interval = EVERY if every is None else Interval.of(every)
    if checkpoint is None:
        yield
        return
    folder = CheckpointFolder(checkpoint, whole(keep, "keep"))
    with folder.opened():
        told, found = _many_settings(fits), folder.newest()
        if found is not None:
            _refuse_other(told, found.settings, found.path)
            fits.go_on(found, found.state[NETWORKS])
            fits.progress.say(_("going on from {file}", file=found.path))
        folder.begin(found)
        kept = KeptFits(fits.trainers, folder, interval, {**told, "epochs": fits.epochs})
        fits.kept = kept
        try:
            yield
        except Exception as error:
            if (note := kept.note()) is not None:
                said = in_language(note, chosen())
                if said not in getattr(error, "__notes__", ()):  # the fit of one has said it
                    error.add_note(said)
            raise
        if fits.received is not None:
            note = _(
                "stopped by {signal}; the trainings are kept in {file}",
                signal=fits.received.name,
                file=kept.latest,
            )
            fits.progress.say(note)


def _many_settings(fits: ManyFits) -> dict[str, Any]:
    """What the bits of many fits go by: the settings of all, and under "networks" those of each."""
    data: dict[Any, dict[str, Any]] = {}
    held: dict[int, Any] = {}
    networks = []
    for trainer, (x, t, w, validation) in zip(fits.trainers, fits.data, strict=True):
        key = id(x), id(t), id(w)
        if key not in data:
            data[key] = data_settings(*trainer._enter(x, t, w))
        if id(validation) not in held:
            held[id(validation)] = fit_settings(_settings(fits), validation)["validation"]
        own = {**model_settings(trainer), "begun": _begun(trainer), **data[key]}
        networks.append({**own, "validation": held[id(validation)]})
    told = fit_settings(_settings(fits), None)
    del told["validation"]
    engine = fits.trainers[0].engine if fits.trainers else "auto"
    return {**told, "engine": engine, NETWORKS: networks}


def fits_digest(
    trainers: Sequence[Trainer],
    data: tuple[Any, Any, Any, Any],
    epochs: int,
    batch_size: int,
    stopping: EarlyStopping | None,
    drop_last: bool,
) -> str:
    """The sha256 of all that the bits of fits go by, on the same data, each with its trainer."""
    options = {
        "batch_size": batch_size, "metrics": None, "max_grad": None, "shuffle": True,
        "drop_last": drop_last, "lang": "en",
    }  # fmt: skip
    many = len(trainers)
    silent = ProgressOfMany(None, many, epochs, "en")
    fits = ManyFits(trainers, range(many), [data] * many, epochs, options, stopping, silent)
    return digest(epochs, _many_settings(fits))


def _settings(fits: ManyFits) -> Settings:
    options, stopping = fits.options, fits.stopping
    metrics = {} if options["metrics"] is None else named_metrics(options["metrics"], "unknown")
    return Settings(
        options["batch_size"],
        None,
        metrics,
        options["max_grad"],
        options["shuffle"],
        options["drop_last"],
        [] if stopping is None else [stopping],
    )


def _begun(trainer: Trainer) -> str:
    """The sha256 of what a training begins with: arrays, slots and dice."""
    model, optimizer = trainer.model, trainer.optimizer
    arrays = list(parameter_arrays(model))
    if isinstance(model, Network):
        arrays += model.named_buffers().values()
    if isinstance(optimizer, Optimizer):
        slots = optimizer._slots_of(parameter_arrays(model))
        arrays += [slot for group in slots for slot in group]
    return digest(arrays, trainer.rng.bit_generator.state)


def _refuse_other(now: Mapping[str, Any], then: Mapping[str, Any], path: str) -> None:
    """Raise if the checkpoint is of other trainings, naming the network and what differs."""
    advice = _("Give what it was begun with, or name another folder.")
    if NETWORKS not in then:
        raise SettingError(
            _(
                "{file} is the checkpoint of a single training, which its Trainer goes on with. Name"
                " another folder.",
                file=path,
            )
        )
    ours, theirs = now[NETWORKS], then[NETWORKS]
    if len(ours) != len(theirs):
        raise SettingError(
            _(
                "{file} has {theirs}, and there are {ours} now. {advice}",
                file=path,
                theirs=_n("{n:,} network", "{n:,} networks", len(theirs)),
                ours=f"{len(ours):,}",
                advice=advice,
            )
        )
    refuse_differences({k: v for k, v in now.items() if k != NETWORKS}, then, path, advice)
    for i, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        where = _("{file}, networks[{i}]", file=path, i=i)
        refuse_differences(one, other, where, advice)
