"""Inside one step: the computational graph of its batch, from the rows to the updated parameters.

The graph is the library's, of the very batch that comes next, and so are the drawing, the steps,
the reasons and the verdicts. Here they are only brought into a form that can be sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.drawing.mathml import to_mathml
from chainrule.errors import SettingError, nearest
from chainrule.graph.explain import Explanation
from chainrule.graph.graph import Graph
from chainrule.graph.naming import around
from chainrule.graph.proof import Proof
from chainrule.graph.recording import recording
from chainrule.graph.steps import Flow, Step, value_name
from chainrule.graph.variable import Parameter, Variable
from chainrule.layers.losses import Loss
from chainrule.networks import Network
from chainrule.nodes.base import quiet
from chainrule.optimizers import Optimizer

__all__ = ["Inside", "Update"]

Array = npt.NDArray[Any]

#: The letters for the parameter and its gradient in the docstring of an optimizer's rule.
_LETTER = re.compile(r"(?<![A-Za-z∂])[pg](?![A-Za-z₀-₉])")
#: What that docstring calls the numbers.
_GREEK = {"beta1": "β₁", "beta2": "β₂", "eps": "ε", "decay_rate": "ρ"}


@dataclass(frozen=True)
class Update:
    """How one parameter moves: before and after the step, with the optimizer's slots."""

    #: The parameter's name in the graph, such as W1, and in the network, such as 0.W.
    name: str
    path: str
    before: Mapping[str, Array]
    after: Mapping[str, Array]
    decays: bool


