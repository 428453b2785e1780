"""How wide a text is where letters stand in cells, as in a terminal: a Chinese one takes two."""

from __future__ import annotations

import unicodedata

__all__ = ["cells_wide", "padded"]


def cells_wide(text: str) -> int:
    """How many cells of a terminal the text takes: two a Chinese character.

    >>> cells_wide("cat"), cells_wide("猫")
    (3, 2)
    """
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def padded(text: str, cells: int) -> str:
    """The text with spaces behind it, up to so many cells.

    >>> padded("猫", 4), padded("cat", 2)
    ('猫  ', 'cat')
    """
    return text + " " * (cells - cells_wide(text))
