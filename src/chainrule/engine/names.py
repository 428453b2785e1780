"""Names and brackets: what generated text needs to be read easily."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterable

__all__ = ["Names", "bare", "tidy"]


class Names:
    """Identifiers, each given once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = set(keyword.kwlist) | set(taken)

    def unique(self, wanted: str) -> str:
        """The wanted name, or one like it that is free."""
        name = re.sub(r"\W", "_", wanted, flags=re.ASCII).strip("_") or "v"
        if name[0].isdigit():
            name = "v" + name
        found, n = name, 1
        while found in self.taken:
            n += 1
            found = f"{name}_{n}"
        self.taken.add(found)
        return found


def bare(text: str) -> str:
    """An expression without the brackets around all of it."""
    if not text.startswith("("):
        return text
    depth = 0
    for i, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return text[1:-1] if i == len(text) - 1 else text
    return text


def tidy(line: str) -> str:
    """A statement without the brackets that say nothing: Python's own order does."""
    text = line.lstrip()
    if " = " not in text and not text.startswith("return") and "+= " not in text:
        return line
    return line[: len(line) - len(text)] + ast.unparse(ast.parse(text))
