"""Variables that live on the stack, and whether two names stand for the same."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.engine.compiler.arithmetic import cast
from chainrule.engine.compiler.kinds import Kind
from chainrule.engine.compiler.values import Array, Dtype, Flat, Number, Value
from chainrule.engine.compiler.writer import Writer

__all__ = ["Several", "Slot", "read", "same", "slot", "write"]


@dataclass(frozen=True)
class Slot:
    """A variable that is assigned more than once: its place on the stack, and its kind."""

    place: str
    kind: Kind


@dataclass(frozen=True)
class Several:
    """Variables of one kind that are told apart by numbers."""

    places: list[str]
    kind: Kind


def slot(w: Writer, kind: Kind) -> Slot:
    """A new variable."""
    return Slot(w.slot(kind.ir), kind)


def read(w: Writer, at: Slot) -> Number:
    """What a variable is now."""
    return Number(at.kind, w.op(f"load {at.kind.ir}, ptr {at.place}"))


def write(w: Writer, at: Slot, x: Number) -> None:
    """Let a variable be this number."""
    w.do(f"store {at.kind.ir} {cast(w, x, at.kind).ir}, ptr {at.place}")


def same(x: Value, y: Value) -> bool:
    """Whether two names stand for the same, without looking into what is not the compiler's."""
    ours = (Number, Array, Slot, Several, Flat, Dtype)
    if isinstance(x, tuple) and isinstance(y, tuple):
        return len(x) == len(y) and all(map(same, x, y))
    return x is y or (type(x) is type(y) and isinstance(x, ours) and x == y)
