"""The lines of the update: the optimizer's rule, its learning rate, gradient clipping."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from chainrule.engine.memory import needed
from chainrule.engine.names import Names
from chainrule.engine.rules import FUNCTIONS
from chainrule.engine.trace import Trace
from chainrule.errors import RecordingError, SettingError, shown
from chainrule.graph.variable import Array
from chainrule.lang.messages import Text, _
from chainrule.optimizers import Optimizer
from chainrule.optimizers.gradients import RUN, squares
from chainrule.schedules import Constant, OfStep, Schedule
from chainrule.script.expressions import Expressions
from chainrule.script.function_source import body_of, function_text, literal
from chainrule.script.local_names import collect_names
from chainrule.script.rule import Rule
from chainrule.script.wording import docstring, explanation

if TYPE_CHECKING:
    from chainrule.graph.variable import Parameter

__all__ = ["Update", "refuse_by_hand"]


GroupKey: TypeAlias = tuple[bool, float]


def _group_key(group: Sequence[Parameter]) -> GroupKey:
    """What the parameters of a group share: whether they decay, and the factor of their rate."""
    return group[0].decays, group[0].lr_factor


def refuse_by_hand(optimizer: object) -> None:
    """Raise for an optimizer with a hand-written update, or a schedule that depends on the losses."""
    if not isinstance(optimizer, Optimizer) or type(optimizer).update is not Optimizer.update:
        raise RecordingError(
            _(
                "{optimizer} has an update of its own, in Python, which cannot be written out. Give a"
                " chainrule optimizer, or write its rule(p, g, ...) as a cr.Optimizer.",
                optimizer=shown(optimizer),
            )
        )
    if optimizer.schedule.observes:
        raise SettingError(
            _(
                "{schedule!r} sets the rate by the losses it hears, which are known only when training"
                " runs. Give a rate that goes with the number of updates, such as cr.schedules.Cosine.",
                schedule=optimizer.schedule,
            )
        )


class Update:
    """The lines before the training loop (`settings`, `functions`) and inside it (`lines`).

    `groups` are the groups of parameters (see `runs` in training.py), in the order of the
    network's buffer.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        groups: Sequence[Sequence[Parameter]],
        steps: int,
        max_grad: float | None,
        names: Names,
        lang: str,
    ) -> None:
        refuse_by_hand(optimizer)
        self.optimizer, self.groups, self.steps, self.max_grad = optimizer, groups, steps, max_grad
        self.names, self.lang = names, lang
        self.settings: list[str] = []
        self.functions: list[str] = []
        self.lines: list[str] = []
        self.rule_note = explanation(type(optimizer).rule)
        self.arrays: dict[str, Array] = {}
        self.counts = False
        self._number_names: dict[str, str] = {}
        self._rate_name = names.unique("lr_t")
        self._leaves = {k: names.unique(k) for k in ("p", "g", *optimizer.slots)}
        before = set(names.taken)
        rules = {
            key: self._rule(*key, before) for key in dict.fromkeys(_group_key(g) for g in groups)
        }
        limits = max_grad is not None or optimizer.clip_norm is not None
        #: Whether the parameters must be in the buffer's order.
        self.ordered = limits or len({tuple(rule) for rule in rules.values()}) > 1
        self._limits()
        self._rates()
        self._loops(rules)
        #: The names of the lists of slots.
        self.states = {slot: self._state(slot) for slot in optimizer.slots}

    def fresh_states(self) -> list[str]:
        """The lines that make the slots of an optimizer that has not updated anything yet."""
        return [
            f"{name} = [np.zeros_like(p) for p in params]  # {_slot(slot).said(self.lang)}"
            for slot, name in self.states.items()
        ]

    def _state(self, slot: str) -> str:
        name = f"{self._leaves[slot]}s"
        self.names.taken.add(name)
        return name

    # -- numbers --------------------------------------------------------------------------------

    def _number(self, name: str) -> str:
        """The name of one of the update's numbers, which is assigned before the loop or in it."""
        if name not in self._number_names:
            self._number_names[name] = self.names.unique("lr" if name == "lr" else name)
            if name not in ("lr", "shrink", "scale"):
                value = getattr(self.optimizer, name)
                self.settings.append(f"{self._number_names[name]} = {literal(value)}")
        return self._number_names[name]

    def _rates(self) -> None:
        """The lines for the learning rate of each update, and for what depends on it."""
        optimizer = self.optimizer
        lr = self._number("lr")
        if isinstance(optimizer.schedule, Constant):
            self.settings.insert(0, f"{lr} = {literal(optimizer.schedule.lr)}")
        else:
            self.counts = True
            self.lines.append(f"{lr} = {self._scheduled(optimizer.schedule)}")
        if "shrink" in self._number_names:
            decay = optimizer.weight_decay
            if isinstance(decay, Schedule):
                self.counts = True
                factor = self._scheduled(decay)
            else:
                self.settings.append(f"weight_decay = {literal(decay)}")
                factor = "weight_decay"
            self.lines.append(f"{self._number_names['shrink']} = {lr} * {factor}")
        if type(optimizer).effective_lr is Optimizer.effective_lr:
            if self.counts:
                self.lines.append("step += 1")
            return
        self.counts = True
        self.lines.append("step += 1")
        self.lines.append(f"{self._rate_name} = {self._rate_text(lr)}")

    def _rate_text(self, lr: str) -> str:
        rate = type(self.optimizer).effective_lr
        if rate.__module__.startswith("chainrule."):
            words = {f"self.{name}": self._number(name) for name in self.optimizer.hyperparameters}
            (line,) = body_of(rate, words, {"lr": lr, "t": "step"})
            return line.removeprefix("return ")
        at = self.optimizer.schedule
        return self._from_table(
            "rates", lambda i: self.optimizer.effective_lr(at(i), i + 1), "step - 1"
        )

    def _scheduled(self, schedule: Schedule) -> str:
        """The text of the learning rate of update number `step`, counted from 0."""
        if isinstance(schedule, Constant):
            return literal(schedule.lr)
        if type(schedule).__module__ != "chainrule.schedules" or isinstance(schedule, OfStep):
            return self._from_table("schedule", schedule, "step")
        words = {
            f"self.{k}": literal(v)
            for k, v in vars(schedule).items()
            if not isinstance(v, Schedule)
        }
        for k, v in vars(schedule).items():
            if isinstance(v, Schedule):
                words[f"self.{k}(step)"] = self._scheduled(v)
        kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(schedule).__name__).lower()
        name = self.names.unique(f"{kind}_rate")
        self.functions.append(
            function_text(type(schedule).__call__, name, "step", words, self.lang)
        )
        return f"{name}(step)"

    def _from_table(self, name: str, number: Callable[[int], float], index: str) -> str:
        """A saved array with one number per update, for functions of the user's own Python."""
        array_name = self.names.unique(name)
        self.arrays[array_name] = np.array([float(number(i)) for i in range(self.steps)])
        return f"float({array_name}[{index}])"

    # -- clipping ---------------------------------------------------------------------------------

    def _limits(self) -> None:
        """The lines that clip the norm of all gradients together."""
        clip = self.optimizer.clip_norm
        if self.max_grad is None and clip is None:
            return
        length = self.names.unique("length")
        self._add_length(length)
        if self.max_grad is not None:
            self.settings.append(f"max_grad = {literal(self.max_grad)}")
            self.lines += [
                f"norm = {length}(grads)",
                "if norm > max_grad:",
                "    grads = [g * (max_grad / norm) for g in grads]",
            ]
        if clip is not None:
            scale = self._number("scale")
            self.settings.append(f"clip_norm = {literal(clip)}")
            self.lines += [
                f"norm = {length}(grads)",
                f"{scale} = clip_norm / norm if norm > clip_norm else 1.0",
            ]

    def _add_length(self, name: str) -> None:
        sizes = [sum(p.size for p in group) for group in self.groups]
        if max(sizes) > RUN:
            adding = self.names.unique("squares")
            self.functions.append(function_text(squares, adding, "g", {"RUN": str(RUN)}, self.lang))
            one = f"{adding}(g)"
        else:
            one = "float(np.vdot(g, g))"
        doc = _("√(Σ g²) over all gradients together.")
        lines = [
            f"def {name}(grads):",
            f"    {docstring(doc, self.lang)}",
            "    total = 0.0",
            f"    for run in {self._runs()}:",
            "        g = np.concatenate([g.ravel() for g in run])",
            f"        total += {one}",
            "    return math.sqrt(total)",
        ]
        self.functions.append("\n".join(lines))

    def _runs(self) -> str:
        if len(self.groups) == 1:
            return "[grads]"
        return f"({', '.join(f'grads[{cut}]' for cut in self._cuts())})"

    def _cuts(self) -> list[str]:
        """The slice of each group in the list of all parameters."""
        cuts, start = [], 0
        for group in self.groups:
            stop = start + len(group)
            cuts.append(f"{start or ''}:{stop if group is not self.groups[-1] else ''}")
            start = stop
        return cuts

    # -- the rule -----------------------------------------------------------------------------------

    def _rule(self, decay: bool, factor: float, before: set[str]) -> list[str]:
        """The lines that update one parameter p by its gradient g; `before` are names in use."""
        trace, optimizer = Trace(FUNCTIONS), self.optimizer
        dtype = self.groups[0][0].dtype
        leaves = [trace.argument((7,), dtype, name) for name in self._leaves]
        numbers = {name: trace.number(name) for name in optimizer._hyperparameter_names}
        with collect_names() as local_names:
            p, g, *slots = leaves
            new = optimizer.apply_rule(p, g, list(slots), dict(numbers), decay, factor)
        e = Expressions(Names(before))
        e.named = dict(zip(leaves, self._leaves.values(), strict=True))
        used = needed(new)
        has_own_rate = type(optimizer).effective_lr is not Optimizer.effective_lr
        for name, leaf in numbers.items():
            if leaf in used:
                e.named[leaf] = self._number(name)
                if name == "lr" and has_own_rate:
                    e.named[leaf] = self._rate_name
        e.names.taken |= set(self._number_names.values())
        lines = Rule(e, [p, *slots], g, list(new), local_names).lines()
        self.names.taken |= e.names.taken
        return lines

    def _loops(self, rules: dict[GroupKey, list[str]]) -> None:
        leaves = ", ".join(self._leaves.values())
        lists = ["params", "grads", *(self._state(slot) for slot in self.optimizer.slots)]
        if len({tuple(rule) for rule in rules.values()}) == 1:
            rule = next(iter(rules.values()))
            self.lines.append(f"for {leaves} in zip({', '.join(lists)}):")
            self.lines += [f"    {line}" for line in rule]
            return
        for group, cut in zip(self.groups, self._cuts(), strict=True):
            decay, factor = _group_key(group)
            cuts = ", ".join(f"{name}[{cut}]" for name in lists)
            note = _group_note(decay, factor).said(self.lang)
            self.lines.append(f"for {leaves} in zip({cuts}):  # {note}")
            self.lines += [f"    {line}" for line in rules[decay, factor]]


def _slot(slot: str) -> Text:
    return _("the optimizer's {slot} of every parameter", slot=slot)


def _group_note(decay: bool, factor: float) -> Text:
    """The comment on a loop: which parameters it updates, and how."""
    if factor == 1:
        return _("weights, which decay") if decay else _("biases, which do not decay")
    if decay:
        return _("weights, which decay, at {factor:g} times the rate", factor=factor)
    return _("biases, which do not decay, at {factor:g} times the rate", factor=factor)
