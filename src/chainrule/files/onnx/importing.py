"""Reading ONNX files into networks that train on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chainrule.engine.lowering import Lowered
from chainrule.engine.plans import StepRecording
from chainrule.engine.trace import Traced
from chainrule.errors import ChainruleError, FormatError, shown
from chainrule.files.kinds import LOSSES
from chainrule.files.onnx.calls import short
from chainrule.files.onnx.checks import checked_model, settings_of
from chainrule.files.onnx.ends import MAX_NUMBERS, Nodes
from chainrule.files.onnx.formulas import ONNX_FUNCTIONS
from chainrule.files.onnx.meanings import MEANINGS, TAILS
from chainrule.files.onnx.network import OnnxNetwork, Step
from chainrule.files.onnx.recognition import Recognition, Recognized
from chainrule.files.onnx.writer import need_onnx
from chainrule.graph.mode import inference_mode
from chainrule.graph.variable import Array, Variable
from chainrule.lang.messages import _
from chainrule.layers import (
    BatchNorm,
    Dropout,
    Embedding,
    MeanSquaredError,
    Sigmoid,
    SigmoidWithLoss,
    Softmax,
    SoftmaxWithLoss,
)
from chainrule.layers.base import Layer
from chainrule.networks import Network, Sequential
from chainrule.storage.reading import read_bytes

if TYPE_CHECKING:
    from onnx import NodeProto

__all__ = ["load_onnx"]

Pathish = str | os.PathLike[str]

#: Inputs that are settings, which training leaves as they are: by operator, their places.
_SETTINGS = {"Pow": (1,), "Clip": (1, 2), "BatchNormalization": (3, 4), "OneHot": (2,)}
#: The losses that have a last layer of a network inside.
_WITHIN: dict[type[Any] | None, type[Any]] = {Softmax: SoftmaxWithLoss, Sigmoid: SigmoidWithLoss}


def load_onnx(path: Pathish, *, loss: Any = None, output: str | None = None) -> Network:
    """Load a network from an ONNX file, as PyTorch, Keras, scikit-learn or `save_onnx` wrote it.

    Its weights become parameters, so that it trains on, is drawn, checked and saved like any other. If
    the file's operators are chainrule's layers one after the other, it is a `Sequential` of these; else
    a network of the operators, with skip connections and all. What comes after the network (labels by
    ArgMax, ZipMap) and a preparation before it (of texts, of several inputs) are left out: the network
    takes rows of numbers or ids.

    A softmax or sigmoid at the end becomes a part of the loss, as everywhere in chainrule: `predict`
    gives the scores, and `predict_proba` what the file's output gives. With a loss that does not have it
    inside, it stays.

    Nothing in the file is run: it is checked completely first, and other files that it names are not
    read. Needs the extra [onnx].

    Args:
        path: the file.
        loss: what training makes smaller. None: what `save_onnx` wrote, or what fits the end
            (SoftmaxWithLoss, SigmoidWithLoss, else MeanSquaredError).
        output: the name of the output that counts, if the file has several of numbers.

    Raises:
        ExtraMissingError: the package onnx is not installed.
        DataError: no such file, or one that may not be read.
        FormatError: no ONNX file, a damaged one, or one with what is not read here, such as unknown
            operators, arrays in other files, loops; the message names them.

    >>> import chainrule as cr
    >>> net = cr.load_onnx("network.onnx", loss=cr.SoftmaxWithLoss())  # doctest: +SKIP
    """
    need_onnx("load_onnx")
    where = os.fspath(path)
    nodes = Nodes(checked_model(read_bytes(where), where, {*MEANINGS, *TAILS}), where)
    y = nodes.output(output)
    x = nodes.entry(y)
    try:
        network = _network(nodes, x, y)
        return _recognised(network, nodes, nodes.rows(x), loss)
    except ChainruleError as error:
        if isinstance(error, FormatError) and not error.__cause__:
            raise
        raise FormatError(
            _(
                "{where}: the network cannot be run: {why}. Export it in inference mode, for any number of"
                " rows (a dynamic first axis).",
                where=where,
                why=error.args[0],
            )
        ) from None


# -- nodes to steps -------------------------------------------------------------------------------------


def _network(nodes: Nodes, x: str, y: str) -> OnnxNetwork:
    """The nodes as a network of operators."""
    steps: list[Step] = []
    parts: dict[str, Layer] = {}
    moving = {x}  # the values that go with the rows
    for node in nodes.between(x, y):
        op = ("" if node.domain == "ai.onnx" else node.domain, node.op_type)
        if op in TAILS:
            raise FormatError(
                _(
                    "{where}: the operator {op} stands inside the network; it is known as a part of what"
                    " comes after one, such as labels.",
                    where=nodes.where,
                    op=shown(node.op_type),
                )
            )
        settings = settings_of(node, nodes.where)
        inputs, layer = tuple(node.input), _layer(node, settings, nodes, moving)
        if layer is not None:  # which has its arrays
            parts[node.output[0]] = layer
            inputs = inputs[1:2] if layer.takes_ids else inputs[:1]
        if node.op_type != "Shape" and moving.intersection(node.input):
            moving.update(node.output)
        name = "" if layer is None else node.output[0]
        title = shown(node.name or node.op_type)
        steps.append(Step(op, title, inputs, tuple(node.output), settings, nodes.version, name))
    weights, constants = _arrays(steps, nodes)
    if not weights and not parts:
        raise FormatError(
            _(
                "{where}: there are no weights in it, so there is nothing to train.",
                where=nodes.where,
            )
        )
    return OnnxNetwork(steps, x, y, weights, constants, parts)


def _layer(
    node: NodeProto, settings: Mapping[str, Any], nodes: Nodes, moving: set[str]
) -> Layer | None:
    """The layer that stands for a node with a state of its own, or for a gather by ids."""
    if node.op_type == "Dropout":
        ratio = settings.get("ratio", 0.5)
        if len(node.input) > 1 and nodes.is_array(node.input[1]):
            ratio = nodes.array(node.input[1]).ravel()[0]
        return Dropout(short(ratio)) if 0 <= ratio < 1 else None
    if node.op_type == "Gather" and nodes.is_array(node.input[0]) and node.input[1] in moving:
        table = nodes.array(node.input[0])
        rows = table.ndim == 2 and table.dtype.kind == "f" and not settings.get("axis", 0)
        return Embedding(table) if rows else None
    if node.op_type != "BatchNormalization" or nodes.rank(node.input[0]) != 2:
        return None
    if not all(nodes.is_array(name) for name in node.input[1:5]):
        return None
    gamma, beta, mean, var = (nodes.array(name) for name in node.input[1:5])
    momentum, eps = (short(settings.get(k, d)) for k, d in (("momentum", 0.9), ("epsilon", 1e-5)))
    norm = BatchNorm(gamma, beta, momentum=min(max(momentum, 0), 1 - 1e-6), eps=eps)
    norm.running_mean, norm.running_var = mean, var
    return norm


def _arrays(steps: Sequence[Step], nodes: Nodes) -> tuple[dict[str, Array], dict[str, Array]]:
    """The arrays that the steps read: weights, which training changes, and constants."""
    held = {
        step.inputs[i]
        for step in steps
        for i in _SETTINGS.get(step.op[1], ())
        if i < len(step.inputs)
    }
    weights: dict[str, Array] = {}
    constants: dict[str, Array] = {}
    for name in dict.fromkeys(name for step in steps for name in step.inputs):
        if nodes.is_array(name):
            array = nodes.array(name)
            # A number without axes, such as the ε of a variance, is no weight.
            learnt = array.dtype.kind == "f" and array.ndim and array.size and name not in held
            (weights if learnt else constants)[name] = array
    return weights, constants


# -- steps to layers --------------------------------------------------------------------------------------


def _recognised(network: OnnxNetwork, nodes: Nodes, rows: Array, loss: Any) -> Network:
    """A Sequential of the network's layers, or the network; in both cases with its loss."""
    network._flatten_parameters()
    values: dict[str, Any] = {}

    def formula(x: Variable) -> Variable:
        values.update(network._values(x, _Limit().take))
        out: Variable = values[network.y]
        return out

    with inference_mode():
        recording = StepRecording(formula, [("x", network._as_input(rows))], ONNX_FUNCTIONS)
        low = recording.lower()
    recognition = Recognition(recording.arguments["x"], network.dtype)
    last = recognition.last(low.value(recording.out))
    before = None if last is None else _name_of(last.x, values, low)
    kind = None if last is None or before is None else type(last.layer)
    network.loss = _loss(nodes, kind) if loss is None else loss
    if kind in _WITHIN and isinstance(network.loss, _WITHIN[kind]):
        assert before is not None
        network.y, network.steps = before, tuple(_leading_to(network, before))
    out = low.value(values[network.y])
    layers = recognition.layers(out, _known(network, values, low))
    return network if layers is None else Sequential(*layers, loss=network.loss)


