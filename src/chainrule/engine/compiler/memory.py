"""What a kernel does with memory and threads: each in plain Python, with the rule that writes it."""

from __future__ import annotations

import ctypes
import dataclasses
import math
from typing import Any

import numpy as np

from chainrule.engine.compiler.arithmetic import binary, cast, largest, negative
from chainrule.engine.compiler.arrays import Cut, Place, index, pointer, reshaped, strides_of
from chainrule.engine.compiler.body import Body
from chainrule.engine.compiler.control import X86
from chainrule.engine.compiler.kinds import INT, KINDS
from chainrule.engine.compiler.refusals import Refused
from chainrule.engine.compiler.registry import rule
from chainrule.engine.compiler.values import Array, Number, Value, literal
from chainrule.engine.compiler.writer import Writer

__all__ = [
    "add_atomic",
    "at",
    "call",
    "call_at",
    "enter",
    "gemm",
    "in_words",
    "look",
    "own_rows",
    "pause",
    "rows_of_all",
    "shaped",
    "sleep",
    "turned_block",
    "wake",
]

_WORD = KINDS["int64"]


def shaped(array: Any, shape: Any) -> Any:
    """The array's memory in another shape, which may have fewer elements."""
    return array.reshape(-1)[: math.prod(shape)].reshape(shape)


@rule(shaped)
def _shaped(body: Body, array: Array, shape: tuple[Number, ...]) -> Array:
    return reshaped(body.w, array, _lengths(body, shape))


def _lengths(body: Body, shape: tuple[Value, ...]) -> tuple[Number, ...]:
    """Lengths, which are Python's own numbers whatever they are made of."""
    for d in shape:
        if not isinstance(d, Number) or d.kind.sort not in "iu":
            raise Refused("a length that is no whole number")
    return tuple(cast(body.w, d, INT) for d in shape)


def at(stack: Any, number: Any) -> Any:
    """An array of a stack of them. Those of other numbers share no memory with it."""
    return stack[number]


@rule(at)
def _at(body: Body, stack: Array, number: Number) -> Array:
    found = index(body.w, stack, [number])
    if not isinstance(found, Array):
        raise Refused("a stack of numbers")
    # A thread's own rows of all arrays do not lie in one piece, but those of one array do.
    strides = None if stack.room is None else found.strides
    return dataclasses.replace(found, strides=strides, room=stack.room, base=found.pointer)


def own_rows(stack: Any, first: Any, n: Any) -> Any:
    """The n rows from the first on of every array in a stack."""
    return stack[:, first : first + n]


@rule(own_rows)
def _own_rows(body: Body, stack: Array, first: Number, n: Number) -> Array:
    w = body.w
    if len(stack.shape) < 2:
        raise Refused("rows of a stack of numbers")
    if stack.room is not None and first.known != 0:
        raise Refused("rows abreast that are not the first")
    found = index(w, stack, [Cut(None, None), Cut(first, binary(w, "+", first, n))])
    assert isinstance(found, Array)
    return dataclasses.replace(found, room=stack.room)


def rows_of_all(own: Any, first: Any, batch: Any) -> Any:
    """All rows of the batch, of which this thread's own begin at row `first`."""
    size = int(np.prod(own.shape[1:])) * own.itemsize
    at = own.__array_interface__["data"][0] - first * size
    whole = own
    while isinstance(whole.base, np.ndarray):
        whole = whole.base
    start = at - whole.__array_interface__["data"][0]
    memory = whole.reshape(-1).view(np.uint8)[start : start + batch * size]
    return memory.view(own.dtype).reshape(batch, *own.shape[1:])


@rule(rows_of_all)
def _rows_of_all(body: Body, own: Array, first: Number, batch: Number) -> Array:
    w = body.w
    if own.strides is not None:
        raise Refused("rows of a batch lie one after the other")
    back = negative(w, binary(w, "*", first, strides_of(w, own)[0]))
    (batch,) = _lengths(body, (batch,))
    return dataclasses.replace(own, pointer=pointer(w, own, back), shape=(batch, *own.shape[1:]))


def in_words(words: Any, at: Any, like: Any, shape: Any) -> Any:
    """An array in a memory of 64-bit words, from word `at` on, with the dtype of another."""
    count = math.prod(shape)
    return words[at:].view(like.dtype)[:count].reshape(shape)


@rule(in_words)
def _in_words(
    body: Body, words: Array, at: Number, like: Array, shape: tuple[Number, ...]
) -> Array:
    first = _word(body, words, at)
    return Array(first, like.kind, _lengths(body, shape), None, words.base, words.private)


