"""The files of docs/clusters on a real SLURM: jobs end, are warned, go back into the queue, and go on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tests.distributed.launching import MPIEXEC, ROOT, needs_ranks
from tests.distributed.slurm import Cluster, cluster, needs_slurm, until

pytestmark = needs_slurm

#: Epochs of a training that takes seconds: of one process, and of two ranks on what may be one core.
EPOCHS, EPOCHS_OF_RANKS = 400, 24


@pytest.fixture(scope="module")
def slurm() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder as a user has it: the files that are handed out, beside each other."""
    return shutil.copytree(ROOT / "docs" / "clusters", tmp_path / "work")


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """The model of one process that nobody stops, outside of SLURM."""
    folder = tmp_path_factory.mktemp("straight")
    script = ROOT / "docs" / "clusters" / "train.py"
    arguments = [str(folder), "--epochs", str(EPOCHS)]
    subprocess.run(
        [sys.executable, str(script), *arguments], check=True, capture_output=True, timeout=120
    )
    return load_file(folder / "model.safetensors")


def log(place: Path, job: str) -> str:
    """What a job has said so far."""
    return "".join(path.read_text(errors="replace") for path in place.glob(f"*-{job}.log"))


def trains(place: Path, job: str) -> None:
    """Wait until a job is in the midst of its training."""
    until(lambda: "epoch 5/" in log(place, job))


def same(model: Path, other: dict[str, np.ndarray]) -> bool:
    """Whether a model file has these bits."""
    mine = load_file(model)
    return mine.keys() == other.keys() and all(
        mine[name].tobytes() == other[name].tobytes() for name in mine
    )


def test_a_job_that_is_warned_goes_on_in_the_queue_to_the_same_bits(
    slurm: Cluster, place: Path, straight: dict[str, np.ndarray]
) -> None:
    job = slurm.submit(place, "one.sh", "runs/digits", "--epochs", EPOCHS)
    trains(place, job)
    slurm.command("scancel", "--batch", "--signal=USR1", job)
    (ended,) = slurm.end(job)
    assert (ended["JobState"], ended["Restarts"], ended["ExitCode"]) == ("COMPLETED", "1", "0:0")
    said = log(place, job)
    assert "stopped by SIGUSR1" in said
    assert said.index("start 1 on") < said.index("start 2 on") < said.index("going on from")
    assert same(place / "runs/digits/model.safetensors", straight)


def test_a_job_that_is_cancelled_goes_on_when_it_is_submitted_again(
    slurm: Cluster, place: Path, straight: dict[str, np.ndarray]
) -> None:
    job = slurm.submit(place, "one.sh", "runs/digits", "--epochs", EPOCHS)
    trains(place, job)
    slurm.command("scancel", job)
    (ended,) = slurm.end(job)
    assert (ended["JobState"], ended["Restarts"]) == ("CANCELLED", "0")
    assert "stopped by SIGTERM" in log(place, job)
    again = slurm.submit(place, "one.sh", "runs/digits", "--epochs", EPOCHS)
    assert slurm.end(again)[0]["JobState"] == "COMPLETED"
    assert "going on from" in log(place, again)
    assert same(place / "runs/digits/model.safetensors", straight)


def test_a_job_that_may_not_be_requeued_fails_and_says_so(slurm: Cluster, place: Path) -> None:
    job = slurm.submit(place, "--no-requeue", "one.sh", "runs/digits", "--epochs", EPOCHS)
    trains(place, job)
    slurm.command("scancel", "--batch", "--signal=USR1", job)
    (ended,) = slurm.end(job)
    assert (ended["JobState"], ended["ExitCode"]) == ("FAILED", "0:10")
    assert f"job {job} is not put back into the queue (Requested operation" in log(place, job)
    assert list((place / "runs/digits").glob("step-*.safetensors"))


@pytest.mark.long
def test_the_warning_comes_before_the_time_is_over(slurm: Cluster, place: Path) -> None:
    forever = "one.sh", "runs/digits", "--epochs", 10**6
    job = slurm.submit(place, "--time=1", "--signal=B:USR1@25", *forever)
    until(lambda: slurm.jobs(job)[0]["Restarts"] == "1")
    until(lambda: "going on from" in log(place, job))  # by SLURM itself
    slurm.command("scancel", job)
    slurm.end(job)
    assert log(place, job).index("stopped by SIGUSR1") < log(place, job).index("start 2 on")


