"""The answers of `answers/*.md`: right ones, and wrong ones with the sentence that each must get.

    python -m tests.lessons.answered NAME   # says what each answer of an exercise gets, to look at
    python -m tests.lessons.answered NAME --write   # and writes it in the place of `> ?`

A sentence stands with its numbers as `#`, since they are drawn at random.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.lessons import Answer, find_exercise
from chainrule.lessons.judging import judge

ANSWERS = Path(__file__).parent / "answers"
SECTION = re.compile(
    r"^## (?P<verdict>right|wrong): (?P<about>[^\n]+)\n\n(?:> (?P<sentence>[^\n]+)\n\n)?"
    r"```python\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
NUMBER = re.compile(r"(?<![A-Za-z_])-?\d+(?:\.\d+)?(?:e[+-]\d+)?")


@dataclass(frozen=True)
class Given:
    """An answer of a reader: whether it is right, and else the sentence that it must get."""

    exercise: str
    right: bool
    about: str
    sentence: str
    code: str

    def __str__(self) -> str:
        return f"{self.exercise}: {'right' if self.right else 'wrong'}: {self.about}"


def given(name: str) -> list[Given]:
    """The answers to an exercise."""
    return list(_read(name))


def _read(name: str) -> Iterator[Given]:
    text = (ANSWERS / f"{name}.md").read_text("utf-8")
    found = list(SECTION.finditer(text))
    assert len(found) == text.count("\n## "), f"{name}.md: a section does not read as one"
    for match in found:
        yield Given(
            name,
            match["verdict"] == "right",
            match["about"],
            match["sentence"] or "",
            match["code"],
        )


def answered(answer: Given) -> Answer:
    """What the checker says of an answer."""
    names: dict[str, Any] = {"__name__": "answer"}
    exercise = find_exercise(answer.exercise)
    exec(compile(answer.code, "answer.py", "exec"), names)
    return judge(exercise, names[exercise.entry], "answer.py")


def without_numbers(sentence: str) -> str:
    """A sentence with # for every number."""
    return NUMBER.sub("#", sentence)


def main(arguments: list[str]) -> None:
    """Say what each answer of an exercise gets."""
    name, *options = arguments
    path = ANSWERS / f"{name}.md"
    text = path.read_text("utf-8")
    for answer in given(name):
        got = answered(answer)
        print(f"{answer}\n    {got.sentence}")
        if not answer.right and answer.sentence == "?":
            old = f"## wrong: {answer.about}\n\n> ?\n"
            new = old.replace("> ?", f"> {without_numbers(got.sentence)}")
            text = text.replace(old, new)
    if "--write" in options:
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
