"""The units of a picture of a recorded graph: nodes, folded layers, leaves, and arrows.

A folded layer is one unit with its arrows; an unfolded one is a box around its nodes.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from chainrule.drawing.layout.columns import in_order
from chainrule.errors import SettingError, nearest, shown
from chainrule.graph.graph import Graph
from chainrule.graph.scopes import Scope, shared_scope
from chainrule.graph.scopes import around as runs_around
from chainrule.graph.variable import Parameter, Variable
from chainrule.lang.messages import Spelled, Text, _
from chainrule.nodes import Branch, Node

__all__ = ["MANY", "End", "Flow", "Fold", "Leaf", "Middle", "Names", "Split", "Unit", "Units"]

Names: TypeAlias = str | Collection[str]
Fold: TypeAlias = bool | Names | None

#: With more nodes than this, layers are folded by default.
DEEP = 24
#: With more units than MANY, the middle becomes one box; KEPT of them remain at each end.
MANY, KEPT = 600, 8


@dataclass(eq=False, slots=True)
class Leaf:
    """The start of an arrow that no node computed: an input, a parameter, a constant."""

    variable: Variable

    @property
    def constant(self) -> complex | None:
        """The number, if it was written in the formula; else None."""
        v = self.variable
        if v.scalar is not None:
            return v.scalar
        plain = v.name is None and not v.requires_grad and v.size == 1
        return v.data.item() if plain else None


@dataclass(eq=False, slots=True)
class End:
    """The end of an output's arrow."""

    variable: Variable


@dataclass(eq=False, slots=True)
class Split:
    """A fork of a value without a gradient; a value with one has a Branch."""

    variable: Variable


@dataclass(eq=False, slots=True)
class Middle:
    """The middle of a very long computation, as one box."""

    count: int


Unit: TypeAlias = Node | Scope | Leaf | End | Split | Middle


@dataclass(eq=False, slots=True)
class Flow:
    """One arrow: a Variable from one unit to another."""

    variable: Variable
    source: Unit
    target: Unit


def _spelled(option: str, name: str) -> Text:
    """The option that names a layer, as Python and the command spell it."""
    return Spelled(f"{option}={name!r}", command=f"--{option} {name}")


def around(scope: Scope | None) -> list[Scope | None]:
    """A scope and those around it, out to None, the whole graph."""
    return [*runs_around(scope), None]


