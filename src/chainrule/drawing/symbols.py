"""The looks of vertices: a circle with a symbol, a dot for a branch, a box for a layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from chainrule.drawing.diagram import Vertex
from chainrule.drawing.panels import Panel, beside, number, text_panel
from chainrule.drawing.scene import Circle, Layer, Line, Mark, Rectangle, Text
from chainrule.drawing.text import text_width

__all__ = [
    "APART",
    "Look",
    "arrowhead",
    "box_vertex",
    "constant_vertex",
    "dot_vertex",
    "name_vertex",
    "symbol_vertex",
]

RADIUS = 20.0
#: The distance of the forward and the backward arrow from the middle between them.
APART = 3.5


class Look:
    """How a vertex is painted, and the title that is shown at the pointer."""

    def __init__(self, kind: str, title: str, panel: Panel, outline: str) -> None:
        self.kind, self.title, self.panel, self.outline = kind, title, panel, outline
        #: What it shows of the graph, as `Layer.shows` says it.
        self.shows: tuple[str, str] | None = None

    @property
    def is_dot(self) -> bool:
        """Whether arrows end at it without an arrowhead."""
        return "dot" in self.outline

    def paint(self, v: Vertex) -> Layer:
        """The marks of a vertex that is laid out."""
        marks: list[Mark] = []
        if self.outline == "dot":
            marks.append(Circle(v.x, v.y, v.width / 2, fill="ink"))
        elif self.outline == "two dots":
            # The black lines part at one, the gradients meet at the other.
            marks.append(Circle(v.x, v.y - APART, v.width / 2 - 0.5, fill="ink"))
            marks.append(Circle(v.x, v.y + APART, v.width / 2, fill="gradient"))
        elif self.outline == "circle":
            marks.append(
                Circle(v.x, v.y, v.height / 2, fill="node", stroke="ink", stroke_width=1.3)
            )
        elif self.outline in ("stadium", "box"):
            r = v.height / 2 if self.outline == "stadium" else 6.0
            corner = (v.x - v.width / 2, v.y - v.height / 2)
            marks.append(
                Rectangle(
                    *corner, v.width, v.height, r, fill="node", stroke="ink", stroke_width=1.3
                )
            )
        marks += self.panel.at(v.x, v.y - self.panel.height / 2)
        return Layer(self.kind, self.title, marks, shows=self.shows)


def _size(symbol: str) -> float:
    return {1: 19.0, 2: 15.0, 3: 13.5, 4: 12.0}.get(len(symbol), 11.0)


def symbol_vertex(symbol: str, title: str) -> Vertex:
    """A node: a circle with its symbol, stretched where the symbol is a long word."""
    size = _size(symbol)
    width = text_width(symbol, size)
    panel = Panel(width, size, (Text(width / 2, 0.86 * size, symbol, size, role="symbol"),))
    if width <= 44.0:
        diameter = 2 * max(RADIUS, math.ceil(width / 2) + 3)
        look = Look("node", title, panel, "circle")
        return Vertex(diameter, diameter, round=True, content=look)
    look = Look("node", title, panel, "stadium")
    return Vertex(math.ceil(width) + 22.0, 2 * 17.0, round=True, content=look)


def dot_vertex(title: str, *, back: bool) -> Vertex:
    """A branch: a dot where the arrow parts, and one where the gradients meet."""
    look = Look("node", title, Panel(0, 0), "two dots" if back else "dot")
    return Vertex(8.0, 16.0 if back else 8.0, port=0.0, content=look)


def name_vertex(name: str, title: str, beside: int) -> Vertex:
    """The name of a variable, at the start or the end of its arrow."""
    size = 16.0
    panel = Panel(0.0, 0.0)
    if name:
        width = text_width(name, size)
        mark = Text(width / 2, 0.8 * size, name, size, name=True, role="name")
        panel = Panel(width, size, (mark,))
    width = math.ceil(panel.width) + 10.0 if name else 2.0
    return Vertex(width, 18.0, beside=beside, content=Look("name", title, panel, "none"))


def constant_vertex(value: complex) -> Vertex:
    """A constant: a small grey number."""
    panel = text_panel(number(value), 11.5, "muted", "constant")
    width = math.ceil(panel.width) + 6.0
    return Vertex(width, 16.0, beside=1, content=Look("constant", "", panel, "none"))


def box_vertex(title: str, lines: list[str], tip: str, signs: Sequence[Panel] = ()) -> Vertex:
    """A folded layer: its name, what parameters it has, and signs of what is inside."""
    wide = text_width(title, 13) * 1.08
    head = Panel(wide, 14.0, (Text(wide / 2, 12.0, title, 13, bold=True, role="layer"),))
    for sign in signs:
        head = beside(head, sign, space=6.0)
    width = max([head.width, *(text_width(line, 10.5) for line in lines)])
    height = 16.0 + 14.0 * len(lines)
    marks: list[Mark] = head.at(width / 2, 0.0)
    for i, line in enumerate(lines):
        marks.append(Text(width / 2, 27.0 + 14 * i, line, 10.5, "muted", role="parameter"))
    look = Look("folded", tip, Panel(width, height, tuple(marks)), "box")
    return Vertex(math.ceil(width) + 20.0, math.ceil(height) + 18.0, content=look)


def arrowhead(x: float, y: float, length: float, half: float, colour: str) -> Line:
    """A filled triangle with its tip at (x, y); a negative length points to the left."""
    tail = x - length
    return Line((("M", x, y), ("L", tail, y - half), ("L", tail, y + half), ("Z",)), fill=colour)
