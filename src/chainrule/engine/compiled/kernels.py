"""What generated kernels call: matrix products, selections, and threads that wait for each other.

Each has a compiled form; those of one number are plain Python too, so that a generated kernel can
also be run, slowly, without compiling.
"""

from __future__ import annotations

import platform
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from chainrule.engine.compiled.blas import blas_at_hand
from chainrule.engine.compiled.constants import FAILED, MET, NARROW, SMALL, WAITING, WIDE, YIELD
from chainrule.engine.compiled.layout import laid_out

with blas_at_hand():
    import numba.np.arraymath  # the part of Numba that looks for a BLAS

__all__ = [
    "add_shards",
    "affine",
    "cell",
    "cos",
    "dot",
    "dot_by_t",
    "dot_t",
    "dot_t_by_t",
    "isfinite",
    "kernel",
    "limited",
    "maximum",
    "minimum",
    "put",
    "shaped",
    "share",
    "sign",
    "sin",
    "sqrt",
    "square",
    "together",
    "together_number",
    "wait",
    "where",
]

#: How kernels are compiled. Sums may be reordered (the order is then fixed by the machine code, so
#: bits repeat), but NaN and infinity stay what they are: training looks for them.
OPTIONS: Any = {
    "nogil": True,
    "_nrt": False,  # kernels make no arrays: no reference counts
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz", "arcp", "afn"},
}
#: Without the forms that Python and C would call: machine code that knows nothing of Python.
ALONE: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def kernel(function: Any) -> Any:
    """Compile a generated function, into the one that calls it."""
    return numba.njit(function, inline="always", **OPTIONS)


def _helper(function: Any) -> Any:
    # Made part of the kernel: a copy that lived beside it might be compiled to other bits.
    return numba.njit(function, forceinline=True, **ALONE, **OPTIONS)


def _small(function: Any) -> Any:
    return numba.njit(function, error_model="numpy", nogil=True, forceinline=True, **ALONE)


# -- one number ---------------------------------------------------------------------------------


@_small
def maximum(a: Any, b: Any) -> Any:
    """The larger; NaN if either is."""
    return a if a > b or a != a else b


@_small
def minimum(a: Any, b: Any) -> Any:
    """The smaller; NaN if either is."""
    return a if a < b or a != a else b


@_small
def where(condition: Any, a: Any, b: Any) -> Any:
    """a where the condition holds, else b."""
    return a if condition else b


@_small
def isfinite(a: Any) -> Any:
    """Whether a is neither NaN nor infinite."""
    return a - a == 0


@_small
def sqrt(a: Any) -> Any:
    """√a."""
    return np.sqrt(a)


@_small
def sin(a: Any) -> Any:
    """sin a."""
    return np.sin(a)


@_small
def cos(a: Any) -> Any:
    """cos a."""
    return np.cos(a)


@_small
def sign(a: Any) -> Any:
    """1, 0 or -1; NaN for NaN."""
    return np.sign(a)


@_small
def square(a: Any) -> Any:
    """a²."""
    return a * a


@_small
def cell(row: Any, column: Any) -> Any:
    """The counter of a row and a column, from which random bits are made (see `Dropout`)."""
    at = (np.uint64(row + 1) << np.uint64(32)) | np.uint64(column)
    return at * np.uint64(0x9E3779B97F4A7C15)


@_small
def share(n: Any, k: Any, shards: Any) -> Any:
    """Where the part of shard k begins, of n things."""
    return n * k // shards


# -- arrays -------------------------------------------------------------------------------------


@intrinsic
def shaped(typing: Any, array: Any, shape: Any) -> Any:
    """The array's memory in another shape, which may have fewer elements."""
    # NumPy's reshape in compiled code calls into Numba, and so would not run without it.
    if array.layout != "C":
        raise TypeError("only an array in one piece has another shape")
    form = array.copy(ndim=len(shape))

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        old = context.make_array(array)(context, builder, args[0])
        lengths = cgutils.unpack_tuple(builder, args[1])
        return laid_out(context, builder, form, old.data, lengths)

    return form(array, types.UniTuple(types.intp, len(shape))), codegen


