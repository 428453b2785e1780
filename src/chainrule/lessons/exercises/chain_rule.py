"""Exercises of the lesson on the chain rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from chainrule.graph.functions.elementwise import log, sin
from chainrule.lang.messages import _
from chainrule.lessons.backward import Backward
from chainrule.lessons.exercise import Exercise
from chainrule.lessons.faults import Suspect

__all__ = ["EXERCISES"]

Array = npt.NDArray[np.float64]


def _x(*shape: int) -> Callable[[np.random.Generator], Mapping[str, Array]]:
    return lambda rng: {"x": rng.normal(size=shape)}


TRIES = [
    (_("one number"), _x()),
    (_("a vector of {n} numbers", n=3), _x(3)),
    (_("arrays of the shape {shape}", shape=(2, 4)), _x(2, 4)),
]


def _mistakes_of_two(dout: Array, x: Array) -> Mapping[str, Sequence[Suspect]]:
    y = x * x
    return {
        "dx": [
            Suspect(
                "inner", dout * np.cos(y), _("dx lacks the slope of the inner function, y = x².")
            ),
            Suspect(
                "outer", dout * 2 * x, _("dx lacks the slope of the outer function, z = sin(y).")
            ),
            Suspect(
                "place",
                dout * np.cos(x) * 2 * x,
                _("The slope of sin was taken at x: take it where sin is working, at y = x²."),
            ),
            Suspect(
                "place",
                dout * np.cos(2 * x),
                _("cos(2x) puts one slope into the other: take cos at y = x², and multiply by 2x."),
            ),
            Suspect(
                "sum",
                dout * (np.cos(y) + 2 * x),
                _("The two slopes were added: along a chain they are multiplied."),
            ),
            Suspect(
                "value",
                dout * np.sin(y) * 2 * x,
                _("dx was made with sin(y) itself: the slope of sin is cos."),
            ),
            Suspect(
                "value",
                dout * np.cos(y) * x * x,
                _("dx was made with x² itself: the slope of x² is 2x."),
            ),
            Suspect("half", dout * np.cos(y) * x, _("The slope of x² is 2x: the 2 is missing.")),
        ]
    }


CHAIN_OF_TWO = Exercise(
    name="chain-of-two",
    lesson="04-chain-rule",
    title=_("A chain of two functions"),
    task=_(
        "y = x² and z = sin(y), number by number. Write backward(dout, x), which gives dx, the gradient of"
        " the loss with respect to x, for dout, its gradient with respect to z."
    ),
    entry="backward",
    starter="""import numpy as np


def backward(dout, x):
    y = x**2
    dx = ...
    return dx
""",
    cases=Backward(
        formula=lambda x: np.sin(x * x),
        expression=lambda x: sin(x**2),
        tries=TRIES,
        mistakes=_mistakes_of_two,
    ),
    hints=(
        _("The slope of sin is cos; the slope of x² is 2x."),
        _("First dy = dout · cos(y), then dx = dy · 2x."),
    ),
)


def _mistakes_of_three(dout: Array, x: Array) -> Mapping[str, Sequence[Suspect]]:
    u = 3 * x + 1
    v = u * u
    right = dout * 6 * u / (1 + v)
    suspects = [
        Suspect("line", right / 3, _("dx lacks the slope of the line u = 3x + 1, which is 3.")),
        Suspect(
            "square", dout * 3 / (1 + v), _("dx lacks the slope of the square v = u², which is 2u.")
        ),
        Suspect("log", dout * 6 * u, _("dx lacks the slope of the logarithm, 1 / (1 + v).")),
        Suspect("half", right / 2, _("The slope of u² is 2u: the 2 is missing.")),
        Suspect(
            "place",
            dout * 6 * x / (1 + v),
            _("The slope of the square was taken at x: take it where the square is working, at u."),
        ),
        Suspect(
            "place",
            dout * 6 * u / (1 + u),
            _("The slope of log(1 + v) was taken at u: take it at v."),
        ),
        Suspect(
            "log",
            dout * np.log(1 + v) * 6 * u,
            _("dx was made with log(1 + v) itself: its slope is 1 / (1 + v)."),
        ),
        Suspect(
            "sum",
            dout * (1 / (1 + v) + 2 * u + 3),
            _("The slopes were added: along a chain they are multiplied."),
        ),
        Suspect(
            "line",
            dout * u * u * 2 / (1 + v),
            _("dx was made with u = 3x + 1 itself: the slope of the line is 3."),
        ),
    ]
    if np.all(v):
        suspects.append(
            Suspect(
                "log", dout * 6 * u / v, _("The slope of log(1 + v) is 1 / (1 + v), not 1 / v.")
            )
        )
    if np.all(x + 1):
        suspects.append(
            Suspect(
                "place",
                dout * 6 * x / (1 + x),
                _(
                    "All slopes were taken at x: take each where its own function is working, at x, u and v."
                ),
            )
        )
    return {"dx": suspects}


CHAIN_OF_THREE = Exercise(
    name="chain-of-three",
    lesson="04-chain-rule",
    title=_("A chain of three functions"),
    task=_(
        "u = 3x + 1, v = u² and z = log(1 + v), number by number. Write backward(dout, x), which gives dx,"
        " the gradient of the loss with respect to x, for dout, its gradient with respect to z."
    ),
    entry="backward",
    starter="""import numpy as np


def backward(dout, x):
    u = 3 * x + 1
    v = u**2
    dv = ...
    du = ...
    dx = ...
    return dx
""",
    cases=Backward(
        formula=lambda x: np.log(1 + (3 * x + 1) ** 2),
        expression=lambda x: log(1 + (3 * x + 1) ** 2),
        tries=TRIES,
        mistakes=_mistakes_of_three,
    ),
    hints=(
        _("From right to left: dv from dout, du from dv, dx from du."),
        _("The slopes are 1 / (1 + v), 2u and 3."),
    ),
)

EXERCISES = [CHAIN_OF_TWO, CHAIN_OF_THREE]
