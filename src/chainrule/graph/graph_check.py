"""The check of a graph: a verdict on the gradient of every arrow, by checking each node separately."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from chainrule.graph.chain_rule import chain_rule, refuse_complex
from chainrule.graph.local import as_float64
from chainrule.graph.paragraphs import Table, in_columns
from chainrule.graph.variable import Variable
from chainrule.graph.verdicts import (
    CHANGING,
    Verdict,
    compare,
    directions,
    oracles_of,
    refused,
    repeats,
    weights,
    worst,
)
from chainrule.graph.wording import number
from chainrule.lang.messages import Text, _, _n, lines, listed
from chainrule.nodes.base import Array, Node, Value, ignore_fp_errors
from chainrule.settings import language
from chainrule.text_width import cells_wide

if TYPE_CHECKING:
    from chainrule.graph.graph import Graph

__all__ = ["ArrowVerdict", "GraphCheck", "prove"]

#: The columns of the table of verdicts, and their headings.
HEAD = {
    "gradient": _("gradient"),
    "into": _("into"),
    "layer": _("layer"),
    "shape": _("shape"),
    "verdict": _("verdict"),
    "error": _("error"),
    "allowed": _("allowed"),
    "detail": "",
}


@dataclass(frozen=True, kw_only=True)
class ArrowVerdict(Verdict):
    """The verdict on the gradient of one arrow at the node it goes into, or from end to end."""

    #: The arrow's name in `graph.names`, as in every step and in the picture's SVG (`data-arrow`).
    arrow: str
    shape: tuple[int, ...]
    #: The node that takes the arrow, and the run of a layer it is in; empty from end to end.
    node: str
    layer: str
    #: Whether numbers could be compared: with NaN and infinity they cannot.
    finite: bool = True
    #: Whether only the slope is not finite, and the values are.
    steep: bool = False

    @property
    def mark(self) -> str:
        """What a picture marks the gradient as: "ok", "kink", "wrong" or "not finite"."""
        return super().mark if self.finite else "not finite"

    @property
    def called(self) -> Text:
        """Which gradient it is, a message: `∂W1 at MatMul`."""
        if not self.node:
            return _("∂{arrow} from end to end", arrow=self.arrow)
        return _("∂{arrow} at {node}", arrow=self.arrow, node=self.node)

    @property
    def sentence(self) -> Text:
        """Which gradient it is, the verdict, the numbers, and why if it is wrong, a message."""
        values = {
            "gradient": self.called,
            "verdict": self.verdict,
            "error": self.error,
            "allowed": self.allowed,
        }
        if not self.detail:
            return _("{gradient}: {verdict}, error {error:.1e}, allowed {allowed:.1e}.", **values)
        if not math.isfinite(self.error):
            return _(
                "{gradient}: {verdict}; {detail}.",
                gradient=self.called,
                verdict=self.verdict,
                detail=self.detail,
            )
        return _(
            "{gradient}: {verdict}, error {error:.1e}, allowed {allowed:.1e}; {detail}.",
            **values,
            detail=self.detail,
        )


@dataclass(frozen=True)
class GraphCheck:
    """The result of `Graph.check`: a verdict on every arrow, and on every input from end to end."""

    #: The verdicts by arrow, as the drawing takes them.
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

    def said(self, lang: str | None = None) -> str:
        """The table and the summary, in a language; None: that of `CHAINRULE_LANG`, else English."""
        return lines([Table(self._cells()), self.summary]).said(language(lang))

    def __str__(self) -> str:
        return self.said()

    __repr__ = __str__

    def lines(self, width: int | None = None, lang: str | None = None) -> list[str]:
        """The table of all verdicts, with fewer columns where it would be wider than `width`.

        `lang` is "en" or "zh"; None is the language of `CHAINRULE_LANG`, else English.
        """
        lang = language(lang)
        names, cells = list(HEAD), self._cells()
        for least in ("allowed", "shape", "error", "layer", "into"):
            wide = [line[:-1] for line in cells]
            if width is None or max(map(cells_wide, in_columns(wide, lang))) <= width:
                break
            i = names.index(least)
            del names[i]
            cells = [(*line[:i], *line[i + 1 :]) for line in cells]
        return in_columns(cells, lang)

    def _cells(self) -> list[tuple[str, ...]]:
        cells = [tuple(HEAD.values()), *map(_cells, self.rows)]
        if self.ends:
            cells += [("",) * len(HEAD), *map(_cells, self.ends.values())]
        return cells

    @property
    def summary(self) -> Text:
        """The verdict in a line or two, a message."""
        rows, ends = self.rows, tuple(self.ends.values())
        if not rows:
            return _("No gradient flows in this graph: there is nothing to check.")
        if self.ok:
            arrows = {1: _("The arrow agrees"), 2: _("Both arrows agree")}
            inputs = {1: _("does the input"), 2: _("do both inputs")}
            return _(
                "{arrows} with the {oracles}, and so {inputs} from end to end.",
                arrows=arrows.get(len(rows)) or _("All {count} arrows agree", count=len(rows)),
                oracles=oracles_of(rows),
                inputs=inputs.get(len(ends)) or _("do all {count} inputs", count=len(ends)),
            )
        groups: dict[tuple[bool, bool, str], list[ArrowVerdict]] = {}
        for row in rows:
            if not row.ok:
                shared = row.finite, row.steep, row.note if row.finite else ""
                groups.setdefault(shared, []).append(row)
        said = [_troubled(group, len(rows)) for group in groups.values()]
        bad = [f"∂{r.arrow}" for r in ends if not r.ok and r.finite and not r.note]
        if bad and said:
            said.append(
                _n(
                    "From end to end {names} is wrong, as what comes from there must.",
                    "From end to end {names} are wrong, as what comes from there must.",
                    len(bad),
                    names=_first(bad),
                )
            )
        elif bad:
            said.append(
                _n(
                    "From end to end {names} is wrong.",
                    "From end to end {names} are wrong.",
                    len(bad),
                    names=_first(bad),
                )
            )
        return lines(said) if len(said) > 1 else said[0]


def _troubled(rows: Sequence[ArrowVerdict], count: int) -> Text:
    """What is wrong with these of `count` arrows, and which they are."""
    first, n = rows[0], len(rows)
    values: dict[str, object] = {
        "arrows": _n("{n} arrow", "{n} arrows", count),
        "places": _first(list(map(_where, rows))),
    }
    if first.steep:
        return _n(
            "{n} of {arrows} has a slope that is not finite: {places}.",
            "{n} of {arrows} have a slope that is not finite: {places}.",
            n,
            **values,
        )
    if not first.finite:
        return _n(
            "{n} of {arrows} carries NaN or infinity: {places}.",
            "{n} of {arrows} carry NaN or infinity: {places}.",
            n,
            **values,
        )
    if first.note:
        return _(
            "{count} of {arrows} cannot be compared, since {note}: {places}.",
            count=n,
            note=first.note,
            **values,
        )
    return _n(
        "{n} of {arrows} disagrees with the {oracles}: {places}.",
        "{n} of {arrows} disagree with the {oracles}: {places}.",
        n,
        oracles=oracles_of(rows),
        **values,
    )


def _where(row: ArrowVerdict) -> Text:
    """`∂W1 at MatMul in Affine1`."""
    return (
        _("{gradient} in {layer}", gradient=row.called, layer=row.layer)
        if row.layer
        else row.called
    )


def _first(names: Sequence[str], most: int = 6) -> Text:
    """The first few, and how many more there are."""
    text = listed(names[:most])
    if len(names) > most:
        return _("{names} and {more} more", names=text, more=len(names) - most)
    return text


def _cells(row: ArrowVerdict) -> tuple[str, ...]:
    node = row.node or _("end to end")
    shape = "×".join(map(str, row.shape)) or "-"
    numbers = [f"{x:.1e}" if math.isfinite(x) else "-" for x in (row.error, row.allowed)]
    return (f"∂{row.arrow}", node, row.layer or "-", shape, row.verdict, *numbers, row.detail)


def prove(graph: Graph, *, elements: bool = False, seed: int = 0) -> GraphCheck:
    """A verdict on every arrow a gradient flows back along (see `Graph.check`)."""
    refuse_complex(graph)
    walk = _Walk(graph, elements, np.random.default_rng(seed))
    output = graph.outputs[0]
    if not output.requires_grad:
        return GraphCheck({}, {})
    walk.seed = np.ones(output.shape) if output.size == 1 else weights(walk.rng, output.shape)
    chain_rule(graph, walk.seed.astype(output.dtype), lambda v: v.data, derive=walk.derive)
    return GraphCheck(walk.verdicts, walk.ends())


class _Walk:
    """Runs the chain rule, and checks every node on the way."""

    def __init__(self, graph: Graph, elements: bool, rng: np.random.Generator) -> None:
        self.graph, self.elements, self.rng = graph, elements, rng
        self.verdicts: dict[Variable, ArrowVerdict] = {}
        self.seed: Array = np.ones(())

    def derive(self, node: Node, douts: Sequence[Value]) -> tuple[Value, ...]:
        """The node's gradients for those that arrived; the verdict on each is stored."""
        trial = _NodeCheck(node, douts)
        gradients, trouble = trial.gradients()
        results: list[Value] = []
        for k, v in enumerate(node.inputs):
            gradient = gradients[k] if k < len(gradients) else None
            if not v.requires_grad:
                results.append(None)
                continue
            verdict = trial.verdict(k, gradient, trouble, self)
            self.verdicts[v] = self._row(v, verdict, node, douts)
            if gradient is not None and np.shape(gradient) == v.shape:
                results.append(np.asarray(gradient, v.dtype))
            elif gradient is None and not trouble:
                results.append(None)
            else:  # no usable gradient; the nodes before are checked with random numbers
                results.append(weights(self.rng, v.shape).astype(v.dtype))
        return tuple(results)

    def _row(
        self, v: Variable, verdict: Verdict, node: Node | None, us: Sequence[Value] = ()
    ) -> ArrowVerdict:
        scope = self.graph.scopes[node] if node is not None else None
        layer = self.graph.layers[scope] if scope is not None else ""
        title = node.label if node is not None else ""
        compared = verdict.ok or bool(verdict.note)
        finite = compared or (math.isfinite(verdict.got) and math.isfinite(verdict.expected))
        steep = False
        if not finite:
            note = _why_not_finite(v, us)
            steep = note is None and math.isfinite(verdict.got)
            verdict = replace(verdict, note=note or _("the slope is not finite here"))
        return ArrowVerdict(
            arrow=self.graph.names[v],
            shape=v.shape,
            node=title,
            layer="" if layer == title else layer,
            finite=finite,
            steep=steep,
            **vars(verdict),
        )

    def ends(self) -> dict[Variable, ArrowVerdict]:
        """The verdicts on inputs and parameters, through the whole graph."""
        ends = [v for v in self.graph.inputs if v.requires_grad]
        replay = _Replay(self.graph, self.seed)
        gradients = replay.gradients(ends)
        if gradients is None:
            return {}
        return {v: self._row(v, replay.verdict(v, gradients.get(v), self), None) for v in ends}


