"""Elements and parts of arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.engine.compiler.arithmetic import binary, cast
from chainrule.engine.compiler.kinds import INT, KINDS, Refused
from chainrule.engine.compiler.values import Array, Number, literal
from chainrule.engine.compiler.writer import Writer

__all__ = ["Cut", "index", "load", "place", "reshaped", "size", "store", "strides_of", "turned"]


@dataclass(frozen=True)
class Cut:
    """low:high of an axis; None where it goes to the end."""

    low: Number | None
    high: Number | None


def size(w: Writer, a: Array) -> Number:
    """The number of elements."""
    total = literal(1)
    for d in a.shape:
        total = binary(w, "*", total, d)
    return total


def strides_of(w: Writer, a: Array) -> tuple[Number, ...]:
    """How many elements lie between neighbours, along each axis."""
    if a.strides is not None:
        return a.strides
    found: list[Number] = []
    step = literal(1)
    for d in reversed(a.shape):
        found.insert(0, step)
        step = binary(w, "*", step, d)
    return tuple(found)


def place(w: Writer, a: Array, offset: Number) -> str:
    """The pointer to an element."""
    if offset.known == 0:
        return a.pointer
    at = cast(w, offset, INT if offset.kind.weak else KINDS["int64"])
    return w.op(f"getelementptr inbounds {a.kind.in_memory}, ptr {a.pointer}, i64 {at.ir}")


def load(w: Writer, a: Array, offset: Number) -> Number:
    """An element."""
    kind = a.kind
    text = f"load {kind.in_memory}, ptr {place(w, a, offset)}, align {kind.size}"
    if kind.sort == "b":
        return Number(kind, w.op(f"trunc i8 {w.op(text)} to i1"))
    return Number(kind, w.op(text))


def store(w: Writer, a: Array, offset: Number, x: Number) -> None:
    """Write an element."""
    x, ir = cast(w, x, a.kind), ""
    ir = w.op(f"zext i1 {x.ir} to i8") if a.kind.sort == "b" else x.ir
    w.do(f"store {a.kind.in_memory} {ir}, ptr {place(w, a, offset)}, align {a.kind.size}")


def index(w: Writer, a: Array, parts: Sequence[Number | Cut]) -> Number | Array:
    """Where the element is, counted from the first one; or a part of the array."""
    if len(parts) > len(a.shape):
        raise Refused(f"{len(parts)} indices for an array of {len(a.shape)} axes")
    if len(parts) == len(a.shape) and not any(isinstance(p, Cut) for p in parts):
        return _offset(w, a, [p for p in parts if isinstance(p, Number)])
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
        else:
            offset = binary(w, "+", offset, binary(w, "*", _from_start(w, part, d), step))
    whole = all(isinstance(p, Cut) and p.low is None and p.high is None for p in parts[1:])
    in_one_piece = a.strides is None and whole
    return dataclasses.replace(
        a,
        pointer=place(w, a, offset),
        shape=(*shape, *a.shape[len(parts) :]),
        strides=None if in_one_piece else (*rest, *strides[len(parts) :]),
    )


def _from_start(w: Writer, i: Number, d: Number) -> Number:
    if isinstance(i.known, int) and i.known < 0:
        return binary(w, "+", d, i)
    return i


def _offset(w: Writer, a: Array, parts: Sequence[Number]) -> Number:
    at = literal(0)
    if a.strides is None:
        for i, d in zip(parts, a.shape, strict=True):
            at = binary(w, "+", binary(w, "*", at, d), _from_start(w, i, d))
        return at
    for i, step, d in zip(parts, a.strides, a.shape, strict=True):
        at = binary(w, "+", at, binary(w, "*", _from_start(w, i, d), step))
    return at


def reshaped(a: Array, shape: Sequence[Number]) -> Array:
    """The array's memory in another shape, which may have fewer elements."""
    if a.strides is not None:
        raise Refused("another shape of an array that does not lie in one piece")
    return dataclasses.replace(a, shape=tuple(shape))


def turned(w: Writer, a: Array) -> Array:
    """The array with its axes in the opposite order."""
    return dataclasses.replace(a, shape=a.shape[::-1], strides=strides_of(w, a)[::-1])
