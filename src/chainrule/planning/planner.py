"""The steps, the efficiency and the memory of any number of ranks, from what is known of one."""

from __future__ import annotations

import math

from chainrule.planning.links import Machines, Message
from chainrule.planning.measured import StepTimes
from chainrule.planning.results import PlannedStep, RankPlan

__all__ = ["Planner"]

#: The most rows a rank that are tried for an efficiency.
MOST_ROWS = 2**20


class Planner:
    """Plans the steps of any number of ranks."""

    def __init__(
        self,
        times: StepTimes,
        machines: Machines,
        messages: dict[int, list[Message]],
        reproducible: bool,
        rows: int | None,
        batch: int,
    ) -> None:
        self.times, self.machines, self.messages = times, machines, messages
        self.reproducible, self.rows, self.batch = reproducible, rows, batch

    def plan(self, ranks: int, least: float, memory: int, room: int | None) -> RankPlan:
        """The plan of so many ranks."""
        return RankPlan(
            ranks=ranks,
            nodes=self.machines.nodes(ranks),
            same_batch=self.step(ranks, self.batch, self.batch),
            same_rows=self.step(ranks, ranks * self.batch, self.batch),
            rows_needed=self._needed(ranks, least),
            memory=memory,
            fits=None if room is None else self.machines.on_one(ranks) * memory <= room,
        )

    def step(self, ranks: int, batch: int, alone: int) -> PlannedStep:
        """A step of some ranks on a batch; beside one rank alone on so many rows.

        Of these each rank would have its part: the whole batch for strong scaling, one rank's rows for weak.
        """
        rows = -(-batch // ranks)
        computing = self.times.computing(ranks, rows, self.machines.on_one(ranks))
        messages = 0.0
        if ranks > 1:
            sent = self.messages[ranks if self.reproducible else 2]
            messages = self.machines.seconds(sent, ranks)
        seconds = computing + messages
        work = self.times.alone(alone) * (batch / alone)
        epoch = None
        if self.rows is not None and batch <= self.rows:
            epoch = math.ceil(self.rows / batch) * seconds
        return PlannedStep(batch, rows, computing, messages, work / (ranks * seconds), epoch)

    def _needed(self, ranks: int, least: float) -> int | None:
        """The fewest rows a rank, a power of two, with which so many ranks are that efficient."""
        rows = 1
        while rows <= MOST_ROWS:
            if self.step(ranks, ranks * rows, ranks * rows).efficiency >= least:
                return rows
            rows *= 2
        return None
