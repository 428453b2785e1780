"""Where NaN or infinity first appears when a network computes a batch, in the forward or backward pass."""

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
from chainrule.lang.messages import Text, _, _p, listed
from chainrule.networks.graphs import graph_of_rows
from chainrule.nodes.base import Node, ignore_fp_errors

__all__ = ["first_nonfinite"]

Array = npt.NDArray[Any]


def first_nonfinite(network: RecordableNetwork, x: Array, t: Array | None, w: Array | None) -> Text:
    """A sentence that names the first arrow whose value, or else whose gradient, is not finite."""
    graph = graph_of_rows(network, x, t, w, training=t is not None)
    descriptions = _Descriptions(graph, len(x))
    for v, node in _forwards(graph):
        if _nonfinite(v.data):
            return _(
                "The first non-finite values are in {where}.", where=descriptions.value(v, node)
            )
    if t is not None and graph.has_gradients:
        with ignore_fp_errors():
            gradients = graph.gradients()
        for v, node in _backwards(graph):
            g = gradients.get(v)
            if g is not None and _nonfinite(g):
                return _(
                    "All values are finite on the way forward; on the way back the first non-finite"
                    " gradient is {gradient}.",
                    gradient=descriptions.gradient(v, node, g),
                )
    return _(
        "All of its values and gradients are finite one by one; the norm of the gradients, or a"
        " running statistic, overflows."
    )


def _nonfinite(array: Array) -> bool:
    return not np.isfinite(array).all()


def _forwards(graph: Graph) -> Iterator[tuple[Variable, Node]]:
    """Every arrow in the order of the computation, with the node that computes or first reads it."""
    for node in graph.nodes:
        for v in (*node.inputs, *node.outputs):
            if v not in graph.origin:
                yield v, node


def _backwards(graph: Graph) -> Iterator[tuple[Variable, Node]]:
    """Every arrow in the order of the backward pass, with the node that computes its gradient."""
    for node in reversed(graph.nodes):
        for v in node.inputs:
            yield v, node


class _Descriptions:
    """Descriptions of arrows, for a sentence about a batch."""

    def __init__(self, graph: Graph, rows: int) -> None:
        self.graph, self.rows, self.leaving = graph, rows, leaving(graph)

    def value(self, v: Variable, node: Node) -> str:
        """`layer 0 (Affine), rows 2 of the batch`."""
        scope = self.graph.scopes[node]
        name: str = self.graph.names[v]
        if v in self.leaving:
            name = self.layer(self.leaving[v])
        elif v.name == "x":
            name = _("the input")
        elif scope is not None:
            name = _("{name} of {layer}", name=name, layer=self.layer(scope))
        return self.in_batch(name, v, v.data)

    def gradient(self, v: Variable, node: Node, g: Array) -> str:
        """`∂sigmoid, sent back by layer 2 (Affine)'s Add, rows 0, 1 of the batch`."""
        scope, name = self.graph.scopes[node], self.graph.names[v]
        if scope is None:
            sent = _("∂{name}, sent back by a {node} node", name=name, node=node.label)
        else:
            sent = _(
                "∂{name}, sent back by {layer}'s {node}",
                name=name,
                layer=self.layer(scope),
                node=node.label,
            )
        return self.in_batch(sent, v, g)

    def layer(self, scope: Scope) -> Text:
        """`layer 2 (Affine)`, or `the loss (SoftmaxWithLoss)`."""
        path, title = self.graph.paths.get(id(scope.layer)), scope.layer.label
        if path is None:
            return _("the loss ({title})", title=title)
        if not path.replace(".", "").isdecimal():  # the name of an attribute
            return _p("by its name", "layer {path} ({title})", path=path, title=title)
        return _("layer {path} ({title})", path=path, title=title)

    def in_batch(self, what: str, v: Variable, array: Array) -> str:
        """`what` with the rows that are not finite, if the array has one part per row of the batch."""
        if not v.ndim or len(v.data) != self.rows or isinstance(self.graph.root(v), Parameter):
            return what
        bad = np.flatnonzero(~np.isfinite(np.reshape(array, (self.rows, -1))).all(axis=1))
        first = listed(bad[:3].tolist())
        if len(bad) > 3:
            return _(
                "{what}, rows {rows} and {n} more of the batch",
                what=what,
                rows=first,
                n=len(bad) - 3,
            )
        return _("{what}, rows {rows} of the batch", what=what, rows=first)
