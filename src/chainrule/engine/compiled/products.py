"""Products of matrices: plain loops for small ones, BLAS for others, our own tiles for large ones.

Each thread has its own rows of a batch, in arrays with the rows of all threads in order. A
product of all rows is faster than one of few, so each thread computes some columns of it, if
there are many. `team` identifies the caller: crew, shard, shards, the thread's first row, and the
rows of the batch. `blas` are the addresses of `library`.
"""

from __future__ import annotations

from typing import Any

from chainrule.engine.compiled.constants import COUNTERS, FEW, NARROW, SMALL, SPARE, TILED, WIDE
from chainrule.engine.compiled.kernels import wait
from chainrule.engine.compiled.large import (
    affine_part,
    dot_by_t_part,
    dot_t_of_parts,
    dot_t_part,
)
from chainrule.engine.compiler.functions import as_written
from chainrule.engine.compiler.memory import call_at, gemm, in_words, rows_of_all, turned_block
from chainrule.engine.compiler.vectors import (
    lanes,
    put_some,
    several,
    some,
    spread,
    unrolled,
    vector,
)

__all__ = [
    "affine",
    "affine_in_parts",
    "dot",
    "dot_by_t",
    "dot_by_t_in_parts",
    "dot_in_parts",
    "dot_t",
    "dot_t_by_t",
    "dot_t_in_parts",
    "working_memory",
]


@as_written
def _narrow(a: Any, b: Any, bias: Any, out: Any) -> None:
    """out = a b + bias for few columns, and at least two rows. The bias may be empty.

    Two or three columns are computed together, in two rows at a time; more, four in one row at a time.
    """
    m, n, inner, some = out.shape[0], out.shape[1], a.shape[1], len(bias) > 0
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


@as_written
def _row(a: Any, b: Any, bias: Any, out: Any) -> None:
    """out = a b + bias for a single row: its sums stay in registers while b is read once."""
    n, inner, w = out.shape[1], a.shape[1], lanes(out)
    even, wide = inner - inner % 2, 4 * w
    for j in range(0, n, wide):
        sums = several(8, spread(0, out))
        if len(bias) > 0:
            for v in unrolled(4):
                sums[v] = some(bias, n - j - v * w, j + v * w)
        if j + wide <= n:
            for p in range(0, even, 2):
                for v in unrolled(4):
                    sums[v] = sums[v] + a[0, p] * vector(b, p, j + v * w)
                    sums[4 + v] = sums[4 + v] + a[0, p + 1] * vector(b, p + 1, j + v * w)
        else:
            for p in range(0, even, 2):
                for v in unrolled(4):
                    sums[v] = sums[v] + a[0, p] * some(b, n - j - v * w, p, j + v * w)
                    x = some(b, n - j - v * w, p + 1, j + v * w)
                    sums[4 + v] = sums[4 + v] + a[0, p + 1] * x
        if even < inner:
            for v in unrolled(4):
                sums[v] = sums[v] + a[0, even] * some(b, n - j - v * w, even, j + v * w)
        for v in unrolled(4):
            put_some(sums[v] + sums[4 + v], out, n - j - v * w, 0, j + v * w)


