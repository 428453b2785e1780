"""The guard of a rank: it ends the job if a rank raises, ends early, or hangs, and says which."""

from __future__ import annotations

import atexit
import functools
import os
import struct
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

import numpy as np

from chainrule.lang.languages import chosen
from chainrule.lang.messages import Text, _, in_language

__all__ = ["HANGS", "Guard", "guard_of"]

#: Seconds between two looks of a rank at the others.
LOOK = 0.25
#: Seconds that a rank goes on waiting for one that has ended, and perhaps told all that it had to.
GRACE = 2.0
#: Seconds after which a rank that the others wait for counts as hung, if nobody says.
HANGS = 300.0
#: The numbers of the messages that say that a rank has ended, and that it lives.
ENDED, LIVES = 1, 2
#: A sign of life: what the rank does, how many calls it has made, and where it is.
SIGN = struct.Struct("<cq151s")
WAITS, COMPUTES, USERS = b"w", b"c", b"u"
#: Where Python's own modules and installed packages are; what is elsewhere is the user's.
HOMES = tuple(
    sysconfig.get_paths()[name] + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


class Guard:
    """Ends the job if a rank raises, ends while this one waits for it, or hangs. One for each process.

    A thread looks four times a second. Each rank sends signs of life to the next one, which is its judge:
    after `timeout` seconds of waiting in one call, a rank has hung that sent no sign for so long, or that
    was in one place of the user's code. In chainrule's own code (a step, an evaluation, writing a
    checkpoint) it may take any time. Time in which the judge itself was stopped does not count, so
    that a job that slept as a whole goes on.
    """

    def __init__(self, mpi: Any) -> None:
        self.mpi, self.ranks = mpi, mpi.COMM_WORLD.Dup()
        self.rank, self.size = self.ranks.Get_rank(), self.ranks.Get_size()
        self.timeout = HANGS
        #: What is told of the end of the job, and by whom.
        self.tell: Callable[[Text], None] = _tell
        self.ended: set[int] = set()
        #: When the call began in which this rank waits for others; None outside of such calls.
        self._since: float | None = None
        self._calls = 0
        #: The rank that this one judges, its latest sign, and for how long there has been no other.
        self._judged = (self.rank - 1) % self.size
        self._sign, self._silent, self._still = (COMPUTES, 0, b""), 0.0, 0.0
        #: The call in which this rank waits, and for how long.
        self._call, self._waited = 0, 0.0
        self._sending: Any = None
        self._leaving = threading.Event()
        self._before = sys.excepthook
        self._watch: threading.Thread | None = None
        if self.size == 1:
            return
        sys.excepthook = self._on_error
        atexit.register(self._leave)
        if mpi.Query_thread() == mpi.THREAD_MULTIPLE:
            self._watch = threading.Thread(target=self._look, name="chainrule-ranks", daemon=True)
            self._watch.start()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Within it, this rank waits for all others."""
        self._calls += 1
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def abort(self, why: Text) -> None:
        """End the job: every rank, at once."""
        self.tell(why)
        sys.stdout.flush()
        sys.stderr.flush()
        self.ranks.Abort(1)

    def _on_error(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        self._before(kind, error, trace)
        self.abort(
            _(
                "rank {rank} of {size} ended by {error}; the job ends.",
                rank=self.rank,
                size=self.size,
                error=kind.__name__,
            )
        )

    # -- the thread that looks --------------------------------------------------------------------------

    def _look(self) -> None:
        last = time.monotonic()
        while not self._leaving.wait(LOOK):
            now = time.monotonic()
            passed, last = min(now - last, 2 * LOOK), now  # this process may have been stopped
            self._take()
            self._live()
            why = self._early() or self._hung(passed)
            if why is not None:
                self.abort(why)

    def _take(self) -> None:
        """Take the messages of ranks that have ended, and the signs of life."""
        status = self.mpi.Status()
        while self.ranks.Iprobe(self.mpi.ANY_SOURCE, ENDED, status):
            self.ranks.Recv(np.zeros(1, np.uint8), status.Get_source(), ENDED)
            self.ended.add(status.Get_source())
        sign = np.zeros(SIGN.size, np.uint8)
        while self.ranks.Iprobe(self._judged, LIVES):
            self.ranks.Recv(sign, self._judged, LIVES)
            does, calls, where = SIGN.unpack(sign.tobytes())
            if does != USERS or calls != self._sign[1]:
                self._still = 0.0
            self._sign, self._silent = (does, calls, where.rstrip(b"\0")), 0.0

    def _live(self) -> None:
        """Send a sign of life, unless the one before has not arrived."""
        if self._sending is not None and not self._sending.Test():
            return
        does, where = (WAITS, "") if self._since is not None else _doing()
        sign = np.frombuffer(SIGN.pack(does, self._calls, where.encode()[-150:]), np.uint8)
        self._sending = self.ranks.Isend(sign, (self.rank + 1) % self.size, LIVES)

    def _early(self) -> Text | None:
        """What is wrong if another rank has ended while this one waits."""
        since = self._since
        if not self.ended or since is None or time.monotonic() - since <= GRACE:
            return None
        return _(
            "rank {gone} of {size} ended before the training was over, and rank {rank}"
            " waits for it; the job ends.",
            gone=min(self.ended),
            size=self.size,
            rank=self.rank,
        )

    def _hung(self, passed: float) -> Text | None:
        """What is wrong if the rank that this one judges has hung."""
        if self._since is None or self._calls != self._call:
            self._call, self._waited = self._calls, 0.0
        self._waited += passed
        self._silent += passed
        self._still += passed
        if self._since is None or self._judged in self.ended or self._waited < self.timeout:
            return None
        does, _calls, where = self._sign
        told = {"rank": self._judged, "size": self.size, "seconds": self.timeout}
        if self._silent >= self.timeout:
            return _(
                "rank {rank} of {size} has given no sign of life for {seconds:g} s, and the others wait for"
                " it: its process is stopped, or its machine is out of reach; the job ends.",
                **told,
            )
        if does == USERS and self._still >= self.timeout:
            return _(
                "rank {rank} of {size} has been in {where} for {seconds:g} s, and the others wait for it;"
                " the job ends. If that takes so long, give more time: MPICommunicator(timeout=...), or"
                " --rank-timeout.",
                where=where.decode(errors="replace"),
                **told,
            )
        return None

    def _leave(self) -> None:
        """Say that this rank ends, and wait until the others do: that MPI would do, too, and not sleep."""
        if self.mpi.Is_finalized():
            return
        self._leaving.set()
        if self._watch is None:
            return
        self._watch.join()
        others = set(range(self.size)) - {self.rank}
        told = [self.ranks.Isend(np.zeros(1, np.uint8), other, ENDED) for other in others]
        told += [] if self._sending is None else [self._sending]
        sys.stdout.flush()
        while not (others <= self.ended and self.mpi.Request.Testall(told)):
            self._take()
            time.sleep(0.01)


@functools.cache
def guard_of(mpi: Any) -> Guard:
    """The guard of this process."""
    return Guard(mpi)


def _tell(why: Text) -> None:
    print(in_language(why, chosen()), file=sys.stderr)


def _doing() -> tuple[bytes, str]:
    """Whether the main thread is in the user's code or in chainrule's, and where in the user's.

    What either calls in other packages counts as its own.
    """
    frame: FrameType | None = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None:
        name, file = frame.f_globals.get("__name__", ""), frame.f_code.co_filename
        if name.partition(".")[0] == "chainrule":
            break
        if name == "__main__" or not file.startswith((*HOMES, "<")):
            place = f"{os.path.basename(file)}:{frame.f_lineno} ({frame.f_code.co_name})"
            return USERS, place
        frame = frame.f_back
    return COMPUTES, ""
