"""Where an operation was written: the user's own line, and inside a layer the line of its formula.

It is stored while recording, so it must be cheap: a code object and the offset of an instruction.
The file is read, and the line looked up, only on request.
"""

from __future__ import annotations

import contextlib
import linecache
import os
import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import TypeAlias

import numpy as np

__all__ = ["Place", "SourceLine", "here", "line_of"]

#: A code object, and the offset of the instruction that was running.
Place: TypeAlias = tuple[CodeType, int]

_PACKAGE = Path(__file__).parents[1]
_NUMPY = f"{Path(np.__file__).parent}{os.sep}"
_frame = sys._getframe


class _Inside(dict[str, bool]):
    """Whether a file is inside one of these folders, cached by file."""

    def __init__(self, *parts: str) -> None:
        super().__init__()
        self.parts = parts

    def __missing__(self, file: str) -> bool:
        self[file] = inside = file.startswith(self.parts) or file == contextlib.__file__
        return inside


#: The code that records; and all code that is not the user's.
_records = _Inside(*(f"{_PACKAGE / room}{os.sep}" for room in ("graph", "nodes")), _NUMPY)
_ours = _Inside(f"{_PACKAGE}{os.sep}", _NUMPY)


def here(in_layer: bool, above: int) -> Place | None:
    """The place of the operation being recorded: in the user's code, or in a layer's formula.

    `above` is the number of frames to skip.
    """
    skipped = _records if in_layer else _ours
    frame: FrameType | None = _frame(above)
    while frame is not None and skipped[frame.f_code.co_filename]:
        frame = frame.f_back
    return None if frame is None else (frame.f_code, frame.f_lasti)


@dataclass(frozen=True)
class SourceLine:
    """A line of source, and the part of it that was running.

    An expression over several lines is given as one.
    """

    file: str
    line: int
    text: str
    #: From which to which character of `text` the operation stands; both 0 if that is not known.
    start: int = 0
    stop: int = 0

    @property
    def part(self) -> str:
        """The text of the operation itself, such as `x * y`."""
        return self.text[self.start : self.stop] or self.text

    @property
    def place(self) -> str:
        """The file and the line, such as `spiral.py:12`."""
        return f"{Path(self.file).name}:{self.line}"

    def __str__(self) -> str:
        return f"{self.place}  {self.text}".rstrip()


def line_of(place: Place) -> SourceLine:
    """The source line of a place; its text is empty if the source is not available."""
    code, instruction = place
    spans = islice(code.co_positions(), instruction // 2, None)
    first, last, start, stop = next(spans, (None, None, None, None))
    if first is None or last is None or last - first > 20:
        first = last = first or code.co_firstlineno
        start = stop = None
    rows = [linecache.getline(code.co_filename, n).rstrip("\n") for n in range(first, last + 1)]
    text = " ".join(row.strip() for row in rows)
    if start is None or stop is None or not text:
        return SourceLine(code.co_filename, first, text)
    # Columns count bytes, from the start of the line.
    begin = _column(rows[0], start)
    end = len(text) - len(rows[-1].strip()) + _column(rows[-1], stop)
    return SourceLine(code.co_filename, first, text, begin, end)


def _column(row: str, byte: int) -> int:
    """A byte offset in a line as a character offset in the line without its indentation."""
    before = len(row) - len(row.lstrip())
    return max(len(row.encode()[:byte].decode(errors="replace")) - before, 0)
