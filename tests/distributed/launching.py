"""Starting the ranks of a test: real processes, by the mpiexec of the extra [mpi]."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MPIEXEC = Path(sys.executable).parent / "mpiexec"

#: Marks tests that start ranks.
needs_ranks = pytest.mark.skipif(
    not MPIEXEC.exists() or find_spec("mpi4py") is None,
    reason="mpiexec is not there (extra mpi)",
)


def command(ranks: int, script: str, *arguments: object) -> list[str]:
    """What starts so many ranks of a module of this folder."""
    own = [sys.executable, "-m", f"tests.distributed.{script}", *map(str, arguments)]
    return [str(MPIEXEC), "--oversubscribe", "-n", str(ranks), *own]


def environment() -> dict[str, str]:
    """That of the ranks: root may start them, and BLAS has one thread."""
    more = dict.fromkeys(("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"), "1")
    more["OMPI_MCA_mpi_yield_when_idle"] = "1"  # ranks share cores
    return {**os.environ, **more, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def launch(
    ranks: int, script: str, *arguments: object, seconds: int = 120, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run ranks of a module of this folder to their end, which is to come in so many seconds.

    `variables` are more of their environment.
    """
    return subprocess.run(
        command(ranks, script, *arguments),
        cwd=ROOT,
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        timeout=seconds,
        errors="replace",
        check=False,
    )
