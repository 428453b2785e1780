"""How much slower a step is while all cores of this machine make it, as ranks will."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import statistics
import struct
import sys
import time
import warnings
from collections.abc import Callable

__all__ = ["crowded"]

#: Seconds after which processes that have not answered are ended.
PATIENCE = 60.0
#: What a process says before the work.
READY, FAILED = b".", b"!"
_SECONDS = struct.Struct("d")


def crowded(work: Callable[[], float], processes: int) -> float | None:
    """The median of what a piece of work gives in some processes that do it at the same time.

    They are forks of this one, so that the work may be anything; None where it cannot be told: on other
    systems than Linux, or if one of them fails.
    """
    if sys.platform != "linux":
        return None
    ready_r, ready_w = os.pipe()
    go_r, go_w = os.pipe()
    told_r, told_w = os.pipe()
    children = []
    try:
        with warnings.catch_warnings():
            # Later Pythons warn of forks beside threads; the work takes no locks.
            warnings.simplefilter("ignore", DeprecationWarning)
            for _i in range(processes):
                child = os.fork()
                if not child:
                    _work(work, ready_w, go_r, told_w)
                children.append(child)
        until = time.monotonic() + PATIENCE
        if _read(ready_r, processes, until) != READY * processes:
            return None
        os.write(go_w, READY * processes)
        told = _read(told_r, processes * _SECONDS.size, until)
        if len(told) < processes * _SECONDS.size:
            return None
        return statistics.median(float(each[0]) for each in _SECONDS.iter_unpack(told))
    finally:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        for end in (ready_r, ready_w, go_r, go_w, told_r, told_w):
            os.close(end)


def _work(work: Callable[[], float], ready: int, go: int, told: int) -> None:
    """What a fork does; it ends here, whatever happens."""
    try:
        work()  # its memory is its own after this
        os.write(ready, READY)
        os.read(go, 1)
        os.write(told, _SECONDS.pack(work()))
        time.sleep(PATIENCE)  # until it is ended
    except BaseException:
        os.write(ready, FAILED)
    finally:
        os._exit(1)


def _read(end: int, count: int, until: float) -> bytes:
    """So many bytes from a pipe, or fewer if they do not come in time."""
    found = b""
    while len(found) < count:
        left = until - time.monotonic()
        if left <= 0 or not select.select([end], [], [], left)[0]:
            break
        found += os.read(end, count - len(found))
    return found
