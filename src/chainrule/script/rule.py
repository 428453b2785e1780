"""An optimizer's rule as lines that update one parameter in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainrule.engine.memory import needed, root_of
from chainrule.engine.trace import Traced
from chainrule.graph.variable import Variable
from chainrule.script.expressions import BINARY, Expressions, is_trivial
from chainrule.script.wording import WIDTH

__all__ = ["Rule"]

#: The indentation of the lines.
_INDENT = 12


class Rule:
    """Writes the lines that store the values `new` in `targets`, the parameter and its slots.

    A slot is written as soon as nothing reads its old value any more; the parameter is written
    last.
    """

    def __init__(
        self,
        e: Expressions,
        targets: Sequence[Traced],
        gradient: Traced,
        new: Sequence[Traced],
        local_names: Mapping[Traced | Variable, str],
    ) -> None:
        self.e, self.local_names, self.gradient = e, local_names, gradient
        self.parameter, self.new_parameter = targets[0], new[0]
        self.slots = dict(zip(targets[1:], new[1:], strict=True))
        self.slot_of = {v: slot for slot, v in self.slots.items() if v is not slot}
        used = needed(new)
        self.order = [v for v in new[0].trace.values if v in used and not is_trivial(v)]
        self.readers: dict[Traced, list[Traced]] = {}
        for u in self.order:
            for o in u.operands:
                self.readers.setdefault(root_of(o), []).append(u)
        self.turn = {v: i for i, v in enumerate(self.order)}
        if self.new_parameter in self.turn and not self.readers.get(self.new_parameter):
            self.turn[self.new_parameter] = len(self.order)
        self.forced: set[Traced] = set()

    def lines(self) -> list[str]:
        """A line for each value that is read more than once, and for each target."""
        named, used_names = dict(self.e.named), set(self.e.names.taken)
        while True:
            self.e.named, self.e.names.taken = dict(named), set(used_names)
            self.too_long: set[Traced] = set()
            lines = self._make_lines()
            if not self.too_long:
                return lines
            self.forced |= self.too_long

    def _make_lines(self) -> list[str]:
        lines: list[str] = []
        later: list[tuple[Traced, str]] = []
        for slot, v in self.slots.items():
            if v is not slot and (v is self.parameter or v in self.slots):  # what stood there
                old = self.e.names.unique(f"old_{self.e.named[v]}")
                lines.append(f"{old} = {self.e.named[v]}.copy()")
                later.append((slot, old))
        saved = {slot for slot, _ in later}
        self.holder = self.gradient
        for v in self.order:
            target_slot = self.slot_of.get(v)
            if v is self.new_parameter and not self.readers.get(v):
                continue
            if target_slot is not None and self._no_longer_read(target_slot, v):
                lines.append(self._write(target_slot, v))
                self.e.named[v] = self.e.named[target_slot]
            elif target_slot is not None or self._has_line(v):
                name = self._name(v, target_slot)
                lines.append(self._within_width(f"{name} = {self.e.operation(v)[0]}", v))
                self.e.named[v] = name
                if target_slot is not None:
                    later.append((target_slot, name))
        written = saved | {self.slot_of[v] for v in self.order if v in self.slot_of}
        lines.append(self._write(self.parameter, self.new_parameter))
        lines += [f"{self.e.named[slot]}[...] = {text}" for slot, text in later]
        for slot, v in self.slots.items():
            if v is not slot and slot not in written:
                lines.append(self._write(slot, v))
        return lines

    def _has_line(self, v: Traced) -> bool:
        count = len(self.readers.get(v, []))
        is_target = v is self.new_parameter or v in self.slot_of
        return count > 1 or (count > 0 and (is_target or v in self.forced))

    def _name(self, v: Traced, slot: Traced | None) -> str:
        """The name of v in the rule; a modified gradient takes over the gradient's name."""
        if slot is not None:
            return self.e.names.unique(f"new_{self.e.named[slot]}")
        if v in self.local_names:
            return self.e.names.unique(self.local_names[v])
        if self.gradient in needed([v]) and self._no_longer_read(self.holder, v):
            self.holder = v
            return self.e.named[self.gradient]
        return self.e.names.unique("part")

    def _line_of(self, v: Traced) -> Traced:
        """The value whose line contains the text of v."""
        while not (self._has_line(v) or v is self.new_parameter or v in self.slot_of):
            v = self.readers[v][0]
        return v

    def _no_longer_read(self, target: Traced, v: Traced) -> bool:
        """Whether no line after that of v reads the old value of `target`."""
        lines = {self._line_of(u) for u in self.readers.get(target, [])}
        return all(self.turn[line] <= self.turn[v] for line in lines)

    def _write(self, target: Traced, v: Traced) -> str:
        name = self.e.named[target]
        if v not in self.e.named and v.function in BINARY and v.args[0] is target:
            sign, _ = BINARY[v.function]
            return self._within_width(f"{name} {sign}= {self.e.text(v.args[1])}", v)
        return self._within_width(f"{name}[...] = {self.e.text(v)}", v)

    def _within_width(self, line: str, v: Traced) -> str:
        """The line; if it is too long, its longest part is marked to get its own line."""
        if len(line) + _INDENT > WIDTH:
            parts = [o for o in v.operands if o in self.turn and o not in self.e.named]
            if parts:
                self.too_long.add(max(parts, key=lambda o: len(self.e.text(o))))
        return line
