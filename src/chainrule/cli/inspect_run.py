"""`chainrule inspect FOLDER`: the trainings that are kept in a folder, and how far each has come."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from chainrule.cli.kept_run import COMMAND, KeptRun
from chainrule.cli.terminal import json_out, paint, printable, rows, say, size_of, typed
from chainrule.errors import ChainruleError, DataError
from chainrule.lang.messages import Text, _, _n, _p, listed, sentences
from chainrule.storage.checkpoint import Checkpoint, read_checkpoint
from chainrule.storage.folder import CheckpointFolder, trainings_in
from chainrule.training.checkpoints import NETWORKS
from chainrule.training.kept_fits import is_finished

__all__ = ["inspect_run"]

#: How many optimizers are named.
MOST = 3


def inspect_run(folder: str, as_json: bool) -> None:
    """Show the checkpoints in a folder.

    Raises:
        DataError: it has none.
    """
    kept = KeptRun.read(folder) if os.path.exists(os.path.join(folder, COMMAND)) else None
    trainings = {name: list(_read(path)) for name, path in trainings_in(folder)}
    if kept is None and not trainings:
        raise DataError(
            _(
                "{folder} is a folder without checkpoints. A model is a file: name that.",
                folder=folder,
            )
        )
    if as_json:
        json_out(
            {
                "folder": folder,
                "command": None if kept is None else kept.options.command,
                "trainings": {
                    name: [_facts(path, found) for path, found in files]
                    for name, files in trainings.items()
                },
            }
        )
        return
    say(paint(printable(folder), "bold"))
    if kept is not None:
        say(printable(" ".join(kept.options.command)))
    for name, files in trainings.items():
        say()
        rows([(_p("a kept training", "training"), printable(name) or "-"), *_lines(files)])
    if kept is not None:
        say()
        say(paint(typed("chainrule", "resume", folder), "bold"))


def _read(path: str) -> Iterator[tuple[str, Checkpoint | ChainruleError]]:
    for file in CheckpointFolder(path).files():
        try:
            yield file, read_checkpoint(file)
        except ChainruleError as error:
            yield file, error


def _facts(path: str, found: Checkpoint | ChainruleError) -> dict[str, Any]:
    facts: dict[str, Any] = {"file": path, "bytes": os.path.getsize(path)}
    if isinstance(found, ChainruleError):
        return {**facts, "error": found.said("en")}
    settings = {k: v for k, v in found.settings.items() if not isinstance(v, bytes)}
    facts |= {"step": found.step, "epoch": found.epoch, "score": found.score}
    if NETWORKS in found.state:
        facts[NETWORKS] = [
            {"epoch": one["epoch"], **_how(one), "error": one["error"]}
            for one in found.state[NETWORKS]
        ]
    else:
        facts |= _how(found.state)
    return {**facts, "versions": dict(found.versions), "settings": settings}


def _how(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: state[name] for name in ("ended", "engine", "threads")}


def _lines(files: list[tuple[str, Checkpoint | ChainruleError]]) -> list[tuple[str, str]]:
    """A line for each file, the newest first; and what the newest that is whole says of the training."""
    lines: list[tuple[str, str]] = []
    latest: Checkpoint | None = None
    for path, found in reversed(files):
        label: Text | str = _("checkpoint") if not lines else ""
        name = printable(os.path.basename(path))
        if isinstance(found, ChainruleError):
            lines.append((label, sentences(_("{file} cannot be read.", file=name), found.args[0])))
            continue
        latest = latest or found
        lines.append((label, _told(name, path, found)))
    if latest is not None:
        told = latest.versions
        trainings = _trainings(latest)
        optimizers = dict.fromkeys(str(settings.get("optimizer")) for settings, _s in trainings)
        engines = dict.fromkeys(str(state["engine"]) for _s, state in trainings if state["engine"])
        lines += [
            (_("network"), _parameters(trainings)),
            (_("optimizer"), printable(listed([*optimizers][:MOST]))),
            (_("engine"), listed(engines)),
            (
                _("made by"),
                _(
                    "chainrule {ours}, NumPy {numpy}, Python {python}, {machine}",
                    ours=told.get("chainrule", "?"),
                    numpy=told.get("numpy", "?"),
                    python=told.get("python", "?"),
                    machine=told.get("machine", "?"),
                ),
            ),
        ]
    return lines


def _trainings(found: Checkpoint) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The settings and the state of the training that a checkpoint is of, or of each of several."""
    if NETWORKS not in found.state:
        return [(found.settings, found.state)]
    return list(zip(found.settings[NETWORKS], found.state[NETWORKS], strict=True))


def _parameters(trainings: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Text:
    kinds = dict.fromkeys(str(one.get("network", "")).partition("(")[0] for one, _s in trainings)
    count = sum(np.size(a) for _s, state in trainings for a in state["parameters"].values())
    parameters = _n("{n:,} parameter", "{n:,} parameters", count)
    told = _("{kind}, {parameters}", kind=printable(listed(kinds)), parameters=parameters)
    if len(trainings) == 1:
        return told
    networks = _n("{n:,} network", "{n:,} networks", len(trainings))
    return _("{networks}: {told}", networks=networks, told=told)


def _told(name: str, path: str, found: Checkpoint) -> Text:
    when = datetime.fromtimestamp(os.path.getmtime(path)).strftime("%Y-%m-%d %H:%M:%S")
    many = NETWORKS in found.state
    told = _(
        "{file}: {epochs}, {steps}; {when}, {size}",
        file=name,
        epochs=_ended(found) if many else _epochs(found),
        steps=_n("{n:,} step in all", "{n:,} steps in all", found.step),
        when=when,
        size=size_of(os.path.getsize(path)),
    )
    if many:
        return told
    place = found.state["place"]
    steps = place["steps"] if place else 0
    if found.state["ended"]:
        return _("{told}; ended: {why}", told=told, why=found.state["ended"])
    if steps:
        more = _n("{n} step of the next epoch", "{n} steps of the next epoch", steps)
        return _("{told}; with {more}", told=told, more=more)
    return told


def _ended(found: Checkpoint) -> Text:
    states = found.state[NETWORKS]
    ended = sum(is_finished(state, found.settings["epochs"]) for state in states)
    return _n(
        "{ended:,} of {n:,} network trained",
        "{ended:,} of {n:,} networks trained",
        len(states),
        ended=ended,
    )


def _epochs(found: Checkpoint) -> Text:
    planned = found.settings.get("epochs")
    if planned is None:
        return _n("{n:,} epoch", "{n:,} epochs", found.epoch)
    first = found.state["first"]["epoch"]
    return _("{n:,} of {planned:,} epochs", n=found.epoch, planned=first + planned)
