"""Plans: programs for a layer, for a network's forward and backward, and for a training step.

All are recorded the same way (run the formula on Variables, close the graph, lower it), and
differ only in the arguments of a run and in the arrays that it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.engine.cost import Work, work_of
from chainrule.engine.lowering import Lowered, fresh
from chainrule.engine.memory import needed, root_of
from chainrule.engine.primitives import Array, Function, filled, take_rows
from chainrule.engine.program import Program, Section, build
from chainrule.engine.protocols import RecordableLayer, RecordableNetwork, UpdateRule
from chainrule.engine.rules import FUNCTIONS
from chainrule.engine.trace import Trace, Traced
from chainrule.graph.formulas import recorded, refuse_untrained
from chainrule.graph.reads import ArrayRead
from chainrule.graph.recording import Reads
from chainrule.graph.variable import Parameter, Variable

__all__ = [
    "LayerPlan",
    "StepRecording",
    "plan_layer",
    "plan_loss",
    "plan_predict",
    "plan_step",
    "plan_update",
    "update_work",
]


class StepRecording:
    """A formula recorded for some inputs: the graph, its leaves as traced values, its buffers."""

    def __init__(
        self,
        formula: Callable[..., Variable],
        inputs: Sequence[tuple[str, Array]],
        rules: Mapping[Function, Function] = FUNCTIONS,
    ) -> None:
        variables = [Variable(array, name) for name, array in inputs]
        self.graph, record, self._arrays = recorded(formula, variables)
        self.out = self.graph.outputs[0]
        self.trace = Trace(rules, record.reads)
        self.written = list(record.written.items())
        #: The output of every layer, in the order they ran.
        self.outputs = record.outputs
        self._checks = record.checks
        self.inputs = dict(zip([name for name, _ in inputs], variables, strict=True))
        owner: Any = getattr(formula, "__self__", None)
        if hasattr(owner, "_flatten_parameters"):  # a network
            refuse_untrained(owner, self.graph.inputs, [*variables, *record.read.values()])
        self.arguments = {
            name: self.trace.argument(v.shape, v.dtype, name) for name, v in self.inputs.items()
        }
        self.leaves: dict[Variable, Traced] = {
            self.inputs[name]: leaf for name, leaf in self.arguments.items()
        }
        self.buffers: dict[tuple[object, str], Traced] = {}
        for key, variable in record.read.items():
            layer, name = key
            self.buffers[key] = self.leaves[variable] = self.trace.bind(layer.buffers[name], name)
        self.parameters = [v for v in self.graph.inputs if isinstance(v, Parameter)]
        for parameter in self.parameters:
            self.leaves[parameter] = self.trace.bind(parameter.data, parameter.name or "p")

    @property
    def reads(self) -> Reads:
        """The values read while recording, other than the inputs, that the program does not read."""
        bound = {id(value.array) for value in self.trace.values if value.array is not None}
        return self.trace.reads + [ArrayRead(a) for a in self._arrays if id(a) not in bound]

    def lower(self) -> Lowered:
        """The forward pass as primitives."""
        targets = self.inputs.get("t")  # checked as a whole, when they are given
        checks = [(v, check) for v, check in self._checks if v is not targets]
        return Lowered(self.graph, self.trace, self.leaves, checks)

    def results(self, low: Lowered) -> tuple[Traced, list[tuple[Traced, Traced]]]:
        """The output, and the writes into buffers: each a leaf with the value for it."""
        writes = []
        for (key, _), variable in zip(self.written, self.graph.outputs[1:], strict=True):
            layer, name = key
            if key not in self.buffers:
                self.buffers[key] = self.trace.bind(layer.buffers[name], name)
            leaf = self.buffers[key]
            writes.append((leaf, low.value(variable)))
        return low.value(self.graph.outputs[0]), _at_once(writes)

    def gradient_writes(
        self, low: Lowered, seed: Traced | None = None, more: Iterable[Parameter] = ()
    ) -> list[tuple[Traced, Traced]]:
        """The writes of the trainable parameters' gradients; 0 for those of `more` not in the graph."""
        trainable = [p for p in dict.fromkeys([*self.parameters, *more]) if p.trainable]
        grads = low.gradients(trainable, seed)
        return [
            (self.trace.bind(p.grad, f"d{p.name}"), g)
            for p, g in zip(trainable, grads, strict=True)
        ]


@dataclass(frozen=True)
class LayerPlan:
    """A layer's forward and backward for one input shape, with the output's shape and dtype."""

    program: Program
    forward: Function
    backward: Function
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def _built(rec: StepRecording, *sections: Section, planned: bool) -> Program:
    """The program for a recording."""
    program = build(sections, planned=planned)
    program.reads = rec.reads
    return program


