"""Graph: a recorded computation, closed. Everything else reads it."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Unpack

import numpy as np

from chainrule.errors import RecordingError, ShapeError
from chainrule.graph.chain_rule import chain_rule
from chainrule.graph.variable import Array, Call, Scope, Variable
from chainrule.nodes import Branch, Node
from chainrule.nodes.base import Value

if TYPE_CHECKING:
    from chainrule.drawing.drawing import Drawing, DrawOptions

__all__ = ["Graph"]


class Graph:
    """Nodes in topological order, from `inputs` to `outputs`.

    Each node's `inputs` and `outputs` are the Variables on its arrows. A Variable that was
    used k > 1 times goes through one k-way Branch, so that every arrow has one end, one
    value and one gradient. Nothing here recurses: a chain of 100,000 nodes is fine.

    >>> import chainrule as cr
    >>> x = cr.Variable(3.0, name="x")
    >>> graph = (x * x + x).graph
    >>> [type(node).__name__ for node in graph.nodes]
    ['Branch', 'Mul', 'Add']
    """

    def __init__(
        self, outputs: Sequence[Variable], inputs: Iterable[Variable] | None = None
    ) -> None:
        self.outputs = tuple(outputs)
        stops = None if inputs is None else set(inputs)
        calls = _reachable(self.outputs, stops or set())
        #: The original of a Variable that leaves a Branch.
        self.origin: dict[Variable, Variable] = {}
        self.calls = calls
        self.inputs: tuple[Variable, ...] = ()
        self.nodes: list[Node] = []
        #: The run of a layer that each node was recorded in; a Branch is in that of all its users.
        self.scopes: dict[Node, Scope | None] = {}
        self._close(calls, stops)

    def _close(self, calls: list[Call], stops: set[Variable] | None) -> None:
        uses = Counter(v for call in calls for v in call.inputs)
        uses.update(self.outputs)
        users: dict[Variable, list[Scope | None]] = {}
        for call in calls:
            for v in call.inputs:
                if uses[v] > 1:
                    users.setdefault(v, []).append(call.scope)
        made: set[Variable] = set()
        leaves: dict[Variable, None] = {}
        copies: dict[Variable, list[Variable]] = {}
        for call in calls:
            arrows = []
            for v in call.inputs:
                if v not in made:
                    leaves[v] = None
                if v.requires_grad and uses[v] > 1:
                    if v not in copies:
                        copies[v] = self._branch(v, uses[v])
                        inside = users[v] + [None] * (uses[v] - len(users[v]))
                        self.scopes[self.nodes[-1]] = functools.reduce(_common, inside)
                    v = copies[v].pop()
                arrows.append(v)
            outputs = call.outputs
            made.update(outputs)
            node = call.node.bound(tuple(arrows), outputs)
            self.nodes.append(node)
            self.scopes[node] = call.scope
        leaves.update((v, None) for v in self.outputs if v not in made)
        self.outputs = tuple(copies[v].pop() if v in copies else v for v in self.outputs)
        self.inputs = tuple(v for v in leaves if v.scalar is None)
        if stops:
            self.inputs += tuple(v for v in stops if v not in leaves)

    def _branch(self, v: Variable, k: int) -> list[Variable]:
        copies = [Variable(v.data, v.name, requires_grad=True) for _ in range(k)]
        self.origin.update((copy, v) for copy in copies)
        self.nodes.append(Branch(k).bound((v,), tuple(copies)))
        return copies[::-1]

    def __repr__(self) -> str:
        names = ", ".join(v.name or "?" for v in self.inputs)
        return f"Graph({len(self.nodes)} nodes, from {names or 'nothing'})"

    def gradients(
        self, seed: Value = None, wanted: Sequence[Variable] | None = None
    ) -> dict[Variable, Array]:
        """∂(first output)/∂(arrow) for every arrow, as arrays; the output must be a scalar.

        For an output of another shape give `seed`, the gradient of what follows it.
        """
        output = self.outputs[0]
        if seed is None:
            if output.size != 1:
                raise ShapeError(
                    f"a gradient is taken of one number, and the output has shape {output.shape}."
                    " Reduce it first, with cr.sum or cr.mean."
                )
            seed = np.ones_like(output.data)
        return chain_rule(self, seed, lambda v: v.data, wanted)

    def backward(self, *, retain_graph: bool = False) -> None:
        """Fill `grad` of every Variable in the graph, then release the arrays for writing."""
        holds = [call.hold for call in self.calls if call.hold is not None]
        if any(hold.released for hold in holds):
            raise RecordingError(
                "backward() has already run on this computation and released its arrays, which may"
                " have changed since. Compute the value again, or call backward(retain_graph=True)"
                " the first time."
            )
        given: set[int] = set()
        gradients = self.gradients()
        for variable, gradient in gradients.items():
            # A node may hand one array to two Variables; what each keeps is its own.
            own = np.asarray(gradient)
            if own.base is not None or id(own) in given:
                own = own.copy()
            given.add(id(own))
            variable._receive(own)
        if not retain_graph:
            for hold in holds:
                hold.release()

    def draw(self, **options: Unpack[DrawOptions]) -> Drawing:
        """The picture: nodes, and arrows with the value above and the gradient below.

        Args:
            **options: any of these.

                * `values`, `gradients`, `shapes` (True): what stands on the arrows. `gradients` may
                  also be a mapping from Variables to arrays, as `gradients()` gives it.
                * `seed`: the gradient of an output that is not one number; without it such an
                  output has no gradients.
                * `fold`: True draws each layer as one box, False none; a name (of a class such as
                  "Affine", or of a layer in its network) or several names fold those; None, the
                  default, folds all where the graph is deep.
                * `names`: a mapping from Variables to what they are called in the picture.
                * `highlight`: Variables whose arrows stand out.
                * `verdicts`: a mapping from Variables to "ok", "wrong", "kink" or "not finite" (or
                  rows of a check, which say so): a check mark, a cross, a bend, an exclamation mark.
                * `lang`: "en" or "zh"; `theme`: "light", "dark", or "auto" (the reader's choice).

        Returns:
            A `Drawing`: it shows itself in a notebook, has its text in `.svg`, and `.save(path)`
            writes .svg, .png, .pdf or .dot.

        >>> import chainrule as cr
        >>> x = cr.Variable(3.0, name="x")
        >>> (x * x).graph.draw(gradients=False)
        Drawing(4 arrows)
        """
        from chainrule.drawing.drawing import draw_graph

        return draw_graph(self, **options)


def _common(a: Scope | None, b: Scope | None) -> Scope | None:
    """The innermost run of a layer that both are in."""
    around = set()
    while a is not None:
        around.add(a)
        a = a.outer
    while b is not None and b not in around:
        b = b.outer
    return b


def _reachable(outputs: Iterable[Variable], stops: set[Variable]) -> list[Call]:
    """The calls the outputs were made by, in the order they were made."""
    seen: set[Call] = set()
    ahead = [v.call for v in outputs if v.call is not None and v not in stops]
    while ahead:
        call = ahead.pop()
        if call in seen:
            continue
        seen.add(call)
        ahead.extend(v.call for v in call.inputs if v.call is not None and v not in stops)
    return sorted(seen, key=lambda call: call.order)