# -- threads ------------------------------------------------------------------------------------

# `crew` is an array of counters that all threads of a step share.


@intrinsic
def _add(typing: Any, counters: Any, place: Any, amount: Any) -> Any:
    """Add to a counter, in one piece; gives what it was."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        at = builder.gep(array.data, [args[1]])
        return builder.atomic_rmw("add", at, args[2], "seq_cst")

    return types.int64(counters, types.int64, types.int64), codegen


@intrinsic
def _look(typing: Any, counters: Any, place: Any) -> Any:
    """A counter, as the other threads have left it."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        return builder.load_atomic(builder.gep(array.data, [args[1]]), "acquire", 8)

    return types.int64(counters, types.int64), codegen


_PAUSE = {"x86_64": "llvm.x86.sse2.pause", "amd64": "llvm.x86.sse2.pause"}.get(
    platform.machine().lower()
)


@intrinsic
def _pause(typing: Any) -> Any:
    """Tell the processor that this is a waiting loop."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if _PAUSE:
            form = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, form, _PAUSE), [])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def _call(typing: Any, address: Any) -> Any:
    """Call a C function without arguments."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        form = ir.FunctionType(ir.IntType(32), [])
        builder.call(builder.inttoptr(args[0], form.as_pointer()), [])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@numba.njit(nogil=True, error_model="numpy", **ALONE)
def wait(crew: Any, shards: Any) -> None:
    """Go on when all threads have come here."""
    if shards == 1:
        return
    turn: Any = _look(crew, MET)
    if _add(crew, WAITING, 1) == shards - 1:
        _add(crew, WAITING, -shards)
        _add(crew, MET, 1)
        return
    spins = 0
    while _look(crew, MET) == turn:
        _pause()
        spins += 1
        if spins == 1000:  # a thread may be waiting for this very core
            spins = 0
            if _look(crew, FAILED):
                return
            if crew[YIELD]:
                _call(crew[YIELD])


# -- products -----------------------------------------------------------------------------------

# Each thread has its own rows of a batch, one after the other in arrays that hold those of all. A
# product of all rows is faster than one of few, so each thread computes some columns of it, if
# there are many. `team` says who calls: crew, shard, shards, the number of the thread's first row,
# and the rows of the batch.


@intrinsic
def _of_all(typing: Any, own: Any, first: Any, batch: Any) -> Any:
    """All rows of the batch, from a thread's own, which begin at row `first`."""
    if own.ndim != 2 or own.layout != "C":
        raise TypeError("rows of a batch lie one after the other")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        rows = context.make_array(own)(context, builder, args[0])
        width = builder.extract_value(rows.shape, 1)
        data = builder.gep(rows.data, [builder.neg(builder.mul(args[1], width))])
        return laid_out(context, builder, own, data, [args[2], width])

    return own(own, types.intp, types.intp), codegen


