"""Inside one step: the computational graph of its batch, from the rows to the updated parameters.

The graph is the library's, of the very batch that comes next, and so are the drawing, the steps,
the reasons and the verdicts. Here they are only brought into a form that can be sent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.drawing.mathml import to_mathml
from chainrule.errors import NonFiniteError, SettingError, nearest
from chainrule.graph.detail import DetailedGraph
from chainrule.graph.explain import Explanation
from chainrule.graph.graph import Graph
from chainrule.graph.graph_check import GraphCheck
from chainrule.graph.recording import recording
from chainrule.graph.scopes import around
from chainrule.graph.steps import Flow, Step, value_name
from chainrule.graph.variable import Parameter, Variable
from chainrule.lang.messages import _, in_language
from chainrule.layers import Affine
from chainrule.layers.losses import Loss
from chainrule.networks import Network
from chainrule.nodes import Branch
from chainrule.nodes.base import Node, ignore_fp_errors
from chainrule.optimizers import Optimizer
from chainrule.playground.data import Array
from chainrule.playground.machine import Machine
from chainrule.playground.messages import Fields, Message

__all__ = ["Inside", "Update", "look_inside"]

#: So many numbers on the arrows of one step can be looked at.
MOST_NUMBERS = 400_000
#: So many characters of a derivation stand on a line.
NARROW = 36
#: The indices after the name of an array; a letter stands for any of them.
_ELEMENT = re.compile(r"(?<=[^\W_])\[(?:\d+|[a-zₙ])(?:, ?(?:\d+|[a-zₙ]))*\]")
#: Before a term of a sum; what a line that goes on begins with.
_TERM, _GOES_ON = re.compile(r" (?=[+−-] )"), ("=", "≈", "+", "−", "-")
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
    #: Why the step cannot be made, if it cannot.
    failure: str | None = None
    #: Which rows of the data they are.
    rows: Sequence[int] | Array = ()
    training: bool = True

    def __post_init__(self) -> None:
        graph = self.network.graph(self.x, self.t, training=self.training)
        self.graph: Graph = graph.detailed() if self.detail else graph
        output = self.graph.outputs[0]
        self.gradients = self.graph.gradients() if output.requires_grad else {}
        #: Which names a formula may have, so that they are set as names.
        self._names = {*self.graph.names.values(), "lr", *self.optimizer.hyperparameters}

    def svg(self, *, checked: bool = False) -> str:
        """The picture; its classes let a page give it other colours, and it has no style of its own.

        With `checked` there is a mark for the verdict on every arrow.
        """
        drawn = self.graph.draw(
            verdicts=self.proof.verdicts if checked else None,
            fold=False,
            lang=self.lang,
            theme="light",
        )
        return _from_one(drawn.svg)

    def overflows(self) -> list[str]:
        """Sentences on what is not finite in the detail, and is where it is folded."""
        if not isinstance(self.graph, DetailedGraph):
            return []
        back = self.graph.gradient_overflows() if self.gradients else ()
        return [self._told(o.text) for o in (*self.graph.overflows, *back)]

    def _told(self, text: str) -> str:
        """A text for the page."""
        return _from_one(in_language(text, self.lang, "page"))

    # -- step by step ---------------------------------------------------------------------------

    def steps(self) -> Iterator[Fields]:
        """Forward, loss, backward, update: every operation in order, with all that is known of it."""
        for step in self.graph.steps():
            yield self._operation(step)
        for update in self.updates:
            yield self._update(update)

    def _operation(self, step: Step) -> Fields:
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
            "column": self._column(node),
            "origin": self._origins.get(node),
            "formulas": [
                self._formula(line) for line in in_language(step.formula, self.lang).splitlines()
            ],
            "inputs": [_flow(f, gradient=not forward) for f in step.inputs],
            "reads": [_flow(f, gradient=False) for f in step.reads],
            "outputs": [_flow(f, gradient=not forward) for f in step.outputs],
            "source": [
                {"place": s.place, "text": s.text, "start": s.start, "stop": s.stop}
                for s in step.source
                if s.text
            ],
        }

    @cached_property
    def _origins(self) -> dict[Node, str]:
        """The place in the folded graph of the node that each node here is, or is a part of."""
        if not isinstance(self.graph, DetailedGraph):
            return {node: str(k) for k, node in enumerate(self.graph.nodes)}
        folded = self.graph.folded
        places = {v: str(k) for k, node in enumerate(folded.nodes) for v in node.outputs}
        arrows = {w: v for v, w in self.graph.shared.items()} | self.graph.inside
        copies = {
            folded.root(node.outputs[0]): str(k)
            for k, node in enumerate(folded.nodes)
            if isinstance(node, Branch)
        }
        found: dict[Node, str] = {}
        for node in self.graph.nodes:
            copied = isinstance(node, Branch)
            v = arrows.get(self.graph.root(node.outputs[0]) if copied else node.outputs[0])
            known = copies if copied else places
            if v is not None and v in known:
                found[node] = known[v]
        return found

    def _column(self, node: Node) -> int | None:
        """The column of units that the layer of a node gives; none in the loss."""
        paths = (self.graph.paths.get(id(s.layer), "") for s in around(self.graph.scopes[node]))
        return next((self.columns[path] for path in paths if path in self.columns), None)

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

    def _update(self, update: Update) -> Fields:
        arrow, slots = update.name, self.optimizer.slots

        def kept(when: str, name: str, slot: str, arrow: str | None = None) -> Fields:
            array = f"{when} {update.path} {slot}"
            return {"name": name, "arrow": arrow, "gradient": False, "array": array}

        return {
            "phase": "update",
            "node": None,
            "title": type(self.optimizer).__name__,
            "symbol": "←",
            "layer": "",
            "column": self.columns.get(update.path.rpartition(".")[0]),
            "origin": update.name,
            "formulas": [self._formula(line) for line in self._rule(update)],
            "numbers": self._numbers(),
            "inputs": [
                {"name": f"∂{arrow}", "arrow": arrow, "gradient": True},
                {"name": arrow, "arrow": arrow, "gradient": False},
                *(kept("before", slot, slot) for slot in slots),
            ],
            "reads": [],
            "outputs": [
                kept("after", arrow, "p", arrow),
                *(kept("after", slot, slot) for slot in slots),
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
        row = o.hyperparameters_for(1)[0]
        found = dict(zip(o._hyperparameter_names, row.tolist(), strict=True))
        shown = {name: found[name] for name in ("lr", *o.hyperparameters)}
        for name in ("l1", "l2", "weight_decay"):
            if getattr(o, name):
                shown[name] = getattr(o, name)
        if type(o).effective_lr is not Optimizer.effective_lr:
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
    ) -> Fields:
        """Why a number of an arrow is what it is, as lines, with the arrows it comes along."""
        place = None if element is None else tuple(element)
        found = self.graph.explain(arrow, place, gradient=gradient, row=row, lines=lines)
        return self._explained(found, [self.graph.names[v] for v in found.arrows], self._names)

    def explain_update(self, arrow: str, element: Sequence[int], slot: str = "p") -> Fields:
        """Why a parameter, or a slot of it, is what it is after the update: the rule, in numbers."""
        update = next((u for u in self.updates if u.name == arrow), None)
        if update is None:
            raise SettingError(
                _(
                    "no parameter called {name!r} moves in this step: {nearest}.",
                    name=arrow,
                    nearest=nearest(arrow, [u.name for u in self.updates]),
                )
            )
        o = self.optimizer
        wanted = ("p", *o.slots)
        if slot not in wanted:
            raise SettingError(
                _(
                    "slot={name!r} is not known; {nearest}.",
                    name=slot,
                    nearest=nearest(slot, wanted),
                )
            )
        gradient = next(g for v, g in self.gradients.items() if self.graph.names[v] == arrow)
        numbers = dict(
            zip(o._hyperparameter_names, o.hyperparameters_for(1)[0].tolist(), strict=True)
        )
        with recording(), ignore_fp_errors():
            p = Variable(update.before["p"].copy(), arrow)
            g = Variable(np.array(gradient), f"∂{arrow}")
            slots: list[Any] = [Variable(update.before[s].copy(), s) for s in o.slots]
            moved = o.apply_rule(p, g, slots, dict(numbers), update.decays)
        out = moved[wanted.index(slot)]
        out.name = self._told(_("new {name}", name=arrow if slot == "p" else slot))
        rule = Graph([out])
        found = rule.explain(out, tuple(element))
        return self._explained(found, [arrow], set(rule.names.values()))

    def _explained(
        self, found: Explanation, arrows: Sequence[str], names: Collection[str]
    ) -> Fields:
        parts = [
            part
            for line in found.derivation
            for text in line.text(self.lang)
            for part in _pieces(_from_one(text).strip())
        ]
        lines: list[Fields] = [
            {
                "text": part,
                "mathml": to_mathml(part, names),
                "goes_on": part[:1] in _GOES_ON,
            }
            for part in parts
        ]
        lines += [{"text": self._told(remark), "goes_on": False} for remark in found.remarks]
        return {
            "name": _from_one(found.name),
            "value": found.value,
            "lines": lines,
            "arrows": sorted(arrows),
        }

    def check(self) -> dict[str, Fields]:
        """The verdict on the gradient of every arrow: whether it is right, and a sentence."""
        return {
            self.graph.names[v]: {"ok": row.ok, "sentence": self._told(row.sentence)}
            for v, row in self.proof.verdicts.items()
        }

    @cached_property
    def proof(self) -> GraphCheck:
        """The check of every gradient."""
        return self.graph.check()

    # -- to be sent -----------------------------------------------------------------------------

    def message(self) -> Message:
        """All of it for the page."""
        arrows, arrays = self.arrays()
        numbers = sum(array.size for array in arrays.values())
        if numbers > MOST_NUMBERS:
            raise SettingError(
                _(
                    "There are {count:,} numbers on the arrows of this step, and the page shows at most"
                    " {most:,}. Take a smaller batch or a smaller network to look inside.",
                    count=numbers,
                    most=MOST_NUMBERS,
                )
            )
        fields = {
            "rows": len(self.x),
            "svg": self.svg(),
            "steps": list(self.steps()),
            "arrows": arrows,
            "overflows": self.overflows(),
            "failure": None if self.failure is None else self._told(self.failure),
            "parameters": [u.name for u in self.updates],
        }
        # Ids and random bits, too, as numbers to look at.
        sent = {k: a.astype(np.float64) for k, a in arrays.items()}
        return Message("inside", fields, {**sent, "batch": np.asarray(self.rows, np.int32)})

    def verdicts(self) -> Message:
        """The check of every gradient, and the picture with its marks."""
        fields = {
            "verdicts": self.check(),
            "summary": self._told(self.proof.summary),
            "svg": self.svg(checked=True),
        }
        return Message("verdicts", fields)

    def arrays(self) -> tuple[Fields, dict[str, Array]]:
        """Every arrow by its name: what is known of it, and its arrays by their names."""
        arrows: Fields = {}
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


def _from_one(text: str) -> str:
    """Elements counted from 1, as the page counts units and rows: W1[1,2] is called W1[2,3]."""
    return _ELEMENT.sub(
        lambda m: re.sub(r"\d+", lambda digits: str(int(digits[0]) + 1), m[0]), text
    )


def _pieces(text: str) -> list[str]:
    """A line of a derivation as lines that fit beside a picture, broken before = and ≈, then + and -."""
    if len(text) <= NARROW:
        return [text]
    first, *rest = re.split(r" (?=[=≈] )", text)
    if rest and len(first) + len(rest[0]) < NARROW:
        first, rest = f"{first} {rest[0]}", rest[1:]
    return [piece for part in (first, *rest) for piece in _terms(part)]


def _terms(text: str) -> list[str]:
    """A long sum as lines of some terms each; what is between brackets stays together."""
    lines = [""]
    for part in _TERM.split(text):
        longer = f"{lines[-1]} {part}".strip()
        whole = longer.count("(") > longer.count(")") or not lines[-1]
        if whole or len(longer) <= NARROW or lines[-1].count("(") > lines[-1].count(")"):
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def _flow(flow: Flow, *, gradient: bool) -> Fields:
    """What flows along an arrow: its name, and which arrow of the picture; a number is on none."""
    found: Fields = {"name": flow.name, "arrow": flow.arrow, "gradient": gradient}
    if flow.arrow is None:
        found["number"] = float(flow.value.flat[0])
    return found


def look_inside(machine: Machine, *, detail: bool = False, lang: str = "en") -> Inside:
    """The step that a machine takes next. The step is made, and taken back again."""
    if not machine.batches:
        raise SettingError(
            _("There is no batch to look into: fewer rows to train on than a batch takes.")
        )
    rows = machine.upcoming()
    x, t = (array[rows] for array in machine.train)
    before = _parameters(machine)
    after, failure = before, None
    with machine.unchanged():
        try:
            machine.step()
            after = _parameters(machine)
        except NonFiniteError as error:
            failure = error.args[0]
    return Inside(
        machine.network,
        copy(machine.optimizer),  # its numbers are those of this step
        x,
        t,
        before,
        after,
        _columns(machine.network),
        detail,
        lang,
        failure,
        rows.copy(),
    )


def look_at_row(machine: Machine, row: int, *, detail: bool = False, lang: str = "en") -> Inside:
    """One row through the network as it is now: forward, loss and gradients; it moves nothing."""
    return Inside(
        machine.network,
        machine.optimizer,
        *machine.row(row),
        columns=_columns(machine.network),
        detail=detail,
        lang=lang,
        rows=[row],
        training=False,
    )


def _parameters(machine: Machine) -> dict[str, dict[str, Array]]:
    """Copies of every parameter and its slots, by the parameter's path."""
    paths = {id(p): path for path, p in machine.network.named_parameters().items()}
    slots, at = machine.slots, 0
    found: dict[str, dict[str, Array]] = {}
    for p in machine.flat.parameters:
        own = {"p": p.data.copy()}
        for name, slot in zip(machine.optimizer.slots, slots, strict=True):
            own[name] = slot[at : at + p.size].reshape(p.shape).copy()
        found[paths[id(p)]] = own
        at += p.size
    return found


def _columns(network: Network) -> dict[str, int]:
    """The column of units that a layer gives, by its path."""
    found, column = {}, 0
    for path, layer in network.named_layers():
        column += isinstance(layer, Affine)
        found[path] = column
    return found
