"""Excel workbooks: the cells of a sheet, read as those of a text table are (extra `[data]`)."""

from __future__ import annotations

import csv
import datetime as dt
import io
import os
from collections.abc import Iterable, Sequence
from typing import Any

from chainrule.datasets.columns import short
from chainrule.datasets.forms import Kinds
from chainrule.datasets.layouts import layout_of
from chainrule.datasets.opening import Pathish, fetch, refuse_others
from chainrule.datasets.rules import Reading, reading_of
from chainrule.datasets.storage import MEMORY
from chainrule.datasets.table import Table
from chainrule.datasets.text_tables import read_rows
from chainrule.datasets.wording import advice, no_rows, quoted, some
from chainrule.errors import DataError, ExtraMissingError, FormatError, nearest
from chainrule.lang.messages import Spelled, Text, _, _n, sentences
from chainrule.memory import memory_limit

__all__ = ["EXCEL_ENDINGS", "excel_table", "read_excel"]

EXCEL_ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")


def read_excel(
    path: Pathish,
    sheet: str = "",
    header: bool | None = None,
    kinds: Kinds | None = None,
    *,
    decimal: str = "",
    missing_words: Iterable[str] | None = None,
    day_first: bool | None = None,
) -> Table:
    """Read a sheet of a workbook (.xlsx, .xlsm, .xlsb, .xls, .ods): the named one, or the first.

    What cells show is read as the cells of a text table are, see `read_csv` for this and for the
    options; but a column whose cells are dates is one of dates, as days since 1970-01-01. A
    formula counts as its value, an error as missing.

    Raises:
        DataError: the file cannot be opened, or has no such sheet, or no rows.
        ExtraMissingError: python-calamine is not installed.
        FormatError: not a workbook, a damaged one, or one with a password.
    """
    reading = reading_of(kinds, decimal, missing_words, day_first, header=header, sheet=sheet)
    return excel_table(path, reading)


def excel_table(path: Pathish, reading: Reading) -> Table:
    """`read_excel`, with all options in one `Reading`."""
    where = os.fspath(path)
    data = fetch(path)
    refuse_others(data, where, "Excel", ("zip", "Office"))
    _refuse_bomb(data, where)
    try:
        import python_calamine as calamine
    except ImportError:
        raise ExtraMissingError(
            _(
                "reading Excel needs python-calamine, which is in the extra [data]: pip install"
                " 'chainrule[data]'."
            )
        ) from None
    try:
        with calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            name, note = _sheet(book, reading.sheet, where)
            found = book.get_sheet_by_name(name)
            first = found.start[0] if found.start else 0
            rows = found.to_python(skip_empty_area=True)
    except calamine.PasswordError:
        raise FormatError(
            _("{where}: the workbook has a password. Save it without one.", where=where)
        ) from None
    except (calamine.CalamineError, OSError, ValueError) as problem:
        if isinstance(problem, DataError):
            raise
        raise FormatError(
            _(
                "{where}: this is no workbook, or a damaged one: {problem}. Save it again.",
                where=where,
                problem=str(problem).split("\n")[0].rstrip(".") or type(problem).__name__,
            )
        ) from None
    if not rows:
        raise no_rows(_("{where}, sheet {name}", where=where, name=quoted(name)))
    table = _table(rows, first, where, reading)
    return table if note is None else table.with_notes(note)


def _sheet(book: Any, sheet: str, where: str) -> tuple[str, Text | None]:
    """The name of the sheet to read, and a note if there are others."""
    names = list(book.sheet_names)
    if sheet:
        if sheet not in names:
            raise DataError(
                _(
                    "{where}: no sheet {name}; {nearest}.",
                    where=where,
                    name=quoted(sheet, 80),
                    nearest=nearest(sheet, names),
                )
            )
        return sheet, None
    shown = [
        m.name
        for m in book.sheets_metadata
        if str(m.visible).endswith(".Visible") and m.name in names
    ]
    name = (shown or names)[0]
    others = [other for other in names if other != name]
    if not others:
        return name, None
    option = Spelled("read_excel(path, sheet) (--sheet)", command="--sheet", page="")
    note = _n(
        "The sheet {name} was read; there is {n} other ({others}).",
        "The sheet {name} was read; there are {n} others ({others}).",
        len(others),
        name=quoted(name),
        others=some(others, 3, quoted, "…"),
    )
    return name, sentences(note, advice(_("(Another: {option}.)", option=option)))


def _table(rows: Sequence[Sequence[object]], first: int, where: str, reading: Reading) -> Table:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([map(_text, row) for row in rows])
    layout = layout_of(text.getvalue().encode("utf-8", "surrogatepass"), where, ",", first)
    top = layout.above - first + 1  # rows above the data, with that of the names
    dates = [j for j, column in enumerate(zip(*rows[top:], strict=True)) if _all_dates(column)]
    return read_rows(layout, reading, MEMORY, frozenset(dates))


def _all_dates(column: Sequence[object]) -> bool:
    cells = [cell for cell in column if cell != ""]
    return bool(cells) and all(isinstance(cell, dt.date) for cell in cells)


def _text(cell: object) -> str:
    """A cell as a sheet shows it, on one line, so that rows are the lines of messages."""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float):
        return short(cell)
    if isinstance(cell, dt.datetime):
        return cell.isoformat(" ")
    if isinstance(cell, dt.time):
        part = dt.timedelta(hours=cell.hour, minutes=cell.minute, seconds=cell.second)
        return repr(part / dt.timedelta(days=1))
    if isinstance(cell, dt.timedelta):
        return repr(cell / dt.timedelta(days=1))
    return " ".join(str(cell).split("\n"))


def _refuse_bomb(data: bytes, where: str) -> None:
    """Refuse a workbook whose parts unpack to more than a quarter of the memory."""
    import zipfile

    if not data.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            size = sum(entry.file_size for entry in file.infolist())
    except (zipfile.BadZipFile, NotImplementedError):
        return  # calamine says what it is
    most = memory_limit() // 4
    if size > most:
        raise DataError(
            _(
                "{where} unpacks to {size:,} bytes; at most {most:,} are read here. Save the sheet as CSV.",
                where=where,
                size=size,
                most=most,
            )
        )
