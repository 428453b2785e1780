"""Whether ranks are slower together than one of them would be alone: from the times of their steps."""

from __future__ import annotations

from chainrule.lang.messages import Spelled, _

__all__ = ["Pace"]

#: Steps that are left out, since they plan or wake up; and how many, and how long, say something.
FIRST, STEPS, SECONDS = 10, 50, 0.2
#: From how much on it is worth saying.
SLOWER = 1.1


class Pace:
    """The times of a rank's steps, of which some go by in messages.

    Alone a rank would compute the rows of all, which takes at most as many times as long as its own
    (the update does not take longer at all), and send nothing.
    """

    def __init__(self, ranks: int) -> None:
        self.ranks = ranks
        self.left_out = self.steps = 0
        self.seconds = self.messages = 0.0
        self.told = ranks == 1

    def add(self, steps: int, seconds: float, messages: float) -> Spelled | None:
        """Count some steps, their seconds, and those in messages; a remark, once, if ranks are slower.

        >>> pace = Pace(2)
        >>> pace.add(10, 1.0, 0.9)  # the first ones
        >>> print(pace.add(1000, 0.5, 0.48))
        On 2 ranks a step takes 500 µs, and 480 µs of them are messages; alone it would take 40 µs at the \
most. Train it on one rank.
        """
        if self.told:
            return None
        if self.left_out < FIRST:
            self.left_out += steps
            return None
        self.steps += steps
        self.seconds += seconds
        self.messages += messages
        if self.steps < STEPS or self.seconds < SECONDS:
            return None
        self.told = True
        step, sent = self.seconds / self.steps, self.messages / self.steps
        alone = self.ranks * (step - sent)
        if step < SLOWER * alone:
            return None
        told = {"ranks": self.ranks, "step": step * 1e6, "sent": sent * 1e6, "alone": alone * 1e6}
        return Spelled(
            _(
                "On {ranks} ranks a step takes {step:,.0f} µs, and {sent:,.0f} µs of them are messages; alone"
                " it would take {alone:,.0f} µs at the most. Train it on one rank.",
                **told,
            ),
            command=_(
                "On {ranks} ranks a step takes {step:,.0f} µs, and {sent:,.0f} µs of them are messages; alone"
                " it would take {alone:,.0f} µs at the most: use --ranks 1.",
                **told,
            ),
        )
