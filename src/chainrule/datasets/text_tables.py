"""CSV and its relatives, read column by column; every number is checked, nothing is guessed away.

The file is walked through once for the numbers. Columns that are not numbers all the way
down are walked through a second time as texts, and there the mistakes are told apart
from real text.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from chainrule.datasets.encodings import as_utf8
from chainrule.datasets.opening import Pathish, fetch, refuse_others, room_for, unpacked
from chainrule.datasets.table import Table, Texts
from chainrule.errors import DataError, FormatError, shown

__all__ = ["Kinds", "parse_csv", "read_csv"]

MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "?"})
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
CELLS_A_CHUNK = 400_000
FEW_ROWS = 20  # below this a stray word makes a column text instead of an error
NUMBERS_ENOUGH = 0.95

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
COMMA = re.compile(
    r"[+-]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+,\d+|\d{1,3}(?:\.\d{3})+,\d+)", re.ASCII
)
INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
OTHER_WRITING = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|\d+(?:_\d+)+(?:\.\d+)?)", re.ASCII)
PLAIN = b"0123456789+-.eE"
PLAIN_WHOLE = b"0123456789+-"

TENS = 10 ** np.arange(1, 19, dtype=np.int64)

Column = npt.NDArray[Any]
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
    separator = _separator(data)
    _refuse_other_separators(data, source)
    file = _File(data, source, separator, dict(kinds or {}))
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


def _lines(data: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(data), "utf-8", "surrogatepass", newline="")


def _separator(data: bytes) -> str:
    """The separator that splits the first rows most evenly; a comma if none is better."""
    sample = data[: 1 << 16]
    cut = max(sample.rfind(b"\n"), sample.rfind(b"\r"))
    if len(data) > len(sample) and cut > 0:
        sample = sample[:cut]
    best, best_score = ",", (0, 1)
    for separator in SEPARATORS:
        widths: list[int] = []
        try:
            for row in csv.reader(
                _lines(sample.decode("utf-8", "ignore").encode()),
                delimiter=separator,
                skipinitialspace=separator != "\t",
            ):
                if row:
                    widths.append(len(row))
                if len(widths) == 20:
                    break
        except csv.Error:
            pass
        if not widths or widths[0] == 1:
            continue
        score = (sum(width == widths[0] for width in widths) * 20 // len(widths), widths[0])
        if score > best_score:
            best, best_score = separator, score
    return best


def _refuse_other_separators(data: bytes, source: str) -> None:
    """Refuse rows that are divided by bars or spaces alone: they would be one column of text."""
    sample = data[: 1 << 16].decode("utf-8", "ignore").splitlines()
    rows = [row.strip() for row in sample if row.strip()][:20]
    if len(rows) < 2 or any(separator in rows[0] for separator in SEPARATORS):
        return
    by_bars = [row.strip("|").split("|") for row in rows]
    by_spaces = [row.split() for row in rows]
    if len({len(row) for row in by_bars}) == 1 and len(by_bars[0]) > 1:
        what, count = "bars (|)", len(by_bars[0])
    else:
        what, count = "spaces", len(by_spaces[1])
        even = len({len(row) for row in by_spaces[1:]}) == 1 and count > 1
        named = len(by_spaces[0]) in (count, count - 1) and len(by_spaces[0]) > 1
        if not (even and named and any(NUMBER.fullmatch(c) for r in by_spaces[1:] for c in r)):
            return
    raise DataError(
        f"{source}: the {count} columns seem to be separated by {what}; columns are separated by "
        "commas, semicolons or tabs. Save the table with one of these between its cells."
    )


@dataclass
class _File:
    """The rows of one text table, made equally wide by rule; what was done is counted."""

    data: bytes
    source: str
    separator: str
    kinds: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    header: bool = True
    notes: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    blank: int = 0
    trailing: int = 0
    uneven: list[tuple[int, int]] = field(default_factory=list)

    def records(self, counting: bool = False) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of every row that is not blank; counts the blank ones."""
        reader = csv.reader(
            _lines(self.data),
            delimiter=self.separator,
            strict=True,
            skipinitialspace=self.separator != "\t",
        )
        line = 1
        try:
            for row in reader:
                if row:
                    yield line, row
                else:
                    self.blank += counting
                line = reader.line_num + 1
        except csv.Error as problem:
            raise self._quote_error(str(problem), line) from None

    def _quote_error(self, problem: str, line: int) -> FormatError:
        if "field limit" in problem:
            return FormatError(
                f"{self.source}:{line}: a cell in the row that starts here is longer than "
                f'{csv.field_size_limit()} characters. Mostly a quote (") was opened and '
                "never closed; close it, or shorten the cell."
            )
        if "unexpected end" in problem:
            return FormatError(
                f'{self.source}:{line}: a quote (") opened in the row that starts here is never '
                'closed. Close it, or write a quote inside a quoted cell twice ("").'
            )
        return FormatError(
            f"{self.source}:{line}: a quoted cell goes on after its closing quote. "
            'Write a quote inside a quoted cell twice ("").'
        )

    def read_names(self, header: bool) -> None:
        """Take the names from the first row, or number the columns."""
        self.header = header
        first_line, raw = next(self.records(), (1, []))
        if self.separator != ",":
            self.notes.append(f"The columns are separated by {SEPARATORS[self.separator]}.")
        if not header:
            width = len(raw)
            if width > 1 and not raw[-1].strip():
                width -= 1
            self.names = [f"x{i}" for i in range(width)]
            columns = f"columns are x0 to x{width - 1}" if width > 1 else "column is x0"
            self.notes.append(f"There is no row of names; the {columns}.")
            return
        names = [name.strip() for name in raw]
        padded = sum(a != b for a, b in zip(names, self._raw_first_row(), strict=False))
        if len(names) > 1 and not names[-1]:
            names.pop()
            self.trailing += 1
        if padded:
            self.notes.append(
                f"The spaces around {padded} column name{'s' if padded > 1 else ''} were taken off."
            )
        self.names = names
        self._check_names(first_line)

    def _raw_first_row(self) -> list[str]:
        rows = csv.reader(_lines(self.data), delimiter=self.separator)
        return next((row for row in rows if row), [])

    def _check_names(self, line: int) -> None:
        where = f"{self.source}:{line}"
        numbers = [name for name in self.names if NUMBER.fullmatch(name)]
        if numbers:
            some = ", ".join(numbers[:3]) + (", …" if len(numbers) > 3 else "")
            raise DataError(
                f"{where}: {len(numbers)} of {len(self.names)} column names "
                f"{'are numbers' if len(numbers) > 1 else 'is a number'} ({some}), so the row of "
                "names seems to be missing. If this row is data, read the file with "
                "header=False (--no-header); if these are names, begin them with a letter."
            )
        empty = [j for j, name in enumerate(self.names) if not name]
        if empty and not (empty == [0] and len(self.names) > 1):
            listed = ", ".join(str(j + 1) for j in empty[:5])
            raise DataError(
                f"{where}: {len(empty)} column{'s have' if len(empty) > 1 else ' has'} no name "
                f"(column {listed}). Give every column a name in the first row."
            )
        if empty:
            self.names[0] = " "  # no other name is: names are stripped
        seen: dict[str, int] = {}
        twice = []
        for j, name in enumerate(self.names, 1):
            if name in seen:
                twice.append(f"{name!r} (columns {seen[name]} and {j})")
            seen.setdefault(name, j)
        if twice:
            more = f", and {len(twice) - 3} more" if len(twice) > 3 else ""
            raise DataError(
                f"{where}: two columns have the same name: {', '.join(twice[:3])}{more}. "
                "Give every column a name of its own."
            )

    def rows(self, first_pass: bool) -> Iterator[list[str]]:
        """The rows of data, every one `len(names)` wide; the first pass counts and checks."""
        width = len(self.names)
        records = self.records(counting=first_pass)
        if self.header:
            next(records)
        for line, row in records:
            if len(row) != width:
                if len(row) == width + 1 and not row[-1].strip():
                    row.pop()
                    self.trailing += first_pass
                elif len(row) == 1 and not row[0].strip():
                    self.blank += first_pass
                    continue
                else:
                    if first_pass:
                        self.uneven.append((line, len(row)))
                    continue
            if first_pass:
                self.lines.append(line)
            yield row

    def raise_problems(self) -> None:
        """Raise one error about all rows that are too long or too short."""
        if not self.uneven:
            return
        line, got = self.uneven[0]
        width = len(self.names)
        there = f"there are {width} columns" if width > 1 else "there is 1 column"
        side = "too long" if got > width else "too short"
        more = ""
        if len(self.uneven) > 1:
            listed = ", ".join(f"line {n} has {k}" for n, k in self.uneven[1:3])
            rest = len(self.uneven) - 3
            more = f" Also: {listed}" + (f", and {rest} more rows." if rest > 0 else ".")
        raise DataError(
            f"{self.source}:{line}: the row is {side}. Got {got} cell{'s' if got != 1 else ''}; "
            f"{there}.{more} Add or remove cells, and put cells that hold a "
            f'separator ({SEPARATORS[self.separator]}) into quotes (").'
        )

    def at(self, row: int, j: int) -> str:
        """Where a cell is: `file.csv:17, column 'age'`."""
        return f"{self.source}:{self.lines[row]}, column {self.names[j]!r}"


