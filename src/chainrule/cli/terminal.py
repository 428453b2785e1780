"""What the command says, and how: calm, coloured only on a terminal, safe for any name."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

__all__ = [
    "complain",
    "json_out",
    "paint",
    "printable",
    "remark",
    "rows",
    "say",
    "width",
]

STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def colourful(stream: TextIO) -> bool:
    """Whether the stream is a terminal that wants colours (NO_COLOR: no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def paint(text: str, *styles: str, stream: TextIO | None = None) -> str:
    """The text in these styles, if the stream (stdout) shows them."""
    if not styles or not colourful(sys.stdout if stream is None else stream):
        return text
    codes = ";".join(STYLES[style] for style in styles)
    return f"\x1b[{codes}m{text}\x1b[0m"


def printable(text: str) -> str:
    """The text with everything escaped that is no visible letter, so that no name can steer
    the terminal.

    >>> printable("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
        for c in text
    )


def say(text: str = "") -> None:
    """A line on stdout."""
    print(text, flush=True)


def remark(text: str) -> None:
    """A remark on stderr, beside the results on stdout."""
    print(f"{paint('Note:', 'yellow', stream=sys.stderr)} {printable(text)}", file=sys.stderr)


def complain(text: str, start: str = "Error:") -> None:
    """One line on stderr."""
    line = printable(" ".join(text.split()))
    sys.stdout.flush()
    print(f"{paint(start, 'red', 'bold', stream=sys.stderr)} {line}", file=sys.stderr, flush=True)


def json_out(data: Any) -> None:
    """One JSON object on stdout."""
    say(json.dumps(data, ensure_ascii=False, allow_nan=False))


def width() -> int:
    """How many letters fit on a line of the terminal; no limit elsewhere."""
    return min(shutil.get_terminal_size().columns, 100) if sys.stdout.isatty() else 10_000


def rows(pairs: Iterable[tuple[str, str]]) -> None:
    """Lines of a name and a text beside it; a repeated or empty name leaves its place blank."""
    told = list(pairs)
    indent = max((len(name) for name, _ in told), default=0) + 2
    for name, text in told:
        lines = textwrap.wrap(printable(text), max(width() - indent, 30)) or [""]
        for i, line in enumerate(lines):
            start = name if i == 0 else ""
            say(f"{paint(start, 'dim')}{' ' * (indent - len(start))}{line}")


def table(header: Sequence[str], body: Iterable[Sequence[str]], left: int = 1) -> None:
    """Columns, numbers to the right; the first `left` columns to the left."""
    lines = [tuple(map(printable, line)) for line in (header, *body)]
    sizes = [max(len(line[i]) for line in lines) for i in range(len(header))]
    for n, line in enumerate(lines):
        cells = [
            cell.ljust(size) if i < left else cell.rjust(size)
            for i, (cell, size) in enumerate(zip(line, sizes, strict=True))
        ]
        text = "  ".join(cells).rstrip()
        say(f"  {paint(text, 'dim') if n == 0 else text}")
