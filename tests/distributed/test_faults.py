"""What happens to a job if something happens to one of its ranks: it ends soon, and says which."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.distributed.fault_ranks import TIMEOUT
from tests.distributed.launching import ROOT, command, environment, launch, needs_ranks

pytestmark = needs_ranks

#: Seconds in which a job ends after a fault, and those that three Pythons take to begin on one core.
SOON, START = 10, 15


def told(text: str) -> list[list[object]]:
    """What the ranks said at the end, in their order."""
    return sorted(ast.literal_eval(line) for line in text.splitlines() if line.startswith("["))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("raise", "rank 1 of 3 ended by ValueError; the job ends."),
        ("exit", "rank 1 of 3 ended before the training was over"),
        ("early", "rank 1 of 3 ended before the training was over"),
        ("kill", "rank 1"),
        ("a seed", "the parameters of rank 1 are not those of rank 0"),
        ("a batch size", "batch_size: 8 on rank 1, 16 on rank 0"),
        ("a row less", "float64[45, 6], int64[45], - on rank 1, float64[46, 6]"),
        ("other parameters", "after epoch 3 the parameters of rank 1 are not those of rank 0"),
        ("not finite", "Training stopped in epoch"),
        ("stop", "rank 1 of 3 has given no sign of life for 2 s"),
        ("loop", "rank 1 of 3 has been in fault_ranks.py:"),
        ("a barrier", " rank 1 in barrier (call "),
    ],
)
def test_the_job_ends_and_says_why(what: str, said: str) -> None:
    began = time.monotonic()
    done = launch(3, "fault_ranks", what, "numpy")
    assert done.returncode != 0
    assert said in done.stderr, done.stderr
    assert not told(done.stdout)
    assert time.monotonic() - began < START + SOON


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("exit", "rank 1 of 3 ended before the training was over"),
        ("stop", "rank 1 of 3 has given no sign of life for 2 s"),
        ("a barrier", " rank 1 in barrier (call "),
    ],
)
def test_the_job_ends_where_mpi_is_for_one_thread_alone(what: str, said: str) -> None:
    done = launch(3, "fault_ranks", what, "numpy", MPI4PY_RC_THREAD_LEVEL="single")
    assert done.returncode != 0
    told = [line for line in done.stderr.splitlines() if line.endswith(" ends.") or said in line]
    # Where all wait for each other, two of them may see it at once.
    assert len(told) == 1 or (what == "a barrier" and told), done.stderr
    assert all(said in line for line in told)


@pytest.mark.parametrize(
    "what", ["raise", "kill", "not finite", "other parameters", "a callback", "an engine"]
)
def test_the_job_ends_on_the_compiled_engine_too(what: str) -> None:
    done = launch(3, "fault_ranks", what, "compiled")
    assert done.returncode != 0
    said = {
        "not finite": "Training stopped in epoch",
        "other parameters": "parameters of rank 1",
        "a callback": "callbacks: [] on rank 1, ['Fault'] on rank 0",
        "an engine": "the engine: numpy on rank 1, compiled on rank 0",
    }
    assert said.get(what, "rank 1") in done.stderr, done.stderr
    assert not told(done.stdout)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize(
    ("what", "steps", "epochs"), [("interrupt", 7, 3), ("between epochs", 6, 2)]
)
def test_ranks_stop_together(what: str, steps: int, epochs: int, engine: str) -> None:
    done = launch(3, "fault_ranks", what, engine)
    assert done.returncode == 0, done.stderr
    why = "interrupted by Ctrl-C on rank 1"
    assert told(done.stdout) == [[rank, steps, epochs, True, why, True] for rank in range(3)]
    assert done.stderr.count("epoch 1/5") == 1  # rank 0 alone shows progress


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_ranks_stop_together_at_any_time(engine: str) -> None:
    done = launch(3, "fault_ranks", "at any time", engine)
    assert done.returncode == 0, done.stderr
    first, *others = [rest for _rank, *rest in told(done.stdout)]
    assert others == [first, first]
    assert first[2:4] == [True, "interrupted by Ctrl-C on rank 1"]


def test_a_signal_to_one_rank_keeps_the_training_and_ends_all(tmp_path: Path) -> None:
    done = launch(3, "fault_ranks", "terminate", "compiled", tmp_path)
    assert done.returncode in (128 + signal.SIGTERM, signal.SIGTERM)
    newest = max(path.name for path in tmp_path.glob("*.safetensors"))
    assert newest == "step-000000007.safetensors"
    assert "the training is kept in" in done.stderr


def test_a_rank_that_computes_in_chainrule_has_all_the_time_it_needs() -> None:
    done = launch(3, "fault_ranks", "a long evaluation", "numpy")
    assert done.returncode == 0, done.stderr
    assert len(told(done.stdout)) == 3


def test_a_job_that_sleeps_as_a_whole_goes_on() -> None:
    """Ranks are stopped for longer than one may hang, as those of a laptop that is closed."""
    job = subprocess.Popen(
        command(2, "fault_ranks", "slow", "numpy"),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert job.stderr is not None
    said = iter(job.stderr.readline, "")
    ranks = [int(line.split()[1]) for line in (next(s for s in said if "pid" in s) for _ in "12")]
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for rank in ranks:
            os.kill(rank, number)
        time.sleep(1.5 * TIMEOUT if number is signal.SIGSTOP else 0)
    out, err = job.communicate(timeout=120)
    assert job.returncode == 0, err
    assert len(told(out)) == 2


def test_ranks_may_end_at_different_times() -> None:
    done = launch(3, "fault_ranks", "a long end", "compiled")
    assert done.returncode == 0, done.stderr
    assert len(told(done.stdout)) == 3
