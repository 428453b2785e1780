"""Exercises of the lesson on the Repeat and the Sum node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.graph.functions.reductions import sum as total
from chainrule.graph.functions.shaping import repeat
from chainrule.lang.messages import _
from chainrule.lessons.backward import Backward
from chainrule.lessons.exercise import Exercise
from chainrule.lessons.faults import Suspect

__all__ = ["EXERCISES"]

Array = npt.NDArray[np.float64]


def _row(D: int, N: int) -> Callable[[np.random.Generator], Mapping[str, Any]]:
    return lambda rng: {"x": rng.normal(size=(1, D)), "N": N}


def _rows(N: int, D: int) -> Callable[[np.random.Generator], Mapping[str, Any]]:
    return lambda rng: {"x": rng.normal(size=(N, D))}


def _repeated(dout: Array, x: Array, N: int) -> Mapping[str, Sequence[Suspect]]:
    return {
        "dx": [
            Suspect(
                "mean",
                dout.mean(axis=0, keepdims=True),
                _(
                    "dx is the mean of the rows of dout: each copy counts in full, so it is their sum."
                ),
            ),
            Suspect(
                "one row",
                dout[:1],
                _("dx is the first row of dout alone: the other copies send a gradient back, too."),
            ),
        ]
    }


def _summed(dout: Array, x: Array) -> Mapping[str, Sequence[Suspect]]:
    return {
        "dx": [
            Suspect(
                "divided",
                np.repeat(dout, len(x), axis=0) / len(x),
                _("dx shares dout out among the rows: a sum hands all of it to every row."),
            ),
            Suspect(
                "times x",
                np.repeat(dout, len(x), axis=0) * x,
                _("dx was multiplied by x: the slope of a sum is 1 for each of its terms."),
            ),
        ]
    }


REPEAT_BACKWARD = Exercise(
    name="repeat-backward",
    lesson="08-repeat-sum",
    title=_("The backward of the Repeat node"),
    task=_(
        "y = np.repeat(x, N, axis=0) copies x, of the shape (1, D), into N rows. Write"
        " backward(dout, x, N), which gives dx for dout, the gradient of y, of the shape (N, D)."
    ),
    entry="backward",
    starter="""import numpy as np


def backward(dout, x, N):
    dx = ...
    return dx
""",
    cases=Backward(
        formula=lambda x, N: np.repeat(x, N, axis=0),
        expression=lambda x, N: repeat(x, N, axis=0),
        tries=[
            (_("{n} copies of {d} numbers", n=3, d=2), _row(2, 3)),
            (_("{n} copies of {d} numbers", n=1, d=4), _row(4, 1)),
            (_("{n} copies of {d} numbers", n=7, d=8), _row(8, 7)),
        ],
        mistakes=_repeated,
    ),
    hints=(
        _("One branch adds up two gradients. Here are N branches."),
        _("np.sum over the rows; keepdims=True keeps the shape (1, D)."),
    ),
)

SUM_BACKWARD = Exercise(
    name="sum-backward",
    lesson="08-repeat-sum",
    title=_("The backward of the Sum node"),
    task=_(
        "y = np.sum(x, axis=0, keepdims=True) adds up the N rows of x. Write backward(dout, x), which gives"
        " dx for dout, the gradient of y, of the shape (1, D)."
    ),
    entry="backward",
    starter="""import numpy as np


def backward(dout, x):
    dx = ...
    return dx
""",
    cases=Backward(
        formula=lambda x: np.sum(x, axis=0, keepdims=True),
        expression=lambda x: total(x, axis=0, keepdims=True),
        tries=[
            (_("{n} rows of {d} numbers", n=3, d=2), _rows(3, 2)),
            (_("{n} rows of {d} numbers", n=1, d=4), _rows(1, 4)),
            (_("{n} rows of {d} numbers", n=7, d=8), _rows(7, 8)),
        ],
        mistakes=_summed,
    ),
    hints=(
        _("An add node hands its gradient on to both inputs. A sum is an add node with N inputs."),
        _("Every row of dx is dout: repeat it."),
    ),
)

EXERCISES = [REPEAT_BACKWARD, SUM_BACKWARD]
