"""The reader's folder: a file for every exercise, and a plain file that says what is done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chainrule.atomic_write import write_whole
from chainrule.errors import DataError
from chainrule.lang.messages import _
from chainrule.lessons.exercise import Exercise
from chainrule.lessons.exercises import EXERCISES

__all__ = ["ReaderFolder"]

PROGRESS = "progress.json"
#: So wide are the comments in which a task stands.
WIDE = 88


@dataclass
class ReaderFolder:
    """The files of a reader: `01_multiply_backward.py` and so on, and `progress.json`.

    `done` are the names of the exercises that passed, `hints` how many hints were asked for.
    """

    path: Path
    done: list[str]
    hints: dict[str, int]

    @classmethod
    def open(cls, path: str | Path) -> ReaderFolder:
        """The folder as it is; an empty one, where there is none yet.

        Raises:
            DataError: its progress cannot be read.
        """
        place = Path(path) / PROGRESS
        if not place.exists():
            return cls(Path(path), [], {})
        try:
            known = json.loads(place.read_text("utf-8"))
            names = {exercise.name for exercise in EXERCISES.values()}
            done = [str(name) for name in known["done"] if name in names]
            hints = {str(k): int(n) for k, n in known.get("hints", {}).items() if k in names}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                _(
                    "{path} cannot be read: {error}. It holds only which exercises are done: delete it to"
                    " begin again; your answers stay.",
                    path=str(place),
                    error=str(error),
                )
            ) from None
        return cls(Path(path), done, hints)

    def save(self) -> None:
        """Write the progress, whole."""
        text = json.dumps({"done": self.done, "hints": self.hints}, indent=2)
        write_whole(self.path / PROGRESS, f"{text}\n".encode(), overwrite=True)

    def file(self, number: int) -> Path:
        """Where the answer to an exercise stands."""
        name = EXERCISES[number].name.replace("-", "_")
        return self.path / f"{number:02}_{name}.py"

    def begin(self, lang: str) -> int:
        """Write the files that are not there yet, in a language; how many there were to write."""
        self.path.mkdir(parents=True, exist_ok=True)
        written = 0
        for number, exercise in EXERCISES.items():
            if not self.file(number).exists():
                self.reset(number, exercise, lang)
                written += 1
        return written

    def reset(self, number: int, exercise: Exercise, lang: str) -> None:
        """Write the file of an exercise as it is at the beginning."""
        text = beginning(number, exercise, lang)
        write_whole(self.file(number), text.encode(), overwrite=True)

    def next(self, after: int = 0) -> int | None:
        """The first exercise after this one that is not done; None when all are."""
        order = [*range(after + 1, len(EXERCISES) + 1), *range(1, after + 1)]
        return next((n for n in order if EXERCISES[n].name not in self.done), None)

    def record(self, number: int, ok: bool) -> None:
        """Keep that an exercise passed, or does not any more."""
        name = EXERCISES[number].name
        if ok != (name in self.done):
            self.done = [*self.done, name] if ok else [n for n in self.done if n != name]
            self.save()


def beginning(number: int, exercise: Exercise, lang: str) -> str:
    """What a reader's file holds at first: the task in comments, and the code to be completed."""
    lines = [f"{number}. {exercise.title.said(lang)}", "", *_wrapped(exercise.task.said(lang))]
    top = "\n".join(f"# {line}".rstrip() for line in lines)
    return f"{top}\n\n{exercise.starter}"


def _wrapped(text: str) -> Iterator[str]:
    from chainrule.text_width import wrapped

    yield from wrapped(text, WIDE)
