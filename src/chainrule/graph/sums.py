"""Every number of a graph as a sum over what it came from: a value, or a gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from chainrule.graph.local import Local
from chainrule.graph.naming import landmarks
from chainrule.graph.variable import Variable
from chainrule.nodes.base import Node

if TYPE_CHECKING:
    from chainrule.graph.graph import Graph

__all__ = ["Factor", "Group", "Number", "Reader"]

Array = npt.NDArray[Any]

#: So many terms of a sum are written out in turn, into so many all told.
_MOST, _LONGEST = 64, 100_000


class Number(NamedTuple):
    """One number of a graph: an element of a value, counted flat, or of a gradient."""

    arrow: Variable
    place: int
    gradient: bool


class Factor(NamedTuple):
    """Elements of one arrow, one for every term of a group."""

    arrow: Variable
    places: Array
    gradient: bool


class Group(NamedTuple):
    """Terms of one kind: coefficients, each times an element of every factor."""

    coefficients: Array
    factors: tuple[Factor, ...]
    #: The node whose slopes the coefficients are, where they are no constants.
    slope_of: Node | None = None


class Reader:
    """The numbers of a graph, and what each of them is the sum of."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.makers = {v: (node, m) for node in graph.nodes for m, v in enumerate(node.outputs)}
        self.takers = {v: (node, k) for node in graph.nodes for k, v in enumerate(node.inputs)}
        self.gradients: dict[Variable, Array] = graph.gradients() if graph.has_gradients else {}
        self.landmarks = landmarks(graph)
        self._locals: dict[Node, Local] = {}
        #: The arrows that the sums so far lead over, those written out in between included.
        self.passed: set[Variable] = set()

    def local(self, node: Node) -> Local:
        """The node at its numbers."""
        if node not in self._locals:
            self._locals[node] = Local(node)
        return self._locals[node]

    # -- numbers -----------------------------------------------------------------------------

    def values(self, factor: Factor) -> Array:
        """The numbers a factor stands for."""
        array = self.gradients[factor.arrow] if factor.gradient else factor.arrow.data
        return np.reshape(array, -1)[factor.places].astype(float)

    def terms(self, group: Group) -> Array:
        """The numbers a group adds."""
        found = group.coefficients
        for factor in group.factors:
            found = found * self.values(factor)
        return found

    def value(self, number: Number) -> float:
        """The number itself."""
        return float(
            self.values(Factor(number.arrow, np.array([number.place]), number.gradient))[0]
        )

    def is_beginning(self, n: Number) -> bool:
        """Whether nothing more is to be said of a number: an input, or the gradient of L."""
        links = self.takers if n.gradient else self.makers
        return n.arrow not in links

    def all_behind(self, numbers: Iterable[Number]) -> set[Variable]:
        """Every arrow that these numbers came over."""
        found: set[Variable] = set()
        ahead = [(n.arrow, n.gradient) for n in numbers]
        while ahead:
            v, gradient = ahead.pop()
            if v in found:
                continue
            found.add(v)
            if gradient and v in self.takers:
                outputs = self.takers[v][0].outputs
                ahead += [(u, True) for u in outputs if u in self.gradients]
            elif not gradient and v in self.makers:
                inputs = self.makers[v][0].inputs
                ahead += [(u, False) for u in inputs if u.scalar is None]
        return found

    # -- sums --------------------------------------------------------------------------------

    def groups(self, number: Number) -> list[Group] | None:
        """What the number is the sum of; None where it is no sum of products, or the beginning."""
        found = self._sum(number)
        if found is None:
            return None
        while True:
            opened = self._opened(found)
            if opened is None:
                break
            found = opened
        return merged(map(self._finished, found))

    def _finished(self, group: Group) -> Group:
        """Every factor where it first stood, and numbers written in Python among the coefficients."""
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
        """The elements a value is computed from, where it is no sum of products."""
        node, m = self.makers[number.arrow]
        touched = self.local(node).touches(m, number.place)
        fixed = [
            Factor(v, np.array([number.place]), False)
            for v in node.inputs
            if v.dtype.kind != "f" and v.shape == number.arrow.shape
        ]
        moving = [Factor(node.inputs[k], at, False) for k, at in touched]
        if node.elementwise:
            at = np.array([number.place])
            moving = [Factor(v, at, False) for v in node.inputs if v.dtype.kind == "f"]
        return [self.traced(f) for f in (*moving, *fixed)]

    def _sum(self, number: Number) -> list[Group] | None:
        return self._of_gradient(number) if number.gradient else self._of_value(number)

    def _of_value(self, number: Number) -> list[Group] | None:
        if number.arrow not in self.makers:
            return None
        node, m = self.makers[number.arrow]
        parts = self.local(node).parts(m, number.place)
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
        found = []
        for m, v in enumerate(node.outputs):
            if v in self.gradients:
                part = local.moves(k, number.place, m)
                (_, at), *partner = part.factors
                factors = [Factor(v, at, True)]
                factors += [Factor(node.inputs[j], places, False) for j, places in partner]
                slope_of = None if local.shape is not None else node
                found.append(Group(part.coefficients, tuple(factors), slope_of))
        return [g for g in found if len(g.coefficients)]

    def _opened(self, groups: list[Group]) -> list[Group] | None:
        """The groups with one that is itself a short sum written out; None where none is."""
        for i, group in enumerate(groups):
            if len(group.factors) != 1 or group.slope_of is not None:
                continue
            factor = self.traced(group.factors[0])
            if factor.arrow in self.landmarks or len(factor.places) > _MOST:
                continue
            inner: list[Group] = []
            for coefficient, place in zip(group.coefficients, factor.places, strict=True):
                found = self._sum(Number(factor.arrow, int(place), factor.gradient))
                if found is None or any(g.slope_of is not None for g in found):
                    break
                inner += [g._replace(coefficients=coefficient * g.coefficients) for g in found]
            else:
                self.passed.add(factor.arrow)
                inner = merged(inner)
                if sum(len(g.coefficients) for g in inner) <= _LONGEST:
                    return [*groups[:i], *inner, *groups[i + 1 :]]
        return None

    def traced(self, factor: Factor) -> Factor:
        """The same numbers where they first stood: past copies, reshapes and the like."""
        while factor.arrow not in self.landmarks:
            further = self._past_taker(factor) if factor.gradient else self._past_maker(factor)
            if further is None:
                break
            self.passed.add(factor.arrow)
            factor = further
        return factor

    def _past_maker(self, factor: Factor) -> Factor | None:
        made = self.makers.get(factor.arrow)
        if made is None:
            return None
        node, _ = made
        if factor.arrow in self.graph.origin:
            return factor._replace(arrow=self.graph.origin[factor.arrow])
        copied = self.local(node).copied
        if copied is None or not len(factor.places):
            return None
        which, places = copied[0][factor.places], copied[1][factor.places]
        if np.any(which != which[0]):
            return None
        return Factor(node.inputs[int(which[0])], places, False)

    def _past_taker(self, factor: Factor) -> Factor | None:
        taken = self.takers.get(factor.arrow)
        if taken is None:
            return None
        node, k = taken
        out = [m for m, v in enumerate(node.outputs) if v in self.gradients]
        places = self.local(node).passed_on(k, out[0]) if len(out) == 1 else None
        if places is None:
            return None
        return Factor(node.outputs[out[0]], places[factor.places], True)


def merged(groups: Iterable[Group]) -> list[Group]:
    """The groups, those of the same arrows and the same coefficient made one."""
    found: dict[Any, list[Group]] = {}
    for group in groups:
        first = group.coefficients[0]
        same = first if np.all(group.coefficients == first) else None
        key = (*((f.arrow, f.gradient) for f in group.factors), group.slope_of, same)
        found.setdefault(key, []).append(group)
    return [same[0] if len(same) == 1 else _joined(same) for same in found.values()]


def _joined(groups: list[Group]) -> Group:
    first = groups[0]
    factors = tuple(
        f._replace(places=np.concatenate([g.factors[i].places for g in groups]))
        for i, f in enumerate(first.factors)
    )
    return Group(np.concatenate([g.coefficients for g in groups]), factors, first.slope_of)
