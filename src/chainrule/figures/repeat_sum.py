"""Repeat (one array to N) and Sum (N arrays to one); each is the other's backward pass."""

from __future__ import annotations

import numpy as np

from chainrule.drawing.scene import Scene
from chainrule.figures.boxes import Box, column, numbers, row, words
from chainrule.figures.canvas import Canvas
from chainrule.figures.common import black, blue, passes
from chainrule.figures.flow import Sketch, Tag
from chainrule.graph.functions import broadcast_to
from chainrule.graph.functions import sum as total
from chainrule.graph.variable import Array, Variable
from chainrule.graph.wording import shape_text
from chainrule.lang.messages import _

__all__ = ["D", "N", "repeat_node", "repeated", "sum_node", "summed"]

N, D = 3, 4


def weights() -> Array:
    """The weights (N, D) in L = Σ weights · y."""
    return np.random.default_rng(21).integers(-4, 5, (N, D)) / 2.0


def repeated() -> tuple[Variable, Variable, dict[Variable, Array]]:
    """x, y = x repeated N times, and the gradients of L = Σ weights · y."""
    x = Variable(np.array([[2.0, -1.0, 0.5, 3.0]]), "x")
    y = broadcast_to(x, (N, D))
    return x, y, total(weights() * y).graph.gradients()


def summed() -> tuple[Variable, Variable, dict[Variable, Array]]:
    """x, y = the sum of its N rows, and the gradients of a weighted sum of y."""
    x = Variable(weights() + 1.0, "x")
    y = total(x, axis=0, keepdims=True)
    return x, y, total(np.array([[1.0, -2.0, 0.5, 1.5]]) * y).graph.gradients()


def _whole(name: str, shape: tuple[int, ...]) -> Box:
    """The name of an array of N rows, over its shape."""
    return column(black(name, 19.0), words(f"N×D = {shape_text(shape)}", 12.0, "muted"))


def _one(x: Array, *gradient: Box) -> Tag:
    """The tag of the single array: its shape and numbers, and its gradient."""
    return Tag([words(f"1×D = {shape_text(x.shape)}", 12.0, "muted"), numbers(x)], [row(*gradient)])


def _each(name: str, rows: Array, gradients: Array) -> list[Tag]:
    """The tags of the N arrows: a row and its gradient each."""
    return [
        Tag([numbers(values)], [row(blue(rf"\frac{{∂L}}{{∂{name}_{i}}} ="), _blue(gradient))])
        for i, (values, gradient) in enumerate(zip(rows, gradients, strict=True), 1)
    ]


def _blue(gradient: Array) -> Box:
    return numbers(gradient, fill="gradient")


def _fan(one: Tag, many: list[Tag], whole: Box, node: str, *, out: bool, back: bool) -> Scene:
    """A node with one arrow on one side and N arrows on the other, bracketed as one array."""
    sketch = Sketch(back=back, roomy=False)
    middle = sketch.node(node)
    single = sketch.name("x" if out else "y", 1 if out else -1)
    if out:
        sketch.arrow(single, middle, one)
    ends = []
    for i, tag in enumerate(many, 1):
        end = sketch.name(f"y_{i}" if out else f"x_{i}", -1 if out else 1)
        sketch.arrow(*((middle, end) if out else (end, middle)), tag)
        ends.append(end)
    if not out:
        sketch.arrow(middle, single, one)
    scene = sketch.scene()
    canvas = Canvas()
    start = 0.0 if out else whole.width + 24.0
    canvas.scene(scene, start, 0.0)
    x = scene.width if out else start
    canvas.bracket(x, ends[0].y - 18.0, ends[-1].y + 18.0, left=not out)
    middle_y = (ends[0].y + ends[-1].y) / 2 + 5.0
    canvas.put(whole, x + 10.0 if out else x - 10.0, middle_y, anchor="start" if out else "end")
    return canvas.finish("", 0.0)


def repeat_node(lang: str) -> Scene:
    """Forward x is copied N times; backward ∂L/∂x is the sum of the N gradients."""
    x, y, gradients = repeated()

    def draw(back: bool) -> Scene:
        source = r"\frac{∂L}{∂x} = \sum{n} \frac{∂L}{∂y_n} ="
        one = _one(x.data, blue(source), _blue(gradients[x]))
        many = _each("y", y.data, gradients[y])
        return _fan(one, many, _whole("y", y.shape), "Repeat", out=True, back=back)

    return passes(lang, draw, _("the Repeat node").said(lang), across=False)


def sum_node(lang: str) -> Scene:
    """Forward N rows are added up; backward every row gets ∂L/∂y, unchanged."""
    x, y, gradients = summed()

    def draw(back: bool) -> Scene:
        one = _one(y.data, blue(r"\frac{∂L}{∂y} ="), _blue(gradients[y]))
        many = _each("x", x.data, gradients[x])
        return _fan(one, many, _whole("x", x.shape), "Sum", out=False, back=back)

    return passes(lang, draw, _("the Sum node").said(lang), across=False)
