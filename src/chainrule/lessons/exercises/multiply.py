"""Exercises of the lesson on the multiply node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import _
from chainrule.lessons.backward import Backward
from chainrule.lessons.exercise import Exercise
from chainrule.lessons.faults import Suspect

__all__ = ["EXERCISES"]

Array = npt.NDArray[np.float64]


def _pair(*shape: int) -> Callable[[np.random.Generator], Mapping[str, Array]]:
    return lambda rng: {"x": rng.normal(size=shape), "y": rng.normal(size=shape)}


def _mistakes(dout: Array, x: Array, y: Array) -> Mapping[str, Sequence[Suspect]]:
    return {"dx": _of("x", "y", dout, x, y), "dy": _of("y", "x", dout, y, x)}


def _of(name: str, other: str, dout: Array, own: Array, factor: Array) -> Sequence[Suspect]:
    """The mistakes with the gradient of one input."""
    names = {"d": f"d{name}", "name": name, "other": other}
    return [
        Suspect(
            "own input",
            dout * own,
            _(
                "{d} was made with {name} itself: the slope of x · y in {name} is the other input,"
                " {other}.",
                **names,
            ),
        ),
        Suspect(
            "local",
            dout,
            _(
                "{d} is dout as it came: the node's own slope, {other}, is missing as a factor.",
                **names,
            ),
        ),
    ]


MULTIPLY_BACKWARD = Exercise(
    name="multiply-backward",
    lesson="06-add-multiply",
    title=_("The backward of the multiply node"),
    task=_(
        "Write backward(dout, x, y) of z = x · y: it gives dx and dy, the gradients of the loss with"
        " respect to x and y, for dout, its gradient with respect to z."
    ),
    entry="backward",
    starter="""def backward(dout, x, y):
    dx = ...
    dy = ...
    return dx, dy
""",
    cases=Backward(
        formula=lambda x, y: x * y,
        expression=lambda x, y: x * y,
        tries=[
            (_("two numbers"), _pair()),
            (_("arrays of the shape {shape}", shape=(1, 3)), _pair(1, 3)),
            (_("arrays of the shape {shape}", shape=(4, 3)), _pair(4, 3)),
        ],
        mistakes=_mistakes,
    ),
    hints=(
        _("Move x by a little: by how much does x · y move?"),
        _("The slope in x is y. The chain rule multiplies it by dout."),
    ),
)

EXERCISES = [MULTIPLY_BACKWARD]
