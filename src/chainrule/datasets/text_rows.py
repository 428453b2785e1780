"""The rows of a text table, made equally wide by rule; what was done is counted and said."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field

from chainrule.datasets.cells import NUMBER
from chainrule.errors import DataError, FormatError

__all__ = ["TextFile", "refuse_other_separators", "separator_of"]

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


def _lines(data: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(data), "utf-8", "surrogatepass", newline="")


def separator_of(data: bytes) -> str:
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


def refuse_other_separators(data: bytes, source: str) -> None:
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
class TextFile:
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
