"""Columns of Arrow frames (polars, pyarrow, DuckDB, …) as columns of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.datasets.arrow_c import ArrowSchema, Chunk, chunks_of, metadata_of
from chainrule.datasets.columns import Column, Read, Texts, whole_or_not
from chainrule.datasets.dates import days_of
from chainrule.datasets.rules import every
from chainrule.datasets.wording import at_column, quoted
from chainrule.errors import DataError
from chainrule.lang.messages import _

__all__ = ["arrow_columns"]

NUMBERS = dict(
    zip(
        (b"c", b"C", b"s", b"S", b"i", b"I", b"l", b"L", b"e", b"f", b"g"),
        ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"),
        strict=True,
    )
)
#: Letters of the units of time in formats, as NumPy names them.
UNITS = {"s": "s", "m": "ms", "u": "us", "n": "ns"}
#: What the types that no column can have are called, by the beginning of their format.
REFUSED = {
    b"+m": "map", b"+l": "list", b"+L": "list", b"+v": "list", b"+w": "list", b"+s": "struct",
    b"+u": "union", b"+r": "run-end encoded", b"z": "binary", b"Z": "binary", b"vz": "binary",
    b"w:": "binary", b"ti": "interval",
}  # fmt: skip
SMALL = 2**53


def arrow_columns(
    data: Any,
    source: str,
    wanted: Callable[[str], bool] = every,
    names: Sequence[str] | None = None,
) -> list[tuple[str, Read]]:
    """The columns of an object with `__arrow_c_stream__`, with their names, in order.

    `names` may be known better. Of a column that is not `wanted`, cells that no table can have
    count as missing.

    Null and NaN are missing cells; decimals become floats, dates and instants days since
    1970-01-01 (UTC), spans and times of day days; dictionaries give their values.

    Raises:
        DataError: a list, a struct, binary data, or a type that a package defines; it is named.
    """
    columns: list[_ArrowColumn] = []
    for schema, chunks in chunks_of(data, source):
        if not columns:
            own = schema.format == b"+s"
            kinds = (
                [schema.children[i].contents for i in range(schema.n_children)] if own else [schema]
            )
            if names is None:
                names = [(kind.name or b"").decode("utf-8", "replace") for kind in kinds]
            columns = [
                _ArrowColumn(kind, at_column(source, quoted(name, 80)), wanted(name))
                for kind, name in zip(kinds, names, strict=True)
            ]
        for column, chunk in zip(columns, chunks, strict=False):
            column.add(chunk)
    return [(name, column.read()) for name, column in zip(names or (), columns, strict=True)]


class _ArrowColumn:
    """A column of a stream, gathered chunk by chunk."""

    def __init__(self, schema: ArrowSchema, where: str, wanted: bool) -> None:
        self.format, self.where = schema.format, where
        self.parts: list[Column] = []
        self.seen: dict[bytes, int] = {b"": -1}
        extension = metadata_of(schema).get(b"ARROW:extension:name")
        self.dictionary = schema.dictionary.contents if schema.dictionary else None
        kind = self.format if self.dictionary is None else self.dictionary.format
        self.texts = kind in (b"u", b"U", b"vu")
        refused = next((name for start, name in REFUSED.items() if kind.startswith(start)), "")
        if extension is not None:
            refused = extension.decode("utf-8", "replace")
        if refused and wanted:
            raise self._refused(refused)
        if refused:
            self.texts, self.dictionary, kind = False, None, b"n"
        self.numbers = None if self.texts else self._reader(kind)

    def add(self, chunk: Chunk) -> None:
        """Take over the cells of a chunk."""
        if self.dictionary is None:
            self.parts.append(self._values(chunk))
            return
        entries = chunk.array.dictionary.contents
        values = self._values(Chunk(entries, entries.offset, entries.length))
        missing: Any = -1 if self.texts else np.nan
        codes = chunk.cells(1, NUMBERS[self.format]).astype(np.int64)
        gaps = chunk.gaps()
        if gaps is not None:
            values = np.append(values, missing)
            codes[gaps] = len(values) - 1
        self.parts.append(values[codes] if len(values) else np.full(len(codes), missing))

    def read(self) -> Read:
        """The column."""
        if not self.texts:
            values = np.concatenate(self.parts) if self.parts else np.empty(0)
            if self.format.startswith(b"t"):
                values = whole_or_not(values.astype(np.float64))
            return Read(values, self.format == b"b", self.format[:2] in (b"td", b"ts"))
        codes = np.concatenate([np.empty(0, np.int32), *self.parts]).astype(np.int32, copy=False)
        categories = [text.decode("utf-8", "surrogateescape") for text in self.seen][1:]
        if self.dictionary is not None:
            return Read(Texts(codes, tuple(categories)).tidy(), categories=True)
        return Read(Texts(codes, tuple(categories)))

    def _values(self, chunk: Chunk) -> Column:
        """The numbers of a chunk, NaN where null; or the codes of its texts, -1 where null."""
        gaps = chunk.gaps()
        if self.numbers is None:
            return self._codes(chunk, gaps)
        values = self.numbers(chunk)
        if gaps is None:
            return values
        return np.where(gaps, np.nan, values)

    def _codes(self, chunk: Chunk, gaps: npt.NDArray[np.bool_] | None) -> Column:
        code_of, count = self.seen.setdefault, chunk.length
        kind = self.format if self.dictionary is None else self.dictionary.format
        cells = (_views if kind == b"vu" else _strings(kind))(chunk)
        if gaps is not None:  # a null may have bytes, too
            cells = [b"" if gap else cell for cell, gap in zip(cells, gaps.tolist(), strict=True)]
        return np.fromiter((code_of(cell, len(self.seen) - 1) for cell in cells), np.int32, count)

    def _reader(self, kind: bytes) -> Callable[[Chunk], Column]:
        text = kind.decode("ascii", "replace")
        if kind in NUMBERS:
            return lambda chunk: chunk.cells(1, NUMBERS[kind]).copy()
        if kind == b"b":
            return lambda chunk: chunk.bits(1)
        if kind == b"n":
            return lambda chunk: np.full(chunk.length, np.nan)
        if text == "tdD":
            return lambda chunk: days_of(chunk.cells(1, np.int32), "D")
        if text[:2] in ("td", "ts", "tD", "tt") and text[2:3] in UNITS:
            size = np.int32 if text in ("tts", "ttm") else np.int64
            return lambda chunk: days_of(chunk.cells(1, size), UNITS[text[2]])
        if text.startswith("d:"):
            _precision, scale, *bits = (int(part) for part in text[2:].split(","))
            words = (bits[0] if bits else 128) // 32
            return lambda chunk: _decimals(chunk, words, scale)
        raise self._refused(text)

    def _refused(self, what: str) -> DataError:
        return DataError(
            _(
                "{where}: a column holds numbers, texts or dates. Got {kind} cells. Leave the column out, or"
                " make it one of these: cast it, or take its parts as columns of their own.",
                where=self.where,
                kind=what,
            )
        )


def _strings(kind: bytes) -> Callable[[Chunk], list[bytes]]:
    offsets_as = np.int32 if kind == b"u" else np.int64

    def cells(chunk: Chunk) -> list[bytes]:
        ends = chunk.buffer(1, offsets_as, chunk.start + chunk.length + 1)[chunk.start :]
        first = int(ends[0])
        data = chunk.buffer(2, np.uint8, int(ends[-1]))[first:].tobytes()
        places = (ends - first).tolist()
        return [data[a:b] for a, b in pairwise(places)]

    return cells


def _views(chunk: Chunk) -> list[bytes]:
    """Texts as views: 12 bytes at most in place, a longer one in a data buffer."""
    views = chunk.cells(1, np.dtype((np.void, 16)))
    parts = views.view(np.int32).reshape(-1, 4)
    raw, lengths = views.tobytes(), parts[:, 0].tolist()
    cells = [raw[16 * i + 4 : 16 * i + 4 + n] for i, n in enumerate(lengths)]
    long = np.flatnonzero(parts[:, 0] > 12)
    if len(long):
        gaps = chunk.gaps()
        long = long if gaps is None else long[~gaps[long]]
        last = chunk.array.n_buffers - 1
        sizes = chunk.buffer(last, np.int64, last - 2).tolist()
        data = [chunk.buffer(i + 2, np.uint8, size) for i, size in enumerate(sizes)]
        for i in long.tolist():
            length, _prefix, buffer, start = parts[i].tolist()
            cells[i] = data[buffer][start : start + length].tobytes()
    return cells


def _decimals(chunk: Chunk, words: int, scale: int) -> Column:
    """Decimal numbers of so many 32-bit words as floats, each the nearest one."""
    cells = chunk.cells(1, np.dtype((np.void, 4 * words))).view(np.int32).reshape(-1, words)
    high = cells[:, 1:] if words == 1 else cells[:, 2:]
    low = cells[:, 0] if words == 1 else np.ascontiguousarray(cells[:, :2]).view(np.int64)[:, 0]
    alone = (high == np.where(low < 0, np.int32(-1), np.int32(0))[:, None]).all()
    if alone and 0 <= scale <= 22 and ((low > -SMALL) & (low < SMALL)).all():
        # Both are exact as floats, so the quotient is the nearest float.
        return low / 10.0**scale
    data, size = cells.tobytes(), 4 * words
    whole = (
        int.from_bytes(data[i : i + size], "little", signed=True) for i in range(0, len(data), size)
    )
    values = (n / 10**scale if scale >= 0 else float(n * 10**-scale) for n in whole)
    return np.fromiter(values, np.float64, chunk.length)
