"""An optimizer's rule as a kernel: one pass over a run of parameters, gradients and state."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.engine.compiled.formulas import FORMULAS, needs_helper, text_of
from chainrule.engine.compiled.record import raised_here
from chainrule.engine.compiled.values import NotCompilable
from chainrule.engine.memory import needed
from chainrule.engine.names import Names, bare, tidy
from chainrule.engine.protocols import UpdateRule
from chainrule.engine.rules import KERNEL_FUNCTIONS
from chainrule.engine.trace import Trace, Traced
from chainrule.errors import ChainruleError
from chainrule.lang.messages import _

__all__ = ["RUN", "update_source"]

#: How many parameters are updated at a time: few enough to stay in the first-level cache.
RUN = 2048


def update_source(
    optimizer: UpdateRule,
    dtype: np.dtype[Any],
    name: str,
    decay: bool,
    factor: float,
    limited: bool,
) -> tuple[str, set[str]]:
    """The kernel `name(p, g, others, *slots, numbers, scale)`, and what it imports.

    It adds the other shards' gradients to g, updates p and the slots, and gives 0, or NaN if a
    gradient is not finite. With `limited` the gradients are complete already, and are scaled first.
    """
    trace = Trace(KERNEL_FUNCTIONS)
    n = 7  # any length, since the rule is elementwise
    p, g = (trace.argument((n,), dtype, k) for k in "pg")
    slots = [trace.argument((n,), dtype, slot) for slot in optimizer.slots]
    numbers = {k: trace.number(k) for k in optimizer._hyperparameter_names}
    scaled = g * numbers["scale"] if limited and optimizer.clip_norm is None else g
    try:
        new = optimizer.apply_rule(p, scaled, list(slots), dict(numbers), decay, factor)
    except Exception as error:
        if isinstance(error, ChainruleError) or not raised_here(error):
            raise NotCompilable(_("the optimizer's rule cannot be recorded")) from error
        raise  # a bug in chainrule
    return _Writer(trace, dtype, numbers, [p, *slots], g, list(new), limited).source(name)


class _Writer:
    def __init__(
        self,
        trace: Trace,
        dtype: np.dtype[Any],
        numbers: dict[str, Traced],
        places: list[Traced],
        gradient: Traced,
        new: list[Traced],
        limited: bool,
    ) -> None:
        self.trace, self.dtype, self.numbers, self.limited = trace, dtype, numbers, limited
        self.places, self.gradient, self.new = places, gradient, new
        self.imports = {dtype.name}
        self.head: dict[str, str] = {}
        self.text: dict[Traced, str] = {}
        self.names = Names({"others", "numbers", "scale", "i", "s"})
        for leaf in (*places, gradient, *numbers.values()):
            self.names.unique(leaf.name)

    def source(self, name: str) -> tuple[str, set[str]]:
        slots = ", ".join(leaf.name for leaf in self.places[1:])
        used = needed(self.new)
        order = [v for v in self.trace.values if v in used]
        counts: dict[Traced, int] = {}
        for v in order:
            for o in v.operands:
                counts[o] = counts.get(o, 0) + 1
        goes = {v: leaf.name for leaf, v in zip(self.places, self.new, strict=True)}
        body = []
        for place, v in zip(self.places, self.new, strict=True):
            kept = v is not place and any(v is other for other in self.places)
            if kept and v not in self.text:  # it is to be as it was, whatever is written before
                self.text[v] = self.names.unique(f"old_{v.name}")
                body.append(f"{self.text[v]} = {v.name}[i]")
        for v in order:
            if v.weak or v.function is None:
                continue
            text = self._formula(v)
            alone = v in goes and len(goes) == 1
            if (counts.get(v, 0) + alone == 1 and v not in goes) or (alone and not counts.get(v)):
                self.text[v] = text
                continue
            local = self.names.unique(f"new_{goes[v]}" if v in goes else "v")
            body.append(f"{local} = {bare(text)}")
            self.text[v] = local
        for leaf, value in zip(self.places, self.new, strict=True):
            if value is not leaf:
                body.append(f"{leaf.name}[i] = {bare(self._array(value))}")
        zero = self._literal(0.0)
        lines = [
            "@kernel",
            f"def {name}(p, g, others, {slots + ', ' if slots else ''}numbers, scale):",
        ]
        lines += [f"    {tidy(f'{local} = {text}')}" for text, local in self.head.items()]
        lines.append(f"    check = {zero}")
        if not self.limited:
            lines += [
                "    for s in range(others.shape[0]):",
                "        for i in range(g.shape[0]):",
                "            g[i] += others[s, i]",
            ]
        lines += ["    for i in range(p.shape[0]):", f"        check += g[i] * {zero}"]
        lines += [f"        {tidy(line)}" for line in body]
        lines.append("    return check")
        return "\n".join(lines), self.imports

    def _formula(self, v: Traced) -> str:
        if v.function is np.broadcast_to:
            return self._array(v.args[0])
        form = FORMULAS.get(v.function)
        if form is None:
            what = getattr(v.function, "__name__", _("an operation"))
            raise NotCompilable(
                _(
                    "the optimizer's rule uses {function}, which is not element by element",
                    function=what,
                )
            )
        helper = needs_helper(v.function)
        if helper:
            self.imports.add(helper)
        texts = [self._array(a) for a in v.args]
        if v.function is np.reciprocal:
            texts.insert(0, self._literal(1.0))
        return form.format(*texts)

    def _array(self, v: Traced) -> str:
        """The text of an element of an array, or of a number in the arrays' dtype."""
        if v in self.text:
            return self.text[v]
        if v.weak:
            if v.known is not None:
                return self._literal(v.known)
            text = f"{self.dtype.name}({bare(self._weak(v))})"
            if text not in self.head:
                # A number that is given has its own name; "scale" is an argument already.
                own = v.function is None and v.name != "scale"
                self.head[text] = v.name if own else self.names.unique("c")
            return self.head[text]
        return f"{v.name}[i]"

    def _weak(self, v: Traced) -> str:
        if v.known is not None:
            return repr(v.known)
        if v.function is None:
            place = list(self.numbers).index(v.name)
            return v.name if v.name == "scale" else f"numbers[{place}]"
        helper = needs_helper(v.function)
        if helper:
            self.imports.add(helper)
        return FORMULAS[v.function].format(*map(self._weak, v.args))

    def _literal(self, value: Any) -> str:
        text = f"{self.dtype.name}({float(value)!r})"
        if text not in self.head:
            self.head[text] = self.names.unique(text_of(value, self.dtype, self.dtype))
        return self.head[text]