class Units:
    """The units and arrows to draw of a graph, for one choice of folded layers.

    `things` are the units, `flows` the arrows, `place` the unfolded layer that each unit is in, and
    `layers` the unfolded layers that get a box.
    """

    def __init__(self, graph: Graph, fold: Fold, unfold: Names = ()) -> None:
        self.graph = graph
        self.scope: dict[Unit, Scope | None] = dict(graph.scopes.items())
        self.all_flows = self._all_flows()
        self.folded = self._choose(fold, unfold)
        self.middle: dict[Unit, Middle] = {}
        if fold is None:
            self._shorten()
        self._gather()
        if self._is_knotted():
            # A scope that a computation leaves and re-enters cannot be a box.
            self.scope = dict.fromkeys(self.scope)
            self.folded = set()
            self._gather()

    @property
    def can_fold(self) -> bool:
        """Whether there are layers to fold or to unfold."""
        return bool(self.folded or self.layers)

    # -- all arrows, and the scope of each unit ----------------------------------------------------

    def _all_flows(self) -> list[Flow]:
        nodes = self.graph.nodes
        maker: dict[Variable, Unit] = {v: node for node in nodes for v in node.outputs}
        uses: dict[Variable, list[Unit]] = {}
        for node in nodes:
            for v in node.inputs:
                uses.setdefault(v, []).append(node)
        for v in self.graph.outputs:
            end = End(v)
            self.scope[end] = None
            uses.setdefault(v, []).append(end)
        flows: dict[tuple[Variable, Unit], list[Flow]] = {}
        first: list[Flow] = []
        for v, targets in uses.items():
            source = maker.get(v)
            if isinstance(targets[0], Branch):
                self.scope[targets[0]] = self._home(source, self._users(targets[0], uses))
            if source is None and Leaf(v).constant is not None:
                # A constant is repeated wherever it is used, as in a formula.
                for target in targets:
                    leaf = Leaf(v)
                    self.scope[leaf] = self.scope[target]
                    flows.setdefault((v, target), []).append(Flow(v, leaf, target))
                continue
            if len(targets) > 1:
                dot = Split(v)
                self.scope[dot] = self._home(source, targets)
                for target in targets:
                    flows.setdefault((v, target), []).append(Flow(v, dot, target))
                targets = [dot]
            if source is None:
                source = Leaf(v)
                self.scope[source] = self._leaf_home(v, self.scope[targets[0]])
            flow = Flow(v, source, targets[0])
            if isinstance(targets[0], Split):
                first.append(flow)
            else:
                flows.setdefault((v, targets[0]), []).append(flow)
        # In the order in which the nodes take them, so that the first input is drawn on top.
        ordered = [flows[v, node].pop(0) for node in nodes for v in node.inputs]
        rest = [flow for left in flows.values() for flow in left]
        return first + ordered + rest

    def _users(self, branch: Branch, uses: Mapping[Variable, list[Unit]]) -> list[Unit]:
        return [unit for v in branch.outputs for unit in uses.get(v, [])]

    def _home(self, source: Unit | None, users: Iterable[Unit]) -> Scope | None:
        """The scope of a fork: that of its users, or its maker's layer if that uses it, too."""
        scopes = [self.scope[user] for user in users]
        home = functools.reduce(shared_scope, scopes)
        if source is None:
            return home
        places = around(self.scope[source])
        made = min((shared_scope(self.scope[source], s) for s in scopes), key=places.index)
        return made if home in around(made) else home

    @staticmethod
    def _leaf_home(v: Variable, scope: Scope | None) -> Scope | None:
        """The scope of a leaf: parameters, constants and buffers are in their layer, inputs in none."""
        if isinstance(v, Parameter) or (not v.requires_grad and v.name is None):
            return scope
        for place in around(scope):
            if place is not None and v.name in getattr(place.layer, "_buffers", {}):
                return place
        return None

    # -- folding ----------------------------------------------------------------------------------

    def title(self, scope: Scope) -> str:
        """The title of a layer: `Affine1 2→10`, with its name in the network if it has one."""
        title, name = self.graph.layers[scope], self.graph.paths.get(id(scope.layer), "")
        parameters: Mapping[str, Parameter] = getattr(scope.layer, "_parameters", {})
        W = parameters.get("W", parameters.get("p0"))
        if W is not None and W.ndim == 2:
            title += f" {W.shape[0]}→{W.shape[1]}"
        return f"{name}: {title}" if name and not name.replace(".", "").isdigit() else title

    def _scopes(self) -> dict[Scope, int]:
        """Every scope in the order of its run, with its depth."""
        depths: dict[Scope, int] = {}
        for node in self.graph.nodes:
            places = [s for s in around(self.scope[node]) if s is not None]
            for depth, scope in enumerate(reversed(places)):
                depths[scope] = depth
        return depths

    def _choose(self, fold: Fold, unfold: Names) -> set[Scope]:
        unfolded = self._named("unfold", unfold)
        folded = self._folded(True if fold is None and unfolded else fold)
        for target in unfolded:
            for scope in reversed(list(runs_around(target))):
                if scope in folded:
                    folded.remove(scope)
                    folded |= {s for s in self._scopes() if s.outer is scope}
        return folded

    def _folded(self, fold: Fold) -> set[Scope]:
        scopes = self._scopes()
        if fold is False or (fold is None and len(self.graph.nodes) <= DEEP):
            return set()
        if fold is True or fold is None:
            folded = {s for s, depth in scopes.items() if depth == 0}
            for depth in range(1, 1 + max(scopes.values(), default=0)):
                # A picture of one box, where a layer holds the whole network, would be useless.
                if fold is None and self._visible(folded) < 3:
                    folded = {s for s, d in scopes.items() if d == depth}
            return folded
        return set(self._named("fold", fold))

    def _named(self, option: str, given: Names) -> list[Scope]:
        """The runs of layers by name: that of their class, in the picture, or in the network."""
        wanted = [given] if isinstance(given, str) else given
        if not isinstance(wanted, Collection) or not all(isinstance(name, str) for name in wanted):
            raise SettingError(
                _(
                    "fold must be the name of a layer, or several, or True or False; got {given}.",
                    given=shown(given),
                )
                if option == "fold"
                else _(
                    "unfold must be the name of a layer, or several; got {given}.",
                    given=shown(given),
                )
            )
        known: dict[str, dict[Scope, None]] = {}
        for scope in self._scopes() if wanted else ():
            names = (
                scope.layer.label, self.graph.layers[scope], self.title(scope),
                self.graph.paths.get(id(scope.layer)),
            )  # fmt: skip
            for name in names:
                if name is not None:
                    known.setdefault(name, {})[scope] = None
        scopes: dict[Scope, None] = {}
        for name in wanted:
            if not known:
                raise SettingError(
                    _("{option}: this graph has no layers.", option=_spelled(option, name))
                )
            if name not in known:
                raise SettingError(
                    _(
                        "{option}: there is no layer of that name in this graph; {nearest}.",
                        option=_spelled(option, name),
                        nearest=nearest(name, known),
                    )
                )
            scopes |= known[name]
        return list(scopes)

    def _visible(self, folded: set[Scope]) -> int:
        self.folded, self.middle = folded, {}
        return len({self.shown(node) for node in self.graph.nodes})

    def shown(self, unit: Unit) -> Unit:
        """The unit that shows it: itself, or the outermost folded layer it is in."""
        if unit in self.middle:
            return self.middle[unit]
        for scope in reversed(around(self.scope[unit])):
            if scope in self.folded:
                assert scope is not None
                return self.middle.get(scope, scope)
        return unit

    def _shorten(self) -> None:
        """Make one box of the middle if there are too many units."""
        things = list(dict.fromkeys(self.shown(node) for node in self.graph.nodes))
        if len(things) <= MANY:
            return
        inside = set(things[KEPT:-KEPT])
        middle = Middle(sum(self.shown(node) in inside for node in self.graph.nodes))
        self.scope[middle] = None
        self.middle = dict.fromkeys(inside, middle)
        for flow in reversed(self.all_flows):
            # A leaf that only the middle uses is part of it.
            if isinstance(flow.source, Leaf | Split) and self.shown(flow.target) is middle:
                self.middle[flow.source] = middle

    # -- what is drawn ------------------------------------------------------------------------------

    def _gather(self) -> None:
        self.flows: list[Flow] = []
        #: The Variables on the arrows inside each folded layer.
        self.hidden: dict[Unit, list[Variable]] = {}
        for flow in self.all_flows:
            source, target = self.shown(flow.source), self.shown(flow.target)
            if source is not target:
                self.flows.append(Flow(flow.variable, source, target))
            else:
                self.hidden.setdefault(source, []).append(flow.variable)
        things = dict.fromkeys(unit for f in self.flows for unit in (f.source, f.target))
        self.things: list[Unit] = list(things)
        inside: dict[Scope, list[Unit]] = {}
        for unit in things:
            for scope in around(self._outside(unit)):
                if scope is not None:
                    inside.setdefault(scope, []).append(unit)
        #: A layer of a single node needs no box around it.
        self.layers = [
            scope
            for scope in self._scopes()
            if len(inside.get(scope, ())) > 1 and scope not in self.folded
        ]
        boxed = set(self.layers)
        self.place: dict[Unit, Scope | None] = {}
        for unit in things:
            self.place[unit] = next(
                s for s in around(self._outside(unit)) if s is None or s in boxed
            )

    def _outside(self, unit: Unit) -> Scope | None:
        return unit.outer if isinstance(unit, Scope) else self.scope[unit]

    def outer(self, scope: Scope) -> Scope | None:
        """The next box around an unfolded layer."""
        boxed = set(self.layers)
        return next(s for s in around(scope.outer) if s is None or s in boxed)

    def _is_knotted(self) -> bool:
        """Whether arrows form a cycle between boxes."""
        levels: dict[Scope | None, list[tuple[Unit, Unit]]] = {}
        for flow in self.flows:
            out, into = around(self.place[flow.source]), around(self.place[flow.target])
            level = next(scope for scope in out if scope in into)
            tail = [flow.source, *out][out.index(level)]
            head = [flow.target, *into][into.index(level)]
            assert tail is not None
            assert head is not None
            levels.setdefault(level, []).append((tail, head))
        for pairs in levels.values():
            number = {u: i for i, u in enumerate(dict.fromkeys(u for p in pairs for u in p))}
            links = [(number[a], number[b]) for a, b in pairs]
            if len(in_order(len(number), links)) < len(number):
                return True
        return False
