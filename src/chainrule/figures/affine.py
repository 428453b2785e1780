"""The Affine layer, made of MatMul, Repeat and Add (1-29)."""

from __future__ import annotations

import numpy as np

from chainrule.drawing.panels import array_panel
from chainrule.drawing.scene import Scene
from chainrule.figures.boxes import boxed
from chainrule.figures.common import blue
from chainrule.figures.flow import Tag, draw_graph
from chainrule.figures.matmul import shape_box
from chainrule.graph.functions import sum as total
from chainrule.graph.graph import Graph
from chainrule.graph.variable import Variable
from chainrule.layers import Affine
from chainrule.nodes import MatMul, Repeat

__all__ = ["affine_layer", "example"]


def example() -> tuple[Variable, Graph, dict[Variable, np.ndarray]]:
    """x, the graph of y = x W + b, and the gradients of some L computed from y."""
    rng = np.random.default_rng(2)
    layer = Affine(rng.normal(size=(4, 6)).round(2), rng.normal(size=6).round(2))
    x = Variable(rng.normal(size=(5, 4)).round(2), "x")
    y = layer.forward(x)
    y.name = "y"
    return x, Graph([y]), total(rng.normal(size=(5, 6)).round(2) * y**2).graph.gradients()


def affine_layer(lang: str) -> Scene:
    """y = x W + b as a graph: the bias is repeated for every row, so its gradient is a sum."""
    x, graph, gradients = example()
    product = next(node for node in graph.nodes if isinstance(node, MatMul))
    repeat = next(node for node in graph.nodes if isinstance(node, Repeat))
    W, b = product.inputs[1], repeat.inputs[0]
    y = graph.outputs[0]
    labels = {
        x: ("N×D", r"\frac{∂L}{∂x} = \frac{∂L}{∂y} W^T"),
        W: ("D×H", r"\frac{∂L}{∂W} = x^T \frac{∂L}{∂y}"),
        product.outputs[0]: ("N×H", r"\frac{∂L}{∂y}"),
        b: ("H", r"\frac{∂L}{∂b} = \sum{n} \frac{∂L}{∂y_n}"),
        repeat.outputs[0]: ("N×H", r"\frac{∂L}{∂y}"),
        y: ("N×H", r"\frac{∂L}{∂y}"),
    }
    tags = {}
    for v, (letters, source) in labels.items():
        tags[v] = Tag(
            [shape_box(letters, v.shape, 13.0), boxed(array_panel(v.data, "value", "ink"))],
            [blue(source, 14.0), boxed(array_panel(gradients[v], "gradient", "gradient"))],
        )
    return draw_graph(lang, graph, tags, gradients)
