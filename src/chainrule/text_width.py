"""How wide a text is where letters stand in cells, as in a terminal: a Chinese one takes two."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from itertools import accumulate

__all__ = ["beginning", "cells_wide", "padded"]


def _cells(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def cells_wide(text: str) -> int:
    """How many cells of a terminal the text takes: two a Chinese character.

    >>> cells_wide("cat"), cells_wide("猫")
    (3, 2)
    """
    return len(text) if text.isascii() else sum(map(_cells, text))


def beginning(text: str, cells: int) -> str:
    """As much of the text as takes so many cells at most.

    >>> beginning("cat", 2), beginning("猫咪", 3)
    ('ca', '猫')
    """
    return text[: bisect_right(list(accumulate(map(_cells, text))), cells)]


def padded(text: str, cells: int) -> str:
    """The text with spaces behind it, up to so many cells.

    >>> padded("猫", 4), padded("cat", 2)
    ('猫  ', 'cat')
    """
    return text + " " * (cells - cells_wide(text))