def turned_block(a: Any, rows: Any, j: Any, out: Any, i: Any) -> None:
    """out[j:j + 4, i:i + 4] = a[rows, j:j + 4]ᵀ, for four rows."""
    out[j : j + 4, i : i + 4] = a[list(rows), j : j + 4].T


@rule(turned_block)
def _turned_block(
    body: Body, a: Array, rows: tuple[Number, ...], j: Number, out: Array, i: Number
) -> None:
    w, four = body.w, a.kind.wide(4).ir

    def at(x: Array, row: Number, column: Number) -> str:
        return pointer(w, x, binary(w, "+", binary(w, "*", row, strides_of(w, x)[0]), column))

    read = [w.op(f"load {four}, ptr {at(a, row, j)}, align {a.kind.size}") for row in rows]
    masks = [f"<4 x i32> <i32 {', i32 '.join(m)}>" for m in ("0415", "2637")]
    for _ in range(2):  # interleave the two halves of the rows, twice
        read = [
            w.op(f"shufflevector {four} {read[k]}, {four} {read[k + 2]}, {m}")
            for k in range(2)
            for m in masks
        ]
    for k, column in enumerate(read):
        to = at(out, binary(w, "+", j, literal(k)), i)
        w.do(f"store {four} {column}, ptr {to}, align {out.kind.size}")


# -- BLAS -------------------------------------------------------------------------------------------


def gemm(blas: Any, turn_a: Any, turn_b: Any, a: Any, b: Any, more: Any, out: Any) -> None:
    """out = a b, or out + a b with `more`; a and b transposed if so said.

    BLAS's gemm, at the address `blas`. Columns lie one after the other; rows may lie apart.
    """
    product = (a.T if turn_a else a) @ (b.T if turn_b else b)
    out[...] = out + product if more else product


@rule(gemm)
def _gemm(
    body: Body, blas: Number, turn_a: Number, turn_b: Number, a: Array, b: Array, more: Number, out: Array
) -> None:  # fmt: skip
    # BLAS counts columns first: to it, our out = a b is outᵀ = bᵀ aᵀ.
    w, kind = body.w, out.kind

    def by_address(x: Number, llvm: str) -> str:
        slot = w.slot(llvm)
        w.do(f"store {llvm} {x.ir}, ptr {slot}")
        return f"ptr {slot}"

    def whole(x: Number) -> str:
        return by_address(cast(w, x, KINDS["int32"]), "i32")

    def letter(turned: Number) -> str:
        n, t = literal(ord("N")), literal(ord("T"))
        if turned.known is None:
            raise Refused("whether to transpose must be known")
        return by_address(cast(w, t if turned.known else n, KINDS["int8"]), "i8")

    def between_rows(x: Array) -> str:
        strides = strides_of(w, x)
        if strides[1].known != 1:
            raise Refused("columns lie one after the other")
        return whole(largest(w, False, strides[0], literal(1)))  # BLAS insists, of empty ones too

    if kind.name not in ("float32", "float64") or {a.kind, b.kind} != {kind}:
        raise Refused(f"a product of {a.kind.name} and {b.kind.name} numbers as {kind.name}")
    m, n = out.shape
    inner = a.shape[0] if turn_a.known else a.shape[1]
    one, beta = cast(w, literal(1.0), kind), cast(w, more, kind)
    given = [
        letter(turn_b), letter(turn_a), whole(n), whole(m), whole(inner), by_address(one, kind.ir),
        f"ptr {b.pointer}", between_rows(b), f"ptr {a.pointer}", between_rows(a),
        by_address(beta, kind.ir), f"ptr {out.pointer}", between_rows(out),
    ]  # fmt: skip
    w.do(f"call void {_function(w, blas)}({', '.join(given)})")


def _function(w: Writer, address: Number) -> str:
    """The pointer to the function at an address."""
    return w.op(f"inttoptr i64 {cast(w, address, _WORD).ir} to ptr")


# -- threads ----------------------------------------------------------------------------------------


def add_atomic(counters: Any, at: Any, amount: Any) -> Any:
    """Add to a counter that threads share; gives its old value."""
    old = counters[at]
    counters[at] += amount
    return old


@rule(add_atomic)
def _add_atomic(body: Body, counters: Array, at: Number, amount: Number) -> Number:
    if amount.kind.sort not in "iu":
        raise Refused("an amount that is no whole number")
    first, more = _word(body, counters, at), cast(body.w, amount, _WORD)
    return Number(_WORD, body.w.op(f"atomicrmw add ptr {first}, i64 {more.ir} seq_cst"))


