"""Exercises of the lesson on the Affine layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import _
from chainrule.lessons.exercise import Exercise
from chainrule.lessons.faults import Suspect
from chainrule.lessons.layer import LayerCases

__all__ = ["EXERCISES"]

Array = npt.NDArray[np.float64]


def _batch(N: int, D: int, H: int) -> Callable[[np.random.Generator], Mapping[str, Array]]:
    return lambda rng: {
        "x": rng.normal(size=(N, D)),
        "W": rng.normal(size=(D, H)),
        "b": rng.normal(size=H),
    }


def _mistakes(dout: Array, x: Array, W: Array, b: Array) -> Mapping[str, Sequence[Suspect]]:
    return {
        "out": [
            Suspect("bias", x @ W, _("out is x·W: the bias b is still to be added.")),
        ],
        "db": [
            Suspect(
                "mean",
                dout.mean(axis=0),
                _(
                    "db is the mean of the rows of dout: it is their sum; the loss has divided already."
                ),
            ),
        ],
    }


AFFINE_LAYER = Exercise(
    name="affine-layer",
    lesson="13-affine",
    title=_("The Affine layer"),
    task=_(
        "Write the class Affine(W, b) with params, grads, forward(x) and backward(dout): out = x·W + b;"
        " backward returns dx, and writes dW and db into the arrays of grads."
    ),
    entry="Affine",
    starter="""import numpy as np


class Affine:
    def __init__(self, W, b):
        self.params = [W, b]
        self.grads = [np.zeros_like(W), np.zeros_like(b)]
        self.x = None

    def forward(self, x):
        W, b = self.params
        ...

    def backward(self, dout):
        W, b = self.params
        ...
""",
    cases=LayerCases(
        formula=lambda x, W, b: x @ W + b,
        expression=lambda x, W, b: x @ W + b,
        params=("W", "b"),
        tries=[
            (_("a batch of {n}", n=1), _batch(1, 3, 2)),
            (_("a batch of {n}", n=4), _batch(4, 3, 2)),
            (_("a batch of {n}", n=3), _batch(3, 2, 5)),
        ],
        mistakes=_mistakes,
    ),
    hints=(
        _("forward keeps x, since the gradient of W is made of it."),
        _("Look at the shapes: dx is N×D, dout N×H and W D×H; only one product fits."),
        _("b was added to every row, so db is the sum of dout over the rows."),
    ),
)

EXERCISES = [AFFINE_LAYER]
