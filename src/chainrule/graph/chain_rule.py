"""The chain rule: walk the nodes backwards, and hand each one the gradient of its output.

The same walk serves three kinds of value. On arrays it gives gradients; on Variables it
records the backward pass as nodes, which can be differentiated again; on the values an
engine traces, it writes the backward half of a training step.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from chainrule.errors import DTypeError, ShapeError
from chainrule.nodes.base import Value, quiet

if TYPE_CHECKING:
    from chainrule.graph.graph import Graph
    from chainrule.graph.variable import Variable
    from chainrule.nodes.base import Node

__all__ = ["chain_rule", "first_complex", "refuse_complex"]


def chain_rule(
    graph: Graph,
    seed: Value,
    value_of: Callable[[Variable], Value],
    wanted: Collection[Variable] | None = None,
    *,
    strict: bool = True,
    derive: Callable[[Node, Sequence[Value]], Value] | None = None,
) -> dict[Variable, Value]:
    """The gradient of the graph's first output on every arrow it flows back along.

    `seed` is the gradient of the output itself, `value_of` gives the value on a forward
    arrow, and `wanted`, if given, leaves out the arrows that lead to none of these. `strict`
    refuses a gradient that has not the shape of its value. `derive`, if given, is asked for the
    gradients at each node in place of its derivation: a check looks on as they are made.
    """
    flows = _flows(graph, wanted)
    gradients: dict[Variable, Value] = {graph.outputs[0]: seed}
    with quiet():
        for node in reversed(graph.nodes):
            douts = [gradients.get(v) for v in node.outputs]
            if flows.isdisjoint(node.inputs) or all([d is None for d in douts]):
                continue
            here = node.bound(
                tuple([value_of(v) for v in node.inputs]),
                tuple([value_of(v) for v in node.outputs]),
            )
            dxs = here.derivation(*douts) if derive is None else derive(node, douts)
            if not isinstance(dxs, tuple):
                dxs = (dxs,)
            if len(dxs) != len(node.inputs):
                raise ShapeError(
                    f"{type(node).__name__}.backward gave {len(dxs)} gradients for"
                    f" {len(node.inputs)} inputs; it must give one for each, None where there is none."
                )
            for variable, dx in zip(node.inputs, dxs, strict=True):
                if dx is not None and variable in flows:
                    if strict and getattr(dx, "shape", ()) != variable.shape:
                        _refuse(node, variable, getattr(dx, "shape", ()))
                    gradients[variable] = dx
    return gradients


def _refuse(node: Node, variable: Variable, shape: tuple[int, ...]) -> None:
    place = [v is variable for v in node.inputs].index(True)
    hint = ""
    if not node.elementwise and len(node.inputs) > 1:
        hint = (
            " If the node works element by element, give its class `elementwise = True`, and its"
            " inputs come repeated to one shape."
        )
    raise ShapeError(
        f"{type(node).__name__}.backward gave a gradient of shape {shape} for its input {place}"
        f"{f' ({variable.name})' if variable.name else ''}, which has shape {variable.shape}; a"
        f" gradient has the shape of its value.{hint}"
    )


def _flows(graph: Graph, wanted: Collection[Variable] | None) -> set[Variable]:
    """The arrows that a gradient flows back along."""
    starts = graph.inputs if wanted is None else wanted
    flows = {v for v in starts if v.requires_grad}
    for node in graph.nodes:
        if node.differentiable and not flows.isdisjoint(node.inputs):
            flows.update(v for v in node.outputs if v.dtype.kind in "fc")
    return flows


def first_complex(graph: Graph) -> Variable | None:
    """The first arrow with complex numbers that a gradient would flow back along, if there is one."""
    arrows = (v for node in graph.nodes for v in (*node.inputs, *node.outputs))
    return next((v for v in arrows if v.requires_grad and v.dtype.kind == "c"), None)


def refuse_complex(graph: Graph) -> None:
    """Raise where numbers are complex: the gradients here are slopes of real numbers."""
    v = first_complex(graph)
    if v is not None:
        raise DTypeError(
            f"{graph.names[v]} holds {v.dtype}, and gradients are taken and checked of real numbers"
            " only. Compute with floats, the real and the imaginary part as two arrays."
        )
