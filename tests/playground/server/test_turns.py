"""Whose turn it is on the worker's thread: the one who has used the least, and nobody waits long."""

from __future__ import annotations

import asyncio

from chainrule.playground.server.learners import Client, Learners
from chainrule.playground.server.limits import Limits
from chainrule.playground.server.worker import LONGEST_WAIT, Worker
from chainrule.playground.session import Session


def turns(spent: list[float], cost: list[float], count: int) -> list[int]:
    """Who has the next turns, if a turn of each costs so much."""

    async def take() -> list[int]:
        learners = Learners(Limits())
        some = [learners.enter(f"learner {k}", Client("", 8)) for k in range(len(spent))]
        for learner, used in zip(some, spent, strict=True):
            learner.spent = used
        worker = Worker(learners, Limits(), Session)
        order = []
        for _ in range(count):
            ready, _ = worker.ready()
            chosen = min(ready, key=lambda learner: learner.spent)
            order.append(some.index(chosen))
            chosen.spent += cost[order[-1]]
        return order

    return asyncio.run(take())


def test_all_get_the_same_time() -> None:
    order = turns([0.0] * 4, [0.002, 0.002, 0.004, 0.008], 1500)
    counts = [order.count(k) for k in range(4)]
    assert counts[0] == counts[1]
    assert abs(counts[0] - 2 * counts[2]) <= 4
    assert abs(counts[0] - 4 * counts[3]) <= 4


def test_a_long_turn_costs_its_learner_a_short_wait_only() -> None:
    cost, others = 0.002, 29
    order = turns([60.0, *[0.0] * others], [cost] * (1 + others), 2000)
    waited = order.index(0) * cost
    assert 0 < waited <= LONGEST_WAIT + others * cost
