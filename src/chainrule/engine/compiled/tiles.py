"""Products of matrices in tiles: what is computed while the numbers are in registers, and no BLAS.

A tile is a few rows of the product by two vectors of its columns. All its sums stay in registers
while the inner axis is walked once.

    for each block of rows
        for each block of the inner axis     copy a part of a to the second-level cache
            for each panel of columns        copy a part of b to the first-level cache
                for each tile of rows        sum, and finish what is summed up

A caller says with `finish(x, count, out, i, j, given)` what becomes of the sums: x is a vector of
them, of which `count` lanes are columns of the product; they belong at out[i, j]. It may add an
activation before it stores them, or update a parameter instead. `stored` stores them. `given` is
passed on as it is. The other lanes hold any numbers. With an inner axis that is longer than `DEEP`,
parts of the sums are kept in `out` meanwhile. An inner axis of no length leaves `out` as it was.

Arrays may be parts of others (rows, or columns that lie one after the other), so threads share a
product by rows or by columns; the bits are the same if columns are divided at whole panels. `room`
is working memory, `room_for(a)` numbers, which begins at a cache line.

Machine code takes the shorter time, and less time to make, the more lengths are known.

What goes together is passed as a tuple:
    left    how a is copied; what a copied tile is; how single columns are summed; a; a with a row for
            each row of the product
    right   how b is copied; how it is fetched; how single columns are copied; b; the inner length;
            the columns
    target  bias, out, finish, given
    where   first row and rows of the block; first and length of the inner axis; whether that is the
            first part of the inner axis, and whether it is the last
"""

from __future__ import annotations

from typing import Any

from chainrule.engine.compiler.functions import apart
from chainrule.engine.compiler.memory import shaped, turned_block
from chainrule.engine.compiler.vectors import (
    fetch,
    lanes,
    put,
    put_some,
    several,
    some,
    spread,
    total,
    unrolled,
    vector,
)

__all__ = ["affine", "dot_by_t", "dot_t", "room_for", "rows_of_tile", "stored"]

#: Vectors of a tile; with its rows (`rows_of_tile`), a row of b and a number of a, they fill the registers.
VECTORS = 2
#: The most rows of a tile.
ROWS = 12
#: The last tile of a block has only so many rows, if that is enough.
FEW, MORE = 4, 8
#: At most so many columns beyond whole vectors are summed along another axis, not as a vector.
SINGLE = 2
#: At most so many of the inner axis in a block: a panel takes half the first-level cache.
DEEP = 264
#: At most so many bytes of a column of a in a block.
TALL = 1056
#: A copied row is longer by so many bytes, so that the rows do not compete for places in the cache.
GAP = 64
#: From so many columns of the product on, it is worth while to copy rows of a; or columns; or columns
#: whose numbers lie a multiple of so many bytes apart, and so compete for places in the cache.
COPIED_ROWS, COPIED_COLUMNS = 512, 256
COPIED_RIVALS, RIVALS = 48, 1024
#: If so much of the inner axis is summed up, the product's part of memory is fetched meanwhile.
LONG = 64
#: The bytes of the widest vector, and how many the memory hands over at once.
WIDEST = LINE = 64


