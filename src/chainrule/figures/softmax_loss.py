"""Softmax with Loss for three classes (1-30), whose backward pass is y − t."""

from __future__ import annotations

import numpy as np

from chainrule.drawing.panels import number
from chainrule.drawing.scene import Scene
from chainrule.figures.boxes import Box, row, value
from chainrule.figures.common import black, blue
from chainrule.figures.flow import Sketch, Tag
from chainrule.graph.graph import Graph
from chainrule.graph.variable import Array, Variable
from chainrule.layers import CrossEntropyError, Softmax

#: The distance between two arrows.
APART = 60.0

__all__ = ["example", "softmax_with_loss"]


def example() -> tuple[Array, Array, Array, Array, Array, float]:
    """Scores a, probabilities y, targets t, ∂L/∂a, ∂L/∂y and L, for one row."""
    a = Variable(np.array([[0.3, 2.9, 1.2]]), "a")
    t = np.array([[0.0, 0.0, 1.0]])
    y = Softmax().forward(a)
    L = CrossEntropyError().forward(y, t)
    gradients = Graph([L]).gradients()
    return a.data[0], y.data[0], t[0], gradients[a][0], gradients[y][0], float(L.data)


def softmax_with_loss(lang: str) -> Scene:
    """a₁ … a₃ → Softmax → y₁ … y₃ → Cross Entropy Error, with t₁ … t₃; backward, y_k − t_k."""
    a, y, t, da, dy, L = example()
    sketch = Sketch(back=True)
    softmax, error = sketch.box("Softmax"), sketch.box("Cross Entropy Error")
    # The ports are far enough apart for all arrows to be straight.
    softmax.port = error.port = APART
    softmax.height, error.height = 3 * APART, 7.2 * APART
    for k in range(3):
        n = k + 1
        difference = f"{number(y[k], 3)} − {number(t[k])} = {number(da[k], 3)}"
        tag = Tag([_valued("a", n, a[k])], [blue(f"y_{n} − t_{n} = {difference}", 14.0)])
        sketch.arrow(sketch.name(f"a_{n}", 1), softmax, tag, weight=3.0)
    for k in range(3):
        n = k + 1
        below = blue(f"−t_{n} / y_{n} = {number(dy[k], 3)}", 14.0)
        sketch.arrow(softmax, error, Tag([_valued("y", n, y[k])], [below]), weight=3.0)
    for k in range(3):
        n = k + 1
        sketch.arrow(sketch.name(f"t_{n}", 1), error, Tag([value(t[k], 3, 14.0)]), weight=3.0)
    end = [blue(r"\frac{∂L}{∂L} = 1")]
    sketch.arrow(error, sketch.name("L", -1), Tag([value(L, 4, 14.0)], end), weight=3.0)
    return sketch.scene()


def _valued(name: str, n: int, v: float) -> Box:
    return row(black(f"{name}_{n} = "), value(v, 3, 14.0))
