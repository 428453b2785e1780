"""A loop over rows, some at a time: what its rows add to one number is a vector until it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chainrule.engine.compiler.arithmetic import binary, cast, select, sum_of_lanes
from chainrule.engine.compiler.arrays import Place, load, size, store
from chainrule.engine.compiler.kinds import INT, Kind
from chainrule.engine.compiler.refusals import Refused
from chainrule.engine.compiler.values import Number, constant, literal
from chainrule.engine.compiler.variables import Slot, read, write
from chainrule.engine.compiler.writer import Writer

__all__ = ["Lanes"]

#: Sums over rows are kept as vectors in arrays of at most so many elements.
MOST_SUMS = 1024


@dataclass
class Lanes:
    """A loop over rows, some at a time: how many, and which of them there are.

    Sums over the rows are vectors while the loop runs: `sums` by what they are added to, `begin` the
    lines that set them to 0 before it, and `end` what then adds up their lanes.
    """

    w: Writer
    count: int
    there: Number
    #: How many lines there are before the loop, and which variables.
    place: int
    before: set[Slot]
    sums: dict[object, str] = field(default_factory=dict)
    begin: list[str] = field(default_factory=list)
    end: list[Callable[[], None]] = field(default_factory=list)

    def add(self, op: str, x: Number, to: Place | Slot) -> None:
        """Add to a number, or to an element, what all rows have."""
        w = self.w
        if op != "+":
            raise Refused("rows that meet in one number, but for a sum")
        one = to.array.kind if isinstance(to, Place) else to.kind
        kind = one.wide(self.count)
        x = cast(w, x, x.kind.wide(self.count))
        x = cast(w, select(w, self.there, x, constant(0, x.kind)), kind)
        if isinstance(to, Slot):
            place = self._sum_of_one(to.place, kind, to)
        elif w.is_before(to.offset.ir, self.place):
            place = self._sum_of_one((to.array.pointer, to.offset.ir), kind, to)
        else:
            place = self._sum_of_element(to, kind)
        own = Slot(place, kind)
        write(w, own, binary(w, op, read(w, own), x))

    def close(self) -> None:
        """After the loop: add up the lanes of the sums."""
        self.w.lines[self.place : self.place] = self.begin
        for end in self.end:
            end()

    def _sum(self, count: int, kind: Kind) -> str:
        """Vectors on the stack that are 0 before the loop."""
        whole = f"[{count} x {kind.ir}]"
        place = self.w.slot(whole)
        self.begin.append(f"  store {whole} zeroinitializer, ptr {place}")
        return place

    def _sum_of_one(self, key: object, kind: Kind, to: Place | Slot) -> str:
        """The vector for a number, or for an element that is the same for all rows."""
        w = self.w
        if key not in self.sums:
            own = Slot(self._sum(1, kind), kind)
            self.sums[key] = own.place

            def end() -> None:
                whole = sum_of_lanes(w, read(w, own))
                if isinstance(to, Place):
                    store(w, to, binary(w, "+", load(w, to), whole))
                else:
                    write(w, to, binary(w, "+", read(w, to), whole))

            self.end.append(end)
        return self.sums[key]

    def _sum_of_element(self, to: Place, kind: Kind) -> str:
        """The vector for an element of an array."""
        a, w, sums = to.array, self.w, self.sums
        count = size(w, a).known
        if a.strides is not None or not isinstance(count, int) or count > MOST_SUMS:
            raise Refused("sums over rows in an array that is not small and in one piece")
        if a.pointer not in sums:
            place = sums[a.pointer] = self._sum(count, kind)

            def end() -> None:
                for k in range(count):
                    own = w.op(f"getelementptr inbounds {kind.ir}, ptr {place}, i64 {k}")
                    whole = sum_of_lanes(w, read(w, Slot(own, kind)))
                    there = Place(a, literal(k))
                    store(w, there, binary(w, "+", load(w, there), whole))

            self.end.append(end)
        offset = cast(w, to.offset, INT)
        return w.op(f"getelementptr inbounds {kind.ir}, ptr {sums[a.pointer]}, i64 {offset.ir}")
