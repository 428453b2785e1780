"""Exercises of the lesson on the Branch node."""

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


def _arrays(names: str, *shape: int) -> Callable[[np.random.Generator], Mapping[str, Array]]:
    """Arrays of one shape, called by the letters of `names`."""
    return lambda rng: {name: rng.normal(size=shape) for name in names}


def _skipped(dout: Array, x: Array, y: Array) -> Mapping[str, Sequence[Suspect]]:
    return {
        "dx": [
            Suspect(
                "one arrow",
                dout * y,
                _(
                    "dx is dout·y alone: x goes into the sum as well, and gets a gradient from there."
                ),
            ),
            Suspect(
                "one arrow",
                dout,
                _("dx is dout alone: x goes into the product as well, and gets dout·y from there."),
            ),
            Suspect(
                "product",
                dout * dout * y,
                _("dx is the product of the two gradients that come back: a Branch adds them."),
            ),
            Suspect(
                "mean",
                dout * (y + 1) / 2,
                _("dx is the mean of the two gradients that come back: a Branch adds them."),
            ),
            Suspect(
                "dout",
                y + 1,
                _("dx is y + 1: the gradient from above, dout, is missing as a factor."),
            ),
            Suspect(
                "dout",
                dout * y + 1,
                _("dx is dout·y + 1: the sum hands on dout, not 1."),
            ),
            Suspect(
                "own input",
                dout * x + dout,
                _("dx was made with x itself: the slope of x · y in x is the other input, y."),
            ),
            Suspect(
                "difference",
                dout * y - dout,
                _("dx is the difference of the two gradients that come back: a Branch adds them."),
            ),
        ],
        "dy": [
            Suspect(
                "other gradient",
                dout * (y + 1),
                _("dy is the gradient of x: y has one of its own."),
            ),
            Suspect(
                "own input",
                dout * y,
                _("dy was made with y itself: the slope of x · y in y is the other input, x."),
            ),
            Suspect(
                "local",
                dout,
                _("dy is dout as it came: the slope of x · y in y, which is x, is missing."),
            ),
            Suspect(
                "too much",
                dout * (x + 1),
                _("dy has one dout too many: y goes into the product only, not into the sum."),
            ),
        ],
    }


def _squared(dout: Array, x: Array) -> Mapping[str, Sequence[Suspect]]:
    return {
        "dx": [
            Suspect(
                "one arrow",
                dout * x,
                _("dx is the gradient of one arrow alone: x goes into the product twice."),
            ),
            Suspect(
                "product",
                dout * x * dout * x,
                _("dx is the product of the two gradients that come back: a Branch adds them."),
            ),
            Suspect(
                "forward", dout * x * x, _("dx is dout·z: the value was taken, not its slope.")
            ),
            Suspect("no x", 2 * dout, _("dx is 2·dout: the factor x is missing.")),
            Suspect("one arrow", x, _("dx is x: of one arrow alone, and without the factor dout.")),
        ]
    }


BRANCH_BACKWARD = Exercise(
    name="branch-backward",
    lesson="07-branch",
    title=_("A value that is used twice"),
    task=_(
        "z = x · y + x uses x twice. Write backward(dout, x, y), which gives dx and dy, the gradients of"
        " the loss with respect to x and y, for dout, its gradient with respect to z."
    ),
    entry="backward",
    starter="""def backward(dout, x, y):
    dx = ...
    dy = ...
    return dx, dy
""",
    cases=Backward(
        formula=lambda x, y: x * y + x,
        expression=lambda x, y: x * y + x,
        tries=[
            (_("two numbers"), _arrays("xy")),
            (_("arrays of the shape {shape}", shape=(1, 3)), _arrays("xy", 1, 3)),
            (_("arrays of the shape {shape}", shape=(4, 3)), _arrays("xy", 4, 3)),
        ],
        mistakes=_skipped,
    ),
    hints=(
        _("Go back arrow by arrow: what comes to x from the product, and what from the sum?"),
        _("x is handed to two places, so its gradient is the sum of what both send back."),
    ),
)

SQUARE_BACKWARD = Exercise(
    name="square-backward",
    lesson="07-branch",
    title=_("A value times itself"),
    task=_(
        "z = x · x is a Branch and a product. Write backward(dout, x), which gives dx for dout, the"
        " gradient of z."
    ),
    entry="backward",
    starter="""def backward(dout, x):
    dx = ...
    return dx
""",
    cases=Backward(
        formula=lambda x: x * x,
        expression=lambda x: x * x,
        tries=[
            (_("one number"), _arrays("x")),
            (_("arrays of the shape {shape}", shape=(3,)), _arrays("x", 3)),
            (_("arrays of the shape {shape}", shape=(3, 3)), _arrays("x", 3, 3)),
        ],
        mistakes=_squared,
    ),
    hints=(
        _("The product sends dout times the other input along each of its two arrows."),
        _("Both arrows begin at x: add up what comes back."),
    ),
)

EXERCISES = [BRANCH_BACKWARD, SQUARE_BACKWARD]