def _read_numbers(file: _File) -> list[list[Column] | None]:
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
                numbers = _numbers(cells)
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


class _Numbers(NamedTuple):
    """Cells that are all numbers: whether they are digits only, and any begins with a zero."""

    values: Column
    digits: bool
    zeros: bool


def _numbers(cells: Sequence[str]) -> _Numbers | None:
    """The cells as numbers in the smallest whole-number type or float64; None if some is none.

    Texts made only of digits, signs, points and e are numbers exactly when float() takes
    them; so the slow look at single cells is for columns with gaps.
    """
    letters = "".join(cells).encode("utf-8", "surrogatepass")
    count = len(cells)
    if not letters.translate(None, PLAIN):
        try:
            if not letters.translate(None, PLAIN_WHOLE):
                whole_numbers = np.fromiter(map(int, cells), np.int64, count)
                digits = b"-" not in letters and b"+" not in letters
                # Leading zeros are the digits there are more of than the numbers need.
                needed = count + int(np.searchsorted(TENS, whole_numbers, "right").sum())
                return _Numbers(_smallest(whole_numbers), digits, digits and len(letters) > needed)
            values = np.fromiter(map(float, cells), np.float64, count)
            return _Numbers(values, False, False) if np.isfinite(values).all() else None
        except OverflowError:
            return None
        except ValueError:
            pass  # an empty cell, or a text such as 5-3
    values = np.empty(count)
    whole, digits, zeros = True, True, False
    for i, cell in enumerate(cells):
        cell = cell.strip()
        if cell in MISSING:
            values[i] = np.nan
            whole = False
            continue
        if not NUMBER.fullmatch(cell):
            return None
        values[i] = value = float(cell)
        if math.isinf(value):
            return None
        whole = whole and WHOLE.fullmatch(cell) is not None
        digits = digits and cell.isdigit()
        zeros = zeros or (cell[0] == "0" and len(cell) > 1 and cell.isdigit())
        if len(cell) > 18 and _wide(cell):
            return None
    if whole:
        try:
            values = _smallest(np.array([int(cell) for cell in cells], dtype=np.int64))
        except (OverflowError, ValueError):
            return None
    return _Numbers(values, digits, zeros)


