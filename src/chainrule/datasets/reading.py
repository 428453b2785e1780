"""`read(path)`: a table from a file of any kind, by its name and its first bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Literal

from chainrule.datasets.excel import EXCEL_ENDINGS, excel_table
from chainrule.datasets.forms import Kinds
from chainrule.datasets.idx import read_idx
from chainrule.datasets.numpy_files import read_npy, read_npz
from chainrule.datasets.opening import ADVICE, Pathish, fetch, regular_file, unpacked
from chainrule.datasets.parquet import parquet_table
from chainrule.datasets.rules import Reading, reading_of
from chainrule.datasets.sql import SQLITE_ENDINGS, sqlite_table
from chainrule.datasets.table import Table
from chainrule.datasets.text_tables import read_text
from chainrule.errors import FormatError
from chainrule.file_kinds import file_kind, kind_name
from chainrule.lang.messages import _

__all__ = ["ENDINGS", "FileFormat", "format_of", "read", "read_with"]

FileFormat = Literal["text", "excel", "parquet", "sqlite", "npy", "npz", "idx"]

#: The endings of each format; a text table may have any other ending, too, or none.
ENDINGS: dict[FileFormat, tuple[str, ...]] = {
    "text": (".csv", ".tsv", ".txt", ".data", ".dat", ".tab", ".psv"),
    "excel": EXCEL_ENDINGS,
    "parquet": (".parquet", ".pq"),
    "sqlite": SQLITE_ENDINGS,
    "npy": (".npy",),
    "npz": (".npz",),
    "idx": (".idx", "-ubyte", ".idx1", ".idx2", ".idx3"),
}
PACKED: tuple[FileFormat, ...] = ("text", "idx")
#: The formats of files without a known ending, by what their first bytes say.
BY_KIND: dict[str, FileFormat] = {
    "IDX": "idx", "npy": "npy", "zip": "npz", "Parquet": "parquet", "SQLite": "sqlite",
    "text": "text",
}  # fmt: skip


def format_of(path: Pathish) -> FileFormat | None:
    """The format of a file by its name alone; None if the ending is not known.

    >>> format_of("pets.csv.gz"), format_of("pets.xlsx"), format_of("pets")
    ('text', 'excel', None)
    """
    name = os.path.basename(os.fspath(path)).lower()
    for format, endings in ENDINGS.items():
        if name.endswith(endings) or (
            format in PACKED and name.removesuffix(".gz").endswith(endings)
        ):
            return format
    return None


def read(
    path: Pathish,
    kinds: Kinds | None = None,
    *,
    decimal: str = "",
    missing_words: Iterable[str] | None = None,
    day_first: bool | None = None,
) -> Table:
    """Read a table from a file: text (see `read_csv`), IDX, .npy, .npz; text and IDX also .gz.

    Excel (`read_excel`), Parquet (`read_parquet`) and SQLite with a single table (`read_sql`), too,
    with the extra `[data]`.

    The name's ending says what the file should be; if the first bytes say something else,
    that is an error. A name without a known ending goes by the first bytes alone. The
    options are those of `read_csv`; files of arrays need none.

    Raises:
        DataError: the file cannot be opened or its contents cannot be used.
        FormatError: the file is not what its name says, of an unknown kind, or damaged.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "pets.csv")
    >>> _ = file.write_text("name,age\\nTom,3\\n")
    >>> read(file).names
    ('name', 'age')
    """
    return read_with(path, reading_of(kinds, decimal, missing_words, day_first))


def read_with(path: Pathish, reading: Reading) -> Table:
    """`read`, with all options in one `Reading`."""
    format = format_of(path) or _format_inside(path)
    if format == "text":
        return read_text(path, reading)
    if format == "excel":
        return excel_table(path, reading)
    if format == "parquet":
        return parquet_table(path, reading)
    if format == "sqlite":
        return sqlite_table(path, reading)
    return {"npy": read_npy, "npz": read_npz, "idx": read_idx}[format](path)


def _format_inside(path: Pathish) -> FileFormat:
    """The format of a file by its first bytes."""
    where = os.fspath(path)
    regular_file(path)
    with open(path, "rb") as file:
        data = file.read(2048)
    kind = file_kind(data)
    if kind == "gzip":
        kind = file_kind(unpacked(fetch(path), where, limit=2048))
        if kind in ("npy", "zip"):
            raise FormatError(
                _("{where}: this is a packed NumPy file. Unpack it first.", where=where)
            )
    if kind == "Office" or (kind == "zip" and _is_workbook(path)):
        return "excel"
    if kind in BY_KIND:
        return BY_KIND[kind]
    raise FormatError(
        _(
            "{where}: a file of this kind cannot be read; it is {kind}. Files that can: text tables such as"
            " .csv, .tsv, .txt, .dat (each also .gz), .xlsx, .parquet, .sqlite, .npy, .npz, and IDX."
            " {advice}",
            where=where,
            kind=kind_name(kind),
            advice=ADVICE.get(kind) or _("If it is a table, save it as CSV."),
        )
    )


def _is_workbook(path: Pathish) -> bool:
    """Whether a zip file is a workbook, by the names of its parts."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as file:
            return any(name.startswith("xl/") or name == "content.xml" for name in file.namelist())
    except (zipfile.BadZipFile, OSError, NotImplementedError):
        return False
