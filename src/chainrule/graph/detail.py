"""Node detail: a graph with its nodes unfolded into simpler ones, and where these overflow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from chainrule.graph.graph import Graph, reachable
from chainrule.graph.recording import recording
from chainrule.graph.scopes import Scope, resumed
from chainrule.graph.sum_text import element
from chainrule.graph.variable import Variable, apply
from chainrule.graph.wording import computed, gradient_of, number
from chainrule.lang.messages import Text, _, listed
from chainrule.nodes.base import Array, Node, Value
from chainrule.settings import language, whole

__all__ = ["DetailedGraph", "Overflow", "detailed"]


@dataclass(frozen=True)
class Overflow:
    """An arrow whose value or gradient is not finite in the detail, and is finite in the folded graph."""

    arrow: Variable
    #: The flat position of the first element that is not finite, and the count of such elements.
    place: int
    count: int
    #: What overflows, and the folded graph's number there, a message.
    text: Text

    def said(self, lang: str | None = None) -> str:
        """The text in a language; None: that of `CHAINRULE_LANG`, else English."""
        return self.text.said(language(lang))

    def __str__(self) -> str:
        return self.said()


class DetailedGraph(Graph):
    """A graph whose nodes have been unfolded into simpler ones."""

    def __init__(
        self,
        outputs: Iterable[Variable],
        inputs: Iterable[Variable],
        folded: Graph,
        shared: dict[Variable, Variable],
        inside: dict[Variable, Variable],
    ) -> None:
        super().__init__(tuple(outputs), inputs, paths=folded.paths)
        #: The original graph.
        self.folded = folded
        #: From every arrow of the folded graph (except the copies of a Branch) to the one here.
        self.shared = shared
        #: From every arrow here that a folded node was unfolded into, to that node's output there.
        self.inside = inside
        #: The arrows whose values are finite in the folded graph and not here, first to last.
        self.overflows: tuple[Overflow, ...] = tuple(_overflows(self))

    def gradient_overflows(self, seed: Value = None) -> tuple[Overflow, ...]:
        """The arrows whose gradients are finite in the folded graph and not here, in backward order.

        `seed` is the gradient of an output that is not one number.

        >>> import chainrule as cr
        >>> detail = cr.sigmoid(cr.Variable(-1000.0, name="x")).graph.detailed()
        >>> print(detail.gradient_overflows()[0])
        ∂neg: 0 · ∞ is NaN; the Sigmoid node sends back ∂x = 0
        """
        return tuple(_overflows_back(self, seed))


def detailed(graph: Graph, levels: int | None) -> DetailedGraph:
    """The graph unfolded so many levels deep (see `Graph.detailed`)."""
    levels = None if levels is None else whole(levels, "detailed: levels")
    own = {v for node in graph.nodes for v in (*node.inputs, *node.outputs)} - set(graph.origin)
    shared = {v: v for v in own | set(graph.inputs)}
    inside: dict[Variable, Variable] = {}
    here = graph
    while levels is None or levels > 0:
        unfolding = _Unfolding(here)
        new = unfolding.new
        belongs = {**{w: v for v, w in shared.items()}, **inside}
        inside = {new[v]: folded for v, folded in inside.items()} | unfolding.inside_of(belongs)
        shared = {v: new[w] for v, w in shared.items()}
        here = Graph([new[here.root(v)] for v in here.outputs], graph.inputs)
        if not unfolding.unfolded:
            break
        levels = None if levels is None else levels - 1
    outputs = [here.root(v) for v in here.outputs]
    return DetailedGraph(outputs, graph.inputs, graph, shared, inside)


class _Unfolding:
    """One level of unfolding: every node is applied again, or replaced by simpler ones."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        #: From every arrow of the given graph to the new one.
        self.new: dict[Variable, Variable] = {}
        #: From the output of every unfolded node to the new arrows it was unfolded into.
        self.unfolded: dict[Variable, list[Variable]] = {}
        with recording():  # no array is locked for a backward pass
            for node in graph.nodes:
                self._node(node)
        for v in (*graph.inputs, *graph.outputs):
            self._renewed(v)

    def _renewed(self, v: Variable) -> Variable:
        """The new arrow for a given one; an arrow that no node computed stays the same."""
        return self.new.setdefault(v, v)

    def _node(self, node: Node) -> None:
        inputs = [self._renewed(self.graph.root(v)) for v in node.inputs]
        if node.outputs[0] in self.graph.origin:  # the Branch is put in again when the graph closes
            self.new.update((v, inputs[0]) for v in node.outputs)
            return
        scope = self.graph.scopes[node]
        place = self.graph.places.get(node)
        with resumed(self._box(node, scope)):
            out = node.decompose(*inputs)
        unfolded = out is not None
        if not unfolded:
            with resumed(scope):
                out = apply(node.bound((), ()), *inputs)
        outs = out if isinstance(out, tuple) else (out,)
        calls = reachable(outs, set(inputs))
        for call in calls:
            call.place = place
        for v, w in zip(node.outputs, outs, strict=True):
            w.name = v.name
            self.new[v] = w
        if unfolded:
            self.unfolded[node.outputs[0]] = [w for call in calls for w in call.outputs]

    def _box(self, node: Node, scope: Scope | None) -> Scope:
        """The scope of the simpler nodes: the node itself, unless a layer of its name is around it."""
        if scope is not None and scope.layer.label == node.label:
            return scope
        box = Scope(node, scope)
        box.place = self.graph.places.get(node)
        return box

    def inside_of(self, folded: dict[Variable, Variable]) -> dict[Variable, Variable]:
        """The arrows inside unfolded nodes, each with the arrow of the first graph it belongs to."""
        return {w: folded[v] for v, inner in self.unfolded.items() if v in folded for w in inner}