def _cut(n: Any, k: Any, shards: Any) -> Any:
    """The first column of thread k's part of n columns: at a whole vector."""
    return min((n + 15) // 16 * k // shards * 16, n)


def _of(blas: Any, out: Any) -> Any:
    """The addresses for the dtype of a product."""
    return blas[0] if out.itemsize == 4 else blas[1]


def working_memory(team: Any, like: Any) -> Any:
    """This thread's working memory for a product in tiles."""
    crew, shard = team[:2]
    return in_words(crew, COUNTERS + shard * SPARE, like, (SPARE * 8 // like.itemsize,))


def _some_columns(blas: Any, team: Any, turned: Any, a: Any, b: Any, bias: Any, out: Any) -> None:
    """A thread's columns of out = a b + bias, or of a bᵀ, in all rows of the batch."""
    crew, shard, shards, first, batch = team
    n, some = out.shape[1], len(bias) > 0
    low, high = _cut(n, shard, shards), _cut(n, shard + 1, shards)
    wait(crew, shards)
    x = rows_of_all(a, first, batch)
    y = rows_of_all(out, first, batch)
    if batch * n * a.shape[1] >= TILED:
        room = working_memory(team, out)
        if turned:
            call_at(_of(blas, out)[3], dot_by_t_part, x, b, y, low, high, room)
        else:
            call_at(_of(blas, out)[1], affine_part, x, b, bias, y, low, high, room)
    else:
        if some:
            for i in range(batch):
                for j in range(low, high):
                    y[i, j] = bias[j]
        part = b[low:high] if turned else b[:, low:high]
        gemm(_of(blas, out)[0], False, turned, x, part, some, y[:, low:high])
    wait(crew, shards)


def _some_sums(blas: Any, team: Any, a: Any, b: Any, out: Any) -> None:
    """A thread's rows or columns of out = aᵀ b, summed over all rows of the batch."""
    crew, shard, shards, first, batch = team
    wait(crew, shards)
    m, n = out.shape
    x = rows_of_all(a, first, batch)
    y = rows_of_all(b, first, batch)
    tall = m >= n
    low = _cut(m if tall else n, shard, shards)
    high = _cut(m if tall else n, shard + 1, shards)
    top, bottom = low if tall else 0, high if tall else m
    left, right = 0 if tall else low, n if tall else high
    if batch * m * n >= TILED:
        room = working_memory(team, out)
        call_at(_of(blas, out)[2], dot_t_part, x, y, out, top, bottom, left, right, room)
    else:
        part = out[top:bottom, left:right]
        gemm(_of(blas, out)[0], True, False, x[:, top:bottom], y[:, left:right], False, part)
    wait(crew, shards)


def affine_in_parts(blas: Any, team: Any, a: Any, b: Any, bias: Any, out: Any) -> None:
    """out = a b + bias in all rows, in tiles: the bits of a row depend on no other row."""
    crew, shard, shards, first, batch = team[:5]
    n = out.shape[1]
    low, high = _cut(n, shard, shards), _cut(n, shard + 1, shards)
    wait(crew, shards)
    x, y = rows_of_all(a, first, batch), rows_of_all(out, first, batch)
    call_at(_of(blas, out)[1], affine_part, x, b, bias, y, low, high, working_memory(team, out))
    wait(crew, shards)


def dot_in_parts(blas: Any, team: Any, a: Any, b: Any, out: Any) -> None:
    """out = a b, in the same way."""
    affine_in_parts(blas, team, a, b, (), out)


def dot_by_t_in_parts(blas: Any, team: Any, a: Any, b: Any, out: Any) -> None:
    """out = a bᵀ, in the same way."""
    crew, shard, shards, first, batch = team[:5]
    n = out.shape[1]
    low, high = _cut(n, shard, shards), _cut(n, shard + 1, shards)
    wait(crew, shards)
    x, y = rows_of_all(a, first, batch), rows_of_all(out, first, batch)
    call_at(_of(blas, out)[3], dot_by_t_part, x, b, y, low, high, working_memory(team, out))
    wait(crew, shards)


def dot_t_in_parts(blas: Any, team: Any, a: Any, b: Any, out: Any) -> None:
    """out = aᵀ b, of all rows: each thread's part by itself, and these added up in pairs."""
    crew, shard, shards, first, batch, n, before, rank, ranks = team
    m = out.shape[0]
    low, high = _cut(m, shard, shards), _cut(m, shard + 1, shards)
    wait(crew, shards)
    x, y = rows_of_all(a, first, batch), rows_of_all(b, first, batch)
    room, parts = working_memory(team, out), ranks * shards
    part = rank * shards
    call_at(
        _of(blas, out)[4],
        dot_t_of_parts,
        x,
        y,
        out,
        low,
        high,
        n,
        before,
        part,
        shards,
        parts,
        room,
    )
    wait(crew, shards)


def affine(blas: Any, team: Any, a: Any, b: Any, bias: Any, out: Any) -> None:
    """out = a b + bias, the same bias in every row; an empty one is none."""
    m, n, inner, some = out.shape[0], out.shape[1], a.shape[1], len(bias) > 0
    if team[2] > 1 and n >= WIDE * team[2]:
        _some_columns(blas, team, False, a, b, bias, out)
        return
    if n == 1:
        for i in range(m):
            s = bias[0] if some else out.dtype.type(0)
            for p in range(inner):
                s += a[i, p] * b[p, 0]
            out[i, 0] = s
        return
    if m == 1:
        _row(a, b, bias, out)
        return
    if m * n * inner < SMALL and n < NARROW:
        _narrow(a, b, bias, out)
        return
    if team[4] * n * inner >= TILED:
        call_at(_of(blas, out)[1], affine_part, a, b, bias, out, 0, n, working_memory(team, out))
        return
    for i in range(m):
        if some:
            for j in range(n):
                out[i, j] = bias[j]
        elif m * n * inner < SMALL:
            for j in range(n):
                out[i, j] = 0
    if m * n * inner < SMALL:
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
        gemm(_of(blas, out)[0], False, False, a, b, some, out)


def dot(blas: Any, team: Any, a: Any, b: Any, out: Any) -> None:
    """out = a b."""
    affine(blas, team, a, b, (), out)


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
        _narrow(a.T, b, (), out)
    elif m * n * inner < SMALL:
        for i in range(m):
            for j in range(n):
                out[i, j] = 0
        for p in range(inner):
            for i in range(m):
                f = a[p, i]
                for j in range(n):
                    out[i, j] += f * b[p, j]
    elif m * n * inner >= TILED:
        call_at(_of(blas, out)[2], dot_t_part, a, b, out, 0, m, 0, n, working_memory(team, out))
    else:
        gemm(_of(blas, out)[0], True, False, a, b, False, out)


def _turn(a: Any, out: Any) -> None:
    """out = aᵀ."""
    m, n = a.shape[0], a.shape[1]
    whole, even = m - m % 4, n - n % 4
    for i in range(0, whole, 4):
        for j in range(0, even, 4):
            turned_block(a, (i, i + 1, i + 2, i + 3), j, out, i)
        for j in range(even, n):
            for k in range(i, i + 4):
                out[j, k] = a[k, j]
    for i in range(whole, m):
        for j in range(n):
            out[j, i] = a[i, j]


def dot_by_t(blas: Any, team: Any, a: Any, b: Any, out: Any) -> None:
    """out = a bᵀ."""
    m, n, inner = out.shape[0], out.shape[1], a.shape[1]
    if team[2] > 1 and n >= WIDE * team[2]:
        _some_columns(blas, team, True, a, b, (), out)
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
    elif team[4] * n * inner >= TILED and m > 1:
        call_at(_of(blas, out)[3], dot_by_t_part, a, b, out, 0, n, working_memory(team, out))
    elif m * n * inner < FEW and b.size * b.itemsize <= 8 * SPARE:
        # BLAS is slow for so few: it reads a transposed matrix number by number.
        turned = in_words(team[0], COUNTERS + team[1] * SPARE, b, (inner, n))
        _turn(b, turned)
        gemm(_of(blas, out)[0], False, False, a, turned, False, out)
    else:
        gemm(_of(blas, out)[0], False, True, a, b, False, out)


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
        gemm(_of(blas, out)[0], True, True, a, b, False, out)
