"""A network is a composition of functions: affine, activation, affine, activation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.drawing.scene import Scene
from chainrule.figures.boxes import Box, row, value
from chainrule.figures.canvas import Canvas
from chainrule.figures.common import black, blue, figure
from chainrule.figures.flow import Sketch, Tag
from chainrule.graph.graph import Graph
from chainrule.graph.variable import Variable
from chainrule.lang.messages import _, _p
from chainrule.layers import Affine, Layer, Sigmoid, Tanh

__all__ = ["Chain", "composed", "composition"]


@dataclass
class Chain:
    """One number passed through four layers, with the derivative of the result by each stage."""

    layers: list[Layer]
    stages: list[Variable]
    #: ∂z/∂(each stage), the last one 1.
    gradients: list[float]
    #: The derivative of each layer alone, at its input.
    slopes: list[float]


def _affine(w: float, b: float) -> Affine:
    return Affine(np.array([[w]]), np.array([b]))


def composed() -> Chain:
    """z = σ(w₂ tanh(w₁ x + b₁) + b₂), stage by stage."""
    layers: list[Layer] = [_affine(1.5, -0.5), Tanh(), _affine(2.0, 0.5), Sigmoid()]
    stages = [Variable(np.array([[0.8]]), "x")]
    for layer in layers:
        stages.append(layer.forward(stages[-1]))
    gradients = Graph([stages[-1]]).gradients()
    slopes = []
    for layer, v in zip(layers, stages[:-1], strict=True):
        alone = Variable(v.data.copy())
        slopes.append(Graph([layer.forward(alone)]).gradients()[alone].item())
    return Chain(layers, stages, [gradients[v].item() for v in stages], slopes)


#: The functions, their formulas and the names of the stages, in the chapter's notation.
FUNCTIONS = ("f_1", "f_2", "f_3", "f_4")
FORMULAS = ("h_1 = x w_1 + b_1", "a_1 = tanh(h_1)", "h_2 = a_1 w_2 + b_2", "z = σ(h_2)")
NAMES = ("x", "h_1", "a_1", "h_2", "z")


def composition(lang: str) -> Scene:
    """Each layer is a function of the layer before; the derivative is the product of all slopes."""
    chain = composed()
    kinds = [_p("layer", "affine").said(lang), _p("layer", "activation").said(lang)]
    sketch = Sketch(back=True)
    boxes = [sketch.box(kinds[k % 2]) for k in range(4)]
    ends = [sketch.name("x", 1), *boxes, sketch.name("z", -1)]
    for k, (name, v, slope) in enumerate(zip(NAMES, chain.stages, chain.gradients, strict=True)):
        above = row(black(f"{name} = ", 14.0), value(v.data.item(), 4, 13.0))
        below = blue(rf"\frac{{∂z}}{{∂{name}}} = {figure(slope)}", 14.0)
        sketch.arrow(ends[k], ends[k + 1], Tag([above], [below]), weight=3.0)
    scene = sketch.scene()
    canvas = Canvas()
    canvas.scene(scene, 0.0, 34.0)
    for k, box in enumerate(boxes):
        canvas.put(black(FUNCTIONS[k], 16.0), box.x, box.y + 4.0, anchor="middle")
    y = scene.height + 60.0
    left = ends[0].x - 6.0
    for k, box in enumerate(boxes):
        source = FORMULAS[k].replace("tanh", r"\text{tanh}")
        canvas.put(black(source, 14.0), box.x, box.y + 92.0, anchor="middle")
        nested = "x"
        for f in FUNCTIONS[: k + 1]:
            nested = f"{f}({nested})"
        right = box.x + box.width / 2
        canvas.line((left, y), (left, y + 6.0), (right, y + 6.0), (right, y), stroke="muted")
        equation = row(black(f"{nested} = ", 14.0), value(chain.stages[k + 1].data.item(), 4, 13.0))
        canvas.put(equation, right, y + 22.0, anchor="end")
        y += 34.0
    canvas.put(_product(chain), scene.width / 2, y + 40.0, anchor="middle")
    return canvas.finish(_("composition of functions").said(lang))


def _product(chain: Chain) -> Box:
    parts = [
        rf"\frac{{∂{after}}}{{∂{before}}}"
        for before, after in zip(NAMES[::-1][1:], NAMES[::-1][:-1], strict=True)
    ]
    slopes = " · ".join(figure(s) for s in reversed(chain.slopes))
    return blue(
        rf"\frac{{∂z}}{{∂x}} = {' · '.join(parts)} = {slopes} = {figure(chain.gradients[0])}", 16.0
    )
