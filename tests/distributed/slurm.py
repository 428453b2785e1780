"""A SLURM of two nodes on this machine, without systemd and without anything outside of one folder."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from tests.distributed.launching import environment

#: Debian's packages slurmctld, slurmd and slurm-client; libpmix-dev for srun --mpi=pmix.
needs_slurm = pytest.mark.skipif(
    not all(map(shutil.which, ("slurmctld", "slurmd", "sbatch", "srun"))),
    reason="SLURM is not there (Debian's slurm-wlm)",
)

#: What the daemons are told: no munge, every interval as short as it goes, no file elsewhere. A requeued
#: job waits for as long as a credential lives (cred_expire), by default two minutes.
CONFIGURATION = """\
ClusterName=tests
SlurmctldHost=localhost
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
AuthInfo=cred_expire=5
CredType=cred/none
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdSpoolDir={folder}/%n
TmpFS={folder}/%n/tmp
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
ReturnToService=2
KillWait=5
NodeName=one NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[1]} CPUs=4
NodeName=two NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[2]} CPUs=4
PartitionName=all Nodes=ALL Default=YES
"""

#: States of a job after which nothing comes.
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"}
#: Seconds that anything may take.
PATIENCE = 240


class Cluster:
    """The commands of SLURM, in a folder from which jobs are submitted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            **environment(),
            "OMPI_MCA_mpi_yield_when_idle": "1",  # two ranks may share one core
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def command(self, *command: object, cwd: Path | None = None, ok: bool = True) -> str:
        """What a command says, on both streams."""
        done = subprocess.run(
            list(map(str, command)), cwd=cwd, env=self.env, timeout=PATIENCE, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        assert done.returncode == 0 or not ok, done.stdout
        return done.stdout

    def submit(self, cwd: Path, *arguments: object) -> str:
        """The number of a new job."""
        return self.command("sbatch", "--parsable", *arguments, cwd=cwd).strip()

    def jobs(self, job: str) -> list[dict[str, str]]:
        """What SLURM knows of a job; of an array, of each of its tasks."""
        told = self.command("scontrol", "show", "job", job).split("\n\n")
        return [dict(re.findall(r"(\w+)=(\S*)", each)) for each in told if each.strip()]

    def end(self, job: str) -> list[dict[str, str]]:
        """What SLURM knows of a job after its end."""
        until(lambda: all(each["JobState"] in ENDED for each in self.jobs(job)))
        return self.jobs(job)


def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Within it SLURM runs; its daemons end with it, or with this process."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # a short name, since it is one of sockets
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        configuration = folder / "slurm.conf"
        configuration.write_text(
            CONFIGURATION.format(folder=folder, user=getpass.getuser(), ports=_free_ports(3))
        )
        for name in ("state", "one/tmp", "two/tmp"):
            (folder / name).mkdir(parents=True)
        made = Cluster(folder)
        stack.enter_context(_daemon(made, "slurmctld", "-D", "-f", configuration))
        for node in ("one", "two"):
            stack.enter_context(_daemon(made, "slurmd", "-D", "-f", configuration, "-N", node))
        stack.callback(_end_all_jobs, made)
        until(lambda: made.command("sinfo", "-h", "-o", "%T", ok=False).strip() == "idle")
        yield made


@contextmanager
def _daemon(of: Cluster, *command: object) -> Iterator[None]:
    """Within it a daemon runs; if this process is killed, it ends, too."""
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", *map(str, command)],
        env=of.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_all_jobs(made: Cluster) -> None:
    """No step outlives the daemons."""
    with suppress(AssertionError):
        for job in made.command("squeue", "-h", "-o", "%A").split():
            made.command("scancel", job, ok=False)
        until(lambda: not made.command("squeue", "-h"))


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("", 0))
        return [each.getsockname()[1] for each in sockets]
