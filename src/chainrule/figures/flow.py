"""Graphs in the book's style, with formulas on the arrows: recorded graphs, or sketches."""

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
from chainrule.figures.boxes import Box
from chainrule.figures.formula import formula, plain
from chainrule.graph.graph import Graph
from chainrule.graph.scopes import Scope
from chainrule.graph.variable import Array, Variable

__all__ = ["Sketch", "Tag", "draw_graph"]

#: The minimum length of an arrow.
SHORTEST = 52.0


@dataclass(slots=True, frozen=True)
class Tag:
    """The label of an arrow: boxes above it for the value, and below it for the gradient."""

    above: Sequence[Box] = ()
    below: Sequence[Box] = ()


def draw_graph(
    lang: str,
    graph: Graph,
    tags: Mapping[Variable, Tag],
    gradients: Mapping[Variable, Array] | None = None,
    *,
    fold: Fold = False,
    titles: Mapping[Any, Vertex] | None = None,
) -> Scene:
    """The picture of a recorded graph, with tags in place of the plain labels of arrows.

    With `gradients`, blue arrows are drawn too, wherever a tag has something below. `titles` has
    the vertices that stand for folded layers and for inputs.
    """
    shown = {v: gradients[v] for v in tags if v in gradients} if gradients else {}
    options = Options(gradients=shown, lang=lang)
    units = Units(graph, fold)
    diagram = diagram_of(units, options)
    for unit, vertex in zip(units.things, diagram.vertices, strict=True):
        thing = unit.layer if isinstance(unit, Scope) else getattr(unit, "variable", None)
        if titles and thing in titles and not isinstance(unit, End):
            put_in_place(vertex, titles[thing])
    for flow, arrow in zip(units.flows, diagram.arrows, strict=True):
        # The tooltip, which has the full value, is kept.
        label(arrow, tags.get(flow.variable, Tag()), bool(shown), title=arrow.content.title)
    return scene_of(diagram, options)


def put_in_place(old: Vertex, new: Vertex) -> None:
    """Make a vertex look like another."""
    old.content, old.round, old.beside = new.content, new.round, new.beside
    old.width, old.height = new.width, new.height


def label(arrow: Arrow, tag: Tag, back: bool, *, roomy: bool = True, title: str = "") -> None:
    """Set the label of an arrow, and the space for it.

    With `roomy`, the space includes labels that are not shown, so that a forward and a backward
    picture have the same layout.
    """
    above = stacked([box.panel() for box in tag.above], space=3.0)
    below = stacked([box.panel() for box in tag.below], space=4.0)
    shown = below if back else Panel(0.0, 0.0)
    arrow.content = Label(above, shown, title, back and bool(tag.below), False)
    if not roomy:
        below = shown
    shift = APART if below.marks else 0.0
    arrow.width = max(SHORTEST, math.ceil(max(above.width, below.width)) + 16.0)
    arrow.above = math.ceil(above.height + AIR + shift)
    arrow.below = math.ceil(below.height + AIR + shift + 2)


class Sketch:
    """A diagram drawn by hand, where there is no recorded graph; values still come from arrays."""

    def __init__(self, *, back: bool, roomy: bool = True) -> None:
        self.back, self.roomy, self.diagram = back, roomy, Diagram()
        self._unseen: list[tuple[Vertex, Arrow]] = []

    def _add(self, vertex: Vertex) -> Vertex:
        self.diagram.vertices.append(vertex)
        return vertex

    def node(self, symbol: str) -> Vertex:
        """Add an operation."""
        return self._add(symbol_vertex(symbol, symbol))

    def box(self, title: str) -> Vertex:
        """Add a layer."""
        return self._add(box_vertex(title, [], ""))

    def dot(self) -> Vertex:
        """Add a branch node."""
        return self._add(dot_vertex("Branch", back=self.back))

    def name(self, source: str, beside: int, size: float = 17.0) -> Vertex:
        """Add a name at the start (1) or at the end (-1) of its arrow."""
        panel = formula(source, size, role="name").panel()
        look = Look("name", plain(source), panel, "none")
        width = math.ceil(panel.width) + 6.0
        return self._add(Vertex(width, math.ceil(panel.height), beside=beside, content=look))

    def arrow(self, source: Vertex, target: Vertex, tag: Tag, *, weight: float = 2.0) -> Arrow:
        """Add an arrow between two vertices."""
        arrow = Arrow(source, target, weight=weight)
        label(arrow, tag, self.back, roomy=self.roomy)
        self.diagram.arrows.append(arrow)
        return arrow

    def circle(self, source: str) -> Vertex:
        """Add a quantity in a circle."""
        panel = formula(source, 17.0, role="name").panel()
        look = Look("node", plain(source), panel, "circle")
        return self._add(Vertex(40.0, 40.0, round=True, content=look))

    def balance(self, vertex: Vertex) -> None:
        """Place the arrows out of a vertex evenly above and below its middle.

        For an even number of arrows, an invisible one is added in the middle, to be straight.
        """
        other = Vertex(2.0, 2.0, content=Look("", "", Panel(0.0, 0.0), "none"))
        nothing = Label(Panel(0.0, 0.0), Panel(0.0, 0.0), "", False, False)
        between = Arrow(vertex, other, weight=9.0, content=nothing)
        arrows, vertices = self.diagram.arrows, self.diagram.vertices
        mine = [arrow for arrow in arrows if arrow.source is vertex]
        after = mine[len(mine) // 2]
        vertices.insert(vertices.index(after.target), other)
        arrows.insert(arrows.index(after), between)
        self._unseen.append((other, between))

    def scene(self) -> Scene:
        """The sketch, laid out."""
        lay_out(self.diagram)
        for vertex, arrow in self._unseen:
            self.diagram.vertices.remove(vertex)
            self.diagram.arrows.remove(arrow)
        return painted(self.diagram, Options())
