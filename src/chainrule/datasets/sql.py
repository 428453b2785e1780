"""Results of SQL queries: of an SQLite file, or of any connection of Python's DB-API."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Iterable, Sequence
from typing import Any

from chainrule.datasets.columns import encoded
from chainrule.datasets.forms import Kinds
from chainrule.datasets.frames import by_unique_name
from chainrule.datasets.matching import typed_table
from chainrule.datasets.opening import Pathish, refuse_others, regular_file, room_for
from chainrule.datasets.rules import Reading, reading_of
from chainrule.datasets.table import Table
from chainrule.datasets.typed import Mixed
from chainrule.datasets.wording import no_rows, quoted, some
from chainrule.errors import DataError, FormatError, SettingError, nearest, shown
from chainrule.lang.messages import Spelled, Text, _

__all__ = ["SQLITE_ENDINGS", "read_sql", "sqlite_table"]

SQLITE_ENDINGS = (".sqlite", ".sqlite3", ".db", ".db3")
RESULT = _("the query's result")


def read_sql(
    query: str,
    database: object,
    parameters: Sequence[object] = (),
    kinds: Kinds | None = None,
    *,
    decimal: str = "",
    missing_words: Iterable[str] | None = None,
    day_first: bool | None = None,
) -> Table:
    """The rows that a query gives; the columns are called as in the query.

    Args:
        query: a `select`; in a table's name alone, all of its rows.
        database: the path of an SQLite file, which is opened for reading only; or a connection or a
            cursor of any package with Python's DB-API (sqlite3, psycopg, pymysql, duckdb, …).
        parameters: the values of the query's placeholders.
        kinds, decimal, missing_words, day_first: as in `read_csv`, for columns of texts; only words
            that are given as `missing_words` count as missing, since NULL is the database's own.

    NULL is a missing cell; the other cells are as in `Table`. SQLite may hold numbers and texts in
    one column, which is then read as that of a text table is.

    Raises:
        DataError: the file cannot be opened, the query fails or gives no rows, or a column no
            table can have (binary data).
        FormatError: a file that is no SQLite database.

    >>> import sqlite3
    >>> connection = sqlite3.connect(":memory:")
    >>> _ = connection.execute("create table pets (name text, age real)")
    >>> _ = connection.execute("insert into pets values ('Tom', 3), ('Rex', null)")
    >>> read_sql("select age from pets where age > ?", connection, [1])["age"].tolist()
    [3.0]
    """
    reading = reading_of(kinds, decimal, missing_words, day_first, query=query)
    if isinstance(database, str | os.PathLike):
        return sqlite_table(database, reading, parameters)
    if not hasattr(database, "cursor") and not hasattr(database, "execute"):
        raise SettingError(
            _(
                "database={given}: give the path of an SQLite file, or a connection of a database.",
                given=shown(database),
            )
        )
    cursor = database.cursor() if hasattr(database, "cursor") else database
    return _result(cursor, query, parameters, reading, RESULT)


def sqlite_table(path: Pathish, reading: Reading, parameters: Sequence[object] = ()) -> Table:
    """`read_sql` of an SQLite file, with all options in one `Reading`."""
    import sqlite3

    where = os.fspath(path)
    room_for(4 * regular_file(path).st_size, where)
    with open(path, "rb") as file:
        refuse_others(file.read(2048), where, "SQLite", ("SQLite",))
    address = f"file:{urllib.parse.quote(os.path.abspath(where))}?mode=ro"
    connection = sqlite3.connect(address, uri=True)
    try:
        connection.execute("pragma trusted_schema = off")  # its views call no functions
        connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        tables = _tables(connection)
        return _result(
            connection.cursor(), _query(reading.query, tables, where), parameters, reading, where
        )
    except sqlite3.DatabaseError as problem:
        raise FormatError(
            _(
                "{where}: the database is damaged or not to be read: {problem}.",
                where=where,
                problem=str(problem),
            )
        ) from None
    finally:
        connection.close()


def _tables(connection: Any) -> list[str]:
    rows = connection.execute('select "type", "name" from sqlite_schema').fetchall()
    names = (str(name) for kind, name in rows if kind in ("table", "view"))
    return sorted(name for name in names if not name.startswith("sqlite_"))


def _query(query: str, tables: list[str], where: str) -> str:
    """The query itself; for a table's name, or none where there is one table, all rows of it."""
    if not query:
        if len(tables) != 1:
            option = Spelled(
                "read_sql(query, path) (--query)", command="--query 'select … from …'", page=""
            )
            raise DataError(
                _(
                    "{where}: a query is needed, as there are {count} tables: {names}. Say which rows:"
                    " {option}.",
                    where=where,
                    count=len(tables),
                    names=some(tables),
                    option=option,
                )
            )
        query = tables[0]
    if query in tables:
        quoted_name = query.replace('"', '""')
        return f'select * from "{quoted_name}"'  # noqa: S608 - the name of a table that is there
    if " " not in query.strip() and tables:
        raise DataError(
            _(
                "{where}: no table {name}; {nearest}.",
                where=where,
                name=quoted(query, 80),
                nearest=nearest(query, tables),
            )
        )
    return query


def _result(
    cursor: Any, query: str, parameters: Sequence[object], reading: Reading, source: Text | str
) -> Table:
    try:
        cursor.execute(query, *([tuple(parameters)] if parameters else []))
        described = cursor.description
        rows = cursor.fetchall() if described else []
    except Exception as problem:  # every package has errors of its own
        raise DataError(
            _(
                "{source}: the query failed: {problem}. Got {query}.",
                source=source,
                problem=str(problem).split("\n")[0].rstrip("."),
                query=shown(query, 200),
            )
        ) from None
    if not described:
        raise DataError(
            _(
                "{source}: the query gives no rows; a select is needed. Got {query}.",
                source=source,
                query=shown(query, 200),
            )
        )
    if not rows:
        raise no_rows(source)
    names = [str(column[0]) for column in described]
    cells = zip(*rows, strict=True)
    columns = [(name, _column(list(column))) for name, column in zip(names, cells, strict=True)]
    return typed_table(by_unique_name(columns, source), reading, source)


def _column(cells: list[object]) -> object:
    """The cells; a Mixed column where there are texts and numbers."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if str in kinds and kinds & {int, float}:
        return Mixed(encoded("" if cell is None else str(cell) for cell in cells))
    return cells
