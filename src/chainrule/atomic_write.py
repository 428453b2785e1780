"""Atomic writing of files: the old file stays until the new one is complete on the disk."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import types
from typing import BinaryIO

from chainrule.errors import FormatError, SettingError, shown
from chainrule.lang.messages import Spelled, _

fcntl: types.ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["check_place", "write_whole"]

#: How many bytes are compared at a time.
PART = 1 << 20
Pathish = str | os.PathLike[str]
#: The names of temporary files: of one length, which fits wherever a file name does.
TEMPORARY = re.compile(r"\.chainrule-[0-9a-f]{16}\.tmp")


def check_place(path: Pathish, overwrite: bool = False) -> None:
    """Raise a SettingError unless a file can be written at `path`; to be called before long work.

    Refused are a missing folder, a folder or a symbolic link at `path`, and an existing file
    (unless `overwrite`).
    """
    if not isinstance(path, str | os.PathLike):
        raise SettingError(
            _(
                "The file to write is named by a text or a path; got {got}. The path is the first argument of"
                " save_model, and the second of save_onnx.",
                got=shown(path),
            )
        )
    where = os.fspath(path)
    if not where or "\0" in where:
        raise SettingError(_("The file to write needs a name that is not empty and holds no NUL."))
    folder = os.path.dirname(where) or "."
    if not os.path.isdir(folder):
        raise SettingError(
            _(
                "{file}: there is no folder {folder}. Make it first, or name another.",
                file=where,
                folder=folder,
            )
        )
    try:
        mode = os.lstat(where).st_mode
    except FileNotFoundError:
        _check_permission(where, folder)
        return
    if stat.S_ISDIR(mode):
        raise SettingError(_("{file} is a folder. Name a file inside it.", file=where))
    if stat.S_ISLNK(mode):
        raise SettingError(
            _(
                "{file} is a symbolic link to {target}. Name the file itself, so that nothing is replaced"
                " unawares.",
                file=where,
                target=os.readlink(where),
            )
        )
    if not stat.S_ISREG(mode):
        raise SettingError(
            _("{file} is a device or a pipe, not a regular file. Name another file.", file=where)
        )
    if not overwrite:
        raise SettingError(
            _(
                "{file} exists already, and is left as it is. Give another name, or say that it may be"
                " overwritten ({overwrite}).",
                file=where,
                overwrite=Spelled(_("overwrite=True; --force"), command="--force"),
            )
        )
    _check_permission(where, folder)  # a new file replaces the old one


def _check_permission(where: str, folder: str) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SettingError(
            _(
                "{file}: no permission to write in {folder}. Name another folder.",
                file=where,
                folder=_("this folder") if folder == "." else folder,
            )
        )


def write_whole(path: Pathish, data: bytes, *, overwrite: bool = False) -> None:
    """Write `data` to `path` atomically: at any moment the path has the old file or the whole new one.

    The bytes go to a temporary file in the same folder, are forced to the disk, read back and
    compared; only then is the file renamed. Temporary files of killed writers are removed. If
    anything fails, the old file is unchanged and no temporary file is left.

    Raises:
        SettingError: a path that `check_place` refuses.
        OSError: the disk is full, say, or a permission is lacking.
        FormatError: the disk gives back other bytes than were written.
    """
    where = os.fspath(path)
    check_place(where, overwrite)
    folder = os.path.dirname(where) or "."
    _sweep(folder)
    temporary = os.path.join(folder, f".chainrule-{os.urandom(8).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    try:
        handle = os.open(temporary, flags | getattr(os, "O_BINARY", 0), 0o600)
    except OSError as error:
        error.filename = where  # not the temporary name, which means nothing to the user
        raise
    try:
        try:
            _lock(handle)
            rest = memoryview(data)
            while len(rest):
                rest = rest[os.write(handle, rest) :]
            os.chmod(temporary, _mode(where))
            os.fsync(handle)
            with open(temporary, "rb") as file:
                if not _holds(file, data):
                    raise FormatError(
                        _(
                            "{file}: the disk gave back other bytes than were written, so the file was not"
                            " kept. Check the disk, or name a file on another one.",
                            file=where,
                        )
                    )
            _name(temporary, where, overwrite)  # still locked, so that no other writer sweeps it
        finally:
            os.close(handle)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and not isinstance(error, SettingError):
            error.add_note(
                _("{file} was not written; what was there before is unchanged", file=where)
            )
        raise
    _sync_folder(folder)


def _holds(file: BinaryIO, data: bytes) -> bool:
    """Whether a file has these bytes, and no more; read in parts, as the whole is in memory already."""
    rest = memoryview(data)
    while len(part := file.read(PART)):
        if part != rest[: len(part)]:
            return False
        rest = rest[len(part) :]
    return not len(rest)


def _name(temporary: str, where: str, overwrite: bool) -> None:
    """Give the finished file its name; without `overwrite` it never replaces another file."""
    if not overwrite:
        try:
            os.link(temporary, where)  # unlike a rename, this fails if the name is taken
        except FileExistsError:
            check_place(where, overwrite)
            raise
        except OSError as error:
            unable = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
            if error.errno not in unable:
                raise
            check_place(where, overwrite)  # a file system without links: nearly as good
        else:
            os.unlink(temporary)
            return
    os.replace(temporary, where)


def _mode(where: str) -> int:
    """The permissions of the file to be replaced; for a new file, those of the umask."""
    try:
        return stat.S_IMODE(os.lstat(where).st_mode) & 0o777
    except FileNotFoundError:
        mask = os.umask(0o077)
        os.umask(mask)
        return 0o666 & ~mask


def _lock(handle: int) -> None:
    if fcntl is not None:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sweep(folder: str) -> None:
    """Remove the temporary files of writers that have ended: those without a lock."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if TEMPORARY.fullmatch(name):
                with contextlib.suppress(OSError):
                    _remove_if_stale(os.path.join(folder, name))


def _remove_if_stale(path: str) -> None:
    assert fcntl is not None
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(handle)
        # A new one may not be locked yet.
        if stat.S_ISREG(status.st_mode) and _age(status) > 5:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
    finally:
        os.close(handle)


def _age(status: os.stat_result) -> float:
    import time

    return time.time() - status.st_mtime


def _sync_folder(folder: str) -> None:
    """Force the folder's new entry to the disk, where that is possible (not on Windows)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
