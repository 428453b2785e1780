"""`fit_many` with checkpoints: killed, signalled, gone on with; to the bits of a call never stopped."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.cli.driver import run
from tests.training.checkpoints.many_victim import Rate, trained

import chainrule as cr
from chainrule.errors import SettingError
from chainrule.storage.checkpoint import read_checkpoint
from chainrule.storage.folder import CheckpointFolder
from chainrule.training import pool
from chainrule.training.checkpoints import CheckpointWarning
from chainrule.training.pool import Pool

pytest.importorskip("llvmlite")
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def straight() -> str:
    """The digest of the call that is not stopped, and keeps nothing."""
    return trained(None, Rate(), every=None)


def begun(folder: Path, seconds: float, n_jobs: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable, "-m", "tests.training.checkpoints.many_victim",
            str(folder), str(seconds), n_jobs,
        ],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip


def kept(process: subprocess.Popen[str], folder: Path, files: int = 1) -> None:
    """Wait for the first checkpoint, or the second."""
    while process.poll() is None and len(CheckpointFolder(folder).files()) < files:
        time.sleep(0.02)


def ended(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.split()[-1]


def test_with_checkpoints_the_same_bits_and_at_the_end_nothing_is_left(
    straight: str, tmp_path: Path
) -> None:
    assert trained(tmp_path, Rate()) == straight
    files = CheckpointFolder(tmp_path).files()
    assert trained(tmp_path, Rate(), n_jobs=1) == straight
    assert CheckpointFolder(tmp_path).files() == files


@pytest.mark.parametrize("part", [16, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    "more", [{"threads": 1}, {"threads": 2}, {"engine": "numpy"}, {"n_jobs": 2}], ids=str
)
def test_from_any_checkpoint_the_same_bits(
    straight: str, part: int, more: dict[str, Any], tmp_path: Path
) -> None:
    """Within epochs, between them, of all networks: each as if the call had been stopped there."""
    whole, engine = tmp_path / "whole", {k: v for k, v in more.items() if k == "engine"}
    expected = trained(None, Rate(), every=None, **engine) if engine else straight
    assert trained(whole, Rate(), every="1 step", keep=10_000, **more) == expected
    files = CheckpointFolder(whole).files()
    within, some = 0, files if "n_jobs" in more else files[random.Random(1).randrange(part) :: part]
    assert len(some) > 4
    for i, file in enumerate(some):
        place = tmp_path / str(i)
        place.mkdir()
        shutil.copy(file, place)
        states = read_checkpoint(file).state["networks"]
        within += any(state["place"] for state in states)
        assert trained(place, Rate(), every="1 h", **engine) == expected, file
    assert within >= 3 or "n_jobs" in more


@pytest.mark.parametrize("kills", [10, pytest.param(150, marks=pytest.mark.long)])
@pytest.mark.parametrize("n_jobs", ["", "2"])
def test_killed_at_random_times(straight: str, kills: int, n_jobs: str, tmp_path: Path) -> None:
    rng = random.Random(kills)
    done, run = 0, 0
    while done < kills:
        folder, last = tmp_path / f"run{run}", -1
        for _again in range(rng.randint(1, 5)):
            process = begun(folder, rng.choice([0.0, 0.002, 0.01]), n_jobs)
            kept(process, folder)
            time.sleep(rng.uniform(0, 1))
            process.kill()
            process.wait()
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            process.stderr.close()
            done += 1
            found = CheckpointFolder(folder).newest()
            step = -1 if found is None else found.step
            assert step >= last, "a step that was kept is lost"
            last = step
        assert ended(begun(folder, 0.0)) == straight
        run += 1


@pytest.mark.parametrize(
    ("name", "status"), [("SIGTERM", -signal.SIGTERM), ("SIGUSR1", 0), ("SIGINT", 0)]
)
@pytest.mark.parametrize("n_jobs", ["", "2"])
def test_signals(straight: str, name: str, status: int, n_jobs: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = begun(folder, 0.02, n_jobs)
    kept(process, folder, 1 if n_jobs else 2)
    process.send_signal(getattr(signal, name))
    _out, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert err == "" or (n_jobs and "Traceback" not in err)  # joblib says that it cleans up
    found = CheckpointFolder(folder).newest()
    assert found is not None
    assert found.step < 336
    assert found.step > 0 or n_jobs
    assert ended(begun(folder, 0.0, n_jobs)) == straight


def test_more_epochs_are_those_of_a_call_with_so_many(tmp_path: Path) -> None:
    expected = trained(None, Rate(), every=None, epochs=9)
    trained(tmp_path, Rate())
    assert trained(tmp_path, Rate(), epochs=9) == expected
    assert trained(tmp_path / "jobs", Rate(), n_jobs=2) != expected
    assert trained(tmp_path / "jobs", Rate(), epochs=9) == expected


def small(folder: Path, **more: Any) -> list[cr.History]:
    x, t = cr.datasets.spiral()
    first, rate = more.pop("first", 0), more.pop("rate", 0.1)
    nets = [cr.TwoLayerNet(2, 10, 3, seed=first + i) for i in range(more.pop("many", 3))]
    given = {"epochs": 2, "progress": None, "checkpoint": folder, "engine": "compiled", **more}
    return cr.fit_many(nets, cr.SGD(rate), more.pop("x", x), t, **{"batch_size": 30, **given})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"first": 1}, r"networks\[0\] is of another training: the first weights or seeds differ"),
        ({"seeds": 1}, "the first weights or seeds differ"),
        ({"rate": 0.2}, r"networks\[0\] .* the optimizer: SGD\(lr=0.2\) now, SGD\(lr=0.1\)"),
        ({"batch_size": 20}, "batch_size: 20 now, 30 in the checkpoint"),
        ({"validation": 0.1}, "the held-out rows: 0.1 now, None in the checkpoint"),
        ({"engine": "numpy"}, "engine: numpy now, compiled in the checkpoint"),
        ({"many": 4}, "has 3 networks, and there are 4 now"),
        ({"every": "often"}, "every='often' must be"),
    ],
    ids=str,
)
def test_another_call_is_refused(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    small(tmp_path)
    before = {f: Path(f).read_bytes() for f in CheckpointFolder(tmp_path).files()}
    with pytest.raises(SettingError, match=said):
        small(tmp_path, **change)
    assert {f: Path(f).read_bytes() for f in CheckpointFolder(tmp_path).files()} == before


def test_a_trainer_and_fit_many_do_not_take_each_others_checkpoints(tmp_path: Path) -> None:
    x, t = cr.datasets.spiral()
    small(tmp_path / "many")
    trainer = cr.Trainer(cr.TwoLayerNet(2, 10, 3), cr.SGD(0.1))
    with pytest.raises(SettingError, match="has the networks of a call of fit_many"):
        trainer.resume(tmp_path / "many", may_differ=True)
    trainer.fit(x, t, 1, progress=None, checkpoint=tmp_path / "one")
    with pytest.raises(SettingError, match="the checkpoint of a single training"):
        small(tmp_path / "one")


def test_two_calls_at_once_in_one_folder(tmp_path: Path) -> None:
    process = begun(tmp_path, 0.05)
    kept(process, tmp_path)
    try:
        with pytest.raises(SettingError, match=f"process {process.pid}"):
            trained(tmp_path, Rate())
    finally:
        process.kill()
        process.communicate()


def test_a_full_disk_is_warned_of_and_training_goes_on(
    straight: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0

    class Filling(Rate):
        def __call__(self, step: int) -> float:
            nonlocal steps
            steps += 1
            if steps == 100:

                def fail(*args: Any) -> Any:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

                monkeypatch.setattr(os, "fsync", fail)
            return super().__call__(step)

    with pytest.warns(CheckpointWarning, match="No space left"):
        assert trained(tmp_path, Filling()) == straight
    monkeypatch.undo()
    assert trained(tmp_path, Rate()) == straight


def test_an_error_names_the_network_and_the_latest_checkpoint(tmp_path: Path) -> None:
    calls = 0

    def metric(y: Any, t: Any) -> float:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise RuntimeError("the log is full")
        return 0.5

    with pytest.raises(RuntimeError, match="the log is full") as raised:
        small(tmp_path, metrics=[metric], threads=1)
    notes = " ".join(raised.value.__notes__)
    assert "raised while networks[" in notes
    assert CheckpointFolder(tmp_path).files()[-1] in notes


class _Turn(threading.Condition):
    """Tells whether a thread waits; one that leaves with an error lets that thread go first."""

    def __init__(self) -> None:
        super().__init__()
        self.waits, self.went = threading.Event(), threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.set()
        try:
            return super().wait(timeout)
        finally:
            self.waits.clear()

    def __exit__(self, *args: Any) -> None:
        super().__exit__(*args)
        if sys.exc_info()[0] is RuntimeError:
            assert self.went.wait(60)


def test_an_error_in_one_thread_while_another_waits_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the round with the error has left behind, steps that no history has, is not written."""
    turn, rounds = _Turn(), list[int]()
    made, ran, keeps = Pool.__init__, pool._Round.run, Pool._keep

    def make(self: Any, *given: Any) -> None:
        made(self, *given)
        self._turn = turn

    def run_and_fail(self: Any, *given: Any) -> None:
        ran(self, *given)
        if any(member.number == 0 for member in self.team):
            rounds.append(len(rounds))
            if len(rounds) == 3:
                assert turn.waits.wait(60)
                raise RuntimeError("a step that failed")

    def keep(self: Any, *given: Any) -> None:
        keeps(self, *given)
        if len(rounds) == 3:
            turn.went.set()

    more: dict[str, Any] = {"threads": 2, "every": "1 epoch", "epochs": 20}
    with monkeypatch.context() as patch:
        patch.setattr(Pool, "__init__", make)
        patch.setattr(pool._Round, "run", run_and_fail)
        patch.setattr(Pool, "_keep", keep)
        with pytest.raises(RuntimeError, match="a step that failed"):
            small(tmp_path / "run", **more)
    assert turn.went.is_set()
    found = CheckpointFolder(tmp_path / "run").newest()
    assert found is not None
    assert 0 < found.state["networks"][0]["epoch"] < 20
    more["every"] = "1 h"
    small(tmp_path / "run", **more)
    small(tmp_path / "straight", **more)
    assert cr.compare_runs(tmp_path / "run", tmp_path / "straight").equal


def test_folders_are_inspected_and_compared(tmp_path: Path) -> None:
    ways: dict[str, dict[str, Any]] = {"a": {}, "b": {"n_jobs": 2}, "c": {"rate": 0.2}}
    for name, more in ways.items():
        small(tmp_path / name, **more)
    told = run("inspect", str(tmp_path / "a"))
    assert "3 of 3 networks trained, 60 steps in all" in told.output
    assert "3 networks: TwoLayerNet, 189 parameters" in told.output
    data = json.loads(run("inspect", str(tmp_path / "a"), "--json").stdout)
    newest = data["trainings"][""][-1]
    assert [one["epoch"] for one in newest["networks"]] == [2, 2, 2]
    same = cr.compare_runs(tmp_path / "a", tmp_path / "b")
    assert [one.name for one in same.trainings] == [f"networks[{i}]" for i in range(3)]
    assert same.equal
    assert not cr.compare_runs(tmp_path / "a", tmp_path / "c").equal
