"""A network's step recorded for a readable program: the layer and the name of each value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine.memory import is_opaque, needed
from chainrule.engine.naming import output_names, parameter_names
from chainrule.engine.origins import Origin, claimed, origins_of
from chainrule.engine.plans import StepRecording
from chainrule.engine.primitives import Function
from chainrule.engine.protocols import RecordableNetwork
from chainrule.engine.rules import TEXT_FUNCTIONS
from chainrule.engine.trace import Traced
from chainrule.errors import RecordingError
from chainrule.graph.chain_rule import chain_rule
from chainrule.graph.mode import training_mode
from chainrule.graph.variable import Array
from chainrule.lang.messages import _
from chainrule.layers.base import Layer
from chainrule.layers.losses import Loss
from chainrule.script.local_names import collect_names
from chainrule.script.wording import explanation, identifier

if TYPE_CHECKING:
    from chainrule.engine.lowering import Lowered
    from chainrule.graph.scopes import Scope
    from chainrule.graph.variable import Parameter, Variable
    from chainrule.nodes import Node

__all__ = ["Part", "ScriptRecording", "record_predict", "record_step"]


@dataclass(eq=False)
class Part:
    """Lines that belong together: the forward or backward pass of one layer, or of a node outside any.

    `note` is the formula of the layer.
    """

    title: str
    backward: bool
    note: str = ""
    #: Whether the formulas of the single nodes are shown as well, as in a loss.
    nodes_too: bool = True


@dataclass
class ScriptRecording:
    """One recording for a batch of `rows` rows: its results, and names and parts of its values.

    `names` are the names of parameters, layers' outputs and gradients; `local_names` those that
    the formulas themselves use.
    """

    rows: int
    out: Traced
    arguments: list[Traced]
    writes: list[tuple[Traced, Traced]]
    gradients: list[tuple[Parameter, Traced]]
    buffers: dict[tuple[Layer, str], Traced]
    parameters: dict[Parameter, Traced]
    names: dict[Traced, str] = field(default_factory=dict)
    local_names: dict[Traced, str] = field(default_factory=dict)
    parts: dict[Traced, Part] = field(default_factory=dict)
    #: The node of the recorded graph that computes each value.
    origins: dict[Traced, Origin] = field(default_factory=dict)
    #: The value that each gradient is the gradient of.
    value_of: dict[Traced, Traced] = field(default_factory=dict)
    #: Name and formula of the node that computes each value.
    notes: dict[Traced, tuple[str, str]] = field(default_factory=dict)

    @property
    def targets(self) -> list[Traced]:
        """The values to compute: the output, the new values of buffers, the gradients."""
        return [self.out, *(v for _, v in self.writes), *(g for _, g in self.gradients)]


def _first_rows(array: Array, n: int) -> Array:
    """The first n rows of the data, repeated from the start if there are fewer."""
    return array[np.arange(n) % len(array)]


def record_step(
    network: RecordableNetwork, batch: Sequence[tuple[str, Array]], n: int
) -> ScriptRecording:
    """Record the forward and backward pass for n rows, in training mode."""
    rows = [(name, _first_rows(array, n)) for name, array in batch]
    with training_mode(True), collect_names() as local_names:
        rec = StepRecording(network._record_loss, rows, TEXT_FUNCTIONS)
        low = rec.lower()
        loss, writes = rec.results(low)
        trainable = [p for p in rec.parameters if p.trainable]
        gradients = low.gradients(trainable)
        # The same backward pass once more, with the same values, for all gradients in between.
        seed = rec.trace.constant(1.0, rec.graph.outputs[0].dtype)
        arrows = chain_rule(rec.graph, seed, low.value, trainable)
    pairs = list(zip(trainable, gradients, strict=True))
    recording = ScriptRecording(n, loss, list(rec.arguments.values()), writes, pairs, *_leaves(rec))
    recording.names[loss] = "loss"
    _Annotator(recording, network, rec, low, arrows).annotate(local_names)
    return recording


def record_predict(
    network: RecordableNetwork,
    x: Array,
    n: int,
    rules: Mapping[Function, Function] = TEXT_FUNCTIONS,
) -> ScriptRecording:
    """Record the outputs for n rows, in inference mode."""
    return _record_inference(network, network._record_predict, [("x", x)], n, rules)


def record_evaluation(
    network: RecordableNetwork, batch: Sequence[tuple[str, Array]], n: int
) -> ScriptRecording:
    """Record the loss of n rows, in inference mode."""
    return _record_inference(network, network._record_loss, batch, n, TEXT_FUNCTIONS)


def _record_inference(
    network: RecordableNetwork,
    what: Callable[..., Variable],
    batch: Sequence[tuple[str, Array]],
    n: int,
    rules: Mapping[Function, Function],
) -> ScriptRecording:
    rows = [(name, _first_rows(array, n)) for name, array in batch]
    with training_mode(False), collect_names() as local_names:
        rec = StepRecording(what, rows, rules)
        low = rec.lower()
        out, _ = rec.results(low)
    recording = ScriptRecording(n, out, list(rec.arguments.values()), [], [], *_leaves(rec))
    _Annotator(recording, network, rec, low, {}).annotate(local_names)
    return recording


def _leaves(rec: StepRecording) -> tuple[dict[tuple[Any, str], Traced], dict[Parameter, Traced]]:
    return dict(rec.buffers), {p: rec.leaves[p] for p in rec.parameters}


class _Annotator:
    """Adds to a recording the part and the name of each value."""

    def __init__(
        self,
        recording: ScriptRecording,
        network: RecordableNetwork,
        rec: StepRecording,
        low: Lowered,
        arrows: Mapping[Variable, Traced],
    ) -> None:
        self.recording, self.network, self.rec = recording, network, rec
        self.low, self.arrows = low, arrows
        self._parts: dict[tuple[Node | Scope, bool], Part] = {}

    def annotate(self, local_names: Mapping[Variable | Traced, str]) -> None:
        """Fill in parts and names; refuse what cannot be written out."""
        for value in needed(self.recording.targets):
            if is_opaque(value):
                raise RecordingError(
                    _(
                        "{layer} is written by hand, in Python, so what it computes is not known and cannot"
                        " be written out. Write it as a cr.Layer with a formula.",
                        layer=type(value.args[0].layer).__name__,
                    )
                )
        claims = claimed(self.rec.graph, self.low, self.arrows)
        self.recording.origins = origins_of(self.rec.graph, claims)
        for value, (node, backward) in claims.items():
            kind = type(node)
            self.recording.parts[value] = self._part(node, backward)
            function = kind.backward if backward else kind.forward
            self.recording.notes[value] = (identifier(kind.__name__), explanation(function))
        for variable, gradient in self.arrows.items():
            self.recording.value_of.setdefault(gradient, self.low.value(variable))
        self._name(local_names)

    # -- parts ----------------------------------------------------------------------------------

    def _part(self, node: Node, backward: bool) -> Part:
        scope = self.rec.graph.scopes[node]
        key = (node if scope is None else scope, backward)
        if key not in self._parts:
            kind: Any = type(node if scope is None else scope.layer)
            part = self._parts[key] = Part(identifier(kind.__name__), backward)
            if scope is not None and not backward:
                is_loss = issubclass(kind, Loss)
                part.note = explanation(kind.rows if is_loss else kind.formula)
                part.nodes_too = is_loss or not part.note
        return self._parts[key]

    # -- names ----------------------------------------------------------------------------------

    def _name(self, local_names: Mapping[Variable | Traced, str]) -> None:
        names, rec = self.recording.names, self.rec
        parameters = parameter_names(self.network)
        for p in rec.parameters:
            names[rec.leaves[p]] = parameters[p]
        for p, gradient in self.recording.gradients:
            names.setdefault(gradient, f"d{parameters[p]}")
        outputs = output_names(self.network, rec.outputs)
        variable_names = {v: name for v, name in local_names.items() if not isinstance(v, Traced)}
        self._arrows(names, {v: variable_names.get(v, name) for v, name in outputs.items()})
        self._arrows(self.recording.local_names, variable_names)
        for value, name in local_names.items():
            if isinstance(value, Traced):
                self.recording.local_names.setdefault(value, name)

    def _arrows(self, names: dict[Traced, str], variables: Mapping[Variable, str]) -> None:
        """Name the value and the gradient of every variable that has a name."""
        for variable, name in variables.items():
            if variable in self.low.values:
                names.setdefault(self.low.values[variable], name)
            if variable in self.arrows:
                names.setdefault(self.arrows[variable], f"d_{name}")
