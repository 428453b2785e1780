"""Exercises on an optimizer: a class with update(params, grads), held against the rule for some steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import Text, _
from chainrule.lessons.exercise import Case
from chainrule.lessons.faults import Fault, FaultError, Suspect
from chainrule.lessons.trying import unchanged

__all__ = ["UpdateCases"]

Array = npt.NDArray[np.float64]

#: The shapes of the parameters that are moved: a weight and a bias.
SHAPES = {"W": (2, 3), "b": (3,)}


@dataclass(frozen=True)
class UpdateCases:
    """Cases for a class Optimizer(**settings): its params after some steps are those of `make(**settings)`.

    The arrays are those that were handed in, moved in place, and the gradients stay as they are.
    """

    make: Callable[..., Any]
    #: What is said of each case, its settings, and how many steps it takes.
    tries: Sequence[tuple[Text, Mapping[str, float], int]]
    #: Common mistakes: for the settings, the params at the beginning and the gradients of each step.
    mistakes: Callable[..., Mapping[str, Sequence[Suspect]]] = lambda settings, params, steps: {}

    def __call__(self, rng: np.random.Generator) -> Iterator[Case]:
        """The cases."""
        for about, settings, count in self.tries:
            params = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
            steps = [{n: rng.normal(size=s) for n, s in SHAPES.items()} for _step in range(count)]
            wanted = {name: array.copy() for name, array in params.items()}
            rule = self.make(**settings)
            for grads in steps:
                rule.update(list(wanted.values()), [g.copy() for g in grads.values()])

            def run(
                kind: Any,
                settings: Mapping[str, float] = settings,
                params: dict[str, Array] = params,
                steps: list[dict[str, Array]] = steps,
            ) -> Mapping[str, object]:
                return _moved(kind(**settings), params, steps)

            yield Case(about, run, wanted, self.mistakes(settings, params, steps))


def _moved(
    optimizer: Any, params: Mapping[str, Array], steps: Sequence[Mapping[str, Array]]
) -> Mapping[str, object]:
    """The parameters after an optimizer has moved them, step by step."""
    arrays = [array.copy() for array in params.values()]
    handed = list(arrays)
    for grads in steps:
        taken = {name: g.copy() for name, g in grads.items()}
        optimizer.update(handed, list(taken.values()))
        unchanged({f"d{n}": g for n, g in grads.items()}, {f"d{n}": g for n, g in taken.items()})
    if len(handed) != len(arrays) or any(a is not b for a, b in zip(handed, arrays, strict=True)):
        raise FaultError(
            Fault(
                "in place",
                _(
                    "params[0] is another array after update: move the one that is there (`-=`, or"
                    " `params[i][...] = `), since the layers hold on to it."
                ),
            )
        )
    return dict(zip(params, arrays, strict=True))
