"""Boxes: marks around a baseline, from which formulas and pictures are composed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chainrule.drawing.panels import Panel, number
from chainrule.drawing.scene import Line, Mark, Rectangle, Text, shifted
from chainrule.drawing.text import text_width

__all__ = [
    "AXIS",
    "Box",
    "boxed",
    "column",
    "framed",
    "matrix",
    "numbers",
    "row",
    "value",
    "words",
]

#: The height of a formula's middle above its baseline, in units of the font size.
AXIS = 0.3


@dataclass(slots=True, frozen=True)
class Box:
    """Marks around a baseline that begins at (0, 0); `above` and `below` are heights from it."""

    width: float
    above: float
    below: float
    marks: tuple[Mark, ...] = ()

    @property
    def height(self) -> float:
        """The total height."""
        return self.above + self.below

    def at(self, x: float, y: float) -> list[Mark]:
        """Its marks, with the baseline beginning at (x, y)."""
        return [shifted(mark, x, y) for mark in self.marks]

    def panel(self) -> Panel:
        """The box as a panel, whose upper left corner is (0, 0)."""
        return Panel(self.width, self.height, tuple(self.at(0.0, self.above)))

    def text(self) -> str:
        """The texts in it, one after the other."""
        return " ".join(mark.text for mark in self.marks if isinstance(mark, Text))


def words(
    text: str, size: float = 13.0, fill: str = "ink", *, bold: bool = False, flush: bool = False
) -> Box:
    """A line of words; with `flush`, they start at the left end of their box in any font."""
    width = text_width(text, size) * (1.06 if bold else 1.0)
    x, anchor = (0.0, "start") if flush else (width / 2, "middle")
    mark = Text(x, 0.0, text, size, fill, anchor=anchor, bold=bold, role="words")
    return Box(width, 0.86 * size, 0.24 * size, (mark,))


def boxed(panel: Panel) -> Box:
    """A panel as a box, with its middle at the height of an equals sign."""
    above = panel.height / 2 + 5.0
    marks = panel.at(panel.width / 2, -above)
    return Box(panel.width, above, panel.height - above, tuple(marks))


def row(*boxes: Box, space: float = 0.0) -> Box:
    """Boxes side by side on one baseline."""
    marks: list[Mark] = []
    x = 0.0
    for box in boxes:
        marks += box.at(x, 0.0)
        x += box.width + space
    above = max((box.above for box in boxes), default=0.0)
    below = max((box.below for box in boxes), default=0.0)
    return Box(max(x - space, 0.0), above, below, tuple(marks))


def column(*boxes: Box, space: float = 6.0, align: str = "middle") -> Box:
    """Boxes below each other, with the baseline of the first."""
    width = max((box.width for box in boxes), default=0.0)
    part = {"start": 0.0, "middle": 0.5, "end": 1.0}[align]
    marks: list[Mark] = []
    y = boxes[0].above
    for i, box in enumerate(boxes):
        y += box.above if i else 0.0
        marks += box.at((width - box.width) * part, y - boxes[0].above)
        y += box.below + space
    return Box(width, boxes[0].above, y - space - boxes[0].above, tuple(marks))


def framed(box: Box, fill: str = "none", stroke: str = "box line", pad: float = 8.0) -> Box:
    """A box with a frame around it."""
    frame = Rectangle(
        0.0, -box.above - pad, box.width + 2 * pad, box.height + 2 * pad, 6.0, fill, stroke, 1.0
    )  # fmt: skip
    return Box(box.width + 2 * pad, box.above + pad, box.below + pad, (frame, *box.at(pad, 0.0)))


def matrix(
    rows: Sequence[Sequence[Box]],
    size: float = 16.0,
    fill: str = "ink",
    *,
    gap: float = 12.0,
    marked: Iterable[tuple[int, int]] = (),
) -> Box:
    """Boxes in rows between brackets, with the middle at the height of an equals sign.

    The cells (i, j) in `marked` have a coloured background.
    """
    widths = [max(line[j].width for line in rows) for j in range(len(rows[0]))]
    lines = [(max(box.above for box in line), max(box.below for box in line)) for line in rows]
    space = 0.42 * size
    height = sum(a + b for a, b in lines) + space * (len(lines) - 1) + 4.0
    top = -height / 2 - AXIS * size
    marked = set(marked)
    marks: list[Mark] = []
    behind: list[Mark] = []
    y = top + 2.0
    for i, (line, (above, below)) in enumerate(zip(rows, lines, strict=True)):
        x = 9.0
        for j, (box, width) in enumerate(zip(line, widths, strict=True)):
            marks += box.at(x + (width - box.width) / 2, y + above)
            if (i, j) in marked:
                ground = (x - gap / 2, y - space / 2, width + gap, above + below + space)
                behind.append(Rectangle(*ground, fill="highlight", strength=0.35))
            x += width + gap
        y += above + below + space
    width = x - gap + 9.0
    for side, inner in ((1.0, 5.0), (width - 1.0, width - 5.0)):
        steps = (("M", inner, top), ("L", side, top), ("L", side, top + height))
        marks.append(Line((*steps, ("L", inner, top + height)), stroke=fill, stroke_width=1.2))
    return Box(width, -top, height + top, (*behind, *marks))


def numbers(
    array: npt.ArrayLike,
    digits: int = 3,
    size: float = 13.0,
    fill: str = "ink",
    marked: Iterable[tuple[int, int]] = (),
) -> Box:
    """A matrix of numbers; one row for a vector."""
    values = np.atleast_2d(np.asarray(array))
    lines = [[value(v, digits, size, fill) for v in line] for line in values]
    return matrix(lines, size, fill, gap=11.0, marked=marked)


def value(v: float, digits: int = 3, size: float = 13.0, fill: str = "ink") -> Box:
    """One number with at most `digits` significant digits."""
    text = number(v, digits)
    width = text_width(text, size)
    mark = Text(width / 2, 0.0, text, size, fill, role="number")
    return Box(width, 0.76 * size, 0.06 * size, (mark,))
