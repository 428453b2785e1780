"""What a sum over ranks takes: the alpha-beta model, within a machine and between machines."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["BETWEEN", "WITHIN", "Link", "Machines", "Message", "all_reduce_seconds", "link_of"]


class Link(NamedTuple):
    """A connection: a message of n bytes takes latency + n / bandwidth seconds."""

    #: Seconds.
    latency: float
    #: Bytes a second.
    bandwidth: float


class Message(NamedTuple):
    """What ranks tell each other at a time: a sum over all, or an exchange of each with one other."""

    nbytes: int
    #: Of an exchange, by which bits the numbers of the two ranks differ; None: a sum over all.
    apart: int | None = None


#: What is assumed where nothing is measured or given: shared memory as Open MPI has it on a server (two
#: ranks, 11 MB in 2.4 ms), and a network for clusters, 100 Gbit/s and 2 µs.
WITHIN, BETWEEN = Link(2e-6, 5e9), Link(2e-6, 12.5e9)


def all_reduce_seconds(nbytes: float, ranks: int, link: Link) -> float:
    """The seconds in which each of some ranks gets the sum of all their arrays of n bytes.

    MPI takes the better of two ways by size, and so does this (Thakur, Rabenseifner and Gropp,
    "Optimization of Collective Communication Operations in MPICH", 2005), with latency α, bandwidth β:

    * recursive doubling, for short messages: ⌈log₂ p⌉ (α + n/β)
    * a ring, for long ones: 2 (p - 1) (α + n/(p β))

    >>> round(all_reduce_seconds(1e6, 4, Link(latency=1e-6, bandwidth=1e9)), 6)  # 6 (1e-6 + 0.25e-3)
    0.001506
    >>> all_reduce_seconds(1e6, 1, Link(latency=1e-6, bandwidth=1e9))
    0.0
    """
    if ranks == 1:
        return 0.0
    doubling = math.ceil(math.log2(ranks)) * (link.latency + nbytes / link.bandwidth)
    ring = 2 * (ranks - 1) * (link.latency + nbytes / (ranks * link.bandwidth))
    return min(doubling, ring)


def link_of(ranks: int, short: float, long: float, nbytes: int) -> Link:
    """The link on which a sum over these ranks takes `short` seconds if it is tiny, `long` for n bytes.

    >>> link = link_of(4, 2e-6, 3e-3, 1_000_000)
    >>> [round(1e6 * all_reduce_seconds(n, 4, link), 3) for n in (0, 1_000_000)]
    [2.0, 3000.0]
    """
    latency = short / math.ceil(math.log2(ranks))
    doubling = long / math.ceil(math.log2(ranks)) - latency
    ring = ranks * (long / (2 * (ranks - 1)) - latency)
    # Of two bandwidths that explain the long message, the slower way is not the one that was taken.
    pieces = [seconds for seconds in (doubling, ring) if seconds > 0]
    links = [Link(latency, nbytes / seconds) for seconds in pieces]
    fits = [link for link in links if all_reduce_seconds(nbytes, ranks, link) >= 0.999 * long]
    return max(fits, key=lambda link: link.bandwidth, default=Link(latency, math.inf))


@dataclass(frozen=True)
class Machines:
    """Machines that have so many ranks each, and what connects ranks within and between them.

    A sum is made on each machine first, then over the machines, one rank of each at the network, and
    what comes of it goes to the others: the time of both, one after the other. Ranks that exchange with
    those of another machine all do so at the same time, and share its network.
    """

    ranks_per_node: int
    within: Link
    between: Link

    def nodes(self, ranks: int) -> int:
        """How many machines so many ranks take."""
        return -(-ranks // self.ranks_per_node)

    def on_one(self, ranks: int) -> int:
        """How many of them are on one machine, at the most."""
        return min(ranks, self.ranks_per_node)

    def seconds(self, messages: Iterable[Message], ranks: int) -> float:
        """The seconds of some messages, one after the other, each of so many bytes on every rank."""
        return sum(
            self._sum_seconds(nbytes, ranks)
            if apart is None
            else self._exchange_seconds(nbytes, ranks, apart)
            for nbytes, apart in messages
        )

    def _sum_seconds(self, nbytes: int, ranks: int) -> float:
        return all_reduce_seconds(nbytes, self.on_one(ranks), self.within) + all_reduce_seconds(
            nbytes, self.nodes(ranks), self.between
        )

    def _exchange_seconds(self, nbytes: int, ranks: int, apart: int) -> float:
        """Ranks are numbered machine by machine; the slowest exchange counts."""
        machine = [rank // self.ranks_per_node for rank in range(ranks)]
        leaving = [machine[r] for r in range(ranks) if machine[r] != machine[r ^ apart]]
        link, sharing = self.within, 1
        if leaving:
            link, sharing = self.between, max(map(leaving.count, leaving))
        return link.latency + sharing * nbytes / link.bandwidth
