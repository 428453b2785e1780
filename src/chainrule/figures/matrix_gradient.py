"""The gradient of a matrix, which has the shape of the matrix."""

from __future__ import annotations

import numpy as np

from chainrule.drawing.scene import Scene
from chainrule.figures.boxes import Box, matrix, numbers, row, words
from chainrule.figures.canvas import Canvas
from chainrule.figures.common import black, blue, figure
from chainrule.graph.functions import sum as total
from chainrule.graph.functions import tanh
from chainrule.graph.variable import Array, Variable
from chainrule.lang.messages import _, _p

__all__ = ["NUDGED", "STEP", "example", "matrix_gradient"]

#: The index of the element that is changed a little, and the change.
NUDGED, STEP = (1, 2), 0.001


def g(W: Variable) -> Variable:
    """L = g(W), a scalar computed from a matrix."""
    x = np.array([[0.5, -1.0], [1.5, 0.5], [-0.5, 1.0]])
    L: Variable = total(tanh(x @ W) ** 2)
    return L


def example() -> tuple[Array, Array, float, float]:
    """W, ∂L/∂W, and L before and after one element of W is increased by STEP."""
    W = Variable(np.array([[0.3, -0.8, 0.5], [0.7, 0.2, -0.4]]), "W")
    L = g(W)
    gradient = L.graph.gradients()[W]
    nudged = W.data.copy()
    nudged[NUDGED] += STEP
    return W.data, gradient, float(L.data), float(g(Variable(nudged)).data)


def matrix_gradient(lang: str) -> Scene:
    """W and ∂L/∂W, in letters and in numbers."""
    W, gradient, before, after = example()
    n, m = W.shape
    marked = [NUDGED]
    letters = [[black(f"w_{{{a + 1}{b + 1}}}", 16.0) for b in range(m)] for a in range(n)]
    slopes = [
        [blue(rf"\frac{{∂L}}{{∂w_{{{a + 1}{b + 1}}}}}", 14.0) for b in range(m)] for a in range(n)
    ]
    canvas = Canvas()
    shape = words(f"m×n = {n}×{m}", 13.0, "muted")
    y = 44.0
    for name, symbols, values in (
        (black("W", 19.0), matrix(letters, marked=marked), numbers(W, 3, 15.0, marked=marked)),
        (
            blue(r"\frac{∂L}{∂W}", 19.0), matrix(slopes, 16.0, "gradient", marked=marked),
            numbers(gradient, 3, 15.0, "gradient", marked),
        ),
    ):  # fmt: skip
        canvas.put(name, 22.0, y, anchor="middle")
        canvas.put(black("=", 19.0), 52.0, y, anchor="middle")
        canvas.put(symbols, 72.0, y)
        canvas.put(black(" = ", 19.0), 232.0, y)
        canvas.put(values, 264.0, y)
        canvas.put(shape, 470.0, y)
        y += 104.0
    canvas.put(_nudge(lang, gradient[NUDGED], before, after), 0.0, y - 26.0)
    canvas.reach(canvas.width, y)
    return canvas.finish(_("the gradient of a matrix").said(lang))


def _nudge(lang: str, slope: float, before: float, after: float) -> Box:
    i, j = NUDGED[0] + 1, NUDGED[1] + 1
    name = f"w_{{{i}{j}}}"
    word = _p("w + 0.001 makes L: 1 → 2", "makes").said(lang)
    source = (
        rf"{name} + {STEP} \,\text{{{word}}}\, L:\, {figure(before, 6)} → {figure(after, 6)},"
        rf"\,\, \frac{{{figure(after - before, 3)}}}{{{STEP}}} ="
        rf" {figure((after - before) / STEP, 3)} ≈ \fill{{gradient}}{{\frac{{∂L}}{{∂{name}}}}}"
        rf" = \fill{{gradient}}{{{figure(slope, 3)}}}"
    )
    return row(black(source, 15.0))
