"""Proof: a verdict on every arrow of a graph, each node by itself, for the gradient that arrives there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.graph.chain_rule import chain_rule, refuse_complex
from chainrule.graph.local import as_float64
from chainrule.graph.variable import Variable
from chainrule.graph.verdicts import (
    CHANGING,
    Verdict,
    directions,
    judged,
    refused,
    repeats,
    table,
    weights,
    worst,
)
from chainrule.graph.wording import number
from chainrule.nodes.base import Node, Value, ignore_fp_errors
from chainrule.text_width import cells_wide

if TYPE_CHECKING:
    from chainrule.graph.graph import Graph

__all__ = ["ArrowVerdict", "Proof", "prove"]

Array = npt.NDArray[Any]
#: What is said of arrows whose numbers, or only whose slopes, are not finite.
NOT_FINITE, STEEP = "not finite", "the slope is not finite here"
HEAD = ("gradient", "into", "layer", "shape", "verdict", "error", "allowed", "")


@dataclass(frozen=True, kw_only=True)
class ArrowVerdict(Verdict):
    """The verdict on the gradient of one arrow, where it goes into a node; or from end to end."""

    #: The arrow's name in `graph.names`, as in every step and in the picture's SVG (`data-arrow`).
    arrow: str
    shape: tuple[int, ...]
    #: The node that takes the arrow, and the run of a layer it is in; empty from end to end.
    node: str
    layer: str
    #: Whether numbers could be compared: NaN and infinity prove nothing.
    finite: bool = True

    @property
    def verdict(self) -> str:
        """The verdict in a word or two."""
        return super().verdict if self.finite else NOT_FINITE

    @property
    def trouble(self) -> str:
        """What it shares with other arrows that are not right."""
        if self.finite or (self.note == STEEP and math.isfinite(self.got)):
            return self.note
        return NOT_FINITE


@dataclass(frozen=True)
class Proof:
    """What `Graph.check` found: a verdict for every arrow, and for every input from end to end."""

    #: By the arrow, for the drawing.
    verdicts: dict[Variable, ArrowVerdict]
    #: The gradients of inputs and parameters, through the whole graph.
    ends: dict[Variable, ArrowVerdict]

    @property
    def rows(self) -> tuple[ArrowVerdict, ...]:
        """The verdicts on the arrows, from the last node to the first."""
        return tuple(self.verdicts.values())

    @property
    def ok(self) -> bool:
        """Whether every arrow and every end is right."""
        return all(row.ok for row in (*self.rows, *self.ends.values()))

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return "\n".join([*self.lines(), self.summary])

    def lines(self, width: int | None = None) -> list[str]:
        """The table of all verdicts, with fewer columns where it would be wider than `width`."""
        cells = [HEAD, *map(_cells, self.rows)]
        if self.ends:
            cells += [("",) * len(HEAD), *map(_cells, self.ends.values())]
        names = list(HEAD)
        for least in ("allowed", "shape", "error", "layer", "into"):
            if width is None or max(map(cells_wide, table([c[:-1] for c in cells]))) <= width:
                break
            i = names.index(least)
            del names[i]
            cells = [(*line[:i], *line[i + 1 :]) for line in cells]
        return table(cells)

    __repr__ = __str__

    @property
    def summary(self) -> str:
        """The verdict in a line or two."""
        rows, ends = self.rows, tuple(self.ends.values())
        if not rows:
            return "No gradient flows in this graph: there is nothing to check."
        if self.ok:
            arrows = {1: "The arrow agrees", 2: "Both arrows agree"}
            inputs = {1: "does the input", 2: "do both inputs"}
            return (
                f"{arrows.get(len(rows), f'All {len(rows)} arrows agree')} with the {_oracles(rows)}, and"
                f" so {inputs.get(len(ends), f'do all {len(ends)} inputs')} from end to end."
            )
        groups: dict[str, list[ArrowVerdict]] = {}
        for row in rows:
            if not row.ok:
                groups.setdefault(row.trouble, []).append(row)
        lines = [
            f"{len(found)} of {len(rows)} {'arrow' if len(rows) == 1 else 'arrows'} {_what(note, found)}:"
            f" {_listed([_where(row) for row in found])}."
            for note, found in groups.items()
        ]
        bad = [f"∂{r.arrow}" for r in ends if not r.ok and r.finite and not r.note]
        if bad:
            behind = ", as what comes from there must" if lines else ""
            lines.append(
                f"From end to end {_listed(bad)} {'are' if len(bad) > 1 else 'is'} wrong{behind}."
            )
        return "\n".join(lines)


def _oracles(rows: Iterable[ArrowVerdict]) -> str:
    return " and the ".join(dict.fromkeys(row.oracle for row in rows))


def _what(note: str, rows: Sequence[ArrowVerdict]) -> str:
    """What is the matter with some arrows."""
    s = "s" if len(rows) == 1 else ""
    if note == NOT_FINITE:
        return "carries NaN or infinity" if s else "carry NaN or infinity"
    if note == STEEP:
        return f"{'has' if s else 'have'} a slope that is not finite"
    return f"cannot be compared, since {note}" if note else f"disagree{s} with the {_oracles(rows)}"


def _where(row: ArrowVerdict) -> str:
    """`∂W1 at MatMul in Affine1`."""
    return f"∂{row.arrow} at {row.node}{f' in {row.layer}' if row.layer else ''}"


def _listed(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _cells(row: ArrowVerdict) -> tuple[str, ...]:
    node = row.node or "end to end"
    shape = "×".join(map(str, row.shape)) or "-"
    numbers = [f"{x:.1e}" if math.isfinite(x) else "-" for x in (row.error, row.allowed)]
    return (f"∂{row.arrow}", node, row.layer or "-", shape, row.verdict, *numbers, row.detail)


def prove(graph: Graph, *, elements: bool = False, seed: int = 0) -> Proof:
    """A verdict on every arrow a gradient flows back along (see `Graph.check`)."""
    refuse_complex(graph)
    walk = _Walk(graph, elements, np.random.default_rng(seed))
    output = graph.outputs[0]
    if not output.requires_grad:
        return Proof({}, {})
    walk.seed = np.ones(output.shape) if output.size == 1 else weights(walk.rng, output.shape)
    chain_rule(graph, walk.seed.astype(output.dtype), lambda v: v.data, derive=walk.derive)
    return Proof(walk.verdicts, walk.ends())


class _Walk:
    """The chain rule, with a look at every node it passes."""

    def __init__(self, graph: Graph, elements: bool, rng: np.random.Generator) -> None:
        self.graph, self.elements, self.rng = graph, elements, rng
        self.verdicts: dict[Variable, ArrowVerdict] = {}
        self.seed: Array = np.ones(())

    def derive(self, node: Node, douts: Sequence[Value]) -> tuple[Value, ...]:
        """The node's gradients for what arrived; and the verdict on each, set down on the way."""
        trial = _Trial(node, douts)
        found, trouble = trial.gradients()
        passed: list[Value] = []
        for k, v in enumerate(node.inputs):
            gradient = found[k] if k < len(found) else None
            if not v.requires_grad:
                passed.append(None)
                continue
            verdict = trial.verdict(k, gradient, trouble, self)
            self.verdicts[v] = self._row(v, verdict, node, douts)
            if gradient is not None and np.shape(gradient) == v.shape:
                passed.append(np.asarray(gradient, v.dtype))
            elif gradient is None and not trouble:
                passed.append(None)
            else:  # no gradient at all; the nodes before are tried with some other one
                passed.append(weights(self.rng, v.shape).astype(v.dtype))
        return tuple(passed)

    def _row(
        self, v: Variable, verdict: Verdict, node: Node | None, us: Sequence[Value] = ()
    ) -> ArrowVerdict:
        scope = self.graph.scopes[node] if node is not None else None
        layer = self.graph.layers[scope] if scope is not None else ""
        title = node.label if node is not None else ""
        compared = verdict.ok or bool(verdict.note)
        finite = compared or (math.isfinite(verdict.got) and math.isfinite(verdict.expected))
        if not finite:
            verdict = replace(verdict, note=_why_not_finite(v, us))
        return ArrowVerdict(
            arrow=self.graph.names[v],
            shape=v.shape,
            node=title,
            layer="" if layer == title else layer,
            finite=finite,
            **vars(verdict),
        )

    def ends(self) -> dict[Variable, ArrowVerdict]:
        """The verdicts on inputs and parameters, through the whole graph."""
        ends = [v for v in self.graph.inputs if v.requires_grad]
        run = _Replay(self.graph, self.seed)
        found = run.gradients(ends)
        if found is None:
            return {}
        return {v: self._row(v, run.verdict(v, found.get(v), self), None) for v in ends}