def test_a_task_of_an_array_is_requeued_alone(slurm: Cluster, place: Path) -> None:
    """Also the one whose number is that of the whole array."""
    array = slurm.submit(place, "--array=0-2", "seeds.sh", "runs/seeds", "--epochs", EPOCHS)
    until(lambda: len(slurm.jobs(array)) == 3)
    (namesake,) = (each for each in slurm.jobs(array) if each["JobId"] == array)
    task = f"{array}_{namesake['ArrayTaskId']}"
    trains(place, task)
    slurm.command("scancel", "--batch", "--signal=USR1", task)
    ended = slurm.end(array)
    assert {each["JobState"] for each in ended} == {"COMPLETED"}
    assert {each["JobId"]: each["Restarts"] for each in ended} == {
        each["JobId"]: "1" if each["JobId"] == array else "0" for each in ended
    }
    models = [load_file(place / f"runs/seeds/seed-{i}/model.safetensors") for i in range(3)]
    assert len({b"".join(a.tobytes() for a in model.values()) for model in models}) == 3


@needs_ranks
@pytest.mark.parametrize(
    ("script", "whom"), [("ranks-srun.sh", []), ("ranks-mpiexec.sh", ["--batch"])]
)
def test_ranks_on_two_nodes_are_warned_and_go_on(
    script: str, whom: list[str], slurm: Cluster, place: Path
) -> None:
    if script == "ranks-srun.sh" and "pmix" not in slurm.command("srun", "--mpi=list"):
        pytest.skip("srun has no PMIx")  # Debian: libpmix-dev
    arguments = "--ntasks-per-node=1", script, "runs/digits", "--epochs", EPOCHS_OF_RANKS
    job = slurm.submit(place, *arguments)
    trains(place, job)
    slurm.command("scancel", *whom, "--signal=USR1", job)
    (ended,) = slurm.end(job)
    assert (ended["JobState"], ended["Restarts"], ended["NumNodes"]) == ("COMPLETED", "1", "2")
    assert log(place, job).count("stopped by SIGUSR1") == 1
    assert log(place, job).count("going on from") == 1
    alone = sys.executable, "train.py", "--ranks", "straight", "--epochs", EPOCHS_OF_RANKS
    slurm.command(MPIEXEC, "--oversubscribe", "-n", 2, *alone, cwd=place)
    straight = load_file(place / "straight/model.safetensors")
    assert same(place / "runs/digits/model.safetensors", straight)


@needs_ranks
@pytest.mark.parametrize("kind", ["none", "pmi2"])
def test_processes_that_srun_does_not_bring_together_are_refused(
    kind: str, slurm: Cluster, place: Path
) -> None:
    train = sys.executable, "train.py", "--ranks", "runs/digits"
    said = slurm.command("srun", f"--mpi={kind}", "-n2", *train, cwd=place, ok=False)
    assert said.count("RanksApartError: 2 processes were started together") == 2
    assert not (place / "runs").exists()


@pytest.mark.skipif(find_spec("optuna") is None, reason="optuna is not there (extra tune)")
@pytest.mark.parametrize(
    "how",
    [
        pytest.param(["--ntasks=2"], marks=pytest.mark.long),
        ["--ntasks=1", "--array=0-1"],
    ],
)
def test_processes_of_one_study_are_warned_and_go_on(
    how: list[str], slurm: Cluster, place: Path
) -> None:
    (place / "runs").mkdir()
    given = "digits", "--hidden", "32", "--epochs", "30", "--trials", "6", "--out"
    job = slurm.submit(place, *how, "tune.sh", *given, "runs/digits.safetensors")
    until(lambda: all(each["JobState"] == "RUNNING" for each in slurm.jobs(job)))
    until(lambda: (place / "runs/digits.tuning.sqlite").exists())
    logs = len(slurm.jobs(job))
    until(lambda: sum("study  " in path.read_text() for path in place.glob("*.log")) == logs)
    slurm.command("scancel", "--signal=INT", job)
    ended = slurm.end(job)
    assert {each["JobState"] for each in ended} == {"COMPLETED"}
    assert {each["Restarts"] for each in ended} == {"1"}
    assert load_file(place / "runs/digits.safetensors")
    said = "".join(path.read_text() for path in place.glob("*.log"))
    assert "6 trials, " in said
