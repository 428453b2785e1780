"""One server and one browser for all of these tests, and a fresh learner for each."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.playground.browser.driving import Seen, browser_here, chromium, opened
from tests.playground.server.process import Served, serving

HERE = Path(__file__).parent
_open = ExitStack()


@functools.cache
def _browser() -> Any:
    return _open.enter_context(browser_here())


@functools.cache
def _served() -> Served:
    return _open.enter_context(serving())


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Both end with the last of these tests: what drives the browser lets no other loop of events run."""
    if nextitem is None or HERE not in nextitem.path.parents:
        _open.close()
        _browser.cache_clear()
        _served.cache_clear()


@pytest.fixture
def browser() -> Any:
    return _browser()


@pytest.fixture
def served() -> Served:
    chromium()
    return _served()


@pytest.fixture
def seen(browser: Any, served: Served) -> Iterator[Seen]:
    with opened(browser, served) as tab:
        yield tab
