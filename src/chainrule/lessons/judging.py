"""Judging: an answer is tried on every case, and the most basic fault of the first bad one is told."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from chainrule.drawing.drawing import Drawing
from chainrule.lang.messages import Text, _
from chainrule.lessons.exercise import Case, Exercise
from chainrule.lessons.faults import Fault, FaultError, first_fault
from chainrule.lessons.trying import raised
from chainrule.nodes.base import ignore_fp_errors
from chainrule.settings import language

__all__ = ["Answer", "judge", "line_of"]


@dataclass(frozen=True)
class Answer:
    """What is to be said of an answer: one thing first, the rest at request.

    `passed` of `count` checks passed; `fault` is why the next one did not.
    """

    exercise: Exercise
    passed: int
    count: int
    fault: Fault | None = None
    case: Case | None = None

    def __bool__(self) -> bool:
        return self.fault is None

    @property
    def sentence(self) -> Text:
        """The one thing to be said first."""
        if self.fault is None:
            return _(
                "{passed} of {count} checks here passed.", passed=self.passed, count=self.count
            )
        return self.fault.sentence

    @property
    def more(self) -> list[Text]:
        """What else there is to say."""
        if self.fault is None:
            return []
        tried = [] if self.case is None else [_("Tried with {case}.", case=self.case.about)]
        if not self.count:
            return list(self.fault.more)
        passed = _("{passed} of {count} checks here passed.", passed=self.passed, count=self.count)
        return [*tried, *self.fault.more, passed]

    def draw(self, lang: str = "en") -> Drawing | None:
        """The graph of the failed case, the wrong arrow red; None where there is none."""
        if self.fault is None or self.case is None or self.case.picture is None:
            return None
        with ignore_fp_errors():
            return self.case.picture.draw(self.case.like.get(self.fault.result, ""), lang)

    def said(self, lang: str | None = None) -> str:
        """The sentence, and below it the rest, in a language; None: that of `CHAINRULE_LANG`."""
        lines = [self.sentence, *self.more]
        return "\n".join(line.said(language(lang)) for line in lines)

    def _repr_html_(self) -> str:
        """The sentence, the graph, and the rest folded away: what a notebook shows."""
        lang = language(None)
        drawing = self.draw(lang)
        more = "<br>".join(escape(line.said(lang)) for line in self.more)
        rest = f"<details><summary>…</summary>{more}</details>" if more else ""
        mark = "✓" if self else "✗"
        picture = "" if drawing is None else drawing._repr_html_()
        return f"<p>{mark} {escape(self.sentence.said(lang))}</p>{picture}{rest}"

    def __str__(self) -> str:
        return self.said()

    __repr__ = __str__


def judge(exercise: Exercise, candidate: Any, file: str | None = None, seed: int = 0) -> Answer:
    """Try an answer; `file` is where it was written, whose lines are named when it raises."""
    cases = list(exercise.cases(np.random.default_rng([seed, *exercise.name.encode()])))
    for passed, case in enumerate(cases):
        fault = _tried(case, candidate, file)
        if fault is not None:
            return Answer(exercise, passed, len(cases), fault, case)
    return Answer(exercise, len(cases), len(cases))


def _tried(case: Case, candidate: Any, file: str | None) -> Fault | None:
    try:
        with ignore_fp_errors():
            found = case.run(candidate)
    except FaultError as error:
        return error.fault
    except Exception as error:  # whatever a reader's code raises
        return raised(error, line_of(error, file))
    return first_fault(found, case.wanted, case.suspects, case.like, case.rows)


def line_of(error: BaseException, file: str | None) -> int | None:
    """The last line of the reader's file that the error came through."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == file
    ]
    return lines[-1] if lines else None
