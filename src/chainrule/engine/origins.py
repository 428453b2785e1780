"""Which node of a recorded graph each operation of its lowered step comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from chainrule.engine.lowering import Lowered
    from chainrule.engine.trace import Traced
    from chainrule.graph.graph import Graph
    from chainrule.graph.variable import Variable

__all__ = ["Origin", "origins_of"]


class Origin(NamedTuple):
    """A node by its place in `graph.nodes`, on the way forward or back."""

    node: int
    backward: bool


def origins_of(
    graph: Graph, low: Lowered, arrows: Mapping[Variable, Traced]
) -> dict[Traced, Origin]:
    """The node that computed each value, forward, or on the way back to the gradients in `arrows`.

    A value that several nodes have is of the first: a copy is of the node that made its original.
    """
    found: dict[Traced, Origin] = {}

    def claim(origin: Origin, values: list[Traced]) -> None:
        while values:
            value = values.pop()
            if value.function is not None and value not in found:
                found[value] = origin
                values.extend(value.operands)

    for k, node in enumerate(graph.nodes):
        claim(Origin(k, False), [low.value(v) for v in node.outputs])
    for k, node in reversed(list(enumerate(graph.nodes))):
        claim(Origin(k, True), [arrows[v] for v in node.inputs if v in arrows])
    return found
