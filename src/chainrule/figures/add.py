"""The add node: z = x + y alone, within a larger computation, and its backward pass."""

from __future__ import annotations

from chainrule.drawing.scene import Scene
from chainrule.figures.boxes import row, value
from chainrule.figures.common import Unnamed, black, blue, figure, passes, tag, unnamed_box
from chainrule.figures.flow import Tag, draw_graph
from chainrule.graph.graph import Graph
from chainrule.graph.variable import Array, Variable
from chainrule.lang.messages import _

__all__ = ["add_graph", "add_node", "around_add", "around_add_backward", "example"]


class example:  # noqa: N801
    """z = x + y with computations before it (x = 2u, y = v + 2) and after it (L = z² / 4)."""

    def __init__(self) -> None:
        self.before = Unnamed(lambda u: 2 * u), Unnamed(lambda u: u + 2)
        self.after = Unnamed(lambda z: z**2 / 4)
        u, v = Variable(1.0, "u"), Variable(1.0, "v")
        self.x, self.y = self.before[0].forward(u), self.before[1].forward(v)
        self.z = self.x + self.y
        self.L = self.after.forward(self.z)
        for variable, name in ((self.x, "x"), (self.y, "y"), (self.z, "z"), (self.L, "L")):
            variable.name = name
        self.graph = Graph([self.L], inputs=[self.x, self.y])
        self.gradients = self.graph.gradients()

    def grad(self, v: Variable) -> Array:
        """∂L/∂v."""
        return self.gradients[v]


def add_graph(lang: str) -> Scene:
    """z = x + y: a node, and arrows that carry the values."""
    x, y = Variable(2.0, "x"), Variable(3.0, "y")
    z = x + y
    z.name = "z"
    graph = z.graph
    return draw_graph(lang, graph, {v: tag(v) for v in (x, y, z)})


def _around(lang: str, *, back: bool) -> Scene:
    e = example()
    tags = {}
    for v in (e.x, e.y, e.z, e.L):
        name = v.name or ""
        above = row(black(f"{name} = ", 15.0), value(v.data.item(), 4, 14.0))
        tags[v] = Tag([above], [blue(rf"\frac{{∂L}}{{∂{name}}} = {figure(e.grad(v))}")])
    tags[e.L] = Tag([value(e.L.data.item(), 4, 14.0)], tags[e.L].below)
    titles = {thing: unnamed_box(lang) for thing in (e.after, e.x, e.y)}
    return draw_graph(lang, e.graph, tags, e.gradients if back else None, fold=True, titles=titles)


def around_add(lang: str) -> Scene:
    """The same node with computations before and after it, up to L."""
    return _around(lang, back=False)


def around_add_backward(lang: str) -> Scene:
    """The same with the gradients of L that flow back."""
    return _around(lang, back=True)


def add_node(lang: str) -> Scene:
    """Forward z = x + y; backward, x and y both get ∂L/∂z · 1."""
    e = example()
    graph = Graph([e.z], inputs=[e.x, e.y])

    def draw(back: bool) -> Scene:
        times = f"{figure(e.grad(e.z))} · 1"
        tags = {
            v: tag(v, e.grad(v), rf"\frac{{∂L}}{{∂{v.name}}} = \frac{{∂L}}{{∂z}} · 1", times)
            for v in (e.x, e.y)
        }
        tags[e.z] = tag(e.z, e.grad(e.z), r"\frac{∂L}{∂z}")
        return draw_graph(lang, graph, tags, e.gradients if back else None)

    return passes(lang, draw, _("the add node").said(lang))
