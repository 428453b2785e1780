"""From a recording to the lines of a function: which values get a name, in which order, with comments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.engine.memory import needed, root_of
from chainrule.engine.primitives import item
from chainrule.engine.trace import Traced
from chainrule.lang.messages import _
from chainrule.nodes.indexing import add_at, replaced
from chainrule.script.expressions import BINARY, Expressions, is_trivial
from chainrule.script.recorded import Part, ScriptRecording
from chainrule.script.sizes import ATOM
from chainrule.script.wording import WIDTH, comment
from chainrule.text_width import cells_wide

__all__ = ["Body"]

#: Values made in several lines: zeros or a copy, and then what goes into it.
_STEPWISE = (replaced, add_at)
_INDENT = 4
#: What a formula gives a name is written where it is read if it is no longer than this.
_SHORT = 16

#: What a value is called of which no more is known than how it came about.
_CALLED: dict[Any, str] = {
    np.add: "added",
    np.subtract: "difference",
    np.multiply: "product",
    np.divide: "ratio",
    np.reciprocal: "inverse",
    np.matmul: "product",
    np.where: "picked",
    np.sum: "total",
    np.max: "largest",
    np.min: "smallest",
}


@dataclass(frozen=True)
class _Line:
    value: Traced
    texts: list[str]


class Body:
    """The lines that compute the targets of a recording."""

    def __init__(self, recorded: ScriptRecording, expressions: Expressions, lang: str) -> None:
        self.recorded, self.e, self.lang = recorded, expressions, lang
        wanted = needed(recorded.targets)
        trace = recorded.out.trace
        self.order = [v for v in trace.values if v in wanted]
        self.forced: set[Traced] = set()
        self._readers()

    # -- who reads what -------------------------------------------------------------------------

    def _readers(self) -> None:
        """The operations that read each value, once for every time they do."""
        self.readers: dict[Traced, list[Traced]] = {}
        for u in self.order:
            if not is_trivial(u) or u in self.recorded.names:
                for v in u.operands:
                    for seen in self._seen(v):
                        self.readers.setdefault(seen, []).append(u)

    def _seen(self, v: Traced) -> list[Traced]:
        """What stands in the text of v: itself, or what it is another look at."""
        found, ahead = [], [v]
        while ahead:
            value = ahead.pop()
            if is_trivial(value) and value not in self.recorded.names:
                ahead.extend(value.operands)
            else:
                found.append(value)
        return found

    def _stands(self, v: Traced) -> bool:
        """Whether the value gets a line and a name of its own."""
        if v.function is None or v.weak or v.known is not None:
            return False
        if v in self.recorded.names or v in self.forced:
            return True
        if is_trivial(v):
            return False
        readers = self.readers.get(v, [])
        if not readers:  # written into a buffer, where its text can stand
            return sum(v is target for target in self.recorded.targets) != 1
        part = self.recorded.parts.get(v)
        alone = len(readers) == 1 and self.recorded.parts.get(readers[0]) is part
        if not alone or v.function in _STEPWISE or v.function is item or self._target(v):
            return True
        return v in self.recorded.heard and len(self.e.text(v)) > _SHORT

    def _target(self, v: Traced) -> bool:
        return any(v is target for target in self.recorded.targets)

    # -- the lines ------------------------------------------------------------------------------

    def lines(self, named: dict[Traced, str]) -> list[str]:
        """All of them, each short enough; `named` are the leaves."""
        taken = set(self.e.names.taken)
        while True:
            self.e.names.taken = set(taken)
            self.e.named = dict(named)
            for kept in (self.e.prelude, self.e.constants, self.e.functions):
                kept.clear()
            made = self._made()
            too_long = [line for line in made if max(map(len, line.texts)) + _INDENT > WIDTH]
            more = {self._longest_within(line.value) for line in too_long} - {None}
            if not more:
                return self._told(made)
            self.forced |= more  # type: ignore[arg-type]

    def _longest_within(self, v: Traced) -> Traced | None:
        """The longest part of a line that can be a line of its own."""
        found = [
            o
            for operand in v.operands
            for o in self._seen(operand)
            if o not in self.e.named and o.function is not None and not o.weak
        ]
        return max(found, key=lambda o: len(self.e.text(o)), default=None)

    def _made(self) -> list[_Line]:
        lines: list[_Line] = []
        for v in self.order:
            if self._stands(v):
                lines.append(self._line(v))
        return lines

    def _line(self, v: Traced) -> _Line:
        begun = self._begun(v)
        if begun is not None:
            name = self.e.named[v] = self.e.named[begun]
            sign, _ = BINARY[v.function]
            other = v.args[1] if v.args[0] is begun else v.args[0]
            return _Line(v, [f"{name} {sign}= {self.e.text(other)}"])
        if v.function is replaced:
            return self._replaced(v)
        if v.function is add_at:
            return self._added(v)
        text = self.e.operation(v)[0]
        if v.is_view and self._target(v) and root_of(v).function is None:
            text += ".copy()"  # what is returned is not to change with the parameters
        name = self.e.named[v] = self.e.names.unique(self._wanted(v))
        return _Line(v, [f"{name} = {text}"])

    def _wanted(self, v: Traced) -> str:
        name = self.recorded.names.get(v) or self.recorded.heard.get(v)
        if name:
            return name
        reader = self._finishes(v)
        if reader is not None:
            return self._wanted(reader)
        value = self.recorded.of.get(v)
        if value in self.e.named:
            return f"d_{self.e.named[value]}"
        operands = [self.e.named[o] for o in v.operands if o in self.e.named]
        if v.function in _CALLED:
            return _CALLED[v.function]
        if isinstance(v.function, np.ufunc) and len(v.args) == 1 and operands:
            return f"{v.function.__name__}_{operands[0]}"
        return "d" if self._backward(v) else "v"

    def _backward(self, v: Traced) -> bool:
        part = self.recorded.parts.get(v)
        return part is not None and part.backward

    def _finishes(self, v: Traced) -> Traced | None:
        """The operation that alone reads v, made stepwise, and goes on in its memory."""
        readers = self.readers.get(v, [])
        if v.function not in _STEPWISE or len(readers) != 1 or self._target(v):
            return None
        u = readers[0]
        fits = u.function in BINARY and (u.shape, u.dtype) == (v.shape, v.dtype)
        first = (
            u.args[0] is v or (u.args[1] is v and BINARY[u.function][0] in "+*") if fits else False
        )
        return u if first and self._stands(u) else None

    def _begun(self, u: Traced) -> Traced | None:
        """The value made stepwise whose memory u goes on in."""
        return next((v for v in u.operands if self._finishes(v) is u), None)

    def _replaced(self, v: Traced) -> _Line:
        x, t, values = v.args
        source = self.e.text(x, ATOM)
        fresh = not is_trivial(x) and x not in self.e.named
        name = self.e.named[v] = self.e.names.unique(self._wanted(v))
        new = self.e.text(values)
        lines = [f"{name} = {self.e.text(x) if fresh else f'{source}.copy()'}"]
        if v.ndim == 2:
            lines.append(f"{name}[{self.e.rows(v)}, {self.e.text(t)}] = {new}")
        else:
            if isinstance(values, Traced) and not values.weak:
                new = f"np.expand_dims({new}, -1)"
            ids = f"np.expand_dims({self.e.text(t)}, -1)"
            lines.append(f"np.put_along_axis({name}, {ids}, {new}, -1)")
        return _Line(v, lines)

    def _added(self, v: Traced) -> _Line:
        """Rows added into a table, each where its id says."""
        values, places = self.e.text(v.args[0]), self.e.places(v)
        name = self.e.named[v] = self.e.names.unique(self._wanted(v))
        return _Line(v, [f"{name} = {self.e.zeros(v)}", f"np.add.at({name}, {places}, {values})"])

    # -- what is said about them -------------------------------------------------------------------

    def _told(self, made: Sequence[_Line]) -> list[str]:
        """The lines, with a comment for each part, and one for each formula that is new."""
        found: list[str] = []
        told: set[tuple[str, str]] = set()
        parts = [self.recorded.parts.get(line.value) for line in made]
        before: Part | None = None
        if any(part is not None and part.backward for part in parts):
            found += comment(_("Forward: from x to the loss."), self.lang)
        for i, (line, part) in enumerate(zip(made, parts, strict=True)):
            new = part is not None and part is not before
            if part is not None and new:
                if part.backward and (before is None or not before.backward):
                    back = _("Backward: from the loss to every parameter.")
                    found += ["", *comment(back, self.lang)]
                said, alone = self._heading(part, line.value, told), part not in parts[i + 1 :]
                before = part
            else:
                said, alone = self._note(part, line.value, told), True
            beside = f"{line.texts[0]}  {said[0]}" if said else ""
            fits = len(said) == len(line.texts) == 1 and cells_wide(beside) + _INDENT <= WIDTH
            found += [beside] if alone and fits else said + line.texts
        return [" " * _INDENT + line if line else "" for line in found]

    def _heading(self, part: Part, v: Traced, told: set[tuple[str, str]]) -> list[str]:
        """What a part is, and its formula where it was not told before."""
        if part.note:
            fresh = (part.title, part.note) not in told
            told.add((part.title, part.note))
            said = self._comment(part.title, part.note if fresh else "")
            return said + self._note(part, v, told)
        title, note = self._new(part, v, told)
        within = title not in ("", part.title)
        name = _("{layer}. {node}", layer=part.title, node=title) if within else part.title
        return self._comment(name, note)

    def _note(self, part: Part | None, v: Traced, told: set[tuple[str, str]]) -> list[str]:
        title, note = self._new(part, v, told)
        return self._comment(title, note) if title else []

    def _new(self, part: Part | None, v: Traced, told: set[tuple[str, str]]) -> tuple[str, str]:
        """The formula of the node that computes v; a layer's forward formula says it already."""
        found = self.recorded.notes.get(v, ("", ""))
        if part is None or not part.nodes_too or not found[1] or found in told:
            return "", ""
        told.add(found)
        return found

    def _comment(self, title: str, note: str) -> list[str]:
        text = _("{title}: {note}", title=title, note=note) if note else title
        return [line[_INDENT:] for line in comment(text, self.lang, _INDENT)]