def room_for(a: Any) -> Any:
    """How many numbers of working memory a product needs."""
    wide = VECTORS * WIDEST // a.itemsize
    return _panel_from(a) + DEEP * wide + (TALL // a.itemsize + ROWS) * _long(a)


def _panel_from(a: Any) -> Any:
    """Where the panel begins in the working memory: after the sums of tiles and single columns."""
    n = WIDEST // a.itemsize
    return ROWS * n * (n + SINGLE)


def rows_of_tile(a: Any) -> Any:
    """The rows of a tile: there are 32 registers of the widest vectors, and 16 of others."""
    return ROWS if lanes(a) * a.itemsize == WIDEST else ROWS // 2


def _long(a: Any) -> Any:
    """How long a copied row is."""
    return DEEP + GAP // a.itemsize


def stored(x: Any, count: Any, out: Any, i: Any, j: Any, given: Any) -> None:
    """The finish of a product that is only stored."""
    put_some(x, out, count, i, j)


# -- the products ------------------------------------------------------------------------------------


def affine(a: Any, b: Any, bias: Any, out: Any, room: Any, finish: Any, given: Any) -> None:
    """a b + bias; the bias may be ()."""
    left = (_copy_rows, _copied_rows, _singles_by_rows, a, a)
    right = (_pack, _fetch, _pack_singles, b, b.shape[0], b.shape[1])
    copied = b.shape[1] >= COPIED_ROWS
    _blocks(copied, left, right, (bias, out, finish, given), room)


def dot_by_t(a: Any, b: Any, out: Any, room: Any, finish: Any, given: Any) -> None:
    """a bᵀ."""
    left = (_copy_rows, _copied_rows, _singles_by_rows, a, a)
    right = (pack_turned, _fetch_turned, _pack_singles_turned, b, b.shape[1], b.shape[0])
    copied = b.shape[0] >= COPIED_ROWS
    _blocks(copied, left, right, ((), out, finish, given), room)


def dot_t(a: Any, b: Any, out: Any, room: Any, finish: Any, given: Any) -> None:
    """aᵀ b."""
    left = (_copy_columns, _copied_columns, _singles_by_columns, a, a.T)
    right = (_pack, _fetch, _pack_singles, b, b.shape[0], out.shape[1])
    rivals = out.shape[0] * a.itemsize % RIVALS == 0
    copied = out.shape[1] >= (COPIED_RIVALS if rivals else COPIED_COLUMNS)
    _blocks(copied, left, right, ((), out, finish, given), room)


# -- blocks ------------------------------------------------------------------------------------------


@apart
def _blocks(copied: Any, left: Any, right: Any, target: Any, room: Any) -> None:
    copy, inner, out = left[0], right[4], target[1]
    m = out.shape[0]
    tall, deep = _even(m, TALL // out.itemsize, rows_of_tile(out)), _even(inner, DEEP, 1)
    block = room[_panel_from(out) + DEEP * VECTORS * lanes(out) :]
    for top in range(0, m, tall):
        height = min(m - top, tall)
        for first in range(0, inner, deep):
            length = min(inner - first, deep)
            where = (top, height, first, length, first == 0, first + length == inner)
            if copied:
                copy(left[3], where, block)
                _columns(left, block, where, right, target, room)
            else:
                _columns(left, left[4], where, right, target, room)


def _even(n: Any, most: Any, unit: Any) -> Any:
    """The length of blocks of n things, at most so many in each: as equal as may be, in units."""
    blocks = max((n + most - 1) // most, 1)
    return max((n + blocks * unit - 1) // (blocks * unit), 1) * unit


@apart
def _copy_rows(a: Any, where: Any, block: Any) -> None:
    """Copy rows of a, so many that they fill tiles."""
    top, height, first, length = where[:4]
    n, last, unit = lanes(a), top + height - 1, rows_of_tile(a)
    to = shaped(block, ((height + unit - 1) // unit * unit, _long(a)))
    for i in range(to.shape[0]):
        row, ahead = min(top + i, last), min(top + i + unit, last)
        for p in range(0, length, LINE // a.itemsize):
            fetch(a, ahead, first + p)
        for p in range(0, length - n + 1, n):
            put(vector(a, row, first + p), to, i, p)
        for p in range(length - length % n, length):
            to[i, p] = a[row, first + p]


def _copied_rows(block: Any, i: Any) -> Any:
    """The copied rows of a tile."""
    return shaped(block[i * _long(block) :], (rows_of_tile(block), _long(block)))


@apart
def _copy_columns(a: Any, where: Any, block: Any) -> None:
    """Copy columns of a, so many that they fill tiles, one tile after the other."""
    columns_in_tiles(a, where, DEEP, block)


def columns_in_tiles(a: Any, where: Any, deep: Any, block: Any) -> None:
    """Copy columns of a, with room for so many of their numbers in each tile."""
    top, height, first, length = where[:4]
    unit = rows_of_tile(a)
    tiles = shaped(block, ((height + unit - 1) // unit, deep, unit))
    whole = height // unit
    for p in range(length):
        row, ahead = first + p, first + min(p + unit, length - 1)
        for k in range(0, height, LINE // a.itemsize):
            fetch(a, ahead, top + k)
        for t in range(whole):
            for r in unrolled(unit):
                tiles[t, p, r] = a[row, top + t * unit + r]
        for t in range(whole, tiles.shape[0]):
            for r in unrolled(unit):
                tiles[t, p, r] = a[row, top + min(t * unit + r, height - 1)]


def _copied_columns(block: Any, i: Any) -> Any:
    """The copied columns of a tile, as rows."""
    return shaped(block[i * DEEP :], (DEEP, rows_of_tile(block))).T


# -- panels --------------------------------------------------------------------------------------------


@apart
def _columns(left: Any, a: Any, where: Any, right: Any, target: Any, room: Any) -> None:
    """All columns of a block. a is the block, copied, or has a row for each row of the product."""
    pack, b, n, singles = right[0], right[3], right[5], left[2]
    one = lanes(b)
    wide = VECTORS * one
    panel = shaped(room[_panel_from(b) :], (where[3], wide))
    whole, rest = n - n % wide, n % wide
    for j in range(0, whole, wide):
        pack(b, where[2], j, wide, panel)
        _panel(_sums, VECTORS, left, a, where, panel, right, j, wide, target, room)
    if rest > one + SINGLE:
        pack(b, where[2], whole, rest, panel)
        _panel(_sums, VECTORS, left, a, where, panel, right, whole, rest, target, room)
        return
    few = rest % one if rest % one <= SINGLE else 0
    for j in range(whole, n - few, one):
        pack(b, where[2], j, min(n - j, one), panel)
        _panel(_sums, 1, left, a, where, panel, right, j, min(n - j, one), target, room)
    if few > 0:
        singles(left, a, where, right, n - few, few, target, room)


@apart
def _panel(
    sum: Any, vectors: Any, left: Any, a: Any, where: Any, panel: Any, right: Any, j: Any, count: Any,
    target: Any, room: Any,
) -> None:  # fmt: skip
    """All tiles of a panel. Meanwhile the next panel is fetched."""
    ahead, height, length = right[1], where[1], where[3]
    unit = rows_of_tile(panel)
    lines = (length * unit + height - 1) // height
    rest = height % unit
    more = unit > MORE and rest > FEW and rest <= MORE
    many = height - rest if rest <= FEW or more else height
    for i in range(0, many, unit):
        ahead(right[3], where, j + count, i // unit * lines, lines)
        _tile(sum, unit, vectors, left, a, where, i, panel, j, count, target, room)
    if many < height and rest <= FEW:
        _tile(sum, FEW, vectors, left, a, where, many, panel, j, count, target, room)
    elif more:
        _tile(sum, MORE, vectors, left, a, where, many, panel, j, count, target, room)


def _tile(
    sum: Any, tall: Any, vectors: Any, left: Any, a: Any, where: Any, i: Any, panel: Any, j: Any,
    count: Any, target: Any, room: Any,
) -> None:  # fmt: skip
    """Row i of a block and those after it, by a panel."""
    of, top, height = left[1], where[0], where[1]
    sums = shaped(room, (ROWS, VECTORS * lanes(target[1])))
    if where[3] >= LONG:
        for r in unrolled(tall):
            fetch(target[1], top + min(i + r, height - 1), j)
    if len(a.shape) == 1:
        sum(tall, vectors, of(a, i), 0, tall, 0, panel, sums)
    else:
        sum(tall, vectors, a, top + i, top + height, where[2], panel, sums)
    _finish(vectors, sums, where, top + i, min(height - i, tall), j, count, target)


@apart
def _pack(b: Any, first: Any, j: Any, count: Any, panel: Any) -> None:
    """panel[p, :] = b[first + p, j:j + count]."""
    n = lanes(b)
    for p in range(panel.shape[0]):
        for v in unrolled(VECTORS):
            put(some(b, count - v * n, first + p, j + v * n), panel, p, v * n)


@apart
def pack_turned(b: Any, first: Any, j: Any, count: Any, panel: Any) -> None:
    """panel[p, :] = b[j:j + count, first + p]."""
    deep = panel.shape[0]
    part = b[j : j + count, first : first + deep]
    whole, four = deep - deep % 4, count - count % 4
    for c in range(0, four, 4):
        for p in range(0, whole, 4):
            turned_block(part, (c, c + 1, c + 2, c + 3), p, panel, c)
        for p in range(whole, deep):
            for k in unrolled(4):
                panel[p, c + k] = part[c + k, p]
    for c in range(four, panel.shape[1]):
        row = min(c, count - 1)
        for p in range(deep):
            panel[p, c] = part[row, p]


@apart
def _fetch(b: Any, where: Any, j: Any, begin: Any, lines: Any) -> None:
    """Fetch a part of the next panel."""
    column = min(j, b.shape[1] - 1)
    for p in range(begin, min(begin + lines, where[3])):
        fetch(b, where[2] + p, column)


@apart
def _fetch_turned(b: Any, where: Any, j: Any, begin: Any, lines: Any) -> None:
    """The same for a panel of columns."""
    wide = VECTORS * lanes(b)
    for p in range(begin, min(begin + lines, where[3])):
        fetch(b, min(j + p % wide, b.shape[0] - 1), where[2] + p // wide * wide)


# -- tiles ---------------------------------------------------------------------------------------------


@apart
def _sums(
    tall: Any, vectors: Any, a: Any, i: Any, end: Any, first: Any, panel: Any, to: Any
) -> None:
    """The sums of a tile: rows i, i + 1, … of a by a panel of b."""
    n = lanes(to)
    at = several(tall, 0)
    for r in unrolled(tall):
        at[r] = min(i + r, end - 1)
    sums = several(tall * vectors, spread(0, to))
    right = several(vectors, spread(0, to))
    for p in range(panel.shape[0]):
        for v in unrolled(vectors):
            right[v] = vector(panel, p, v * n)
        for r in unrolled(tall):
            x = a[at[r], first + p]
            for v in unrolled(vectors):
                sums[r * vectors + v] = sums[r * vectors + v] + x * right[v]
    for r in unrolled(tall):
        for v in unrolled(vectors):
            put(sums[r * vectors + v], to, r, v * n)


@apart
def _finish(
    vectors: Any, sums: Any, where: Any, i: Any, height: Any, j: Any, count: Any, target: Any
) -> None:
    """Add the bias to sums, or the sums of earlier blocks; then finish them."""
    bias, out, finish, given = target
    begins, ends = where[4:]
    n = lanes(out)
    for r in range(height):
        for v in unrolled(vectors):
            x = several(1, vector(sums, r, v * n))
            if not begins:
                x[0] = x[0] + some(out, count - v * n, i + r, j + v * n)
            elif len(bias) > 0:
                x[0] = x[0] + some(bias, count - v * n, j + v * n)
            if ends:
                finish(x[0], count - v * n, out, i + r, j + v * n, given)
            else:
                put_some(x[0], out, count - v * n, i + r, j + v * n)


# -- single columns ------------------------------------------------------------------------------------


def _singles_by_rows(
    left: Any, a: Any, where: Any, right: Any, j: Any, count: Any, target: Any, room: Any
) -> None:
    """Columns beyond whole vectors: the lanes are neighbours along the inner axis."""
    columns = shaped(room[_panel_from(target[1]) :], (SINGLE, where[3]))
    pack = right[2]
    pack(right[3], where[2], j, count, columns)
    _panel(_sums_along, 1, left, a, where, columns, right, j, count, target, room)


@apart
def _pack_singles(b: Any, first: Any, j: Any, count: Any, columns: Any) -> None:
    """columns[c, :] = b[first:, j + c]."""
    for p in range(columns.shape[1]):
        for c in unrolled(SINGLE):
            columns[c, p] = b[first + p, min(j + c, j + count - 1)]


@apart
def _pack_singles_turned(b: Any, first: Any, j: Any, count: Any, columns: Any) -> None:
    """columns[c, :] = b[j + c, first:]."""
    for c in range(SINGLE):
        row = min(j + c, j + count - 1)
        for p in range(columns.shape[1]):
            columns[c, p] = b[row, first + p]


@apart
def _sums_along(
    tall: Any, vectors: Any, a: Any, i: Any, end: Any, first: Any, columns: Any, to: Any
) -> None:
    """The sums of rows i, i + 1, … of a by single columns."""
    n, deep = lanes(to), columns.shape[1]
    at = several(tall, 0)
    for r in unrolled(tall):
        at[r] = min(i + r, end - 1)
    sums = several(tall * SINGLE, spread(0, to))
    right = several(SINGLE, spread(0, to))
    for p in range(0, deep - n + 1, n):
        for c in unrolled(SINGLE):
            right[c] = vector(columns, c, p)
        for r in unrolled(tall):
            x = vector(a, at[r], first + p)
            for c in unrolled(SINGLE):
                sums[r * SINGLE + c] = sums[r * SINGLE + c] + x * right[c]
    rest = deep % n
    if rest > 0:
        for c in unrolled(SINGLE):
            right[c] = some(columns, rest, c, deep - rest)
        for r in unrolled(tall):
            x = some(a, rest, at[r], first + deep - rest)
            for c in unrolled(SINGLE):
                sums[r * SINGLE + c] = sums[r * SINGLE + c] + x * right[c]
    for r in unrolled(tall):
        for c in unrolled(SINGLE):
            to[r, c] = total(sums[r * SINGLE + c])


@apart
def _singles_by_columns(
    left: Any, a: Any, where: Any, right: Any, j: Any, count: Any, target: Any, room: Any
) -> None:
    """Columns beyond whole vectors of aᵀ b: the lanes are neighbours along a's columns."""
    top, height, first, length = where[:4]
    n = lanes(target[1])
    columns = shaped(room[_panel_from(target[1]) :], (SINGLE, length))
    pack = right[2]
    pack(right[3], first, j, count, columns)
    many = rows_of_tile(room) * n
    sums = shaped(room, (many, n))
    turned = shaped(room[many * n :], (SINGLE, many))
    for i in range(0, height, many):
        high = min(height - i, many)
        if high == many:
            _sums_across(left[3], first, top + i, many, columns, turned)
        else:
            _sums_across(left[3], first, top + i, high, columns, turned)
        for r in range(high):
            for c in unrolled(SINGLE):
                sums[r, c] = turned[c, r]
        _finish(1, sums, where, top + i, high, j, count, target)


@apart
def _sums_across(a: Any, first: Any, i: Any, count: Any, columns: Any, to: Any) -> None:
    """The sums of columns i, i + 1, … of a by single columns."""
    n, vectors = lanes(to), rows_of_tile(to)
    sums = several(vectors * SINGLE, spread(0, to))
    for p in range(columns.shape[1]):
        for v in unrolled(vectors):
            x = some(a, count - v * n, first + p, i + v * n)
            for c in unrolled(SINGLE):
                sums[v * SINGLE + c] = sums[v * SINGLE + c] + x * columns[c, p]
    for v in unrolled(vectors):
        for c in unrolled(SINGLE):
            put(sums[v * SINGLE + c], to, c, v * n)
