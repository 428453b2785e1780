"""How many cells of a terminal a text takes: one a letter, two a Chinese character."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, pairwise

__all__ = ["beginning", "cells_wide", "padded", "to_the_right", "wrapped"]

#: Characters that no line may begin with, and those that none may end with.
_CLOSING = frozenset("，。、；：！？）》」』】”’…—～%)]},.;:!?")
_OPENING = frozenset("（《「『【“‘([{")


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
    """The longest beginning of the text that fits into so many cells.

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


def to_the_right(text: str, cells: int) -> str:
    """The text with spaces before it, up to so many cells.

    >>> to_the_right("猫", 4), to_the_right("cat", 2)
    ('  猫', 'cat')
    """
    return " " * (cells - cells_wide(text)) + text


def wrapped(text: str, cells: int) -> list[str]:
    """The text in lines of at most so many cells; a longer word, such as a path, stays whole.

    Lines end at spaces, and beside Chinese characters; but none begins with a comma.

    >>> wrapped("two words", 6), wrapped("一个长句，在此。", 8)
    (['two', 'words'], ['一个长', '句，在', '此。'])
    """
    lines: list[str] = []
    line, room = "", cells
    for piece in _pieces(text):
        size = cells_wide(piece)
        if line and size > room:
            lines.append(line)
            line, room = "", cells
        if piece.strip(" ") or line or not lines:
            line, room = line + piece, room - size
    return [stripped for each in (*lines, line) if (stripped := each.rstrip(" "))]


def _pieces(text: str) -> Iterator[str]:
    """Words and the spaces between them; a Chinese character is a word, with the punctuation after it."""
    for run in re.split("( +)", re.sub(r"[\t-\r]", " ", text.expandtabs())):
        if run.isascii():
            if run:
                yield run
            continue
        piece = run[0]
        for letter, following in pairwise(run):
            if _may_part(letter, following):
                yield piece
                piece = ""
            piece += following
        yield piece


def _may_part(letter: str, following: str) -> bool:
    """Whether a line may end between two letters of a run without spaces."""
    if following in _CLOSING or letter in _OPENING:
        return False
    return _cells(following) > 0 and 2 in (_cells(letter), _cells(following))
