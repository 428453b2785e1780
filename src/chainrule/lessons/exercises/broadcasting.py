"""Exercises of the lesson on broadcasting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import Text, _
from chainrule.lessons.backward import Backward
from chainrule.lessons.exercise import Exercise
from chainrule.lessons.faults import Suspect
from chainrule.lessons.forward import Forward
from chainrule.lessons.slopes import slopes

__all__ = ["EXERCISES"]

Array = npt.NDArray[np.float64]


def _taken_back(dout: Array, shape: tuple[int, ...]) -> Array:
    """The gradient of an array that was broadcast to the shape of dout."""
    copied = slopes(lambda x: np.broadcast_to(x, dout.shape), {"x": np.zeros(shape)}, dout)
    return copied["x"]


def _stretched(
    dout: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[Text, Callable[[np.random.Generator], Mapping[str, Any]]]:
    return (
        _("x of the shape {x}, dout of the shape {dout}", x=shape, dout=dout),
        lambda rng: {"dout": rng.normal(size=dout), "shape": shape},
    )


def _wrongly_back(dout: Array, shape: tuple[int, ...]) -> Mapping[str, Sequence[Suspect]]:
    summed = _taken_back(dout, shape)
    copies = dout.size // max(summed.size, 1)
    if copies == 1:
        return {}
    return {
        "dx": [
            Suspect(
                "mean",
                summed / copies,
                _("dx is the mean over the copies: each copy counts in full, so it is their sum."),
            ),
            Suspect(
                "everything",
                np.sum(dout),
                _("dx is the sum of all of dout: add up only along the axes that were copied."),
            ),
            Suspect(
                "one copy",
                dout[(0,) * (dout.ndim - len(shape))][tuple(slice(0, n) for n in shape)],
                _("dx is the gradient of one copy alone: the others send one back, too."),
            ),
        ]
    }


def _batch(N: int, D: int) -> Callable[[np.random.Generator], Mapping[str, Array]]:
    return lambda rng: {
        "x": rng.normal(size=(N, D)),
        "g": rng.normal(size=D),
        "b": rng.normal(size=D),
    }


def _scaled(dout: Array, x: Array, g: Array, b: Array) -> Mapping[str, Sequence[Suspect]]:
    return {
        "dx": [
            Suspect("local", dout, _("dx is dout as it came: the factor g is missing.")),
            Suspect("own input", dout * x, _("dx was made with x: the other input is g.")),
        ],
        "dg": [
            Suspect(
                "no x",
                dout.sum(axis=0),
                _("dg is the sum of dout alone: the factor x, of each row its own, is missing."),
            ),
            Suspect(
                "own input",
                (dout * g).sum(axis=0),
                _("dg was made with g itself: the other input of that product is x."),
            ),
            Suspect(
                "sums first",
                dout.sum(axis=0) * x.sum(axis=0),
                _("dg is a product of two sums: multiply row by row first, then add up."),
            ),
            Suspect(
                "mean",
                (dout * x).mean(axis=0),
                _("dg is the mean over the rows: each row counts in full, so it is their sum."),
            ),
        ],
        "db": [
            Suspect(
                "mean",
                dout.mean(axis=0),
                _("db is the mean over the rows: each row counts in full, so it is their sum."),
            ),
            Suspect("g", dout.sum(axis=0) * g, _("db has a factor g: b is added after it.")),
            Suspect("one row", dout[0], _("db is the first row of dout alone: b is in every row.")),
        ],
    }


UNBROADCAST = Exercise(
    name="unbroadcast",
    lesson="09-broadcasting",
    title=_("Broadcasting, taken back"),
    task=_(
        "An array x was broadcast. Write unbroadcast(dout, shape): dout is the gradient of what came of it,"
        " shape is the shape that x had, such as (3,), (1, 3), (4, 1) or (). It gives dx, of that shape."
    ),
    entry="unbroadcast",
    starter="""import numpy as np


def unbroadcast(dout, shape):
    dx = ...
    return dx
""",
    cases=Forward(
        formula=_taken_back,
        results=("dx",),
        like={"dx": "x"},
        tries=[
            _stretched((4, 3), (3,)),
            _stretched((4, 3), (1, 3)),
            _stretched((4, 3), (4, 1)),
            _stretched((4, 3), (4, 3)),
            _stretched((3, 3), ()),
            _stretched((1, 3), (1, 3)),
            _stretched((2, 4, 3), (4, 1)),
        ],
        mistakes=_wrongly_back,
    ),
    hints=(
        _("Axes that x did not have were put in front: sum over axis 0 until there are as many."),
        _("Where x has the size 1 and dout has not, sum over that axis with keepdims=True."),
        _("Leave the other axes alone. An axis of the size 1 on both sides needs nothing."),
    ),
)

SCALE_AND_SHIFT = Exercise(
    name="scale-and-shift-backward",
    lesson="09-broadcasting",
    title=_("A factor and a bias for each column"),
    task=_(
        "y = x * g + b: x has the shape (N, D), and g and b, of the shape (D,), hold a factor and a bias for"
        " each column. Write backward(dout, x, g, b), which gives dx, dg and db."
    ),
    entry="backward",
    starter="""import numpy as np


def backward(dout, x, g, b):
    dx = ...
    dg = ...
    db = ...
    return dx, dg, db
""",
    cases=Backward(
        formula=lambda x, g, b: x * g + b,
        expression=lambda x, g, b: x * g + b,
        tries=[
            (_("N = {N}, D = {D}", N=4, D=3), _batch(4, 3)),
            (_("N = {N}, D = {D}", N=1, D=3), _batch(1, 3)),
            (_("N = {N}, D = {D}", N=3, D=3), _batch(3, 3)),
        ],
        mistakes=_scaled,
    ),
    hints=(
        _(
            "Repeat g and b in your mind to (N, D), take the gradients there, and sum over the rows."
        ),
        _("dg: first dout · x, number by number, then the sum over axis 0."),
    ),
)

EXERCISES = [UNBROADCAST, SCALE_AND_SHIFT]
