"""Products for small networks, with the rows of a batch abreast: one row in each lane of a vector.

In these arrays the numbers of one column lie side by side, in room for whole pairs of vectors. So
vectors are full however few columns there are; a weight stands in all lanes.
"""

from __future__ import annotations

from typing import Any

from chainrule.engine.compiled import tiles
from chainrule.engine.compiled.products import working_memory
from chainrule.engine.compiler.vectors import (
    add_sums,
    lanes,
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
]

#: Products with so many vectors of columns are summed up column by column, in tiles.
FULL = 2


def affine_abreast(a: Any, b: Any, bias: Any, out: Any) -> None:
    """out = a b + bias, the same bias in every row; () is none."""
    n = out.shape[1]
    count = tiles.rows_of_tile(out) * 2 // 3
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
    _dot_t(team, a, b, out, tiles.stored, False)


def add_dot_t_abreast(team: Any, a: Any, b: Any, out: Any) -> None:
    """out += aᵀ b, summed over the rows."""
    _dot_t(team, a, b, out, _added, True)


def _added(x: Any, count: Any, out: Any, i: Any, j: Any, given: Any) -> None:
    """The finish of a product in tiles that is added to what is there."""
    put_some(some(out, count, i, j) + x, out, count, i, j)


def _dot_t(team: Any, a: Any, b: Any, out: Any, finish: Any, more: Any) -> None:
    """aᵀ b, in tiles with that finish, or by columns; added to what is there with `more`."""
    m, n, rows = out.shape[0], out.shape[1], a.shape[0]
    if n >= FULL * lanes(out):
        tiles.dot_by_t(a.T, b.T, out, working_memory(team, out), finish, ())
        return
    if not more:
        out[:] = 0
    two, four = m - m % 2, n - n % 4
    for p in range(0, two, 2):
        _sums(a.T, b.T, out, p, 2, 0, four, rows)
        if four < n:
            _sums(a.T, b.T, out, p, 2, four, n, rows)
    if two < m:
        _sums(a.T, b.T, out, two, 1, 0, four, rows)
        if four < n:
            _sums(a.T, b.T, out, two, 1, four, n, rows)


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