def _why_not_finite(v: Variable, us: Sequence[Value]) -> str:
    bad = np.argwhere(~np.isfinite(v.data))
    if len(bad):
        place = tuple(map(int, bad[0]))
        at = f" at {list(place)}" if place else ""
        return (
            f"the value is {number(v.data[place])}{at}, and {len(bad)} of {v.size} are not finite"
        )
    if any(u is not None and not np.all(np.isfinite(u)) for u in us):
        return "a gradient that is not finite arrived here"
    return STEEP


class _Trial:
    """One node in float64, with the gradients that arrived at its outputs."""

    def __init__(self, node: Node, douts: Sequence[Value]) -> None:
        self.node = node.float64_copy()
        self.analytic = node.analytic
        self.inputs = [as_float64(v.data) for v in node.inputs]
        outputs = self.run(self.inputs)
        self.us = [None if u is None else as_float64(u) for u in douts]
        self.here = self.node.bound(tuple(self.inputs), outputs)
        pairs = [(u, out) for u, out in zip(self.us, outputs, strict=True) if u is not None]
        with ignore_fp_errors():
            self.scale = float(sum(np.sum(np.abs(u * out)) for u, out in pairs))

    def run(self, inputs: Sequence[Any]) -> tuple[Any, ...]:
        """The node's outputs."""
        with ignore_fp_errors():
            out = self.node.pure_forward(*inputs)
        return out if isinstance(out, tuple) else (out,)

    def gradients(self) -> tuple[tuple[Any, ...], str]:
        """What its backward gives for these gradients, and what is wrong with it in itself."""
        us = [None if u is None else u.copy() for u in self.us]
        try:
            with ignore_fp_errors():
                found = self.here.pure_backward(*us)
        except Exception as error:  # the user's own code may raise anything
            return (), f"backward raised {type(error).__name__}: {error}".rstrip(".")
        found = found if isinstance(found, tuple) else (found,)
        if len(found) != len(self.inputs):
            return (), f"backward gave {len(found)} gradients for {len(self.inputs)} inputs"
        kept = all(
            u is None or own is None or np.array_equal(u, own, equal_nan=True)
            for u, own in zip(us, self.us, strict=True)
        )
        return found, "" if kept else "backward changed the gradient it was given"

    def verdict(self, k: int, gradient: Any, trouble: str, walk: _Walk) -> Verdict:
        """Whether the gradient of input k agrees with the slopes of the node's own forward."""
        x = self.inputs[k]
        if trouble:
            return refused(trouble, self.analytic)
        if gradient is None:
            gradient = np.zeros(x.shape)  # "there is none" says that the slope is 0
        if np.shape(gradient) != x.shape:
            note = f"backward gave a gradient of shape {np.shape(gradient)}"
            return refused(note, self.analytic)

        def value(moved: Array) -> Any:
            inputs = list(self.inputs)
            inputs[k] = moved
            outs = self.run(inputs)
            with ignore_fp_errors():
                return sum(
                    np.sum(u * out) for u, out in zip(self.us, outs, strict=True) if u is not None
                )

        found = worst(
            judged(np.asarray(gradient), x, value, at, v, analytic=self.analytic, scale=self.scale)
            for at, v in directions(walk.rng, x.shape, walk.elements)
        )
        return _repeatable(found, lambda: value(x), self.analytic)