def _why_not_finite(v: Variable, douts: Sequence[Value]) -> Text | None:
    """What is not finite: the value, or a gradient that arrived; None if only the slope is."""
    bad = np.argwhere(~np.isfinite(v.data))
    if len(bad):
        index = tuple(map(int, bad[0]))
        values = {"value": number(v.data[index]), "bad": len(bad), "count": v.size}
        if not index:
            return _("the value is {value}, and {bad} of {count} are not finite", **values)
        return _(
            "the value is {value} at {place}, and {bad} of {count} are not finite",
            place=list(index),
            **values,
        )
    if any(u is not None and not np.all(np.isfinite(u)) for u in douts):
        return _("a gradient that is not finite arrived here")
    return None


class _NodeCheck:
    """The check of one node in float64, for the gradients that arrived at its outputs."""

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

    def run(self, inputs: Sequence[Value]) -> tuple[Value, ...]:
        """The node's outputs."""
        with ignore_fp_errors():
            out = self.node.pure_forward(*inputs)
        return out if isinstance(out, tuple) else (out,)

    def gradients(self) -> tuple[tuple[Value, ...], str]:
        """The gradients that its backward gives, and an error in backward itself, if there is one."""
        us = [None if u is None else u.copy() for u in self.us]
        try:
            with ignore_fp_errors():
                result = self.here.pure_backward(*us)
        except Exception as error:  # the user's own code may raise anything
            return (), _(
                "backward raised {kind}: {error}",
                kind=type(error).__name__,
                error=str(error).rstrip(".。"),
            )
        result = result if isinstance(result, tuple) else (result,)
        if len(result) != len(self.inputs):
            return (), _(
                "backward gave {given} gradients for {inputs} inputs",
                given=len(result),
                inputs=len(self.inputs),
            )
        unchanged = all(
            u is None or original is None or np.array_equal(u, original, equal_nan=True)
            for u, original in zip(us, self.us, strict=True)
        )
        return result, "" if unchanged else _("backward changed the gradient it was given")

    def verdict(self, k: int, gradient: Value, trouble: str, walk: _Walk) -> Verdict:
        """Whether the gradient of input k agrees with the slopes of the node's own forward."""
        x = self.inputs[k]
        if trouble:
            return refused(trouble, self.analytic)
        if gradient is None:
            gradient = np.zeros(x.shape)  # no gradient means that the slope is 0
        if np.shape(gradient) != x.shape:
            note = _("backward gave a gradient of shape {shape}", shape=np.shape(gradient))
            return refused(note, self.analytic)

        def value(moved: Array) -> Value:
            inputs = list(self.inputs)
            inputs[k] = moved
            outs = self.run(inputs)
            with ignore_fp_errors():
                return sum(
                    np.sum(u * out) for u, out in zip(self.us, outs, strict=True) if u is not None
                )

        result = worst(
            compare(
                np.asarray(gradient), x, value, name, v, analytic=self.analytic, scale=self.scale
            )
            for name, v in directions(walk.rng, x.shape, walk.elements)
        )
        return _repeatable(result, lambda: value(x), self.analytic)


