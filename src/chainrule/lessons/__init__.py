"""The course's exercises, and the checker that answers an answer in one sentence.

In a notebook, or wherever the answer is a function or class at hand:

>>> import chainrule as cr
>>> def backward(dout, x, y):
...     return dout * y, -dout * x
>>> print(cr.lessons.check("multiply-backward", backward).sentence)
dy has the wrong sign: dy is -0.2378, and should be 0.2378.

`chainrule learn` does the same for files.
"""

from __future__ import annotations

from typing import Any

from chainrule.lessons.exercise import Exercise
from chainrule.lessons.exercises import EXERCISES, find_exercise
from chainrule.lessons.judging import Answer, judge
from chainrule.lessons.time_limit import limited

__all__ = ["EXERCISES", "Answer", "Exercise", "check", "find_exercise"]


def check(exercise: int | str, answer: Any) -> Answer:
    """Check an answer to an exercise: what is wrong is said in one sentence, the most basic thing first.

    Gradients are held against the complex step on arrays of several shapes. What has passed is said, and
    nothing wider: other arrays may still find a fault.

    Args:
        exercise: its number or its name (see `EXERCISES`).
        answer: the function or class that the exercise asks for.

    Returns:
        What there is to say; true where every check passed. In a notebook it shows itself, with the graph
        of the failed check, whose wrong arrow is marked, and the rest folded away.

    Raises:
        SettingError: there is no such exercise.
    """
    found = find_exercise(exercise)
    return limited(lambda: judge(found, answer), found)
