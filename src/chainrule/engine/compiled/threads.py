"""Threads: their number, and the crew that makes the steps, each thread with a shard of the batch."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import platform
import queue
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.aligned import room
from chainrule.engine.compiled.constants import (
    COUNTERS,
    FAILED,
    LONGEST,
    PATIENCE,
    SYSTEM,
    YIELD,
)
from chainrule.errors import SettingError
from chainrule.lang.messages import _
from chainrule.settings import whole

__all__ = ["WORTH", "Crew", "crew_words", "shards_for", "thread_count"]

Array = npt.NDArray[Any]

#: Below so many multiplications a step, threads cost more than they save.
WORTH = 4_000_000
#: The most shards: more do not help networks of a size that a CPU should train.
MOST = 64


def thread_count(threads: int | None) -> int:
    """The number of threads: the given one, or that of the environment, or one per core.

    In a worker process of joblib or multiprocessing it is 1, since the other workers use the cores.
    """
    if threads is not None:
        return min(whole(threads, "threads"), MOST)
    text = os.environ.get("CHAINRULE_NUM_THREADS", "")
    if text:
        try:
            return min(whole(int(text), "CHAINRULE_NUM_THREADS"), MOST)
        except ValueError:
            raise SettingError(
                _('CHAINRULE_NUM_THREADS="{given}" must be a whole number from 1.', given=text)
            ) from None
    if multiprocessing.parent_process() is not None:
        return 1
    if hasattr(os, "process_cpu_count"):
        cores = os.process_cpu_count()
    elif hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count()
    return max(1, min(cores or 1, MOST, _quota(_CPU_MAX)))


#: The file with the CPU quota of the process's container, under Linux.
_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def _quota(path: Path) -> int:
    """The whole cores in a container's quota: several threads on one core are slower than one thread."""
    try:
        share, period = path.read_text().split()
        return int(share) // int(period)
    except (OSError, ValueError):  # no such file, or "max"
        return MOST


def shards_for(work: float, rows: int, threads: int) -> int:
    """How many shards a step of so many multiplications is cut into: by its shapes alone."""
    if work < WORTH or threads == 1:
        return 1
    return max(1, min(threads, rows // 8, int(work // (WORTH / 2))))


def _yield_address() -> int:
    """The address of the C function that yields the core to another thread; 0 if there is none."""
    try:
        library: Any = ctypes.CDLL(None) if os.name == "posix" else ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
        function = library.sched_yield if os.name == "posix" else library.SwitchToThread
        return ctypes.cast(function, ctypes.c_void_p).value or 0
    except (OSError, AttributeError):
        return 0


_YIELD = _yield_address()
#: The number of the futex call, by processor.
_FUTEX = {"x86_64": 202, "aarch64": 98}


def _futex_call() -> tuple[int, int]:
    """The address of C's `syscall`, and the number of the futex call; zeros if it is not known."""
    number = _FUTEX.get(platform.machine(), 0) if sys.platform == "linux" else 0
    if not number or sys.byteorder != "little":
        return 0, 0
    try:
        return ctypes.cast(ctypes.CDLL(None).syscall, ctypes.c_void_p).value or 0, number
    except (OSError, AttributeError):
        return 0, 0


_SYSTEM = _futex_call()


class Crew:
    """Threads that run one kernel together; the caller's thread is the first of them.

    `begin` gives the context manager of each thread's work; `spare` is the number of 64-bit words of
    each thread's working memory.
    """

    def __init__(
        self, size: int, begin: Callable[[], AbstractContextManager[Any]], spare: int = 0
    ) -> None:
        self.size, self.begin, self.spare = size, begin, spare
        self.words = crew_words(size * spare)

    def run(self, work: Callable[[int, Array], Any]) -> Any:
        """Run work(k, words) in every thread k at once; gives the result of work(0).

        When one of them raises, the others go on at their next barrier without its part, so that
        their results must be discarded.
        """
        if self.size == 1:
            with self.begin():
                return work(0, self.words)
        words = self.words

        def part(k: int) -> Any:
            try:
                with self.begin():
                    return work(k, words)
            except BaseException:
                words[FAILED] = 1
                raise

        with _working:
            tasks = [_Task(part, k) for k in range(1, self.size)]
            try:
                _hand_out(tasks)
                result = part(0)
                errors = [task.wait() for task in tasks]
            except BaseException:
                words[FAILED] = 1
                self.words = crew_words(
                    self.size * self.spare
                )  # those in use are in no state to go on with
                for task in tasks:
                    if not task.take():
                        task.wait()
                raise
        for error in errors:
            if error is not None:
                self.words = crew_words(self.size * self.spare)
                raise error
        return result


def crew_words(spare: int) -> Array:
    """The shared memory of a crew: counters, and working memory for each thread."""
    words = room((COUNTERS + spare,), np.dtype(np.int64))
    words[PATIENCE], words[YIELD] = LONGEST, _YIELD
    words[SYSTEM : SYSTEM + 2] = _SYSTEM
    return words


class _Task:
    """One thread's part of the work, done by the helper that takes it."""

    def __init__(self, part: Callable[[int], Any], k: int) -> None:
        self.part, self.k = part, k
        self.error: BaseException | None = None
        self._taken, self._ended = threading.Lock(), threading.Lock()
        self._ended.acquire()

    def take(self) -> bool:
        """Take the task; whether it was still free."""
        return self._taken.acquire(blocking=False)

    def do(self) -> None:
        """Run the task, in a helper thread."""
        if self.take():
            try:
                self.part(self.k)
            except BaseException as error:
                self.error = error
            self._ended.release()

    def wait(self) -> BaseException | None:
        """Wait until it is done; gives the exception that it raised, if any."""
        with self._ended:
            return self.error


#: Only one crew works at a time: two would compete for the cores at every step.
_working = threading.Lock()
#: The inboxes of the helper threads, which are kept, since starting one takes longer than a step.
_helpers: list[queue.SimpleQueue[_Task]] = []


def _hand_out(tasks: Sequence[_Task]) -> None:
    while len(_helpers) < len(tasks):
        inbox: queue.SimpleQueue[_Task] = queue.SimpleQueue()
        name = f"chainrule-{len(_helpers) + 1}"
        threading.Thread(target=_help, args=(inbox,), name=name, daemon=True).start()
        _helpers.append(inbox)
    for task, inbox in zip(tasks, _helpers, strict=False):
        inbox.put(task)


def _help(inbox: queue.SimpleQueue[_Task]) -> None:
    while True:
        inbox.get().do()  # in one line, so that a waiting helper keeps no reference to arrays


def _after_fork() -> None:
    """Reset a forked child: the helpers exist only in the parent, and so does a lock's owner."""
    global _working
    _working = threading.Lock()
    _helpers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
