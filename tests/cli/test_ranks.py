"""`chainrule train --ranks`, `--max-restarts`: real processes, real signals, and the same model after all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.driver import run
from tests.cli.test_resume import steps
from tests.distributed.launching import needs_ranks

import chainrule as cr
from chainrule.cli.job import Job
from chainrule.cli.job_end import End, lost

DIGITS = [
    "train",
    "digits",
    "--preset",
    "plain",
    "--hidden",
    "8",
    "--seed",
    "3",
    "--engine",
    "numpy",
]
KEPT = ["--checkpoint", "run", "--every", "10 steps"]
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


def start(*words: str) -> subprocess.Popen[str]:
    """A process of the command."""
    line = [sys.executable, "-m", "chainrule", *words]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """How a process of the command ended, and what it said."""
    out, err = process.communicate(timeout=200)
    return process.returncode, out, err


def ranks_of(process: subprocess.Popen[str]) -> dict[int, int]:
    """The processes of the ranks that a command has started, by their numbers."""
    parents: dict[int, int] = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(place.name)] = int(
                (place / "stat").read_text().rpartition(")")[2].split()[1]
            )
        except OSError:  # it has ended meanwhile
            continue
    found = {}
    for pid in parents:
        above = pid
        while above in parents and above != process.pid:
            above = parents[above]
        try:
            told = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if above == process.pid != pid and words[1:3] == ["-m", "chainrule.cli.as_rank"]:
            own = dict(line.partition("=")[::2] for line in told)
            found[int(own.get("OMPI_COMM_WORLD_RANK", 0))] = pid
    return found


def after_steps(process: subprocess.Popen[str], more: int) -> dict[int, int]:
    """The ranks of a command, once so many more steps are kept."""
    before = steps(Path("run"))
    while process.poll() is None and steps(Path("run")) < before + more:
        time.sleep(0.02)
    assert process.poll() is None, process.communicate()
    return ranks_of(process)


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def arrays(path: str) -> list[Any]:
    """The parameters of a model."""
    return [p.data for p in cr.load_model(path).network.named_parameters().values()]


@needs_ranks
@linux
def test_a_rank_that_is_stopped_and_one_that_is_killed_leave_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*DIGITS, "--epochs", "4", "--reproducible", "--json"]
    code, _out, err = ended(start(*words, "--out", "whole.safetensors"))
    assert code == 0, err
    faults = ["--ranks", "2", "--max-restarts", "2", "--rank-timeout", "2"]
    process = start(*words, *faults, *KEPT, "--out", "parts.safetensors")
    os.kill(after_steps(process, 20)[1], signal.SIGSTOP)
    while "restart 1 of 2" not in (said := process.stderr.readline()):  # type: ignore[union-attr]
        assert process.poll() is None
    assert said.startswith("Note: rank 1 of 2 has given no sign of life for 2 s")
    os.kill(after_steps(process, 20)[0], signal.SIGKILL)
    code, out, err = ended(process)
    assert code == 0, err
    assert "Note: rank 0 of 2 was ended by SIGKILL" in err
    assert "(restart 2 of 2)" in err
    assert out.count("\n") == 1  # the JSON, once
    assert Path("parts.safetensors").read_bytes() == Path("whole.safetensors").read_bytes()


def few_and_many() -> list[Any]:
    """One kill in the default mode, more in the long one."""
    return [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 21))]


@needs_ranks
@linux
@pytest.mark.parametrize("seed", few_and_many())
def test_three_ranks_with_a_kill_at_a_random_step(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(seed)
    words = [*DIGITS, "--epochs", "5", "--quiet"]
    process = start(
        *words, "--ranks", "3", "--max-restarts", "1", *KEPT, "--out", "parts.safetensors"
    )
    ranks = after_steps(process, int(rng.integers(1, 150)))
    os.kill(ranks[int(rng.integers(3))], signal.SIGKILL)
    code, out, err = ended(process)
    assert (code, out) == (0, ""), err
    code, _out, err = ended(start(*words, "--out", "whole.safetensors"))
    assert code == 0, err
    for a, b in zip(arrays("parts.safetensors"), arrays("whole.safetensors"), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)  # float32, 225 steps


@linux
def test_a_process_without_ranks_is_started_again_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*DIGITS, "--epochs", "5"]
    assert ended(start(*words, "--quiet", "--out", "whole.safetensors"))[0] == 0
    process = start(*words, "--max-restarts", "1", *KEPT, "--out", "parts.safetensors")
    os.kill(after_steps(process, 20)[0], signal.SIGKILL)
    code, _out, err = ended(process)
    assert code == 0, err
    assert "Note: the process of the training was ended by SIGKILL" in err
    assert "(restart 1 of 1)" in err
    assert Path("parts.safetensors").read_bytes() == Path("whole.safetensors").read_bytes()


SIGNALS = [
    (signal.SIGINT, 130, "Stopped: interrupted in epoch"),
    (signal.SIGTERM, -signal.SIGTERM, "stopped by SIGTERM"),
    pytest.param(signal.SIGHUP, -signal.SIGHUP, "stopped by SIGHUP", marks=pytest.mark.long),
    pytest.param(signal.SIGUSR1, 0, "stopped by SIGUSR1", marks=pytest.mark.long),
    pytest.param(signal.SIGKILL, -signal.SIGKILL, "stopped by SIGTERM", marks=pytest.mark.long),
]


@needs_ranks
@linux
@pytest.mark.parametrize(("number", "status", "said"), SIGNALS)
def test_a_signal_to_the_command_keeps_the_training_of_all_ranks(
    number: signal.Signals,
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    process = start(*DIGITS, "--epochs", "20000", "--ranks", "2", *KEPT, "--out", "m.safetensors")
    ranks = after_steps(process, 4)
    assert sorted(ranks) == [0, 1]
    process.send_signal(number)
    code, _out, err = ended(process)
    assert code == status, err
    assert said in err
    until = time.monotonic() + 15
    while any(map(is_there, ranks.values())) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(is_there, ranks.values()))
    assert Path("m.safetensors").exists() == (number == signal.SIGINT)


@needs_ranks
@linux
def test_ctrl_z_stops_all_ranks_and_a_second_ctrl_c_ends_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    process = start(*DIGITS, "--epochs", "20000", "--ranks", "2", *KEPT, "--out", "m.safetensors")
    ranks = after_steps(process, 4)
    process.send_signal(signal.SIGTSTP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    before = steps(Path("run"))
    time.sleep(0.5)
    assert steps(Path("run")) == before
    process.send_signal(signal.SIGCONT)
    after_steps(process, 2)
    os.kill(ranks[1], signal.SIGSTOP)  # which the others would wait for
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    code, _out, err = ended(process)
    assert (code, "Stopped: interrupted twice, and ended at once." in err) == (130, True)
    assert not any(map(is_there, ranks.values()))


@needs_ranks
def test_an_error_is_told_once_and_not_tried_again(tmp_path: Path) -> None:
    # Numbers of which the loss goes beyond all bounds.
    words = [*DIGITS, "--optimizer", "sgd", "--lr", "1000", "--epochs", "9", "--ranks", "2"]
    kept = ["--checkpoint", str(tmp_path / "run"), "--max-restarts", "3"]
    code, _out, err = ended(start(*words, *kept, "--out", str(tmp_path / "m.safetensors")))
    assert (code, err.count("Error: training went out of bounds"), "restart" in err) == (
        2,
        1,
        False,
    ), err


def test_what_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Job, "run", lambda self: pytest.fail("it was started"))
    for words, said in [
        (["-", "--ranks", "2"], "standard input can be read once"),
        (["iris", "--ranks", "3", "--reproducible"], "give 1, 2, 4 or 8 ranks"),
        (["iris", "--max-restarts", "2"], "--max-restarts goes on from what --checkpoint has kept"),
        (["iris", "--ranks", "0"], "--ranks: got '0'"),
        (["--playground", "#dataset=xor", "--ranks", "2"], "so --ranks cannot be given"),
    ]:
        result = run("train", *words)
        assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run("train", "iris", "--ranks", "2")
    assert result.exit_code == 2
    assert "needs mpiexec" in result.stderr
    assert 'pip install "chainrule[mpi]"' in result.stderr
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    assert "--ranks 4" in run("train", "iris", "--ranks", "2").stderr


def test_restarts_go_on_and_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tried: list[list[str]] = []

    def lost(job: Job) -> End:
        tried.append(job.words)
        if len(tried) == 2:  # it comes as far as that its command is kept
            process = start(*job.words, "--epochs", "1", "--quiet")
            assert ended(process)[0] == 0
        return End(75, "rank 1 was lost.", again=True)

    monkeypatch.setattr(Job, "run", lost)
    words = ["train", "iris", "--max-restarts", "2", "--checkpoint", "run"]
    result = run(*words)
    assert result.exit_code == 75
    assert "Error: rank 1 was lost. chainrule resume run goes on with it." in result.stderr
    begun = ["train", "iris", "--checkpoint", "run", "--max-restarts", "2"]
    assert tried == [begun, begun, ["resume", "run", "--force"]]
    assert "begins anew (restart 1 of 2)" in " ".join(result.stderr.split())
    assert "goes on from its latest checkpoint (restart 2 of 2)" in " ".join(result.stderr.split())


def test_what_is_worth_another_attempt() -> None:
    """By what mpiexec, or the system, says of the process that was lost."""
    improper = "prterun has exited due to process rank 1 with PID 5 on node a exiting improperly."
    for status, noise, ranks, again, said in [
        (
            137,
            "process rank 1 with PID 5 on node a exited on signal 9 (Killed).",
            2,
            True,
            "SIGKILL",
        ),
        (
            134,
            "process rank 1 with PID 5 on node a exited on signal 6 (Aborted).",
            2,
            True,
            "SIGABRT",
        ),
        (1, improper, 2, True, "rank 1 of 2 ended without a word."),
        (143, "process rank 1 with PID 5 on node a exited on signal 15 (..).", 2, False, "SIGTERM"),
        (-9, "", 1, True, "the process of the training was ended by SIGKILL"),
        (-9, "", 2, True, "mpiexec was ended by SIGKILL"),
        (0, "", 2, True, "mpiexec ended without a word."),
    ]:
        end = lost(status, noise, None, ranks)
        assert (end.again, said in str(end.why)) == (again, True), end
        assert end.code == (75 if again else -signal.SIGTERM)
    end = lost(213, "-----\nThere are not enough slots\n-----", None, 9, begun=False)
    assert (end.code, end.again) == (2, False)
    assert str(end.why) == "mpiexec has not started the ranks: There are not enough slots"


@needs_ranks
def test_an_ensemble_that_one_process_keeps_together_is_not_begun_anew_on_ranks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["train", "iris", "--preset", "table-small", "--ensemble", "2", "--engine", "numpy"]
    process = start(*words, "--epochs", "500", "--checkpoint", "run", "--every", "5 steps")
    while process.poll() is None and not list(Path("run").glob("*/*.safetensors")):
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == -signal.SIGTERM
    before = sorted(Path("run").rglob("*"))
    code, _out, err = ended(start("resume", "run", "--ranks", "2"))
    assert code == 2
    assert "ensemble at once" in err
    assert "Go on with --ranks 1." in err
    assert sorted(Path("run").rglob("*")) == before
