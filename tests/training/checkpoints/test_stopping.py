"""Trainings that are killed, signalled, or run out of disk: real processes, and nothing is lost."""

from __future__ import annotations

import errno
import functools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule.atomic_write import TEMPORARY
from chainrule.storage.folder import CheckpointFolder
from chainrule.training.checkpoints import CheckpointWarning

ROOT = Path(__file__).parents[3]


def begun(folder: Path, engine: str, seconds: float = 0.0) -> subprocess.Popen[str]:
    """The victim, beginning or going on in a folder."""
    return subprocess.Popen(
        [
            sys.executable, "-m", "tests.training.checkpoints.victim",
            str(folder), engine, str(seconds),
        ],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip


@functools.cache
def straight(engine: str) -> str:
    """The digest of the training that is not stopped."""
    with tempfile.TemporaryDirectory() as folder:
        return ended(begun(Path(folder, "run"), engine))[-1]


def ended(process: subprocess.Popen[str]) -> list[str]:
    """What it printed, once it has ended well."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.split()


def killed(folder: Path, engine: str, kills: int, rng: random.Random) -> list[str]:
    """What a training prints in the end that was killed so often, at random times."""
    done, last = 0, 0
    while done < kills:
        process = begun(folder, engine, seconds=rng.choice([0.0, 0.002, 0.05]))
        assert process.stdout is not None
        line = process.stdout.readline()
        steps = int(line)
        assert steps >= last, "a step that was kept is lost"
        time.sleep(rng.uniform(0, 0.6))
        if process.poll() is not None:  # it was ready sooner
            return [line.strip(), *process.communicate()[0].split()]
        process.kill()
        process.communicate()
        done += 1
        found = CheckpointFolder(folder).newest()
        last = 0 if found is None else found.step
    return ended(begun(folder, engine))


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize(
    "kills", [15, pytest.param(250, marks=pytest.mark.long)]
)  # for each of two engines
def test_killed_at_random_times(engine: str, kills: int, tmp_path: Path) -> None:
    rng = random.Random(kills)
    done = 0
    while done < kills:
        folder = tmp_path / f"run{done}"
        count = min(kills - done, rng.randint(1, 8))
        assert killed(folder, engine, count, rng)[-1] == straight(engine)
        left = [n for n in os.listdir(folder) if TEMPORARY.fullmatch(n)]
        assert len(left) <= count  # those of the last seconds may be there still
        done += count


@pytest.mark.parametrize(
    ("name", "engine", "status"),
    [
        ("SIGTERM", "compiled", -signal.SIGTERM),
        ("SIGTERM", "numpy", -signal.SIGTERM),
        ("SIGHUP", "compiled", -signal.SIGHUP),
        ("SIGUSR1", "compiled", 0),
        ("SIGINT", "numpy", 0),
    ],
)
def test_signals(name: str, engine: str, status: int, tmp_path: Path) -> None:
    """The step is finished and kept; a shell sees 128 + the signal's number. Ctrl-C is the program's."""
    folder = tmp_path / "run"
    process = begun(folder, engine, seconds=0.1)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["0\n", "ready\n"]
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (status, "")
    assert out == "" or (name == "SIGINT" and out.startswith("interrupted by Ctrl-C "))
    found = CheckpointFolder(folder).newest()
    assert found is not None
    assert 0 < found.step < 8 * 60
    begin, *_ready, digest = ended(begun(folder, engine))
    assert (int(begin), digest) == (found.step, straight(engine))


@pytest.mark.parametrize(
    ("job", "answer", "status", "asked", "said"),
    [
        ({"SLURM_JOB_ID": "4711"}, "exit 0", 0, "requeue 4711\n", ""),
        # A task of an array is named by both numbers: one of them has the number of all as its own.
        (
            {"SLURM_JOB_ID": "12", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "3"},
            "exit 0", 0, "requeue 12_3\n", "",
        ),
        # SLURM ends the job, and scontrol in it, at once.
        ({"SLURM_JOB_ID": "4711"}, "kill $$", 0, "requeue 4711\n", ""),
        (
            {"SLURM_JOB_ID": "4711"}, "echo disabled >&2; exit 1", -signal.SIGUSR1,
            "requeue 4711\n",
            "job 4711 is not put back into the queue (disabled). Submit it again, and it goes on.\n",
        ),
        ({}, "exit 1", 0, None, ""),
    ],
)  # fmt: skip
def test_a_job_of_slurm_is_put_back_into_the_queue(
    job: dict[str, str], answer: str, status: int, asked: str | None, said: str, tmp_path: Path
) -> None:
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n{answer}\n')
    scontrol.chmod(0o755)
    outside = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.training.checkpoints.victim", str(tmp_path / "run"),
         "numpy", "0.1"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**outside, "PATH": f"{tmp_path}:{os.environ['PATH']}", **job},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() + process.stdout.readline() == "0\nready\n"
    process.send_signal(signal.SIGUSR1)
    _out, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (status, said)
    assert (tmp_path / "asked").exists() == (asked is not None)
    assert asked is None or (tmp_path / "asked").read_text() == asked


def test_a_laptop_that_is_closed(tmp_path: Path) -> None:
    process = begun(tmp_path / "run", "numpy", seconds=0.01)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGSTOP)
    time.sleep(1)
    process.send_signal(signal.SIGCONT)
    assert ended(process)[-1] == straight("numpy")


def spiral() -> cr.Trainer:
    return cr.Trainer(cr.TwoLayerNet(2, 10, 3), cr.Adam(0.01), engine="numpy")


def test_handlers_are_put_back_and_those_of_a_program_stay(tmp_path: Path) -> None:
    x, t = cr.datasets.spiral()
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1]
    own = lambda number, frame: None  # noqa: E731
    old = signal.signal(signal.SIGHUP, own)
    try:
        before = [signal.getsignal(n) for n in numbers]
        inside: list[Any] = []
        spiral().fit(
            x, t, 1, progress=None, checkpoint=tmp_path,
            callbacks=[lambda trainer: inside.extend(signal.getsignal(n) for n in numbers)],
        )  # fmt: skip
        assert [signal.getsignal(n) for n in numbers] == before
        assert [a is b for a, b in zip(inside, before, strict=True)] == [False, False, True, False]
    finally:
        signal.signal(signal.SIGHUP, old)


FAULTS = [
    ("open", errno.EACCES),
    ("write", errno.ENOSPC),
    ("write", errno.EIO),
    ("fsync", errno.EIO),
    ("replace", errno.ENOSPC),
]


@pytest.mark.parametrize(("call", "number"), FAULTS)
def test_a_full_disk_is_warned_of_and_training_goes_on(
    call: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, t = cr.datasets.spiral()
    whole = spiral()
    whole.fit(x, t, 6, progress=None)
    before: dict[str, bytes] = {}

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise OSError(number, os.strerror(number))

    def fill(trainer: cr.Trainer) -> None:
        if trainer.current_epoch == 3:
            before.update({f: Path(f).read_bytes() for f in CheckpointFolder(tmp_path).files()})
            monkeypatch.setattr(os, call, fail)

    trainer = spiral()
    with pytest.warns(CheckpointWarning, match=os.strerror(number)) as warned:
        trainer.fit(x, t, 6, progress=None, checkpoint=tmp_path, every="1 epoch", callbacks=[fill])
    monkeypatch.undo()
    latest = CheckpointFolder(tmp_path).files()[-1]
    assert latest in str(warned[0].message)
    assert {f: Path(f).read_bytes() for f in CheckpointFolder(tmp_path).files()} == before
    assert [n for n in os.listdir(tmp_path) if TEMPORARY.fullmatch(n)] == []
    assert [p.tobytes() for p in trainer.model.params] == [p.tobytes() for p in whole.model.params]
    again = spiral()
    again.resume(tmp_path)
    again.fit(x, t, 6, progress=None, checkpoint=tmp_path)
    assert [p.tobytes() for p in again.model.params] == [p.tobytes() for p in whole.model.params]


def test_a_disk_that_is_full_from_the_beginning_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    trainer = spiral()
    with pytest.raises(OSError, match="No space left"):
        trainer.fit(*cr.datasets.spiral(), 6, progress=None, checkpoint=tmp_path)
    assert trainer.history.steps == 0


def test_errors_say_where_the_latest_checkpoint_is(tmp_path: Path) -> None:
    x, t = cr.datasets.spiral()

    def fail(trainer: cr.Trainer) -> None:
        if trainer.current_epoch == 3:
            raise RuntimeError("the log is full")

    with pytest.raises(RuntimeError, match="the log is full") as raised:
        spiral().fit(x, t, 6, progress=None, checkpoint=tmp_path, every="1 epoch", callbacks=[fail])
    latest = CheckpointFolder(tmp_path).files()[-1]
    assert any(latest in note for note in raised.value.__notes__)
    whole, again = spiral(), spiral()
    whole.fit(x, t, 6, progress=None)
    again.resume(tmp_path)
    again.fit(x, t, 6, progress=None)
    assert [p.tobytes() for p in again.model.params] == [p.tobytes() for p in whole.model.params]

    line = cr.Sequential(cr.Affine.sized(2, 1), loss=cr.MeanSquaredError())
    wild = cr.Trainer(line, cr.SGD(1e9), engine="numpy")
    with pytest.raises(cr.errors.NonFiniteError) as diverged:
        wild.fit(x, t[:, None], 6, progress=None, checkpoint=tmp_path / "wild", every="1 step")
    assert any("wild/step-0" in note for note in diverged.value.__notes__)


def test_a_disk_that_is_full_from_the_first_byte_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file can be made, but nothing written: what is refused, and where, is in the error."""

    def fail(*_given: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", fail)
    x, t = cr.datasets.spiral()
    trainer = cr.Trainer(cr.TwoLayerNet(2, 10, 3), engine="numpy")
    with pytest.raises(OSError, match="No space left on device") as raised:
        trainer.fit(x, t, 1, progress=None, checkpoint=tmp_path / "run")
    assert str(tmp_path / "run") in str(raised.value)
