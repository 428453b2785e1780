"""Vectors: as many numbers as the processor computes at once, in plain Python and as rules.

`lanes(a)` is how many numbers of an array's dtype make a vector. Operators work on vectors as on
numbers; beside one, a number stands in every lane. A count of fewer than all lanes is for the end
of a row: the lanes beyond it are read as 0, and not written.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.engine.compiler.arithmetic import binary, cast, compare, largest, sum_of_lanes
from chainrule.engine.compiler.arrays import Place, index, load, pointer, store
from chainrule.engine.compiler.body import Body
from chainrule.engine.compiler.kinds import INT, KINDS, Kind
from chainrule.engine.compiler.refusals import Refused
from chainrule.engine.compiler.registry import rule
from chainrule.engine.compiler.sized import rows_at_once
from chainrule.engine.compiler.values import (
    Abreast,
    Array,
    Number,
    Value,
    constant,
    known_int,
    literal,
)
from chainrule.engine.compiler.variables import Several

__all__ = [
    "abreast",
    "add_sums",
    "fetch",
    "lanes",
    "padded",
    "put",
    "put_some",
    "several",
    "some",
    "spread",
    "total",
    "unrolled",
    "vector",
]  # fmt: skip

#: The bytes of a vector in plain Python.
_PLAIN = 32


class _Vector(np.ndarray[Any, Any]):
    """A vector in plain Python: a value, as a number is. What adds to one does not change another."""

    def __iadd__(self, other: Any) -> Any:  # type: ignore[misc]
        return self + other

    def __isub__(self, other: Any) -> Any:  # type: ignore[misc]
        return self - other

    def __imul__(self, other: Any) -> Any:  # type: ignore[misc]
        return self * other


def lanes(a: Any) -> int:
    """How many numbers of the array's dtype make a vector."""
    return _PLAIN // int(a.itemsize)


@rule(lanes)
def _lanes(body: Body, a: Array) -> Number:
    return literal(_filled(body, a).lanes)


