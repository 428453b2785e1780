"""Arrays as small pictures: a number, a table of numbers, or a heat map, beside an arrow.

A heat map shows size by the strength of a colour, and the sign by hue and by a dash in negative
cells. Of a large array only the corners are shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from chainrule.drawing.scene import Line, Mark, Rectangle, Text, shifted
from chainrule.drawing.text import text_width
from chainrule.graph.wording import number as plain_number
from chainrule.nodes.base import Array

__all__ = [
    "Panel",
    "array_panel",
    "beside",
    "number",
    "stacked",
    "text_panel",
    "verdict_panel",
]

Steps: TypeAlias = tuple[tuple[str | float, ...], ...]

#: The most rows and columns of an array that is shown as numbers.
WRITTEN = (3, 4)
#: The most rows or columns that a heat map shows all of; else how many first and last ones.
ROWS, COLUMNS = (6, 4, 1), (10, 6, 2)
CELL = 9.0
GAP = 5.0
#: Integers from here on are rounded: Dropout's 64 random bits would fill the picture.
LONG = 10**10


@dataclass(slots=True, frozen=True)
class Panel:
    """A small picture of some size; its corner is (0, 0)."""

    width: float
    height: float
    marks: tuple[Mark, ...] = ()

    def at(self, x: float, y: float) -> list[Mark]:
        """Its marks, with the middle of its upper side at (x, y)."""
        return [shifted(mark, x - self.width / 2, y) for mark in self.marks]


def number(value: Any, digits: int = 4) -> str:
    """A number as in a text, with a minus sign as books print it.

    >>> number(0.69314718), number(-1200000.0), number(3), number(1 - 2j)
    ('0.6931', '−1.2e6', '3', '1−2i')
    """
    if isinstance(value, np.integer) and abs(int(value)) >= LONG:
        value = float(value)
    return plain_number(value, digits).strip("()").replace("-", "−")


def text_panel(
    text: str, size: float, fill: str = "ink", role: str = "", *, name: bool = False
) -> Panel:
    """A line of text."""
    width = text_width(text, size)
    mark = Text(width / 2, 0.8 * size, text, size, fill, name=name, role=role)
    return Panel(width, math.ceil(size), (mark,))


def array_panel(array: Array, role: str, fill: str) -> Panel:
    """An array: a number, a table or a heat map, by its size."""
    if array.size == 0:
        return text_panel("∅", 11, fill, role)
    if array.size == 1:
        return text_panel(number(array.reshape(-1)[0]), 12, fill, role)
    matrix = array.reshape(1, -1) if array.ndim == 1 else array[(0,) * (array.ndim - 2)]
    if array.ndim <= 2 and matrix.shape[0] <= WRITTEN[0] and matrix.shape[1] <= WRITTEN[1]:
        return _table(matrix, role, fill)
    return _heat_map(matrix)


def _table(matrix: Array, role: str, fill: str) -> Panel:
    """The numbers in rows, between brackets."""
    size, line, space = 10.5, 13.0, 7.0
    texts = [[number(v, 3) for v in row] for row in matrix]
    widths = [max(text_width(row[j], size) for row in texts) for j in range(matrix.shape[1])]
    marks: list[Mark] = []
    for i, row in enumerate(texts):
        x = 6.0
        for text, width in zip(row, widths, strict=True):
            marks.append(
                Text(x + width, i * line + 10.0, text, size, fill, anchor="end", role=role)
            )
            x += width + space
    width, height = x - space + 6.0, line * len(texts) + 1.0
    for side, inner in ((1.0, 4.0), (width - 1.0, width - 4.0)):
        corners = (("M", inner, 0.5), ("L", side, 0.5))
        feet = (("L", side, height - 0.5), ("L", inner, height - 0.5))
        marks.append(Line((*corners, *feet), stroke=fill, stroke_width=1.0))
    return Panel(width, height, tuple(marks))


def _chosen(n: int, most: int, first: int, last: int) -> list[tuple[int, float]]:
    """Which of n rows or columns are shown, and where."""
    if n <= most:
        return [(i, i * CELL) for i in range(n)]
    shown = [*range(first), *range(n - last, n)]
    return [(i, j * CELL + (GAP if j >= first else 0.0)) for j, i in enumerate(shown)]


def _heat_map(matrix: Array) -> Panel:
    rows, columns = _chosen(matrix.shape[0], *ROWS), _chosen(matrix.shape[1], *COLUMNS)
    values = np.asarray(matrix.real if matrix.dtype.kind == "c" else matrix)
    shown = values[np.ix_([i for i, _ in rows], [j for j, _ in columns])].astype(float)
    finite = np.abs(shown[np.isfinite(shown)])
    largest = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
    cells: list[Mark] = []
    grid: list[Steps] = []
    over: dict[str, list[Steps]] = {"ink": [], "paper": [], "bad": []}
    for (_, y), line in zip(rows, shown, strict=True):
        for (_, x), value in zip(columns, line.tolist(), strict=True):
            far, low = x + CELL, y + CELL
            grid.append((("M", x, y), ("L", far, y), ("L", far, low), ("L", x, low), ("Z",)))
            cells += _cell(x, y, value, largest, over)
    marks: list[Mark] = [Line(_joined(grid), fill="paper"), *cells]
    marks.append(Line(_joined(grid), stroke="cell line", stroke_width=0.6))
    for colour, strokes in over.items():
        if strokes:
            marks.append(Line(_joined(strokes), stroke=colour, stroke_width=1.1))
    return Panel(columns[-1][1] + CELL, rows[-1][1] + CELL, tuple(marks))


def _joined(parts: Sequence[Steps]) -> Steps:
    return tuple(step for part in parts for step in part)


def _cell(
    x: float, y: float, value: float, largest: float, over: dict[str, list[Steps]]
) -> list[Mark]:
    """The marks of a cell; strokes drawn over it (a dash, a cross) are added to `over`, by colour."""
    if math.isnan(value):
        low, high = 2.0, CELL - 2.0
        over["bad"] += [
            (("M", x + low, y + low), ("L", x + high, y + high)),
            (("M", x + high, y + low), ("L", x + low, y + high)),
        ]
        return []
    if value == 0:
        return []
    strength = round(0.1 + 0.9 * min(abs(value) / largest, 1.0), 2)
    dark = "paper" if strength > 0.55 else "ink"
    if value < 0:
        middle = y + CELL / 2
        over[dark].append((("M", x + 2.5, middle), ("L", x + CELL - 2.5, middle)))
    fill = "positive" if value > 0 else "negative"
    marks: list[Mark] = [Rectangle(x, y, CELL, CELL, fill=fill, strength=strength)]
    if math.isinf(value):
        marks.append(Text(x + CELL / 2, y + CELL - (5 if value < 0 else 2), "∞", 7, dark))
    return marks


def stacked(panels: Sequence[Panel], space: float = 2.0) -> Panel:
    """Panels below each other, centred."""
    width = max((p.width for p in panels), default=0.0)
    marks: list[Mark] = []
    y = 0.0
    for panel in panels:
        marks += panel.at(width / 2, y)
        y += panel.height + space
    return Panel(width, max(y - space, 0.0), tuple(marks))


def beside(first: Panel, second: Panel, space: float = 5.0) -> Panel:
    """Two panels side by side, each in the middle of the height."""
    height = max(first.height, second.height)
    marks = first.at(first.width / 2, (height - first.height) / 2)
    x = first.width + space + second.width / 2
    marks += second.at(x, (height - second.height) / 2)
    return Panel(first.width + space + second.width, height, tuple(marks))


def verdict_panel(verdict: str) -> Panel:
    """A check mark (ok), a cross (wrong), a bent line (ok, but at a kink), or an exclamation mark."""
    shapes = {
        "ok": ((("M", 1, 6), ("L", 4.5, 10), ("L", 11, 1.5)), "good"),
        "wrong": ((("M", 1.5, 1.5), ("L", 10.5, 10.5), ("M", 10.5, 1.5), ("L", 1.5, 10.5)), "bad"),
        "kink": ((("M", 0.5, 9.5), ("L", 6, 3), ("L", 11.5, 9.5)), "kink"),
        "not finite": ((("M", 6, 0.5), ("L", 6, 7.5), ("M", 6, 9.2), ("L", 6, 11.6)), "bad"),
    }
    steps, colour = shapes[verdict]
    return Panel(12.0, 12.0, (Line(steps, stroke=colour, stroke_width=2.4),))
