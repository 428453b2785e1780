"""The guard of a rank: it ends the job if a rank raises, ends early, or hangs, and says which."""

from __future__ import annotations

import atexit
import functools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from chainrule.distributed.lines import Lines
from chainrule.distributed.signs import (
    ABORTS,
    COMPUTES,
    ENDS,
    USERS,
    WAITS,
    Sign,
    doing,
    place_of_call,
)
from chainrule.lang.languages import chosen
from chainrule.lang.messages import Text, _, in_language

__all__ = ["HANGS", "Guard", "guard_of"]

#: Seconds between two looks of a rank at the others.
LOOK = 0.25
#: Seconds that a rank goes on waiting for one that has ended, and perhaps told all that it had to.
GRACE = 2.0
#: Seconds after which a rank that the others wait for counts as hung, if nobody says.
HANGS = 300.0


class Guard:
    """Ends the job if a rank raises, ends while this one waits for it, or hangs. One for each process.

    A thread looks four times a second. Each rank sends signs of life to the next one, which is its judge:
    after `timeout` seconds of waiting in one call, a rank has hung that sent no sign for so long, or that
    was in one place of the user's code. In chainrule's own code (a step, an evaluation, writing a
    checkpoint) it may take any time; but if every rank waits in one call for so long, none will ever
    come: they have made different calls. Time in which the judge itself was stopped does not count, so
    that a job that slept as a whole goes on. The thread makes no call of MPI, which may not allow it.
    """

    def __init__(self, mpi: Any) -> None:
        self.mpi, self.ranks = mpi, mpi.COMM_WORLD.Dup()
        self.rank, self.size = self.ranks.Get_rank(), self.ranks.Get_size()
        self.timeout = HANGS
        #: What is told of the end of the job, and by whom.
        self.tell: Callable[[Text], None] = _tell
        #: When the call began in which this rank waits for others; None outside of such calls.
        self._since: float | None = None
        #: What it waits in, and how many such calls it has made.
        self._name, self._bytes, self._calls = "", 0, 0
        #: The rank that this one judges, its latest sign, and for how long there has been no other.
        self._judged = (self.rank - 1) % self.size
        self._sign, self._silent, self._still = Sign(COMPUTES), 0.0, 0.0
        #: The call in which this rank waits, and for how long.
        self._call, self._waited = 0, 0.0
        #: How many ranks in a row, up to this one, wait for too long, and for how long that is all.
        self._stuck, self._all_stuck = 0, 0.0
        self._leaving = threading.Event()
        self._before = sys.excepthook
        if self.size == 1:
            return
        sys.excepthook = self._on_error
        self._lines = Lines(self.ranks)
        if self.rank == 0:
            for rank in self._lines.lost:
                self.tell(_unguarded(rank, (rank + 1) % self.size))
        atexit.register(self._leave)
        self._watch = threading.Thread(target=self._look, name="chainrule-ranks", daemon=True)
        self._watch.start()

    @contextmanager
    def waiting(self, name: str, nbytes: int = 0) -> Iterator[None]:
        """Within it, this rank waits for all others, in a call of this name and so many bytes."""
        self._name, self._bytes = name, nbytes
        self._calls += 1
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def abort(self, why: Text | None) -> None:
        """End the job: every rank, at once; None if another has said why."""
        if why is not None:
            self.tell(why)
        sys.stdout.flush()
        sys.stderr.flush()
        own = threading.current_thread() is threading.main_thread()
        if own or self.mpi.Query_thread() == self.mpi.THREAD_MULTIPLE:
            self.ranks.Abort(1)
        # MPI may not be called here: the ranks pass it on, each to the next, and end by themselves.
        self._lines.send(Sign(ABORTS, self._calls))
        os._exit(1)

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
            self._count(passed)
            self._take()
            if self._sign.does == ABORTS:
                self.abort(None)
            self._lines.send(self._own_sign())
            why = self._early() or self._hung() or self._apart(passed)
            if why is not None:
                self.abort(why)

    def _count(self, passed: float) -> None:
        """Count the time that has passed since the last look."""
        if self._since is None or self._calls != self._call:
            self._call, self._waited = self._calls, 0.0
        self._waited += passed
        self._silent += passed
        self._still += passed

    def _take(self) -> None:
        """Take the signs of the rank that this one judges."""
        for sign in self._lines.take():
            if sign.does != USERS or sign.calls != self._sign.calls:
                self._still = 0.0
            self._sign, self._silent = sign, 0.0

    def _own_sign(self) -> Sign:
        """The sign of this rank."""
        before = self._sign.stuck if self._silent < self.timeout else 0
        late = self._since is not None and self._waited >= self.timeout
        self._stuck = min(before + 1, self.size) if late else 0
        if self._since is None:
            does, where = doing()
            return Sign(does, self._calls, where=where)
        return Sign(WAITS, self._calls, self._stuck, self._bytes, self._name, place_of_call())

    def _early(self) -> Text | None:
        """What is wrong if the rank before has ended while this one waits."""
        since = self._since
        if not self._gone or since is None or time.monotonic() - since <= GRACE:
            return None
        return _(
            "rank {gone} of {size} ended before the training was over, and rank {rank}"
            " waits for it; the job ends.",
            gone=self._judged,
            size=self.size,
            rank=self.rank,
        )

    @property
    def _gone(self) -> bool:
        """Whether the rank before has said that it ends, or has ended without a word."""
        cut = not self._lines.open and self._judged not in self._lines.lost
        return cut or self._sign.does == ENDS

    def _hung(self) -> Text | None:
        """What is wrong if the rank that this one judges has hung."""
        if self._since is None or self._waited < self.timeout or not self._lines.open:
            return None
        told = {"rank": self._judged, "size": self.size, "seconds": self.timeout}
        if self._silent >= self.timeout:
            return _(
                "rank {rank} of {size} has given no sign of life for {seconds:g} s, and the others wait for"
                " it: its process is stopped, or its machine is out of reach; the job ends.",
                **told,
            )
        if self._sign.does == USERS and self._still >= self.timeout:
            return _(
                "rank {rank} of {size} has been in {where} for {seconds:g} s, and the others wait for it;"
                " the job ends. If that takes so long, give more time: MPICommunicator(timeout=...), or"
                " --rank-timeout.",
                where=self._sign.where,
                **told,
            )
        return None

    def _apart(self, passed: float) -> Text | None:
        """What is wrong if every rank waits: the first to say so are those whose calls differ."""
        self._all_stuck = self._all_stuck + passed if self._stuck == self.size else 0.0
        if self._stuck < self.size:
            return None
        mine, theirs = self._own_sign(), self._sign
        told = {"size": self.size, "seconds": self.timeout}
        if mine.which != theirs.which:
            return _(
                "all {size} ranks have waited for each other for {seconds:g} s, in different calls: rank"
                " {rank} in {call}, rank {other} in {its}; the job ends. Callbacks have to do the same on"
                " every rank.",
                rank=self.rank,
                other=self._judged,
                call=_call(mine),
                its=_call(theirs),
                **told,
            )
        if self._all_stuck < GRACE:
            return None
        return _(
            "all {size} ranks have waited for {seconds:g} s in {call}, and nothing comes: what MPI sends is"
            " lost, or takes so long; the job ends. If it does, give more time:"
            " MPICommunicator(timeout=...), or --rank-timeout.",
            call=_call(mine),
            **told,
        )

    def _leave(self) -> None:
        """Say that this rank ends, and wait until the others do: that MPI would do, too, and not sleep."""
        if self.mpi.Is_finalized():
            return
        self._leaving.set()
        self._watch.join()
        self._lines.send(Sign(ENDS, self._calls))
        sys.stdout.flush()
        others = self.ranks.Ibarrier()
        while not others.Test():
            time.sleep(0.01)
        self._lines.close()


@functools.cache
def guard_of(mpi: Any) -> Guard:
    """The guard of this process."""
    return Guard(mpi)


def _tell(why: Text) -> None:
    print(in_language(why, chosen()), file=sys.stderr)


def _call(sign: Sign) -> Text:
    """What a rank waits in."""
    name = f"{sign.call}, {sign.size:,} B" if sign.size else sign.call
    if not sign.where:
        return _("{call} (call {n:,})", call=name, n=sign.calls)
    return _("{call} (call {n:,}, from {where})", call=name, n=sign.calls, where=sign.where)


def _unguarded(rank: int, judge: int) -> Text:
    return _(
        "rank {judge} cannot be reached by rank {rank} over TCP, which the ranks watch each other by: if"
        " rank {rank} hangs, nobody notices.",
        judge=judge,
        rank=rank,
    )
