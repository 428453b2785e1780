"""Steps: a graph one operation at a time, forwards and then backwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.graph.scopes import around
from chainrule.graph.sources import SourceLine, line_of
from chainrule.graph.wording import brief, formula_of, gradient_of, number, read_by
from chainrule.lang.languages import chosen
from chainrule.lang.messages import Joined, Text, _, in_language, lines, words
from chainrule.nodes.base import Array
from chainrule.settings import language
from chainrule.text_width import cells_wide, padded

if TYPE_CHECKING:
    from chainrule.graph.graph import Graph
    from chainrule.graph.variable import Variable
    from chainrule.nodes.base import Node

__all__ = ["Flow", "Step", "gradient_text", "source_lines", "steps", "value_name"]


@dataclass(frozen=True, repr=False, eq=False)
class Flow:
    """What flows along an arrow: the value, or on the way back the gradient (`∂` in its name).

    `arrow` is the arrow's own name in `graph.names`, which every step, the rows of a `GraphCheck` and the
    picture (`data-arrow` in its SVG) have for it; None for a number written in Python. The values
    of several arrows have one name where a value is used several times: `x` on `x→mul` and `x→L`.
    """

    name: str
    value: Array
    arrow: str | None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return self.value.shape

    @property
    def is_number(self) -> bool:
        """Whether it is a number written in Python, which is its own name."""
        return bool(self.value.size) and self.name == number(self.value.flat[0])

    def __str__(self) -> str:
        return f"{self.name} = {in_language(brief(self.value), chosen())}"

    __repr__ = __str__


@dataclass(frozen=True, repr=False, eq=False)
class Step:
    """One operation: its inputs, its formula, its outputs, and the source line that wrote it.

    A forward step takes values to values. A backward step takes the gradients that arrive at
    the node's outputs to the gradients of its inputs; `formula` then has a line for each.

    `index` is the node's place in `graph.nodes`, and `layer` the layer's name in `graph.layers`:
    in the SVG of the picture, `data-node` and `data-layer`. `said("zh")` is its text in Chinese.
    """

    #: From 1, and how many steps there are in all.
    number: int
    of: int
    #: "forward" or "backward".
    direction: str
    #: The node: its name, its symbol in a drawing, its place in the graph, and its layer.
    operation: str
    symbol: str
    index: int
    layer: str
    inputs: tuple[Flow, ...]
    outputs: tuple[Flow, ...]
    #: Such as `z = x · y`; backwards `∂x = ∂z · y`, where `reads` has the values it reads.
    formula: str
    reads: tuple[Flow, ...]
    #: Where it was written, from the user's line to the line of a layer's formula.
    source: tuple[SourceLine, ...]

    @property
    def formulas(self) -> tuple[str, ...]:
        """The lines of `formula`."""
        if isinstance(self.formula, Joined) and self.formula.kind == "lines":
            return tuple(map(str, self.formula.parts))
        return (self.formula,)

    @property
    def title(self) -> Text:
        """Which step it is, a message."""
        values = {"number": self.number, "count": self.of, "operation": self.operation}
        if self.layer:
            values["operation"] = _(
                "{operation} in {layer}", operation=self.operation, layer=self.layer
            )
        if self.direction == "forward":
            return _("Step {number} of {count}, forward: {operation}", **values)
        return _("Step {number} of {count}, backward: {operation}", **values)

    def said(self, lang: str | None = None) -> str:
        """The step in a language; None: that of `CHAINRULE_LANG`, else English."""
        lang = language(lang)
        lines = [self.title.said(lang)]
        lines += [f"    {in_language(formula, lang)}" for formula in self.formulas]
        flows = [*self.inputs, *self.reads, *self.outputs]
        shown = dict.fromkeys(
            (f.name, in_language(brief(f.value), lang)) for f in flows if not f.is_number
        )
        width = max((cells_wide(name) for name, _ in shown), default=0)
        lines += [f"      {padded(name, width)}  {value}" for name, value in shown]
        wide = max((cells_wide(line.place) for line in self.source), default=0)
        lines += [f"    {padded(line.place, wide)}  {line.text}".rstrip() for line in self.source]
        if self.source and self.source[-1].part != self.source[-1].text:
            inner = self.source[-1]
            before = cells_wide(inner.text[: inner.start])
            lines.append(" " * (6 + wide + before) + "^" * cells_wide(inner.part))
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.said()

    def __repr__(self) -> str:
        return f"<Step {self.number} of {self.of}, {self.direction}: {self.formulas[0]}>"

    def as_dict(self) -> dict[str, Any]:
        """The step in lists, numbers and strings, as JSON has them.

        JSON has no NaN and no infinity: such a number is the text "NaN", "Infinity" or
        "-Infinity", which `float()` and JavaScript's `Number()` read.
        """

        def flows(values: tuple[Flow, ...]) -> list[dict[str, Any]]:
            return [
                {
                    "name": f.name,
                    "arrow": f.arrow,
                    "shape": list(f.shape),
                    "value": _plain(f.value),
                }
                for f in values
            ]

        plain = {k: v for k, v in vars(self).items() if isinstance(v, str | int)}
        source = [vars(line) | {"part": line.part} for line in self.source]
        inputs, reads, outputs = map(flows, (self.inputs, self.reads, self.outputs))
        return {**plain, "inputs": inputs, "reads": reads, "outputs": outputs, "source": source}


def steps(graph: Graph) -> Iterator[Step]:
    """Every forward step, then every backward step that a gradient flows through.

    A gradient is taken of one number: of an output of another shape there are forward steps only.
    """
    gradients = graph.gradients() if graph.has_gradients else {}
    back = [
        (i, node)
        for i, node in reversed(list(enumerate(graph.nodes)))
        if any(v in gradients for v in node.inputs) and any(v in gradients for v in node.outputs)
    ]
    count = len(graph.nodes) + len(back)
    for i, node in enumerate(graph.nodes):
        yield _forward(graph, i, node, count)
    for k, (i, node) in enumerate(back):
        yield _backward(graph, i, node, gradients, len(graph.nodes) + k + 1, count)


def _forward(graph: Graph, i: int, node: Node, count: int) -> Step:
    inputs = _values(graph, node.inputs)
    outputs = tuple(_flow(graph, graph.names[v], v, v.data) for v in node.outputs)
    return Step(
        **_where(graph, i, node),
        number=i + 1,
        of=count,
        direction="forward",
        inputs=inputs,
        outputs=outputs,
        formula=formula_of(node, [f.name for f in inputs], [f.name for f in outputs]),
        reads=(),
    )


def _backward(
    graph: Graph, i: int, node: Node, gradients: Mapping[Variable, Array], number: int, count: int
) -> Step:
    rules: list[Joined] = []
    read: dict[Variable, None] = {}
    for k, v in enumerate(node.inputs):
        if v in gradients:
            how = gradient_text(graph, node, k, gradients)
            rules.append(words("∂", graph.names[v], " = ", how))
            ins, outs = read_by(node, k)
            read.update((node.inputs[j], None) for j in ins)
            read.update((node.outputs[j], None) for j in outs)
    return Step(
        **_where(graph, i, node),
        number=number,
        of=count,
        direction="backward",
        inputs=_gradients(graph, node.outputs, gradients),
        outputs=_gradients(graph, node.inputs, gradients),
        formula=lines(rules) if len(rules) > 1 else words(*rules),
        reads=_values(graph, [v for v in read if v.scalar is None]),
    )


def gradient_text(graph: Graph, node: Node, k: int, gradients: Mapping[Variable, Array]) -> str:
    """The formula of the gradient of a node's k-th input, with the arrows' names."""
    inputs = [value_name(graph, v) for v in node.inputs]
    outputs = [value_name(graph, v) for v in node.outputs]
    douts = [f"∂{graph.names[v]}" if v in gradients else "" for v in node.outputs]
    how = gradient_of(node, k, inputs, outputs, douts)
    return how or f"{node.label}.backward({', '.join(filter(None, douts))})"


def _where(graph: Graph, i: int, node: Node) -> dict[str, Any]:
    """The fields of a step that say which node it is, and where it was written."""
    scope = graph.scopes[node]
    return {
        "operation": node.label,
        "symbol": node.symbol,
        "index": i,
        "layer": graph.layers[scope] if scope else "",
        "source": source_lines(graph, node),
    }


def source_lines(graph: Graph, node: Node) -> tuple[SourceLine, ...]:
    """Where a node was written, from the user's line inwards; nothing for a Branch."""
    if node not in graph.places:
        return ()
    places = [scope.place for scope in around(graph.scopes[node])][::-1]
    lines = [line_of(place) for place in (*places, graph.places[node]) if place is not None]
    return tuple(dict.fromkeys(lines))


