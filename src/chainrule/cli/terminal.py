"""What the command says, and how: calm, coloured only on a terminal, safe for any name."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

from chainrule.errors import printable
from chainrule.text_width import cells_wide, padded

__all__ = [
    "complain",
    "csv_out",
    "json_out",
    "number_of",
    "paint",
    "paragraph",
    "prepare",
    "printable",
    "remark",
    "rows",
    "say",
    "size_of",
    "table",
    "too_wide",
    "typed",
    "width",
]

STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


PLAIN_WORD = re.compile(r"[\w@%+=:,./-]+")
#: What stands for our own signs where the output cannot hold them (cp1252, ASCII).
PLAIN = {"→": "->", "─": "-", "·": ".", "×": "x", "−": "-", "²": "2", "…": "...", "√": "root "}


def prepare() -> None:
    """Make stdout and stderr take any text: what their encoding cannot hold comes out escaped.

    A closed stream (`>&-`) becomes one that leads nowhere, so that no file gets its number.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def holds(stream: TextIO, text: str) -> bool:
    """Whether the stream's encoding has every letter of the text."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def fitting(text: str, stream: TextIO) -> str:
    """The text with plain stand-ins for those of our signs that the stream cannot hold."""
    if text.isascii() or holds(stream, text):
        return text
    return "".join(PLAIN[c] if c in PLAIN and not holds(stream, c) else c for c in text)


def number_of(count: int, what: str, plural: str = "") -> str:
    """A count with its noun.

    >>> number_of(1, "row"), number_of(1200, "row"), number_of(2, "class", "classes")
    ('1 row', '1,200 rows', '2 classes')
    """
    return f"{count:,} {what if count == 1 else plural or what + 's'}"


def typed(*words: str) -> str:
    """The words as they are typed in a shell; letters of any language need no quotes.

    >>> typed("train", "房价.csv", "a b")
    "train 房价.csv 'a b'"
    """
    return " ".join(w if PLAIN_WORD.fullmatch(w) else shlex.quote(w) for w in words)


def size_of(count: int) -> str:
    """A number of bytes, short.

    >>> size_of(1500), size_of(2_500_000)
    ('1 KiB', '2.4 MiB')
    """
    return f"{count / 1024:.0f} KiB" if count < 1 << 20 else f"{count / (1 << 20):.1f} MiB"


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


@contextlib.contextmanager
def _named() -> Iterator[None]:
    """Where something could not be written, for the message: a full disk, say."""
    try:
        yield
    except OSError as error:
        error.filename = "standard output"
        raise


def say(text: str = "") -> None:
    """A line on stdout."""
    with _named():
        print(fitting(text, sys.stdout), flush=True)


def remark(text: str) -> None:
    """A remark on stderr, beside the results on stdout."""
    _aside("Note:", printable(text), "yellow")


def complain(text: str, start: str = "Error:") -> None:
    """One line on stderr."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    _aside(start, printable(" ".join(text.split())), "red", "bold")


def _aside(start: str, text: str, *styles: str) -> None:
    """A line on stderr; if it cannot be written, the exit code still tells."""
    lines = wrapped(fitting(text, sys.stderr), width(sys.stderr) - len(start) - 1)
    told = f"\n{' ' * (len(start) + 1)}".join(lines)
    with contextlib.suppress(OSError):
        print(paint(start, *styles, stream=sys.stderr), told, file=sys.stderr, flush=True)


def let_go() -> None:
    """Drop what could not be written: Python would try again as it ends, and exit with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError):  # a stream without a file
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def json_out(data: Any) -> None:
    """One JSON object on stdout; in ASCII where stdout is not UTF-8."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("_", "-")
    say(json.dumps(data, ensure_ascii=encoding not in ("utf-8", "utf8"), allow_nan=False))


def csv_out(data: bytes) -> None:
    """A CSV file on stdout, byte for byte."""
    with _named():
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def width(stream: TextIO | None = None) -> int:
    """How many letters fit on a line of the terminal that the stream (stdout) is; no limit elsewhere."""
    if not (sys.stdout if stream is None else stream).isatty():
        return 10_000
    return min(shutil.get_terminal_size().columns, 100)


def wrapped(text: str, room: int) -> list[str]:
    """The text in lines of this many letters; a word that is longer, such as a path, stays whole."""
    return textwrap.wrap(text, max(room, 16), break_long_words=False, break_on_hyphens=False)


def paragraph(text: str, *styles: str) -> None:
    """Lines on stdout, no wider than the terminal."""
    for line in text.splitlines():
        for part in wrapped(printable(line), width()) or [""]:
            say(paint(part, *styles))


def rows(pairs: Iterable[tuple[str, str]]) -> None:
    """Lines of a name and a text beside it; a repeated or empty name leaves its place blank."""
    told = list(pairs)
    indent = max((len(name) for name, _ in told), default=0) + 2
    for name, text in told:
        lines = wrapped(printable(text), width() - indent) or [""]
        for i, line in enumerate(lines):
            start = name if i == 0 else ""
            say(f"{paint(start, 'dim')}{' ' * (indent - len(start))}{line}")


def too_wide(header: Sequence[str], body: Iterable[Sequence[str]]) -> bool:
    """Whether such a table has longer lines than the terminal."""
    _, sizes = _laid_out(header, body)
    return sum(sizes) + 2 * len(sizes) > width()


def table(header: Sequence[str], body: Iterable[Sequence[str]], left: int = 1) -> None:
    """Columns, numbers to the right; the first `left` columns to the left."""
    lines, sizes = _laid_out(header, body)
    for n, line in enumerate(lines):
        cells = [
            padded(cell, size) if i < left else " " * (size - cells_wide(cell)) + cell
            for i, (cell, size) in enumerate(zip(line, sizes, strict=True))
        ]
        text = "  ".join(cells).rstrip()
        say(f"  {paint(text, 'dim') if n == 0 else text}")


def _laid_out(
    header: Sequence[str], body: Iterable[Sequence[str]]
) -> tuple[list[tuple[str, ...]], list[int]]:
    """The cells as they are shown, and how wide each column is."""
    lines = [tuple(map(printable, line)) for line in (header, *body)]
    return lines, [max(cells_wide(line[i]) for line in lines) for i in range(len(header))]
