"""A reader's file in a process of its own, and an answer in a notebook: whatever they do is answered."""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path

import pytest

import chainrule as cr
from chainrule.errors import SettingError
from chainrule.lessons import EXERCISES, find_exercise, time_limit
from chainrule.lessons.running import MOST, run_file

RIGHT = "def backward(dout, x, y):\n    return dout * y, dout * x\n"


@pytest.mark.parametrize(
    ("code", "kind", "sentence"),
    [
        (
            "def backward(dout, x, y):\n    return 1 / 0\n",
            "raised",
            "Line 2 of your code stopped with Zero",
        ),
        ("def backward(\n", "syntax", "Line 1 of your code is not Python"),
        ("import os\nos._exit(0)\n", "ended", "ended Python before it could be tried"),
        ("raise SystemExit(3)\n", "raised", "Line 1 of your code stopped with SystemExit"),
        ("backwards = 1\n", "missing", "Your file has to define backward."),
        ("def backward(dout, x, y):\n    return input()\n", "raised", "EOFError"),
        ("def backward(dout, x):\n    return x\n", "raised", "TypeError"),
        (
            "import no_such_module\n",
            "raised",
            "Line 1 of your code stopped with ModuleNotFoundError",
        ),
        ("backward = 3\n", "raised", "TypeError"),
        (RIGHT + "print('hello')\n", "", "3 of 3 checks here passed."),
    ],
)
def test_what_a_file_does_is_answered(tmp_path: Path, code: str, kind: str, sentence: str) -> None:
    file = tmp_path / "answer.py"
    file.write_text(code, "utf-8")
    result = run_file(find_exercise("multiply-backward"), file)
    assert result.kind == kind
    assert sentence in result.sentence
    assert result.ok == (kind == "")
    assert result.printed == ("hello\n" if kind == "" else result.printed)


def test_a_loop_without_end_is_stopped_and_not_all_it_prints_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "answer.py"
    # Not even what takes every exception goes on.
    file.write_text(
        "while True:\n    try:\n        print('x' * 99)\n    except BaseException:\n        pass\n"
    )
    result = run_file(find_exercise("multiply-backward"), file, "zh")
    assert result.kind == "endless"
    assert "5 秒" in result.sentence
    assert len(result.printed) <= MOST


def test_in_a_notebook_too_and_the_alarm_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limit, "SECONDS", 0.2)
    before = signal.getsignal(signal.SIGALRM)

    def backward(dout: float, x: float, y: float) -> float:
        while True:
            with contextlib.suppress(Exception):  # as a reader may write
                time.sleep(0.01)

    answer = cr.lessons.check("multiply-backward", backward)
    assert answer.fault is not None
    assert answer.fault.kind == "endless"
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_answer_shows_itself_and_folds_the_rest() -> None:
    answer = cr.lessons.check("multiply-backward", lambda dout, x, y: (dout * y, -dout * x))
    page = answer._repr_html_()
    assert page.startswith("<p>✗ dy has the wrong sign")
    assert page.index("<svg") < page.index("<details>")
    assert not answer
    assert cr.lessons.check("multiply-backward", lambda dout, x, y: (dout * y, dout * x))


@pytest.mark.parametrize("which", [0, -1, 10_000, "multiply-backwards", "", None, 1.5, True])
def test_an_exercise_that_is_not_there(which: object) -> None:
    with pytest.raises(SettingError, match="There is no exercise"):
        find_exercise(which)  # type: ignore[arg-type]


def test_exercises_have_names_and_lessons_of_their_own() -> None:
    names = [exercise.name for exercise in EXERCISES.values()]
    assert len(set(names)) == len(names)
    lessons = [exercise.lesson for exercise in EXERCISES.values()]
    assert lessons == sorted(lessons)
    assert all(exercise.hints for exercise in EXERCISES.values())
    docs = Path(__file__).parents[2] / "docs" / "lessons"
    for exercise in EXERCISES.values():
        page = (docs / f"{exercise.lesson}.md").read_text("utf-8")
        assert f"```{{exercise}} {exercise.name}\n" in page
