"""Exercises of the lesson on derivative and gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import _
from chainrule.lessons.exercise import Exercise
from chainrule.lessons.faults import Suspect
from chainrule.lessons.forward import Forward
from chainrule.lessons.slopes import slopes

__all__ = ["EXERCISES"]

Array = npt.NDArray[np.float64]


def _quadratic(*shape: int) -> Callable[[np.random.Generator], Mapping[str, Any]]:
    """A sum of squares and of products of neighbours: central differences of it are exact."""

    def draw(rng: np.random.Generator) -> Mapping[str, Any]:
        a, b = rng.uniform(1, 2, size=shape), rng.uniform(0.5, 1, size=shape)
        return {
            "f": lambda x: np.sum(a * x * x + b * x * np.roll(x, 1)),
            "x": rng.normal(size=shape),
        }

    return draw


def _gradient(f: Callable[[Any], Any], x: Array) -> Array:
    return slopes(f, {"x": x})["x"]


def _mistakes_of_differences(f: Callable[[Any], Any], x: Array) -> Mapping[str, Sequence[Suspect]]:
    right = _gradient(f, x)
    bends = np.empty_like(x)  # f(x + h) has the error ½ f″ h, which is exact for these f
    for index in np.ndindex(x.shape):
        one = np.zeros_like(x)
        one[index] = 1
        bends[index] = (f(x + one) + f(x - one) - 2 * f(x)) / 2
    one_sided = _(
        "The difference was taken to one side, f(x + h) - f(x): take f(x + h) - f(x - h), and divide by 2h."
    )
    suspects = [
        Suspect("one side", part * (right + sign * 10.0**-k * bends), one_sided)
        for k in range(1, 7)
        for sign in (1, -1)
        for part in (1, 0.5)
    ]
    if x.ndim == 2:
        rows = np.repeat(right.sum(axis=1, keepdims=True), x.shape[1], axis=1)
        suspects.append(
            Suspect(
                "rows",
                rows,
                _("x[i] of a matrix is a whole row: all of its numbers were moved at once."),
            )
        )
    suspects.append(
        Suspect(
            "all",
            np.full(x.shape, right.sum()),
            _("All numbers of x were moved at once: move one, and keep the others."),
        )
    )
    return {"dx": suspects}


NUMERICAL_GRADIENT = Exercise(
    name="numerical-gradient",
    lesson="03-gradient",
    title=_("The numerical gradient"),
    task=_(
        "Write numerical_gradient(f, x) for a function f that gives one number for an array x, a vector or"
        " a matrix: the gradient, in the shape of x, by central differences (f(x + h) - f(x - h)) / 2h,"
        " one number of x at a time. x has to be as before afterwards."
    ),
    entry="numerical_gradient",
    starter="""import numpy as np


def numerical_gradient(f, x):
    h = 1e-5
    dx = ...
    return dx
""",
    cases=Forward(
        formula=_gradient,
        results=("dx",),
        tries=[
            (_("a vector of {n} numbers", n=3), _quadratic(3)),
            (_("a matrix of the shape {shape}", shape=(2, 3)), _quadratic(2, 3)),
        ],
        mistakes=_mistakes_of_differences,
        like={"dx": "x"},
    ),
    hints=(
        _("Begin with dx = np.zeros_like(x), and fill in one number after the other."),
        _("for index in np.ndindex(x.shape) goes over a vector and over a matrix."),
        _("Work on a copy: moved = x.copy(); moved[index] += h."),
    ),
)


def _pair(m: int, n: int) -> Callable[[np.random.Generator], Mapping[str, Array]]:
    return lambda rng: {"W": rng.normal(size=(m, n)), "T": rng.normal(size=(m, n))}


def _mistakes_of_matrix(W: Array, T: Array) -> Mapping[str, Sequence[Suspect]]:
    d = W - T
    rows = _(
        "dW is divided by the {rows} rows alone: the mean is over {count} numbers.",
        rows=len(d),
        count=d.size,
    )
    whole = _(
        "dW was divided by nothing: L is a mean of {count} numbers, so each has a part of 1/{count}.",
        count=d.size,
    )
    squared = _("dW is still squared: the slope of d² is 2d.")
    return {
        "dW": [
            Suspect("whole", 2 * d, whole),
            Suspect("2", d / d.size, _("dW is half of what it should be: the slope of d² is 2d.")),
            Suspect(
                "both",
                d,
                _("dW is W - T: the factor 2 of the square and the mean are still missing."),
            ),
            Suspect("rows", 2 * d / len(d), rows),
            Suspect("squared", d**2 / d.size, squared),
            Suspect("squared", 2 * d**2 / d.size, squared),
            Suspect(
                "one number",
                np.full(d.shape, 2 * d.mean()),
                _("dW is the same everywhere: each number of W has a slope of its own."),
            ),
        ]
    }


MATRIX_GRADIENT = Exercise(
    name="matrix-gradient",
    lesson="03-gradient",
    title=_("The gradient of a matrix"),
    task=_(
        "L is the mean of (W - T)² over all numbers of two matrices of the shape (m, n). Write"
        " gradient(W, T), which gives dW, the gradient of L with respect to W, by a formula."
    ),
    entry="gradient",
    starter="""import numpy as np


def gradient(W, T):
    dW = ...
    return dW
""",
    cases=Forward(
        formula=lambda W, T: slopes(lambda W: np.mean((W - T) ** 2), {"W": W})["W"],
        results=("dW",),
        tries=[
            (_("a matrix of the shape {shape}", shape=(3, 2)), _pair(3, 2)),
            (_("a matrix of the shape {shape}", shape=(3, 3)), _pair(3, 3)),
            (_("a matrix of the shape {shape}", shape=(1, 4)), _pair(1, 4)),
        ],
        mistakes=_mistakes_of_matrix,
        like={"dW": "W"},
    ),
    hints=(
        _("Move a single number of W: which terms of the mean change?"),
        _("Only one does, (W[i, j] - T[i, j])². What is its slope, and by how much is it divided?"),
    ),
)

EXERCISES = [NUMERICAL_GRADIENT, MATRIX_GRADIENT]
