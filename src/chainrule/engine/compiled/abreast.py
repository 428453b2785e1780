"""Products for small networks, with the rows of a batch abreast: one row in each lane of a vector.

In these arrays the numbers of one column lie side by side, in room for whole pairs of vectors. So
vectors are full however few columns there are; a weight stands in all lanes.
"""

from __future__ import annotations

from typing import Any

from chainrule.engine.compiled.products import working_memory
from chainrule.engine.compiled.tiles import DEEP, pack_turned, rows_of_tile
from chainrule.engine.compiler.functions import apart
from chainrule.engine.compiler.memory import shaped, turned_block
from chainrule.engine.compiler.vectors import (
    add_sums,
    lanes,
    padded,
    put,
    put_some,
    several,
    some,
    spread,
    unrolled,
    vector,
)

__all__ = [
    "add_dot_t_abreast",
    "affine_abreast",
    "dot_abreast",
    "dot_by_t_abreast",
    "dot_t_abreast",
    "gather_abreast",
]

#: Products with so many vectors of columns are summed up in tiles.
FULL = 2


def gather_abreast(a: Any, rows: Any, out: Any) -> None:
    """out = a[rows]: four rows and columns at a time are turned.

    The last row stands in all lanes beyond it, so that whatever is computed there can be computed.
    """
    n, wide = rows.shape[0], out.shape[1]
    whole, four = n - n % 4, wide - wide % 4
    for i in range(0, whole, 4):
        at = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        for j in range(0, four, 4):
            turned_block(a, at, j, out.T, i)
        for j in range(four, wide):
            for k in unrolled(4):
                out[i + k, j] = a[at[k], j]
    for i in range(whole, padded(n)):
        row = rows[min(i, n - 1)]
        for j in range(wide):
            out[i, j] = a[row, j]


def affine_abreast(a: Any, b: Any, bias: Any, out: Any) -> None:
    """out = a b + bias, the same bias in every row; () is none."""
    n = out.shape[1]
    count = rows_of_tile(out) * 2 // 3
    whole = n - n % count
    for j in range(0, whole, count):
        _columns(a.T, b, bias, out.T, j, count, a.shape[0])
    if whole < n:
        _columns(a.T, b, bias, out.T, whole, n - whole, a.shape[0])


def _columns(x: Any, b: Any, bias: Any, y: Any, j: Any, count: Any, rows: Any) -> None:
    """Some columns of a product, in two vectors of rows at a time; a line of x and y is a column."""
    w = lanes(y)
    for i in range(0, rows, 2 * w):
        acc = several(2 * count, spread(0.0, y))
        if len(bias) > 0:
            for c in unrolled(count):
                acc[2 * c] = acc[2 * c + 1] = spread(bias[j + c], y)
        for p in range(x.shape[0]):
            f, g = vector(x, p, i), vector(x, p, i + w)
            for c in unrolled(count):
                s = b[p, j + c]
                acc[2 * c] += f * s
                acc[2 * c + 1] += g * s
        for c in unrolled(count):
            put(acc[2 * c], y, j + c, i)
            put(acc[2 * c + 1], y, j + c, i + w)


def dot_abreast(a: Any, b: Any, out: Any) -> None:
    """out = a b."""
    affine_abreast(a, b, (), out)


def dot_by_t_abreast(a: Any, b: Any, out: Any) -> None:
    """out = a bᵀ."""
    affine_abreast(a, b.T, (), out)


def dot_t_abreast(team: Any, a: Any, b: Any, out: Any) -> None:
    """out = aᵀ b, summed over the rows."""
    out[:] = 0
    add_dot_t_abreast(team, a, b, out)


def add_dot_t_abreast(team: Any, a: Any, b: Any, out: Any) -> None:
    """out += aᵀ b, summed over the rows: in tiles, or number by number where columns are few."""
    m, n, rows = out.shape[0], out.shape[1], a.shape[0]
    if n >= FULL * lanes(out):
        wide = 2 * lanes(out)
        for first in range(0, rows, DEEP):
            panel = shaped(working_memory(team, out), (min(DEEP, rows - first), wide))
            for j in range(0, n - n % wide, wide):
                _panel(a.T, b.T, first, panel, out, j, wide)
            if n % wide > 0:
                _panel(a.T, b.T, first, panel, out, n - n % wide, n % wide)
        return
    two, four = m - m % 2, n - n % 4
    for p in range(0, two, 2):
        _sums(a.T, b.T, out, p, 2, 0, four, rows)
        if four < n:
            _sums(a.T, b.T, out, p, 2, four, n, rows)
    if two < m:
        _sums(a.T, b.T, out, two, 1, 0, four, rows)
        if four < n:
            _sums(a.T, b.T, out, two, 1, four, n, rows)


@apart
def _panel(x: Any, y: Any, first: Any, panel: Any, out: Any, j: Any, count: Any) -> None:
    """Add some columns of x yᵀ, for some rows; a line of x and y is a column."""
    pack_turned(y, first, j, count, panel)
    m, tall = out.shape[0], rows_of_tile(out)
    for i in range(0, m - m % tall, tall):
        _tile(tall, x, first, panel, out, i, j, count)
    if m % tall > 0:
        _tile(m % tall, x, first, panel, out, m - m % tall, j, count)


def _tile(tall: Any, x: Any, first: Any, panel: Any, out: Any, i: Any, j: Any, count: Any) -> None:
    """As many lines and columns of a product as there are registers for."""
    w = lanes(out)
    vectors = 2 if count > w else 1
    sums, right = several(tall * vectors, spread(0.0, out)), several(vectors, spread(0.0, out))
    for p in range(panel.shape[0]):
        for v in unrolled(vectors):
            right[v] = vector(panel, p, v * w)
        for r in unrolled(tall):
            f = x[i + r, first + p]
            for v in unrolled(vectors):
                sums[vectors * r + v] += f * right[v]
    for r in unrolled(tall):
        for v in unrolled(vectors):
            left, k = count - v * w, j + v * w
            put_some(some(out, left, i + r, k) + sums[vectors * r + v], out, left, i + r, k)


def _sums(x: Any, y: Any, out: Any, p: Any, lines: Any, first: Any, end: Any, rows: Any) -> None:
    """Some lines of a product, in columns from first to end, four at a time or all."""
    w = lanes(x)
    count = min(4, end - first)
    whole = rows - rows % w
    for j in range(first, end, 4):
        acc = several(lines * count, spread(0.0, x))
        for i in range(0, whole, w):
            for c in unrolled(count):
                d = vector(y, j + c, i)
                for r in unrolled(lines):
                    acc[lines * c + r] += vector(x, p + r, i) * d
        if whole < rows:
            for c in unrolled(count):
                d = some(y, rows - whole, j + c, whole)
                for r in unrolled(lines):
                    acc[lines * c + r] += vector(x, p + r, whole) * d
        for r in unrolled(lines):
            add_sums(acc, r, lines, count, out, p + r, j)