class _Limit:
    """How many numbers the values of the network may still have."""

    def __init__(self) -> None:
        self.left = MAX_NUMBERS

    def take(self, size: int) -> None:
        """Raise if there are too many."""
        self.left -= size
        if self.left < 0:
            raise FormatError(
                _(
                    "for a few rows it computes more than {most:,} numbers, too many for a network that"
                    " is read here",
                    most=MAX_NUMBERS,
                )
            )


def _loss(nodes: Nodes, kind: type[Any] | None) -> Any:
    """The loss that the file names, or that goes with the last layer."""
    said = {p.key: p.value for p in nodes.model.metadata_props}.get("loss", "")
    return LOSSES[said].cls() if said in LOSSES else _WITHIN.get(kind, MeanSquaredError)()


def _name_of(value: Traced, values: Mapping[str, Any], low: Lowered) -> str | None:
    """The name in the file of a value that goes with the rows; None if it is inside an operator."""
    for name, variable in values.items():
        if isinstance(variable, Variable) and low.values.get(variable) is value:
            return name
    return None


def _leading_to(network: OnnxNetwork, name: str) -> list[Step]:
    """The steps that a value is computed by."""
    wanted, kept = {name}, []
    for step in reversed(network.steps):
        if wanted & set(step.outputs):
            kept.append(step)
            wanted |= set(step.inputs)
    return kept[::-1]


def _known(
    network: OnnxNetwork, values: Mapping[str, Any], low: Lowered
) -> dict[Traced, list[Recognized]]:
    """The layers that the network calls, by the values that they give."""
    known: dict[Traced, list[Recognized]] = {}
    for step in network.steps:
        if step.layer:
            out, x = (low.value(values[name]) for name in (step.outputs[0], step.inputs[0]))
            known.setdefault(out, []).append(Recognized(network.parts[step.layer], x))
    return known
