"""The scenarios of benchmarks/playground_load.py, in short: that they are lived through, not how fast."""

from __future__ import annotations

import asyncio
import random

import pytest
from benchmarks import playground_load
from tests.playground.server.process import serving

from chainrule.errors import FormatError
from chainrule.playground.server.static import built_page

try:
    built_page()
except FormatError:
    pytest.skip("the page is not built: pip install -e . does it", allow_module_level=True)


def test_many_clients() -> None:
    assert asyncio.run(playground_load.many(count=40, seconds=2, rate=1))


def test_a_class_in_which_nobody_starves() -> None:
    """Twenty networks learn at the same pace, to a factor of two, and memory stays."""
    assert asyncio.run(playground_load.classroom(count=20, seconds=4, rate=1, settle=2))


def test_some_never_read() -> None:
    assert asyncio.run(playground_load.deaf(count=10, good=3, seconds=9, rate=1))


def test_garbage() -> None:
    assert asyncio.run(playground_load.garbage(handshakes=400, frames=400, rate=1))


def test_learners_who_come_and_go() -> None:
    assert asyncio.run(playground_load.storm(rounds=200, rate=1))


def test_garbage_is_no_fault_of_ours() -> None:
    """Nothing of it is told in the terminal."""
    chance = random.Random(1)
    with serving() as served:
        handshake = served.handshake(*served.headers(Origin=served.origin))

        async def throw() -> None:
            for _ in range(100):
                noise = b"".join(playground_load.random_frame(chance) for _ in range(8))
                await playground_load.throw(served.port, noise, after=handshake)
                await playground_load.throw(
                    served.port, playground_load.mangled(handshake, chance) + noise
                )

        asyncio.run(throw())
        assert served.get("/").status == 200
    assert served.said.endswith("Ctrl-C ends it.\nThe playground has ended.\n")