def _named(inputs: Sequence[Array | None], names: str) -> list[tuple[str, Array]]:
    return [(n, a) for n, a in zip(names.split(), inputs, strict=False) if a is not None]


def plan_layer(layer: RecordableLayer, inputs: Sequence[Array | None]) -> LayerPlan:
    """A layer by itself: `forward(x)` and `backward(dout)`, which return new arrays."""
    rec = StepRecording(layer._record, _named(inputs, "x t w"))
    low = rec.lower()
    out, writes = rec.results(low)
    forward = Section("forward", list(rec.arguments.values()), [fresh(out)], writes)
    x = rec.inputs["x"]
    dout = rec.trace.argument(rec.out.shape, rec.out.dtype, "dout")
    returns = [fresh(g) for g in low.gradients([x] if x.requires_grad else [], dout)]
    backward = Section("backward", [dout], returns, rec.gradient_writes(low, dout))
    program = _built(rec, forward, backward, planned=False)
    run = program.functions
    return LayerPlan(program, run["forward"], run["backward"], rec.out.shape, rec.out.dtype)


def plan_loss(network: RecordableNetwork, x: Array, t: Array, w: Array | None) -> Program:
    """A network's `forward(x, t)` and `backward()`, in fixed buffers."""
    rec = StepRecording(network._record_loss, _named((x, t, w), "x t w"))
    low = rec.lower()
    loss, writes = rec.results(low)
    forward = Section("forward", list(rec.arguments.values()), [loss], writes)
    gradients = rec.gradient_writes(low, more=network.named_parameters().values())
    backward = Section("backward", [], [], gradients)
    return _built(rec, forward, backward, planned=True)


def plan_predict(network: RecordableNetwork, x: Array) -> Program:
    """A network's outputs for x, as a new array."""
    rec = StepRecording(network._record_predict, [("x", x)])
    out, writes = rec.results(rec.lower())
    section = Section("predict", list(rec.arguments.values()), [fresh(out)], writes)
    return _built(rec, section, planned=False)


def plan_step(
    network: RecordableNetwork, x: Array, t: Array, w: Array | None, rows: Array
) -> Program:
    """Gather the rows of a mini-batch, forward, backward: `step(x, t[, w], rows)` gives the loss."""
    batch = _named((x, t, w), "x t w")
    rec = StepRecording(network._record_loss, [(name, a[rows]) for name, a in batch])
    numbers = rec.trace.argument(rows.shape, rows.dtype, "rows")
    whole = {name: rec.trace.argument(a.shape, a.dtype, f"{name}_all") for name, a in batch}
    for name, data in whole.items():
        rec.leaves[rec.inputs[name]] = rec.trace.call(take_rows, data, numbers)
    low = rec.lower()
    loss, writes = rec.results(low)
    writes += rec.gradient_writes(low, more=network.named_parameters().values())
    section = Section("step", [*whole.values(), numbers], [loss], writes)
    return _built(rec, section, planned=True)


def _at_once(writes: Iterable[tuple[Traced, Traced]]) -> list[tuple[Traced, Traced]]:
    """The writes, changed so that their order does not matter.

    A value that is a destination of another write is copied first, so that its old contents are used.
    """
    writes = list(writes)
    destinations = {destination for destination, _ in writes}
    return [
        (destination, value.trace.call(filled, value))
        if root_of(value) in destinations and value is not destination
        else (destination, value)
        for destination, value in writes
    ]


def plan_update(optimizer: UpdateRule, p: Array, g: Array, decay: bool, factor: float) -> Function:
    """An optimizer's rule for arrays of one shape: `update(p, g, *slots, *numbers)`, in place."""
    program = build([_update(optimizer, p, g, decay, factor)], planned=True)
    return program.functions["update"]


def update_work(optimizer: UpdateRule, p: Array, g: Array, decay: bool, factor: float) -> Work:
    """The work of the program that `plan_update` makes."""
    return work_of(needed(v for _, v in _update(optimizer, p, g, decay, factor).writes))


def _update(optimizer: UpdateRule, p: Array, g: Array, decay: bool, factor: float) -> Section:
    trace = Trace(FUNCTIONS)
    parameter = trace.argument(p.shape, p.dtype, "p")
    gradient = trace.argument(g.shape, g.dtype, "g")
    slots = [trace.argument(p.shape, p.dtype, name) for name in optimizer.slots]
    numbers = {name: trace.number(name) for name in optimizer._hyperparameter_names}
    arguments = [parameter, gradient, *slots, *numbers.values()]
    operands = parameter, gradient.astype(p.dtype), list(slots), dict(numbers)
    new = optimizer.apply_rule(*operands, decay, factor)
    writes = _at_once(zip([parameter, *slots], new, strict=True))
    return Section("update", arguments, [], writes)
