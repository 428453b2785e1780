"""From a scheduled step to Python source: passes over the rows, and the calls between them."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.engine.compiled.arrays import Written, lay_out
from chainrule.engine.compiled.calls import Calls
from chainrule.engine.compiled.elements import LONG, LOOPS, Argument, Elements, own_place
from chainrule.engine.compiled.places import Place, picked
from chainrule.engine.compiled.reductions import accumulate, start_of, store_into
from chainrule.engine.compiled.rows import is_row, wide
from chainrule.engine.compiled.schedule import Schedule
from chainrule.engine.compiled.slots import Slot, Slots, is_row_reduction, reads
from chainrule.engine.compiled.symbolic import Value
from chainrule.engine.names import Names, bare, tidy
from chainrule.engine.primitives import filled
from chainrule.nodes.indexing import add_at

__all__ = ["Argument", "Body"]


@dataclass
class _Lines:
    """The lines of a slot: before its loop, the heads of the loop, inside it, after it."""

    before: list[str]
    heads: list[str]
    body: list[str]
    after: list[str]

    def lines(self) -> list[str]:
        """All of them."""
        return [*self.before, *_nested(self.heads, self.body), *self.after]


def _nested(heads: Sequence[str], body: Sequence[str]) -> list[str]:
    """Loops within each other, and what is in the innermost."""
    loops = ["    " * depth + head for depth, head in enumerate(heads)]
    return loops + ["    " * len(heads) + line for line in body]


def _words(lines: Sequence[str]) -> set[str]:
    return set(re.findall(r"[a-zA-Z_]\w*", "\n".join(lines)))


def _tidy(line: str) -> str:
    """A line without needless brackets, with its mark."""
    code, mark, nodes = line.partition("  #@")
    return f"{tidy(code)}{mark}{nodes}"


def _made(line: str, scratch: Container[str]) -> str:
    """The variable that a line assigns, or the array of a single row that it writes to."""
    name = line.split(" ", 1)[0]
    if name.partition("[")[0] in scratch:
        return name.partition("[")[0]
    return name if name.isidentifier() and name != "for" else ""


def _apart(parts: Sequence[_Lines], scratch: Container[str]) -> list[list[_Lines]]:
    """Parts of a pass that share no variable or array of a row: each may have a loop of its own."""
    made = [
        {name for line in part.lines() if (name := _made(line.strip(), scratch))} for part in parts
    ]
    used = [_words(part.lines()) for part in parts]
    end, found = -1, list[list[_Lines]]()
    for i, part in enumerate(parts):
        if i > end:
            found.append([])
        found[-1].append(part)
        tied = [k for k in range(i + 1, len(parts)) if made[i] & used[k] or made[k] & used[i]]
        end = max([end, i, *tied])
    return found


class Body:
    """The lines of a kernel for n rows, and the arrays that it needs.

    `written` are the targets: (role, name, value, payload).
    """

    def __init__(
        self,
        schedule: Schedule,
        written: Sequence[Written],
        dtype: np.dtype[np.generic],
        names: Names,
        *,
        gathered: bool,
        abreast: bool = False,
        adding: bool = False,
        ranked: bool = False,
        part: int = 0,
        in_turn: bool = False,
    ) -> None:
        self.schedule, self.written = schedule, list(written)
        self.elements = Elements(
            dtype,
            names,
            gathered=gathered,
            abreast=abreast,
            adding=adding,
            ranked=ranked,
            part=part,
            in_turn=in_turn,
        )
        self.slots = Slots(schedule)
        lay_out(schedule, self.slots, self.elements, written)
        self.calls = Calls(schedule, self.elements, written)
        self.lines = self.calls.lines
        self.marks = self.calls.marks
        for index, stage in enumerate(schedule.stages):
            self.calls.write(stage.calls)
            self._pass(index)
        for role, name, v, payload in sorted(self.written, key=lambda w: w[0] == "loss"):
            with self.marks.of([v], self.lines):
                self.calls.finish(role, name, v, payload)
        self.lines[:] = map(_tidy, self.lines)
        self._drop_unused()

    def _drop_unused(self) -> None:
        """Drop the arguments for arrays that have become variables."""
        used = set(re.findall(r"\w+", "\n".join(self.lines)))
        for name, argument in list(self.elements.arguments.items()):
            if name not in used and argument.role in ("work", "bound", "constant"):
                del self.elements.arguments[name]

    @property
    def arguments(self) -> list[Argument]:
        """The arrays that the kernel takes."""
        return list(self.elements.arguments.values())

    # -- a pass over the rows ------------------------------------------------------------------

    def _pass(self, index: int) -> None:
        e = self.elements
        slots = self.slots.passes[index]
        if not slots:
            return
        before: list[str] = []
        e.uses_row, e.inside = False, True
        e.read_first = []
        parts = [self._slot(slot, before) for slot in slots if not self._gather(slot, before)]
        e.inside = False
        first = [*(["r = rows[i]"] if e.uses_row else []), *e.read_first]
        self.lines += before
        scratch = {e.array[v] for v in e.scratch}
        split = e.abreast or any(slot.group is not None for slot in slots)
        for group in _apart(parts, scratch) if split else [parts]:
            inside = [line for part in group for line in part.lines()]
            read = [line for line in first if _words([line.partition(" =")[0]]) & _words(inside)]
            read = [
                line for line in first if line in read or (line[:2] == "r " and "[r" in str(read))
            ]
            (only, *others) = group
            if e.abreast and only.heads and not (only.before or only.after or others):
                # Neighbours in an array are the numbers of neighbouring rows.
                body = [e.over_rows("i", "n"), *(f"    {line}" for line in read + only.body)]
                self.lines += _nested(only.heads, body)
            else:
                self.lines.append(e.over_rows("i", "n"))
                self.lines += [f"    {line}" for line in (read if split else first) + inside]
        for v in [v for v in e.local if is_row(v)]:  # of the last row only
            del e.local[v]
        e.forget()

    def _gather(self, slot: Slot, before: list[str]) -> bool:
        """Write the slot as a call, if all it does is to lay rows of the data abreast."""
        e, (v, *others) = self.elements, slot.values
        if not e.abreast or others or v.function is not filled or v not in e.array or v.ndim != 2:
            return False
        (x,) = v.operands
        if x.function is not None or x.dtype != v.dtype or v.dtype.kind != "f":
            return False
        e.imports.add("gather_abreast")
        before.append(f"gather_abreast({e.array[x]}, rows, {e.array[v]})")
        return True

    def _slot(self, slot: Slot, before: list[str]) -> _Lines:
        """The lines of one slot; lines that belong before the pass go to `before`.

        Within an iteration all reads come before all stores, since a value may overwrite an operand.
        """
        e = self.elements
        start: list[str] = []
        body: list[str] = []
        stores: list[str] = []
        after: list[str] = []
        read = self._read_often(slot, body)
        for v in slot.values:
            with self.marks.of([v], before, start, body, stores, after):
                if v.function is add_at:
                    self._scatter(v, before, body)
                elif is_row_reduction(v):
                    x = v.args[0]
                    name = e.variable(v)
                    start.append(f"{name} = {start_of(e, v)}")
                    body.append(accumulate(e, v, name, e.element(x, own_place(x))))
                    e.local[v] = name
                    if v in e.array:
                        after.append(f"{self._target(v)} = {name}")
                elif v.function is np.sum:
                    self._sum_over_rows(v, before, body)
                else:
                    self._statement(v, slot, body, stores)
        for o in read:
            del e.local[o]
        if slot.dims:
            for v in slot.values:  # outside the loop its values are known by their arrays only
                if wide(v) and v in e.local:
                    del e.local[v]
        return _Lines(start, self._heads(slot, body + stores), body + stores, after)

    def _read_often(self, slot: Slot, body: list[str]) -> list[Value]:
        """Assign array elements that are read more than once in an iteration to variables."""
        e = self.elements
        found: list[Value] = []
        if not slot.dims:
            return found
        mine = set(slot.values)
        users: dict[Value, list[Value]] = {}
        for v in slot.values:
            for o in reads(v):
                if o not in mine and o in e.array and is_row(o) and wide(o) == slot.dims:
                    users.setdefault(o, []).append(v)
        for o, by in users.items():
            if len(by) > 1 and o not in e.local and all(self.slots.in_place(o, u) for u in by):
                name = e.variable(o)
                body.append(f"{name} = {e.element(o, own_place(o))}")
                e.local[o] = name
                found.append(o)
        return found

    def _statement(self, v: Value, slot: Slot, body: list[str], stores: list[str]) -> None:
        """Write an elementwise value: inline where it is read, as a variable, as a store, or both."""
        e = self.elements
        text = e.expression(v, own_place(v))
        here = [u for u in self.schedule.readers(v) if self._same_pass(u, v)]
        turn = [u for u in here if self.slots.same_turn(u, v)] if slot.dims else here
        if v in e.array:
            if not turn:
                stores.append(f"{self._target(v)} = {bare(text)}")
                return
            if text.isidentifier():  # a variable already
                e.local[v] = text
            else:
                self._variable(v, text, body)
            stores.append(f"{self._target(v)} = {e.local[v]}")
        elif len(here) == 1 and reads(here[0]).count(v) == 1 and self._is_short(v, here[0], text):
            e.local[v] = text
        else:
            self._variable(v, text, body)

    def _is_short(self, v: Value, user: Value, text: str) -> bool:
        """Whether the text can be inlined where the value is read: in the same iteration, and short."""
        return self.slots.same_turn(user, v) and len(text) < LONG

    def _variable(self, v: Value, text: str, body: list[str]) -> str:
        name = self.elements.local[v] = self.elements.variable(v)
        body.append(f"{name} = {bare(text)}")
        return name

    def _same_pass(self, u: Value, v: Value) -> bool:
        return self.schedule.in_pass(u) and self.schedule.place[u] == self.schedule.place[v]

    def _heads(self, slot: Slot, lines: list[str]) -> list[str]:
        """The heads of the loops over the axes of a row."""
        if not lines or not slot.dims:
            return []
        near = [r for v in slot.values for r in (v, *reads(v))]
        found: list[str] = []
        for depth, d in enumerate(slot.dims):
            length = self.elements.length(d, near)
            found.append(f"for {LOOPS[depth]} in range({length}):")
        return found

    def _target(self, v: Value) -> str:
        place = own_place(v)
        return store_into(self.elements, v, place[1:] if v in self.elements.scratch else place)

    def _sum_over_rows(self, v: Value, before: list[str], body: list[str]) -> None:
        e, x = self.elements, v.args[0]
        text = e.element(x, own_place(x))
        if not v.shape:
            name = e.names.unique(e.wanted(v))
            before.append(f"{name} = {start_of(e, v)}")
            body.append(accumulate(e, v, name, text))
            e.local[v] = name
            return
        axes = v.kwargs["axis"]
        place = tuple(p for a, p in enumerate(own_place(x)) if a not in axes)
        if not e.adds_to(v):
            before.append(f"{e.array[v]}[:] = {e.literal(0, v.dtype)}")
        body.append(accumulate(e, v, store_into(e, v, place), text))

    def _scatter(self, v: Value, before: list[str], body: list[str]) -> None:
        """Rows added into a table, each at its id."""
        e, (x, key) = self.elements, v.args
        at: Place = picked(key, v.ndim, own_place(x), e.number, e.element)
        if not e.adds_to(v):
            before.append(f"{e.array[v]}[:] = {e.literal(0, v.dtype)}")
        body.append(f"{store_into(e, v, at)} += {bare(e.element(x, own_place(x)))}")
