"""From a recording to the lines of a function: which values get a name, their order, comments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.engine.memory import needed, root_of
from chainrule.engine.origins import Origin
from chainrule.engine.primitives import Function, item
from chainrule.engine.trace import Traced
from chainrule.lang.messages import _
from chainrule.nodes.indexing import add_at, replaced
from chainrule.script.expressions import BINARY, Expressions, is_trivial
from chainrule.script.recorded import Part, ScriptRecording
from chainrule.script.sizes import ATOM
from chainrule.script.wording import WIDTH, comment
from chainrule.text_width import cells_wide

__all__ = ["Body"]

#: Operations written in several lines: an array of zeros or a copy, and then assignments into it.
_STEPWISE = (replaced, add_at)
_INDENT = 4
#: A value that a formula names is still written inline if its text is at most this long.
_SHORT = 16

#: Names for values of which only the operation is known.
_DEFAULT_NAMES: dict[Function, str] = {
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

    def __init__(self, recording: ScriptRecording, expressions: Expressions, lang: str) -> None:
        self.recording, self.e, self.lang = recording, expressions, lang
        used = needed(recording.targets)
        trace = recording.out.trace
        self.order = [v for v in trace.values if v in used]
        self.forced: set[Traced] = set()
        #: Of each line, the nodes whose operations it computes.
        self.origins: list[frozenset[Origin]] = []
        self._readers()

    # -- readers of each value ------------------------------------------------------------------

    def _readers(self) -> None:
        """Collect the operations that read each value, once for each read."""
        self.readers: dict[Traced, list[Traced]] = {}
        for u in self.order:
            if not is_trivial(u) or u in self.recording.names:
                for v in u.operands:
                    for visible in self._visible(v):
                        self.readers.setdefault(visible, []).append(u)

    def _visible(self, v: Traced) -> list[Traced]:
        """The values that occur in the text of v: itself, or, if it is a view, what it is a view of."""
        visible, ahead = [], [v]
        while ahead:
            value = ahead.pop()
            if is_trivial(value) and value not in self.recording.names:
                ahead.extend(value.operands)
            else:
                visible.append(value)
        return visible

    def _has_line(self, v: Traced) -> bool:
        """Whether the value gets a line and a name of its own."""
        if v.function is None or v.weak or v.known is not None:
            return False
        if v in self.recording.names or v in self.forced:
            return True
        if is_trivial(v):
            return False
        readers = self.readers.get(v, [])
        if not readers:  # a target: its text is written where it is stored or returned
            return sum(v is target for target in self.recording.targets) != 1
        part = self.recording.parts.get(v)
        alone = len(readers) == 1 and self.recording.parts.get(readers[0]) is part
        if not alone or v.function in _STEPWISE or v.function is item or self._is_target(v):
            return True
        return v in self.recording.local_names and len(self.e.text(v)) > _SHORT

    def _is_target(self, v: Traced) -> bool:
        return any(v is target for target in self.recording.targets)

    # -- the lines ------------------------------------------------------------------------------

    def lines(self, named: dict[Traced, str]) -> list[str]:
        """All lines, each at most WIDTH wide; `named` has the names of the leaves."""
        used_names = set(self.e.names.taken)
        while True:
            self.e.names.taken = set(used_names)
            self.e.named = dict(named)
            for collection in (self.e.prelude, self.e.constants, self.e.functions):
                collection.clear()
            lines = self._make_lines()
            too_long = [line for line in lines if max(map(len, line.texts)) + _INDENT > WIDTH]
            more = {self._longest_within(line.value) for line in too_long} - {None}
            if not more:
                commented = self._with_comments(lines)
                self.origins = [
                    frozenset() if v is None else self.origins_in(v) for _text, v in commented
                ]
                return [text for text, _v in commented]
            self.forced |= more  # type: ignore[arg-type]

    def origins_in(self, v: Traced) -> frozenset[Origin]:
        """The nodes of a value and of all that is written within its text."""
        found, ahead = set(), [v]
        while ahead:
            value = ahead.pop()
            if value in self.recording.origins:
                found.add(self.recording.origins[value])
            ahead += [o for o in value.operands if not self._has_line(o)]
        return frozenset(found)

    def _longest_within(self, v: Traced) -> Traced | None:
        """The operand of v with the longest text that can have a line of its own."""
        candidates = [
            o
            for operand in v.operands
            for o in self._visible(operand)
            if o not in self.e.named and o.function is not None and not o.weak
        ]
        return max(candidates, key=lambda o: len(self.e.text(o)), default=None)

    def _make_lines(self) -> list[_Line]:
        lines: list[_Line] = []
        for v in self.order:
            if self._has_line(v):
                lines.append(self._line(v))
        return lines

    def _line(self, v: Traced) -> _Line:
        continued = self._continued(v)
        if continued is not None:
            name = self.e.named[v] = self.e.named[continued]
            sign, _ = BINARY[v.function]
            other = v.args[1] if v.args[0] is continued else v.args[0]
            return _Line(v, [f"{name} {sign}= {self.e.text(other)}"])
        if v.function is replaced:
            return self._replaced_lines(v)
        if v.function is add_at:
            return self._add_at_lines(v)
        text = self.e.operation(v)[0]
        if v.is_view and self._is_target(v) and root_of(v).function is None:
            text += ".copy()"  # what is returned must not change with the parameters
        name = self.e.named[v] = self.e.names.unique(self._name_for(v))
        return _Line(v, [f"{name} = {text}"])

    def _name_for(self, v: Traced) -> str:
        name = self.recording.names.get(v) or self.recording.local_names.get(v)
        if name:
            return name
        reader = self._continuation(v)
        if reader is not None:
            return self._name_for(reader)
        value = self.recording.value_of.get(v)
        if value in self.e.named:
            return f"d_{self.e.named[value]}"
        operands = [self.e.named[o] for o in v.operands if o in self.e.named]
        if v.function in _DEFAULT_NAMES:
            return _DEFAULT_NAMES[v.function]
        if isinstance(v.function, np.ufunc) and len(v.args) == 1 and operands:
            return f"{v.function.__name__}_{operands[0]}"
        return "d" if self._is_backward(v) else "v"

    def _is_backward(self, v: Traced) -> bool:
        part = self.recording.parts.get(v)
        return part is not None and part.backward

    def _continuation(self, v: Traced) -> Traced | None:
        """The single reader of a stepwise v if it can be written in place, as `v += …`."""
        readers = self.readers.get(v, [])
        if v.function not in _STEPWISE or len(readers) != 1 or self._is_target(v):
            return None
        u = readers[0]
        fits = u.function in BINARY and (u.shape, u.dtype) == (v.shape, v.dtype)
        first = (
            u.args[0] is v or (u.args[1] is v and BINARY[u.function][0] in "+*") if fits else False
        )
        return u if first and self._has_line(u) else None

    def _continued(self, u: Traced) -> Traced | None:
        """The stepwise operand into whose memory u is written; None if there is none."""
        return next((v for v in u.operands if self._continuation(v) is u), None)

    def _replaced_lines(self, v: Traced) -> _Line:
        x, t, values = v.args
        source = self.e.text(x, ATOM)
        fresh = not is_trivial(x) and x not in self.e.named
        name = self.e.named[v] = self.e.names.unique(self._name_for(v))
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

    def _add_at_lines(self, v: Traced) -> _Line:
        """The lines that add rows into an array of zeros, each at its index."""
        values, index = self.e.text(v.args[0]), self.e.index_text(v)
        name = self.e.named[v] = self.e.names.unique(self._name_for(v))
        return _Line(v, [f"{name} = {self.e.zeros(v)}", f"np.add.at({name}, {index}, {values})"])

    # -- comments -----------------------------------------------------------------------------------

    def _with_comments(self, lines: Sequence[_Line]) -> list[tuple[str, Traced | None]]:
        """The lines with a comment for each part and for each formula not yet shown.

        Each with the value that it computes; a comment computes none.
        """
        result: list[tuple[str, Traced | None]] = []
        shown: set[tuple[str, str]] = set()
        parts = [self.recording.parts.get(line.value) for line in lines]
        before: Part | None = None
        if any(part is not None and part.backward for part in parts):
            result += _plain(comment(_("Forward: from x to the loss."), self.lang))
        for i, (line, part) in enumerate(zip(lines, parts, strict=True)):
            new = part is not None and part is not before
            if part is not None and new:
                if part.backward and (before is None or not before.backward):
                    back = _("Backward: from the loss to every parameter.")
                    result += _plain(["", *comment(back, self.lang)])
                comment_lines, alone = (
                    self._heading(part, line.value, shown),
                    part not in parts[i + 1 :],
                )
                before = part
            else:
                comment_lines, alone = self._note(part, line.value, shown), True
            commented = f"{line.texts[0]}  {comment_lines[0]}" if comment_lines else ""
            fits = (
                len(comment_lines) == len(line.texts) == 1
                and cells_wide(commented) + _INDENT <= WIDTH
            )
            if alone and fits:
                result.append((commented, line.value))
            else:
                result += [*_plain(comment_lines), *((text, line.value) for text in line.texts)]
        return [(" " * _INDENT + text if text else "", value) for text, value in result]

    def _heading(self, part: Part, v: Traced, shown: set[tuple[str, str]]) -> list[str]:
        """The comment with the title of a part, and its formula unless that was shown before."""
        if part.note:
            fresh = (part.title, part.note) not in shown
            shown.add((part.title, part.note))
            heading = self._comment(part.title, part.note if fresh else "")
            return heading + self._note(part, v, shown)
        title, note = self._new_formula(part, v, shown)
        is_inner = title not in ("", part.title)
        name = _("{layer}. {node}", layer=part.title, node=title) if is_inner else part.title
        return self._comment(name, note)

    def _note(self, part: Part | None, v: Traced, shown: set[tuple[str, str]]) -> list[str]:
        title, note = self._new_formula(part, v, shown)
        return self._comment(title, note) if title else []

    def _new_formula(
        self, part: Part | None, v: Traced, shown: set[tuple[str, str]]
    ) -> tuple[str, str]:
        """Title and formula of the node that computes v; "" if they were shown, or the layer's was."""
        formula = self.recording.notes.get(v, ("", ""))
        if part is None or not part.nodes_too or not formula[1] or formula in shown:
            return "", ""
        shown.add(formula)
        return formula

    def _comment(self, title: str, note: str) -> list[str]:
        text = _("{title}: {note}", title=title, note=note) if note else title
        return [line[_INDENT:] for line in comment(text, self.lang, _INDENT)]


def _plain(lines: Sequence[str]) -> list[tuple[str, None]]:
    """Lines that compute nothing."""
    return [(line, None) for line in lines]
