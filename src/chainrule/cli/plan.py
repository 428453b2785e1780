"""What `chainrule train` is about to do, and what came out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chainrule.cli.split import Rows
from chainrule.datasets import Preparation
from chainrule.networks import Sequential
from chainrule.training import Recipe, Trainer

__all__ = ["Plan", "Trained"]


@dataclass(frozen=True)
class Plan:
    """What will be done, known before training: for the eyes, and the parts to do it with."""

    name: str
    rows: int
    columns: int
    predicts: str
    notes: tuple[str, ...]
    network: str
    held_out: str
    training: tuple[str, ...]
    recipes: tuple[Recipe, ...]
    engine: str
    out: str
    renamed: str
    facts: dict[str, Any]
    preparation: Preparation = field(repr=False)
    divided: Rows = field(repr=False)
    net: Sequential = field(repr=False)
    trainer: Trainer = field(repr=False)


@dataclass(frozen=True)
class Trained:
    """What came out."""

    data: str
    out: str
    renamed: str
    bytes: int
    seconds: float
    epochs: int
    planned: int
    stopped: str | None
    scores: dict[str, Any]
    figures: tuple[tuple[str, str], ...]
    facts: dict[str, Any]
    notes: tuple[str, ...]
    verdict: tuple[str, ...]
    report: str | None

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it."""
        return self.stopped is not None and "Ctrl-C" in self.stopped

    @property
    def why(self) -> str:
        """Why it ended before the last epoch, if it did."""
        return f"; {self.stopped}" if self.stopped else ""

    def as_json(self) -> dict[str, Any]:
        """Everything for a program that reads on."""
        return {
            "model": self.out,
            **({"report": self.report} if self.report else {}),
            "seconds": round(self.seconds, 3),
            **self.facts,
            "notes": [*self.notes, *filter(None, [" ".join(self.verdict)])],
        }