def _word(body: Body, words: Array, at: Number) -> str:
    """The pointer to one of some 64-bit words."""
    found = index(body.w, words, [at])
    if words.kind != _WORD or not isinstance(found, Place):
        raise Refused("counters are one int64 after the other")
    return pointer(body.w, words, found.offset)


def look(counters: Any, at: Any) -> Any:
    """The value of a counter that threads share."""
    return counters[at]


@rule(look)
def _look(body: Body, counters: Array, at: Number) -> Number:
    first = _word(body, counters, at)
    return Number(_WORD, body.w.op(f"load atomic i64, ptr {first} acquire, align 8"))


def pause() -> None:
    """Tell the processor that this is a waiting loop."""


@rule(pause)
def _pause(body: Body) -> None:
    if X86:
        body.w.module.declare("void @llvm.x86.sse2.pause()")
        body.w.do("call void @llvm.x86.sse2.pause()")


def call(address: Any) -> None:
    """Call a C function without arguments."""


@rule(call)
def _call(body: Body, address: Number) -> None:
    body.w.op(f"call i32 {_function(body.w, address)}()")


#: How long a thread sleeps at most, in nanoseconds: then it looks around by itself.
NAP = 5_000_000
# Linux' futex: sleep, and wake, within a process.
_SLEEP, _WAKE, _ALL = 128, 129, 2**31 - 1


def sleep(system: Any, number: Any, counters: Any, at: Any, value: Any) -> None:
    """Sleep until somebody wakes those at a counter, if it still is `value`; or for a while.

    `system` is the address of C's `syscall`, and `number` that of the futex call.
    """


@rule(sleep)
def _sleep(
    body: Body, system: Number, number: Number, counters: Array, at: Number, value: Number
) -> None:
    time = body.w.slot("{ i64, i64 }")
    body.w.do(f"store {{ i64, i64 }} {{ i64 0, i64 {NAP} }}, ptr {time}")
    _futex(
        body, system, number, _word(body, counters, at), _SLEEP, cast(body.w, value, _WORD), time
    )


def wake(system: Any, number: Any, counters: Any, at: Any) -> None:
    """Wake all threads that sleep at a counter."""


@rule(wake)
def _wake(body: Body, system: Number, number: Number, counters: Array, at: Number) -> None:
    all_of_them = cast(body.w, literal(_ALL), _WORD)
    _futex(body, system, number, _word(body, counters, at), _WAKE, all_of_them, "null")


def _futex(
    body: Body, system: Number, number: Number, place: str, what: int, value: Number, time: str
) -> None:
    """The low half of a word is what the system compares: it comes first."""
    w = body.w
    function = _function(w, system)
    low = w.op(f"trunc i64 {value.ir} to i32")
    w.op(
        f"call i64 (i64, ...) {function}(i64 {cast(w, number, _WORD).ir}, ptr {place}, i32 {what},"
        f" i32 {low}, ptr {time}, ptr null, i32 0)"
    )


def enter(address: Any, words: Any) -> Any:
    """Call a kernel, at its address, with the table of its arguments; gives its result."""
    form = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)
    return form(int(address))(words.ctypes.data)


@rule(enter)
def _enter(body: Body, address: Number, words: Array) -> Number:
    w = body.w
    table = w.op(f"ptrtoint ptr {_word(body, words, literal(0))} to i64")
    return Number(_WORD, w.op(f"call i64 {_function(w, address)}(i64 {table})"))


def call_at(address: Any, function: Any, *given: Any) -> None:
    """Call a function that is compiled already, at its address, with arrays and whole numbers.

    () stands for an array of no length.
    """
    function(*given)


@rule(call_at)
def _call_at(body: Body, address: Number, function: Value, *given: Value) -> None:
    w = body.w
    words: list[str] = []
    for x in given:
        if isinstance(x, Array):
            if x.strides is not None:
                raise Refused("an array that does not lie in one piece, for a compiled function")
            words.append(w.op(f"ptrtoint ptr {x.pointer} to i64"))
            words += [cast(w, d, _WORD).ir for d in x.shape]
        elif isinstance(x, Number):
            words.append(cast(w, x, _WORD).ir)
        elif x == ():
            words += ["0", "0"]
        else:
            raise Refused(f"{type(x).__name__} as an argument of a compiled function")
    table = w.slot(f"[{len(words)} x i64]")
    for i, word in enumerate(words):
        w.do(f"store i64 {word}, ptr {w.op(f'getelementptr inbounds i64, ptr {table}, i64 {i}')}")
    start = w.op(f"ptrtoint ptr {table} to i64")
    w.op(f"call i64 {_function(w, address)}(i64 {start})")
