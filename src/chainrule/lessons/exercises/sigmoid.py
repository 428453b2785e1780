"""Exercises of the lesson on the Sigmoid layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from chainrule.graph.functions.elementwise import sigmoid
from chainrule.lang.messages import _
from chainrule.lessons.exercise import Exercise
from chainrule.lessons.faults import Suspect
from chainrule.lessons.forward import Forward
from chainrule.lessons.layer import LayerCases

__all__ = ["EXERCISES"]

Array = npt.NDArray[np.float64]


def _stable(x: Array) -> Array:
    """1 / (1 + exp(-x)) without an overflow, for whole arrays."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def _batch(N: int, D: int) -> Callable[[np.random.Generator], Mapping[str, Array]]:
    return lambda rng: {"x": rng.normal(size=(N, D))}


def _mistakes(dout: Array, x: Array) -> Mapping[str, Sequence[Suspect]]:
    y = 1 / (1 + np.exp(-x))
    return {
        "out": [
            Suspect("sign", 1 - y, _("out falls where x grows: it is exp(-x), with a minus.")),
            Suspect("tanh", np.tanh(x), _("out is tanh(x), which goes from -1 to 1.")),
        ],
        "dx": [
            Suspect("half", dout * y, _("dx is dout·y: the factor 1 - y is missing.")),
            Suspect("half", dout * (1 - y), _("dx is dout·(1 - y): the factor y is missing.")),
            Suspect("dout", y * (1 - y), _("dx is y·(1 - y) alone: dout is missing as a factor.")),
            Suspect(
                "of x",
                dout * x * (1 - x),
                _("dx was made with x: in y·(1 - y), y is the output of the layer, not its input."),
            ),
            Suspect(
                "tanh", dout * (1 - y * y), _("1 - y² is the slope of tanh; here it is y·(1 - y).")
            ),
            Suspect("identity", dout, _("dx is dout as it came: the slope y·(1 - y) is missing.")),
        ],
    }


SIGMOID_LAYER = Exercise(
    name="sigmoid-layer",
    lesson="12-sigmoid",
    title=_("The Sigmoid layer"),
    task=_(
        "Write the class Sigmoid() with params = [] and grads = [], forward(x) = 1 / (1 + exp(-x)), and"
        " backward(dout), which returns dx."
    ),
    entry="Sigmoid",
    starter="""import numpy as np


class Sigmoid:
    def __init__(self):
        self.params, self.grads = [], []
        self.out = None

    def forward(self, x):
        ...

    def backward(self, dout):
        ...
""",
    cases=LayerCases(
        formula=lambda x: 1 / (1 + np.exp(-x)),
        expression=sigmoid,
        params=(),
        tries=[
            (_("a batch of {n}", n=1), _batch(1, 3)),
            (_("a batch of {n}", n=4), _batch(4, 3)),
        ],
        mistakes=_mistakes,
    ),
    hints=(
        _("Keep the output: the slope can be said with it alone."),
        _("dy/dx = y·(1 - y)."),
    ),
)

SIGMOID_STABLE = Exercise(
    name="sigmoid-stable",
    lesson="12-sigmoid",
    title=_("A sigmoid that never overflows"),
    task=_(
        "Write sigmoid(x) for arrays of any size of number: 0 at -1000, 1 at 1000, to the last digits in"
        " between, and without a warning of NumPy."
    ),
    entry="sigmoid",
    starter="""import numpy as np


def sigmoid(x):
    y = ...
    return y
""",
    cases=Forward(
        formula=_stable,
        results=("y",),
        tries=[
            (_("numbers near 0"), lambda rng: {"x": rng.normal(size=5)}),
            (
                _("numbers up to 1000"),
                lambda rng: {"x": np.array([-1000.0, -1.0, 0.0, 1.0, 1000.0])},
            ),
            (_("a batch"), lambda rng: {"x": rng.normal(size=(3, 4)) * 300}),
        ],
        mistakes=lambda x: {
            "y": [
                Suspect("tanh", np.tanh(x), _("y is tanh(x), which goes from -1 to 1.")),
                Suspect(
                    "sign", _stable(-x), _("y falls where x grows: it is exp(-x), with a minus.")
                ),
            ]
        },
        quiet=True,
    ),
    hints=(
        _("exp(-x) overflows for x = -1000. exp of a number below 0 never does."),
        _("For x ≥ 0 take 1 / (1 + exp(-x)), below exp(x) / (1 + exp(x)): np.where, or a mask."),
        _("np.where computes both sides; exp(-abs(x)) suits both."),
    ),
)

EXERCISES = [SIGMOID_LAYER, SIGMOID_STABLE]
