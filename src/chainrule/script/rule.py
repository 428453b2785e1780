"""An optimizer's rule as lines that move one parameter, in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.engine.memory import needed, root_of
from chainrule.engine.trace import Traced
from chainrule.script.expressions import BINARY, Expressions, is_trivial
from chainrule.script.wording import WIDTH

__all__ = ["Rule"]

#: How far in the lines stand.
_INDENT = 12


class Rule:
    """`places` (the parameter, then its slots) get the `new` values.

    A slot is written as soon as nothing reads what stood there, the parameter last.
    """

    def __init__(
        self,
        e: Expressions,
        places: Sequence[Traced],
        gradient: Traced,
        new: Sequence[Traced],
        heard: Mapping[Any, str],
    ) -> None:
        self.e, self.heard, self.gradient = e, heard, gradient
        self.parameter, self.moved = places[0], new[0]
        self.slots = dict(zip(places[1:], new[1:], strict=True))
        self.goes = {v: place for place, v in self.slots.items() if v is not place}
        used = needed(new)
        self.order = [v for v in new[0].trace.values if v in used and not is_trivial(v)]
        self.readers: dict[Traced, list[Traced]] = {}
        for u in self.order:
            for o in u.operands:
                self.readers.setdefault(root_of(o), []).append(u)
        self.turn = {v: i for i, v in enumerate(self.order)}
        if self.moved in self.turn and not self.readers.get(self.moved):
            self.turn[self.moved] = len(self.order)
        self.forced: set[Traced] = set()

    def lines(self) -> list[str]:
        """One for each value that is read more than once, and one for each place."""
        named, taken = dict(self.e.named), set(self.e.names.taken)
        while True:
            self.e.named, self.e.names.taken = dict(named), set(taken)
            self.too_long: set[Traced] = set()
            lines = self._made()
            if not self.too_long:
                return lines
            self.forced |= self.too_long

    def _made(self) -> list[str]:
        lines: list[str] = []
        later: list[tuple[Traced, str]] = []
        for place, v in self.slots.items():
            if v is not place and (v is self.parameter or v in self.slots):  # what stood there
                old = self.e.names.unique(f"old_{self.e.named[v]}")
                lines.append(f"{old} = {self.e.named[v]}.copy()")
                later.append((place, old))
        kept = {place for place, _ in later}
        self.holder = self.gradient
        for v in self.order:
            goes = self.goes.get(v)
            if v is self.moved and not self.readers.get(v):
                continue
            if goes is not None and self._read_out(goes, v):
                lines.append(self._write(goes, v))
                self.e.named[v] = self.e.named[goes]
            elif goes is not None or self._stands(v):
                name = self._name(v, goes)
                lines.append(self._fitting(f"{name} = {self.e.operation(v)[0]}", v))
                self.e.named[v] = name
                if goes is not None:
                    later.append((goes, name))
        done = kept | {self.goes[v] for v in self.order if v in self.goes}
        lines.append(self._write(self.parameter, self.moved))
        lines += [f"{self.e.named[place]}[...] = {text}" for place, text in later]
        for place, v in self.slots.items():
            if v is not place and place not in done:
                lines.append(self._write(place, v))
        return lines

    def _stands(self, v: Traced) -> bool:
        read = len(self.readers.get(v, []))
        new = v is self.moved or v in self.goes
        return read > 1 or (read > 0 and (new or v in self.forced))

    def _name(self, v: Traced, place: Traced | None) -> str:
        """What the rule calls it; a gradient that was limited goes on as the gradient."""
        if place is not None:
            return self.e.names.unique(f"new_{self.e.named[place]}")
        if v in self.heard:
            return self.e.names.unique(self.heard[v])
        if self.gradient in needed([v]) and self._read_out(self.holder, v):
            self.holder = v
            return self.e.named[self.gradient]
        return self.e.names.unique("part")

    def _home(self, v: Traced) -> Traced:
        """The value in whose line the text of v stands."""
        while not (self._stands(v) or v is self.moved or v in self.goes):
            v = self.readers[v][0]
        return v

    def _read_out(self, place: Traced, v: Traced) -> bool:
        """Whether what stood in the place is read by no line after that of v."""
        homes = {self._home(u) for u in self.readers.get(place, [])}
        return all(self.turn[home] <= self.turn[v] for home in homes)

    def _write(self, place: Traced, v: Traced) -> str:
        name = self.e.named[place]
        if v not in self.e.named and v.function in BINARY and v.args[0] is place:
            sign, _ = BINARY[v.function]
            return self._fitting(f"{name} {sign}= {self.e.text(v.args[1])}", v)
        return self._fitting(f"{name}[...] = {self.e.text(v)}", v)

    def _fitting(self, line: str, v: Traced) -> str:
        """The line; if it is too long, its longest part is to stand alone."""
        if len(line) + _INDENT > WIDTH:
            parts = [o for o in v.operands if o in self.turn and o not in self.e.named]
            if parts:
                self.too_long.add(max(parts, key=lambda o: len(self.e.text(o))))
        return line
