"""The multiply node: the gradient times the other input."""

from __future__ import annotations

from chainrule.drawing.scene import Scene
from chainrule.figures.common import figure, passes, tag
from chainrule.figures.flow import draw_graph
from chainrule.graph.graph import Graph
from chainrule.graph.variable import Variable
from chainrule.lang.messages import _

__all__ = ["multiply_node"]


def multiply_node(lang: str) -> Scene:
    """Forward z = x · y; backward each input gets ∂L/∂z times the other input."""
    x, y = Variable(2.0, "x"), Variable(5.0, "y")
    z = x * y
    z.name = "z"
    gradients = (z * z / 40).graph.gradients()
    dz = figure(gradients[z])

    def draw(back: bool) -> Scene:
        tags = {z: tag(z, gradients[z], r"\frac{∂L}{∂z}")}
        for v, other in ((x, y), (y, x)):
            source = rf"\frac{{∂L}}{{∂{v.name}}} = \frac{{∂L}}{{∂z}} · {other.name}"
            tags[v] = tag(v, gradients[v], source, f"{dz} · {figure(other.data)}")
        return draw_graph(lang, Graph([z]), tags, gradients if back else None)

    return passes(lang, draw, _("the multiply node").said(lang))
