"""Exercises on a backward: the gradients of an expression, for a gradient that comes from above."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import Text, _
from chainrule.lessons.exercise import Case, Picture
from chainrule.lessons.faults import Suspect
from chainrule.lessons.slopes import slopes
from chainrule.lessons.trying import call, named

__all__ = ["Backward", "Inputs"]

Array = npt.NDArray[np.float64]

#: Arrays by name, for a generator; and what has no gradient, such as a number of rows.
Inputs = Callable[[np.random.Generator], Mapping[str, Any]]


@dataclass(frozen=True)
class Backward:
    """Cases for a function backward(dout, *inputs) that gives the gradient of every input.

    `formula` is the forward, in functions of NumPy that take complex numbers, and `expression` the same in
    functions of chainrule, for the picture. The gradients are those of the complex step.
    """

    formula: Callable[..., Any]
    expression: Callable[..., Any]
    #: What the cases are tried with: what is said of them, and their inputs.
    tries: Sequence[tuple[Text, Inputs]]
    #: Common mistakes: for dout and the inputs, suspects by the name of the result.
    mistakes: Callable[..., Mapping[str, Sequence[Suspect]]] = lambda dout, **inputs: {}
    #: The inputs whose gradient is asked for; all of them where it is empty.
    asked: tuple[str, ...] = ()

    def __call__(self, rng: np.random.Generator) -> Iterator[Case]:
        """The cases."""
        for about, draw in self.tries:
            inputs = dict(draw(rng))
            out = np.asarray(self.formula(*inputs.values()))
            dout = rng.normal(size=out.shape)
            gradients = slopes(self.formula, inputs, dout)
            own = slopes(self.formula, inputs)
            asked = self.asked or tuple(gradients)
            names = [f"d{name}" for name in asked]

            def run(
                backward: Any,
                dout: Array = dout,
                inputs: dict[str, Any] = inputs,
                names: list[str] = names,
            ) -> Any:
                return named(call(backward, {"dout": dout, **inputs}), names)

            known = self.mistakes(dout, **inputs)
            yield Case(
                about,
                run,
                {f"d{name}": gradients[name] for name in asked},
                {
                    f"d{name}": [*known.get(f"d{name}", ()), _without_dout(name, own[name])]
                    for name in asked
                },
                dict(zip(names, asked, strict=True)),
                rows=out.shape[0] if out.ndim else 1,
                picture=Picture(self.expression, inputs, dout),
            )


def _without_dout(name: str, own: Array) -> Suspect:
    """What comes out where the gradient from above is forgotten."""
    sentence = _(
        "d{name} has the node's own slope alone: the gradient from above, dout, is missing as a factor.",
        name=name,
    )
    return Suspect("dout", own, sentence)
