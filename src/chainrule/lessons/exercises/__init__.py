"""The exercises, in the order of the lessons."""

from __future__ import annotations

from collections.abc import Mapping

from chainrule.errors import SettingError, nearest, shown
from chainrule.lang.messages import _
from chainrule.lessons.exercise import Exercise
from chainrule.lessons.exercises import (
    affine,
    branch,
    broadcasting,
    chain_rule,
    gradient,
    graph,
    loss,
    matmul,
    multiply,
    repeat_sum,
    sgd,
    sigmoid,
    softmax,
)

__all__ = ["EXERCISES", "find_exercise"]

#: Every exercise by its number, from 1.
EXERCISES: Mapping[int, Exercise] = dict(
    enumerate(
        [
            *loss.EXERCISES,
            *softmax.EXERCISES,
            *gradient.EXERCISES,
            *chain_rule.EXERCISES,
            *graph.EXERCISES,
            *multiply.EXERCISES,
            *branch.EXERCISES,
            *repeat_sum.EXERCISES,
            *broadcasting.EXERCISES,
            *matmul.EXERCISES,
            *sigmoid.EXERCISES,
            *affine.EXERCISES,
            *sgd.EXERCISES,
        ],
        1,
    )
)


def find_exercise(which: int | str) -> Exercise:
    """The exercise with this number or name.

    Raises:
        SettingError: there is none.
    """
    named = {exercise.name: exercise for exercise in EXERCISES.values()}
    number = int(which) if isinstance(which, str) and which.isdecimal() else which
    if isinstance(number, int) and not isinstance(number, bool) and number in EXERCISES:
        return EXERCISES[number]
    if isinstance(which, str) and which in named:
        return named[which]
    raise SettingError(
        _(
            "There is no exercise {which}; {nearest}. They have the numbers 1 to {last}.",
            which=shown(which),
            nearest=nearest(which, named),
            last=len(EXERCISES),
        )
    )
