"""What comes of a comparison: differences of settings, losses, arrays and state, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chainrule.comparing.numbers import NumberDifference, TensorDifference
from chainrule.lang.messages import Text, _, _n, listed

__all__ = ["Difference", "LossDifference", "TrainingComparison", "after_steps"]

#: How many steps are named one by one.
SOME = 10


class Difference(NamedTuple):
    """A setting, a part of the state, or an array by its kind and name; None where it is not there."""

    name: str
    a: Any
    b: Any


@dataclass(frozen=True)
class LossDifference:
    """The losses of two trainings, which differ from `step` on; the first step is 1.

    The loss of a step is that of its batch before the update, so the weights after `step` - 1 steps
    and the rows of the batch are what it comes from. `around` has (step, loss of a, loss of b).
    """

    step: int
    first: NumberDifference
    differing: int
    largest_step: int
    largest: NumberDifference
    around: tuple[tuple[int, float, float], ...]


@dataclass(frozen=True)
class TrainingComparison:
    """What two trainings have in common, and where they part.

    A part of what is compared may be absent: a model file has no losses, and two folders may have no
    checkpoints of equal steps.
    """

    #: The name of the training in its folder; empty if it has none.
    name: str
    #: "model", "checkpoint" or "run" (a folder), of each of the two.
    kinds: tuple[str, str]
    #: How many steps each has made; None of a model file.
    lengths: tuple[int | None, int | None]
    #: The steps after which checkpoints are there.
    steps: tuple[tuple[int, ...], tuple[int, ...]]
    #: Settings, versions and data that differ: the likely cause.
    settings: tuple[Difference, ...]
    #: How many losses were compared, and how they differ.
    losses: int
    loss: LossDifference | None
    #: The steps after which the whole state is equal, up to the first after which it is not.
    equal_steps: tuple[int, ...]
    #: The arrays that differ, in the network's order, after the first step where any does, and how many
    #: were compared there, or at the last step.
    tensors_step: int | None
    tensors: tuple[TensorDifference, ...]
    compared: int
    #: Arrays that only one has, or whose shapes or dtypes differ, as texts.
    arrays: tuple[Difference, ...]
    #: What else differs after the first step where any of it does: network, generator, the optimizer's
    #: numbers, the figures of the epochs, and the like.
    state_step: int | None
    state: tuple[Difference, ...]
    #: How many numbers differ by no more than the tolerance, and the largest relative difference.
    tolerated: int = 0
    most_tolerated: float = 0.0
    #: Remarks, such as a checkpoint that is damaged.
    notes: tuple[Text, ...] = field(default=())

    @property
    def verdict(self) -> Text:
        """In a sentence: whether they are equal, and if not, where they part."""
        return _verdict(self)

    @property
    def parts(self) -> bool:
        """Whether a difference was found in what both have."""
        return bool(self.loss or self.tensors or self.arrays or self.state)

    @property
    def equal(self) -> bool:
        """Whether all is equal to the bit (with a tolerance: within it), and neither goes further."""
        goes_on = "model" not in self.kinds and self.kinds[0] == self.kinds[1] and self.longer
        return not self.parts and not goes_on and self.compared > 0

    @property
    def longer(self) -> int:
        """How many steps more the second has made than the first."""
        a, b = self.lengths
        return 0 if a is None or b is None else b - a

    @property
    def first_step(self) -> int | None:
        """The first step whose loss or arrays are seen to differ; else that of the rest of the state."""
        steps = [self.loss.step if self.loss else None, self.tensors_step]
        found = [step for step in steps if step is not None]
        return min(found) if found else self.state_step

    @property
    def last_equal_step(self) -> int | None:
        """The last step up to which all losses are equal; None without losses."""
        if not self.losses:
            return None
        return self.losses if self.loss is None else self.loss.step - 1


def after_steps(steps: Sequence[int]) -> Text:
    """Part of a sentence: "after step 3", "after steps 0 and 3"; of many the first and the last."""
    told = [f"{step:,}" for step in steps]
    if len(told) > SOME:
        told = [*told[:3], "…", *told[-3:]]
    if len(steps) == 1:
        return _("after step {step}", step=told[0])
    return _("after steps {steps}", steps=listed(told, "list" if len(steps) > SOME else "and"))


def _verdict(training: TrainingComparison) -> Text:
    arrays = _n("{n:,} array", "{n:,} arrays", training.compared)
    if training.equal and training.tolerated:
        return _("Equal within the tolerance.")
    if training.equal and training.losses:
        told = _n("{n:,} loss", "{n:,} losses", training.losses)
        after = after_steps(training.equal_steps)
        return _(
            "Equal to the bit: {losses}, and {arrays} {after}.",
            losses=told,
            arrays=arrays,
            after=after,
        )
    if training.equal and training.kinds[0] != training.kinds[1]:
        return _("Equal to the bit: {arrays} of the network.", arrays=arrays)
    if training.equal:
        return _("Equal to the bit: {arrays}.", arrays=arrays)
    if not training.parts:
        return _as_far(training)
    if training.first_step is None or "model" in training.kinds:
        return _("They differ.")
    if training.first_step == 0:
        return _("They differ before the first step.")
    if training.kinds == ("checkpoint", "checkpoint") and training.longer:
        return _("They differ: they are checkpoints after different steps.")
    if training.loss is not None and training.first_step == training.loss.step:
        return _("They part at step {step:,}.", step=training.first_step)
    if not training.equal_steps:
        return _("They part at step {step:,} or before.", step=training.first_step)
    return _(
        "They part between steps {last:,} and {step:,}.",
        last=training.equal_steps[-1],
        step=training.first_step,
    )


def _as_far(training: TrainingComparison) -> Text:
    if not training.compared and not training.losses:
        return _("They have nothing in common that could be compared.")
    if not training.longer:
        return _("The losses are equal; no checkpoints could be compared.")
    side = "B" if training.longer > 0 else "A"
    more = _n("{n:,} more step", "{n:,} more steps", abs(training.longer))
    return _(
        "Equal to the bit as far as both go, up to step {step:,}; {side} goes on for {more}.",
        step=training.losses,
        side=side,
        more=more,
    )