@intrinsic
def _gemm(
    typing: Any, blas: Any, ta: Any, tb: Any, m: Any, n: Any, k: Any, a: Any, lda: Any, b: Any,
    ldb: Any, beta: Any, c: Any, ldc: Any,
) -> Any:  # fmt: skip
    """BLAS's gemm(ta, tb, m, n, k, 1, a, lda, b, ldb, beta, c, ldc) at the address `blas`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        real = context.get_value_type(signature.args[6].dtype)
        int32, byte = ir.IntType(32), ir.IntType(8)
        pointer = byte.as_pointer()

        def by_address(value: Any, kind: Any) -> Any:
            slot = cgutils.alloca_once(builder, kind)
            builder.store(value, slot)
            return builder.bitcast(slot, pointer)

        def whole(value: Any) -> Any:
            return by_address(builder.trunc(value, int32), int32)

        def letter(value: Any) -> Any:
            return by_address(builder.trunc(value, byte), byte)

        def data(value: Any, kind: Any) -> Any:
            return builder.bitcast(context.make_array(kind)(context, builder, value).data, pointer)

        blas, ta, tb, m, n, k, a, lda, b, ldb, beta, c, ldc = args
        kinds = signature.args
        given = [
            letter(ta), letter(tb), whole(m), whole(n), whole(k),
            by_address(ir.Constant(real, 1.0), real), data(a, kinds[6]), whole(lda),
            data(b, kinds[8]), whole(ldb), by_address(builder.sitofp(beta, real), real),
            data(c, kinds[11]), whole(ldc),
        ]  # fmt: skip
        form = ir.FunctionType(ir.VoidType(), [pointer] * len(given))
        builder.call(builder.inttoptr(blas, form.as_pointer()), given)
        return context.get_dummy_value()

    int64 = types.int64
    form = types.void(*[int64] * 6, a, int64, b, int64, int64, c, int64)
    return form, codegen


# Numbers of NumPy: for each of Python's a function that takes it would be compiled anew.
_N, _T = np.int64(ord("N")), np.int64(ord("T"))


@numba.njit(error_model="numpy", nogil=True, fastmath={"contract"}, **ALONE)
def _narrow(a: Any, b: Any, bias: Any, out: Any) -> None:
    """out = a b + bias for few columns: four sums at a time. The bias may be empty."""
    n, inner, some = out.shape[1], a.shape[1], bias.shape[0] > 0
    four = n - n % 4
    for i in range(out.shape[0]):
        for j in range(0, four, 4):
            s = t = u = v = out.dtype.type(0)
            if some:
                s, t, u, v = bias[j], bias[j + 1], bias[j + 2], bias[j + 3]
            for p in range(inner):
                f = a[i, p]
                s += f * b[p, j]
                t += f * b[p, j + 1]
                u += f * b[p, j + 2]
                v += f * b[p, j + 3]
            out[i, j], out[i, j + 1], out[i, j + 2], out[i, j + 3] = s, t, u, v
        if n - four == 3:
            s = t = u = out.dtype.type(0)
            if some:
                s, t, u = bias[four], bias[four + 1], bias[four + 2]
            for p in range(inner):
                f = a[i, p]
                s += f * b[p, four]
                t += f * b[p, four + 1]
                u += f * b[p, four + 2]
            out[i, four], out[i, four + 1], out[i, four + 2] = s, t, u
        elif n - four == 2:
            s = t = out.dtype.type(0)
            if some:
                s, t = bias[four], bias[four + 1]
            for p in range(inner):
                f = a[i, p]
                s += f * b[p, four]
                t += f * b[p, four + 1]
            out[i, four], out[i, four + 1] = s, t
        elif n - four == 1:
            s = bias[four] if some else out.dtype.type(0)
            for p in range(inner):
                s += a[i, p] * b[p, four]
            out[i, four] = s


@numba.njit(nogil=True, error_model="numpy", **ALONE)
def _cut(n: Any, k: Any, shards: Any) -> Any:
    """Where the part of thread k begins, of n columns: at a whole vector."""
    return min((n + 15) // 16 * k // shards * 16, n)


@numba.njit(nogil=True, error_model="numpy", **ALONE)
def _some_columns(blas: Any, team: Any, turn: Any, a: Any, b: Any, bias: Any, out: Any) -> None:
    """A thread's columns of out = a b + bias, or of a bᵀ, in all rows of the batch."""
    crew, shard, shards, first, batch = team
    n, inner, some = out.shape[1], a.shape[1], bias.shape[0] > 0
    low, high = _cut(n, shard, shards), _cut(n, shard + 1, shards)
    wait(crew, shards)
    x: Any = _of_all(a, first, batch)
    y: Any = _of_all(out, first, batch)
    if some:
        for i in range(batch):
            for j in range(low, high):
                y[i, j] = bias[j]
    if turn == _T:
        _gemm(blas, _T, _N, high - low, batch, inner, b[low:], inner, x, inner, 0, y[:, low:], n)
    else:
        _gemm(blas, _N, _N, high - low, batch, inner, b[:, low:], n, x, inner, some, y[:, low:], n)
    wait(crew, shards)


