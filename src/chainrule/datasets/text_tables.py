"""CSV and similar text tables: from bytes to rows of cells, and on to the columns of a table."""

from __future__ import annotations

import os
from collections.abc import Iterable

from chainrule.datasets.column_reader import ColumnReader
from chainrule.datasets.encodings import as_utf8
from chainrule.datasets.forms import Kinds
from chainrule.datasets.layouts import Layout, layout_of
from chainrule.datasets.opening import (
    Pathish,
    fetch,
    refuse_others,
    regular_file,
    room_for,
    unpacked,
)
from chainrule.datasets.rules import Reading, reading_of
from chainrule.datasets.storage import DISK, MEMORY, Storage
from chainrule.datasets.streams import TextStream
from chainrule.datasets.table import Table
from chainrule.datasets.text_rows import TextFile
from chainrule.errors import DataError
from chainrule.lang.messages import _
from chainrule.memory import memory_limit

__all__ = ["parse_csv", "parse_text", "read_csv", "read_rows", "read_text"]

#: Reading a table and training on it take about so many times the memory of its text.
SHARE = 4


def read_csv(
    path: Pathish,
    encoding: str = "utf-8",
    header: bool | None = None,
    kinds: Kinds | None = None,
    *,
    decimal: str = "",
    missing_words: Iterable[str] | None = None,
    day_first: bool | None = None,
) -> Table:
    """Read a text table: separated by commas, semicolons, tabs, bars or spaces, also packed as .gz.

    A column is numbers (int64, or float64 with NaN for missing) when its cells can be read as
    numbers, as people write them: 1,234.5, 1.234,5, $12, 12 kg, 52.88%, (34.44) for -34.44. Words
    among them are kept beside the numbers (`Table.words`) if there are fewer distinct words than
    numbers; else the column is text. Whole numbers that begin with a zero (007, a zip code) are
    text. The table's `notes` list all such decisions.

    Args:
        path: the file.
        encoding: the encoding of the file; a byte-order mark is removed.
        header: whether the first row holds the names; by default its cells decide. Without names
            the columns are x0, x1, ….
        kinds: "text", "number" or "date" for columns whose kind is known: text stays as it is
            written, numbers may begin with zeros, words among numbers count as missing, dates
            become days since 1970-01-01. `Preprocessor.forms` has those of the training rows.
        decimal: "." or "," if it is known how decimals are written.
        missing_words: the words for a missing cell, in place of the usual ones (NA, NULL, ?, …).
        day_first: whether 3/4/2024 is in April, for columns of dates.

    Raises:
        DataError: the file cannot be opened, or rows are too long; the message has the line.
        FormatError: the file is not text in this encoding, or its quotes do not close.
        SettingError: an unknown encoding, kind or decimal sign.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "pets.csv")
    >>> _ = file.write_text("name,age\\nTom,3\\nRex,\\n")
    >>> read_csv(file)["age"].tolist()
    [3.0, nan]
    """
    reading = reading_of(kinds, decimal, missing_words, day_first, encoding=encoding, header=header)
    return read_text(path, reading)


def parse_csv(
    data: bytes,
    source: str,
    encoding: str = "utf-8",
    header: bool | None = None,
    kinds: Kinds | None = None,
    *,
    decimal: str = "",
    missing_words: Iterable[str] | None = None,
    day_first: bool | None = None,
) -> Table:
    """The table in the bytes of a CSV file; `source` is its name in messages, the rest as `read_csv`.

    >>> parse_csv(b"a;b\\n1;x\\n", "small.csv").notes
    ('The columns are separated by semicolons.',)
    """
    reading = reading_of(kinds, decimal, missing_words, day_first, encoding=encoding, header=header)
    return parse_text(data, source, reading)


def read_text(path: Pathish, reading: Reading) -> Table:
    """`read_csv`, with all options in one `Reading`."""
    where, most = os.fspath(path), memory_limit() // SHARE
    packed = where.lower().endswith(".gz")
    too_large = regular_file(path).st_size > most
    if not reading.on_disk and not too_large:
        data = fetch(path)
        if packed:
            refuse_others(data, where, "gzip", ("gzip",))
            data = unpacked(data, where, most)
            too_large = len(data) > most
        if not too_large or reading.on_disk is False:
            return parse_text(data, where, reading)
    elif reading.on_disk is False:
        room_for(SHARE * regular_file(path).st_size, where)
    stream = TextStream(path, reading)
    layout = layout_of(stream.head, where)
    layout.stream = stream
    table = read_rows(layout, reading, DISK)
    note = _("The file is larger than memory, so the table is kept in temporary files.")
    return table.with_notes(note) if too_large else table


def parse_text(data: bytes, source: str, reading: Reading) -> Table:
    """`parse_csv`, with all options in one `Reading`."""
    data = as_utf8(data, source, reading.encoding_of(data))
    if not data.strip():
        raise _empty(source)
    layout = layout_of(data, source)
    cells = data.count(layout.separator.encode()) + data.count(b"\n") + 1
    room_for(len(data) + 8 * cells, source)
    return read_rows(layout, reading, MEMORY)


def read_rows(
    layout: Layout, reading: Reading, storage: Storage, dates: frozenset[int] = frozenset()
) -> Table:
    """The table of a layout's rows, its columns kept in `storage`; those of `dates` are dates."""
    file = TextFile(layout, layout.source, dates)
    file.read_names(reading.header, reading.kinds)
    if not file.names:
        raise _empty(layout.source)
    return ColumnReader(file, reading, storage).read_table()


def _empty(source: str) -> DataError:
    return DataError(
        _("{source} is empty. A table needs a row of names and rows of data.", source=source)
    )
