"""Graph: a recorded computation. Steps, checks, drawings and engines are made from it."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Unpack

import numpy as np

from chainrule.errors import RecordingError, ShapeError
from chainrule.graph.chain_rule import chain_rule, first_complex, refuse_complex
from chainrule.graph.plain import refuse_plain
from chainrule.graph.scopes import Scope, shared_scope
from chainrule.graph.sources import Place
from chainrule.graph.variable import Array, Call, Variable
from chainrule.lang.messages import Text, _, listed
from chainrule.nodes import Branch, Node
from chainrule.nodes.base import Value

if TYPE_CHECKING:
    from chainrule.drawing.drawing import Drawing, DrawOptions
    from chainrule.graph.detail import DetailedGraph
    from chainrule.graph.explain import Explanation
    from chainrule.graph.graph_check import GraphCheck
    from chainrule.graph.steps import Step

__all__ = ["Graph", "reachable"]


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
        self,
        outputs: Sequence[Variable],
        inputs: Iterable[Variable] | None = None,
        *,
        paths: Mapping[int, str] | None = None,
    ) -> None:
        self.outputs = tuple(outputs)
        #: For a network, the path of each layer in it, such as "blocks.0", by the layer's id.
        self.paths: Mapping[int, str] = paths or {}
        stops = None if inputs is None else dict.fromkeys(inputs)
        calls = reachable(self.outputs, stops or ())
        #: From each copy that leaves a Branch to its original.
        self.origin: dict[Variable, Variable] = {}
        self.calls = calls
        self.inputs: tuple[Variable, ...] = ()
        self.nodes: list[Node] = []
        #: The run of a layer that each node was recorded in; a Branch is in the run that its users share.
        self.scopes: dict[Node, Scope | None] = {}
        #: Where in the source each node was written; a Branch has no such place.
        self.places: dict[Node, Place] = {}
        self._close(calls, stops)

    def _close(self, calls: list[Call], stops: Collection[Variable] | None) -> None:
        """Make the nodes from the calls, with a Branch for each Variable used several times."""
        uses = Counter(v for call in calls for v in call.inputs)
        uses.update(self.outputs)
        users: dict[Variable, list[Scope | None]] = {}
        for call in calls:
            for v in call.inputs:
                if uses[v] > 1:
                    users.setdefault(v, []).append(call.scope)
        computed: set[Variable] = set()
        leaves: dict[Variable, None] = {}
        copies: dict[Variable, list[Variable]] = {}
        arrays: dict[Hashable, Variable] = {}
        for call in calls:
            arrows = []
            for v in call.inputs:
                if v not in computed:
                    v = arrays.setdefault(_array_of(v), v)
                    leaves[v] = None
                if v.requires_grad and uses[v] > 1:
                    if v not in copies:
                        copies[v] = self._branch(v, uses[v])
                        inside = users[v] + [None] * (uses[v] - len(users[v]))
                        self.scopes[self.nodes[-1]] = functools.reduce(shared_scope, inside)
                    v = copies[v].pop()
                arrows.append(v)
            outputs = call.outputs
            computed.update(outputs)
            node = call.node.bound(tuple(arrows), outputs)
            self.nodes.append(node)
            self.scopes[node] = call.scope
            if call.place is not None:
                self.places[node] = call.place
        leaves.update((v, None) for v in self.outputs if v not in computed)
        self.outputs = tuple(copies[v].pop() if v in copies else v for v in self.outputs)
        self.inputs = tuple(v for v in leaves if v.scalar is None)
        if stops:
            self.inputs += tuple(v for v in stops if v not in leaves)

    def _branch(self, v: Variable, k: int) -> list[Variable]:
        copies = [Variable(v.data, v.name, requires_grad=True) for _ in range(k)]
        self.origin.update((copy, v) for copy in copies)
        self.nodes.append(Branch(k).bound((v,), tuple(copies)))
        return copies[::-1]

    def root(self, v: Variable) -> Variable:
        """The original of a copy that left a Branch; any other arrow is its own."""
        return self.origin.get(v, v)

    @functools.cached_property
    def names(self) -> dict[Variable, str]:
        """A name for every arrow: its own, or that of the layer or node it comes from.

        No two arrows have one name, and the same computation gives the same names, so that steps,
        verdicts and pictures can be matched by them.
        """
        from chainrule.graph.naming import arrow_names

        return arrow_names(self)

    @functools.cached_property
    def layers(self) -> dict[Scope, str]:
        """A name for every run of a layer that nodes were recorded in."""
        from chainrule.graph.naming import layer_names

        return layer_names(self)

    def __repr__(self) -> str:
        names = ", ".join(v.name or "?" for v in self.inputs)
        nodes = "1 node" if len(self.nodes) == 1 else f"{len(self.nodes)} nodes"
        return f"Graph({nodes}, from {names or 'nothing'})"

    @property
    def has_gradients(self) -> bool:
        """Whether its output is one number, computed from real numbers, so that gradients flow back."""
        output = self.outputs[0]
        return output.requires_grad and output.size == 1 and first_complex(self) is None

    def gradients(
        self,
        seed: Value = None,
        wanted: Sequence[Variable] | None = None,
        *,
        in_place: bool = False,
    ) -> dict[Variable, Array]:
        """∂(first output)/∂(arrow) for every arrow, as arrays; the output must be a scalar.

        For an output of another shape give `seed`, the gradient of what follows it. With `in_place`
        the gradients on arrows that only pick elements of an array are left out, which is quicker.

        Raises:
            ShapeError: an output that is not one number, without a seed.
            DTypeError: complex numbers on the way; gradients are of real numbers only.
        """
        refuse_complex(self)
        output = self.outputs[0]
        if seed is None:
            if output.size != 1:
                raise ShapeError(
                    _(
                        "a gradient is taken of one number, and the output has shape {shape}. Reduce it"
                        " first, with cr.sum or cr.mean.",
                        shape=output.shape,
                    )
                )
            seed = np.ones_like(output.data)
        return chain_rule(self, seed, lambda v: v.data, wanted, in_place=in_place)

    def steps(self) -> Iterator[Step]:
        """The computation one operation at a time: every forward step, then every backward one.

        >>> import chainrule as cr
        >>> x, y = cr.Variable(2.0, name="x"), cr.Variable(3.0, name="y")
        >>> for step in (x * y).graph.steps():
        ...     print(step.formula)
        L = x · y
        ∂x = ∂L · y
        ∂y = ∂L · x
        """
        from chainrule.graph.steps import steps

        return steps(self)

    def explain(
        self,
        arrow: Variable | str,
        element: int | tuple[int, ...] | None = None,
        *,
        gradient: bool = False,
        row: int | None = None,
        depth: int | None = None,
        terms: int = 6,
        lines: int = 60,
    ) -> Explanation:
        """Why this number: the derivation of an element of a value, or of a gradient.

        `arrow` is a Variable or its name (see `names`), `element` its index. A value is derived
        back to inputs and parameters, a gradient onwards to L: ∂L/∂x = Σ ∂L/∂y · ∂y/∂x over all
        that x moves. With `row`, of one sample: the element in its row of the arrow (which need not
        be said again in `element`), or its part of a sum over the batch. `depth` limits how far back
        it goes, `terms` how many terms of a sum are shown (the largest, with the sum of the others)
        and `lines` the whole. `said("zh")` of what it gives is the derivation in Chinese.

        >>> import chainrule as cr
        >>> x, W = cr.Variable([[1.0, 2.0]], name="x"), cr.Variable([[0.5], [-0.25]], name="W")
        >>> print(cr.sigmoid(x @ W).graph.explain("matmul"))
        matmul[0,0] = Σₖ x[0,k]·W[k,0] = 1·0.5 + 2·(-0.25) = 0.5 − 0.5 = 0
        """
        from chainrule.graph.explain import explain

        return explain(
            self,
            arrow,
            element,
            gradient=gradient,
            row=row,
            depth=depth,
            terms=terms,
            lines=lines,
        )

    def check(self, *, elements: bool = False, seed: int = 0) -> GraphCheck:
        """Is every arrow's gradient right? Each node's own backward against a numerical one.

        At each node, for the gradient that really arrives there, its Jᵀu is compared with the
        slope of its own forward along a random direction of each input (with `elements=True`
        element by element), by a complex step on a float64 copy; for hand-written layers by
        central differences. So a wrong node is WRONG at its own arrows and nowhere else. Inputs
        and parameters are also checked from end to end. `said("zh")` of what it gives is the whole in
        Chinese.

        >>> import chainrule as cr
        >>> x, y = cr.Variable(2.0, name="x"), cr.Variable(3.0, name="y")
        >>> print((x * y).graph.check().summary)
        Both arrows agree with the complex step, and so do both inputs from end to end.
        """
        from chainrule.graph.graph_check import prove

        return prove(self, elements=elements, seed=seed)

    def detailed(self, levels: int | None = 1) -> DetailedGraph:
        """The same computation by simpler nodes: Sigmoid as negate, exp, + 1 and reciprocal.

        Each node that has a chain of simpler ones (`Node.decompose`) is unfolded into it, so many
        `levels` deep, or all the way with None: SoftmaxCrossEntropy is Softmax and CrossEntropy,
        these are exp, sum, divide, index and log. Everything is computed again by that chain. Where
        it overflows and the folded node does not, `overflows` says so.

        >>> import chainrule as cr
        >>> x = cr.Variable([0.0, -1000.0], name="x")
        >>> detail = cr.sigmoid(x).graph.detailed()
        >>> [node.label for node in detail.nodes]
        ['Neg', 'Exp', 'Add', 'Div']
        >>> print(detail.overflows[0])
        exp[1]: e^1000 overflows to ∞; the chain ends in sigmoid[1] = 0 all the same, as the Sigmoid node does
        """
        from chainrule.graph.detail import detailed

        return detailed(self, levels)

    def backward(self, *, retain_graph: bool = False) -> None:
        """Fill `grad` of every Variable in the graph, then release the arrays for writing."""
        holds = [call.hold for call in self.calls if call.hold is not None]
        if any(hold.released for hold in holds):
            raise RecordingError(
                _(
                    "backward() has already run on this computation and released its arrays, which may"
                    " have changed since. Compute the value again, or call backward(retain_graph=True)"
                    " the first time."
                )
            )
        refuse_plain(self)
        if not any(v.requires_grad for v in self.inputs):
            raise RecordingError(self._without_gradient)
        handed_out: set[int] = set()
        gradients = self.gradients(in_place=True)
        for variable, gradient in gradients.items():
            # A node may return one array for two inputs; each Variable keeps an array of its own.
            own = np.asarray(gradient)
            if own.base is not None or id(own) in handed_out:
                own = own.copy()
            handed_out.add(id(own))
            variable._receive(own)
        if not retain_graph:
            for hold in holds:
                hold.release()

    @property
    def _without_gradient(self) -> Text:
        """The error where there is nothing to differentiate by."""
        whole = [v for v in self.inputs if v.dtype.kind in "biu"]
        if not whole:
            return _(
                "backward(): the value depends on nothing that has a gradient. Give what you want to"
                " differentiate by as a Variable: cr.Variable(x)."
            )
        return _(
            "backward(): the value depends on whole numbers only, {names}, and these have no gradient."
            " Write floats: cr.Variable(3.0), or cr.Variable(numpy.asarray(x, float)).",
            names=listed(f"{self.names[v]} ({v.dtype})" for v in whole[:3]),
        )

    def draw(self, **options: Unpack[DrawOptions]) -> Drawing:
        """The picture: nodes, and arrows with the value above and the gradient below.

        Args:
            **options: any of these.

                * `values`, `gradients`, `shapes` (True): what stands on the arrows. `gradients` may
                  also be a mapping from Variables to arrays, as `gradients()` gives it.
                * `seed`: the gradient of an output that is not one number; without it such an
                  output has no gradients.
                * `fold`: True draws each layer as one box, False none; a name (of a class such as
                  "Affine", or of one layer as the picture and the steps call it, "Affine1") or
                  several names fold those; None, the default, folds all where the graph is deep.
                * `unfold`: the name of a layer, or several, to look into while the others are folded.
                * `names`: a mapping from arrows to what they are called in the picture. An arrow
                  is a Variable of this graph or its name (see `names`), here and below.
                * `highlight`: arrows that stand out.
                * `verdicts`: a mapping from arrows to "ok", "wrong", "kink" or "not finite" (or
                  rows of a check, which say so): a check mark, a cross, a bend, an exclamation mark.
                  A folded layer has the worst of what is inside.
                * `width` (1600), about: a picture that would be wider goes on in rows; None, in one row.
                * `lang`: "en" or "zh"; None, the default, is the language of `CHAINRULE_LANG`, else
                  English. `theme`: "light", "dark", or "auto" (the reader's choice).

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


def _array_of(v: Variable) -> Hashable:
    """What identifies a leaf: itself, or for a nameless constant its array, which may be used again."""
    if v.requires_grad or v.name is not None or v.scalar is not None or v.call is not None:
        return v
    a = v.data
    return a.__array_interface__["data"][0], a.shape, a.strides, a.dtype


def reachable(outputs: Iterable[Variable], stops: Collection[Variable]) -> list[Call]:
    """The calls that computed the outputs, in the order they were made."""
    seen: set[Call] = set()
    ahead = [v.call for v in outputs if v.call is not None and v not in stops]
    while ahead:
        call = ahead.pop()
        if call in seen:
            continue
        seen.add(call)
        ahead.extend(v.call for v in call.inputs if v.call is not None and v not in stops)
    return sorted(seen, key=lambda call: call.order)
