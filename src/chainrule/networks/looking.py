"""Views of a network: the table of its layers, and the output of each layer for some rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from chainrule.engine.protocols import RecordableNetwork
from chainrule.graph.mode import inference_mode
from chainrule.graph.recording import recording
from chainrule.graph.variable import Variable
from chainrule.lang.messages import Message, _, _n, _p, in_language
from chainrule.layers.function import Function
from chainrule.layers.opaque import OpaqueLayer
from chainrule.nodes.base import ignore_fp_errors
from chainrule.text_width import cells_wide, padded

if TYPE_CHECKING:
    from chainrule.layers.base import Layer

__all__ = ["activations", "summary"]

Array = npt.NDArray[Any]


def activations(network: RecordableNetwork, x: npt.ArrayLike) -> dict[str, Array]:
    """The output of every layer for x (see `Network.activations`)."""
    network._flatten_parameters()
    rows = Variable(network._as_input(x))
    names = {id(layer): f"layer {path} ({layer.label})" for path, layer in network.named_layers()}
    with recording() as record, inference_mode(), ignore_fp_errors():
        network._record_predict(rows)
    return {names[id(layer)]: out.data for layer, out in record.outputs if id(layer) in names}


#: The column heads of the table of layers; the last column is for notes.
HEADS = (_("layer"), _("parameters"), _("count"), "")


def summary(network: RecordableNetwork, lang: str) -> str:
    """A table of layers, shapes and parameters (see `Network.summary`)."""
    network._flatten_parameters()
    named = network.named_layers()
    wide = max((len(path) for path, layer in named), default=0)
    rows = [tuple(in_language(head, lang) for head in HEADS)]
    rows += [_row(path.ljust(wide), layer, lang) for path, layer in named]
    widths = [max(cells_wide(row[i]) for row in rows) for i in range(4)]
    lines = []
    for name, shapes, count, note in rows:
        right = " " * (widths[2] - cells_wide(count)) + count
        cells = padded(name, widths[0]), padded(shapes, widths[1]), right, note
        lines.append("  ".join(cells).rstrip())
    rule = "─" * max(map(cells_wide, lines))
    lines.insert(1, rule)
    return "\n".join([*lines, rule, _total(network).said(lang)])


def _total(network: RecordableNetwork) -> Message:
    """The line below the table."""
    total = sum(_count(layer) for layer in network.layers)
    frozen = sum(_count(layer) for layer in network.layers if not layer.trainable)
    loss = _p("loss", "none") if network.loss is None else type(network.loss).__name__
    parameters = _n("{n:,} parameter", "{n:,} parameters", total)
    if frozen:
        return _(
            "{parameters}, {frozen:,} of them frozen, {dtype}; loss: {loss}",
            parameters=parameters,
            frozen=frozen,
            dtype=network.dtype,
            loss=loss,
        )
    return _(
        "{parameters}, {dtype}; loss: {loss}", parameters=parameters, dtype=network.dtype, loss=loss
    )


def _row(path: str, layer: Layer, lang: str) -> tuple[str, str, str, str]:
    parameters = layer._parameters
    shapes = " ".join(f"{name} {'×'.join(map(str, p.shape))}" for name, p in parameters.items())
    kind = repr(layer) if isinstance(layer, Function) else layer.label
    if isinstance(layer, OpaqueLayer):
        kind = _("{layer} (hand-written)", layer=layer.label).said(lang)
    note = "" if layer.trainable else _p("parameters", "frozen").said(lang)
    if any(p.tied for p in parameters.values()):
        note = _p("parameters", "shared").said(lang)
    return f"{path}  {kind}", shapes or "-", f"{_count(layer):,}", note


def _count(layer: Layer) -> int:
    return sum(p.size for p in layer._parameters.values() if p.tied is None)
