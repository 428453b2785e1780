"""Recording a user's formula: it is run once for its graph, and a second time to see that it repeats.

A recorded step is run without Python. So a formula that differs from run to run (it draws numbers,
counts, reads the clock, branches on the values of the rows) is refused, with advice on what to write.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from chainrule.errors import RecordingError, shown
from chainrule.graph.graph import Graph
from chainrule.graph.reads import Walk
from chainrule.graph.recording import Recording, recording
from chainrule.graph.variable import Parameter, Variable
from chainrule.lang.languages import chosen
from chainrule.lang.messages import _, in_language
from chainrule.nodes.base import Array, Value, ignore_fp_errors

__all__ = ["recorded", "refuse_untrained"]

#: The methods in which the formula of a network, a layer or a loss begins.
_FORMULAS = ("predict", "formula", "rows", "record", "loss", "function")


def recorded(
    formula: Callable[..., Variable], inputs: Sequence[Variable]
) -> tuple[Graph, Recording, list[Array]]:
    """Record a formula: its graph, the recording, and the arrays that it may compute with.

    The formula is run a second time, on other rows and other weights, and the recorded graph must give
    the same numbers. If it does not, the formula depends on numbers that change from step to step. So a
    formula that cannot be recorded is refused, whatever the reason.
    """
    with recording() as record:
        out = _output(formula, inputs)
    graph = Graph([out, *record.written.values()])
    owner: Any = getattr(formula, "__self__", None)
    if not hasattr(type(owner), "named_layers"):
        return graph, record, []
    walk = Walk(owner, _FORMULAS)
    for part in (*record.parts, *walk.parts):
        owner._revision.follow(part)
    if walk.written and not any(layer._opaque for _, layer in owner.named_layers()):
        before = _states(walk)
        equal = _again(formula, inputs, owner, graph)
        _refuse_change(owner, walk, equal, _states(walk) != before)
    record.reads += walk.reads
    return graph, record, walk.arrays


def _output(formula: Callable[..., Variable], inputs: Sequence[Variable]) -> Variable:
    out = formula(*inputs)
    if not isinstance(out, Variable):
        owner = getattr(formula, "__self__", formula)
        raise RecordingError(
            _(
                "{owner} gave {value} ({kind}), and must give one Variable: what is computed of x with"
                " layers, operators and functions. Several outputs are put side by side,"
                " cr.concatenate(list, axis=-1); a plain array has lost its gradient.",
                owner=type(owner).__name__,
                value=shown(out, 40),
                kind=type(out).__name__,
            )
        )
    return out


def _again(
    formula: Callable[..., Variable], inputs: Sequence[Variable], owner: Any, graph: Graph
) -> bool:
    """Whether the graph and the formula give the same numbers for other rows and weights."""
    others = [_moved(v) for v in inputs]
    with _weights_moved(owner), ignore_fp_errors():
        try:
            with recording() as record:
                expected = _output(formula, others)
        except Exception:  # the formula does not take such rows: the same rows, with other weights
            others = list(inputs)
            try:
                with recording() as record:
                    expected = _output(formula, others)
            except Exception:
                return False
        replayed = _replayed(graph, dict(zip(inputs, others, strict=True)))
    outputs = [expected, *record.written.values()]
    return len(replayed) == len(outputs) and all(
        np.array_equal(a, b.data, equal_nan=a.dtype.kind in "fc")
        for a, b in zip(replayed, outputs, strict=True)
    )


def _moved(v: Variable) -> Variable:
    """The rows in another order, and real inputs slightly smaller; targets and ids keep their values."""
    data = np.roll(v.data, 1, axis=0) if v.ndim else v.data
    if v.name == "x" and data.dtype.kind == "f":
        data = data * data.dtype.type(0.9375)
    return Variable(data, v.name, requires_grad=v.requires_grad)


@contextmanager
def _weights_moved(owner: Any) -> Iterator[None]:
    """Inside the block every parameter is slightly smaller, so that one read as a plain number shows."""
    arrays = [p.data for _, a in owner.named_layers() for p in a.parameters.values()]
    arrays = [a for a in arrays if a.flags.writeable]
    originals = [a.copy() for a in arrays]
    try:
        for a, original in zip(arrays, originals, strict=True):
            np.multiply(original, a.dtype.type(0.9375), out=a)
        yield
    finally:
        for a, original in zip(arrays, originals, strict=True):
            a[...] = original


def _replayed(graph: Graph, inputs: dict[Variable, Variable]) -> list[Array]:
    """The outputs of a graph for other inputs, with the present values of everything else."""
    values: dict[Variable, Value] = {}

    def value(v: Variable) -> Value:
        if v not in values:
            values[v] = inputs.get(v, v).data
        return values[v]

    for node in graph.nodes:
        out = node.pure_forward(*map(value, node.inputs))
        values.update(zip(node.outputs, out if isinstance(out, tuple) else (out,), strict=True))
    return [np.asarray(value(v)) for v in graph.outputs]


def _states(walk: Walk) -> list[object]:
    """The states of the random generators that the formula may draw from."""
    states: list[object] = [_state(g) for g in walk.generators.values()]
    if walk.generators or "random" in walk.names:
        with np.printoptions(threshold=10**6):
            states += [random.getstate(), repr(np.random.get_state(legacy=False))]
    return states


def _state(generator: Any) -> str:
    with np.printoptions(threshold=10**6):
        if hasattr(generator, "bit_generator"):
            return repr(generator.bit_generator.state)
        state = getattr(generator, "getstate", None) or generator.get_state
        return repr(state())


def refuse_untrained(owner: Any, leaves: Iterable[Variable], given: Iterable[Variable]) -> None:
    """Refuse a Variable that needs a gradient and would not be trained; warn of parameters as constants.

    `leaves` is everything that the formula of a network computed with, `given` its inputs.
    """
    named = owner.named_parameters()
    known = {*given, *named.values()}
    known.update(
        p.tied[0] for _, a in owner.named_layers() for p in a.parameters.values() if p.tied
    )
    for leaf in leaves:
        if leaf in known or leaf.call is not None:
            continue
        if leaf.requires_grad:
            kind = "Parameter" if isinstance(leaf, Parameter) else "Variable"
            shape = f"{leaf.shape} ({leaf.name})" if leaf.name else leaf.shape
            raise RecordingError(
                _(
                    "{owner}.predict computes with a {kind} of shape {shape} that the network does not"
                    " hold, so it would never be trained. Hold it, or its layer, in an attribute whose name"
                    " begins with a letter: self.g = cr.Parameter(...). If it is a constant, compute with"
                    " its numbers, .data.",
                    owner=type(owner).__name__,
                    kind=kind,
                    shape=shape,
                )
            )
        for name, parameter in named.items():
            if leaf.name is None and leaf.ndim and np.may_share_memory(leaf.data, parameter.data):
                path, last = name.rpartition(".")[::2]
                note = _(
                    "{owner}.predict reads the numbers of {name} as a constant: there no gradient flows to"
                    " it. The parameter itself is self.{layer}.parameters[{parameter!r}]. If a constant is"
                    " meant, say so: cr.Variable(self.{name}, {parameter!r}, requires_grad=False).",
                    owner=type(owner).__name__,
                    name=name,
                    layer=path,
                    parameter=last,
                )
                warnings.warn(in_language(note, chosen()), stacklevel=2)


def _refuse_change(owner: Any, walk: Walk, equal: bool, drawn: bool) -> None:
    """Raise if the formula differs from run to run; the message says why."""
    changed_names = [read.name for read in (*walk.reads, *walk.own) if read.changed()]
    if equal and not changed_names and not drawn:
        return
    name = f"{type(owner).__name__}.{'predict' if hasattr(type(owner), 'predict') else 'formula'}"
    if changed_names:
        raise RecordingError(
            _(
                "{formula} changes {name} whenever it is run. It is recorded once, and then run without"
                " Python: there would be no further change. What counts, logs or is scheduled is set between"
                " the steps, in a callback of fit.",
                formula=name,
                name=changed_names[0],
            )
        )
    if drawn or "default_rng" in walk.names:
        generator: str = _("a random generator")
        raise RecordingError(
            _(
                "{formula} draws from {generator}, so it gives other values whenever it is run. It is"
                " recorded once, and then run without Python: every step would have the draws of the first."
                " For noise inside a network use cr.Dropout, which draws anew at every step; to vary the"
                " data, call trainer.fit(vary(x), t, epochs=1) once for each epoch.",
                formula=name,
                generator=next(iter(walk.generators), generator),
            )
        )
    raise RecordingError(
        _(
            "{formula} computes with numbers that are others at every run: .data of a Variable or what was"
            " found from it, the numbers of a parameter, the clock. It is recorded once, and then run"
            " without Python: they would stay what they were. Write such a choice with cr.where and"
            " comparisons, a value of the rows with cr.max, cr.mean or cr.sort; a gradient is stopped by"
            " cr.stop_gradient(x).",
            formula=name,
        )
    )
