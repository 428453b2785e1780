"""How many of the cases that rows draw are taken by default, and which are left for the long mode."""

from __future__ import annotations

from typing import Any

import pytest

__all__ = ["chunks", "shares"]


def shares(few: int, many: int) -> pytest.MarkDecorator:
    """`cases` are the first few; the others, up to so many, are taken at length."""
    return pytest.mark.parametrize(
        "cases",
        [
            pytest.param(range(few), id="few"),
            pytest.param(range(few, many), id="more", marks=pytest.mark.long),
        ],
    )


def chunks(usual: int, of: int) -> list[Any]:
    """Numbers of chunks: so many are taken in the default mode, the others at length."""
    return [*range(usual), *(pytest.param(k, marks=pytest.mark.long) for k in range(usual, of))]
