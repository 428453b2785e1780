"""The chain rule: visit the nodes backwards, and give each one the gradient of its output.

The same walk serves three kinds of value. On arrays it gives gradients; on Variables it
records the backward pass as nodes, which can be differentiated again; on the values an
engine traces, it writes the backward half of a training step.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainrule.errors import DTypeError, ShapeError
from chainrule.lang.messages import _, sentences
from chainrule.nodes.base import Value, ignore_fp_errors
from chainrule.nodes.indexing import Index
from chainrule.nodes.shaping import Branch

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
    in_place: bool = False,
) -> dict[Variable, Value]:
    """The gradient of the graph's first output on every arrow it flows back along.

    `seed` is the gradient of the output itself, and `value_of` gives the value on a forward
    arrow. With `wanted`, the arrows that lead to none of these Variables are left out. `strict`
    refuses a gradient that has not the shape of its value. `derive`, if given, computes the gradients
    at each node instead of its `backward`; the graph check uses this. With `in_place`, for arrays, the
    gradients that several `Index` nodes send back to one array are added up in one array of its shape;
    the gradients on the arrows into these nodes, nearly all zeros, are left out.
    """
    forks = {v for node in graph.nodes if isinstance(node, Branch) for v in node.outputs}
    forks = forks if in_place else set()
    flows = _flows(graph, wanted)
    gradients: dict[Variable, Value] = {graph.outputs[0]: seed}
    with ignore_fp_errors():
        for node in reversed(graph.nodes):
            douts = [gradients.get(v) for v in node.outputs]
            if flows.isdisjoint(node.inputs) or all([d is None for d in douts]):
                continue
            here = node.bound(
                tuple([value_of(v) for v in node.inputs]),
                tuple([value_of(v) for v in node.outputs]),
            )
            here.asked = tuple([v in flows for v in node.inputs])
            if isinstance(here, Index) and node.inputs[0] in forks:
                dxs: Value = (Picked(here, douts[0]), *(None for _ in node.inputs[1:]))
            elif any([type(d) is Picked for d in douts]):
                dxs = added_up(douts)
            else:
                dxs = here.pure_backward(*douts) if derive is None else derive(node, douts)
            if not isinstance(dxs, tuple):
                dxs = (dxs,)
            if len(dxs) != len(node.inputs):
                raise ShapeError(
                    _(
                        "{node}.backward gave {given} gradients for {inputs} inputs; it must give one for"
                        " each, None where there is none.",
                        node=type(node).__name__,
                        given=len(dxs),
                        inputs=len(node.inputs),
                    )
                )
            for variable, dx in zip(node.inputs, dxs, strict=True):
                if dx is not None and variable in flows:
                    if strict and getattr(dx, "shape", ()) != variable.shape:
                        _refuse(node, variable, getattr(dx, "shape", ()))
                    gradients[variable] = dx
    return {v: g for v, g in gradients.items() if type(g) is not Picked} if forks else gradients


class Picked:
    """The gradient that an `Index` node sends back, not written out: 0 except at its key."""

    def __init__(self, node: Index, dout: Value) -> None:
        self.node, self.dout = node, dout
        self.shape = node.inputs[0].shape

    def add_to(self, total: Value) -> None:
        """Add the gradient to an array, in place."""
        key = self.node.places
        if all(isinstance(k, int | slice) or k is None or k is Ellipsis for k in key):
            total[key] += self.dout
        else:
            np.add.at(total, key, self.dout)


def added_up(douts: Sequence[Value]) -> Value:
    """The sum of the gradients on the arrows of a branch."""
    arrived = [d for d in douts if d is not None]
    first = arrived[0]
    if type(first) is Picked:
        total = np.zeros(first.shape, first.dout.dtype)
        first.add_to(total)
    else:
        total = np.array(first)
    for d in arrived[1:]:
        if type(d) is Picked:
            d.add_to(total)
        else:
            total += d
    return total


def _refuse(node: Node, variable: Variable, shape: tuple[int, ...]) -> None:
    position = str([v is variable for v in node.inputs].index(True))
    if variable.name:
        position += f" ({variable.name})"
    several = not node.elementwise and len(node.inputs) > 1
    raise ShapeError(
        sentences(
            _(
                "{node}.backward gave a gradient of shape {given} for its input {place}, which has shape"
                " {shape}; a gradient has the shape of its value.",
                node=type(node).__name__,
                given=shape,
                place=position,
                shape=variable.shape,
            ),
            several
            and _(
                "If the node works element by element, give its class `elementwise = True`, and its"
                " inputs come repeated to one shape."
            ),
        )
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
    """The first arrow of complex numbers that a gradient would flow back along, or None."""
    arrows = (v for node in graph.nodes for v in (*node.inputs, *node.outputs))
    return next((v for v in arrows if v.requires_grad and v.dtype.kind == "c"), None)


def refuse_complex(graph: Graph) -> None:
    """Raise if numbers are complex: the gradients here are slopes of real numbers."""
    v = first_complex(graph)
    if v is not None:
        raise DTypeError(
            _(
                "{name} holds {dtype}, and gradients are taken and checked of real numbers only. Compute"
                " with floats, the real and the imaginary part as two arrays.",
                name=graph.names[v],
                dtype=v.dtype,
            )
        )
