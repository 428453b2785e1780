"""Elements and parts of arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.engine.compiler.arithmetic import binary, cast
from chainrule.engine.compiler.kinds import INT, KINDS
from chainrule.engine.compiler.refusals import Refused
from chainrule.engine.compiler.values import Array, Flat, Number, Rows, literal
from chainrule.engine.compiler.writer import CONSTANTS, Writer

__all__ = [
    "Cut", "Place", "flat_place", "index", "lane_of", "load", "pointer", "reshaped", "size", "store",
    "strides_of", "turned", "with_room", "with_rows_last",
]  # fmt: skip


@dataclass(frozen=True)
class Cut:
    """low:high of an axis; None where it goes to the end."""

    low: Number | None
    high: Number | None


@dataclass(frozen=True)
class Place:
    """Where an element of an array is, counted from the first one.

    In several lanes: either one offset for each, or (`run`) the first of elements side by side, of
    which only those `there` are in the array; the last of these then stands for the others.
    """

    array: Array
    offset: Number
    run: int = 1
    there: Rows | None = None


def size(w: Writer, a: Array) -> Number:
    """The number of elements; of one with room for more rows, with these."""
    total = a.room or literal(1)
    for d in a.shape[1:] if a.room else a.shape:
        total = binary(w, "*", total, d)
    return total


def strides_of(w: Writer, a: Array) -> tuple[Number, ...]:
    """How many elements lie between neighbours, along each axis."""
    if a.strides is not None:
        return a.strides
    return _strides(w, a.shape, literal(1))


def _strides(w: Writer, shape: Sequence[Number], step: Number) -> tuple[Number, ...]:
    found: list[Number] = []
    for d in reversed(shape):
        found.insert(0, step)
        step = binary(w, "*", step, d)
    return tuple(found)


def with_room(w: Writer, a: Array, room: Number) -> Array:
    """The array if the numbers of one place in all rows lie side by side."""
    strides = (literal(1), *_strides(w, a.shape[1:], room))
    return dataclasses.replace(a, strides=strides, room=room)


def with_rows_last(w: Writer, a: Array, *, stacked: bool) -> Array:
    """An array whose last axis is the rows, or a stack of such arrays: the rows first, or second."""
    *others, room = a.shape
    if not stacked:
        return with_room(w, dataclasses.replace(a, shape=(room, *others)), room)
    count, *rest = others
    one = with_room(w, dataclasses.replace(a, shape=(room, *rest)), room)
    strides = (size(w, one), *strides_of(w, one))
    return dataclasses.replace(one, shape=(count, *one.shape), strides=strides)


def pointer(w: Writer, a: Array, offset: Number) -> str:
    """The pointer to an element."""
    if offset.known == 0:
        return a.pointer
    at = cast(w, offset, INT if offset.kind.weak else KINDS["int64"])
    return w.op(f"getelementptr inbounds {a.kind.in_memory}, ptr {a.pointer}, i64 {at.ir}")


def load(w: Writer, at: Place) -> Number:
    """An element, or one for each lane."""
    a, kind = at.array, at.array.kind
    if at.offset.kind.lanes > 1:
        return _gathered(w, at)
    if at.there is not None:
        return _there(w, at, at.there)
    if at.run > 1:
        kind = kind.wide(at.run)
    memory = f"<{at.run} x {a.kind.in_memory}>" if at.run > 1 else a.kind.in_memory
    place = f"ptr {pointer(w, a, at.offset)}, align {a.kind.size}"
    text = f"load {memory}, {place}, !noalias {CONSTANTS}"
    if kind.sort == "b":
        return Number(kind, w.op(f"trunc {memory} {w.op(text)} to {kind.ir}"))
    return Number(kind, w.op(text))


def _gathered(w: Writer, at: Place) -> Number:
    """An element for each lane, from anywhere in the array."""
    lanes = at.offset.kind.lanes
    one, kind = at.array.kind, at.array.kind.wide(lanes)
    found = "poison"
    for lane in range(lanes):
        own = Place(at.array, lane_of(w, at.offset, lane))
        x = load(w, own)
        found = w.op(f"insertelement {kind.ir} {found}, {one.ir} {x.ir}, i64 {lane}")
    return Number(kind, found)


def _there(w: Writer, at: Place, rows: Rows) -> Number:
    """Elements side by side, as far as there are rows."""
    a, kind = at.array, at.array.kind.wide(at.run)
    last = cast(w, load(w, Place(a, rows.last)), kind)
    mask = f"<{at.run} x i1>"
    name = f"llvm.masked.load.v{at.run}{'f' if kind.sort == 'f' else 'i'}{8 * kind.size}.p0"
    w.module.declare(f"{kind.ir} @{name}(ptr, i32, {mask}, {kind.ir})")
    given = f"ptr {pointer(w, a, at.offset)}, i32 {kind.size}, {mask} {rows.there.ir}"
    return Number(kind, w.op(f"call {kind.ir} @{name}({given}, {kind.ir} {last.ir})"))


def lane_of(w: Writer, x: Number, lane: int) -> Number:
    """The number in one lane."""
    return Number(x.kind.wide(1), w.op(f"extractelement {x.kind.ir} {x.ir}, i64 {lane}"))


def store(w: Writer, at: Place, x: Number) -> None:
    """Write an element, or those side by side."""
    a = at.array
    if at.offset.kind.lanes > 1:
        raise Refused("rows that write anywhere in an array")
    kind = a.kind.wide(max(at.run, 1))
    if x.kind.lanes > kind.lanes or at.there is not None:
        raise Refused("all rows write one element, or beyond an array")
    x = cast(w, x, kind)
    memory = f"<{at.run} x {a.kind.in_memory}>" if at.run > 1 else a.kind.in_memory
    ir = w.op(f"zext {kind.ir} {x.ir} to {memory}") if kind.sort == "b" else x.ir
    to = pointer(w, a, at.offset)
    w.do(f"store {memory} {ir}, ptr {to}, align {a.kind.size}, !noalias {CONSTANTS}")


def index(w: Writer, a: Array, parts: Sequence[Number | Cut]) -> Place | Array:
    """An element, or a part of the array."""
    if len(parts) > len(a.shape):
        raise Refused(f"{len(parts)} indices for an array of {len(a.shape)} axes")
    if len(parts) == len(a.shape) and not any(isinstance(p, Cut) for p in parts):
        return _element(w, a, [p for p in parts if isinstance(p, Number)])
    strides = strides_of(w, a)
    offset, shape, rest = literal(0), [], []
    for part, step, d in zip(parts, strides, a.shape, strict=False):
        if isinstance(part, Cut):
            low, high = part.low or literal(0), part.high or d
            if any(isinstance(k.known, int) and k.known < 0 for k in (low, high)):
                raise Refused("a part that is counted from the end")
            offset = binary(w, "+", offset, binary(w, "*", low, step))
            shape.append(cast(w, binary(w, "-", high, low), INT))  # a length is Python's
            rest.append(step)
        elif part.kind.lanes > 1:
            raise Refused("a part of an array for each row")
        else:
            offset = binary(w, "+", offset, binary(w, "*", _from_start(w, part, d), step))
    whole = all(isinstance(p, Cut) and p.low is None and p.high is None for p in parts[1:])
    in_one_piece = a.strides is None and whole
    kept = a.room if isinstance(parts[0], Cut) and parts[0].low is None and whole else None
    return dataclasses.replace(
        a,
        pointer=pointer(w, a, offset),
        shape=(*shape, *a.shape[len(parts) :]),
        strides=None if in_one_piece else (*rest, *strides[len(parts) :]),
        room=kept,
    )


def _from_start(w: Writer, i: Number, d: Number) -> Number:
    if isinstance(i.known, int) and i.known < 0:
        return binary(w, "+", d, i)
    return i


def _element(w: Writer, a: Array, parts: Sequence[Number]) -> Place:
    """The place of an element."""
    abreast = [axis for axis, i in enumerate(parts) if i.kind.lanes > 1]
    if len(abreast) == 1:
        (axis,) = abreast
        rows = parts[axis]
        side_by_side = a.room is not None and a.strides is not None and a.strides[axis].known == 1
        if side_by_side and isinstance(rows, Rows):
            first = [rows.first if k == axis else i for k, i in enumerate(parts)]
            return Place(a, _offset(w, a, first), rows.kind.lanes)
        plain = a.strides is None and len(parts) == 1 and a.kind.sort != "b"
        if plain and isinstance(rows, Rows):
            return Place(a, rows.first, rows.kind.lanes, rows)
    return Place(a, _offset(w, a, parts))


def _offset(w: Writer, a: Array, parts: Sequence[Number]) -> Number:
    at = literal(0)
    if a.strides is None:
        for i, d in zip(parts, a.shape, strict=True):
            at = binary(w, "+", binary(w, "*", at, d), _from_start(w, i, d))
        return at
    for i, step, d in zip(parts, a.strides, a.shape, strict=True):
        at = binary(w, "+", at, binary(w, "*", _from_start(w, i, d), step))
    return at


def flat_place(whole: Flat, i: Number) -> Place:
    """Element i of all, in the order of the memory."""
    a = whole.array
    if a.strides is not None and a.room is None:
        raise Refused("flat of an array that does not lie in one piece")
    if isinstance(i, Rows) and a.room is not None:
        return Place(a, i.first, i.kind.lanes)
    return Place(a, i)


def reshaped(w: Writer, a: Array, shape: Sequence[Number]) -> Array:
    """The array's memory in another shape, which may have fewer elements."""
    if a.room is not None and shape and shape[0] == a.shape[0]:
        return with_room(w, dataclasses.replace(a, shape=tuple(shape)), a.room)
    if a.strides is not None:
        raise Refused("another shape of an array that does not lie in one piece")
    return dataclasses.replace(a, shape=tuple(shape))


def turned(w: Writer, a: Array) -> Array:
    """The array with its axes in the opposite order."""
    return dataclasses.replace(a, shape=a.shape[::-1], strides=strides_of(w, a)[::-1])
