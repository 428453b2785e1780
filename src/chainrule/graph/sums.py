"""Every number of a graph, a value or a gradient, as the sum of the products it is computed from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainrule.graph.local import Local
from chainrule.graph.naming import landmarks
from chainrule.graph.variable import Variable
from chainrule.nodes.base import Array, Node

if TYPE_CHECKING:
    from chainrule.graph.graph import Graph

__all__ = ["Factor", "Group", "Number", "Reader"]

#: A sum of at most so many terms is expanded in its place, if so many terms result in all.
_SHORT, _LONGEST = 64, 100_000


class Number(NamedTuple):
    """One number of a graph: the element of a value or gradient at a position, counted flat."""

    arrow: Variable
    position: int
    gradient: bool


class Factor(NamedTuple):
    """Elements of one arrow, one for every term of a group."""

    arrow: Variable
    positions: Array
    gradient: bool


class Group(NamedTuple):
    """Terms of one kind: coefficients, each times an element of every factor."""

    coefficients: Array
    factors: tuple[Factor, ...]
    #: The node whose slopes the coefficients are, if they are not constants.
    slope_of: Node | None = None


class Reader:
    """Looks up the numbers of a graph, and the terms that each of them is the sum of."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.makers = {v: (node, m) for node in graph.nodes for m, v in enumerate(node.outputs)}
        self.takers = {v: (node, k) for node in graph.nodes for k, v in enumerate(node.inputs)}
        self.gradients: dict[Variable, Array] = graph.gradients() if graph.has_gradients else {}
        self.landmarks = landmarks(graph)
        self._locals: dict[Node, Local] = {}
        #: The arrows that the sums so far run along, those expanded in between included.
        self.passed: set[Variable] = set()

    def local(self, node: Node) -> Local:
        """The node with the numbers at its inputs."""
        if node not in self._locals:
            self._locals[node] = Local(node)
        return self._locals[node]

    # -- numbers -----------------------------------------------------------------------------

    def values(self, factor: Factor) -> Array:
        """The numbers a factor stands for."""
        array = self.gradients[factor.arrow] if factor.gradient else factor.arrow.data
        return np.reshape(array, -1)[factor.positions].astype(float)

    def terms(self, group: Group) -> Array:
        """The numbers a group adds."""
        products = group.coefficients
        for factor in group.factors:
            products = products * self.values(factor)
        return products

    def value(self, number: Number) -> float:
        """The number itself."""
        return float(
            self.values(Factor(number.arrow, np.array([number.position]), number.gradient))[0]
        )

    def is_beginning(self, n: Number) -> bool:
        """Whether a number has no derivation: an input, or the gradient of L."""
        links = self.takers if n.gradient else self.makers
        return n.arrow not in links

    def all_behind(self, numbers: Iterable[Number]) -> set[Variable]:
        """Every arrow that these numbers are computed along."""
        arrows: set[Variable] = set()
        ahead = [(n.arrow, n.gradient) for n in numbers]
        while ahead:
            v, gradient = ahead.pop()
            if v in arrows:
                continue
            arrows.add(v)
            if gradient and v in self.takers:
                outputs = self.takers[v][0].outputs
                ahead += [(u, True) for u in outputs if u in self.gradients]
            elif not gradient and v in self.makers:
                inputs = self.makers[v][0].inputs
                ahead += [(u, False) for u in inputs if u.scalar is None]
        return arrows

    # -- sums --------------------------------------------------------------------------------

    def groups(self, number: Number) -> list[Group] | None:
        """The terms that the number is the sum of; None if it is no sum of products, or is a beginning."""
        groups = self._sum(number)
        if groups is None:
            return None
        while (expanded := self._expanded(groups)) is not None:
            groups = expanded
        return merged(map(self._finished, groups))

    def _finished(self, group: Group) -> Group:
        """The group with factors traced to their origin, and Python's numbers among the coefficients."""
        if group.slope_of is not None:
            return group
        coefficients = group.coefficients
        factors = tuple(map(self.traced, group.factors))
        for factor in factors:
            if factor.arrow.scalar is not None and len(factors) > 1:
                coefficients = coefficients * self.values(factor)
                factors = tuple(f for f in factors if f is not factor)
        return Group(coefficients, factors)

    def touched(self, number: Number) -> list[Factor]:
        """The elements that a value which is no sum of products is computed from."""
        node, m = self.makers[number.arrow]
        touched = self.local(node).touches(m, number.position)
        fixed = [
            Factor(v, np.array([number.position]), False)
            for v in node.inputs
            if v.dtype.kind != "f" and v.shape == number.arrow.shape
        ]
        moving = [Factor(node.inputs[k], at, False) for k, at in touched]
        if node.elementwise:
            at = np.array([number.position])
            moving = [Factor(v, at, False) for v in node.inputs if v.dtype.kind == "f"]
        return [self.traced(f) for f in (*moving, *fixed)]

    def _sum(self, number: Number) -> list[Group] | None:
        return self._of_gradient(number) if number.gradient else self._of_value(number)

    def _of_value(self, number: Number) -> list[Group] | None:
        if number.arrow not in self.makers:
            return None
        node, m = self.makers[number.arrow]
        parts = self.local(node).parts(m, number.position)
        if parts is None:
            return None
        return [
            Group(p.coefficients, tuple(Factor(node.inputs[k], at, False) for k, at in p.factors))
            for p in parts
        ]

    def _of_gradient(self, number: Number) -> list[Group] | None:
        if number.arrow not in self.takers:
            return None
        node, k = self.takers[number.arrow]
        local = self.local(node)
        groups = []
        for m, v in enumerate(node.outputs):
            if v in self.gradients:
                part = local.moves(k, number.position, m)
                (_, at), *partner = part.factors
                factors = [Factor(v, at, True)]
                factors += [Factor(node.inputs[j], positions, False) for j, positions in partner]
                slope_of = None if local.shape is not None else node
                groups.append(Group(part.coefficients, tuple(factors), slope_of))
        return [g for g in groups if len(g.coefficients)]

    def _expanded(self, groups: list[Group]) -> list[Group] | None:
        """The groups with one that is itself a short sum expanded; None if there is none."""
        for i, group in enumerate(groups):
            if len(group.factors) != 1 or group.slope_of is not None:
                continue
            factor = self.traced(group.factors[0])
            if factor.arrow in self.landmarks or len(factor.positions) > _SHORT:
                continue
            inner: list[Group] = []
            for coefficient, position in zip(group.coefficients, factor.positions, strict=True):
                terms = self._sum(Number(factor.arrow, int(position), factor.gradient))
                if terms is None or any(g.slope_of is not None for g in terms):
                    break
                inner += [g._replace(coefficients=coefficient * g.coefficients) for g in terms]
            else:
                self.passed.add(factor.arrow)
                inner = merged(inner)
                if sum(len(g.coefficients) for g in inner) <= _LONGEST:
                    return [*groups[:i], *inner, *groups[i + 1 :]]
        return None

    def traced(self, factor: Factor) -> Factor:
        """The same numbers at the arrow they come from, before copies, reshapes and the like."""
        while factor.arrow not in self.landmarks:
            further = self._after_taker(factor) if factor.gradient else self._before_maker(factor)
            if further is None:
                break
            self.passed.add(factor.arrow)
            factor = further
        return factor

    def _before_maker(self, factor: Factor) -> Factor | None:
        maker = self.makers.get(factor.arrow)
        if maker is None:
            return None
        node, _ = maker
        if factor.arrow in self.graph.origin:
            return factor._replace(arrow=self.graph.origin[factor.arrow])
        copied = self.local(node).copied
        if copied is None or not len(factor.positions):
            return None
        sources, positions = copied[0][factor.positions], copied[1][factor.positions]
        if np.any(sources != sources[0]):
            return None
        return Factor(node.inputs[int(sources[0])], positions, False)

    def _after_taker(self, factor: Factor) -> Factor | None:
        taker = self.takers.get(factor.arrow)
        if taker is None:
            return None
        node, k = taker
        out = [m for m, v in enumerate(node.outputs) if v in self.gradients]
        positions = self.local(node).passed_on(k, out[0]) if len(out) == 1 else None
        if positions is None:
            return None
        return Factor(node.outputs[out[0]], positions[factor.positions], True)


def merged(groups: Iterable[Group]) -> list[Group]:
    """The groups, where those of the same arrows and coefficient are joined."""
    by_key: dict[tuple[object, ...], list[Group]] = {}
    for group in groups:
        first = group.coefficients[0]
        same = first if np.all(group.coefficients == first) else None
        key = (*((f.arrow, f.gradient) for f in group.factors), group.slope_of, same)
        by_key.setdefault(key, []).append(group)
    return [same[0] if len(same) == 1 else _joined(same) for same in by_key.values()]


def _joined(groups: list[Group]) -> Group:
    first = groups[0]
    factors = tuple(
        f._replace(positions=np.concatenate([g.factors[i].positions for g in groups]))
        for i, f in enumerate(first.factors)
    )
    return Group(np.concatenate([g.coefficients for g in groups]), factors, first.slope_of)
