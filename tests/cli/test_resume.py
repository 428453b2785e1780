"""`chainrule train --checkpoint`, `resume` and `inspect FOLDER`, stopped by real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.driver import as_json, good, run

from chainrule.storage.folder import CheckpointFolder

#: One of each way to train; the last trains with two presets, and keeps the better one.
COMMANDS: dict[str, list[str]] = {
    "plain": ["digits", "--preset", "plain", "--hidden", "16", "--epochs", "15"],
    "table": ["iris", "--preset", "table", "--epochs", "30", "--engine", "numpy"],
    "many": ["iris", "--preset", "table-small", "--epochs", "12", "--ensemble", "3"],
    "two": ["moons.csv", "--target", "label"],
}


def command(*words: str, wait: bool = True) -> Any:
    """A process of the command, or its result."""
    line = [sys.executable, "-m", "chainrule", *words]
    if wait:
        return subprocess.run(line, capture_output=True, text=True, check=False)
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def moons(folder: Path, rows: int = 2700) -> None:
    """A table; with so many rows two presets are tried."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 3)).round(3)
    label = np.where(np.sin(3 * x[:, 0]) + x[:, 1] > 0.3 * rng.normal(size=rows), "in", "out")
    lines = [f"{a},{b},{c},{k}" for (a, b, c), k in zip(x, label, strict=True)]
    (folder / "moons.csv").write_text("\n".join(["a,b,c,label", *lines]) + "\n")


def steps(folder: Path) -> int:
    """How many steps are kept in all trainings of a folder."""
    trainings = [p for p in folder.iterdir() if p.is_dir()] if folder.is_dir() else []
    files = [CheckpointFolder(p).files()[-1:] for p in trainings]
    return sum(int(Path(f).name[5:14]) for [f] in filter(None, files))


@pytest.mark.parametrize(
    "name", [*list(COMMANDS)[:-1], pytest.param("two", marks=pytest.mark.long)]
)
def test_stopped_again_and_again_the_model_is_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    moons(tmp_path)
    words = ["train", *COMMANDS[name], "--seed", "3"]
    done = command(*words, "--out", "whole.safetensors")
    assert done.returncode == 0, done.stderr
    keeps = ["--checkpoint", "run", "--every", "2 steps", "--out", "parts.safetensors"]
    process = command(*words, *keeps, wait=False)
    rng = np.random.default_rng(len(name))
    for number in (signal.SIGTERM, signal.SIGKILL):
        before = steps(tmp_path / "run")
        while process.poll() is None and steps(tmp_path / "run") <= before + 2:
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.3))
        process.send_signal(number)
        _out, err = process.communicate(timeout=120)
        if os.path.exists("parts.safetensors"):  # it had ended by then
            break
        assert process.returncode == -number, err
        process = command("resume", "run", wait=False)
    else:
        _out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    same = Path("parts.safetensors").read_bytes() == Path("whole.safetensors").read_bytes()
    assert same, good("compare", "parts.safetensors", "whole.safetensors")
    again = run("resume", "run")
    assert again.exit_code == 2
    assert "parts.safetensors exists already" in again.stderr
    # In a process of its own, whose products are on one thread like those of the others.
    more = command("resume", "run", "--out", "more.safetensors", "--quiet")
    assert (more.returncode, more.stdout, more.stderr) == (0, "", "")
    assert Path("more.safetensors").read_bytes() == Path("whole.safetensors").read_bytes()


def stopped(folder: Path, *more: str) -> Path:
    """A training of a table that Ctrl-C stopped."""
    moons(folder, 400)
    process = command(
        "train", str(folder / "moons.csv"), "--preset", "table-small", "--epochs", "90", "--checkpoint",
        str(folder / "run"), "--every", "1 epoch", "--out", str(folder / "m.safetensors"), *more,
        wait=False,
    )  # fmt: skip
    while process.poll() is None and steps(folder / "run") < 10:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "resume" in out + err
    return folder / "run"


def test_inspecting_a_run_and_moving_its_data(tmp_path: Path) -> None:
    kept = stopped(tmp_path)
    text = good("inspect", str(kept))
    for part in (
        "moons.csv",
        "training    table-small",
        " of 90 epochs",
        "chainrule resume",
        "NumPy ",
    ):
        assert part in text
    told = as_json("inspect", str(kept))
    latest = told["trainings"]["table-small"][-1]
    assert latest["engine"] == "numpy"
    assert latest["settings"]["batch_size"] == 256
    assert latest["step"] > 0
    [newest] = CheckpointFolder(kept / "table-small").files()[-1:]
    Path(newest).write_bytes(b"?")
    assert f"{os.path.basename(newest)} cannot be read" in good("inspect", str(kept))

    data, moved = tmp_path / "moons.csv", tmp_path / "elsewhere.csv"
    data.rename(moved)
    missing = run("resume", str(kept))
    assert (missing.exit_code, "is not there. Name where it is now (--data)" in missing.stderr) == (
        2, True,
    )  # fmt: skip
    whole = moved.read_bytes()
    moved.write_bytes(whole.replace(b"in", b"out", 1))
    edited = run("resume", str(kept), "--data", str(moved))
    assert edited.exit_code == 2
    assert "has changed since the training was begun" in edited.stderr
    moved.write_bytes(whole)
    (tmp_path / "m.safetensors").unlink()
    done = run("resume", str(kept), "--data", str(moved), "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["training"]["epochs"] == 90


def test_what_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "command.json").write_text('{"format": "chainrule train", "version": 9}')
    (tmp_path / "file").write_text("")
    for words, said in [
        (["resume", "nowhere"], "there is no such folder"),
        (["resume", "empty"], "has no command.json"),
        (["resume", "odd"], "is not what `chainrule train`"),
        (["resume", "file"], "there is no such folder"),
        (["inspect", "empty"], "is a folder without checkpoints"),
        (["train", "iris", "--every", "3 steps"], "--every says how often"),
        (["train", "iris", "--checkpoint", "new", "--every", "3"], "--every='3'"),
        (["train", "-", "--checkpoint", "new"], "standard input"),
        (["train", "iris", "--checkpoint", "file"], "is a file"),
        (["train", "iris", "--checkpoint", "odd"], "a training is kept there already"),
    ]:
        there = [str(tmp_path / w) if w in ("nowhere", "empty", "odd", "file", "new") else w
                 for w in words]  # fmt: skip
        result = run(*there, *(["--out", str(tmp_path / "m")] if words[0] == "train" else []))
        assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
    assert not (tmp_path / "new").exists()
