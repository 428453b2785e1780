"""The scenarios of benchmarks/playground_load.py, in short."""

from __future__ import annotations

import asyncio

import pytest
from benchmarks import playground_load

from chainrule.errors import FormatError
from chainrule.playground.server.static import built_page

try:
    built_page()
except FormatError:
    pytest.skip("the page is not built: pip install -e . does it", allow_module_level=True)


def test_many_clients() -> None:
    assert asyncio.run(playground_load.many(count=60, seconds=3))


def test_some_never_read() -> None:
    assert asyncio.run(playground_load.deaf(count=10, good=3, seconds=9))


def test_garbage() -> None:
    assert asyncio.run(playground_load.garbage(handshakes=400, frames=400))


@pytest.mark.long
def test_speed() -> None:
    assert asyncio.run(playground_load.speed())