def value_name(graph: Graph, v: Variable) -> str:
    """The name of a value: a copy that left a Branch has that of its original, a number is its own."""
    root = graph.root(v)
    return graph.names[root] if root in graph.names else number(v.scalar)


def _values(graph: Graph, arrows: Iterable[Variable]) -> tuple[Flow, ...]:
    return tuple(_flow(graph, value_name(graph, v), v, v.data) for v in arrows)


def _gradients(
    graph: Graph, arrows: Iterable[Variable], gradients: Mapping[Variable, Array]
) -> tuple[Flow, ...]:
    return tuple(
        _flow(graph, f"∂{graph.names[v]}", v, np.asarray(gradients[v]))
        for v in arrows
        if v in gradients
    )


def _flow(graph: Graph, name: str, v: Variable, value: Array) -> Flow:
    return Flow(name, _read_only(value), graph.names.get(v))


def _plain(value: Array) -> Any:
    """Nested lists of numbers and truth values, and text for what JSON has no form of."""
    if value.dtype.kind in "biu" or (value.dtype.kind == "f" and np.isfinite(value).all()):
        return value.tolist()
    if value.ndim:
        return [_plain(part) for part in value]
    x = value.item()
    if isinstance(x, complex):
        return str(x).strip("()")
    return x if np.isfinite(x) else "NaN" if x != x else "Infinity" if x > 0 else "-Infinity"


def _read_only(array: Array) -> Array:
    """A read-only view of the array."""
    view = array.view()
    view.flags.writeable = False
    return view
