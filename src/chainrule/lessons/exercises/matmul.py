"""Exercises of the lesson on the MatMul node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import _
from chainrule.lessons.backward import Backward
from chainrule.lessons.exercise import Exercise
from chainrule.lessons.faults import Suspect
from chainrule.lessons.layer import LayerCases

__all__ = ["EXERCISES"]

Array = npt.NDArray[np.float64]


def _product(N: int, D: int, H: int) -> Callable[[np.random.Generator], Mapping[str, Array]]:
    return lambda rng: {"x": rng.normal(size=(N, D)), "W": rng.normal(size=(D, H))}


def _mistakes(dout: Array, x: Array, W: Array) -> Mapping[str, Sequence[Suspect]]:
    suspects: dict[str, list[Suspect]] = {"dx": [], "dW": []}
    if W.shape[0] == W.shape[1]:
        sentence = _("dx was made with W as it is: it takes the transposed matrix, W.T.")
        suspects["dx"].append(Suspect("not transposed", dout @ W, sentence))
    if x.shape[0] == x.shape[1]:
        sentence = _("dW was made with x as it is: it takes the transposed matrix, x.T.")
        suspects["dW"].append(Suspect("not transposed", x @ dout, sentence))
    suspects["dW"].append(
        Suspect(
            "mean",
            x.T @ dout / len(x),
            _("dW was divided by the size of the batch: the loss has done that already."),
        )
    )
    return suspects


MATMUL_BACKWARD = Exercise(
    name="matmul-backward",
    lesson="10-matmul",
    title=_("The backward of the MatMul node"),
    task=_(
        "y = x·W, with x of the shape (N, D) and W of (D, H). Write backward(dout, x, W), which gives dx and"
        " dW for dout, the gradient of y, of the shape (N, H)."
    ),
    entry="backward",
    starter="""import numpy as np


def backward(dout, x, W):
    dx = ...
    dW = ...
    return dx, dW
""",
    cases=Backward(
        formula=lambda x, W: x @ W,
        expression=lambda x, W: x @ W,
        tries=[
            (_("N = {N}, D = {D}, H = {H}", N=1, D=3, H=2), _product(1, 3, 2)),
            (_("N = {N}, D = {D}, H = {H}", N=3, D=3, H=3), _product(3, 3, 3)),
            (_("N = {N}, D = {D}, H = {H}", N=4, D=2, H=5), _product(4, 2, 5)),
        ],
        mistakes=_mistakes,
    ),
    hints=(
        _(
            "As with the product of two numbers, each input gets the gradient times the other input."
        ),
        _("dx has the shape (N, D). You have dout (N, H) and W (D, H): which product has it?"),
        _("dx = dout·W.T, and dW = x.T·dout."),
    ),
)

MATMUL_LAYER = Exercise(
    name="matmul-layer",
    lesson="10-matmul",
    title=_("The MatMul layer"),
    task=_(
        "Write the class MatMul(W) with params = [W], grads, forward(x) and backward(dout): out = x·W;"
        " backward returns dx, and writes dW into the array of grads."
    ),
    entry="MatMul",
    starter="""import numpy as np


class MatMul:
    def __init__(self, W):
        self.params = [W]
        self.grads = [np.zeros_like(W)]
        self.x = None

    def forward(self, x):
        (W,) = self.params
        ...

    def backward(self, dout):
        (W,) = self.params
        ...
""",
    cases=LayerCases(
        formula=lambda x, W: x @ W,
        expression=lambda x, W: x @ W,
        params=("W",),
        tries=[
            (_("a batch of {n}", n=1), _product(1, 3, 2)),
            (_("a batch of {n}", n=4), _product(4, 3, 2)),
            (_("a batch of {n}", n=3), _product(3, 2, 5)),
        ],
    ),
    hints=(
        _("forward keeps x, since the gradient of W is made of it."),
        _("self.grads[0][...] = dW writes into the array that is there."),
    ),
)

EXERCISES = [MATMUL_BACKWARD, MATMUL_LAYER]
