"""The checkpoint: the whole state of a training at one step, in one file."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.errors import FormatError, shown
from chainrule.graph.variable import Array
from chainrule.lang.messages import _, listed, sentences
from chainrule.storage.container import pack, unpack
from chainrule.storage.plain_values import decoded, encoded
from chainrule.storage.reading import read_bytes
from chainrule.version import __version__

__all__ = ["Checkpoint", "pack_checkpoint", "read_checkpoint", "versions"]

FORMAT, VERSION = "chainrule checkpoint", 1
_KEYS = ("format", "version", "step", "epoch", "score", "versions", "settings", "state")


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training after `step` steps, and the settings that it goes by.

    Both are plain values (see `plain_values`), by names; `score` is that of the latest epoch, the
    smaller the better, if it was watched.
    """

    step: int
    epoch: int
    settings: dict[str, Any] = field(repr=False)
    state: dict[str, Any] = field(repr=False)
    score: float | None = None
    #: What it was written with: chainrule, NumPy, Python, and the kind of machine.
    versions: Mapping[str, str] = field(default_factory=lambda: versions())
    #: The file that it was read from.
    path: str = ""


def versions() -> dict[str, str]:
    """What a checkpoint written now is written with."""
    return {
        "chainrule": __version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def pack_checkpoint(checkpoint: Checkpoint) -> bytes:
    """The bytes of the file; equal checkpoints give equal bytes."""
    tensors: dict[str, Array] = {}
    description = {
        "format": FORMAT,
        "version": VERSION,
        "step": checkpoint.step,
        "epoch": checkpoint.epoch,
        "score": encoded(checkpoint.score, tensors, "score"),
        "versions": dict(checkpoint.versions),
        "settings": encoded(checkpoint.settings, tensors, "settings"),
        "state": encoded(checkpoint.state, tensors, "state"),
    }
    return pack(tensors, description)


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint; no code in the file is run, and all of it is checked.

    Raises:
        DataError: no such file, or one that may not be read.
        FormatError: no checkpoint of chainrule's, damaged, or of another version.
    """
    where = os.fspath(path)
    contents = unpack(read_bytes(where), where)
    description = contents.description
    if description.get("format") != FORMAT:
        raise FormatError(
            _(
                "{where}: this is {kind}, not a checkpoint.",
                where=where,
                kind=shown(description.get("format")),
            )
        )
    version = description.get("version")
    if version != VERSION:
        raise FormatError(
            _(
                "{where} has version {version} of the format, and this chainrule ({ours}) reads version"
                " {known}. Go on with the chainrule that wrote it ({theirs}).",
                where=where,
                version=shown(version),
                ours=__version__,
                known=VERSION,
                theirs=shown(dict(description.get("versions") or {}).get("chainrule")),
            )
        )
    try:
        if set(description) != set(_KEYS):
            raise KeyError(listed(map(shown, description)))
        step, epoch, told = (description[k] for k in ("step", "epoch", "versions"))
        if type(step) is not int or type(epoch) is not int or min(step, epoch) < 0:
            raise ValueError(f"{step!r}, {epoch!r}")
        score, settings, state = (
            decoded(description[k], contents.tensors) for k in ("score", "settings", "state")
        )
        if not isinstance(settings, dict) or not isinstance(state, dict):
            raise TypeError(type(state).__name__)
        if not (score is None or isinstance(score, int | float)):
            raise TypeError(type(score).__name__)
        told = {str(k): str(v) for k, v in told.items()}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FormatError(
            sentences(
                _(
                    "{where}: the description of the training is not what it should be ({why}).",
                    where=where,
                    why=shown(str(error)),
                ),
                _("Take another checkpoint of the folder."),
            )
        ) from None
    return Checkpoint(step, epoch, settings, state, score, told, where)
