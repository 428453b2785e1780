"""Exercises of the lesson on the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import _
from chainrule.lessons.exercise import Exercise
from chainrule.lessons.faults import Suspect
from chainrule.lessons.forward import Forward

__all__ = ["EXERCISES"]

Array = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]


def _two_arrays(*shape: int) -> Callable[[np.random.Generator], Mapping[str, Array]]:
    return lambda rng: {"y": rng.normal(size=shape), "t": rng.normal(size=shape)}


def _mistakes_of_squares(y: Array, t: Array) -> Mapping[str, Sequence[Suspect]]:
    d = y - t
    square = np.sum(d * d)
    plain = _(
        "L is the mean of y - t, in which errors above and below cancel out: square each first."
    )
    suspects = [
        Suspect("not squared", d.mean(), plain),
        Suspect("not squared", -d.mean(), plain),
        Suspect(
            "absolute",
            np.abs(d).mean(),
            _("L is the mean of |y - t|: the squares are asked for."),
        ),
        Suspect("half", square / d.size / 2, _("L is half of the mean of the squares.")),
        Suspect("root", np.sqrt(square / d.size), _("L is the root of the mean of the squares.")),
        Suspect("sum", square, _("L is the sum of the squares: divide by how many they are.")),
        Suspect(
            "later",
            d.mean() ** 2,
            _("L is the square of the mean of y - t: square each error first, then the mean."),
        ),
        Suspect(
            "earlier",
            np.mean(y * y - t * t),
            _("L was made of y² - t²: take the difference first, then its square."),
        ),
    ]
    if d.shape[-1] == 1:
        suspects.append(
            Suspect(
                "each",
                np.mean((y - t.ravel()) ** 2),
                _(
                    "L compares every output with every target: y and t were brought to shapes that"
                    " NumPy spreads out to a matrix."
                ),
            )
        )
    if d.shape[-1] > 1:
        suspects.append(
            Suspect(
                "rows",
                square / len(d),
                _(
                    "L is divided by the {rows} rows alone: there are {count} squares.",
                    rows=len(d),
                    count=d.size,
                ),
            )
        )
    return {"L": suspects}


SQUARED_ERROR = Exercise(
    name="squared-error",
    lesson="01-loss",
    title=_("The mean squared error"),
    task=_(
        "Write loss(y, t): the mean of (y - t)² over all numbers of two arrays of the same shape, the"
        " outputs y and the targets t. It is one number."
    ),
    entry="loss",
    starter="""import numpy as np


def loss(y, t):
    L = ...
    return L
""",
    cases=Forward(
        formula=lambda y, t: np.mean((y - t) ** 2),
        results=("L",),
        tries=[
            (_("arrays of the shape {shape}", shape=(4, 1)), _two_arrays(4, 1)),
            (_("arrays of the shape {shape}", shape=(3, 2)), _two_arrays(3, 2)),
            (_("arrays of the shape {shape}", shape=(1, 1)), _two_arrays(1, 1)),
        ],
        mistakes=_mistakes_of_squares,
    ),
    hints=(
        _("First the differences, then their squares, then the mean: in this order."),
        _("np.mean without an axis is the mean of all numbers of an array."),
    ),
)


def _ids(C: int, *ids: int) -> Callable[[np.random.Generator], Mapping[str, Any]]:
    return lambda rng: {"t": rng.permutation(ids), "C": C}


def _mistakes_of_rows(t: Ids, C: int) -> Mapping[str, Sequence[Suspect]]:
    rows, columns = np.zeros((len(t), C)), np.zeros((len(t), C))
    columns[:, t] = 1
    rows[t[t < len(t)]] = 1
    one_hot = np.eye(C)[t]
    return {
        "T": [
            Suspect("one", np.ones((len(t), C)), _("T is 1 everywhere.")),
            Suspect(
                "rows", rows, _("T has whole rows of 1: T[t] picks rows. Each row gets a single 1.")
            ),
            Suspect(
                "columns",
                columns,
                _(
                    "T has whole columns of 1: T[:, t] picks columns in every row. Each row gets a"
                    " single 1."
                ),
            ),
            Suspect("others", 1 - one_hot, _("0 and 1 have changed places.")),
            Suspect(
                "from 1",
                np.roll(one_hot, -1, axis=1),
                _("Class ids begin with 0: T is off by one."),
            ),
            Suspect(
                "from 1", np.roll(one_hot, 1, axis=1), _("Class ids begin with 0: T is off by one.")
            ),
            Suspect("ids", one_hot * t[:, None], _("T has the id where a 1 should stand.")),
            Suspect(
                "in order",
                np.eye(len(t), C),
                _("Row n has its 1 in column n, whatever t says: it belongs in column t[n]."),
            ),
        ]
    }


ONE_HOT = Exercise(
    name="one-hot",
    lesson="01-loss",
    title=_("One-hot vectors"),
    task=_(
        "Write one_hot(t, C) for an array of N class ids from 0 to C - 1. It gives T of the shape (N, C):"
        " row n has a 1 in column t[n], and is 0 elsewhere."
    ),
    entry="one_hot",
    starter="""import numpy as np


def one_hot(t, C):
    T = ...
    return T
""",
    cases=Forward(
        formula=lambda t, C: np.eye(C)[t],
        results=("T",),
        tries=[
            (_("{n} ids of {C} classes", n=3, C=3), lambda rng: {"t": np.array([2, 0, 2]), "C": 3}),
            (_("{n} ids of {C} classes", n=5, C=4), _ids(4, 0, 1, 2, 3, 1)),
            (_("{C} classes, of which the last ones do not occur", C=6), _ids(6, 0, 1, 2, 3)),
        ],
        mistakes=_mistakes_of_rows,
    ),
    hints=(
        _("Begin with zeros of the shape (N, C). Where does the 1 of row n stand?"),
        _("T[np.arange(N), t] is one number of every row."),
    ),
)

EXERCISES = [SQUARED_ERROR, ONE_HOT]
