"""The alpha-beta model: against sums made by hand, message by message."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.planning.links import Link, Machines, Message, all_reduce_seconds, link_of

latencies = st.floats(1e-7, 1e-4)
bandwidths = st.floats(1e8, 1e11)
sizes = st.integers(1, 10**9)


def doubling(nbytes: int, ranks: int, link: Link) -> float:
    """Recursive doubling, round by round: every rank sends all it has to one twice as far."""
    seconds, reach = 0.0, 1
    while reach < ranks:
        seconds += link.latency + nbytes / link.bandwidth
        reach *= 2
    return seconds


def ring(nbytes: int, ranks: int, link: Link) -> float:
    """A ring: each round every rank sends one of p pieces on; once round to add, once to tell."""
    rounds = [nbytes / ranks] * (ranks - 1) * 2
    return sum(link.latency + piece / link.bandwidth for piece in rounds)


@given(sizes, st.integers(2, 300), st.builds(Link, latencies, bandwidths))
def test_the_better_of_two_ways(nbytes: int, ranks: int, link: Link) -> None:
    ways = doubling(nbytes, ranks, link), ring(nbytes, ranks, link)
    assert all_reduce_seconds(nbytes, ranks, link) == pytest.approx(min(ways))


def test_by_hand() -> None:
    link = Link(latency=2e-6, bandwidth=12.5e9)
    # 8 bytes to 1,024 ranks: ten rounds of 2 µs and a little.
    assert all_reduce_seconds(8, 1024, link) == pytest.approx(10 * (2e-6 + 0.64e-9))
    # 100 MB to 4 ranks: six pieces of 25 MB, each 2 ms and 2 µs.
    assert all_reduce_seconds(10**8, 4, link) == pytest.approx(6 * 0.002002)
    assert all_reduce_seconds(10**8, 1, link) == 0


@given(sizes, st.integers(2, 64), st.builds(Link, latencies, bandwidths))
def test_a_link_is_found_again_by_what_sums_took(nbytes: int, ranks: int, link: Link) -> None:
    short, long = (all_reduce_seconds(n, ranks, link) for n in (0, nbytes))
    found = link_of(ranks, short, long, nbytes)
    assert found.latency == pytest.approx(link.latency)
    assert all_reduce_seconds(nbytes, ranks, found) == pytest.approx(long, rel=2e-3)


def test_a_long_sum_that_is_no_longer_than_a_short_one() -> None:
    assert link_of(2, 5e-6, 4e-6, 1000) == Link(5e-6, math.inf)


@pytest.mark.parametrize(
    ("ranks", "nodes", "on_one"), [(1, 1, 1), (4, 1, 4), (5, 2, 4), (8, 2, 4), (4096, 1024, 4)]
)
def test_machines(ranks: int, nodes: int, on_one: int) -> None:
    within, between = Link(1e-6, 1e10), Link(5e-6, 1e9)
    machines = Machines(4, within, between)
    assert (machines.nodes(ranks), machines.on_one(ranks)) == (nodes, on_one)
    by_hand = sum(
        all_reduce_seconds(n, on_one, within) + all_reduce_seconds(n, nodes, between)
        for n in (1000, 8)
    )
    messages = [Message(1000), Message(8)]
    assert machines.seconds(messages, ranks) == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("on_one", "by_hand"),
    [
        # Three rounds within the machine, of 1 µs and 100 µs each.
        (8, 3 * 101e-6),
        # Every rank has a machine, and its network, for itself.
        (1, 3 * 1005e-6),
        # Rounds with the neighbour, and over two, on the machine; in the last all four leave it at once.
        (4, 2 * 101e-6 + 4005e-6),
        (2, 101e-6 + 2 * 2005e-6),
        # Machines of three, three and two: 2-3 leaves; 1-3, 4-6 and 5-7; all that are on the second.
        (3, 1005e-6 + 2 * 3005e-6),
    ],
)
def test_exchanges(on_one: int, by_hand: float) -> None:
    """Eight ranks that add up a million bytes in pairs, as reproducible=True does."""
    machines = Machines(on_one, Link(1e-6, 1e10), Link(5e-6, 1e9))
    messages = [Message(10**6, apart) for apart in (1, 2, 4)]
    assert machines.seconds(messages, 8) == pytest.approx(by_hand)


@given(
    sizes,
    st.sampled_from([2, 4, 8]),
    st.integers(1, 8),
    st.builds(Link, latencies, bandwidths),
    st.builds(Link, latencies, bandwidths),
)
def test_sums_in_pairs_are_no_faster(
    nbytes: int, ranks: int, on_one: int, within: Link, between: Link
) -> None:
    """MPI's sum takes the better of several ways, of which pairs are one."""
    if ranks % on_one and on_one < ranks:
        return  # machines that are filled unevenly: MPI's sum is taken to be one of each machine
    machines = Machines(on_one, within, between)
    pairs = [Message(nbytes, 1 << i) for i in range(ranks.bit_length() - 1)]
    assert machines.seconds(pairs, ranks) >= 0.999999 * machines.seconds([Message(nbytes)], ranks)
