"""Output of the command: coloured on a terminal only, and safe for names with any characters."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from chainrule import errors
from chainrule.lang.languages import chosen
from chainrule.lang.messages import Text, _, in_language
from chainrule.text_width import cells_wide, padded, to_the_right, wrapped

__all__ = [
    "complain",
    "csv_out",
    "gap",
    "json_out",
    "paint",
    "paragraph",
    "prepare",
    "printable",
    "remark",
    "rows",
    "say",
    "size_of",
    "spoken",
    "table",
    "tongue",
    "too_wide",
    "typed",
    "width",
]

STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


PLAIN_WORD = re.compile(r"[\w@%+=:,./-]+")
#: What stands for our own signs where the output cannot hold them (cp1252, ASCII).
PLAIN = {
    "→": "->", "─": "-", "·": ".", "×": "x", "−": "-", "–": "-", "±": "+-", "²": "2", "…": "...",
    "√": "root ", "█": "#", "▌": "=",
}  # fmt: skip


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


def tongue() -> str:
    """The language of what is said: that of the run, where stdout and stderr hold its letters."""
    lang = chosen()
    return lang if lang == "en" or all(holds(s, "中文") for s in (sys.stdout, sys.stderr)) else "en"


def spoken(text: object) -> str:
    """A message as it is said at the command line; anything else as `str` has it."""
    return in_language(text, tongue(), "command")


def printable(text: object) -> str:
    """The text as it is said, with everything escaped that is no visible letter."""
    return errors.printable(spoken(text))


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
    """The text as it is said, in these styles, if the stream (stdout) shows them."""
    text = spoken(text)
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
        error.filename = _("standard output")
        raise


def say(text: str = "") -> None:
    """A line on stdout."""
    with _named():
        print(fitting(spoken(text), sys.stdout), flush=True)


def remark(text: str) -> None:
    """A remark on stderr, beside the results on stdout."""
    _aside(_("Note:"), printable(text), "yellow")


def complain(text: str, start: Text | None = None) -> None:
    """One line on stderr."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    told = errors.printable(" ".join(spoken(text).split()))
    _aside(_("Error:") if start is None else start, told, "red", "bold")


def gap(start: str) -> str:
    """What stands between "Error:" and the error: nothing in Chinese, whose colon is wide."""
    return "" if start.endswith("：") else " "


def _aside(start: Text, text: str, *styles: str) -> None:
    """A line on stderr; if it cannot be written, the exit code still tells."""
    before = spoken(start)
    indent = cells_wide(before + gap(before))
    lines = wrapped(fitting(text, sys.stderr), max(width(sys.stderr) - indent, 16))
    told = f"\n{' ' * indent}".join(lines)
    with contextlib.suppress(OSError):
        print(
            paint(before, *styles, stream=sys.stderr),
            told,
            sep=gap(before),
            file=sys.stderr,
            flush=True,
        )


def let_go() -> None:
    """Drop output that could not be written: else Python tries again as it ends, and exits with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError):  # a stream without a file
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def json_out(data: object) -> None:
    """One JSON object on stdout; in ASCII where stdout is not UTF-8."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("_", "-")
    ascii_only = encoding not in ("utf-8", "utf8")
    say(json.dumps(_translated(data), ensure_ascii=ascii_only, allow_nan=False))


def _translated(data: object) -> object:
    """The data with its messages in the language of the run."""
    if isinstance(data, dict):
        return {key: _translated(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return list(map(_translated, data))
    return in_language(data, chosen(), "command") if isinstance(data, Text) else data


def csv_out(data: bytes) -> None:
    """A CSV file on stdout, byte for byte."""
    with _named():
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def width(stream: TextIO | None = None) -> int:
    """How many cells a line has on the terminal that the stream (stdout) is; no limit elsewhere."""
    if not (sys.stdout if stream is None else stream).isatty():
        return 10_000
    return min(shutil.get_terminal_size().columns, 100)


def paragraph(text: str, *styles: str) -> None:
    """Lines on stdout, no wider than the terminal."""
    for line in spoken(text).splitlines():
        for part in wrapped(errors.printable(line), max(width(), 16)) or [""]:
            say(paint(part, *styles))


def rows(pairs: Iterable[tuple[str, str]]) -> None:
    """Lines of a name and a text beside it; an empty name leaves its place blank."""
    told = [(spoken(name), printable(text)) for name, text in pairs]
    indent = max((cells_wide(name) for name, text in told), default=0) + 2
    for name, text in told:
        lines = wrapped(text, max(width() - indent, 16)) or [""]
        for i, line in enumerate(lines):
            start = name if i == 0 else ""
            say(f"{paint(start, 'dim')}{' ' * (indent - cells_wide(start))}{line}")


def too_wide(header: Sequence[str], body: Iterable[Sequence[str]]) -> bool:
    """Whether such a table has longer lines than the terminal."""
    sizes = _laid_out(header, body)[1]
    return sum(sizes) + 2 * len(sizes) > width()


def table(header: Sequence[str], body: Iterable[Sequence[str]], left: int = 1) -> None:
    """Columns, numbers to the right; the first `left` columns to the left."""
    lines, sizes = _laid_out(header, body)
    for n, line in enumerate(lines):
        cells = [
            (padded if i < left else to_the_right)(cell, size)
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
