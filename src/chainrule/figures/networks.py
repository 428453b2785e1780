"""The chapter's network and loss, with Softmax and Cross Entropy as two layers and as one."""

from __future__ import annotations

import functools

import numpy as np

from chainrule.datasets import spiral
from chainrule.drawing.diagram import Vertex
from chainrule.drawing.panels import array_panel
from chainrule.drawing.scene import Scene
from chainrule.drawing.symbols import box_vertex
from chainrule.figures.boxes import Box, boxed, numbers, row, value, words
from chainrule.figures.common import black
from chainrule.figures.flow import Tag, draw_graph
from chainrule.graph.graph import Graph
from chainrule.graph.variable import Array, Variable
from chainrule.graph.wording import shape_text
from chainrule.layers import Affine, CrossEntropyError, Layer, Sigmoid, Softmax, SoftmaxWithLoss
from chainrule.networks import TwoLayerNet
from chainrule.optimizers import SGD
from chainrule.training import Trainer

__all__ = ["chain", "loss_in_one", "loss_in_two", "sample", "trained"]

#: The names of layers in the picture, as in the chapter.
NAMES = {"CrossEntropyError": "Cross Entropy Error", "SoftmaxWithLoss": "Softmax with Loss"}


@functools.cache
def trained() -> TwoLayerNet:
    """A network trained on the spiral for 150 epochs."""
    x, t = spiral()
    net = TwoLayerNet(2, 10, 3, dtype=np.float64)
    Trainer(net, SGD(lr=1.0), engine="numpy").fit(x, t, 150, 30, progress=None)
    return net


def sample() -> tuple[Array, Array]:
    """One row of the spiral, and its one-hot target."""
    x, t = spiral(one_hot=True)
    return x[142:143], t[142:143].astype(float)


def chain(last: list[Layer]) -> tuple[dict[str, Variable], dict[Layer, Vertex]]:
    """The values between the layers, by name, and the boxes of the layers.

    The layers are those of the trained network up to its scores, and then `last`.
    """
    W1, b1, W2, b2 = (p.copy() for p in trained().params)
    layers = [Affine(W1, b1), Sigmoid(), Affine(W2, b2), *last]
    row_, target = sample()
    flows = {"x": Variable(row_, "x", requires_grad=False)}
    out = flows["x"]
    for name, layer in zip(("h", "a", "s", "y"), layers[:-1], strict=False):
        out = flows[name] = layer.forward(out)
    flows["L"] = layers[-1].forward(out, target)
    flows["L"].name = "L"
    graph = Graph([flows["L"]])
    flows["t"] = next(v for v in graph.inputs if v.name == "t")
    boxes = {}
    for layer in layers:
        kind = type(layer).__name__
        sizes = [f"{name} {shape_text(p.shape)}" for name, p in layer.parameters.items()]
        boxes[layer] = box_vertex(NAMES.get(kind, kind), sizes, "")
    return flows, boxes


def _draw(last: list[Layer], lang: str) -> Scene:
    flows, boxes = chain(last)
    tags = {}
    for name, v in flows.items():
        array = sample()[1] if name == "t" else v.data
        shape = words(shape_text(array.shape), 12.0, "muted")
        head = shape if name in "xt" else row(black(rf"{name}\,\,"), shape)
        tags[v] = Tag([head, _small(array)])
    tags[flows["L"]] = Tag([value(flows["L"].data.item(), 4, 14.0)])
    return draw_graph(lang, Graph([flows["L"]]), tags, fold=True, titles=boxes)


def _small(array: Array) -> Box:
    return numbers(array, 3, 12.0) if array.size <= 3 else boxed(array_panel(array, "value", "ink"))


def loss_in_two(lang: str) -> Scene:
    """x → Affine → Sigmoid → Affine → Softmax → Cross Entropy Error → L."""
    return _draw([Softmax(), CrossEntropyError()], lang)


def loss_in_one(lang: str) -> Scene:
    """The same network with Softmax with Loss: the same L."""
    return _draw([SoftmaxWithLoss()], lang)
