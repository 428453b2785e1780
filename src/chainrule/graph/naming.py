"""Names for every arrow and every layer of a graph, so that text and pictures can speak of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

from chainrule.errors import SettingError, nearest, printable, shown
from chainrule.graph.scopes import Scope, around
from chainrule.graph.variable import Parameter, Variable
from chainrule.lang.messages import _
from chainrule.nodes import Branch

if TYPE_CHECKING:
    from chainrule.graph.graph import Graph

__all__ = ["MOST", "arrow_called", "arrow_names", "landmarks", "layer_names", "leaving"]

#: The most names of arrows that an error lists.
MOST = 12


def layer_names(graph: Graph) -> dict[Scope, str]:
    """A name for every run of a layer: its class, numbered where there are several of it."""
    runs: dict[Scope, None] = {}
    for node in graph.nodes:
        runs.update((scope, None) for scope in reversed(list(around(graph.scopes[node]))))
    titles = [scope.layer.label for scope in runs]
    return dict(zip(runs, _numbered(titles), strict=True))


def arrow_names(graph: Graph) -> dict[Variable, str]:
    """A name for every arrow.

    An arrow with a name keeps it; where two have one name they are numbered, parameters by
    their layer: W1 and b1, W2 and b2. The output of a layer is called after the layer (`affine1`), any
    other output of a node after the node (`matmul`), and a single last number L. A copy that
    leaves a Branch is called after both its ends: `x→mul`.
    """
    makers = {v: node for node in graph.nodes for v in node.outputs if not isinstance(node, Branch)}
    arrows = [v for v in _leaves(graph) if v not in makers] + list(makers)
    left = leaving(graph)
    # No name may control a terminal or break a picture; a blank one counts as none.
    given = [printable(v.name) if v.name and v.name.strip() else None for v in arrows]
    first = makers.get(graph.root(graph.outputs[0]))
    wanted = []
    for v, name in zip(arrows, given, strict=True):
        if name is None and v not in makers:
            name = "input" if v.requires_grad else "constant"
        elif name is None and makers[v] is first and v.size == 1 and "L" not in given:
            name = "L"
        elif name is None:
            name = (left[v].layer if v in left else makers[v]).label.lower()
        wanted.append(name)
    names = dict(zip(arrows, _numbered(wanted, _by_layer(graph, arrows)), strict=True))
    _name_copies(graph, names)
    return names


def arrow_called(graph: Graph, name: str) -> Variable:
    """The arrow of that name.

    Raises:
        SettingError: there is none; the sentence has the nearest names.
    """
    for v, called in graph.names.items():
        if called == name:
            return v
    names = list(graph.names.values())
    nearby = list(dict.fromkeys([*get_close_matches(name, names), *names]))[:MOST]
    text = nearest(name, nearby)
    if len(names) > MOST:
        text = _("{names} and {more} more (graph.names)", names=text, more=len(names) - len(nearby))
    raise SettingError(_("no arrow is called {name}: {nearest}.", name=shown(name), nearest=text))


def landmarks(graph: Graph) -> set[Variable]:
    """The arrows that a derivation stops at: named ones, inputs, and outputs of layers."""
    own = {v for node in graph.nodes for v in (*node.inputs, *node.outputs)} - set(graph.origin)
    computed = {v for node in graph.nodes for v in node.outputs}
    return {v for v in own if v.name is not None or v not in computed} | set(leaving(graph))


def _leaves(graph: Graph) -> Iterable[Variable]:
    """The arrows that no node computed, in the order of use, without numbers written in Python."""
    arrows: dict[Variable, None] = {}
    for node in graph.nodes:
        arrows.update((graph.root(v), None) for v in node.inputs if v.scalar is None)
    arrows.update((v, None) for v in (*graph.inputs, *(graph.root(v) for v in graph.outputs)))
    return arrows


def leaving(graph: Graph) -> dict[Variable, Scope]:
    """The outermost run of a layer that each arrow leaves, where it leaves one."""
    inside: dict[Variable, set[Scope]] = {}
    for node in graph.nodes:
        if not isinstance(node, Branch):
            reached = set(around(graph.scopes[node]))
            for v in node.inputs:
                root = graph.root(v)
                inside[root] = inside.get(root, reached) & reached
    inside.update((graph.root(v), set()) for v in graph.outputs)
    scopes = {}
    for node in graph.nodes:
        for v in node.outputs:
            left = [s for s in around(graph.scopes[node]) if s not in inside.get(v, ())]
            if left and v in inside:
                scopes[v] = left[-1]
    return scopes


def _by_layer(graph: Graph, arrows: Iterable[Variable]) -> dict[int, int]:
    """From the index of each parameter among the arrows to the number of its layer, from 1."""
    layers: dict[Variable, Scope | None] = {}
    for node in graph.nodes:
        for v in node.inputs:
            if isinstance(graph.root(v), Parameter):
                layers.setdefault(graph.root(v), graph.scopes[node])
    order = list(dict.fromkeys(layers.values()))
    return {i: order.index(layers[v]) + 1 for i, v in enumerate(arrows) if v in layers}


def _numbered(wanted: list[str], numbers: dict[int, int] | None = None) -> list[str]:
    """The names, made unique by a number after each that occurs several times: W1, W2; p0_1, p0_2."""
    count = Counter(wanted)
    taken = {name for name, n in count.items() if n == 1}
    names: list[str] = []
    next_of: Counter[str] = Counter()
    for i, name in enumerate(wanted):
        unique = name
        if count[name] > 1:
            next_of[name] += 1
            number = (numbers or {}).get(i, next_of[name])
            stem = f"{name}_" if name[-1:].isdigit() else name
            unique = f"{stem}{number}"
            while unique in taken:
                next_of[name] += 1
                unique = f"{stem}{max(next_of[name], number)}"
        taken.add(unique)
        names.append(unique)
    return names


def _name_copies(graph: Graph, names: dict[Variable, str]) -> None:
    """Call every copy that leaves a Branch after where it comes from and where it goes."""
    ends: dict[Variable, str] = {v: "out" for v in graph.outputs}
    for node in graph.nodes:
        to = names[node.outputs[0]] if node.outputs[0] in names else node.label.lower()
        ends.update((v, to) for v in node.inputs)
    for node in graph.nodes:
        if isinstance(node, Branch):
            source = names[graph.root(node.inputs[0])]
            wanted = [f"{source}→{ends[v]}" for v in node.outputs]
            several = Counter(wanted)
            seen: Counter[str] = Counter()
            for v, name in zip(node.outputs, wanted, strict=True):
                seen[name] += 1
                names[v] = f"{name}.{seen[name]}" if several[name] > 1 else name
