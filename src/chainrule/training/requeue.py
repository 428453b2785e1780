"""A job of SLURM puts itself back into the queue, to go on from its checkpoint."""

from __future__ import annotations

import os
import shutil
import subprocess

__all__ = ["requeue"]


def requeue() -> bool:
    """Put this job back into the queue (`scontrol requeue`); whether that was done.

    Outside of a job, and where there is no scontrol, nothing is done.
    """
    job, scontrol = os.environ.get("SLURM_JOB_ID", ""), shutil.which("scontrol")
    if scontrol is None or not job.isdigit():
        return False
    done = subprocess.run([scontrol, "requeue", job], check=False)  # noqa: S603 - digits alone
    return done.returncode == 0
