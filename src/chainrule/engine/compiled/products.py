"""Products of matrices: plain loops for small ones, BLAS for large ones, several threads together.

Each thread has its own rows of a batch, in arrays with the rows of all threads in order. A
product of all rows is faster than one of few, so each thread computes some columns of it, if
there are many. `team` identifies the caller: crew, shard, shards, the thread's first row, and the
rows of the batch.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from chainrule.engine.compiled.constants import COUNTERS, FEW, NARROW, SMALL, SPARE, WIDE
from chainrule.engine.compiled.kernels import ALONE, OPTIONS, shaped, wait
from chainrule.engine.compiled.layout import laid_out

__all__ = ["affine", "dot", "dot_by_t", "dot_t", "dot_t_by_t"]


@intrinsic
def _of_all(typing: Any, own: Any, first: Any, batch: Any) -> Any:
    """All rows of the batch, given a thread's own rows, which begin at row `first`."""
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


# NumPy scalars: for each Python constant Numba would compile the callee anew.
_N, _T = np.int64(ord("N")), np.int64(ord("T"))


@numba.njit(error_model="numpy", nogil=True, fastmath={"contract"}, **ALONE)
def _narrow(a: Any, b: Any, bias: Any, out: Any) -> None:
    """out = a b + bias for few columns, and at least two rows. The bias may be empty.

    Two or three columns are computed together, in two rows at a time; more, four in one row at a time.
    """
    m, n, inner, some = out.shape[0], out.shape[1], a.shape[1], bias.shape[0] > 0
    zero = out.dtype.type(0)
    four = n - n % 4 if n > 3 else 0
    for i in range(m if n > 3 else 0):
        for j in range(0, four, 4):
            s = t = u = v = zero
            if some:
                s, t, u, v = bias[j], bias[j + 1], bias[j + 2], bias[j + 3]
            for p in range(inner):
                f = a[i, p]
                s += f * b[p, j]
                t += f * b[p, j + 1]
                u += f * b[p, j + 2]
                v += f * b[p, j + 3]
            out[i, j], out[i, j + 1], out[i, j + 2], out[i, j + 3] = s, t, u, v
    if four == n:
        return
    # The remaining one, two or three columns; a missing one is another one again.
    middle, last = min(four + 1, n - 1), n - 1
    for upper in range(0, m, 2):
        i = min(upper, m - 2)
        k = i + 1
        s = t = u = zero
        if some:
            s, t, u = bias[four], bias[middle], bias[last]
        w, x, y = s, t, u
        for p in range(inner):
            f, g = a[i, p], a[k, p]
            c, d, e = b[p, four], b[p, middle], b[p, last]
            s, t, u = s + f * c, t + f * d, u + f * e
            w, x, y = w + g * c, x + g * d, y + g * e
        out[i, four], out[i, middle], out[i, last] = s, t, u
        out[k, four], out[k, middle], out[k, last] = w, x, y


@numba.njit(nogil=True, error_model="numpy", **ALONE)
def _cut(n: Any, k: Any, shards: Any) -> Any:
    """The first column of thread k's part of n columns: at a whole vector."""
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


@numba.njit(forceinline=True, **ALONE, **OPTIONS)
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
    elif m * n * inner < SMALL and n < NARROW and m > 1:
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


@intrinsic
def _spare(typing: Any, crew: Any, shard: Any, like: Any, m: Any, n: Any) -> Any:
    """An array (m, n) in a thread's working memory in the crew."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words = context.make_array(crew)(context, builder, args[0]).data
        first = builder.mul(args[1], context.get_constant(types.intp, SPARE))
        place = builder.add(first, context.get_constant(types.intp, COUNTERS))
        real = context.get_value_type(like.dtype)
        data = builder.bitcast(builder.gep(words, [place]), real.as_pointer())
        return laid_out(context, builder, like, data, [args[3], args[4]])

    return like(crew, types.intp, like, types.intp, types.intp), codegen


@intrinsic
def _turn_four(typing: Any, a: Any, i: Any, j: Any, out: Any) -> Any:
    """out[j:j + 4, i:i + 4] = a[i:i + 4, j:j + 4]ᵀ, as vectors."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, target = (
            context.make_array(k)(context, builder, args[p]) for k, p in ((a, 0), (out, 3))
        )
        real, int32 = context.get_value_type(a.dtype), ir.IntType(32)
        size, four = context.get_abi_sizeof(real), ir.VectorType(real, 4)

        def at(array: Any, row: Any, k: int, column: Any) -> Any:
            width = builder.extract_value(array.shape, 1)
            row = builder.add(row, context.get_constant(types.intp, k))
            place = builder.add(builder.mul(row, width), column)
            return builder.bitcast(builder.gep(array.data, [place]), four.as_pointer())

        rows = [builder.load(at(source, args[1], k, args[2]), align=size) for k in range(4)]
        low, high = (ir.Constant(ir.VectorType(int32, 4), m) for m in ([0, 4, 1, 5], [2, 6, 3, 7]))
        for _ in range(2):  # interleave the two halves of the rows, twice
            pairs = [(rows[k], rows[k + 2], m) for k in range(2) for m in (low, high)]
            rows = [builder.shuffle_vector(*pair) for pair in pairs]
        for k in range(4):
            builder.store(rows[k], at(target, args[2], k, args[1]), align=size)
        return context.get_dummy_value()

    return types.void(a, types.intp, types.intp, out), codegen


@numba.njit(**ALONE, **OPTIONS)
def _turn(a: Any, out: Any) -> None:
    """out = aᵀ."""
    m, n = a.shape[0], a.shape[1]
    whole, even = m - m % 4, n - n % 4
    for i in range(0, whole, 4):
        for j in range(0, even, 4):
            _turn_four(a, i, j, out)
        for j in range(even, n):
            for k in range(i, i + 4):
                out[j, k] = a[k, j]
    for i in range(whole, m):
        for j in range(n):
            out[j, i] = a[i, j]


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
        zero, four, two = out.dtype.type(0), m - m % 4, n - n % 2
        for i in range(0, four, 4):  # four rows and two columns at a time, so that less is read
            for j in range(0, two, 2):
                s = t = u = v = w = x = y = z = zero
                for p in range(inner):
                    f, g = b[j, p], b[j + 1, p]
                    c, d, e, h = a[i, p], a[i + 1, p], a[i + 2, p], a[i + 3, p]
                    s, t, u, v = s + c * f, t + d * f, u + e * f, v + h * f
                    w, x, y, z = w + c * g, x + d * g, y + e * g, z + h * g
                out[i, j], out[i + 1, j], out[i + 2, j], out[i + 3, j] = s, t, u, v
                out[i, j + 1], out[i + 1, j + 1], out[i + 2, j + 1], out[i + 3, j + 1] = w, x, y, z
        for i in range(m):
            for j in range(two if i < four else 0, n):
                s = zero
                for p in range(inner):
                    s += a[i, p] * b[j, p]
                out[i, j] = s
    elif m * n * inner < FEW and b.size * b.itemsize <= 8 * SPARE:
        # BLAS is slow for so few: it reads a transposed matrix number by number.
        turned: Any = _spare(team[0], team[1], b, inner, n)
        _turn(b, turned)
        _gemm(blas, _N, _N, n, m, inner, turned, n, a, inner, 0, out, n)
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
