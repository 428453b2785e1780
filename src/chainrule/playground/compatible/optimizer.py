"""PlaygroundSGD: TensorFlow Playground's update rule."""

from __future__ import annotations

import numpy as np

from chainrule.nodes.base import Value
from chainrule.optimizers import SGD
from chainrule.schedules import Schedule

__all__ = ["PlaygroundSGD"]


class PlaygroundSGD(SGD):
    """SGD whose penalty follows the gradient's step: W ← W - lr · dW, then W ← W - lr · penalty'.

    The slope of the penalty, l2 · W + l1 · sign(W), is that of W before both. With l1, a weight
    whose sign the penalty would turn becomes 0 and dies: nothing moves it any more (its slot
    `dead` is 1). Biases have no penalty.

    >>> import numpy as np
    >>> W, dW = np.array([[0.5, 0.01]]), np.array([[1.0, 0.0]])
    >>> PlaygroundSGD(lr=0.1, l1=0.2).update([W], [dW])
    >>> W.round(6)
    array([[0.38, 0.  ]])
    """

    slots = ("dead",)

    def __init__(self, lr: float | Schedule = 0.03, *, l1: float = 0.0, l2: float = 0.0) -> None:
        super().__init__(lr, l1=l1, l2=l2)

    def apply_rule(
        self,
        p: Value,
        g: Value,
        slots: list[Value],
        numbers: dict[str, Value],
        decay: bool,
        factor: float = 1.0,
    ) -> tuple[Value, ...]:
        """The gradient's step, then the penalty's: the new parameter and whether it is dead."""
        lr, l1, l2 = numbers["lr"] * factor, numbers["l1"], numbers["l2"]
        (dead,) = slots
        (moved,) = self.rule(p, g, lr=lr)
        if not decay:
            return moved, dead
        new = moved - lr * l2 * p if self.l2 else moved
        if not self.l1:
            return new, dead
        new = new - lr * l1 * np.sign(p)
        dies = np.where(moved * new < 0, 1, dead)
        return np.where(dead > 0, p, np.where(dies > 0, 0, new)), dies
