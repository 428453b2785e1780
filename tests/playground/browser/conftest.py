"""The server, the browser, and a fresh learner for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.playground.browser.driving import Seen, browser_here, chromium, opened
from tests.playground.server.process import Served, serving


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browser_here() as found:
        yield found


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    chromium()
    with serving() as found:
        yield found


@pytest.fixture
def seen(browser: Any, served: Served) -> Iterator[Seen]:
    with opened(browser, served) as tab:
        yield tab
