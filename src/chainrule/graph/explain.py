"""Why this number: a value or a gradient derived from inputs and parameters, with numbers that add up."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainrule.errors import RecordingError, ShapeError, shown
from chainrule.graph.chain_rule import refuse_complex
from chainrule.graph.derivation import Writer
from chainrule.graph.naming import MOST, arrow_called
from chainrule.graph.sum_text import Line, Term
from chainrule.graph.sums import Number, Reader
from chainrule.graph.variable import Parameter, Variable
from chainrule.graph.wording import number
from chainrule.lang.messages import Spelled, Text, _, _n, in_language, listed
from chainrule.nodes.base import ignore_fp_errors
from chainrule.settings import language, whole

if TYPE_CHECKING:
    from chainrule.graph.graph import Graph

__all__ = ["Explanation", "explain"]

Element = int | tuple[int, ...] | None

ROUNDED = _("(≈: rounded to the digits shown, in which the sums add up.)")


@dataclass(frozen=True, repr=False)
class Explanation:
    """A number and where it comes from: `print` it, or highlight its `arrows` in the drawing.

    `said("zh")` is its text in Chinese.
    """

    #: The number asked for, by its name, and its value.
    name: str
    value: float
    #: All terms of its sum; a value that is no sum is its own one term.
    terms: tuple[Term, ...]
    #: The derivation, a line for every number, the one asked for first.
    derivation: tuple[Line, ...]
    #: The count of numbers that are not derived any more, a message; empty if there are none.
    unsaid: str
    #: The arrows that the derivation runs along.
    arrows: frozenset[Variable]

    @property
    def remarks(self) -> tuple[str, ...]:
        """The messages below the derivation."""
        rounded = any(line.rounded for line in self.derivation)
        return tuple(filter(None, (self.unsaid, ROUNDED if rounded else "")))

    @property
    def lines(self) -> tuple[str, ...]:
        """The text in English, line by line."""
        return tuple(self._lines("en"))

    def said(self, lang: str | None = None) -> str:
        """The text in a language; None: that of `CHAINRULE_LANG`, else English."""
        return "\n".join(self._lines(language(lang)))

    def _lines(self, lang: str) -> Iterator[str]:
        for line in self.derivation:
            indent = "" if line is self.derivation[0] else "  "
            yield from (f"{indent}{text}" for text in line.text(lang))
        for remark in self.remarks:
            indent = "  " if remark is self.unsaid else ""
            yield f"{indent}{in_language(remark, lang)}"

    def __str__(self) -> str:
        return self.said()

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
    if not gradient:  # a copy is explained as the value it is a copy of
        reader.passed.add(v)
        v = graph.root(v)
    rows = _rows(graph)
    if row is not None:
        element = _in_row(graph, v, element, row, rows)
    asked = Number(v, _position(graph, v, element), gradient)
    writer = Writer(graph, reader, rows, row, terms)
    if row is not None and not writer.has_part(asked):
        raise ShapeError(
            _("row {row} has no part of its own in {name}.", row=row, name=writer.name(asked))
        )
    with ignore_fp_errors():
        return _derive(writer, asked, lines=lines, depth=depth)


def _derive(writer: Writer, asked: Number, *, lines: int, depth: int | None) -> Explanation:
    """The number asked for, then the numbers it is computed from, nearest first."""
    reader = writer.reader
    ahead, seen = deque([(asked, 1)]), {asked}
    derivation: list[Line] = []
    written = 0
    terms: tuple[Term, ...] = ()
    while ahead and written < lines:
        current, steps = ahead.popleft()
        line, own_terms, further = writer.line(current, every=current is asked)
        terms = own_terms if current is asked else terms
        derivation.append(line)
        written += len(line.text())
        reader.passed.update(n.arrow for n in (current, *further))
        if depth is None or steps < depth:
            new = [n for n in dict.fromkeys(further) if not (n in seen or reader.is_beginning(n))]
            seen.update(new)
            ahead.extend((n, steps + 1) for n in new)
    limit = _(" (lines={lines})", lines=lines)
    unsaid = _n(
        "… and {n} number more, not derived here{limit}.",
        "… and {n} numbers more, not derived here{limit}.",
        len(ahead),
        limit=Spelled(limit, page=""),
    )
    arrows = frozenset(reader.passed | reader.all_behind(n for n, steps in ahead))
    return Explanation(
        writer.name(asked),
        reader.value(asked),
        terms,
        tuple(derivation),
        unsaid if ahead else "",
        arrows,
    )


# -- what is asked for -------------------------------------------------------------------------


def _arrow(graph: Graph, arrow: Variable | str) -> Variable:
    if isinstance(arrow, str):
        return arrow_called(graph, arrow)
    if not isinstance(arrow, Variable) or arrow not in graph.names:
        known = isinstance(arrow, Variable)
        raise RecordingError(
            _(
                "explain() was asked of {what} of this graph. Ask the graph of what was computed from it"
                " (y.graph), or name an arrow: {names}.",
                what=_("a Variable that is no arrow") if known else shown(arrow, 60),
                names=listed(list(graph.names.values())[:MOST]),
            )
        )
    return arrow


def _no_gradient(graph: Graph, v: Variable) -> Text:
    output = graph.outputs[0]
    if output.size != 1:
        return _(
            "a gradient is taken of one number, and {name} has shape {shape}. Reduce it first, with cr.sum"
            " or cr.mean.",
            name=graph.names[output],
            shape=output.shape,
        )
    return _(
        "no gradient flows to {name}: it holds {dtype}, or nothing that moves leads on.",
        name=graph.names[v],
        dtype=v.dtype,
    )


def _position(graph: Graph, v: Variable, element: Element) -> int:
    if element is None and v.size == 1:
        return 0
    if v.size == 0:
        raise ShapeError(
            _(
                "{name} has shape {shape}: there is no element to explain.",
                name=graph.names[v],
                shape=v.shape,
            )
        )
    indices = () if element is None else element if isinstance(element, tuple) else (element,)
    if (
        len(indices) != v.ndim
        or not all(map(_is_whole, indices))
        or any(not -n <= i < n for i, n in zip(indices, v.shape, strict=True))
    ):
        example = 0 if v.ndim == 1 else (0,) * v.ndim
        raise ShapeError(
            _(
                "{name} has shape {shape}; say which element by whole numbers, such as element={example}."
                " Got {given}.",
                name=graph.names[v],
                shape=v.shape,
                example=example,
                given=shown(element, 60),
            )
        )
    wrapped = tuple(int(i) % n for i, n in zip(indices, v.shape, strict=True))
    return int(np.ravel_multi_index(wrapped, v.shape)) if wrapped else 0


def _is_whole(index: object) -> bool:
    return isinstance(index, int | np.integer) and not isinstance(index, bool)


def _rows(graph: Graph) -> set[Variable]:
    """The arrows whose first axis is the batch's: they depend on the data, and have its length.

    The data are the first input, and constants as long as it is: targets, weights of samples.
    """
    data = [v for v in graph.inputs if v.ndim and not isinstance(v, Parameter) and v.scalar is None]
    if not data:
        return set()
    n = data[0].shape[0]
    rows = {data[0]} | {v for v in data if v.shape[0] == n and not v.requires_grad}
    for node in graph.nodes:
        if not rows.isdisjoint(node.inputs):
            rows.update(v for v in node.outputs if v.shape[:1] == (n,))
    for node in reversed(graph.nodes):  # a bias is repeated for every row
        if node.elementwise and not rows.isdisjoint(node.outputs):
            rows.update(v for v in node.inputs if v.shape[:1] == (n,))
    return rows


def _in_row(graph: Graph, v: Variable, element: Element, row: int, rows: set[Variable]) -> Element:
    """The element with the row in front of its index, if it lacks it; of an arrow without rows, unchanged."""
    lengths = {u.shape[0] for u in rows}
    if not lengths or not _is_whole(row) or not 0 <= row < min(lengths):
        raise ShapeError(
            _n(
                "row={row} is no row of the batch, which has {n} row, from 0.",
                "row={row} is no row of the batch, which has {n} rows, from 0.",
                min(lengths, default=0),
                row=shown(row, 60),
            )
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
            _(
                "element={element} of {name} is not in row {row}. Leave out row=, or give the element in the"
                " row.",
                element=shown(element, 60),
                name=graph.names[v],
                row=row,
            )
        )
    return element