def _filled(body: Body, a: Array) -> Kind:
    """A vector of the array's dtype."""
    return a.kind.wide(body.w.module.vector_bytes // a.kind.size)


def vector(a: Any, *at: Any) -> Any:
    """The elements from a[at] on, along the last axis; beyond its end, in its room, there may be any."""
    return some(a, a.shape[-1] - at[-1], *at)


@rule(vector)
def _vector(body: Body, a: Array, *at: Number) -> Number:
    kind = _filled(body, a)
    text = f"load {kind.ir}, ptr {_place(body, a, at)}, align {a.kind.size}"
    return Number(kind, body.w.op(text))


def some(a: Any, count: Any, *at: Any) -> Any:
    """The first `count` elements from a[at] on, and then zeros."""
    x = _Vector(lanes(a), a.dtype)
    x[:] = 0
    count = max(0, min(count, lanes(a)))
    x[:count] = a[(*at[:-1], slice(at[-1], at[-1] + count))]
    return x


@rule(some)
def _some(body: Body, a: Array, count: Number, *at: Number) -> Number:
    kind, w = _filled(body, a), body.w
    if _all(count, kind):
        whole: Number = _vector(body, a, *at)
        return whole
    mask = _below(body, count, kind.lanes)
    name = f"llvm.masked.load.v{kind.lanes}{_short(a)}.p0"
    w.module.declare(f"{kind.ir} @{name}(ptr, i32, <{kind.lanes} x i1>, {kind.ir})")
    text = (
        f"call {kind.ir} @{name}(ptr {_place(body, a, at)}, i32 {a.kind.size},"
        f" {mask.kind.ir} {mask.ir}, {kind.ir} {constant(0, kind).ir})"
    )
    return Number(kind, w.op(text))


def _all(count: Number, kind: Kind) -> bool:
    """Whether the count is known to be that of all lanes, or more."""
    return count.known is not None and count.known >= kind.lanes


def put(x: Any, a: Any, *at: Any) -> None:
    """Write a vector to the elements from a[at] on; beyond the end, to the array's room."""
    put_some(x, a, a.shape[-1] - at[-1], *at)


@rule(put)
def _put(body: Body, x: Number, a: Array, *at: Number) -> None:
    kind = _filled(body, a)
    x = cast(body.w, x, kind)
    body.w.do(f"store {kind.ir} {x.ir}, ptr {_place(body, a, at)}, align {a.kind.size}")


def put_some(x: Any, a: Any, count: Any, *at: Any) -> None:
    """Write the first `count` lanes to the elements from a[at] on."""
    count = max(0, min(count, lanes(a)))
    a[(*at[:-1], slice(at[-1], at[-1] + count))] = np.broadcast_to(x, lanes(a))[:count]


@rule(put_some)
def _put_some(body: Body, x: Number, a: Array, count: Number, *at: Number) -> None:
    kind, w = _filled(body, a), body.w
    x = cast(w, x, kind)
    if _all(count, kind):
        _put(body, x, a, *at)
        return
    if count.known is not None:
        _put_first(body, x, a, int(count.known), at)
        return
    # Some processors take long for a store with a mask, so it is only used where it must be.
    every, few, end = w.label("all"), w.label("some"), w.label("end")
    w.branch(compare(w, ">=", count, literal(kind.lanes)), every, few)
    w.begin(every)
    _put(body, x, a, *at)
    w.jump(end)
    w.begin(few)
    mask = _below(body, count, kind.lanes)
    name = f"llvm.masked.store.v{kind.lanes}{_short(a)}.p0"
    w.module.declare(f"void @{name}({kind.ir}, ptr, i32, <{kind.lanes} x i1>)")
    w.do(
        f"call void @{name}({kind.ir} {x.ir}, ptr {_place(body, a, at)}, i32 {a.kind.size},"
        f" {mask.kind.ir} {mask.ir})"
    )
    w.jump(end)
    w.begin(end)


def _put_first(body: Body, x: Number, a: Array, count: int, at: tuple[Number, ...]) -> None:
    """Write so many lanes, a number that is known."""
    if count <= 0:
        return
    w, few = body.w, x.kind.wide(count)
    first = ", ".join(f"i32 {k}" for k in range(count))
    part = w.op(f"shufflevector {x.kind.ir} {x.ir}, {x.kind.ir} poison, <{count} x i32> <{first}>")
    if count == 1:
        part = w.op(f"extractelement <1 x {few.ir}> {part}, i64 0")
    w.do(f"store {few.ir} {part}, ptr {_place(body, a, at)}, align {a.kind.size}")


def _short(a: Array) -> str:
    """LLVM's short name of an element's type."""
    return f"{'f' if a.kind.sort == 'f' else 'i'}{8 * a.kind.size}"


def _place(body: Body, a: Array, at: tuple[Number, ...]) -> str:
    found = index(body.w, a, at)
    if not isinstance(found, Place):
        raise Refused(f"{len(at)} indices for an array of {len(a.shape)} axes")
    if a.strides is not None and a.strides[-1].known != 1:
        raise Refused("a vector of elements that lie apart")
    if a.kind.sort == "b":
        raise Refused("a vector of booleans")
    return pointer(body.w, a, found.offset)


def _below(body: Body, count: Number, n: int) -> Number:
    kind = KINDS["int32"].wide(n)
    numbers = Number(kind, f"<{', '.join(f'i32 {i}' for i in range(n))}>")
    least = largest(body.w, True, cast(body.w, count, INT), literal(n))
    return compare(body.w, "<", numbers, cast(body.w, cast(body.w, least, KINDS["int32"]), kind))


def spread(x: Any, a: Any) -> Any:
    """A vector of the array's dtype with a number in every lane."""
    found = _Vector(lanes(a), a.dtype)
    found[:] = x
    return found


@rule(spread)
def _spread(body: Body, x: Number, a: Array) -> Number:
    kind = _filled(body, a)
    return cast(body.w, cast(body.w, x, a.kind), kind)


def total(x: Any) -> Any:
    """The sum of a vector's lanes."""
    return x.sum()


@rule(total)
def _total(body: Body, x: Number) -> Number:
    return sum_of_lanes(body.w, x)


def add_sums(acc: Any, first: Any, step: Any, count: Any, out: Any, *at: Any) -> None:
    """Add the sums of lanes of some vectors in a list, side by side: of every `step`th from `first`."""
    for k in range(count):
        out[(*at[:-1], at[-1] + k)] += acc[first + step * k].sum()


@rule(add_sums)
def _add_sums(
    body: Body, acc: Several, first: Number, step: Number, count: Number, out: Array, *at: Number
) -> None:
    w, n = body.w, known_int(count, "the number of sums")
    start, by = known_int(first, "the first of them"), known_int(step, "the step to the next")
    places = acc.places[start : start + by * n : by]
    vectors = [w.op(f"load {acc.kind.ir}, ptr {p}") for p in places]
    if n not in (2, 4, 8) or n > acc.kind.lanes:
        for k, x in enumerate(vectors):
            own = index(w, out, (*at[:-1], binary(w, "+", at[-1], literal(k))))
            assert isinstance(own, Place)
            store(w, own, binary(w, "+", load(w, own), sum_of_lanes(w, Number(acc.kind, x))))
        return
    sums, there = _sums_of_lanes(body, vectors, acc.kind), _place(body, out, at)
    old = w.op(f"load {sums.kind.ir}, ptr {there}, align {out.kind.size}")
    new = binary(w, "+", Number(sums.kind, old), sums)
    w.do(f"store {sums.kind.ir} {new.ir}, ptr {there}, align {out.kind.size}")


def _sums_of_lanes(body: Body, vectors: list[str], kind: Kind) -> Number:
    """The sums of the lanes of 2, 4 or 8 vectors, as a vector: two by two, their halves are added."""
    w, lanes = body.w, kind.lanes
    while len(vectors) > 1 or lanes > 1:
        # Each vector holds the partial sums of several, one after the other in equal parts.
        both = len(vectors) > 1
        pairs = list(zip(vectors[::2], vectors[1::2], strict=True)) if both else [(vectors[0],) * 2]
        held = kind.lanes // lanes  # how many sums a vector holds now
        size = lanes // 2
        found = []
        for a, b in pairs:
            sides = (0, kind.lanes) if both else (0,)
            halves = [
                [side + part * lanes + half * size + k
                 for side in sides for part in range(held) for k in range(size)]
                for half in (0, 1)
            ]  # fmt: skip
            total = kind.wide(len(halves[0]))
            parts = []
            for places in halves:
                mask = f"<{len(places)} x i32> <{', '.join(f'i32 {p}' for p in places)}>"
                parts.append(w.op(f"shufflevector {kind.ir} {a}, {kind.ir} {b}, {mask}"))
            found.append(w.op(f"fadd {w.flags}{total.ir} {parts[0]}, {parts[1]}"))
        kind = total
        vectors, lanes = found, size
    return Number(kind, vectors[0])


def fetch(a: Any, *at: Any) -> None:
    """Say that a[at] is needed soon."""


@rule(fetch)
def _fetch(body: Body, a: Array, *at: Number) -> None:
    body.w.module.declare("void @llvm.prefetch.p0(ptr, i32, i32, i32)")
    body.w.do(f"call void @llvm.prefetch.p0(ptr {_place(body, a, at)}, i32 0, i32 3, i32 1)")


# -- rows abreast -------------------------------------------------------------------------------------


def abreast(n: int) -> range:
    """range(n), for a loop over rows that computes as many at a time as there are lanes.

    What a row has, in arrays with its numbers side by side, becomes a vector.
    """
    return range(n)


@rule(abreast)
def _abreast(body: Body, n: Number) -> Abreast:
    return Abreast(n, rows_at_once(body.w.module.vector_bytes))


def padded(n: int) -> int:
    """How many rows abreast there is room for in the vectors of n; in plain Python just n."""
    return n


@rule(padded)
def _padded(body: Body, n: Number) -> Number:
    w, one = body.w, literal(rows_at_once(body.w.module.vector_bytes))
    up = binary(w, "+", n, binary(w, "-", one, literal(1)))
    return binary(w, "*", binary(w, "//", up, one), one)


# -- as many as the text says -------------------------------------------------------------------------


def unrolled(n: int) -> range:
    """range(n), for a loop that is written out: its variable is known in every turn."""
    return range(n)


@rule(unrolled)
def _unrolled(body: Body, n: Number) -> tuple[Number, ...]:
    return tuple(map(literal, range(known_int(n, "the number of turns"))))


def several(n: int, x: Any) -> list[Any]:
    """n variables in a list, each x at first; they are told apart by known numbers."""
    return [x.copy() if isinstance(x, np.ndarray) else x for _ in range(n)]


@rule(several)
def _several(body: Body, n: Number, x: Number) -> Value:
    found = Several([], x.kind)
    for _ in range(known_int(n, "the number of variables")):
        found.places.append(body.w.slot(x.kind.ir))
        body.w.do(f"store {x.kind.ir} {x.ir}, ptr {found.places[-1]}")
    return found
