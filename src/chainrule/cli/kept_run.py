"""The folder of `chainrule train --checkpoint`: the command, and the checkpoints of each training in it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from chainrule.atomic_write import write_whole
from chainrule.cli.data_options import DataOptions
from chainrule.cli.data_source import STDIN, checksum
from chainrule.cli.rank import first
from chainrule.cli.train_options import TrainOptions
from chainrule.errors import DataError, FormatError, SettingError
from chainrule.lang.messages import _
from chainrule.storage.container import strict_json
from chainrule.storage.folder import CheckpointFolder
from chainrule.storage.reading import read_bytes
from chainrule.training.intervals import Interval
from chainrule.training.trainer import Trainer
from chainrule.version import __version__

__all__ = ["COMMAND", "KeptRun"]

#: The file with the command, beside the folders of the trainings.
COMMAND = "command.json"
FORMAT, VERSION = "chainrule train", 1


@dataclass(frozen=True)
class KeptRun:
    """Where a command keeps its trainings, and whether it goes on with them.

    A command that is gone on with runs from its beginning, as it is the same each time; but each of
    its trainings goes on from its newest checkpoint, and one that had ended is not made again.
    """

    folder: str
    every: str | None
    options: TrainOptions
    #: The sha256 of the data; None for a set that comes with chainrule.
    data: str | None
    resumes: bool = False

    @classmethod
    def begun(cls, folder: str, every: str | None, options: TrainOptions) -> KeptRun:
        """That of a new command; the folder gets its `command.json` when `begin` is called."""
        if options.data == STDIN:
            raise SettingError(
                _(
                    "--checkpoint: what comes from standard input cannot be read again by `chainrule"
                    " resume`. Write it into a file first, and name that."
                )
            )
        if every is not None:
            Interval.of(every, "--every")
        if first() and os.path.lexists(os.path.join(folder, COMMAND)):
            raise SettingError(
                _(
                    "--checkpoint {folder}: a training is kept there already. `chainrule resume {folder}`"
                    " goes on with it; or name another folder.",
                    folder=folder,
                )
            )
        return cls(folder, every, options, checksum(options.data))

    @classmethod
    def read(cls, folder: str) -> KeptRun:
        """That of a folder."""
        path = os.path.join(folder, COMMAND)
        if not os.path.isdir(folder):
            raise DataError(_("{folder}: there is no such folder. Check the name.", folder=folder))
        if not os.path.exists(path):
            if CheckpointFolder(folder).files():
                raise DataError(
                    _(
                        "{folder} has the checkpoints of a Python program, which goes on with them itself:"
                        " trainer.resume({folder!r}), and then fit as before.",
                        folder=folder,
                    )
                )
            raise DataError(
                _(
                    "{folder} has no {file}, so no `chainrule train --checkpoint {folder}` began there.",
                    folder=folder,
                    file=COMMAND,
                )
            )
        try:
            told = strict_json(read_bytes(path).decode())
            assert isinstance(told, dict)
            if told["format"] != FORMAT or told["version"] != VERSION:
                raise ValueError(f"{told['format']!r} {told['version']!r}")
            options = _options(told["options"])
            every, data = told["every"], told["data"]
        except (KeyError, TypeError, ValueError, AssertionError) as error:
            raise FormatError(
                _(
                    "{file} is not what `chainrule train` {version} writes ({why}). Begin anew in another"
                    " folder.",
                    file=path,
                    version=__version__,
                    why=str(error),
                )
            ) from None
        return cls(folder, every, options, data, resumes=True)

    def begin(self, out: str) -> None:
        """Make the folder, and keep the command in it, whose model will be in `out`; once."""
        if self.resumes or not first():
            return
        with CheckpointFolder(self.folder).opened():
            options = asdict(self._in_any_folder(out))
            text = json.dumps(
                {
                    "format": FORMAT,
                    "version": VERSION,
                    "every": self.every,
                    "data": self.data,
                    "options": options,
                },
                indent=1,
                ensure_ascii=False,
            )
            write_whole(os.path.join(self.folder, COMMAND), text.encode())

    def _in_any_folder(self, out: str) -> TrainOptions:
        """The options, with paths that mean the same wherever the training is gone on with."""
        options = self.options
        data = os.path.abspath(options.data) if os.path.exists(options.data) else options.data
        report = None if options.report is None else os.path.abspath(options.report)
        return replace(options, data=data, out=os.path.abspath(out), report=report)

    def with_changes(
        self, data: str | None, out: str | None, force: bool, **processes: float | None
    ) -> KeptRun:
        """With the data elsewhere, another name for the model, or other options of its processes.

        Raises:
            DataError: the data are not there, or are no longer those of the training.
        """
        options = self.options
        where = options.data if data is None else data
        if self.data is not None and checksum(where) != self.data:
            there = os.path.isfile(where)
            raise DataError(
                _(
                    "{file} has changed since the training was begun. Bring it back as it was, or name"
                    " where it is (--data); for other data, begin anew.",
                    file=where,
                )
                if there
                else _("{file} is not there. Name where it is now (--data).", file=where)
            )
        force, out = options.force or force, out or options.out
        own: dict[str, Any] = {k: v for k, v in processes.items() if v is not None}
        return replace(self, options=replace(options, data=where, out=out, force=force, **own))

    def training(self, name: str) -> str:
        """The folder of a training."""
        return os.path.join(self.folder, name)

    def go_on(self, trainer: Trainer, name: str) -> None:
        """Let a trainer take its state from the newest checkpoint, if there is one."""
        if self.resumes:
            trainer.resume(self.training(name), missing_ok=True)


def _options(told: dict[str, Any]) -> TrainOptions:
    """The options from JSON, in which tuples are lists."""
    known = {f.name for f in fields(TrainOptions)}
    if set(told) != known:
        raise ValueError(f"options: {sorted(known ^ set(told))}")
    plain: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) and k != "command" else v for k, v in told.items()
    }
    reading: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in plain.pop("read_as").items()
    }
    return TrainOptions(**plain, read_as=DataOptions(**reading))
