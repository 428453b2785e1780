"""Exercise: a task, the code a reader begins with, and the cases that an answer is tried on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.drawing.drawing import Drawing
from chainrule.graph.variable import Variable
from chainrule.lang.messages import Text
from chainrule.lessons.faults import Suspect

__all__ = ["Case", "Exercise", "Picture"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Picture:
    """The computational graph of a case: an expression of Variables, at the case's numbers."""

    expression: Callable[..., Any]
    arguments: Mapping[str, Any]
    dout: Array | float = 1.0

    def draw(self, wrong: str = "", lang: str = "en") -> Drawing:
        """The graph with its gradients, the arrow of the argument `wrong` marked as wrong."""
        variables = {
            name: Variable(value, name) if isinstance(value, np.ndarray) else value
            for name, value in self.arguments.items()
        }
        out = self.expression(*variables.values())
        marks = {variables[wrong]: "wrong"} if wrong in variables else None
        drawing: Drawing = out.graph.draw(seed=self.dout, verdicts=marks, lang=lang)
        return drawing


@dataclass(frozen=True)
class Case:
    """One try of an answer: what it is tried with, what has to come out, and how mistakes look.

    `run` tries the answer and gives its results by name; it may raise `FaultError`.
    """

    about: Text
    run: Callable[[Any], Mapping[str, object]]
    wanted: Mapping[str, Array]
    suspects: Mapping[str, Sequence[Suspect]] = field(default_factory=dict)
    #: The array whose gradient a result is: "dW" → "W".
    like: Mapping[str, str] = field(default_factory=dict)
    rows: int = 1
    picture: Picture | None = None


@dataclass(frozen=True)
class Exercise:
    """What a reader is asked to write, and how it is checked.

    `entry` is the name of the function or class to be written; `cases` gives the tries for a
    generator of random numbers, the simplest first.
    """

    name: str
    lesson: str
    title: Text
    task: Text
    entry: str
    starter: str
    cases: Callable[[np.random.Generator], Iterator[Case]]
    hints: tuple[Text, ...] = ()