class _Replay:
    """The whole graph in float64, to be run again with one input moved."""

    def __init__(self, graph: Graph, seed: Array) -> None:
        self.graph, self.seed = graph, seed
        self.nodes = [node.float64_copy() for node in graph.nodes]
        self.analytic = all(node.analytic for node in graph.nodes)
        self.values: dict[Variable, Any] = {}
        self.run({})
        with ignore_fp_errors():
            self.scale = float(np.sum(np.abs(seed * self.values[graph.outputs[0]])))

    def run(self, moved: dict[Variable, Array]) -> Any:
        """The weighted output, with these values for some inputs."""
        values: dict[Variable, Any] = dict(moved)

        def value(v: Variable) -> Any:
            if v not in values:
                values[v] = as_float64(v.data)
            return values[v]

        with ignore_fp_errors():
            for node, own in zip(self.graph.nodes, self.nodes, strict=True):
                out = own.pure_forward(*[value(v) for v in node.inputs])
                outs = out if isinstance(out, tuple) else (out,)
                values.update(zip(node.outputs, outs, strict=True))
            total = np.sum(self.seed * value(self.graph.outputs[0]))
        if not moved:
            self.values = values
        return total

    def gradients(self, ends: list[Variable]) -> dict[Variable, Any] | None:
        """The gradients of the ends by the chain rule; None where it does not get through."""
        own = dict(zip(self.graph.nodes, self.nodes, strict=True))

        def derive(node: Node, douts: Sequence[Value]) -> Value:
            at = tuple(self.values[v] for v in node.inputs)
            here = own[node].bound(at, tuple(self.values[v] for v in node.outputs))
            return here.pure_backward(*[None if u is None else np.array(u) for u in douts])

        try:
            return chain_rule(self.graph, self.seed, self.values.__getitem__, ends, derive=derive)
        except Exception:  # a backward that raises; the arrow it belongs to says so
            return None

    def verdict(self, v: Variable, gradient: Any, walk: _Walk) -> Verdict:
        """Whether a gradient agrees with the slope of the whole graph."""
        x = self.values[v]
        dx = np.zeros(x.shape) if gradient is None else np.asarray(gradient)
        found = worst(
            judged(
                dx,
                x,
                lambda moved: self.run({v: moved}),
                at,
                way,
                analytic=self.analytic,
                scale=self.scale,
            )
            for at, way in directions(walk.rng, x.shape, False)
        )
        return _repeatable(found, lambda: self.run({v: x}), self.analytic)


def _repeatable(found: Verdict, run: Callable[[], Any], analytic: bool) -> Verdict:
    """The verdict, unless the numbers it goes by are other ones each time."""
    doubtful = not found.ok or found.kink
    return refused(CHANGING, analytic) if doubtful and not repeats(run) else found
