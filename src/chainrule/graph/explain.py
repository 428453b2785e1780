"""Why this number: a value or a gradient, derived back to inputs and parameters with numbers that add up."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainrule.errors import RecordingError, SettingError, ShapeError, nearest
from chainrule.graph.steps import gradient_text, value_name
from chainrule.graph.sum_text import (
    Line,
    Term,
    added,
    element,
    exactly,
    factor_values,
    product,
    sigma,
    symbols,
    written,
)
from chainrule.graph.sums import Factor, Group, Number, Reader
from chainrule.graph.variable import Parameter, Variable
from chainrule.graph.wording import formula_of, gradient_of, number

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
    if terms < 1 or lines < 1 or (depth is not None and depth < 1):
        raise SettingError(
            f"explain: terms={terms}, lines={lines} and depth={depth} must be at least 1."
        )
    v = _arrow(graph, arrow)
    reader = Reader(graph)
    if gradient and v not in reader.gradients:
        raise RecordingError(_no_gradient(graph, v))
    rows = _rows(graph)
    of_row = None
    if row is not None:
        element, of_row = _in_row(graph, v, element, row, rows)
    number_asked = Number(v, _place(graph, v, element), gradient)
    return _Writer(graph, reader, rows, terms, lines, depth).explanation(number_asked, of_row)


# -- what is asked for -------------------------------------------------------------------------


def _arrow(graph: Graph, arrow: Variable | str) -> Variable:
    if isinstance(arrow, str):
        found = [v for v, name in graph.names.items() if name == arrow]
        if not found:
            raise SettingError(
                f"no arrow is called {arrow!r}: {nearest(arrow, graph.names.values())}."
            )
        return found[0]
    if arrow not in graph.names:
        raise RecordingError(
            "explain() was asked of a Variable that is no arrow of this graph. Ask the graph of what"
            " was computed from it (y.graph), or name an arrow: "
            f"{', '.join(list(graph.names.values())[:12])}."
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
    indices = () if element is None else element if isinstance(element, tuple) else (element,)
    if element is None and v.size == 1:
        return 0
    if len(indices) != v.ndim or any(
        not -n <= i < n for i, n in zip(indices, v.shape, strict=True)
    ):
        raise ShapeError(
            f"{graph.names[v]} has shape {v.shape}; say which element, such as"
            f" element={tuple(0 for _ in v.shape)}. Got {element}."
        )
    wrapped = tuple(int(i) % n for i, n in zip(indices, v.shape, strict=True))
    return int(np.ravel_multi_index(wrapped, v.shape)) if wrapped else 0


def _rows(graph: Graph) -> set[Variable]:
    """The arrows whose first axis is the batch's: what comes from the data, and has its length."""
    data = [v for v in graph.inputs if v.ndim and not isinstance(v, Parameter) and v.scalar is None]
    if not data:
        return set()
    n = data[0].shape[0]
    found = {v for v in data if v.shape[0] == n}
    for node in graph.nodes:
        if not found.isdisjoint(node.inputs):
            found.update(v for v in node.outputs if v.shape[:1] == (n,))
    for node in reversed(graph.nodes):  # a bias is repeated for every row
        if node.elementwise and not found.isdisjoint(node.outputs):
            found.update(v for v in node.inputs if v.shape[:1] == (n,))
    return found


def _in_row(
    graph: Graph, v: Variable, element: Element, row: int, rows: set[Variable]
) -> tuple[Element, int | None]:
    """The element in that row; or, of what has no rows, the element and the row whose part it is."""
    lengths = {u.shape[0] for u in rows}
    if not lengths or not 0 <= row < min(lengths):
        raise ShapeError(
            f"row={row} is no row of the batch, which has {min(lengths, default=0)} rows, from 0."
        )
    if v not in rows:
        return element, row
    rest = () if element is None else element if isinstance(element, tuple) else (element,)
    if element is None and v.size == v.shape[0]:
        rest = (0,) * (v.ndim - 1)
    return (row, *rest), None


# -- the derivation ----------------------------------------------------------------------------


class _Piece(NamedTuple):
    """A term, its factors of one element each, and whether its numbers are exact as printed."""

    term: Term
    factors: list[Factor]
    exact: bool


