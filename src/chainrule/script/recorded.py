"""A network's step, recorded to be read by people: which layer each value belongs to, and its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.memory import is_opaque, needed
from chainrule.engine.naming import output_names, parameter_names
from chainrule.engine.plans import StepRecording
from chainrule.engine.protocols import RecordableNetwork
from chainrule.engine.rules import TEXT_FUNCTIONS
from chainrule.engine.trace import Traced
from chainrule.errors import RecordingError
from chainrule.graph.chain_rule import chain_rule
from chainrule.graph.mode import training_mode
from chainrule.lang.messages import _
from chainrule.layers.losses import Loss
from chainrule.script.local_names import hearing
from chainrule.script.wording import explained, identifier

if TYPE_CHECKING:
    from chainrule.engine.lowering import Lowered
    from chainrule.graph.variable import Parameter, Variable
    from chainrule.nodes import Node

__all__ = ["Part", "ScriptRecording", "record_predict", "record_step"]

Array = npt.NDArray[Any]


@dataclass(eq=False)
class Part:
    """Lines that belong together: one run of a layer, or one node outside any, one way."""

    title: str
    backward: bool
    note: str = ""
    #: Whether the formulas of the single nodes are told too, as in a loss, where they are the news.
    nodes_too: bool = True


@dataclass
class ScriptRecording:
    """One recording for so many rows: what it gives, and what its values are called and belong to.

    `names` are those of parameters, layers' outputs and gradients; `heard` are those that the
    formulas themselves use.
    """

    rows: int
    out: Traced
    arguments: list[Traced]
    writes: list[tuple[Traced, Traced]]
    gradients: list[tuple[Parameter, Traced]]
    buffers: dict[Any, Traced]
    parameters: dict[Parameter, Traced]
    names: dict[Traced, str] = field(default_factory=dict)
    heard: dict[Traced, str] = field(default_factory=dict)
    parts: dict[Traced, Part] = field(default_factory=dict)
    #: The value that each gradient is the gradient of.
    of: dict[Traced, Traced] = field(default_factory=dict)
    #: The formula of the node, for what a layer's own does not tell.
    notes: dict[Traced, tuple[str, str]] = field(default_factory=dict)

    @property
    def targets(self) -> list[Traced]:
        """What is to be computed."""
        return [self.out, *(v for _, v in self.writes), *(g for _, g in self.gradients)]


def _first(array: Array, n: int) -> Array:
    """n rows of the data, again from the first where there are fewer."""
    return array[np.arange(n) % len(array)]


def record_step(
    network: RecordableNetwork, batch: Sequence[tuple[str, Array]], n: int
) -> ScriptRecording:
    """Forward and backward for n rows."""
    rows = [(name, _first(array, n)) for name, array in batch]
    with training_mode(True), hearing() as heard:
        rec = StepRecording(network._record_loss, rows, TEXT_FUNCTIONS)
        low = rec.lower()
        loss, writes = rec.results(low)
        wanted = [p for p in rec.parameters if p.trainable]
        gradients = low.gradients(wanted)
        # The same walk once more, which gives the same values, for all the arrows between.
        seed = rec.trace.constant(1.0, rec.graph.outputs[0].dtype)
        arrows = chain_rule(rec.graph, seed, low.value, wanted)
    pairs = list(zip(wanted, gradients, strict=True))
    made = ScriptRecording(n, loss, list(rec.arguments.values()), writes, pairs, *_leaves(rec))
    made.names[loss] = "loss"
    _Told(made, network, rec, low, arrows).tell(heard)
    return made


def record_predict(network: RecordableNetwork, x: Array, n: int) -> ScriptRecording:
    """The outputs for n rows, layers behaving as in use."""
    with training_mode(False), hearing() as heard:
        rec = StepRecording(network._record_predict, [("x", _first(x, n))], TEXT_FUNCTIONS)
        low = rec.lower()
        out, _ = rec.results(low)
    made = ScriptRecording(n, out, list(rec.arguments.values()), [], [], *_leaves(rec))
    _Told(made, network, rec, low, {}).tell(heard)
    return made


def _leaves(rec: StepRecording) -> tuple[dict[Any, Traced], dict[Parameter, Traced]]:
    return dict(rec.buffers), {p: rec.leaves[p] for p in rec.parameters}


class _Told:
    """Who computed what, and what it is called."""

    def __init__(
        self,
        made: ScriptRecording,
        network: RecordableNetwork,
        rec: StepRecording,
        low: Lowered,
        arrows: Mapping[Variable, Traced],
    ) -> None:
        self.made, self.network, self.rec = made, network, rec
        self.low, self.arrows = low, arrows
        self._parts: dict[Any, Part] = {}

    def tell(self, heard: Mapping[Any, str]) -> None:
        """Fill in parts and names; refuse what cannot be written out."""
        for value in needed(self.made.targets):
            if is_opaque(value):
                raise RecordingError(
                    _(
                        "{layer} is written by hand, in Python, so what it computes is not known and cannot"
                        " be written out. Write it as a cr.Layer with a formula.",
                        layer=type(value.args[0].layer).__name__,
                    )
                )
        nodes = self.rec.graph.nodes
        for node in nodes:
            self._claim(node, [self.low.value(v) for v in node.outputs], backward=False)
        for node in reversed(nodes):
            came = [self.arrows[v] for v in node.inputs if v in self.arrows]
            self._claim(node, came, backward=True)
        for variable, gradient in self.arrows.items():
            self.made.of.setdefault(gradient, self.low.value(variable))
        self._name(heard)

    # -- whose it is ----------------------------------------------------------------------------

    def _claim(self, node: Node, found: list[Traced], backward: bool) -> None:
        """What the node computed and no node before it did."""
        part, ahead = self._part(node, backward), list(found)
        kind = type(node)
        told = kind.backward if backward else kind.forward
        note = (identifier(kind.__name__), explained(told))
        while ahead:
            value = ahead.pop()
            if value.function is not None and value not in self.made.parts:
                self.made.parts[value] = part
                self.made.notes[value] = note
                ahead.extend(value.operands)

    def _part(self, node: Node, backward: bool) -> Part:
        scope = self.rec.graph.scopes[node]
        key = (node if scope is None else scope, backward)
        if key not in self._parts:
            kind: Any = type(node if scope is None else scope.layer)
            part = self._parts[key] = Part(identifier(kind.__name__), backward)
            if scope is not None and not backward:
                is_loss = issubclass(kind, Loss)
                part.note = explained(kind.rows if is_loss else kind.formula)
                part.nodes_too = is_loss or not part.note
        return self._parts[key]

    # -- what it is called ----------------------------------------------------------------------

    def _name(self, heard: Mapping[Any, str]) -> None:
        names, rec = self.made.names, self.rec
        called = parameter_names(self.network)
        for p in rec.parameters:
            names[rec.leaves[p]] = called[p]
        for p, gradient in self.made.gradients:
            names.setdefault(gradient, f"d{called[p]}")
        outputs = output_names(self.network, rec.outputs)
        own = {v: name for v, name in heard.items() if not isinstance(v, Traced)}
        self._arrows(names, {v: own.get(v, name) for v, name in outputs.items()})
        self._arrows(self.made.heard, own)
        for value, name in heard.items():
            if isinstance(value, Traced):
                self.made.heard.setdefault(value, name)

    def _arrows(self, names: dict[Traced, str], called: Mapping[Variable, str]) -> None:
        """The value and the gradient of every arrow that has a name."""
        for variable, name in called.items():
            if variable in self.low.values:
                names.setdefault(self.low.values[variable], name)
            if variable in self.arrows:
                names.setdefault(self.arrows[variable], f"d_{name}")
