"""The sigmoid: its derivative line by line (1.15), and its node, whole and in parts (1-28)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule.drawing.panels import verdict_panel
from chainrule.drawing.scene import Scene
from chainrule.figures.boxes import boxed, value, words
from chainrule.figures.canvas import Canvas, titled
from chainrule.figures.common import black, figure, tag
from chainrule.figures.flow import Tag, draw_graph
from chainrule.graph.derivatives import grad, numerical_gradient
from chainrule.graph.functions import exp
from chainrule.graph.functions import sigmoid as sigma
from chainrule.graph.graph import Graph
from chainrule.graph.variable import Variable
from chainrule.lang.messages import _
from chainrule.nodes.base import Value

__all__ = ["AT", "LINES", "sigmoid_derivative", "sigmoid_node"]

#: The values of x at which the lines are compared.
AT = (-2.0, 0.5, 3.0)
#: Every line of the derivation, as a formula and as a function.
LINES: tuple[tuple[str, Callable[[Value], Value]], ...] = (
    (r"= \frac{e^{−x}}{(1 + e^{−x})^2}", lambda x: exp(-x) / (1 + exp(-x)) ** 2),
    (
        r"= \frac{1}{1 + e^{−x}} · \frac{e^{−x}}{1 + e^{−x}}",
        lambda x: 1 / (1 + exp(-x)) * (exp(-x) / (1 + exp(-x))),
    ),
    (
        r"= \frac{1}{1 + e^{−x}} · (1 − \frac{1}{1 + e^{−x}})",
        lambda x: 1 / (1 + exp(-x)) * (1 - 1 / (1 + exp(-x))),
    ),
    (r"= y (1 − y)", lambda x: sigma(x) * (1 - sigma(x))),
)


def sigmoid_derivative(lang: str) -> Scene:
    """∂y/∂x of y = 1 / (1 + e⁻ˣ): four lines, each computed at three values of x and compared."""
    canvas = Canvas()
    xs = np.array(AT)
    live = np.array([float(grad(sigma)(x)) for x in AT])
    counted = numerical_gradient(lambda x: np.sum(sigma(x)), xs.copy())
    columns = [400.0 + 104.0 * k for k in range(len(AT))]
    canvas.put(black(r"y = \frac{1}{1 + e^{−x}}", 19.0), 0.0, 30.0)
    for x, at in zip(columns, AT, strict=True):
        canvas.put(black(f"x = {figure(at)}", 16.0), x, 30.0, anchor="middle")
    canvas.line((0.0, 60.0), (columns[-1] + 76.0, 60.0), stroke="cell line")
    y = 100.0
    for k, (source, function) in enumerate(LINES):
        if k == 0:
            canvas.put(black(r"\frac{∂y}{∂x}", 19.0), 0.0, y)
        canvas.put(black(source, 19.0), 46.0, y)
        _values(canvas, columns, y, np.asarray(function(xs)), live)
        y += 62.0
    canvas.line((0.0, y - 32.0), (columns[-1] + 76.0, y - 32.0), stroke="cell line")
    for name, values in (
        (_("chainrule's backward pass").said(lang), live),
        (
            _("numerical, (f(x+h) − f(x−h)) / 2h").said(lang),
            counted,
        ),
    ):
        canvas.put(words(name, 13.0, "muted", flush=True), 0.0, y)
        _values(canvas, columns, y, values, live, 1e-9)
        y += 30.0
    canvas.reach(columns[-1] + 76.0, y - 24.0)
    return canvas.finish(_("the derivative of the sigmoid").said(lang))


def _values(
    canvas: Canvas, columns: list[float], y: float, got: object, live: object, off: float = 1e-15
) -> None:
    got, live = np.asarray(got), np.asarray(live)
    for x, value_ in zip(columns, got, strict=True):
        canvas.put(value(float(value_), 8, 14.0), x, y, anchor="middle")
    verdict = "ok" if np.all(np.abs(got - live) <= off) else "wrong"
    canvas.put(boxed(verdict_panel(verdict)), columns[-1] + 60.0, y)


def sigmoid_node(lang: str) -> Scene:
    """Sigmoid as one node, and as negate, exp, add 1 and divide: the same gradient."""
    x = Variable(0.5, "x")
    y = sigma(x)
    y.name = "y"
    gradients = (y**2).graph.gradients()
    dy = figure(gradients[y])
    tags = {
        x: tag(
            x, gradients[x], r"\frac{∂L}{∂x} = \frac{∂L}{∂y} · y (1 − y)",
            f"{dy} · {figure(y.data)} · {figure(1 - y.data)}",
        ),
        y: tag(y, gradients[y], r"\frac{∂L}{∂y}"),
    }  # fmt: skip
    whole = draw_graph(lang, Graph([y]), tags, gradients)
    u = Variable(0.5, "x")
    out = 1 / (1 + exp(-u))
    out.name = "y"
    graph = (out**2).graph
    part_gradients = graph.gradients()
    parts = Graph([out])
    labels = {
        v: Tag(
            [value(v.data.item(), 4, 13.0)], [value(part_gradients[v].item(), 4, 13.0, "gradient")]
        )
        for node in parts.nodes
        for v in (*node.inputs, *node.outputs)
        if v in part_gradients and v.scalar is None
    }
    return titled(
        _("the Sigmoid layer").said(lang),
        [
            (_("as one node").said(lang), whole),
            (
                _("in elementary nodes").said(lang),
                draw_graph(lang, parts, labels, part_gradients),
            ),
        ],
        across=False,
    )
