"""The parts of a level of a diagram: items, and links between them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from chainrule.drawing.diagram import Run

__all__ = ["ARROW", "Item", "Link"]

#: Half the thickness of an arrow, with the free space that it keeps on each side.
ARROW = 8.0


@dataclass(eq=False, slots=True)
class Item:
    """An entry of a column: a vertex, a group already laid out, or an end of an arrow at the edge."""

    width: float
    height: float
    round: bool = False
    #: 1 for a name at the start of its only link, -1 at the end; it is in the labels' column.
    beside: int = 0
    port: float = 18.0
    #: "left" or "right" for the point at a group's edge where an arrow enters or leaves it.
    edge: str = ""
    content: Any = None
    column: int = 0
    x: float = 0.0
    y: float = 0.0

    def reach(self, offset: float) -> float:
        """The horizontal distance from the centre to the outline, at a vertical offset."""
        half = self.width / 2
        if not self.round:
            return half
        r = self.height / 2
        return half - r + math.sqrt(max(r * r - offset * offset, 0.0))


@dataclass(eq=False, slots=True)
class Link:
    """A link between two items, with room for its label."""

    tail: int
    head: int
    width: float = 0.0
    above: float = 0.0
    below: float = 0.0
    weight: float = 1.0
    #: The fixed heights, from the centre, at which it leaves and enters; None where there is none.
    out_port: float | None = None
    in_port: float | None = None
    content: Any = None
    runs: list[Run] = field(default_factory=list)
    label_x: float = 0.0
    label_y: float = 0.0
    #: The columns of labels it passes, and which of them has its own label.
    first: int = 0
    last: int = 0
    labelled: int = 0
    #: The straight pieces: (first column, last column, height), by even and odd columns.
    pieces: list[tuple[int, int, float]] = field(default_factory=list)
