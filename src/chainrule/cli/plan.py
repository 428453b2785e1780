"""What `chainrule train` is about to do, and what came out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chainrule.cli.split import Rows
from chainrule.datasets import Preprocessor
from chainrule.lang.messages import Text, sentences
from chainrule.networks import Sequential
from chainrule.training import Recipe, Trainer

__all__ = ["Plan", "Trained"]


@dataclass(frozen=True)
class Plan:
    """What will be done, known before training: for the eyes, and the parts to do it with."""

    name: str
    rows: int
    columns: int
    predicts: Text
    notes: tuple[str, ...]
    network: Text
    held_out: Text
    training: tuple[Text, ...]
    recipes: tuple[Recipe, ...]
    engine: str
    out: str
    #: The name that the model would have had, if that was taken.
    renamed: str
    facts: dict[str, Any]
    preparation: Preprocessor = field(repr=False)
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
    interrupted: bool
    scores: dict[str, Any]
    figures: tuple[tuple[Text, Text], ...]
    facts: dict[str, Any]
    notes: tuple[str, ...]
    verdict: tuple[Text, ...]
    report: str | None

    def as_json(self) -> dict[str, Any]:
        """Everything for a program that reads on."""
        return {
            "model": self.out,
            **({"report": self.report} if self.report else {}),
            "seconds": round(self.seconds, 3),
            **self.facts,
            "notes": [*self.notes, *filter(None, [sentences(*self.verdict)])],
        }
