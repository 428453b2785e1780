"""What many figures share: formulas in two colours, labels of arrows, forward beside backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.drawing.diagram import Vertex
from chainrule.drawing.panels import number
from chainrule.drawing.scene import Scene
from chainrule.drawing.symbols import box_vertex
from chainrule.figures.boxes import Box, value
from chainrule.figures.canvas import titled
from chainrule.figures.flow import Tag
from chainrule.figures.formula import formula
from chainrule.graph.variable import Variable
from chainrule.lang.messages import _, _p
from chainrule.layers import Layer
from chainrule.nodes.base import Value

__all__ = ["Unnamed", "black", "blue", "figure", "passes", "tag", "unnamed_box"]


def figure(v: Any, digits: int = 4) -> str:
    """A number as text in a formula."""
    return number(v.item() if hasattr(v, "item") else v, digits)


def black(source: str, size: float = 15.0) -> Box:
    """A formula of the forward pass."""
    return formula(source, size)


def blue(source: str, size: float = 15.0) -> Box:
    """A formula of the backward pass."""
    return formula(source, size, "gradient", "gradient")


def tag(v: Variable, gradient: Any = None, source: str = "", numbers: str = "") -> Tag:
    """A tag for a scalar: its value above; its gradient below, as formula, numbers and result."""
    below = []
    if gradient is not None:
        middle = f"= {numbers} " if numbers else ""
        below = [blue(source), blue(f"{middle}= {figure(gradient)}", 14.0)]
    return Tag([value(v.data.item(), 4, 14.0)], below)


class Unnamed(Layer):
    """A layer for an arbitrary function, drawn as one box."""

    def __init__(self, function: Callable[..., Value]) -> None:
        super().__init__()
        self.function = function

    def formula(self, x: Value, *more: Value) -> Value:
        """The value of the function."""
        return self.function(x, *more)


def unnamed_box(lang: str) -> Vertex:
    """The box of an `Unnamed` layer."""
    return box_vertex(_("some computation").said(lang), [], "")


def passes(lang: str, draw: Callable[[bool], Scene], title: str, *, across: bool = True) -> Scene:
    """The forward picture beside the backward one, or above it; `draw(back)` draws either."""
    parts = [
        (_p("title of a picture", "forward").said(lang), draw(False)),
        (_p("title of a picture", "backward").said(lang), draw(True)),
    ]
    return titled(title, parts, across=across)
