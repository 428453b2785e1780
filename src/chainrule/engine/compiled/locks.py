"""Locks on folders against other processes; they are released when their process ends."""

from __future__ import annotations

import contextlib
import errno
import os
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path

from chainrule.lang.messages import _

fcntl: types.ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

msvcrt: types.ModuleType | None
try:
    import msvcrt
except ImportError:  # anywhere else
    msvcrt = None

__all__ = ["Say", "locked"]

Say = Callable[[str], None]

_held: set[int] = set()


@contextlib.contextmanager
def locked(folder: Path, patience: float, say: Say) -> Iterator[bool]:
    """Hold a folder's lock against other processes; yields whether that was possible in time.

    Where files cannot be locked at all it yields True: the checksums still detect damage.
    """
    handle = _acquired(folder, patience, say)
    try:
        yield handle is not None
    finally:
        if handle is not None:
            _release(handle)


def _acquired(folder: Path, patience: float, say: Say) -> int | None:
    path, start, told = folder / "lock", time.monotonic(), False
    while True:
        try:
            folder.mkdir(mode=0o700, exist_ok=True)  # it may have been swept away
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return None
        _held.add(handle)
        try:
            # The process that had the lock before may have removed the folder with it.
            if _lock(handle) and os.path.samestat(os.fstat(handle), os.stat(path)):
                return handle
        except OSError:
            pass
        _release(handle)
        waited = time.monotonic() - start
        if waited >= patience:
            return None
        if waited > 0.5 and not told:
            told = True
            say(_("Waiting for another process that compiles the same code"))
        time.sleep(0.02)


def _lock(handle: int) -> bool:
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        elif msvcrt is not None:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    except OSError as error:
        taken = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)
        return error.errno not in taken
    return True


def _release(handle: int) -> None:
    if handle not in _held:  # a forked child, which has closed it
        return
    _held.discard(handle)
    with contextlib.suppress(OSError):
        # Unlocked explicitly: a forked child may have the file open too, and would keep the lock.
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_UN)
        elif msvcrt is not None:
            msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
    with contextlib.suppress(OSError):
        os.close(handle)


def _after_fork() -> None:
    """In a forked child: the parent's locks are not its own."""
    for handle in _held:
        with contextlib.suppress(OSError):
            os.close(handle)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
