"""Slots: the loops within a pass over the rows, which run one after the other for each row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.engine.compiled.elements import own_place
from chainrule.engine.compiled.places import Place, lined_up, through
from chainrule.engine.compiled.rows import REDUCTIONS, root_of, wide
from chainrule.engine.compiled.schedule import Schedule
from chainrule.engine.compiled.symbolic import Dim, Value
from chainrule.engine.primitives import pick, take_rows
from chainrule.nodes.indexing import add_at, chosen

__all__ = ["Slot", "Slots", "is_row_reduction", "reads"]

#: So many groups of operations, at most, share a loop though they do not depend on each other.
MOST = 8


class Slot:
    """One loop over the axes of a row, or (without axes) a few statements for the row.

    `group`: the only operations in it are those of a group, of many that do not depend on each other.
    """

    def __init__(self, dims: tuple[Dim, ...], group: int | None) -> None:
        self.dims, self.group = dims, group
        self.values: list[Value] = []

    def suits(self, dims: tuple[Dim, ...], group: int | None) -> bool:
        """Whether an operation can go into it."""
        return self.dims == dims and self.group == group


def reads(v: Value) -> list[Value]:
    """The values that an operation reads, through views."""
    return [root_of(o) for o in v.operands]


def _groups(rows: Sequence[Value]) -> dict[Value, int]:
    """The operations of a pass by numbers: the same for those of which one leads to another."""
    found: dict[Value, int] = {}
    members: list[list[Value]] = []
    for v in rows:
        before = {found[o] for o in reads(v) if o in found}
        mine = [v, *(u for k in before for u in members[k])]
        found.update(dict.fromkeys(mine, len(members)))
        members.append(mine)
    return found


def is_row_reduction(v: Value) -> bool:
    """Whether it is a reduction within each row."""
    return v.function in REDUCTIONS and 0 not in v.kwargs["axis"]


def _loop_dims(v: Value) -> tuple[Dim, ...]:
    return wide(v.args[0] if v.function in REDUCTIONS or v.function is add_at else v)


class Slots:
    """The slots of every pass, and the slot that computes each value."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.of: dict[Value, int] = {}
        self.passes = [self._arranged(stage.rows) for stage in schedule.stages]

    def _arranged(self, rows: Sequence[Value]) -> list[Slot]:
        slots: list[Slot] = []
        group = _groups(rows)
        groups: dict[tuple[Dim, ...], set[int]] = {}
        for v in rows:
            groups.setdefault(_loop_dims(v), set()).add(group[v])
        many = {dims: len(own) > MOST for dims, own in groups.items()}
        for v in rows:
            dims, first = _loop_dims(v), 0
            for o in reads(v):
                if o in self.of and self.schedule.place[o] == self.schedule.place[v]:
                    at = self.of[o]
                    first = max(first, at if self._follows(o, v, dims, slots[at]) else at + 1)
            mine = group[v] if many[dims] else None
            fits = (s for s in range(first, len(slots)) if slots[s].suits(dims, mine))
            at = next(fits, len(slots))
            if at == len(slots):
                slots.append(Slot(dims, mine))
            slots[at].values.append(v)
            self.of[v] = at
        return slots

    def _follows(self, o: Value, v: Value, dims: tuple[Dim, ...], slot: Slot) -> bool:
        """Whether v can follow o in the same iteration of o's loop."""
        if slot.dims != dims or is_row_reduction(o):
            return False
        return not dims or self.in_place(o, v)

    def same_turn(self, a: Value, b: Value) -> bool:
        """Whether both are computed in the same iteration of one loop."""
        return self.of.get(a) == self.of.get(b) and self.schedule.place[a] == self.schedule.place[b]

    def in_place(self, r: Value, u: Value) -> bool:
        """Whether u reads r only at its own index in the row, not elsewhere, as a slice does."""
        if u.function in (chosen, take_rows) or (u.function is pick and root_of(u.args[0]) is r):
            return root_of(u.args[0]) is not r or not wide(r)
        place = own_place(u.args[0] if u.function in REDUCTIONS or u.function is add_at else u)
        return all(_seen(o, r, place) for o in u.operands if root_of(o) is r) or not wide(r)


def _seen(o: Value, r: Value, place: Place) -> bool:
    """Whether an operand that is a view of r reads it at the index that r has in its own loops."""
    if len(place) < o.ndim:
        return False
    at = lined_up(place, o.shape)
    while o is not r:
        if o.function in (np.transpose, pick):
            return False
        at = through(o, at, str)
        o = o.args[0]
    return at == own_place(r)
