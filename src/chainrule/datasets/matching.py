"""Columns of frames and of files that know their types, as tables: those of training, or all."""

from __future__ import annotations

from collections.abc import Mapping

from chainrule.datasets.forms import Kinds
from chainrule.datasets.frames import THE_FRAME
from chainrule.datasets.remarks import with_data_notes
from chainrule.datasets.rules import Reading
from chainrule.datasets.table import Table
from chainrule.datasets.typed import read_typed
from chainrule.datasets.wording import absent, some
from chainrule.errors import DataError
from chainrule.lang.messages import _p

__all__ = ["table_of", "typed_table"]


def table_of(columns: Mapping[str, object], known: Kinds, source: str = THE_FRAME) -> Table:
    """A table of the `known` columns, read in their known forms; other columns are ignored.

    Raises:
        DataError: a known column is absent, or cannot be a column of a table.
    """
    names = [name for name in known if name not in columns]
    if names:
        free = [name for name in columns if name not in known]
        here = some(list(columns), rest="…") if columns else _p("columns of a table", "none")
        raise DataError(absent(source, names, free, here))
    used = {name: value for name, value in columns.items() if name in known}
    return Table(used, source, kinds=known)


def typed_table(columns: Mapping[str, object], reading: Reading, source: str) -> Table:
    """A table of columns from a file that knows their types; `reading` may say more of some.

    Raises:
        DataError: a column that no table can have.
    """
    read = read_typed(columns, reading, source)
    table = Table.from_blocks(
        list(columns),
        read.blocks,
        read.texts,
        source,
        read.notes,
        words=read.words,
        forms=read.forms,
    )
    return with_data_notes(table, [name for name in table.names if reading.judged(name)])
