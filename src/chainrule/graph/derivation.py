"""The line that derives one number: its sum or formula with names, with numbers, and the total."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

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
from chainrule.graph.wording import computed, gradient_of, joined, number
from chainrule.lang.messages import Text, _, _p, words
from chainrule.nodes.base import Array

if TYPE_CHECKING:
    from chainrule.graph.graph import Graph

__all__ = ["DerivedLine", "Writer"]


class DerivedLine(NamedTuple):
    """A number's line, the terms of its sum, and the numbers that these are computed from."""

    line: Line
    terms: tuple[Term, ...]
    further: list[Number]


class Piece(NamedTuple):
    """A term, its factors of one element each, and whether its numbers are exact as printed."""

    term: Term
    factors: list[Factor]
    exact: bool


class Writer:
    """Writes the lines of a derivation.

    At most `terms` terms of a sum are shown; with `row`, only those of that row of the batch. `rows` are
    the arrows whose first axis is the batch's.
    """

    def __init__(
        self,
        graph: Graph,
        reader: Reader,
        rows: set[Variable],
        row: int | None,
        terms: int,
    ) -> None:
        self.graph, self.reader, self.rows, self.row, self.most = graph, reader, rows, row, terms
        #: The relative rounding error of the numbers, by their dtype.
        single = any(v.dtype == np.float32 for v in graph.names)
        self.eps = 2e-7 if single else 1e-12

    # -- names ---------------------------------------------------------------------------------

    def _name(self, v: Variable, gradient: bool) -> str:
        return f"∂{self.graph.names[v]}" if gradient else value_name(self.graph, v)

    def _element(self, v: Variable, position: int, gradient: bool = False) -> str:
        name = self._name(v, gradient)
        return name if v.scalar is not None else element(name, v.shape, position)

    def _original(self, v: Variable, position: int) -> str:
        """The name of a value at the arrow it comes from, before copies, reshapes and the like."""
        factor = self.reader.traced(Factor(v, np.array([position]), False))
        return self._element(factor.arrow, int(factor.positions[0]))

    def name(self, n: Number) -> str:
        """The name of a number, such as `W[0,2]`."""
        return self._element(n.arrow, n.position, n.gradient)

    def _elements(self, factor: Factor) -> Text | str:
        """Elements of an arrow with their numbers: a whole row as one, `x[0,:] = 0.1, 0.3`."""
        v, positions = factor.arrow, factor.positions
        numbers = list(map(number, self.reader.values(factor)))
        if v.dtype.kind in "biu":
            numbers = [number(x) for x in np.reshape(v.data, -1)[positions]]
        indices = np.unravel_index(positions, v.shape) if v.ndim else ()
        fixed = [bool(np.all(i == i[0])) for i in indices]
        whole = np.prod([n for n, f in zip(v.shape, fixed, strict=True) if not f]) == len(positions)
        shown, more = numbers[: self.most], len(numbers) - self.most
        if v.scalar is not None or not v.ndim:
            return f"{self._name(v, False)} = {numbers[0]}"
        if not whole:
            each = [self._element(v, int(p)) for p in positions[: self.most]]
            text = ", ".join(f"{e} = {x}" for e, x in zip(each, shown, strict=True))
        else:
            parts = [str(int(i[0])) if f else ":" for i, f in zip(indices, fixed, strict=True)]
            text = f"{self._name(v, False)}[{','.join(parts)}] = {', '.join(shown)}"
        return _("{numbers} and {n} more", numbers=text, n=more) if more > 0 else text

    # -- one line --------------------------------------------------------------------------------

    def line(self, n: Number, every: bool = False) -> DerivedLine:
        """The line of a number, and the numbers to derive next; with `every`, all of its terms."""
        line, value = Line(self.name(n)), self.reader.value(n)
        if self.reader.is_beginning(n):
            return self._beginning(line, n, value)
        groups = self.reader.groups(n)
        if groups is None:
            return self._formula(line, n, value)
        if n.gradient and self._rule(n) is not None:
            return self._by_rule(line, n, groups, value)
        return self._sum(line, n, groups, value, every)

    def _beginning(self, line: Line, n: Number, value: float) -> DerivedLine:
        text = number(value)
        if n.gradient:
            line.add(_("{value}, since {name}/{name} = 1", value=text, name=line.head))
        elif isinstance(n.arrow, Parameter):
            line.add(_("{value}, a parameter", value=text))
        else:
            line.add(_("{value}, an input", value=text))
        return DerivedLine(line, (Term(value, line.head, text),), [])

    def _formula(self, line: Line, n: Number, value: float) -> DerivedLine:
        """A value that is no sum of products: its node's formula, with names and with numbers."""
        node = self.reader.makers[n.arrow][0]
        factors = self.reader.touched(n)
        sources = [Number(f.arrow, int(p), False) for f in factors for p in f.positions]
        if node.elementwise:
            values = [np.reshape(v.data, -1)[n.position] for v in node.inputs]
            names = [self._original(v, n.position) for v in node.inputs]
            texts = list(map(number, values))
            line.add(computed(node, names))
            line.add(computed(node, texts), exactly(texts, values, self.eps))
        else:
            line.add(computed(node, [self._name(v, False) for v in node.inputs]))
            if factors:
                line.note = _("where {names}", names=joined(", ", map(self._elements, factors)))
        text = number(value)
        line.add(text, exactly([text], [value], self.eps))
        moving = [r for r in sources if r.arrow.dtype.kind == "f"]
        return DerivedLine(line, (Term(value, line.forms[0][1], text),), moving[: self.most])

    def _rule(self, n: Number) -> tuple[Text, Text, bool] | None:
        """The rule of the gradient at an elementwise node, with names and with numbers; is it exact?"""
        node, k = self.reader.takers[n.arrow]
        if not node.elementwise or self.reader.local(node).shape is not None:
            return None
        if len(node.outputs) > 1:
            return None  # a sum over the gradients that arrive
        v = node.outputs[0]
        dout = float(np.reshape(self.reader.gradients[v], -1)[n.position])
        values = [
            [np.reshape(u.data, -1)[n.position] for u in arrows]
            for arrows in (node.inputs, node.outputs)
        ]
        texts = [list(map(number, row)) for row in values]
        names = [
            [self._original(u, n.position) for u in arrows]
            for arrows in (node.inputs, node.outputs)
        ]
        with_names = gradient_of(
            node, k, names[0], names[1], [self._element(v, n.position, gradient=True)]
        )
        with_numbers = gradient_of(node, k, texts[0], texts[1], [number(dout)])
        every = [*zip(texts[0] + texts[1], values[0] + values[1], strict=True)]
        exact = exactly([number(dout)], [dout], self.eps) and all(
            exactly([text], [x], self.eps) for text, x in every if text in with_numbers
        )
        return (with_names, with_numbers, exact) if with_names else None

    def _by_rule(self, line: Line, n: Number, groups: list[Group], value: float) -> DerivedLine:
        """A gradient at an elementwise node: the node's own rule, with the numbers."""
        rule = self._rule(n)
        assert rule is not None
        with_names, with_numbers, exact = rule
        node, _ = self.reader.takers[n.arrow]
        line.add(with_names)
        line.add(with_numbers, exact)
        line.add(number(value), exactly([number(value)], [value], self.eps))
        terms = tuple(
            Term(float(t), with_names, with_numbers) for g in groups for t in self.reader.terms(g)
        )
        return DerivedLine(line, terms, [Number(node.outputs[0], n.position, True)])

    def _sum(
        self, line: Line, n: Number, groups: list[Group], value: float, every: bool
    ) -> DerivedLine:
        """A sum of products: Σ with letters, the largest terms in numbers, and the total."""
        if not groups:
            text, end = number(value), self.graph.names[self.graph.outputs[0]]
            why = _("{value}, since nothing that it moves moves {end}", value=text, end=end)
            line.add(why if n.gradient else text)
            return DerivedLine(line, (), [])
        line.add(added(self._symbolic(n, g) for g in groups))
        if groups[0].slope_of is not None:
            node, k = self.reader.takers[n.arrow]
            how = gradient_text(self.graph, node, k, self.reader.gradients)
            rule = words("∂", self.graph.names[n.arrow], " = ", how)
            line.note = _("where {names}", names=rule)
        members = [(group, i) for group in groups for i in range(len(group.coefficients))]
        sizes = np.concatenate([self.reader.terms(group) for group in groups])
        chosen, of_row = self._chosen(groups, sizes)
        shown = [self._piece(n, *members[i]) for i in chosen]
        values = [p.term.value for p in shown]
        left = len(members) - len(shown)
        rest = _rest(left, of_row)
        others = [float(sizes.sum() - sum(values))] if left else []
        texts, total, exact = written([*values, *others], value, self.eps)
        if any("·" in p.term.numbers for p in shown):
            products: list[str] = [p.term.numbers for p in shown]
            line.add(added([*products, rest] if left else products), all(p.exact for p in shown))
        if len(texts) > 1:
            summed = added(texts)
            sum_text = _("{sum} ({terms})", sum=summed, terms=rest) if left else summed
            line.add(sum_text, exact)
        line.add(total, exact)
        further = [f for p in shown for f in p.factors if f.gradient or not n.gradient]
        numbers = [Number(f.arrow, int(f.positions[0]), f.gradient) for f in further]
        terms = (self._piece(n, *member).term for member in members)
        return DerivedLine(line, tuple(terms) if every else (), numbers)

    def has_part(self, n: Number) -> bool:
        """Whether the number is in the row, or the row has a term in its sum."""
        if n.arrow in self.rows or self.reader.is_beginning(n):
            return n.arrow in self.rows
        groups = self.reader.groups(n)
        if groups is None:
            return True
        return any(np.any(self._belonging(group)[0]) for group in groups)

    def _belonging(self, group: Group) -> tuple[Array, bool]:
        """Which terms of a group are of the row; and whether its terms belong to rows at all."""
        inside = np.zeros(len(group.coefficients), bool)
        of_rows = [f for f in group.factors if f.arrow in self.rows]
        if self.row is None or not of_rows:
            return inside, False
        for f in of_rows:
            inside |= np.unravel_index(f.positions, f.arrow.shape)[0] == self.row
        return inside, True

    def _chosen(self, groups: list[Group], sizes: Array) -> tuple[list[int], bool]:
        """The terms to show: the largest; with `row`, the largest that are not of other rows.

        The second result says whether all terms left out are of other rows.
        """
        belonging = [self._belonging(group) for group in groups]
        own = np.concatenate([inside if of_rows else ~inside for inside, of_rows in belonging])
        if not any(np.any(inside) for inside, _ in belonging):
            own[:] = True
        order = np.argsort(-np.abs(np.where(own, sizes, 0)), kind="stable")
        order = order[own[order]]
        shown = sorted(int(i) for i in order[: self.most])
        return shown, len(shown) == len(order)

    def _piece(self, n: Number, group: Group, i: int) -> Piece:
        """The i-th term of a group, with its factors."""
        c = float(group.coefficients[i])
        own = [f._replace(positions=f.positions[i : i + 1]) for f in group.factors]
        values = factor_values(self.reader, group.factors, i)
        value = float(np.prod(values)) * c
        names = [self._element(f.arrow, int(f.positions[0]), f.gradient) for f in own]
        text = "·".join(names)
        if group.slope_of is not None:
            text += f"·∂{names[0][1:]}/{self.name(n)}"
            values.append(c)
        elif c == -1:
            text, values[0] = f"-{text}", -values[0]
        elif c != 1:
            text = f"{_coefficient(c)}{text}"
            values.insert(0, c)
        numbers, exact = product(values, self.eps)
        return Piece(Term(value, text, numbers), own, exact)

    def _symbolic(self, n: Number, group: Group) -> Text | str:
        """A group with summation indices: `Σₖ x[0,k]·W[k,2]`."""
        letters, texts = symbols(group, self._name, self.rows)
        if group.slope_of is not None:
            texts.append(f"∂{texts[0][1:]}/{self.name(n)}")
        inside = "·".join(texts)
        count = len(group.coefficients)
        if letters == "…":
            if count <= 3:
                return added(self._piece(n, group, i).term.text for i in range(count))
            if len(texts) > 1:
                return _("the sum of {count} products {inside}", count=count, inside=inside)
            return _("the sum of {count} {inside}", count=count, inside=inside)
        head = sigma(letters) if letters else ""
        first = float(group.coefficients[0])
        if group.slope_of is not None or not np.all(group.coefficients == first):
            return f"{head}{'' if group.slope_of is not None else 'c·'}{inside}"
        return f"{_coefficient(first)}{head}{inside}"


def _rest(count: int, of_row: bool) -> Text:
    """The number of the terms that are not shown, as text."""
    if of_row:
        return _p("terms of a sum", "{n} of other rows", n=count)
    return _p("terms of a sum", "{n} more", n=count)


def _coefficient(c: float) -> str:
    """A constant in front: nothing for 1, and 1/30 for a thirtieth."""
    if c in (1, -1):
        return "" if c == 1 else "-"
    whole = round(1 / c) if 1e-6 < abs(c) < 1 else 0
    if whole and abs(c * whole - 1) < 1e-12:
        return f"{'-' if whole < 0 else ''}1/{abs(whole)} · "
    return f"{number(c)} · "
