"""A job of SLURM puts itself back into the queue, to go on from its checkpoint."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from chainrule.lang.languages import chosen
from chainrule.lang.messages import Text, _, in_language

__all__ = ["requeue"]


def requeue() -> bool:
    """Put this job of SLURM back into the queue (`scontrol requeue`); outside of a job, do nothing.

    Gives False, and says why, if the job stays out of the queue.
    """
    job = _job()
    if job is None:
        return True
    scontrol = shutil.which("scontrol")
    if scontrol is None:
        why: Text | str = _("there is no scontrol here")
    else:
        done = subprocess.run(  # noqa: S603 - digits alone
            [scontrol, "requeue", job], check=False, stderr=subprocess.PIPE, text=True
        )
        if done.returncode <= 0:  # below 0: SLURM ends this job at once, and scontrol with it
            return True
        why = done.stderr.strip().rpartition("\n")[2] or str(done.returncode)
    print(
        in_language(
            _(
                "job {job} is not put back into the queue ({why}). Submit it again, and it goes on.",
                job=job,
                why=why,
            ),
            chosen(),
        ),
        file=sys.stderr,
    )
    return False


def _job() -> str | None:
    """What scontrol calls this job; of an array, this task alone: one of them has the number of them all."""
    names = "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_JOB_ID"
    array, task, job = (os.environ.get(name, "") for name in names)
    if array.isdecimal() and task.isdecimal():
        return f"{array}_{task}"
    return job if job.isdecimal() else None