class _Writer:
    """Writes the derivation of a number, nearest first."""

    def __init__(
        self,
        graph: Graph,
        reader: Reader,
        rows: set[Variable],
        terms: int,
        lines: int,
        depth: int | None,
    ) -> None:
        self.graph, self.reader, self.rows = graph, reader, rows
        self.most, self.lines, self.depth = terms, lines, depth
        #: How exact the numbers themselves are, by their dtype.
        single = any(v.dtype == np.float32 for v in graph.names)
        self.eps = 2e-7 if single else 1e-12

    def explanation(self, asked: Number, of_row: int | None) -> Explanation:
        """The number asked for, then what it came from, breadth first."""
        ahead = deque([(asked, 1)])
        seen = {asked}
        written: list[str] = []
        terms: tuple[Term, ...] = ()
        rounded = False
        while ahead and len(written) < self.lines:
            here, depth = ahead.popleft()
            self.reader.passed.add(here.arrow)
            line, own, further = self._line(here, of_row if here is asked else None)
            terms = own if here is asked else terms
            written += [text if here is asked else f"  {text}" for text in line.text()]
            rounded = rounded or line.rounded
            self.reader.passed.update(n.arrow for n in further)
            if self.depth is None or depth < self.depth:
                new = [n for n in further if n not in seen and not self._is_known(n)]
                seen.update(new)
                ahead.extend((n, depth + 1) for n in new)
        if ahead:
            written.append(
                f"  … and {len(ahead)} numbers more, not derived here: lines={self.lines}."
            )
        if rounded:
            written.append("(≈: rounded to the digits shown, in which the sums add up.)")
        arrows = self.reader.passed | self._all_behind(n for n, _ in ahead)
        name = self._number(asked)
        return Explanation(name, self.reader.value(asked), terms, tuple(written), frozenset(arrows))

    def _is_known(self, n: Number) -> bool:
        """Whether nothing more is to be said of a number: an input, or the gradient of L."""
        links = self.reader.takers if n.gradient else self.reader.makers
        return n.arrow not in links

    def _all_behind(self, numbers: Iterable[Number]) -> set[Variable]:
        """Every arrow that these numbers came over."""
        found: set[Variable] = set()
        ahead = [(n.arrow, n.gradient) for n in numbers]
        while ahead:
            v, gradient = ahead.pop()
            if v in found:
                continue
            found.add(v)
            if gradient and v in self.reader.takers:
                outputs = self.reader.takers[v][0].outputs
                ahead += [(u, True) for u in outputs if u in self.reader.gradients]
            elif not gradient and v in self.reader.makers:
                inputs = self.reader.makers[v][0].inputs
                ahead += [(u, False) for u in inputs if u.scalar is None]
        return found

    # -- names ---------------------------------------------------------------------------------

    def _name(self, v: Variable, gradient: bool) -> str:
        return f"∂{self.graph.names[v]}" if gradient else value_name(self.graph, v)

    def _element(self, v: Variable, place: int, gradient: bool = False) -> str:
        name = self._name(v, gradient)
        return name if v.scalar is not None else element(name, v.shape, place)

    def _number(self, n: Number) -> str:
        return self._element(n.arrow, n.place, n.gradient)

    def _elements(self, factor: Factor) -> str:
        """Elements of an arrow with their numbers: a whole row as one, `x[0,:] = 0.1, 0.3`."""
        v, places = factor.arrow, factor.places
        numbers = list(map(number, self.reader.values(factor)))
        if v.dtype.kind in "biu":
            numbers = [number(x) for x in np.reshape(v.data, -1)[places]]
        indices = np.unravel_index(places, v.shape) if v.ndim else ()
        parts = [str(int(i[0])) if np.all(i == i[0]) else ":" for i in indices]
        shown = numbers[: self.most]
        more = f" and {len(numbers) - self.most} more" if len(numbers) > self.most else ""
        name = self._name(v, False)
        if v.scalar is None and parts:
            name += f"[{','.join(parts)}]"
        return f"{name} = {', '.join(shown)}{more}"

    # -- one line --------------------------------------------------------------------------------

    def _line(self, n: Number, of_row: int | None) -> tuple[Line, tuple[Term, ...], list[Number]]:
        """The line of a number, its terms, and the numbers to go on with."""
        line, value = Line(self._number(n)), self.reader.value(n)
        if self._is_known(n):
            return self._beginning(line, n, value)
        groups = self.reader.groups(n)
        if groups is None:
            return self._formula(line, n, value)
        if n.gradient and self._rule(n) is not None:
            return self._by_rule(line, n, groups, value)
        return self._sum(line, n, groups, value, of_row)

    def _beginning(
        self, line: Line, n: Number, value: float
    ) -> tuple[Line, tuple[Term, ...], list[Number]]:
        kind = "a parameter" if isinstance(n.arrow, Parameter) else "an input"
        said = f"{number(value)}, {'since ∂L/∂L = 1' if n.gradient else kind}"
        line.add(said)
        return line, (Term(value, line.head, number(value)),), []

    def _formula(
        self, line: Line, n: Number, value: float
    ) -> tuple[Line, tuple[Term, ...], list[Number]]:
        """A value that is no sum of products: its node's formula, and with the numbers."""
        node, m = self.reader.makers[n.arrow]
        factors = self.reader.touched(n)
        reached = [Number(f.arrow, int(p), False) for f in factors for p in f.places]
        if node.elementwise:
            shape = n.arrow.shape
            at = [n.place if v.shape == shape else 0 for v in node.inputs]
            names = [self._element(v, p) for v, p in zip(node.inputs, at, strict=True)]
            values = [np.reshape(v.data, -1)[p] for v, p in zip(node.inputs, at, strict=True)]
            texts = list(map(number, values))
            line.add(formula_of(node, names, [""])[3:])
            line.add(formula_of(node, texts, [""])[3:], exactly(texts, values, self.eps))
        else:
            line.add(formula_of(node, [self._name(v, False) for v in node.inputs], [""])[3:])
            line.note = ", ".join(self._elements(f) for f in factors)
            line.note = f"where {line.note}" if line.note else ""
        text = number(value)
        line.add(text, exactly([text], [value], self.eps))
        moving = [r for r in reached if r.arrow.dtype.kind == "f"]
        return line, (Term(value, line.ways[0][1], text),), moving[: self.most]

    def _rule(self, n: Number) -> tuple[str, str] | None:
        """How the gradient at an elementwise node comes about, with names and with numbers."""
        node, k = self.reader.takers[n.arrow]
        if not node.elementwise or self.reader.local(node).shape is not None:
            return None
        v = node.outputs[0]
        dout = float(np.reshape(self.reader.gradients[v], -1)[n.place])
        values = [
            [number(np.reshape(u.data, -1)[n.place]) for u in arrows]
            for arrows in (node.inputs, node.outputs)
        ]
        names = [
            [self._element(u, n.place) for u in arrows] for arrows in (node.inputs, node.outputs)
        ]
        with_names = gradient_of(node, k, *names, [self._element(v, n.place, True)])
        with_numbers = gradient_of(node, k, *values, [number(dout)])
        return (with_names, with_numbers) if with_names else None

    def _by_rule(
        self, line: Line, n: Number, groups: list[Group], value: float
    ) -> tuple[Line, tuple[Term, ...], list[Number]]:
        """A gradient at an elementwise node: its own rule, with the numbers."""
        found = self._rule(n)
        assert found is not None
        node, _ = self.reader.takers[n.arrow]
        line.add(found[0])
        line.add(found[1], exact=False)
        line.add(number(value), exactly([number(value)], [value], self.eps))
        terms = tuple(Term(float(t), *found) for g in groups for t in self.reader.terms(g))
        return line, terms, [Number(node.outputs[0], n.place, True)]

    def _sum(
        self, line: Line, n: Number, groups: list[Group], value: float, of_row: int | None
    ) -> tuple[Line, tuple[Term, ...], list[Number]]:
        """A sum of products: Σ with letters, the largest terms in numbers, and the total."""
        if not groups:
            end = self.graph.names[self.graph.outputs[0]]
            why = f", since nothing that it moves moves {end}" if n.gradient else ""
            line.add(f"{number(value)}{why}")
            return line, (), []
        line.add(added(self._symbolic(n, g) for g in groups))
        if groups[0].slope_of is not None:
            node, k = self.reader.takers[n.arrow]
            how = gradient_text(self.graph, node, k, self.reader.gradients)
            line.note = f"where ∂{self.graph.names[n.arrow]} = {how}"
        pieces = self._pieces(n, groups)
        sizes = np.array([p.term.value for p in pieces])
        if of_row is None:
            chosen = np.sort(np.argsort(-np.abs(sizes), kind="stable")[: self.most])
            rest = "more"
        else:
            chosen = np.array(
                [i for i, p in enumerate(pieces) if self._in_row(p.factors, of_row)], int
            )
            if not len(chosen):
                raise ShapeError(f"row {of_row} has no part of its own in {line.head}.")
            chosen, rest = chosen[: self.most], "of other rows"
        shown = [pieces[i] for i in chosen]
        values = [p.term.value for p in shown]
        left = len(pieces) - len(shown)
        others = [float(sizes.sum() - sum(values))] if left else []
        texts, total, exact = written([*values, *others], value, self.eps)
        if any("·" in p.term.numbers for p in shown):
            products = [p.term.numbers for p in shown] + ([f"{left} {rest}"] if left else [])
            line.add(added(products), all(p.exact for p in shown))
        if len(texts) > 1:
            texts = texts[:-1] + [f"{texts[-1]} ({left} {rest})"] if left else texts
            line.add(added(texts), exact)
        line.add(total, exact)
        further = [f for p in shown for f in p.factors if f.gradient or not n.gradient]
        return (
            line,
            tuple(p.term for p in pieces),
            [Number(f.arrow, int(f.places[0]), f.gradient) for f in further],
        )

    def _in_row(self, factors: list[Factor], row: int) -> bool:
        return any(
            f.arrow in self.rows
            and int(np.unravel_index(int(f.places[0]), f.arrow.shape)[0]) == row
            for f in factors
        )

    def _pieces(self, n: Number, groups: list[Group]) -> list[_Piece]:
        """Every term of a sum, with its factors."""
        found = []
        for group in groups:
            values = self.reader.terms(group)
            for i, c in enumerate(group.coefficients):
                own = [f._replace(places=f.places[i : i + 1]) for f in group.factors]
                names = [self._element(f.arrow, int(f.places[0]), f.gradient) for f in own]
                text = "·".join(names)
                values_of = factor_values(self.reader, group.factors, i)
                if group.slope_of is not None:
                    text += f"·∂{names[0][1:]}/{self._number(n)}"
                    values_of.append(float(c))
                elif c == -1:
                    text, values_of[0] = f"-{text}", -values_of[0]
                elif c != 1:
                    text = f"{_coefficient(float(c))}{text}"
                    values_of.insert(0, float(c))
                numbers, exact = product(values_of, self.eps)
                found.append(_Piece(Term(float(values[i]), text, numbers), own, exact))
        return found

    def _symbolic(self, n: Number, group: Group) -> str:
        """A group in letters: `Σₖ x[0,k]·W[k,2]`."""
        letters, texts = symbols(self.reader, group, self._name, self.rows)
        if group.slope_of is not None:
            texts.append(f"∂{texts[0][1:]}/{self._number(n)}")
        inside = "·".join(texts)
        count = len(group.coefficients)
        if letters == "…":
            if count <= 3:
                return added(p.term.text for p in self._pieces(n, [group]))
            return f"the sum of {count} {'products ' if len(texts) > 1 else ''}{inside}"
        head = sigma(letters) if letters else ""
        first = float(group.coefficients[0])
        if group.slope_of is not None or not np.all(group.coefficients == first):
            return f"{head}{'' if group.slope_of is not None else 'c·'}{inside}"
        return f"{_coefficient(first)}{head}{inside}"


def _coefficient(c: float) -> str:
    """A constant in front: nothing for 1, and 1/30 for a thirtieth."""
    if c in (1, -1):
        return "" if c == 1 else "-"
    whole = round(1 / c) if abs(c) < 1 else 0
    if whole and abs(whole) < 10**6 and abs(c * whole - 1) < 1e-12:
        return f"{'-' if whole < 0 else ''}1/{abs(whole)} · "
    return f"{number(c)} · "
