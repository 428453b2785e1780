"""Why this number: a value or a gradient, derived back to inputs and parameters with numbers that add up."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainrule.errors import RecordingError, ShapeError, shown
from chainrule.graph.chain_rule import refuse_complex
from chainrule.graph.derivation import Writer
from chainrule.graph.naming import MOST, arrow_called
from chainrule.graph.sum_text import Term
from chainrule.graph.sums import Number, Reader
from chainrule.graph.variable import Parameter, Variable
from chainrule.graph.wording import Words, number
from chainrule.nodes.base import ignore_fp_errors
from chainrule.settings import whole

if TYPE_CHECKING:
    from chainrule.graph.graph import Graph

__all__ = ["Explanation", "explain"]

Element = int | tuple[int, ...] | None


@dataclass(frozen=True, repr=False)
class Explanation:
    """A number and where it comes from: `print` it, or highlight its `arrows` in the drawing."""

    #: The number asked for, by its name, and its value.
    name: str
    value: float
    #: What it is the sum of, largest or not; a value that is no sum has itself as its one term.
    terms: tuple[Term, ...]
    #: The derivation, a line for every number, the one asked for first.
    lines: tuple[str, ...]
    #: The arrows that the derivation runs along.
    arrows: frozenset[Variable]

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __repr__(self) -> str:
        return f"<Explanation of {self.name} = {number(self.value)}, {len(self.lines)} lines>"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"


def explain(
    graph: Graph,
    arrow: Variable | str,
    element: Element = None,
    *,
    gradient: bool = False,
    row: int | None = None,
    depth: int | None = None,
    terms: int = 6,
    lines: int = 60,
) -> Explanation:
    """The derivation of one number (see `Graph.explain`)."""
    terms, lines = whole(terms, "explain: terms"), whole(lines, "explain: lines")
    depth = None if depth is None else whole(depth, "explain: depth")
    refuse_complex(graph)
    v = _arrow(graph, arrow)
    reader = Reader(graph)
    if gradient and v not in reader.gradients:
        raise RecordingError(_no_gradient(graph, v))
    if not gradient:  # a copy is told as the value that it is of
        reader.passed.add(v)
        v = graph.root(v)
    rows = _rows(graph)
    if row is not None:
        element = _in_row(graph, v, element, row, rows)
    asked = Number(v, _place(graph, v, element), gradient)
    writer = Writer(graph, reader, rows, row, terms)
    if row is not None and not writer.has_part(asked):
        raise ShapeError(f"row {row} has no part of its own in {writer.name(asked)}.")
    with ignore_fp_errors():
        return _derive(writer, asked, lines=lines, depth=depth)


def _derive(writer: Writer, asked: Number, *, lines: int, depth: int | None) -> Explanation:
    """The number asked for, then what it came from, nearest first."""
    reader = writer.reader
    ahead, seen = deque([(asked, 1)]), {asked}
    written: list[str] = []
    terms: tuple[Term, ...] = ()
    rounded = False
    while ahead and len(written) < lines:
        here, steps = ahead.popleft()
        line, own, further = writer.line(here, every=here is asked)
        terms = own if here is asked else terms
        written += [text if here is asked else Words("  ", text) for text in line.text()]
        rounded = rounded or line.rounded
        reader.passed.update(n.arrow for n in (here, *further))
        if depth is None or steps < depth:
            new = [n for n in dict.fromkeys(further) if not (n in seen or reader.is_beginning(n))]
            seen.update(new)
            ahead.extend((n, steps + 1) for n in new)
    if ahead:
        written.append(f"  … and {len(ahead)} numbers more, not derived here (lines={lines}).")
    if rounded:
        written.append("(≈: rounded to the digits shown, in which the sums add up.)")
    arrows = frozenset(reader.passed | reader.all_behind(n for n, _ in ahead))
    return Explanation(writer.name(asked), reader.value(asked), terms, tuple(written), arrows)


# -- what is asked for -------------------------------------------------------------------------


def _arrow(graph: Graph, arrow: Variable | str) -> Variable:
    if isinstance(arrow, str):
        return arrow_called(graph, arrow)
    if not isinstance(arrow, Variable) or arrow not in graph.names:
        what = "a Variable that is no arrow" if isinstance(arrow, Variable) else shown(arrow, 60)
        raise RecordingError(
            f"explain() was asked of {what} of this graph. Ask the graph of what was computed from it"
            f" (y.graph), or name an arrow: {', '.join(list(graph.names.values())[:MOST])}."
        )
    return arrow


def _no_gradient(graph: Graph, v: Variable) -> str:
    output = graph.outputs[0]
    if output.size != 1:
        return (
            f"a gradient is taken of one number, and {graph.names[output]} has shape {output.shape}."
            " Reduce it first, with cr.sum or cr.mean."
        )
    return f"no gradient flows to {graph.names[v]}: it holds {v.dtype}, or nothing that moves leads on."


def _place(graph: Graph, v: Variable, element: Element) -> int:
    if element is None and v.size == 1:
        return 0
    if v.size == 0:
        raise ShapeError(f"{graph.names[v]} has shape {v.shape}: there is no element to explain.")
    indices = () if element is None else element if isinstance(element, tuple) else (element,)
    if (
        len(indices) != v.ndim
        or not all(map(_is_whole, indices))
        or any(not -n <= i < n for i, n in zip(indices, v.shape, strict=True))
    ):
        example = 0 if v.ndim == 1 else tuple(0 for _ in v.shape)
        raise ShapeError(
            f"{graph.names[v]} has shape {v.shape}; say which element by whole numbers, such as"
            f" element={example}. Got {shown(element, 60)}."
        )
    wrapped = tuple(int(i) % n for i, n in zip(indices, v.shape, strict=True))
    return int(np.ravel_multi_index(wrapped, v.shape)) if wrapped else 0


def _is_whole(index: object) -> bool:
    return isinstance(index, int | np.integer) and not isinstance(index, bool)


def _rows(graph: Graph) -> set[Variable]:
    """The arrows whose first axis is the batch's: what comes from the data, and has its length.

    The data are the first input, and constants as long as it is: targets, weights of samples.
    """
    data = [v for v in graph.inputs if v.ndim and not isinstance(v, Parameter) and v.scalar is None]
    if not data:
        return set()
    n = data[0].shape[0]
    found = {data[0]} | {v for v in data if v.shape[0] == n and not v.requires_grad}
    for node in graph.nodes:
        if not found.isdisjoint(node.inputs):
            found.update(v for v in node.outputs if v.shape[:1] == (n,))
    for node in reversed(graph.nodes):  # a bias is repeated for every row
        if node.elementwise and not found.isdisjoint(node.outputs):
            found.update(v for v in node.inputs if v.shape[:1] == (n,))
    return found


def _in_row(graph: Graph, v: Variable, element: Element, row: int, rows: set[Variable]) -> Element:
    """The element in that row, given with or without it; of what has no rows, as it is."""
    lengths = {u.shape[0] for u in rows}
    if not lengths or not _is_whole(row) or not 0 <= row < min(lengths):
        raise ShapeError(
            f"row={shown(row, 60)} is no row of the batch, which has {min(lengths, default=0)} rows, from 0."
        )
    if v not in rows:
        return element
    rest = () if element is None else element if isinstance(element, tuple) else (element,)
    if element is None and v.size == v.shape[0]:
        rest = (0,) * (v.ndim - 1)
    if len(rest) != v.ndim:
        return (row, *rest)
    if rest[0] != row:
        raise ShapeError(
            f"element={shown(element, 60)} of {graph.names[v]} is not in row {row}. Leave out row=, or"
            " give the element in the row."
        )
    return element
