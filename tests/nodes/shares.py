"""How many of the cases that rows draw are taken by default, and which are left for the long mode."""

from __future__ import annotations

import pytest

__all__ = ["shares"]


def shares(few: int, many: int) -> pytest.MarkDecorator:
    """`cases` are the first few; the others, up to so many, are taken at length."""
    return pytest.mark.parametrize(
        "cases",
        [
            pytest.param(range(few), id="few"),
            pytest.param(range(few, many), id="more", marks=pytest.mark.long),
        ],
    )
