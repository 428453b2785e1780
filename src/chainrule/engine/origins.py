"""Which node of a recorded graph each operation of its lowered step comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from chainrule.nodes import Branch, Node

if TYPE_CHECKING:
    from chainrule.engine.lowering import Lowered
    from chainrule.engine.trace import Traced
    from chainrule.graph.graph import Graph
    from chainrule.graph.variable import Variable

__all__ = ["Claims", "Origin", "claimed", "origins_of"]

#: The node that computed each value, and whether on the way back.
Claims = dict["Traced", tuple["Node", bool]]


class Origin(NamedTuple):
    """A node, by its place among the nodes of the loss (`network.graph(x, t).nodes`), forward or back."""

    node: int
    backward: bool


def claimed(graph: Graph, low: Lowered, arrows: Mapping[Variable, Traced]) -> Claims:
    """The node that computed each value, forward, or on the way back to the gradients in `arrows`.

    A value that several nodes have is of the first: a copy is of the node that made its original.
    """
    found: Claims = {}

    def claim(node: Node, backward: bool, values: list[Traced]) -> None:
        while values:
            value = values.pop()
            if value.function is not None and value not in found:
                found[value] = node, backward
                values.extend(value.operands)

    for node in graph.nodes:
        claim(node, False, [low.value(v) for v in node.outputs])
    for node in reversed(graph.nodes):
        claim(node, True, [arrows[v] for v in node.inputs if v in arrows])
    return found


def origins_of(graph: Graph, claims: Claims) -> dict[Traced, Origin]:
    """The same by numbers; none for what the loss does not depend on, such as new buffers."""
    places = _places(graph)
    return {
        value: Origin(places[node], backward)
        for value, (node, backward) in claims.items()
        if node in places
    }


def _places(graph: Graph) -> dict[Node, int]:
    """The nodes that the first output depends on, by number, as they are in a graph of it alone."""
    makers = {v: node for node in graph.nodes for v in node.outputs}
    read, kept, ahead = set(graph.outputs[:1]), set[Node](), [graph.outputs[0]]
    while ahead:
        node = makers.get(ahead.pop())
        if node is not None and node not in kept:
            kept.add(node)
            read.update(node.inputs)
            ahead.extend(node.inputs)
    nodes = (
        node
        for node in graph.nodes
        if node in kept
        and not (isinstance(node, Branch) and sum(v in read for v in node.outputs) < 2)
    )
    return {node: k for k, node in enumerate(nodes)}
