"""Exercises on a forward: a function of arrays, held against a formula."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import Text
from chainrule.lessons.exercise import Case
from chainrule.lessons.faults import Suspect
from chainrule.lessons.trying import call, named

__all__ = ["Forward"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Forward:
    """Cases for a function f(*inputs) whose results, called `results`, are those of `formula`."""

    formula: Callable[..., Any]
    results: tuple[str, ...]
    #: What the cases are tried with: what is said of them, and their inputs by name.
    tries: Sequence[tuple[Text, Callable[[np.random.Generator], Mapping[str, Any]]]]
    #: Common mistakes: for the inputs, suspects by the name of the result.
    mistakes: Callable[..., Mapping[str, Sequence[Suspect]]] = lambda **inputs: {}

    #: Whether a warning of NumPy, such as of an overflow, is a fault.
    quiet: bool = False
    #: Of a result that is a gradient, the name of the array that it belongs to.
    like: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, rng: np.random.Generator) -> Iterator[Case]:
        """The cases."""
        for about, draw in self.tries:
            inputs = dict(draw(rng))
            wanted = named(self.formula(*inputs.values()), self.results)

            def run(function: Any, inputs: dict[str, Any] = inputs) -> Mapping[str, object]:
                with np.errstate(all="raise" if self.quiet else "ignore", under="ignore"):
                    return named(call(function, inputs), self.results)

            first = next((a for a in inputs.values() if np.ndim(a)), None)
            yield Case(
                about,
                run,
                {name: np.asarray(value, float) for name, value in wanted.items()},
                self.mistakes(**inputs),
                self.like,
                rows=1 if first is None else len(first),
            )
