"""A diagram before and after it is laid out: sized things, and the arrows between them.

What a vertex or a label looks like is not known here; only how much room it takes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Arrow", "Diagram", "Group", "Run", "Vertex"]


@dataclass(eq=False, slots=True)
class Group:
    """A labelled box around vertices; groups may stand in groups."""

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
    """A thing of some size; x and y are its centre. A round one is cut to a circle (or a stadium)."""

    width: float
    height: float
    round: bool = False
    group: Group | None = None
    content: Any = None
    #: How far apart arrows enter and leave, at most; where it is 0, all do at one point.
    port: float = 18.0
    #: A name at the start (1) or at the end (-1) of its only arrow, which needs no column.
    beside: int = 0
    x: float = 0.0
    y: float = 0.0


@dataclass(slots=True, frozen=True)
class Run:
    """A horizontal part of an arrow; between one and the next the arrow curves."""

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
    #: How strongly the arrow wants to be straight, against others.
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