def _smallest(values: npt.NDArray[np.int64]) -> Column:
    low, high = int(values.min()), int(values.max())
    for kind in (np.uint8, np.int16, np.int32):
        limits = np.iinfo(kind)
        if limits.min <= low and high <= limits.max:
            return values.astype(kind)
    return values


def _read_texts(file: _File, which: list[int]) -> dict[int, Texts]:
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
    problems = [found for j in guessed if (found := _mistake(file, j, texts[j]))]
    if problems:
        more = f"\n(and {len(problems) - 5} more columns)" if len(problems) > 5 else ""
        raise DataError("\n".join(problems[:5]) + more)
    return texts


def _mistake(file: _File, j: int, text: Texts) -> str | None:
    """What is wrong with a column of texts that was surely meant as numbers."""
    sorts = [_sort(category) for category in text.categories]
    counts = np.bincount(text.codes[text.codes >= 0], minlength=len(sorts))
    total = int(counts.sum())

    def of(*wanted: str) -> int:
        return int(sum(n for sort, n in zip(sorts, counts, strict=True) if sort in wanted))

    if of("number", "large") == total and not of("large"):  # whole numbers above 64 bits
        sorts = ["large" if sort == "number" and _wide(category) else sort
                 for sort, category in zip(sorts, text.categories, strict=True)]  # fmt: skip
    numbers = of("number")
    for sort, what, fix in (
        (
            "large",
            "a number is too large",
            "Numbers go up to about 1.8e308, whole numbers up to 9223372036854775807. "
            "Shorten it, leave the cell empty, or take the column out.",
        ),
        (
            "infinite",
            "a cell is infinite",
            "Numbers must be finite. Leave the cell empty if the value is missing.",
        ),
        (
            "comma",
            "numbers are written with a comma",
            "Write 1.5 for one and a half and 1234 for one thousand two hundred "
            "thirty-four: a point for decimals, no thousands separator.",
        ),
        (
            "other",
            "a number is written in another way",
            "Plain decimal numbers are needed, such as 1000 or 255 (not 1_000, not 0xff).",
        ),
    ):
        if of(sort) and numbers + of(sort) == total:
            return _told(file, j, text, sorts, lambda s, sort=sort: s == sort, what, fix)  # type: ignore[misc]
    if len(file.lines) >= FEW_ROWS and numbers >= NUMBERS_ENOUGH * total and numbers < total:
        return _told(
            file, j, text, sorts, lambda s: s != "number",
            f"a cell in a column of numbers is not a number ({numbers} of {total} are)",
            "Correct the cells, or leave them empty if the value is missing.",
        )  # fmt: skip
    return None


