"""Words in a program: comments of any text, safely; and lists that stay within a line."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any

__all__ = ["WIDTH", "comment", "first_words", "identifier", "listed", "spoken"]

#: The longest line.
WIDTH = 100


def spoken(text: str, limit: int = 300) -> str:
    """Any text as words on one line: no control characters, no end of a string or of a line."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    plain = " ".join(plain.replace("\\", "/").replace('"""', "'''").split())
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"


def comment(text: str, indent: int = 0) -> list[str]:
    """The text as comment lines.

    >>> comment("Affine: y = x W + b.", 4)
    ['    # Affine: y = x W + b.']
    """
    lead = " " * indent + "# "
    return textwrap.wrap(
        spoken(text), WIDTH, initial_indent=lead, subsequent_indent=lead, break_on_hyphens=False
    )


def first_words(thing: Any) -> str:
    """What a docstring says up to its first empty line, or nothing."""
    return spoken(re.split(r"\n\s*\n", (getattr(thing, "__doc__", None) or "").strip())[0])


def identifier(text: str) -> str:
    """What of the text may stand in an identifier."""
    return re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")


def listed(name: str, items: Sequence[str], indent: int = 0) -> list[str]:
    """`name = [a, b, c]`, going on with `name += [...]` where a line is full."""
    lead, rest = " " * indent, list(items)
    lines: list[str] = []
    while rest or not lines:
        start = f"{lead}{name} {'+=' if lines else '='} ["
        room, taken = WIDTH - len(start) - 1, 1
        while taken < len(rest) and len(", ".join(rest[: taken + 1])) <= room:
            taken += 1
        lines.append(f"{start}{', '.join(rest[:taken])}]")
        rest = rest[taken:]
    return lines
