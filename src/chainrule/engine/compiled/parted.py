"""Sums over the rows of a batch, in parts: each part's sum by itself, and these added up in pairs.

A product aᵀ b is such a sum. Ranks that have one part of a batch each, or two, four or eight, are to
get the same bits; so the parts may not be summed up as one. The sum of a tile (see `tiles`) goes
through them all before the next tile begins, and stays in the processor's caches.

    for each block of rows of the product     copy columns of a
        for each panel of columns
            for each part                     copy a panel of b
                for each tile                 sum; add the sums of earlier parts that are as many
"""

from __future__ import annotations

from typing import Any

from chainrule.engine.compiled.constants import SPARE
from chainrule.engine.compiled.kernels import share
from chainrule.engine.compiled.tiles import (
    DEEP,
    VECTORS,
    _pack,
    _panel_from,
    _sums,
    columns_in_tiles,
    rows_of_tile,
)
from chainrule.engine.compiler.functions import apart
from chainrule.engine.compiler.memory import shaped
from chainrule.engine.compiler.vectors import (
    lanes,
    put,
    put_some,
    several,
    unrolled,
    vector,
)

__all__ = ["dot_t_of_parts"]

#: Sums of parts that wait for others: of one, of two, of four; and that of a part which is long.
WAITING, LONG = 4, 3


def dot_t_of_parts(
    a: Any, b: Any, out: Any, low: Any, high: Any, n: Any, before: Any, first: Any, many: Any,
    parts: Any, room: Any,
) -> None:  # fmt: skip
    """Rows low to high of out = aᵀ b.

    A batch of n rows has so many parts. a and b have `many` of them, from part `first` on (1, 2, 4 or 8);
    `before` are the rows of the batch before these.
    """
    unit, wide, inner = rows_of_tile(out), VECTORS * lanes(out), a.shape[0]
    start = _panel_from(out) + DEEP * wide
    numbers = SPARE * 8 // out.itemsize - start
    tall = numbers // (WAITING * wide + inner) // unit * unit
    copied = tall > 0
    if not copied:  # too many rows for a tile of them
        tall = 4 * unit
    waiting = shaped(room[start:], (WAITING * tall, wide))
    block = room[start + WAITING * tall * wide :]
    for top in range(low, high, tall):
        height = min(high - top, tall)
        if copied:
            _copy(a, top, height, block)
        for j in range(0, out.shape[1], wide):
            for q in range(many):
                begin, end = (
                    share(n, first + q, parts) - before,
                    share(n, first + q + 1, parts) - before,
                )
                for f in range(begin, max(end, begin + 1), DEEP):
                    length = min(end - f, DEEP)
                    panel = shaped(room[_panel_from(out) :], (length, wide))
                    _pack(b, f, j, min(out.shape[1] - j, wide), panel)
                    where = top, height, q, f == begin, f + length == end, q + 1 == many
                    if copied:
                        _copied(block, inner, f, length, panel, where, waiting, out, j, room)
                    else:
                        _uncopied(a, f, panel, where, waiting, out, j, room)


@apart
def _copy(a: Any, top: Any, height: Any, block: Any) -> None:
    """Copy columns of a, so many that they fill tiles, one tile after the other."""
    columns_in_tiles(a, (top, height, 0, a.shape[0]), a.shape[0], block)


@apart
def _copied(
    block: Any, inner: Any, f: Any, length: Any, panel: Any, where: Any, waiting: Any, out: Any, j: Any,
    room: Any,
) -> None:  # fmt: skip
    """All tiles of a block by a panel, from copied columns of a."""
    unit = rows_of_tile(out)
    sums = shaped(room, (unit, VECTORS * lanes(out)))
    for i in range(0, where[1], unit):
        part = shaped(block[i * inner + f * unit :], (max(length, 1), unit)).T
        _sums(unit, VECTORS, part, 0, unit, 0, panel, sums)
        _add(sums, i, where, waiting, out, j)


@apart
def _uncopied(
    a: Any, f: Any, panel: Any, where: Any, waiting: Any, out: Any, j: Any, room: Any
) -> None:
    """The same, from a itself."""
    unit = rows_of_tile(out)
    sums = shaped(room, (unit, VECTORS * lanes(out)))
    for i in range(0, where[1], unit):
        _sums(unit, VECTORS, a.T, where[0] + i, where[0] + where[1], f, panel, sums)
        _add(sums, i, where, waiting, out, j)


@apart
def _add(sums: Any, i: Any, where: Any, waiting: Any, out: Any, j: Any) -> None:
    """Add the sums of a tile to those of earlier parts; what is complete is the product."""
    top, height, q, begins, ends, last = where
    n, tall, count = lanes(out), waiting.shape[0] // WAITING, out.shape[1] - j
    for r in range(min(height - i, rows_of_tile(out))):
        for v in unrolled(VECTORS):
            x = several(1, vector(sums, r, v * n))
            if not begins:
                x[0] = vector(waiting, LONG * tall + i + r, v * n) + x[0]
            if not ends:
                put(x[0], waiting, LONG * tall + i + r, v * n)
            else:
                level, earlier = 0, q
                while earlier % 2 == 1:
                    x[0] = vector(waiting, level * tall + i + r, v * n) + x[0]
                    level += 1
                    earlier = earlier // 2
                if last:
                    put_some(x[0], out, count - v * n, top + i + r, j + v * n)
                else:
                    put(x[0], waiting, level * tall + i + r, v * n)
