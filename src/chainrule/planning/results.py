"""What comes of planning: the steps on each number of ranks, and what they say."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chainrule.lang.messages import Text, _, _n, sentences
from chainrule.planning.links import Link

#: Units of time, their number in a second, and up to which number of them they are taken.
_UNITS = (
    ("µs", 1e6, 999.5), ("ms", 1e3, 999.5), ("s", 1.0, 119.5), ("min", 1 / 60, 119.5),
    ("h", 1 / 3600, 99.5), ("d", 1 / 86400, math.inf),
)  # fmt: skip

__all__ = ["PlannedStep", "RankPlan", "ScalingPlan", "size", "span"]


@dataclass(frozen=True)
class PlannedStep:
    """A step that some ranks make together."""

    #: Rows of the whole batch, and of one rank, at the most.
    batch: int
    rows: int
    #: Seconds that a rank computes, its update included, and that sums over the ranks take.
    computing: float
    messages: float
    #: The part of the ranks' time that one rank would need for the same work.
    efficiency: float
    #: Seconds of an epoch, if it is known how many rows that has.
    epoch: float | None

    @property
    def seconds(self) -> float:
        """The seconds of the step."""
        return self.computing + self.messages


@dataclass(frozen=True)
class RankPlan:
    """What so many ranks are planned to do."""

    ranks: int
    #: The machines that they take.
    nodes: int
    #: Strong scaling: the ranks share the batch.
    same_batch: PlannedStep
    #: Weak scaling: every rank has as many rows as the batch; their batch grows with them.
    same_rows: PlannedStep
    #: Rows that each rank needs at the least, a power of two, to be as efficient as `least`; None: no
    #: number will do.
    rows_needed: int | None
    #: The bytes of memory that a rank takes, without data and Python, and whether the ranks of a machine
    #: fit into its memory; None: that is not known.
    memory: int
    fits: bool | None

    @property
    def speed_up(self) -> float:
        """How many times as fast as one rank they are with the same batch."""
        return self.ranks * self.same_batch.efficiency


@dataclass(frozen=True)
class ScalingPlan:
    """A training on ranks, planned; `str(...)` tells it in a few lines, `cr.draw_scaling` draws it."""

    batch_size: int
    #: The rows of an epoch, if they are known.
    rows: int | None
    parameters: int
    engine: str
    reproducible: bool
    #: The efficiency that is asked for.
    least: float
    #: How many ranks a machine has, and the bytes of its memory, if they are known.
    ranks_per_node: int
    memory: int | None
    #: Bytes of the sums that a step has over two ranks: gradients last, before them those in its midst.
    messages: tuple[int, ...]
    #: What connects ranks of a machine, and machines.
    within: Link
    between: Link
    #: Why `within` was not measured; None: it was.
    within_assumed: Text | None
    #: The operations a second of a core that were given; None: the step was timed on this machine.
    flops: float | None
    #: How many times as long a step takes while all cores of this machine make it; None: not measured.
    crowd: float | None
    #: Seconds of computing on a single row: what does not get shorter with more ranks.
    fixed: float
    ranks: tuple[RankPlan, ...]

    @property
    def most_ranks(self) -> RankPlan:
        """The most ranks that are as efficient as asked for with this batch, all fewer included."""
        found = self.ranks[0]
        for each in self.ranks:
            if each.same_batch.efficiency < self.least:
                break
            found = each
        return found

    @property
    def fastest(self) -> RankPlan:
        """The fewest ranks whose step is the shortest with this batch, or within 5 % of that."""
        least = min(each.same_batch.seconds for each in self.ranks)
        return next(each for each in self.ranks if each.same_batch.seconds <= 1.05 * least)

    @property
    def verdict(self) -> Text:
        """What the plan says, in a few sentences."""
        most, fastest, least = self.most_ranks, self.fastest, self.least
        told = [
            _(
                "With the same batch, {ranks} are the most that are {least:.0%} efficient: a step takes"
                " {seconds}, {times:.1f} times as fast as on one.",
                ranks=_n("{n:,} rank", "{n:,} ranks", most.ranks),
                least=least,
                seconds=span(most.same_batch.seconds),
                times=most.speed_up,
            )
            if most.ranks > 1
            else _(
                "With the same batch, no more than one rank is {least:.0%} efficient.", least=least
            )
        ]
        if fastest is not most:
            ranks = _n("{n:,} rank", "{n:,} ranks", fastest.ranks)
            told.append(
                _(
                    "A step still gets shorter up to {ranks}, the most that were asked about: {times:.1f}"
                    " times as fast.",
                    ranks=ranks,
                    times=fastest.speed_up,
                )
                if fastest is self.ranks[-1]
                else _(
                    "Beyond {ranks}, {times:.1f} times as fast, a step gets hardly any shorter.",
                    ranks=ranks,
                    times=fastest.speed_up,
                )
            )
        part = self.fixed / self.ranks[0].same_batch.computing
        if part > 0.05:
            told.append(
                _(
                    "{seconds} of a step, {part:.0%} of it on one rank, stay the same with fewer rows: the"
                    " update, which every rank makes of all parameters, and the start of every operation.",
                    seconds=span(self.fixed),
                    part=part,
                )
            )
        return sentences(*told, *self._memory())

    def _memory(self) -> Iterator[Text]:
        large = [each for each in self.ranks if each.fits is False]
        if large:
            yield _(
                "A machine with {memory} has no room for {ranks} of {each} each.",
                memory=size(self.memory or 0),
                ranks=_n("{n:,} rank", "{n:,} ranks", min(large[0].ranks, self.ranks_per_node)),
                each=size(large[0].memory),
            )

    @property
    def basis(self) -> Sequence[Text]:
        """What the plan stands on: what was measured on this machine, and what is assumed."""
        told = []
        if self.flops is not None:
            told.append(
                _(
                    "computing: the operations of a step, at {flops:,.4g} GFLOP/s in products (given), the"
                    " rest by the cost model of the {engine} engine",
                    flops=self.flops / 1e9,
                    engine=self.engine,
                )
            )
        elif self.crowd is None:
            told.append(
                _(
                    "computing: steps timed on one core of this machine ({engine} engine); several at a time"
                    " are taken to be no slower",
                    engine=self.engine,
                )
            )
        else:
            told.append(
                _(
                    "computing: steps timed on this machine ({engine} engine); on all cores at a time they"
                    " take {crowd:.2f} times as long",
                    engine=self.engine,
                    crowd=self.crowd,
                )
            )
        within, between = map(_link, (self.within, self.between))
        told.append(
            _("within a machine: {link}, measured", link=within)
            if self.within_assumed is None
            else _(
                "within a machine: {link}, assumed, since {why}",
                link=within,
                why=self.within_assumed,
            )
        )
        told.append(
            _(
                "between machines of {ranks}: {link}, as given or by default",
                ranks=_n("{n:,} rank", "{n:,} ranks", self.ranks_per_node),
                link=between,
            )
        )
        return told

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values for JSON: seconds, bytes, bytes a second."""
        found = _plain(asdict(self))
        for told, each in zip(found["ranks"], self.ranks, strict=True):
            told["speed_up"] = each.speed_up
            for name, step in (("same_batch", each.same_batch), ("same_rows", each.same_rows)):
                told[name]["seconds"] = step.seconds
        return {**found, "most_ranks": self.most_ranks.ranks, "fastest": self.fastest.ranks}

    def __str__(self) -> str:
        return str(self.verdict)


def _plain(value: Any) -> Any:
    if isinstance(value, Link):
        return value._asdict()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _link(link: Link) -> Text:
    return _(
        "{latency:.2g} µs and {bandwidth:,.3g} Gbit/s",
        latency=link.latency * 1e6,
        bandwidth=link.bandwidth * 8 / 1e9,
    )


def span(seconds: float) -> str:
    """A time, with its unit, short.

    >>> [span(s) for s in (3.14e-5, 0.0123, 1.5, 75, 4000, 200_000, 9e6)]
    ['31.4 µs', '12.3 ms', '1.5 s', '75 s', '66.7 min', '55.6 h', '104 d']
    """
    unit, factor, _below = next(u for u in _UNITS if seconds * u[1] < u[2])
    return f"{seconds * factor:.3g} {unit}"


def size(nbytes: int) -> str:
    """A number of bytes, short."""
    if nbytes < 1 << 30:
        return f"{nbytes / (1 << 20):.3g} MiB"
    return f"{nbytes / (1 << 30):,.3g} GiB"