@numba.njit(nogil=True, error_model="numpy", **ALONE)
def _some_sums(blas: Any, team: Any, a: Any, b: Any, out: Any) -> None:
    """A thread's rows or columns of out = aᵀ b, summed over all rows of the batch."""
    crew, shard, shards, first, batch = team
    wait(crew, shards)
    m, n = out.shape
    x: Any = _of_all(a, first, batch)
    y: Any = _of_all(b, first, batch)
    if m < n:
        low, high = _cut(n, shard, shards), _cut(n, shard + 1, shards)
        _gemm(blas, _N, _T, high - low, m, batch, y[:, low:], n, x, m, 0, out[:, low:], n)
    else:
        low, high = _cut(m, shard, shards), _cut(m, shard + 1, shards)
        _gemm(blas, _N, _T, n, high - low, batch, y, n, x[:, low:], m, 0, out[low:], n)
    wait(crew, shards)


@numba.njit(**ALONE, **OPTIONS)
def affine(blas: Any, team: Any, a: Any, b: Any, bias: Any, out: Any) -> None:
    """out = a b + bias, the same bias in every row; an empty one is none."""
    m, n, inner, some = out.shape[0], out.shape[1], a.shape[1], bias.shape[0] > 0
    if team[2] > 1 and n >= WIDE * team[2]:
        _some_columns(blas, team, _N, a, b, bias, out)
        return
    if n == 1:
        for i in range(m):
            s = bias[0] if some else out.dtype.type(0)
            for p in range(inner):
                s += a[i, p] * b[p, 0]
            out[i, 0] = s
        return
    if m * n * inner < SMALL and n < NARROW and m > 1:
        _narrow(a, b, bias, out)
        return
    for i in range(m):
        if some:
            for j in range(n):
                out[i, j] = bias[j]
        elif m * n * inner < SMALL or m == 1:
            for j in range(n):
                out[i, j] = 0
    if m * n * inner < SMALL or m == 1:
        whole = inner - inner % 4  # four rows of b at a time, so that out is read and written less
        for i in range(m):
            for p in range(0, whole, 4):
                f, g, h, e = a[i, p], a[i, p + 1], a[i, p + 2], a[i, p + 3]
                for j in range(n):
                    out[i, j] += f * b[p, j] + g * b[p + 1, j] + h * b[p + 2, j] + e * b[p + 3, j]
            for p in range(whole, inner):
                f = a[i, p]
                for j in range(n):
                    out[i, j] += f * b[p, j]
    else:
        _gemm(blas, _N, _N, n, m, inner, b, n, a, inner, some, out, n)


@_helper
def dot(blas: Any, team: Any, a: Any, b: Any, out: Any) -> None:
    """out = a b."""
    affine(blas, team, a, b, shaped(out, (0,)), out)


@numba.njit(**ALONE, **OPTIONS)
def dot_t(blas: Any, team: Any, a: Any, b: Any, out: Any) -> None:
    """out = aᵀ b."""
    m, n, inner = out.shape[0], out.shape[1], a.shape[0]
    if team[2] > 1:
        _some_sums(blas, team, a, b, out)
    elif n == 1:
        for i in range(m):
            out[i, 0] = 0
        for p in range(inner):
            f = b[p, 0]
            for i in range(m):
                out[i, 0] += a[p, i] * f
    elif m * n * inner < SMALL and n < NARROW:
        _narrow(a.T, b, shaped(out, (0,)), out)
    elif m * n * inner < SMALL:
        for i in range(m):
            for j in range(n):
                out[i, j] = 0
        for p in range(inner):
            for i in range(m):
                f = a[p, i]
                for j in range(n):
                    out[i, j] += f * b[p, j]
    else:
        _gemm(blas, _N, _T, n, m, inner, b, n, a, m, 0, out, n)


