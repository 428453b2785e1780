"""Parquet files, read by DuckDB (extra `[data]`)."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from typing import Any

from chainrule.datasets.arrow import arrow_columns
from chainrule.datasets.forms import Kinds
from chainrule.datasets.frames import by_unique_name
from chainrule.datasets.matching import typed_table
from chainrule.datasets.opening import Pathish, refuse_others, regular_file, room_for
from chainrule.datasets.rules import Reading, reading_of
from chainrule.datasets.table import Table
from chainrule.datasets.wording import no_rows, quoted, some
from chainrule.errors import ExtraMissingError, FormatError
from chainrule.lang.messages import _

__all__ = ["parquet_table", "read_parquet"]

#: What pandas calls an index without a name in a Parquet file.
INDEX = re.compile(r"__index_level_\d+__")
#: DuckDB fetches no extension from the network, and nothing in a file can change that.
SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "lock_configuration": "true",
}


def read_parquet(
    path: Pathish,
    kinds: Kinds | None = None,
    *,
    decimal: str = "",
    missing_words: Iterable[str] | None = None,
    day_first: bool | None = None,
) -> Table:
    """Read a Parquet file; its cells become those of a table as an Arrow frame's do, see `Table`.

    The options are those of `read_csv`, for columns of texts; only words that are given as
    `missing_words` count as missing, since the file knows which cells are.

    Raises:
        DataError: the file cannot be opened, has no rows, or a column that no table can have.
        ExtraMissingError: DuckDB is not installed.
        FormatError: not a Parquet file, or a damaged one.
    """
    return parquet_table(path, reading_of(kinds, decimal, missing_words, day_first))


def parquet_table(path: Pathish, reading: Reading) -> Table:
    """`read_parquet`, with all options in one `Reading`."""
    where = os.fspath(path)
    regular_file(path)
    with open(path, "rb") as file:
        refuse_others(file.read(2048), where, "Parquet", ("Parquet",))
    try:
        import duckdb
    except ImportError:
        raise ExtraMissingError(
            _(
                "reading Parquet needs DuckDB, which is in the extra [data]: pip install"
                " 'chainrule[data]'."
            )
        ) from None
    name = glob.escape(os.path.abspath(where))
    try:
        with duckdb.connect(config=SETTINGS) as connection:
            names = _checked_names(connection, name, where)
            columns = arrow_columns(connection.read_parquet(name), where, reading.judged, names)
    except (duckdb.Error, RuntimeError) as problem:
        raise FormatError(
            _(
                "{where}: the Parquet file is damaged, or of a kind that DuckDB cannot read: {problem}. Get"
                " it again.",
                where=where,
                problem=str(problem).split("\n")[0].rstrip(". ")[:200],
            )
        ) from None
    table = typed_table(by_unique_name(columns, where), reading, where)
    index = [name for name in table.names if INDEX.fullmatch(name) and name not in reading.kinds]
    if not index or len(index) == len(table.names):
        return table
    return table.drop(*index).with_notes(
        _("{names} is the index of a pandas frame; it was left out.", names=some(index, 3, quoted))
    )


def _checked_names(connection: Any, name: str, where: str) -> list[str]:
    """The names of the columns, which DuckDB changes where two are alike."""
    query = "select name, num_children from parquet_schema(?)"
    schema = connection.execute(query, [name]).fetchall()
    names, below = [], 0
    for column, children in schema[1:]:
        if not below:
            names.append(str(column))
        below = max(below - 1, 0) + (children or 0)
    query = "select sum(num_rows) from parquet_file_metadata(?)"
    rows = int(connection.execute(query, [name]).fetchall()[0][0] or 0)
    if rows < 1:
        raise no_rows(where)
    room_for(16 * rows * len(names), where)
    return names
