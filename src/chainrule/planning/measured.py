"""This machine, measured: the step at some sizes, alone and on all cores, and sums over ranks."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chainrule.distributed.mpiexec import RANKS, SIZES, path_of_mpiexec, surroundings
from chainrule.errors import ExtraMissingError
from chainrule.lang.messages import Text, _
from chainrule.planning.crowd import crowded
from chainrule.planning.links import Link, link_of
from chainrule.planning.steps import RankSteps

__all__ = ["Pace", "StepTimes", "measure_link", "measure_steps"]

#: Measured sizes are so far apart; a step of more seconds, by the cost model, is not made.
APART, LONGEST = 4, 0.5
#: Seconds that ranks may take to tell how long sums take.
PATIENCE = 60.0


@dataclass(frozen=True)
class Pace:
    """The seconds of a step by its rows: the cost model's, times how far it was off where measured."""

    #: The cost model's seconds without rows, and for each row.
    fixed: float
    row: float
    #: Seconds that were measured, by rows.
    measured: Mapping[int, float] = field(default_factory=dict)

    def __call__(self, rows: float) -> float:
        """The seconds of a step on so many rows."""
        model = self.fixed + self.row * rows
        return model * _between(
            {n: t / (self.fixed + self.row * n) for n, t in self.measured.items()}, rows
        )


def _between(factors: Mapping[int, float], rows: float) -> float:
    """The factor at some rows: between those that are known by the logarithm, beyond them the last."""
    if not factors:
        return 1.0
    known = sorted(factors)
    below = max((n for n in known if n <= rows), default=known[0])
    above = min((n for n in known if n >= rows), default=known[-1])
    if below >= above:
        return factors[below]
    part = math.log(rows / below) / math.log(above / below)
    return (1 - part) * factors[below] + part * factors[above]


@dataclass(frozen=True)
class StepTimes:
    """What a rank's step takes: one alone in a plain training, and of several ranks."""

    alone: Pace
    #: Of so many ranks, with reproducible=True, where their parts differ; else all are under 2.
    shared: Mapping[int, Pace]
    #: How many times as long it takes while `cores` ranks make it on this machine, by rows.
    crowd: Mapping[int, float]
    cores: int

    def computing(self, ranks: int, rows: float, on_one: int) -> float:
        """The seconds of a step of so many rows, with so many ranks on a machine."""
        if ranks == 1 and 1 not in self.shared:
            return self.alone(rows)
        pace = self.shared[ranks if ranks in self.shared else 2]
        more = max(_between(self.crowd, rows) - 1.0, 0.0)
        return pace(rows) * (1 + more * min(1.0, (on_one - 1) / max(self.cores - 1, 1)))


def measure_steps(
    steps: RankSteps, batch: int, ranks: Sequence[int], cores: int, flops: float | None, most: int
) -> StepTimes:
    """Time the steps of these ranks; with flops nothing is timed, and the cost model speaks alone.

    most: rows beyond which a step would not fit into memory.
    """
    fixed, row = steps.estimated(flops)
    kinds = ranks if steps.reproducible else [2] if max(ranks) > 1 else []
    if flops is not None:
        return StepTimes(Pace(fixed, row), dict.fromkeys(kinds, Pace(fixed, row)), {}, cores)
    top = max(1, min(batch, most, int(max(0.0, LONGEST - fixed) / row) if row > 0 else batch))
    alone = {n: steps.seconds(1, n, plainly=True) for n in _apart(top, -(-top // APART))}
    shared = {}
    for k in kinds:
        first, last = (min(top, -(-batch // each)) for each in (k, max(ranks)))
        sizes = [first] if steps.reproducible else _apart(first, last)
        shared[k] = Pace(fixed, row, {n: steps.seconds(k, n) for n in sizes})
    crowd: dict[int, float] = {}
    if kinds and cores > 1 and max(ranks) > 1:
        sizes = sorted(shared[max(kinds)].measured)
        for n in {sizes[0], min(sizes, key=lambda n: abs(n - batch / min(cores, max(ranks))))}:
            k = max(kinds)
            several = crowded(lambda n=n, k=k: steps.seconds(k, n), cores)  # type: ignore[misc]
            if several is not None:
                crowd[n] = several / shared[k].measured[n]
    return StepTimes(Pace(fixed, row, alone), shared, crowd, cores)


def _apart(first: int, last: int) -> list[int]:
    """Sizes from the first down to the last, each a part of the one before."""
    found = [max(1, first)]
    while found[-1] > max(1, last):
        found.append(max(found[-1] // APART, last, 1))
    return found


def measure_link(ranks: int, messages: Iterable[int]) -> Link | Text:
    """What connects some ranks on this machine, timed by sums over so many; or why it is not known."""
    try:
        mpiexec = path_of_mpiexec()
    except ExtraMissingError:
        return _("the extra mpi is not installed")
    if any(name in os.environ for name in (*RANKS, *SIZES)):
        return _("this is a rank itself")
    nbytes = max(messages)
    own = [sys.executable, "-m", "chainrule.planning.timed_messages", "8", str(nbytes)]
    try:
        done = subprocess.run(  # noqa: S603 - a program of the environment, without a shell
            [mpiexec, "-n", str(ranks), *own],
            env=surroundings(ranks), capture_output=True, text=True, timeout=PATIENCE, check=True,
        )  # fmt: skip
        short, long = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return _("mpiexec could not start {ranks} ranks", ranks=ranks)
    return link_of(ranks, short, long, nbytes)
