"""A diagram before and after its layout: vertices and labels of known sizes, and arrows between them.

Their look is unknown here; `content` is passed through to the code that paints it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Arrow", "Diagram", "Group", "Run", "Vertex"]


@dataclass(eq=False, slots=True)
class Group:
    """A labelled box around vertices; groups may be nested."""

    title_width: float
    title_height: float
    outer: Group | None = None
    content: Any = None
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0


@dataclass(eq=False, slots=True)
class Vertex:
    """A vertex of some size, centred at (x, y). A round one has the outline of a circle or a stadium."""

    width: float
    height: float
    round: bool = False
    group: Group | None = None
    content: Any = None
    #: The largest distance between the points where arrows enter or leave; 0: all at one point.
    port: float = 18.0
    #: 1 or -1 for a name at the start or end of its only arrow; it needs no column of its own.
    beside: int = 0
    x: float = 0.0
    y: float = 0.0


@dataclass(slots=True, frozen=True)
class Run:
    """A horizontal piece of an arrow; between two of them the arrow curves."""

    left: float
    right: float
    y: float


@dataclass(eq=False, slots=True)
class Arrow:
    """An arrow from left to right; its label takes room `above` and `below` it."""

    source: Vertex
    target: Vertex
    width: float = 0.0
    above: float = 0.0
    below: float = 0.0
    #: The cost of a bend of this arrow, relative to others.
    weight: float = 1.0
    content: Any = None
    runs: list[Run] = field(default_factory=list)
    label_x: float = 0.0
    label_y: float = 0.0


@dataclass(eq=False, slots=True)
class Diagram:
    """Vertices, arrows and groups; `width` and `height` are known once it is laid out."""

    vertices: list[Vertex] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0
