"""A scene: the marks of a picture, from which the files of every format are written.

Lengths are in pixels (96 to the inch), y runs down. A colour is a role ("ink", "gradient"),
which the theme of the picture turns into a colour.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias

__all__ = ["Circle", "Layer", "Line", "Mark", "Rectangle", "Scene", "Text", "shifted"]


@dataclass(slots=True, frozen=True)
class Circle:
    """A filled circle with an outline."""

    x: float
    y: float
    r: float
    fill: str = "none"
    stroke: str = "none"
    stroke_width: float = 1.0


@dataclass(slots=True, frozen=True)
class Rectangle:
    """A box, with round corners if r > 0; `strength` is how opaque its filling is."""

    x: float
    y: float
    width: float
    height: float
    r: float = 0.0
    fill: str = "none"
    stroke: str = "none"
    stroke_width: float = 1.0
    strength: float = 1.0
    dashed: bool = False


@dataclass(slots=True, frozen=True)
class Line:
    """A path: ("M", x, y), ("L", x, y), ("C", x, y, x, y, x, y) and ("Z",), one after the other."""

    steps: tuple[tuple[str | float, ...], ...]
    stroke: str = "none"
    stroke_width: float = 1.0
    fill: str = "none"
    strength: float = 1.0


@dataclass(slots=True, frozen=True)
class Text:
    """One line of text; `y` is its base line, and `anchor` says which part of it is at x."""

    x: float
    y: float
    text: str
    size: float
    fill: str = "ink"
    anchor: str = "middle"
    bold: bool = False
    #: A name in a formula: italic, with serifs.
    name: bool = False
    #: What the text is, for readers of the file: "value", "gradient", "shape" ...
    role: str = ""


Mark: TypeAlias = Circle | Rectangle | Line | Text


def shifted(mark: Mark, dx: float, dy: float) -> Mark:
    """The same mark, moved."""
    if not isinstance(mark, Line):
        return replace(mark, x=mark.x + dx, y=mark.y + dy)
    steps = []
    for name, *numbers in mark.steps:
        moved = [float(v) + (dx, dy)[i % 2] for i, v in enumerate(numbers)]
        steps.append((name, *moved))
    return replace(mark, steps=tuple(steps))


@dataclass(slots=True)
class Layer:
    """The marks of one node or one arrow. The title describes them in words."""

    kind: str
    title: str = ""
    marks: list[Mark] = field(default_factory=list)
    faint: bool = False
    #: What it shows of the graph: "arrow", "node" or "layer", and its name or number.
    shows: tuple[str, str] | None = None
    #: The index of the first mark of the gradient and its arrow, if there are any.
    back: int | None = None


@dataclass(slots=True)
class Scene:
    """A whole picture, its layers from the back to the front."""

    width: float
    height: float
    title: str = ""
    layers: list[Layer] = field(default_factory=list)

    def texts(self) -> list[Text]:
        """Every text in it."""
        return [m for layer in self.layers for m in layer.marks if isinstance(m, Text)]