# -- what is not finite ------------------------------------------------------------------------


def _overflows(graph: DetailedGraph) -> Iterator[Overflow]:
    folds = {v: node for node in graph.folded.nodes for v in node.outputs}
    ends = {w: v for v, w in graph.shared.items()} | graph.inside
    for node in graph.nodes:
        for v in node.outputs:
            if v not in ends or v.dtype.kind != "f":  # a copy that leaves a Branch
                continue
            end = ends[v]
            bad = np.flatnonzero(~np.isfinite(v.data))
            if len(bad) and end in folds and _all_finite(end, *folds[end].inputs):
                position = int(bad[0])
                what = _what(graph, node, v, position)
                instead = _instead(graph, folds[end], end, v, position)
                yield Overflow(v, position, len(bad), listed([what, instead], "clauses"))


def _overflows_back(graph: DetailedGraph, seed: Value) -> Iterator[Overflow]:
    folds = {v: node for node in graph.folded.nodes for v in node.outputs}
    ends = {w: v for v, w in graph.shared.items()}
    here, there = graph.gradients(seed), graph.folded.gradients(seed)
    for node in reversed(graph.nodes):
        for k, v in enumerate(node.inputs):
            bad = np.flatnonzero(~np.isfinite(here.get(v, np.zeros(()))))
            if not len(bad):
                continue
            position, root = int(bad[0]), graph.root(v)
            if root in ends:
                gives = _sent(graph.folded, ends[root], there, root.shape, position)
                instead = _("folded, {gives}", gives=gives)
            else:
                fold = folds[graph.inside[root]]
                moved = next(u for u in fold.inputs if u in there)
                gives = _sent(graph.folded, moved, there, root.shape, position)
                instead = _("the {node} node sends back {gives}", node=fold.label, gives=gives)
            if gives:
                what = _what_back(graph, node, k, position, here)
                yield Overflow(v, position, len(bad), listed([what, instead], "clauses"))


def _sent(
    graph: Graph,
    v: Variable,
    gradients: Mapping[Variable, Array],
    shape: tuple[int, ...],
    position: int,
) -> str:
    """`∂x[1] = 0`, or in general words if the shape differs; empty if the gradient is not finite."""
    if not np.isfinite(gradients.get(v, np.nan)).all():
        return ""
    if v.shape != shape:
        return _("finite numbers")
    name = element(f"∂{graph.names[graph.root(v)]}", shape, position)
    return f"{name} = {number(_at(gradients[v], position))}"


def _what_back(
    graph: Graph, node: Node, k: int, position: int, gradients: Mapping[Variable, Array]
) -> Text:
    """`∂neg[1]: 0 · ∞ is NaN`."""
    v = node.inputs[k]
    name = element(f"∂{graph.names[v]}", v.shape, position)
    value = number(_at(gradients[v], position))
    arrived = [_at(gradients[u], position) for u in node.outputs if u in gradients]
    if node.elementwise and np.isfinite(arrived).all():  # else the gradient was not finite before
        ins, outs = (
            [number(_at(u.data, position)) for u in us] for us in (node.inputs, node.outputs)
        )
        how = gradient_of(node, k, ins, outs, list(map(number, arrived)))
        if how and "∂" not in how:
            return _("{name}: {formula} is {value}", name=name, formula=how, value=value)
    return _("{name} is {value}", name=name, value=value)


def _at(array: Array, position: int) -> Value:
    """The element at a flat position; of an array of one number, that number."""
    flat = np.reshape(array, -1)
    return flat[position if len(flat) > 1 else 0]


def _all_finite(*arrows: Variable) -> bool:
    return all(bool(np.all(np.isfinite(v.data))) for v in arrows)


def _what(graph: Graph, node: Node, v: Variable, position: int) -> Text:
    """`exp[1]: e^1000 overflows to ∞`."""
    value = np.reshape(v.data, -1)[position]
    name = element(graph.names[v], v.shape, position)
    if not node.elementwise:
        return _("{name} is {value}", name=name, value=number(value))
    numbers = [np.reshape(u.data, -1)[position] for u in node.inputs]
    formula = computed(node, list(map(number, numbers)))
    values = {"name": name, "formula": formula, "value": number(value)}
    if np.isinf(value) and all(np.isfinite(numbers)) and all(numbers):
        return _("{name}: {formula} overflows to {value}", **values)
    return _("{name}: {formula} is {value}", **values)


def _instead(graph: DetailedGraph, node: Node, end: Variable, v: Variable, position: int) -> Text:
    """The folded node's result, where the chain of simpler nodes is not finite."""
    there: Array = np.reshape(end.data, -1)
    here: Array = np.reshape(graph.shared[end].data, -1)
    gives: str = _("finite numbers")
    if v.shape[: end.ndim] == end.shape:  # the element that this one goes into
        index = position // max(v.size // max(end.size, 1), 1)
        there, here = there[index : index + 1], here[index : index + 1]
        gives = f"{element(graph.folded.names[end], end.shape, index)} = {number(there[0])}"
    if v not in graph.inside:
        return _("folded, {gives}", gives=gives)
    if np.allclose(there, here, rtol=1e-12):
        return _(
            "the chain ends in {gives} all the same, as the {node} node does",
            gives=gives,
            node=node.label,
        )
    return _("the {node} node computes it another way: {gives}", node=node.label, gives=gives)