def _told(
    file: _File,
    j: int,
    text: Texts,
    sorts: list[str],
    bad: Callable[[str], bool],
    what: str,
    fix: str,
) -> str:
    is_bad = np.array([bad(sort) for sort in sorts] + [False])
    rows = np.flatnonzero(is_bad[text.codes])
    cells = [text.categories[text.codes[i]] for i in rows[:3]]
    got = ", ".join(
        f"{shown(cell, 60)} (line {file.lines[i]})" if len(rows) > 1 else shown(cell)
        for cell, i in zip(cells, rows, strict=False)
    )
    more = f", and {len(rows) - 3} more" if len(rows) > 3 else ""
    return f"{file.at(int(rows[0]), j)}: {what}. Got {got}{more}. {fix}"


def _sort(cell: str) -> str:
    if NUMBER.fullmatch(cell):
        return "large" if math.isinf(float(cell)) else "number"
    for pattern, sort in ((COMMA, "comma"), (INFINITE, "infinite"), (OTHER_WRITING, "other")):
        if pattern.fullmatch(cell):
            return sort
    return "text"


def _wide(cell: str) -> bool:
    if not WHOLE.fullmatch(cell):
        return False
    return len(cell) > 30 or not -(2**63) <= int(cell) < 2**63


def _assembled(file: _File, columns: list[list[Column] | None], texts: dict[int, Texts]) -> Table:
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


def noticed(table: Table) -> Table:
    """The table with notes on missing cells and columns that hold one value only."""
    counts = table.missing_counts()
    notes = [
        f"{count} missing cell{'s' if count > 1 else ''} in {name!r}."
        for name, count in list(counts.items())[:10]
        if count < len(table)
    ]
    if len(counts) > 10:
        rest = list(counts.values())[10:]
        notes.append(f"{sum(rest)} missing cells in {len(rest)} more columns.")
    for names, what in (
        ([name for name, count in counts.items() if count == len(table)], "no value at all"),
        (list(table.constants()) if len(table) > 1 else [], "one value only"),
    ):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            verb = "columns hold" if len(names) > 1 else "column holds"
            listed = ", ".join(repr(name) for name in names[:5])
            notes.append(f"{len(names)} {verb} {what}: {listed}{more}.")
    return table.noted(*notes)
