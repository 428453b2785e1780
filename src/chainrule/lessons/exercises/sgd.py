"""Exercises of the lesson on stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import _
from chainrule.lessons.exercise import Exercise
from chainrule.lessons.faults import Suspect
from chainrule.lessons.update import UpdateCases
from chainrule.optimizers.rules import SGD

__all__ = ["EXERCISES"]

Array = npt.NDArray[np.float64]


def _mistakes(
    settings: Mapping[str, float], params: Mapping[str, Array], steps: Sequence[Mapping[str, Array]]
) -> Mapping[str, Sequence[Suspect]]:
    totals = {name: np.sum([grads[name] for grads in steps], axis=0) for name in params}
    lr = settings["lr"]
    return {
        name: [
            Suspect(
                "uphill",
                params[name] + lr * totals[name],
                _(
                    "{name} was moved along its gradient, so that the loss grows: go against it.",
                    name=name,
                ),
            ),
            Suspect(
                "lr",
                params[name] - totals[name],
                _(
                    "{name} was moved by the whole gradient: the learning rate lr is missing.",
                    name=name,
                ),
            ),
            Suspect("still", params[name], _("{name} has not moved at all.", name=name)),
        ]
        for name in params
    }


SGD_UPDATE = Exercise(
    name="sgd-update",
    lesson="15-sgd",
    title=_("Stochastic gradient descent"),
    task=_(
        "Write the class SGD(lr) with update(params, grads): it moves every array of params, in place,"
        " against its gradient by lr times that gradient."
    ),
    entry="SGD",
    starter="""class SGD:
    def __init__(self, lr=0.01):
        self.lr = lr

    def update(self, params, grads):
        ...
""",
    cases=UpdateCases(
        make=SGD,
        tries=[
            (_("one step"), {"lr": 0.1}, 1),
            (_("{n} steps", n=3), {"lr": 0.5}, 3),
        ],
        mistakes=_mistakes,
    ),
    hints=(
        _("The gradient points to where the loss grows; the step goes the other way."),
        _(
            "params[i] = … makes a new array, which the layer never sees: params[i] -= … changes the old one."
        ),
    ),
)

EXERCISES = [SGD_UPDATE]
