"""Allocation: which values need an array, and which of them share one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.engine.compiled.elements import Elements
from chainrule.engine.compiled.rows import is_row, is_view, root_of, wide
from chainrule.engine.compiled.schedule import Schedule
from chainrule.engine.compiled.slots import Slots, reads
from chainrule.engine.compiled.symbolic import Value
from chainrule.nodes.indexing import add_at

__all__ = ["Written", "lay_out"]

#: A target: its role, its name, its value, and its payload, such as the parameter of a gradient.
Written = tuple[str, str, Value, Any]


def lay_out(
    schedule: Schedule, slots: Slots, elements: Elements, written: Sequence[Written]
) -> None:
    """Give an array to every value that needs one."""
    layout = _Layout(schedule, slots, elements, written)
    layout.leaves()
    layout.made()


class _Layout:
    def __init__(
        self, schedule: Schedule, slots: Slots, elements: Elements, written: Sequence[Written]
    ) -> None:
        self.schedule, self.slots, self.elements = schedule, slots, elements
        self.array, self.scratch = elements.array, elements.scratch
        self.written = written
        self.ends = {root_of(v) for _, _, v, _ in written}
        self.taken: set[Value] = set()

    def leaves(self) -> None:
        """Assign data, parameters, buffers and constants to the arrays that the kernel is given."""
        for v in self.schedule.values:
            if v.function is None:
                leaf = v.payload
                role = "bound" if leaf.array is not None else "data"
                role = "constant" if leaf.known is not None else role
                wanted = f"{v.name}_all" if role == "data" and self.elements.gathered else v.name
                self.array[v] = self.elements.argument(wanted or "constant", role, v, leaf)

    def made(self) -> None:
        """Assign computed values to a target's array, to an array of their own, or to none."""
        direct: dict[Value, tuple[str, str, Any]] = {}
        for role, name, v, payload in self.written:
            if self._goes_straight(role, v):
                direct.setdefault(v, (role, name, payload))
        for stage in self.schedule.stages:
            for v in (*stage.calls, *stage.rows):
                if v in direct:
                    role, name, payload = direct[v]
                    self.array[v] = self.elements.argument(name, role, v, payload)
                elif self._needs_array(v):
                    self._allot(v)

    def _goes_straight(self, role: str, v: Value) -> bool:
        """Whether a target can be computed directly in its array."""
        if v.function in (None, np.reshape) or is_view(v) or not v.shape:
            return False
        if role == "gradient":
            # What is added to block by block is whole at the end only.
            early = self.elements.adding and self.schedule.readers(v)
            return (
                v in self.schedule.parts and v.function in (np.sum, np.matmul, add_at) and not early
            )
        return role == "out" and is_row(v)

    def _needs_array(self, v: Value) -> bool:
        schedule = self.schedule
        if v in schedule.flat:
            return v in self.ends or self._leaves_its_loop(v)
        if not schedule.in_pass(v) or not is_row(v):
            return v.shape != ()  # a single number is a variable
        return (
            v in self.ends
            or not self._only_here(v)
            or (
                bool(wide(v))
                and not all(
                    self.slots.same_turn(u, v) and self.slots.in_place(v, u)
                    for u in schedule.readers(v)
                )
            )
        )

    def _only_here(self, v: Value) -> bool:
        """Whether the value is read only in the pass that computes it."""
        place = self.schedule.place
        return all(
            self.schedule.in_pass(u) and place[u] == place[v] for u in self.schedule.readers(v)
        )

    def _allot(self, v: Value) -> None:
        """Assign an array: one for a single row, that of an operand not read later, or a new one."""
        wanted = self.elements.wanted_array(v)
        if v.function is np.reshape:  # a view of an array
            self.array[v] = self.elements.names.unique(wanted)
            return
        if self.schedule.in_pass(v) and is_row(v):
            alone = wide(v) and self._only_here(v) and not self.elements.abreast
            if v not in self.ends and alone:
                self.scratch.add(v)
                row = Value(None, (), {}, v.shape[1:], v.dtype)
                self.array[v] = self.elements.argument(wanted, "work", row)
                return
            free = (r for r in self._behind(v) if self._may_take(v, r))
        else:
            free = (r for r in self._read_in_loop(v) if self._may_replace(v, r))
        old = next(free, None)
        if old is None:
            self.array[v] = self.elements.argument(wanted, "work", v)
            return
        self.array[v] = self.array[old]
        self.taken.add(old)
        self._rename(v)

    def _read_in_loop(self, v: Value) -> list[Value]:
        """The arrays that are read in v's loop over all elements, if it has one."""
        if v not in self.schedule.flat:
            return []
        mine = self.schedule.loops[self.schedule.loop[v]]
        return [r for u in mine for r in reads(u) if r in self.array and r not in mine]

    def _leaves_its_loop(self, v: Value) -> bool:
        loop = self.schedule.loop
        return any(loop.get(u) != loop[v] for u in self.schedule.readers(v))

    def _may_replace(self, v: Value, r: Value) -> bool:
        """Whether v can overwrite r, which only the loop of both reads."""
        schedule = self.schedule
        mine = all(schedule.loop.get(u) == schedule.loop[v] for u in schedule.readers(r))
        return mine and self._is_like(v, r)

    def _behind(self, v: Value) -> list[Value]:
        """The arrays that v is computed from within one iteration of its loop."""
        found: list[Value] = []
        ahead, seen = [v], {v}
        while ahead:
            for r in reads(ahead.pop()):
                if r in seen:
                    continue
                seen.add(r)
                if r in self.array:
                    found.append(r)
                elif r in self.slots.of and self.slots.same_turn(r, v):
                    ahead.append(r)
        return found

    def _may_take(self, v: Value, r: Value) -> bool:
        """Whether v can overwrite r, which nothing reads after v is computed."""
        if not self._is_like(v, r):
            return False
        schedule, here = self.schedule, self.schedule.place[v]
        for u in schedule.readers(r):
            if not schedule.in_pass(u) or schedule.place[u] > here:
                return False
            late = self.slots.of[u] > self.slots.of[v] or not self.slots.in_place(r, u)
            if schedule.place[u] == here and late:
                return False
        return True

    def _is_like(self, v: Value, r: Value) -> bool:
        """Whether r's array fits v, and belongs to no other value."""
        if r.function in (None, np.reshape) or r in self.scratch or r in self.taken:
            return False  # a reshaped value is a view of another value's memory
        argument = self.elements.arguments[self.array[r]]
        alike = r.shape == v.shape and r.dtype == v.dtype and bool(wide(v))
        return argument.role == "work" and alike and r not in self.ends

    def _rename(self, v: Value) -> None:
        """Name a shared array after its last value, if that has a name."""
        old = self.array[v]
        if not v.name or v.name.startswith("d_"):
            return
        new = self.elements.names.unique(v.name)
        arguments = self.elements.arguments
        argument = arguments[old]
        argument.name = new
        kept = [(new if k == old else k, a) for k, a in arguments.items()]
        arguments.clear()
        arguments.update(kept)
        for u, name in self.array.items():
            if name == old:
                self.array[u] = new
