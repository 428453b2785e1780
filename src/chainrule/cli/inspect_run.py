"""`chainrule inspect FOLDER`: the trainings that are kept in a folder, and how far each has come."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np

from chainrule.cli.kept_run import COMMAND, KeptRun
from chainrule.cli.terminal import json_out, paint, printable, rows, say, size_of, typed
from chainrule.errors import ChainruleError, DataError
from chainrule.lang.messages import Text, _, _n, _p, sentences
from chainrule.storage.checkpoint import Checkpoint, read_checkpoint
from chainrule.storage.folder import CheckpointFolder, trainings_in

__all__ = ["inspect_run"]


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
    return {
        **facts,
        "step": found.step,
        "epoch": found.epoch,
        "score": found.score,
        "ended": found.state["ended"],
        "engine": found.state["engine"],
        "threads": found.state["threads"],
        "versions": dict(found.versions),
        "settings": settings,
    }


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
        lines += [
            (_("network"), _parameters(latest)),
            (_("optimizer"), printable(str(latest.settings.get("optimizer", "")))),
            (_("engine"), str(latest.state["engine"])),
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


def _parameters(found: Checkpoint) -> Text:
    kind = str(found.settings.get("network", "")).partition("(")[0]
    count = sum(np.size(a) for a in found.state["parameters"].values())
    parameters = _n("{n:,} parameter", "{n:,} parameters", count)
    return _("{kind}, {parameters}", kind=printable(kind), parameters=parameters)


def _told(name: str, path: str, found: Checkpoint) -> Text:
    when = datetime.fromtimestamp(os.path.getmtime(path)).strftime("%Y-%m-%d %H:%M:%S")
    place = found.state["place"]
    steps = place["steps"] if place else 0
    told = _(
        "{file}: {epochs}, {steps}; {when}, {size}",
        file=name,
        epochs=_epochs(found),
        steps=_n("{n:,} step in all", "{n:,} steps in all", found.step),
        when=when,
        size=size_of(os.path.getsize(path)),
    )
    if found.state["ended"]:
        return _("{told}; ended: {why}", told=told, why=found.state["ended"])
    if steps:
        more = _n("{n} step of the next epoch", "{n} steps of the next epoch", steps)
        return _("{told}; with {more}", told=told, more=more)
    return told


def _epochs(found: Checkpoint) -> Text:
    planned = found.settings.get("epochs")
    if planned is None:
        return _n("{n:,} epoch", "{n:,} epochs", found.epoch)
    first = found.state["first"]["epoch"]
    return _("{n:,} of {planned:,} epochs", n=found.epoch, planned=first + planned)
