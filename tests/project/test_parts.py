"""`--part K/N`: the parts are the whole, and no test is in two of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def part_of(request: pytest.FixtureRequest) -> Any:
    """The function of the root conftest, as pytest has loaded it."""
    plugins = request.config.pluginmanager.get_plugins()
    place = str(ROOT / "conftest.py")
    return next(p for p in plugins if getattr(p, "__file__", None) == place).part_of


@pytest.mark.parametrize(("tests", "parts"), [(0, 1), (7, 1), (7, 3), (7, 10), (719, 20)])
def test_the_parts_are_the_whole(part_of: Any, tests: int, parts: int) -> None:
    every = [part_of(list(range(tests)), f"{k + 1}/{parts}") for k in range(parts)]
    assert sorted(k for part in every for k in part) == list(range(tests))
    assert max(map(len, every)) - min(map(len, every)) <= 1


@pytest.mark.parametrize("part", ["", "3", "0/3", "4/3", "-1/3", "1/0", "a/b", "1/2/3", " 1/2"])
def test_what_is_no_part_is_refused(part_of: Any, part: str) -> None:
    with pytest.raises(pytest.UsageError, match="--part wants K/N"):
        part_of([1, 2, 3], part)