class _Replay:
    """The whole graph in float64, run again with one input changed."""

    def __init__(self, graph: Graph, seed: Array) -> None:
        self.graph, self.seed = graph, seed
        self.nodes = [node.float64_copy() for node in graph.nodes]
        self.analytic = all(node.analytic for node in graph.nodes)
        self.values: dict[Variable, Value] = {}
        self.run({})
        with ignore_fp_errors():
            self.scale = float(np.sum(np.abs(seed * self.values[graph.outputs[0]])))

    def run(self, moved: dict[Variable, Array]) -> Value:
        """The weighted output, with these values for some inputs."""
        values: dict[Variable, Value] = dict(moved)

        def value(v: Variable) -> Value:
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

    def gradients(self, ends: list[Variable]) -> dict[Variable, Value] | None:
        """The gradients of the ends by the chain rule; None if a backward raises."""
        own = dict(zip(self.graph.nodes, self.nodes, strict=True))

        def derive(node: Node, douts: Sequence[Value]) -> Value:
            inputs = tuple(self.values[v] for v in node.inputs)
            here = own[node].bound(inputs, tuple(self.values[v] for v in node.outputs))
            return here.pure_backward(*[None if u is None else np.array(u) for u in douts])

        try:
            return chain_rule(self.graph, self.seed, self.values.__getitem__, ends, derive=derive)
        except Exception:  # a backward that raises; the verdict at its own arrow says so
            return None

    def verdict(self, v: Variable, gradient: Value, walk: _Walk) -> Verdict:
        """Whether a gradient agrees with the slope of the whole graph."""
        x = self.values[v]
        dx = np.zeros(x.shape) if gradient is None else np.asarray(gradient)
        result = worst(
            compare(
                dx,
                x,
                lambda moved: self.run({v: moved}),
                name,
                direction,
                analytic=self.analytic,
                scale=self.scale,
            )
            for name, direction in directions(walk.rng, x.shape, False)
        )
        return _repeatable(result, lambda: self.run({v: x}), self.analytic)


def _repeatable(verdict: Verdict, run: Callable[[], Value], analytic: bool) -> Verdict:
    """The verdict; but if the numbers that it depends on change from run to run, a refusal."""
    doubtful = not verdict.ok or verdict.kink
    return refused(CHANGING, analytic) if doubtful and not repeats(run) else verdict
