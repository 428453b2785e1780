"""CSV and its relatives, read column by column; every number is checked, nothing is guessed away.

The file is walked through once for the numbers. Columns that are not numbers all the way
down are walked through a second time as texts, and there the mistakes are told apart
from real text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from chainrule.datasets.cells import MISSING, numbers_of
from chainrule.datasets.columns import Column, Texts
from chainrule.datasets.encodings import as_utf8
from chainrule.datasets.mistakes import mistake
from chainrule.datasets.opening import Pathish, fetch, refuse_others, room_for, unpacked
from chainrule.datasets.remarks import noticed
from chainrule.datasets.table import Table
from chainrule.datasets.text_rows import TextFile, refuse_other_separators, separator_of
from chainrule.errors import DataError, shown

__all__ = ["Kinds", "parse_csv", "read_csv"]

CELLS_A_CHUNK = 400_000

#: What columns are known to hold, by name.
Kinds = Mapping[str, Literal["text", "number"]]


def read_csv(
    path: Pathish, encoding: str = "utf-8", header: bool = True, kinds: Kinds | None = None
) -> Table:
    """Read a text table: separated by commas, semicolons or tabs, also packed as .gz.

    A column is numbers (int64, or float64 with NaN for missing) when every cell that is
    not missing is a plain decimal number, and text otherwise. Whole numbers of which some
    begin with a zero (007, a zip code) are text. Missing is: nothing, NA,
    N/A, NaN, nan, null, ?. Spaces around a cell are taken off. What was done by rule is in
    the table's `notes`.

    Args:
        path: the file.
        encoding: how its letters are stored; a byte-order mark is taken off.
        header: the first row holds the names; False names the columns x0, x1, ….
        kinds: "text" or "number" for columns whose kind is known, so that the cells of this
            one file do not decide it: text stays as it is written, numbers may begin with
            zeros. `Preparation.kinds` has those of the training rows.

    Raises:
        DataError: the file cannot be opened, or its rows or cells cannot be used; the
            message says line and column.
        FormatError: the file is not text in this encoding, or its quotes do not close.
        SettingError: an unknown encoding.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "pets.csv")
    >>> _ = file.write_text("name,age\\nTom,3\\nRex,\\n")
    >>> read_csv(file)["age"].tolist()
    [3.0, nan]
    """
    data = fetch(path)
    where = str(path)
    if where.lower().endswith(".gz"):
        refuse_others(data, where, "gzip", ("gzip",))
        data = unpacked(data, where)
    return parse_csv(data, where, encoding, header, kinds)


def parse_csv(
    data: bytes,
    source: str,
    encoding: str = "utf-8",
    header: bool = True,
    kinds: Kinds | None = None,
) -> Table:
    """The table in the bytes of a CSV file; `source` is its name in messages.

    >>> parse_csv(b"a;b\\n1;x\\n", "small.csv").notes
    ('The columns are separated by semicolons.',)
    """
    data = as_utf8(data, source, encoding)
    if not data.strip():
        raise DataError(f"{source} is empty. A table needs a row of names and rows of data.")
    if first := re.match(rb'"?sep=(.)"?\r?\n', data):
        raise DataError(
            f"{source}:1: this line only says which separator spreadsheets are to take"
            f" ({shown(first[1].decode('utf-8', 'replace'))}), and is no row of names. Take the line out."
        )
    separator = separator_of(data)
    refuse_other_separators(data, source)
    file = TextFile(data, source, separator, dict(kinds or {}))
    file.read_names(header)
    cells = data.count(separator.encode()) + data.count(b"\n") + 1
    room_for(len(data) + 8 * cells, source)
    columns = _read_numbers(file)
    file.raise_problems()
    if not file.lines:
        raise DataError(
            f"{source} has 0 rows: there is nothing after the row of names. "
            "Add rows of data"
            + (", or say header=False (--no-header) if the first row is data." if header else ".")
        )
    texts = _read_texts(file, [j for j, column in enumerate(columns) if column is None])
    return _assembled(file, columns, texts)


def _read_numbers(file: TextFile) -> list[list[Column] | None]:
    """First pass: for every column its chunks of numbers, or None if it is text."""
    width = len(file.names)
    columns: list[list[Column] | None] = [
        None if file.kinds.get(name) == "text" else [] for name in file.names
    ]
    digits, zeros = [True] * width, [False] * width
    chunk_rows = max(50, CELLS_A_CHUNK // width)
    rows: list[list[str]] = []

    def take() -> None:
        for j, cells in enumerate(zip(*rows, strict=True)):
            chunks = columns[j]
            if chunks is not None:
                numbers = numbers_of(cells)
                if numbers is None:
                    columns[j] = None
                else:
                    chunks.append(numbers.values)
                    digits[j] = digits[j] and numbers.digits
                    zeros[j] = zeros[j] or numbers.zeros
        rows.clear()

    for row in file.rows(first_pass=True):
        rows.append(row)
        if len(rows) == chunk_rows:
            take()
    if rows:
        take()
    for j, name in enumerate(file.names):
        if columns[j] is not None and digits[j] and zeros[j] and name not in (" ", *file.kinds):
            columns[j] = None
            file.kinds[name] = "text"
            file.notes.append(f"{name!r} holds numbers that begin with 0, so it is read as text.")
    return columns


def _read_texts(file: TextFile, which: list[int]) -> dict[int, Texts]:
    """Second pass: these columns as texts; mistaken numbers among them are one error."""
    if not which:
        return {}
    seen: list[dict[str, int]] = [{} for _ in which]
    codes = np.empty((len(which), len(file.lines)), dtype=np.int32)
    pairs = list(enumerate(which))
    for i, row in enumerate(file.rows(first_pass=False)):
        for k, j in pairs:
            cell = row[j].strip()
            known = seen[k]
            codes[k, i] = -1 if cell in MISSING else known.setdefault(cell, len(known))
    texts = {j: Texts(codes[k], tuple(seen[k])) for k, j in pairs}
    guessed = [j for j in which if file.kinds.get(file.names[j]) != "text"]
    problems = [found for j in guessed if (found := mistake(file, j, texts[j]))]
    if problems:
        more = f"\n(and {len(problems) - 5} more columns)" if len(problems) > 5 else ""
        raise DataError("\n".join(problems[:5]) + more)
    return texts


def _assembled(
    file: TextFile, columns: list[list[Column] | None], texts: dict[int, Texts]
) -> Table:
    rows = len(file.lines)
    by_type: dict[np.dtype[Any], list[int]] = {}
    for j, chunks in enumerate(columns):
        if chunks is not None:
            kinds = {chunk.dtype for chunk in chunks}
            common = np.result_type(*kinds)
            by_type.setdefault(common, []).append(j)
    blocks = []
    for dtype, members in by_type.items():
        block = np.empty((rows, len(members)), dtype=dtype)
        for k, j in enumerate(members):
            start = 0
            for chunk in columns[j] or ():
                block[start : start + len(chunk), k] = chunk
                start += len(chunk)
            columns[j] = None
        blocks.append(([file.names[j] for j in members], block))
    named = {file.names[j]: text for j, text in texts.items()}
    notes = list(file.notes)
    if file.blank:
        notes.append(f"{file.blank} blank line{'s were' if file.blank > 1 else ' was'} skipped.")
    if file.trailing:
        s = "s" if file.trailing > 1 else ""
        notes.append(f"A separator at the end of {file.trailing} row{s} was taken off.")
    lines = np.array(file.lines, dtype=np.int64)
    table = Table.assembled(file.names, blocks, named, file.source, notes, lines=lines)
    return noticed(_without_index(table) if " " in table else table)


def _without_index(table: Table) -> Table:
    """Leave out the column named " " if it counts the rows; else it is an error."""
    if table.kind(" ") == "int" and bool((np.diff(table[" "]) == 1).all()):
        return table.drop(" ").noted(
            "The first column has no name and only counts the rows; it was left out."
        )
    raise DataError(
        f"{table.source}:1: column 1 has no name, and it does not just count the rows. "
        "Give every column a name in the first row."
    )
