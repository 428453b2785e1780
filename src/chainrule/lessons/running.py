"""Running: a reader's file is tried in a process of its own, which may raise, print or never end."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from chainrule.lang.messages import Text, _
from chainrule.lessons.exercise import Exercise
from chainrule.lessons.exercises import find_exercise
from chainrule.lessons.faults import Fault
from chainrule.lessons.judging import Answer, judge, line_of
from chainrule.lessons.time_limit import SECONDS, endless
from chainrule.lessons.trying import raised

__all__ = ["Result", "run_file"]

#: Seconds that Python and the library get to start, and so many letters are kept of what is printed.
START, MOST = 30, 2000
#: The exit status of a process whose time is over.
LATE = 75


@dataclass(frozen=True)
class Result:
    """What came of a file: the sentence and the rest in the reader's language, and what it printed."""

    ok: bool
    kind: str
    sentence: str
    more: tuple[str, ...] = ()
    #: The picture of the failed check as SVG, if there is one.
    picture: str | None = None
    printed: str = ""


def run_file(exercise: Exercise, file: str | Path, lang: str = "en") -> Result:
    """Try a reader's file."""
    path = Path(file).resolve()
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder, "result.json")
        process = subprocess.Popen(  # noqa: S603 - this Python, with the reader's own file
            [
                sys.executable,
                "-m",
                "chainrule.lessons.running",
                exercise.name,
                str(path),
                str(told),
                lang,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=path.parent,
            env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        )
        assert process.stdout is not None
        kept = bytearray()
        reader = threading.Thread(target=_read, args=(process.stdout, kept), daemon=True)
        reader.start()
        killed = False
        try:
            process.wait(SECONDS + START)
        except subprocess.TimeoutExpired:
            killed = True
            process.kill()
            process.wait()
        reader.join(1)  # a child of the reader's own may hold the other end
        process.stdout.close()
        printed = kept.decode("utf-8", "replace")
        try:
            known = json.loads(told.read_text("utf-8"))
        except (OSError, ValueError):
            answer = _unheard(exercise, process.returncode == LATE or killed)
            return Result(False, answer.kind, answer.sentence.said(lang), printed=printed)
        return Result(**{**known, "more": tuple(known["more"])}, printed=printed)


def _read(stream: IO[bytes], kept: bytearray) -> None:
    """Read all that is printed, and keep its beginning."""
    while chunk := stream.read1(1 << 16):  # type: ignore[attr-defined]
        kept.extend(chunk[: MOST - len(kept)])


def _unheard(exercise: Exercise, late: bool) -> Fault:
    """The fault of a process that told nothing: it did not end, or ended Python itself."""
    if late and (fault := endless(exercise).fault) is not None:
        return fault
    return Fault("ended", _("Your code ended Python before it could be tried."))


# -- in the process ----------------------------------------------------------------------------------


def _try(exercise: Exercise, file: str) -> Answer:
    """Run the file, and judge what it defines."""
    try:
        names = runpy.run_path(file)
    except SyntaxError as error:
        sentence = _(
            "Line {line} of your code is not Python: {message}.",
            line=error.lineno,
            message=error.msg,
        )
        return Answer(exercise, 0, 0, Fault("syntax", sentence))
    except BaseException as error:  # SystemExit, too
        return Answer(exercise, 0, 0, raised(error, line_of(error, file)))
    if exercise.entry not in names:
        missing: Text = _("Your file has to define {name}.", name=exercise.entry)
        return Answer(exercise, 0, 0, Fault("missing", missing))
    return judge(exercise, names[exercise.entry], file)


def _main(arguments: list[str]) -> None:
    name, file, told, lang = arguments
    timer = threading.Timer(SECONDS, os._exit, (LATE,))
    timer.daemon = True
    timer.start()
    answer = _try(find_exercise(name), file)
    timer.cancel()
    drawing = answer.draw(lang)
    result: dict[str, Any] = {
        "ok": bool(answer),
        "kind": "" if answer.fault is None else answer.fault.kind,
        "sentence": answer.sentence.said(lang),
        "more": [line.said(lang) for line in answer.more],
        "picture": None if drawing is None else drawing.svg,
    }
    Path(told).write_text(json.dumps(result), "utf-8")


if __name__ == "__main__":
    _main(sys.argv[1:])