@dataclass
class Inside:
    """The graph of one batch of a network in training, and the update that follows it.

    `x` and `t` are the rows of the batch as the network takes them. `before` and `after` have, by
    the path of a parameter ("0.W"), the parameter and its slots around the step: what the engine
    itself made of it. `columns` says, by the path of a layer, over which column of units the last
    axis of its numbers runs.

    >>> import chainrule as cr, numpy as np
    >>> net = cr.Sequential(cr.Affine.sized(2, 1, dtype=np.float64), loss=cr.MeanSquaredError())
    >>> inside = Inside(net, cr.SGD(lr=0.1), np.ones((3, 2)), np.ones((3, 1)))
    >>> [step["phase"] for step in inside.steps()][:3]
    ['forward', 'forward', 'forward']
    """

    network: Network
    optimizer: Optimizer
    x: Array
    t: Array
    before: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    after: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    columns: Mapping[str, int] = field(default_factory=dict)
    detail: bool = False
    lang: str = "en"

    def __post_init__(self) -> None:
        graph = self.network.graph(self.x, self.t, training=True)
        self.graph: Graph = graph.detailed() if self.detail else graph
        output = self.graph.outputs[0]
        self.gradients = self.graph.gradients() if output.requires_grad else {}
        #: Which names a formula may have, so that they are set as names.
        self._names = {*self.graph.names.values(), "lr", *self.optimizer.numbers}

    @cached_property
    def svg(self) -> str:
        """The picture; its classes let a page give it other colours, and it has no style of its own."""
        return self.graph.draw(
            gradients=self.gradients, fold=False, lang=self.lang, theme="light"
        ).svg

    # -- step by step ---------------------------------------------------------------------------

    def steps(self) -> Iterator[dict[str, Any]]:
        """Forward, loss, backward, update: every operation in order, with all that is known of it."""
        for step in self.graph.steps():
            yield self._operation(step)
        for update in self.updates:
            yield self._update(update)

    def _operation(self, step: Step) -> dict[str, Any]:
        node = self.graph.nodes[step.index]
        forward = step.direction == "forward"
        phase = step.direction
        if forward and any(isinstance(s.layer, Loss) for s in around(self.graph.scopes[node])):
            phase = "loss"
        return {
            "phase": phase,
            "node": str(step.index),
            "title": step.operation,
            "symbol": step.symbol,
            "layer": step.layer,
            "formulas": [self._formula(line) for line in step.formula.splitlines()],
            "inputs": [_flow(f, gradient=not forward) for f in step.inputs],
            "reads": [_flow(f, gradient=False) for f in step.reads],
            "outputs": [_flow(f, gradient=not forward) for f in step.outputs],
            "source": [
                {"place": s.place, "text": s.text, "start": s.start, "stop": s.stop}
                for s in step.source
            ],
        }

    def _formula(self, text: str) -> dict[str, str]:
        return {"text": text, "mathml": to_mathml(text, self._names)}

    # -- the update -----------------------------------------------------------------------------

    @cached_property
    def updates(self) -> tuple[Update, ...]:
        """Every parameter that moves in this step, in the order of the network."""
        paths = self._parameters()
        decays = {path: p.decays for path, p in self.network.named_parameters().items()}
        return tuple(
            Update(paths[path], path, before, self.after[path], decays[path])
            for path, before in self.before.items()
            if path in paths and path in self.after
        )

    def _parameters(self) -> dict[str, str]:
        """The names that the graph gives the parameters, by their paths in the network."""
        found: dict[str, str] = {}
        for node in self.graph.nodes:
            for v in node.inputs:
                root = self.graph.root(v)
                if isinstance(root, Parameter):
                    for scope in around(self.graph.scopes[node]):
                        own = getattr(scope.layer, "_parameters", {})
                        name = next((n for n, p in own.items() if p is root), None)
                        path = self.graph.paths.get(id(scope.layer))
                        if name is not None and path is not None:
                            found.setdefault(f"{path}.{name}", self.graph.names[root])
        return found

    def _update(self, update: Update) -> dict[str, Any]:
        arrow, slots = update.name, list(self.optimizer.slots)
        return {
            "phase": "update",
            "node": None,
            "title": type(self.optimizer).__name__,
            "symbol": "←",
            "layer": "",
            "formulas": [self._formula(line) for line in self._rule(update)],
            "numbers": self._numbers(),
            "inputs": [
                {"name": f"∂{arrow}", "arrow": arrow, "gradient": True},
                {"name": arrow, "arrow": arrow, "gradient": False},
                *({"name": s, "arrow": None, "array": f"before {update.path} {s}"} for s in slots),
            ],
            "reads": [],
            "outputs": [
                {"name": arrow, "arrow": arrow, "array": f"after {update.path} p"},
                *({"name": s, "arrow": None, "array": f"after {update.path} {s}"} for s in slots),
            ],
            "source": [],
        }

    def _rule(self, update: Update) -> list[str]:
        """The rule's own words, with the parameter's name; what comes before the rule first."""
        o, p, g = self.optimizer, update.name, f"∂{update.name}"
        lines = []
        if update.decays and o.l2:
            lines.append(f"g ← {g} + l2 · {p}")
        if update.decays and o.l1:
            lines.append(f"g ← {'g' if lines else g} + l1 · sign({p})")
        if update.decays and o.weight_decay:
            lines.append(f"{p} ← {p} - lr · weight_decay · {p}")
        letter = "g" if any(line.startswith("g") for line in lines) else g
        rule = (type(o).rule.__doc__ or "").strip().rstrip(".")
        named = {"p": p, "g": letter}
        lines += [_LETTER.sub(lambda m: named[m[0]], part) for part in rule.split("; ")]
        return lines

    def _numbers(self) -> dict[str, float]:
        """The numbers of this update, as the rule's formula calls them."""
        o = self.optimizer
        row = o.numbers_ahead(1)[0]
        found = dict(zip(o.number_names, row.tolist(), strict=True))
        shown = {name: found[name] for name in ("lr", *o.numbers)}
        for name in ("l1", "l2", "weight_decay"):
            if getattr(o, name):
                shown[name] = getattr(o, name)
        if type(o).rate is not Optimizer.rate:
            shown["lrₜ"], shown["lr"] = shown["lr"], o.lr
        return {_GREEK.get(name, name): value for name, value in shown.items()}

    # -- asked for ------------------------------------------------------------------------------

    def explain(
        self,
        arrow: str,
        element: Sequence[int] | None,
        *,
        gradient: bool = False,
        row: int | None = None,
        lines: int = 40,
    ) -> dict[str, Any]:
        """Why a number of an arrow is what it is, as lines, with the arrows it comes along."""
        place = None if element is None else tuple(element)
        found = self.graph.explain(arrow, place, gradient=gradient, row=row, lines=lines)
        return self._explained(found, [self.graph.names[v] for v in found.arrows])

    def explain_update(self, arrow: str, element: Sequence[int], slot: str = "p") -> dict[str, Any]:
        """Why a parameter, or a slot of it, is what it is after the update: the rule, in numbers."""
        update = next((u for u in self.updates if u.name == arrow), None)
        if update is None:
            raise SettingError(
                f"no parameter called {arrow!r} moves in this step:"
                f" {nearest(arrow, [u.name for u in self.updates])}."
            )
        o = self.optimizer
        wanted = ("p", *o.slots)
        if slot not in wanted:
            raise SettingError(f"slot={slot!r} is not known: {nearest(slot, wanted)}.")
        gradient = next(g for v, g in self.gradients.items() if self.graph.names[v] == arrow)
        numbers = dict(zip(o.number_names, o.numbers_ahead(1)[0].tolist(), strict=True))
        with recording(), quiet():
            p = Variable(update.before["p"].copy(), arrow)
            g = Variable(np.array(gradient), f"∂{arrow}")
            slots: list[Any] = [Variable(update.before[s].copy(), s) for s in o.slots]
            moved = o.step(p, g, slots, dict(numbers), update.decays)
        out = moved[wanted.index(slot)]
        out.name = f"new {arrow if slot == 'p' else slot}"
        found = Graph([out]).explain(out, tuple(element))
        return self._explained(found, [arrow])

    def _explained(self, found: Explanation, arrows: Sequence[str]) -> dict[str, Any]:
        lines = []
        for line in found.lines:
            text = line.strip()
            # A line begins with a name; one that goes on with the one before, with = or ≈.
            part: dict[str, Any] = {"text": text, "goes_on": text[:1] in ("=", "≈")}
            if not text.startswith(("(", "…")):
                part["mathml"] = to_mathml(text, self._names)
            lines.append(part)
        return {
            "name": found.name,
            "value": found.value,
            "lines": lines,
            "arrows": sorted(arrows),
        }

    def check(self) -> dict[str, dict[str, str]]:
        """The verdict on the gradient of every arrow, in a word and in a sentence."""
        proof: Proof = self.graph.check()
        found = {}
        for v, row in proof.verdicts.items():
            sentence = f"∂{row.arrow} at {row.node}: {row.verdict}, error {row.error:.1e}"
            found[self.graph.names[v]] = {
                "verdict": row.verdict,
                "sentence": f"{sentence}, allowed {row.allowed:.1e}. {row.detail}".strip(),
            }
        return found

    # -- to be sent -----------------------------------------------------------------------------

    def arrays(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Every arrow by its name: what is known of it, and its arrays by their names."""
        arrows: dict[str, Any] = {}
        arrays: dict[str, Array] = {}
        for v, name in self.graph.names.items():
            root = self.graph.root(v)
            known = value_name(self.graph, v)
            if root in self.graph.names:
                arrays.setdefault(f"value {known}", root.data)
            gradient = self.gradients.get(v)
            if gradient is not None:
                arrays[f"gradient {name}"] = np.asarray(gradient)
            arrows[name] = {
                "name": known,
                "shape": list(v.shape),
                "value": f"value {known}",
                "gradient": None if gradient is None else f"gradient {name}",
                "parameter": isinstance(root, Parameter),
                "column": self._columns.get(root),
            }
        for update in self.updates:
            for when, state in (("before", update.before), ("after", update.after)):
                for slot, array in state.items():
                    arrays[f"{when} {update.path} {slot}"] = array
        return arrows, arrays

    @cached_property
    def _columns(self) -> dict[Variable, int]:
        """The column of units that the last axis of an arrow's numbers runs over."""
        found: dict[Variable, int] = {}
        for node in self.graph.nodes:
            for scope in around(self.graph.scopes[node]):
                column = self.columns.get(self.graph.paths.get(id(scope.layer), ""))
                if column is not None:
                    for v in node.inputs:
                        if isinstance(self.graph.root(v), Parameter):
                            found[self.graph.root(v)] = column
                    found.update((v, column) for v in node.outputs)
        found.update((v, 0) for v in self.graph.inputs if v.name == "x")
        return found


def _flow(flow: Flow, *, gradient: bool) -> dict[str, Any]:
    """What flows along an arrow: its name, and which arrow of the picture; a number is on none."""
    found: dict[str, Any] = {"name": flow.name, "arrow": flow.arrow, "gradient": gradient}
    if flow.arrow is None:
        found["number"] = float(flow.value)
    return found
