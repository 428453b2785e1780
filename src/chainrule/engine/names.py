"""Names and brackets of generated code, for easy reading."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterable

__all__ = ["Names", "bare", "tidy"]


class Names:
    """A set of identifiers in use, which gives out new ones."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = set(keyword.kwlist) | set(taken)
        self._last: dict[str, int] = {}

    def unique(self, wanted: str) -> str:
        """The wanted name if it is free; else one with a number after it."""
        stem = re.sub(r"\W", "_", wanted, flags=re.ASCII).strip("_") or "v"
        if stem[0].isdigit():
            stem = "v" + stem
        n = self._last.get(stem, 1)
        name = stem if n == 1 else f"{stem}_{n}"
        while name in self.taken:
            n += 1
            name = f"{stem}_{n}"
        self._last[stem] = n
        self.taken.add(name)
        return name


def bare(text: str) -> str:
    """An expression without a pair of brackets around the whole."""
    if not text.startswith("("):
        return text
    depth = 0
    for i, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return text[1:-1] if i == len(text) - 1 else text
    return text


def tidy(line: str) -> str:
    """A statement without redundant brackets, those that operator precedence makes needless."""
    text = line.lstrip()
    if " = " not in text and not text.startswith("return") and "+= " not in text:
        return line
    return line[: len(line) - len(text)] + ast.unparse(ast.parse(text))
