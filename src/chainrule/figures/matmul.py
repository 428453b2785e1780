"""The MatMul node: shapes above the arrows, for one row and for a batch."""

from __future__ import annotations

import numpy as np

from chainrule.drawing.panels import array_panel
from chainrule.drawing.scene import Scene
from chainrule.figures.boxes import Box, boxed, numbers, row, words
from chainrule.figures.common import blue
from chainrule.figures.flow import Tag, draw_graph
from chainrule.graph.functions import sum as total
from chainrule.graph.graph import Graph
from chainrule.graph.variable import Array, Variable
from chainrule.graph.wording import shape_text

__all__ = ["Product", "batch_node", "matmul_node", "shape_box"]


class Product:
    """y = x W, and the gradients of some L computed from y."""

    def __init__(self, n: int, d: int, h: int, seed: int = 5) -> None:
        rng = np.random.default_rng(seed)
        self.x = Variable(_random_halves(rng, (n, d)), "x")
        self.W = Variable(_random_halves(rng, (d, h)), "W")
        self.y = self.x @ self.W
        self.y.name = "y"
        self.graph = Graph([self.y])
        # L is arbitrary; with this one, elements of y have different gradients.
        L = total(rng.integers(1, 6, (n, h)) / 10.0 * self.y**2)
        self.gradients: dict[Variable, Array] = L.graph.gradients()

    def grad(self, v: Variable) -> Array:
        """∂L/∂v."""
        return self.gradients[v]


def _random_halves(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Random numbers that are easy to read: multiples of ½ from -2 to 2, without 0."""
    array: Array = rng.choice([-2.0, -1.5, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0], shape)
    return array


def shape_box(letters: str, shape: tuple[int, ...], size: float = 15.0) -> Box:
    """A shape in letters, and in numbers."""
    lengths = words(f"  = {shape_text(shape)}", 0.8 * size, "muted")
    return row(words(letters, size, bold=True), lengths)


def matmul_node(lang: str) -> Scene:
    """y = x W for one row: 1×D times D×H is 1×H."""
    p = Product(1, 3, 4)
    tags = {
        v: Tag([shape_box(letters, v.shape), numbers(v.data)])
        for v, letters in ((p.x, "1×D"), (p.W, "D×H"), (p.y, "1×H"))
    }
    return draw_graph(lang, p.graph, tags)


def batch_node(lang: str) -> Scene:
    """y = x W for N rows, with the gradients: each has the shape of its value."""
    p = Product(5, 4, 6)
    tags = {}
    for v, letters in ((p.x, "N×D"), (p.W, "D×H"), (p.y, "N×H")):
        name = rf"\frac{{∂L}}{{∂{v.name}}}"
        tags[v] = Tag(
            [shape_box(letters, v.shape), boxed(array_panel(v.data, "value", "ink"))],
            [
                row(blue(name), words(" " + letters, 14.0, "gradient", bold=True)),
                boxed(array_panel(p.grad(v), "gradient", "gradient")),
            ],
        )
    return draw_graph(lang, p.graph, tags, p.gradients)
