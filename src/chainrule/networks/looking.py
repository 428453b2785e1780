"""What a network has inside, to look at: its layers in a table, and the output of each for some rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from chainrule.engine.protocols import RecordableNetwork
from chainrule.graph.mode import evaluating
from chainrule.graph.recording import recording
from chainrule.graph.variable import Variable
from chainrule.layers.function import Function
from chainrule.layers.opaque import OpaqueLayer
from chainrule.nodes.base import ignore_fp_errors

if TYPE_CHECKING:
    from chainrule.layers.base import Layer

__all__ = ["activations", "summary"]

Array = npt.NDArray[Any]


def activations(network: RecordableNetwork, x: npt.ArrayLike) -> dict[str, Array]:
    """The output of every layer for x (see `Network.activations`)."""
    network.adopt()
    rows = Variable(network.entering(x))
    names = {id(layer): f"layer {path} ({layer.label})" for path, layer in network.named_layers()}
    with recording() as made, evaluating(), ignore_fp_errors():
        network.record_predict(rows)
    return {names[id(layer)]: out.data for layer, out in made.outputs if id(layer) in names}


def summary(network: RecordableNetwork) -> str:
    """A table of layers, shapes and parameters (see `Network.summary`)."""
    network.adopt()
    rows = [("layer", "parameters", "count", "")]
    named = network.named_layers()
    wide = max((len(path) for path, _ in named), default=0)
    rows += [_row(path.ljust(wide), layer) for path, layer in named]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d}".rstrip() for a, b, c, d in rows
    ]
    rule = "─" * max(map(len, lines))
    lines.insert(1, rule)
    total = sum(_count(layer) for layer in network.layers)
    still = sum(_count(layer) for layer in network.layers if not layer.trainable)
    frozen = f", {still:,} of them frozen" if still else ""
    loss = type(network.loss).__name__ if network.loss is not None else "none"
    lines += [rule, f"{total:,} parameters{frozen}, {network.dtype}; loss: {loss}"]
    return "\n".join(lines)


def _row(path: str, layer: Layer) -> tuple[str, str, str, str]:
    parameters = layer._parameters
    shapes = " ".join(f"{name} {'×'.join(map(str, p.shape))}" for name, p in parameters.items())
    kind = repr(layer) if isinstance(layer, OpaqueLayer | Function) else layer.label
    note = "" if layer.trainable else "frozen"
    if any(p.tied for p in parameters.values()):
        note = "shared"
    return f"{path}  {kind}", shapes or "-", f"{_count(layer):,}", note


def _count(layer: Layer) -> int:
    return sum(p.size for p in layer._parameters.values() if p.tied is None)
