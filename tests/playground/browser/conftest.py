"""The server, the browser, and a fresh learner for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.playground.browser.driving import Seen, browser_of, chromium, opened
from tests.playground.server.process import Served, serving


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium()
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright, browser_of(playwright) as found:
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
