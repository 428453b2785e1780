"""Graphs in the book's look, with formulas on the arrows: from a recording, or from a sketch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.drawing.diagram import Arrow, Diagram, Vertex
from chainrule.drawing.layout import lay_out
from chainrule.drawing.panels import Panel, stacked
from chainrule.drawing.picture import AIR, Label, Options, diagram_of, painted, scene_of
from chainrule.drawing.scene import Scene
from chainrule.drawing.symbols import APART, Look, box_vertex, dot_vertex, symbol_vertex
from chainrule.drawing.units import End, Fold, Units
from chainrule.figures.formula import Box, formula, plain
from chainrule.graph.graph import Graph
from chainrule.graph.variable import Scope, Variable

#: No arrow is shorter, whatever it says.
SHORTEST = 52.0

__all__ = ["Sketch", "Tag", "drawn"]


@dataclass(slots=True, frozen=True)
class Tag:
    """What an arrow says: boxes above it, for the value, and below it, for the gradient."""

    above: Sequence[Box] = ()
    below: Sequence[Box] = ()
    title: str = ""


def drawn(
    graph: Graph,
    tags: Mapping[Variable, Tag],
    *,
    back: bool,
    fold: Fold = False,
    names: Mapping[Variable, str] | None = None,
    titles: Mapping[Any, Vertex] | None = None,
) -> Scene:
    """The picture of a recorded graph: its arrows, with the tags in place of the plain labels.

    `back` draws the blue arrows too, wherever a tag has something below; `titles` are what stands
    for folded layers, and for inputs.
    """
    # A Branch with gradients on its arrows looks different.
    gradients = {v: v.data for v, tag in tags.items() if back and tag.below}
    options = Options(names=dict(names or {}), gradients=gradients)
    units = Units(graph, fold, {})
    diagram = diagram_of(units, options)
    for unit, vertex in zip(units.things, diagram.vertices, strict=True):
        thing = unit.layer if isinstance(unit, Scope) else getattr(unit, "variable", None)
        if titles and thing in titles and not isinstance(unit, End):
            put_in_place(vertex, titles[thing])
    for flow, arrow in zip(units.flows, diagram.arrows, strict=True):
        label(arrow, tags.get(flow.variable, Tag()), back=back)
    return scene_of(diagram, options)


def put_in_place(old: Vertex, new: Vertex) -> None:
    """Make a vertex look like another."""
    old.content, old.round, old.beside = new.content, new.round, new.beside
    old.width, old.height = new.width, new.height


def label(arrow: Arrow, tag: Tag, *, back: bool, roomy: bool = True) -> None:
    """Give an arrow its label, and the room for it; if `roomy`, also for what is not shown.

    So a forward and a backward picture, side by side, look alike.
    """
    above = stacked([box.panel() for box in tag.above], space=3.0)
    below = stacked([box.panel() for box in tag.below], space=4.0)
    shown = below if back else Panel(0.0, 0.0)
    arrow.content = Label(above, shown, tag.title, back and bool(tag.below), False)
    if not roomy:
        below = shown
    shift = APART if below.marks else 0.0
    arrow.width = max(SHORTEST, math.ceil(max(above.width, below.width)) + 16.0)
    arrow.above = math.ceil(above.height + AIR + shift)
    arrow.below = math.ceil(below.height + AIR + shift + 2)


class Sketch:
    """A diagram made by hand, for what is no recorded graph; values still come from arrays."""

    def __init__(self, *, back: bool, roomy: bool = True) -> None:
        self.back, self.roomy, self.diagram = back, roomy, Diagram()
        self._unseen: list[tuple[Vertex, Arrow]] = []

    def _add(self, vertex: Vertex) -> Vertex:
        self.diagram.vertices.append(vertex)
        return vertex

    def node(self, symbol: str, title: str = "") -> Vertex:
        """An operation."""
        return self._add(symbol_vertex(symbol, title))

    def box(self, title: str, lines: Sequence[str] = ()) -> Vertex:
        """A layer."""
        return self._add(box_vertex(title, list(lines), ""))

    def dot(self) -> Vertex:
        """A branching."""
        return self._add(dot_vertex("Branch", back=self.back))

    def name(self, source: str, beside: int, size: float = 17.0) -> Vertex:
        """A name at the start (1) or the end (-1) of its arrow, or on its own (0)."""
        panel = formula(source, size, role="name").panel()
        look = Look("name", plain(source), panel, "none")
        width = math.ceil(panel.width) + 6.0
        return self._add(Vertex(width, math.ceil(panel.height), beside=beside, content=look))

    def arrow(self, source: Vertex, target: Vertex, tag: Tag, *, weight: float = 2.0) -> Arrow:
        """An arrow between two of them."""
        arrow = Arrow(source, target, weight=weight)
        label(arrow, tag, back=self.back, roomy=self.roomy)
        self.diagram.arrows.append(arrow)
        return arrow

    def circle(self, source: str, title: str = "") -> Vertex:
        """A quantity in a circle."""
        panel = formula(source, 17.0, role="name").panel()
        look = Look("node", title or plain(source), panel, "circle")
        return self._add(Vertex(40.0, 40.0, round=True, content=look))

    def balance(self, vertex: Vertex, height: float, *, out: bool) -> None:
        """Let the arrows out of a vertex (or into it) lie evenly above and below its middle.

        An even number of arrows has no middle one to be straight: room is kept for one.
        """
        other = Vertex(2.0, height, content=Look("", "", Panel(0.0, 0.0), "none"))
        ends = (vertex, other) if out else (other, vertex)
        between = Arrow(
            *ends, weight=9.0, content=Label(Panel(0, 0), Panel(0, 0), "", False, False)
        )
        arrows, vertices = self.diagram.arrows, self.diagram.vertices
        mine = [i for i, a in enumerate(arrows) if (a.source if out else a.target) is vertex]
        next_arrow = arrows[mine[len(mine) // 2]]
        vertices.insert(vertices.index(next_arrow.target if out else next_arrow.source), other)
        arrows.insert(arrows.index(next_arrow), between)
        self._unseen.append((other, between))

    def scene(self) -> Scene:
        """The sketch, laid out."""
        lay_out(self.diagram)
        for vertex, arrow in self._unseen:
            self.diagram.vertices.remove(vertex)
            self.diagram.arrows.remove(arrow)
        return painted(self.diagram, Options())
