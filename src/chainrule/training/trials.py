"""Trials: trainings with other settings, by their scores on rows left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.lang.messages import Text, _
from chainrule.training.metrics import in_units
from chainrule.training.ranges import Range

__all__ = ["Trial", "Trials"]


@dataclass(frozen=True)
class Trial:
    """One training: the settings it was tried with, as the ranges name them, and what came of it.

    `score` is that of the rows left out: of the last epoch it came to, if it was `pruned`, which
    means ended early, since others were better by then; None if its loss was not finite.
    """

    number: int
    values: Mapping[str, Any]
    score: float | None
    pruned: bool = False
    epochs: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Trials:
    """The trials of a study: scored by the accuracy, or by the RMSE in units of the `target`.

    >>> trials = Trials([Trial(0, {"lr": 0.1}, 0.9), Trial(1, {"lr": 0.2}, 0.9)], accuracy=True)
    >>> trials.best.number, trials.said(0.9)
    (0, '90.0%')
    """

    all: Sequence[Trial]
    accuracy: bool
    target: str = ""
    ranges: Sequence[Range] = ()

    def key(self, trial: Trial) -> tuple[float, int]:
        """What trials are sorted by: the better score, and of equals the earlier one."""
        score = trial.score or 0.0
        return (-score if self.accuracy else score), trial.number

    @property
    def complete(self) -> list[Trial]:
        """Those that came to their end, the best first."""
        found = [one for one in self.all if not one.pruned and one.score is not None]
        return sorted(found, key=self.key)

    @property
    def pruned(self) -> list[Trial]:
        """Those that were ended early."""
        return [one for one in self.all if one.pruned]

    @property
    def best(self) -> Trial | None:
        """The trial with the best score, of those that came to their end; the first of equals."""
        complete = self.complete
        return complete[0] if complete else None

    @property
    def bests(self) -> list[float]:
        """The best score so far, for every trial that came to its end, by its number."""
        found: list[float] = []
        for one in sorted(self.complete, key=lambda trial: trial.number):
            score = float(one.score or 0.0)
            better = max if self.accuracy else min
            found.append(better(found[-1], score) if found else score)
        return found

    def said(self, score: float | None) -> str:
        """A score as text: 93.3%, or in units of the target."""
        if score is None:
            return "-"
        return f"{score:.1%}" if self.accuracy else in_units(score)

    @property
    def measure(self) -> Text:
        """What the scores are."""
        return (
            _("accuracy") if self.accuracy else _("RMSE in units of {target}", target=self.target)
        )
