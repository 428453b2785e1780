"""CSV and similar text tables: from bytes to rows of cells to columns, each of one kind.

A first pass over the file reads the columns of plain numbers. A second pass reads all other
columns as texts; `deciding` then decides what they hold, for all of them together, since one
column may show how the numbers of another are written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.datasets.cells import numbers_of
from chainrule.datasets.columns import Column, Texts
from chainrule.datasets.deciding import Candidate, Decision
from chainrule.datasets.encodings import as_utf8
from chainrule.datasets.forms import Form, Kinds
from chainrule.datasets.layouts import layout_of
from chainrule.datasets.opening import Pathish, fetch, refuse_others, room_for, unpacked
from chainrule.datasets.remarks import Remarks
from chainrule.datasets.rules import Reading
from chainrule.datasets.table import Table
from chainrule.datasets.text_rows import INDEX, TextFile
from chainrule.errors import DataError
from chainrule.lang.messages import Spelled, _, _n, listed

__all__ = ["parse_csv", "parse_text", "read_csv", "read_text"]

CELLS_A_CHUNK = 400_000


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
    return read_text(path, _reading(encoding, header, kinds, decimal, missing_words, day_first))


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
    reading = _reading(encoding, header, kinds, decimal, missing_words, day_first)
    return parse_text(data, source, reading)


def _reading(
    encoding: str,
    header: bool | None,
    kinds: Kinds | None,
    decimal: str,
    words: Iterable[str] | None,
    day_first: bool | None,
) -> Reading:
    missing = words if words is None or isinstance(words, str) else frozenset(words)
    return Reading(encoding, header, dict(kinds or {}), decimal, missing, day_first)  # type: ignore[arg-type]


def read_text(path: Pathish, reading: Reading) -> Table:
    """`read_csv`, with all options in one `Reading`."""
    data = fetch(path)
    where = str(path)
    if where.lower().endswith(".gz"):
        refuse_others(data, where, "gzip", ("gzip",))
        data = unpacked(data, where)
    return parse_text(data, where, reading)


def parse_text(data: bytes, source: str, reading: Reading) -> Table:
    """`parse_csv`, with all options in one `Reading`."""
    data = as_utf8(data, source, reading.encoding)
    if not data.strip():
        raise _empty(source)
    layout = layout_of(data, source)
    file = TextFile(layout, source)
    file.read_names(reading.header, reading.kinds)
    if not file.names:
        raise _empty(source)
    cells = data.count(layout.separator.encode()) + data.count(b"\n") + 1
    room_for(len(data) + 8 * cells, source)
    return _ColumnReader(file, reading).read_table()


def _empty(source: str) -> DataError:
    return DataError(
        _("{source} is empty. A table needs a row of names and rows of data.", source=source)
    )


class _ColumnReader:
    """Reads the columns of one file into a table. Columns are referred to by their index."""

    def __init__(self, file: TextFile, reading: Reading) -> None:
        self.file, self.reading = file, reading
        self.forms = [reading.form(name) for name in file.names]
        self.words: list[dict[str, int]] = [{} for _ in file.names]
        self.points = [False] * len(file.names)
        self.decisions: dict[int, Decision] = {}
        self.texts: dict[int, Texts] = {}

    def read_table(self) -> Table:
        file = self.file
        numbers = self._plain_numbers()
        file.raise_problems()
        if not file.lines:
            header = Spelled("header=False (--no-header)", command="--no-header")
            otherwise = _(
                "Add rows of data, or say {header} if the first row is data.", header=header
            )
            plain = _("Add rows of data.")
            raise DataError(
                _(
                    "{source} has 0 rows: there is nothing after the row of names. {advice}",
                    source=file.source,
                    advice=Spelled(otherwise, page=plain),
                )
            )
        self._decide([j for j, column in enumerate(numbers) if column is None])
        if any(d.form.decimal == "," for d in self.decisions.values()):
            self._decide_again([j for j, p in enumerate(self.points) if p and numbers[j]], numbers)
        table = self._assemble(numbers)
        remarks = Remarks(file, self.reading, self.texts, self.decisions, self.words)
        return remarks.with_notes(_without_unnamed(table, file, self.reading))

    def _plain_numbers(self) -> list[list[Column] | None]:
        """First pass: the chunks of every column of plain numbers; None for any other column."""
        width = len(self.file.names)
        columns: list[list[Column] | None] = [
            None if form is not None and form.kind in ("text", "date") else []
            for form in self.forms
        ]
        digits, zeros = [True] * width, [False] * width
        missing = self.reading.missing | self.reading.missing_numbers
        chunk_rows = max(50, CELLS_A_CHUNK // width)
        rows: list[list[str]] = []

        def take() -> None:
            for j, cells in enumerate(zip(*rows, strict=True)):
                chunks = columns[j]
                if chunks is None:
                    continue
                numbers = numbers_of(cells, missing, self.words[j])
                form = self.forms[j]
                comma = self.reading.decimal == "," or (form is not None and form.decimal == ",")
                if numbers is None or (numbers.points and comma):
                    columns[j] = None
                    continue
                chunks.append(numbers.values)
                digits[j] = digits[j] and numbers.digits
                zeros[j] = zeros[j] or numbers.zeros
                self.points[j] = self.points[j] or numbers.points
            rows.clear()

        for row in self.file.rows(first_pass=True):
            rows.append(row)
            if len(rows) == chunk_rows:
                take()
        if rows:
            take()
        for j, chunks in enumerate(columns):
            if chunks is None or (digits[j] and zeros[j] and self.forms[j] is None):
                columns[j] = None
                self.words[j] = {}
            elif self.words[j] and all(c.dtype.kind == "f" and np.isnan(c).all() for c in chunks):
                columns[j] = None  # no numbers at all, so "-" may be an ordinary text
                self.words[j] = {}
        return columns

    def _decide(self, which: list[int]) -> None:
        """Second pass: read these columns as texts, and decide what they hold."""
        if not which:
            return
        self._read_texts(which)
        missing = self.reading.missing_numbers
        candidates = {j: Candidate(self.texts[j], self.forms[j], missing) for j in which}
        fallback = self._decimal(candidates)
        for j, candidate in candidates.items():
            self.decisions[j] = candidate.decide(
                self.reading.decimal, fallback, self.reading.day_first
            )

    def _decimal(self, candidates: dict[int, Candidate]) -> str:
        """The decimal sign of a column whose own cells do not show it, by the other columns."""
        numeric = [
            c for c in candidates.values() if c.form is None or c.form.kind in ("number", "mixed")
        ]
        commas = sum(c.commas > 0 and not c.points for c in numeric)
        points = sum(c.points > 0 and not c.commas for c in numeric) + sum(self.points)
        if commas != points:
            return "," if commas > points else "."
        return "," if self.file.layout.separator == ";" else "."

    def _decide_again(self, which: list[int], numbers: list[list[Column] | None]) -> None:
        """Read columns such as 1.234 again as thousands, since others have a decimal comma."""
        if not which:
            return
        self._read_texts(which)
        for j in which:
            candidate = Candidate(self.texts[j], self.forms[j], self.reading.missing_numbers)
            form = self.forms[j]
            if candidate.points or (form is not None and form.decimal == "."):
                del self.texts[j]
                continue
            self.decisions[j] = candidate.decide(self.reading.decimal, ",")
            numbers[j] = None

    def _read_texts(self, which: list[int]) -> None:
        missing = self.reading.missing
        seen: list[dict[str, int]] = [{} for _ in which]
        codes = np.empty((len(which), len(self.file.lines)), dtype=np.int32)
        pairs = list(enumerate(which))
        for i, row in enumerate(self.file.rows(first_pass=False)):
            for k, j in pairs:
                cell = row[j].strip()
                if cell in missing:
                    codes[k, i] = -1
                    if cell:
                        self.words[j][cell] = self.words[j].get(cell, 0) + 1
                else:
                    codes_of = seen[k]
                    codes[k, i] = codes_of.setdefault(cell, len(codes_of))
        self.texts |= {j: Texts(codes[k], tuple(seen[k])) for k, j in pairs}

    def _assemble(self, numbers: list[list[Column] | None]) -> Table:
        file = self.file
        rows = len(file.lines)
        forms: dict[str, Form] = {}
        texts: dict[str, Texts] = {}
        words: dict[str, Texts] = {}
        by_type: dict[np.dtype[Any], list[int]] = {}
        for j, name in enumerate(file.names):
            chunks, decision = numbers[j], self.decisions.get(j)
            if chunks is None and decision is not None:
                forms[name] = decision.form
                if decision.values is None:
                    texts[name] = self.texts[j]
                    continue
                words_beside = decision.words_of(self.texts[j])
                if words_beside is not None:
                    words[name] = words_beside
                chunks = numbers[j] = [_whole(decision.numbers_of(self.texts[j]))]
            else:
                forms[name] = self.forms[j] or Form("number", "." if self.points[j] else "")
            assert chunks is not None
            by_type.setdefault(np.result_type(*{chunk.dtype for chunk in chunks}), []).append(j)
        blocks = []
        for dtype, members in by_type.items():
            block = np.empty((rows, len(members)), dtype=dtype)
            for k, j in enumerate(members):
                start = 0
                for chunk in numbers[j] or ():
                    block[start : start + len(chunk), k] = chunk
                    start += len(chunk)
                numbers[j] = None
            blocks.append(([file.names[j] for j in members], block))
        lines = np.array(file.lines, dtype=np.int64)
        return Table.from_blocks(
            file.names,
            blocks,
            texts,
            file.source,
            file.notes,
            lines=lines,
            words=words,
            forms=forms,
        )


def _whole(values: npt.NDArray[np.float64]) -> Column:
    """The values as int64 if all are whole and none is missing, as in a plain number column."""
    if bool((values == np.floor(values)).all()) and bool((np.abs(values) < 2**53).all()):
        return values.astype(np.int64)
    return values


def _without_unnamed(table: Table, file: TextFile, reading: Reading) -> Table:
    """The table without a column of row names or numbers, and without unnamed empty columns."""
    empty = [name for name in file.unnamed if bool(table.missing(name).all())]
    if empty and len(empty) < len(table.names):
        table = table.drop(*empty).with_notes(
            _n(
                "{n} column has neither name nor value; it was left out.",
                "{n} columns have neither name nor value; they were left out.",
                len(empty),
            )
        )
    left = [name for name in file.unnamed if name not in empty]
    if INDEX in table:
        if "Unnamed: 0" not in reading.kinds and len(table.names) > 1:
            if table.kind(INDEX) == "int" and bool((np.diff(table[INDEX]) == 1).all()):
                return table.drop(INDEX).with_notes(
                    _("The first column has no name and only counts the rows; it was left out.")
                )
            if table.kind(INDEX) != "float" and len(np.unique(table[INDEX])) == len(table):
                return table.drop(INDEX).with_notes(
                    _(
                        "The first column has no name and another entry in every row; it was left out."
                    )
                )
        table = table.renamed({INDEX: "Unnamed: 0"})
        left.insert(0, "Unnamed: 0")
    if left:
        table = table.with_notes(
            _n(
                "{n} column has no name and is called {names}.",
                "{n} columns have no name and are called {names}.",
                len(left),
                names=listed(left[:3]),
            )
        )
    return table
