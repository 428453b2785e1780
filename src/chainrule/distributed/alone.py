"""Processes that were started together, each of which MPI takes for the only one."""

from __future__ import annotations

import os
from typing import Any

from chainrule.errors import RanksApartError
from chainrule.lang.messages import _

__all__ = ["refuse_alone"]

#: What tells a process how many were started with it: mpiexec of Open MPI; that of MPICH and Intel, and
#: srun by PMI; srun of every kind. Who stands nearest to the process comes first: mpiexec may run in a
#: step of srun. SLURM_NTASKS is none of them, since a batch script has it, too, and may well be alone.
STARTED = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS")


def refuse_alone(mpi: Any) -> None:
    """Raise if this process, the only one that MPI knows of, was started with others.

    Each would take itself for rank 0 of 1: as many trainings as processes, over one another's files.

    Raises:
        RanksApartError: it was; the message says how many there are, and how to start them.
    """
    told = ((name, os.environ.get(name, "")) for name in STARTED)
    name, count = next(((name, n) for name, n in told if n.isdecimal()), ("", "1"))
    if int(count) > 1:
        raise RanksApartError(
            _(
                "{count} processes were started together ({name}={count}), and {library}, which mpi4py has"
                " loaded here, takes each of them for the only one: they would be {count} trainings in"
                " place of one. Start them with the mpiexec of that library, or with srun --mpi=pmix"
                " (srun --mpi=list says what it can do). If each is to train on its own, leave the"
                " communicator out.",
                count=count,
                name=name,
                library=mpi.Get_library_version().partition(",")[0].strip(),
            )
        )