@numba.njit(**ALONE, **OPTIONS)
def dot_by_t(blas: Any, team: Any, a: Any, b: Any, out: Any) -> None:
    """out = a bᵀ."""
    m, n, inner = out.shape[0], out.shape[1], a.shape[1]
    if team[2] > 1 and n >= WIDE * team[2]:
        _some_columns(blas, team, _T, a, b, shaped(out, (0,)), out)
    elif inner == 1:
        for i in range(m):
            f = a[i, 0]
            for j in range(n):
                out[i, j] = f * b[j, 0]
    elif m * n * inner < SMALL:
        four, zero = m - m % 4, out.dtype.type(0)
        for i in range(0, four, 4):  # four rows at a time, so that b is read less
            for j in range(n):
                s = t = u = v = zero
                for p in range(inner):
                    f = b[j, p]
                    s += a[i, p] * f
                    t += a[i + 1, p] * f
                    u += a[i + 2, p] * f
                    v += a[i + 3, p] * f
                out[i, j], out[i + 1, j], out[i + 2, j], out[i + 3, j] = s, t, u, v
        for i in range(four, m):
            for j in range(n):
                s = zero
                for p in range(inner):
                    s += a[i, p] * b[j, p]
                out[i, j] = s
    else:
        _gemm(blas, _T, _N, n, m, inner, b, inner, a, inner, 0, out, n)


@numba.njit(**ALONE, **OPTIONS)
def dot_t_by_t(blas: Any, team: Any, a: Any, b: Any, out: Any) -> None:
    """out = aᵀ bᵀ."""
    m, n, inner = out.shape[0], out.shape[1], a.shape[0]
    if m * n * inner < SMALL:
        for i in range(m):
            for j in range(n):
                s = out.dtype.type(0)
                for p in range(inner):
                    s += a[p, i] * b[j, p]
                out[i, j] = s
    else:
        _gemm(blas, _T, _T, n, m, inner, b, inner, a, m, 0, out, n)


# -- sums over the rows of all threads ------------------------------------------------------------


@numba.njit(**ALONE, **OPTIONS)
def together(crew: Any, k: Any, shards: Any, part: Any, parts: Any, out: Any) -> None:
    """out = the sum of the parts of all shards, in their order."""
    own = parts[k]
    mine: Any = shaped(part, (part.size,))
    to: Any = shaped(out, (out.size,))
    for j in range(mine.shape[0]):
        own[j] = mine[j]
    wait(crew, shards)
    for j in range(to.shape[0]):
        to[j] = parts[0, j]
    for s in range(1, shards):
        for j in range(to.shape[0]):
            to[j] += parts[s, j]


@numba.njit(nogil=True, error_model="numpy", **ALONE)
def together_number(crew: Any, k: Any, shards: Any, part: Any, parts: Any) -> Any:
    """The sum of a number's parts over all shards, in their order."""
    parts[k, 0] = part
    wait(crew, shards)
    whole = 0.0
    for s in range(shards):
        whole += parts[s, 0]
    return whole


# -- what the loop of a step calls ----------------------------------------------------------------


@numba.njit(**ALONE, **OPTIONS)
def put(to: Any, new: Any) -> Any:
    """to[...] = new; gives 0, or NaN if a number is not finite."""
    check = 0.0
    a: Any = shaped(to, (to.size,))
    b: Any = shaped(new, (new.size,))
    for i in range(a.shape[0]):
        a[i] = b[i]
        check += b[i] * 0.0
    return check


@_helper
def add_shards(g: Any, others: Any, k: Any, shards: Any) -> Any:
    """g += the other shards' gradients, for one thread's part of g; gives Σ g² of the part."""
    low, high = share(g.size, k, shards), share(g.size, k + 1, shards)
    mine, theirs, squares = g[low:high], others[:, low:high], 0.0
    for s in range(theirs.shape[0]):
        for i in range(mine.shape[0]):
            mine[i] += theirs[s, i]
    for i in range(mine.shape[0]):
        squares += np.float64(mine[i]) * np.float64(mine[i])
    return squares


@numba.njit(nogil=True, error_model="numpy", **ALONE)
def limited(checks: Any, shards: Any, limits: Any) -> Any:
    """What scales the gradients so that their norm is at most each of two limits (0: none)."""
    squares = 0.0
    for s in range(shards):
        squares += checks[s, 2]
    norm, scale = np.sqrt(squares), 1.0
    for limit in limits:
        if limit > 0 and norm * scale > limit:
            scale = limit / norm
    return scale
