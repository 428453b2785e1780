"""Where NaN or infinity first appears when a network computes a batch: on the way forward, or back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.protocols import RecordableNetwork
from chainrule.graph.graph import Graph
from chainrule.graph.naming import leaving
from chainrule.graph.scopes import Scope
from chainrule.graph.variable import Parameter, Variable
from chainrule.networks.graphs import graph_of_rows
from chainrule.nodes.base import Node, ignore_fp_errors

__all__ = ["first_nonfinite"]

Array = npt.NDArray[Any]


def first_nonfinite(network: RecordableNetwork, x: Array, t: Array | None, w: Array | None) -> str:
    """The first arrow whose value, or else whose gradient, is not finite, in a sentence."""
    graph = graph_of_rows(network, x, t, w, training=t is not None)
    told = _Told(graph, len(x))
    for v, node in _forwards(graph):
        if _bad(v.data):
            return f"The first non-finite values are in {told.value(v, node)}."
    if t is not None and graph.has_gradients:
        with ignore_fp_errors():
            gradients = graph.gradients()
        for v, node in _backwards(graph):
            g = gradients.get(v)
            if g is not None and _bad(g):
                return (
                    "All values are finite on the way forward; on the way back the first non-finite"
                    f" gradient is {told.gradient(v, node, g)}."
                )
    return (
        "All of its values and gradients are finite one by one; the norm of the gradients, or a"
        " running statistic, overflows."
    )


def _bad(array: Any) -> bool:
    return not np.isfinite(array).all()


def _forwards(graph: Graph) -> Iterator[tuple[Variable, Node]]:
    """Every arrow in the order of the computation, with the node that makes it or first takes it."""
    for node in graph.nodes:
        for v in (*node.inputs, *node.outputs):
            if v not in graph.origin:
                yield v, node


def _backwards(graph: Graph) -> Iterator[tuple[Variable, Node]]:
    """Every arrow in the order in which gradients come, with the node that sends it back."""
    for node in reversed(graph.nodes):
        for v in node.inputs:
            yield v, node


class _Told:
    """What arrows are called in a sentence on a batch."""

    def __init__(self, graph: Graph, rows: int) -> None:
        self.graph, self.rows, self.leaving = graph, rows, leaving(graph)

    def value(self, v: Variable, node: Node) -> str:
        """`layer 0 (Affine), rows 2 of the batch`."""
        if v in self.leaving:
            where = self.layer(self.leaving[v])
        elif v.name == "x":
            where = "the input"
        else:
            where = f"{self.graph.names[v]}{self.inside(node)}"
        return where + self.places(v, v.data)

    def gradient(self, v: Variable, node: Node, g: Array) -> str:
        """`∂sigmoid, which layer 2 (Affine) sends back, rows 0, 1 of the batch`."""
        scope = self.graph.scopes[node]
        by = f"{self.layer(scope)}'s {node.label}" if scope is not None else f"a {node.label} node"
        return f"∂{self.graph.names[v]}, sent back by {by}{self.places(v, g)}"

    def inside(self, node: Node) -> str:
        scope = self.graph.scopes[node]
        return "" if scope is None else f" of {self.layer(scope)}"

    def layer(self, scope: Scope) -> str:
        """`layer 2 (Affine)`, or `the loss (SoftmaxWithLoss)`."""
        path = self.graph.paths.get(id(scope.layer))
        return f"{'the loss' if path is None else f'layer {path}'} ({scope.layer.label})"

    def places(self, v: Variable, array: Array) -> str:
        """The rows of the batch that are bad, where there are rows of the batch."""
        if not v.ndim or len(v.data) != self.rows or isinstance(self.graph.root(v), Parameter):
            return ""
        bad = np.flatnonzero(~np.isfinite(np.reshape(array, (self.rows, -1))).all(axis=1))
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        return f", rows {', '.join(map(str, bad[:3]))}{more} of the batch"
