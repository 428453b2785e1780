"""The folder of a training's checkpoints: the latest of them and the best are kept."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from chainrule.atomic_write import fcntl, write_whole
from chainrule.errors import DataError, FormatError, SettingError
from chainrule.lang.messages import _, listed, sentences
from chainrule.storage.checkpoint import Checkpoint, pack_checkpoint, read_checkpoint

__all__ = ["CheckpointFolder", "trainings_in"]

NAME = re.compile(r"step-([0-9]{9,18})\.safetensors")
LOCK = ".chainrule-lock"


class CheckpointFolder:
    """Writes checkpoints into a folder, and finds the newest that is whole.

    There is no file that points to the newest: a scan finds it, so that whatever was being written
    when the power failed cannot mislead. `keep` of the latest stay, and the one with the best score.
    """

    def __init__(self, path: str | os.PathLike[str], keep: int = 2) -> None:
        self.path, self.keep = os.fspath(path), keep
        #: The scores of the files that were written or read.
        self._scores: dict[str, float | None] = {}

    def files(self) -> list[str]:
        """The paths of its checkpoints, the newest last."""
        if not os.path.isdir(self.path):
            return []
        found = [(int(m[1]), m[0]) for m in map(NAME.fullmatch, os.listdir(self.path)) if m]
        return [os.path.join(self.path, name) for _step, name in sorted(found)]

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole; None if the folder has no checkpoints.

        Raises:
            FormatError: there are some, and none of them is whole, or of this version.
        """
        problems: list[str] = []
        for path in reversed(self.files()):
            try:
                return read_checkpoint(path)
            except (FormatError, DataError) as error:
                problems.append(error.args[0])
        if problems:
            raise FormatError(
                sentences(
                    _("{folder} has no checkpoint that can be read.", folder=self.path),
                    *problems,
                )
            )
        return None

    def write(self, checkpoint: Checkpoint) -> str:
        """Write a checkpoint, whole or not at all; then remove those that are no longer kept."""
        path = os.path.join(self.path, f"step-{checkpoint.step:09d}.safetensors")
        write_whole(path, pack_checkpoint(checkpoint), overwrite=True)
        self._scores[path] = checkpoint.score
        ours = [p for p in self.files() if p in self._scores]  # others may be damaged, and stay
        kept = ours[-self.keep :]
        scored = {p: s for p, s in self._scores.items() if s is not None}
        if scored:
            kept.append(min(scored, key=lambda p: scored[p]))
        for other in ours:
            if other not in kept:
                self._scores.pop(other, None)
                with contextlib.suppress(OSError):
                    os.unlink(other)
        return path

    def begin(self, resumed: Checkpoint | None) -> None:
        """Raise if there are checkpoints of a training that is not gone on with."""
        files = self.files()
        if not files:
            return
        if resumed is None or os.path.dirname(os.path.realpath(resumed.path)) != os.path.realpath(
            self.path
        ):
            raise SettingError(
                _(
                    "{folder} has checkpoints of a training ({files}). Go on with it"
                    " (trainer.resume({folder!r}) before fit), or name another folder.",
                    folder=self.path,
                    files=listed([os.path.basename(f) for f in files[-3:]]),
                )
            )
        for path in files:
            with contextlib.suppress(FormatError, DataError):  # a damaged one is not counted
                self._scores[path] = read_checkpoint(path).score

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Within it, the folder is there, and no other training writes into it.

        Raises:
            SettingError: it cannot be made, is no folder, or another training is writing into it.
        """
        if not self.path or "\0" in self.path:
            raise SettingError(_("The folder of the checkpoints needs a name."))
        parent = os.path.dirname(os.path.abspath(self.path))
        if not os.path.isdir(parent):
            raise SettingError(
                _(
                    "{file}: there is no folder {folder}. Make it first, or name another.",
                    file=self.path,
                    folder=parent,
                )
            )
        try:
            os.mkdir(self.path)
        except FileExistsError:
            if not os.path.isdir(self.path):
                raise SettingError(
                    _("{file} is a file; checkpoints need a folder. Name another.", file=self.path)
                ) from None
        except PermissionError:
            raise SettingError(
                _(
                    "{file}: no permission to write in {folder}. Name another folder.",
                    file=self.path,
                    folder=parent,
                )
            ) from None
        with self._locked():
            yield

    @contextmanager
    def _locked(self) -> Iterator[None]:
        path = os.path.join(self.path, LOCK)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        except PermissionError:
            raise SettingError(
                _(
                    "{file}: no permission to write in {folder}. Name another folder.",
                    file=path,
                    folder=self.path,
                )
            ) from None
        try:
            if fcntl is not None:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    process = os.read(handle, 20).decode("ascii", "replace").strip()
                    raise SettingError(
                        _(
                            "{folder}: another training (process {process}) keeps its checkpoints there"
                            " now. Wait until it has ended, or name another folder.",
                            folder=self.path,
                            process=process,
                        )
                    ) from None
                except OSError:  # a file system without locks
                    pass
            try:
                os.ftruncate(handle, 0)
                os.write(handle, str(os.getpid()).encode())
            except OSError as error:  # a full disk, say: the call itself knows no name
                error.filename = path
                raise
            yield
        finally:
            os.close(handle)


def trainings_in(folder: str) -> Iterator[tuple[str, str]]:
    """The name and folder of each training in a folder; that of the folder itself has no name."""
    for name in ("", *sorted(os.listdir(folder))):
        path = os.path.join(folder, name) if name else folder
        if CheckpointFolder(path).files():
            yield name, path
