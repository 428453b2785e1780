"""The branch node: one value is used twice, and the gradients of both uses are added."""

from __future__ import annotations

from chainrule.drawing.scene import Scene
from chainrule.figures.common import figure, passes, tag
from chainrule.figures.flow import Sketch
from chainrule.graph.variable import Variable, apply
from chainrule.lang.messages import _
from chainrule.nodes import Branch

__all__ = ["branch_node"]


def branch_node(lang: str) -> Scene:
    """Forward the value is copied; backward ∂L/∂x is the sum of both gradients."""
    x = Variable(3.0, "x")
    y, z = apply(Branch(2), x)
    L = y * y + 4 * z
    gradients = L.graph.gradients()

    def draw(back: bool) -> Scene:
        sketch = Sketch(back=back)
        dot = sketch.dot()
        source = r"\frac{∂L}{∂x} = \frac{∂L}{∂y} + \frac{∂L}{∂z}"
        total = f"{figure(gradients[y])} + {figure(gradients[z])}"
        sketch.arrow(sketch.name("x", 1), dot, tag(x, gradients[x], source, total))
        for v, name in ((y, "y"), (z, "z")):
            end = sketch.name(name, -1)
            sketch.arrow(dot, end, tag(v, gradients[v], rf"\frac{{∂L}}{{∂{name}}}"))
        sketch.balance(dot)
        return sketch.scene()

    return passes(lang, draw, _("the branch node").said(lang))
