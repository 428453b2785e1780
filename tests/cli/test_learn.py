"""`chainrule learn`: a folder of exercises, checked one by one, and watched."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chainrule.cli import chainrule
from chainrule.lessons import EXERCISES, find_exercise

NUMBER = next(n for n, e in EXERCISES.items() if e.name == "multiply-backward")
RIGHT = "def backward(dout, x, y):\n    return dout * y, dout * x\n"
WRONG = "def backward(dout, x, y):\n    return -dout * y, dout * x\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("chainrule-lessons", f"{NUMBER:02}_multiply_backward.py")


def learn(*args: str) -> Result:
    return CliRunner().invoke(chainrule, ["learn", *args])


def test_from_the_first_file_to_the_progress(file: Path) -> None:
    listed = learn("list")
    assert listed.exit_code == 0
    assert f"{len(EXERCISES)} exercise" in listed.output
    assert f"0 of {len(EXERCISES)} exercises are done." in listed.output
    assert find_exercise("multiply-backward").title in listed.output
    task = file.read_text("utf-8")
    assert task.startswith(f"# {NUMBER}. The backward of the multiply node\n")
    compile(task, str(file), "exec")

    file.write_text(WRONG)
    told = learn("check", str(NUMBER))
    assert told.exit_code == 1
    assert "✗ dx has the wrong sign" in told.output
    assert "Tried with" not in told.output
    assert "Tried with two numbers." in learn("check", "multiply-backward", "--all").output
    picture = file.with_suffix(".svg")
    assert picture.read_text("utf-8").startswith("<svg")

    file.write_text(RIGHT)
    told = learn("check", str(NUMBER))
    assert told.exit_code == 0
    assert f"1 of {len(EXERCISES)} exercises are done." in told.output
    assert not picture.exists()
    assert json.loads(file.with_name("progress.json").read_text())["done"] == ["multiply-backward"]

    # What is done is not asked for again, and nothing that was written is written over.
    assert "multiply" not in learn("next").output
    assert file.read_text() == RIGHT
    assert "your answer is in" in learn("reset", str(NUMBER)).output
    assert file.with_suffix(".old.py").read_text() == RIGHT
    assert file.read_text("utf-8") == task


def test_hints_come_one_after_the_other(file: Path) -> None:
    hints = find_exercise("multiply-backward").hints
    for hint in [*hints, hints[-1]]:
        words = " ".join(learn("hint", str(NUMBER)).output.split())
        assert " ".join(hint.split()) in words


def test_progress_that_cannot_be_read_is_told(file: Path) -> None:
    learn("list")
    file.with_name("progress.json").write_text("[")
    told = learn()
    assert told.exit_code == 2
    assert "progress.json cannot be read" in told.stderr
    assert learn("check", "99").exit_code == 2


def test_a_file_is_checked_when_it_is_saved(file: Path) -> None:
    learn("list")
    with (
        subprocess.Popen(
            [sys.executable, "-m", "chainrule", "learn", "watch", str(NUMBER)],
            stdout=subprocess.PIPE,
            bufsize=0,  # else lines that have come already are not seen by select
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        ) as process,
        contextlib.ExitStack() as end,
    ):
        end.callback(process.kill)
        until(process, "Ctrl-C ends")
        file.write_text(WRONG)
        until(process, "wrong sign")
        file.write_text(RIGHT)
        until(process, "checks here passed")
        until(process, "Your file")  # the next one
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
        assert b"exercises are done" in rest
        assert process.returncode == 0


def until(process: subprocess.Popen[bytes], words: str) -> None:
    """Read what the command says until these words come."""
    assert process.stdout is not None
    while True:
        ready, _, _ = select.select([process.stdout], [], [], 60)
        assert ready, f"nothing was said for a minute, and not {words!r}"
        line = process.stdout.readline().decode()
        assert line, f"the command ended without {words!r}"
        if words in line:
            return
