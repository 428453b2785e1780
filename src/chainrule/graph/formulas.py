"""Recording what a user wrote: run once for its graph, and once more to see that it is always the same.

A recorded step is run without Python, so a formula that gives something else at every run (it draws
numbers, counts, looks at the clock, chooses by the values of the rows) is refused, and says what to write.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import RecordingError, shown
from chainrule.graph.graph import Graph
from chainrule.graph.reads import Walk
from chainrule.graph.recording import Recording, recording
from chainrule.graph.variable import Parameter, Variable
from chainrule.lang.languages import chosen
from chainrule.lang.messages import _, in_language
from chainrule.nodes.base import ignore_fp_errors

__all__ = ["recorded", "refuse_untrained"]

Array = npt.NDArray[Any]

#: Where the text of a network, a layer or a loss begins.
_FORMULAS = ("predict", "formula", "rows", "record", "loss", "function")


def recorded(
    formula: Callable[..., Variable], inputs: Sequence[Variable]
) -> tuple[Graph, Recording, list[Array]]:
    """Record a formula: its graph, what it left in the recording, and arrays that it may compute with.

    What the user wrote is run a second time, on other rows and other weights, where the recorded graph
    must give the same: otherwise it went by numbers that are others at every step. So a formula that
    cannot be recorded is refused, whatever the reason.
    """
    with recording() as made:
        out = _output(formula, inputs)
    graph = Graph([out, *made.written.values()])
    owner: Any = getattr(formula, "__self__", None)
    if not hasattr(type(owner), "named_layers"):
        return graph, made, []
    walk = Walk(owner, _FORMULAS)
    for part in (*made.parts, *walk.parts):
        owner._revision.follow(part)
    if walk.written and not any(layer._opaque for _, layer in owner.named_layers()):
        before = _states(walk)
        equal = _again(formula, inputs, owner, graph)
        _refuse_change(owner, walk, equal, _states(walk) != before)
    made.reads += walk.reads
    return graph, made, walk.arrays


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
    """Whether the graph and the formula itself give the same where rows and weights are others."""
    others = [_moved(v) for v in inputs]
    with _weights_moved(owner), ignore_fp_errors():
        try:
            with recording() as made:
                right = _output(formula, others)
        except Exception:  # rows that it does not take, so the same ones must do
            others = list(inputs)
            try:
                with recording() as made:
                    right = _output(formula, others)
            except Exception:
                return False
        found = _replayed(graph, dict(zip(inputs, others, strict=True)))
    wanted = [right, *made.written.values()]
    return len(found) == len(wanted) and all(
        np.array_equal(a, b.data, equal_nan=a.dtype.kind in "fc")
        for a, b in zip(found, wanted, strict=True)
    )


def _moved(v: Variable) -> Variable:
    """The rows in another order, and real numbers a little smaller; targets and ids stay what they are."""
    data = np.roll(v.data, 1, axis=0) if v.ndim else v.data
    if v.name == "x" and data.dtype.kind == "f":
        data = data * data.dtype.type(0.9375)
    return Variable(data, v.name, requires_grad=v.requires_grad)


@contextmanager
def _weights_moved(owner: Any) -> Iterator[None]:
    """Meanwhile every parameter is a little smaller: what was read of one as a plain number shows."""
    arrays = [p.data for _, a in owner.named_layers() for p in a.parameters.values()]
    arrays = [a for a in arrays if a.flags.writeable]
    kept = [a.copy() for a in arrays]
    try:
        for a, old in zip(arrays, kept, strict=True):
            np.multiply(old, a.dtype.type(0.9375), out=a)
        yield
    finally:
        for a, old in zip(arrays, kept, strict=True):
            a[...] = old


def _replayed(graph: Graph, given: dict[Variable, Variable]) -> list[Array]:
    """The outputs of a graph for other inputs; everything else as it is now."""
    values: dict[Variable, Any] = {}

    def value(v: Variable) -> Any:
        if v not in values:
            values[v] = given.get(v, v).data
        return values[v]

    for node in graph.nodes:
        out = node.pure_forward(*map(value, node.inputs))
        values.update(zip(node.outputs, out if isinstance(out, tuple) else (out,), strict=True))
    return [np.asarray(value(v)) for v in graph.outputs]


def _states(walk: Walk) -> list[Any]:
    """Where the random generators stand that the formula may draw from."""
    found: list[Any] = [_state(g) for g in walk.generators.values()]
    if walk.generators or "random" in walk.names:
        with np.printoptions(threshold=10**6):
            found += [random.getstate(), repr(np.random.get_state(legacy=False))]
    return found


def _state(generator: Any) -> str:
    with np.printoptions(threshold=10**6):
        if hasattr(generator, "bit_generator"):
            return repr(generator.bit_generator.state)
        state = getattr(generator, "getstate", None) or generator.get_state
        return repr(state())


def refuse_untrained(owner: Any, leaves: Iterable[Variable], given: Iterable[Variable]) -> None:
    """An error for a Variable that wants a gradient and that nobody would train; a word on constants.

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
    """An error for what is not the same at every run."""
    moved = [read.name for read in (*walk.reads, *walk.own) if read.changed()]
    if equal and not moved and not drawn:
        return
    who = f"{type(owner).__name__}.{'predict' if hasattr(type(owner), 'predict') else 'formula'}"
    if moved:
        raise RecordingError(
            _(
                "{formula} changes {name} whenever it is run. It is recorded once, and then run without"
                " Python: there would be no further change. What counts, logs or is scheduled is set between"
                " the steps, in a callback of fit.",
                formula=who,
                name=moved[0],
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
                formula=who,
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
            formula=who,
        )
    )
