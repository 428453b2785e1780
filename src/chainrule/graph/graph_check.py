"""The check of a graph: a verdict on every arrow, each node by itself, for the gradient that arrives."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.graph.chain_rule import chain_rule, refuse_complex
from chainrule.graph.local import as_float64
from chainrule.graph.paragraphs import Lines, Table, in_columns
from chainrule.graph.variable import Variable
from chainrule.graph.verdicts import (
    CHANGING,
    Verdict,
    directions,
    judged,
    oracles_of,
    refused,
    repeats,
    weights,
    worst,
)
from chainrule.graph.wording import number
from chainrule.lang.messages import Text, _, _n, listed
from chainrule.nodes.base import Node, Value, ignore_fp_errors
from chainrule.settings import language
from chainrule.text_width import cells_wide

if TYPE_CHECKING:
    from chainrule.graph.graph import Graph

__all__ = ["ArrowVerdict", "GraphCheck", "prove"]

Array = npt.NDArray[Any]
#: The columns of the table of verdicts, and what stands above them.
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
    """The verdict on the gradient of one arrow, where it goes into a node; or from end to end."""

    #: The arrow's name in `graph.names`, as in every step and in the picture's SVG (`data-arrow`).
    arrow: str
    shape: tuple[int, ...]
    #: The node that takes the arrow, and the run of a layer it is in; empty from end to end.
    node: str
    layer: str
    #: Whether numbers could be compared: NaN and infinity prove nothing.
    finite: bool = True
    #: Whether it is only the slope that is not finite.
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
        told = {
            "gradient": self.called,
            "verdict": self.verdict,
            "error": self.error,
            "allowed": self.allowed,
        }
        if not self.detail:
            return _("{gradient}: {verdict}, error {error:.1e}, allowed {allowed:.1e}.", **told)
        if not math.isfinite(self.error):
            return _(
                "{gradient}: {verdict}; {detail}.",
                gradient=self.called,
                verdict=self.verdict,
                detail=self.detail,
            )
        return _(
            "{gradient}: {verdict}, error {error:.1e}, allowed {allowed:.1e}; {detail}.",
            **told,
            detail=self.detail,
        )


@dataclass(frozen=True)
class GraphCheck:
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

    def said(self, lang: str | None = None) -> str:
        """The table and the summary, in a language; None: that of `CHAINRULE_LANG`, else English."""
        return Lines([Table(self._cells()), self.summary]).said(language(lang))

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
        groups: dict[Any, list[ArrowVerdict]] = {}
        for row in rows:
            if not row.ok:
                shared = row.finite, row.steep, row.note if row.finite else ""
                groups.setdefault(shared, []).append(row)
        lines = [_troubled(found, len(rows)) for found in groups.values()]
        bad = [f"∂{r.arrow}" for r in ends if not r.ok and r.finite and not r.note]
        if bad and lines:
            lines.append(
                _n(
                    "From end to end {names} is wrong, as what comes from there must.",
                    "From end to end {names} are wrong, as what comes from there must.",
                    len(bad),
                    names=_first(bad),
                )
            )
        elif bad:
            lines.append(
                _n(
                    "From end to end {names} is wrong.",
                    "From end to end {names} are wrong.",
                    len(bad),
                    names=_first(bad),
                )
            )
        return Lines(lines) if len(lines) > 1 else lines[0]


def _troubled(rows: Sequence[ArrowVerdict], count: int) -> Text:
    """What is the matter with some of so many arrows, and which they are."""
    first, n = rows[0], len(rows)
    told: dict[str, Any] = {
        "arrows": _n("{n} arrow", "{n} arrows", count),
        "places": _first(list(map(_where, rows))),
    }
    if first.steep:
        return _n(
            "{n} of {arrows} has a slope that is not finite: {places}.",
            "{n} of {arrows} have a slope that is not finite: {places}.",
            n,
            **told,
        )
    if not first.finite:
        return _n(
            "{n} of {arrows} carries NaN or infinity: {places}.",
            "{n} of {arrows} carry NaN or infinity: {places}.",
            n,
            **told,
        )
    if first.note:
        return _(
            "{count} of {arrows} cannot be compared, since {note}: {places}.",
            count=n,
            note=first.note,
            **told,
        )
    return _n(
        "{n} of {arrows} disagrees with the {oracles}: {places}.",
        "{n} of {arrows} disagree with the {oracles}: {places}.",
        n,
        oracles=oracles_of(rows),
        **told,
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
    told = listed(names[:most])
    if len(names) > most:
        return _("{names} and {more} more", names=told, more=len(names) - most)
    return told


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
        run = _Replay(self.graph, self.seed)
        found = run.gradients(ends)
        if found is None:
            return {}
        return {v: self._row(v, run.verdict(v, found.get(v), self), None) for v in ends}


def _why_not_finite(v: Variable, us: Sequence[Value]) -> Text | None:
    """What is not finite, of a value or of the gradients that arrived; None if it is the slope alone."""
    bad = np.argwhere(~np.isfinite(v.data))
    if len(bad):
        place = tuple(map(int, bad[0]))
        told = {"value": number(v.data[place]), "bad": len(bad), "count": v.size}
        if not place:
            return _("the value is {value}, and {bad} of {count} are not finite", **told)
        return _(
            "the value is {value} at {place}, and {bad} of {count} are not finite",
            place=list(place),
            **told,
        )
    if any(u is not None and not np.all(np.isfinite(u)) for u in us):
        return _("a gradient that is not finite arrived here")
    return None


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
            return (), _(
                "backward raised {kind}: {error}",
                kind=type(error).__name__,
                error=str(error).rstrip(".。"),
            )
        found = found if isinstance(found, tuple) else (found,)
        if len(found) != len(self.inputs):
            return (), _(
                "backward gave {given} gradients for {inputs} inputs",
                given=len(found),
                inputs=len(self.inputs),
            )
        kept = all(
            u is None or own is None or np.array_equal(u, own, equal_nan=True)
            for u, own in zip(us, self.us, strict=True)
        )
        return found, "" if kept else _("backward changed the gradient it was given")

    def verdict(self, k: int, gradient: Any, trouble: str, walk: _Walk) -> Verdict:
        """Whether the gradient of input k agrees with the slopes of the node's own forward."""
        x = self.inputs[k]
        if trouble:
            return refused(trouble, self.analytic)
        if gradient is None:
            gradient = np.zeros(x.shape)  # "there is none" says that the slope is 0
        if np.shape(gradient) != x.shape:
            note = _("backward gave a gradient of shape {shape}", shape=np.shape(gradient))
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
