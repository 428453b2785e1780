"""The rows of a text table, made equally wide by rule; what was done is counted and said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice

from chainrule.datasets.cells import NUMBER
from chainrule.datasets.headers import has_names, unique_names
from chainrule.datasets.layouts import SEPARATORS, Layout
from chainrule.errors import DataError

__all__ = ["INDEX", "TextFile"]

#: What the first column is called while nobody has named it; names have no spaces around them.
INDEX = " "
SAMPLE = 200


@dataclass
class TextFile:
    """The rows of one text table, made equally wide by rule; what was done is counted."""

    layout: Layout
    source: str
    names: list[str] = field(default_factory=list)
    header: bool = True
    notes: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    blank: int = 0
    comments: int = 0
    trailing: int = 0
    short: list[tuple[int, int]] = field(default_factory=list)
    uneven: list[tuple[int, int]] = field(default_factory=list)

    def read_names(self, header: bool | None, known: Collection[str]) -> None:
        """Take the names from the first row, or number the columns; the cells tell which, if nobody does."""
        said = [SEPARATORS.get(self.layout.separator, repr(self.layout.separator))]
        if self.layout.separator != ",":
            self.notes.append(f"The columns are separated by {said[0]}.")
        if self.layout.above:
            lines = f"{self.layout.above} line{'s' if self.layout.above > 1 else ''}"
            self.notes.append(
                f"{lines} above the first row {'were' if lines[-1] == 's' else 'was'} skipped."
            )
        sample = [row for _, row in islice(self.layout.records(), SAMPLE) if _holds(row)]
        sample = sample[:1] + [row for row in sample[1:] if not row[0].lstrip().startswith("#")]
        if not sample:
            sample = [[]]
        self.header = has_names(sample, known) if header is None else header
        widths = Counter(len(row) for row in sample[self.header :])
        width = max(widths, key=lambda n: (widths[n], n), default=len(sample[0]))
        if not self.header:
            self._number_columns(sample, width, told=header is None)
            return
        names = [name.strip() for name in sample[0]]
        padded = sum(a != b for a, b in zip(names, sample[0], strict=True))
        if padded and self.layout.separator not in " |":
            self.notes.append(
                f"The spaces around {padded} column name{'s' if padded > 1 else ''} were taken off."
            )
        longer = set(widths) == {len(names) + 1} and any(r[-1].strip() for r in sample[1:])
        if longer:
            self.notes.append("The rows have one cell more than there are names, as R writes them.")
        self._name(names, longer)
        self._note_numbers(told=header is None)

    def _number_columns(self, sample: list[list[str]], width: int, told: bool) -> None:
        while width > 1 and not any(row[width - 1].strip() for row in sample if len(row) >= width):
            width -= 1
        self.names = [f"x{i}" for i in range(width)]
        columns = f"columns are x0 to x{width - 1}" if width > 1 else "column is x0"
        self.notes.append(f"There is no row of names; the {columns}.")
        if told:
            cells = ", ".join(cell.strip() for cell in sample[0][:3])
            more = ", …" if len(sample[0]) > 3 else ""
            self.notes[-1] += (
                f" The first row holds data ({cells}{more})."
                " (If it holds names: header=True, --header.)"
            )

    def _name(self, names: list[str], longer: bool) -> None:
        self.names, empty, twice = unique_names(names)
        self._unnamed = [self.names[j] for j in empty]
        if longer:
            self.names.insert(0, INDEX)
        elif empty[:1] == [0] and len(names) > 1:
            self.names[0] = INDEX
            del self._unnamed[0]
        if twice:
            some = ", ".join(map(repr, twice[:3])) + (", …" if len(twice) > 3 else "")
            self.notes.append(
                f"{len(twice)} name{'s occur' if len(twice) > 1 else ' occurs'} more than once"
                f" ({some}); the later columns are called {twice[0]!r} with .1, .2 behind."
            )

    _unnamed: list[str] = field(default_factory=list)

    def _note_numbers(self, told: bool) -> None:
        numbers = [name for name in self.names if NUMBER.fullmatch(name)]
        if told and numbers:
            some = ", ".join(numbers[:3]) + (", …" if len(numbers) > 3 else "")
            self.notes.append(
                f"{len(numbers)} of {len(self.names)} column names"
                f" {'are numbers' if len(numbers) > 1 else 'is a number'} ({some})."
                " (If the first row holds data: header=False, --no-header.)"
            )

    @property
    def unnamed(self) -> list[str]:
        """The columns behind the first that nobody has named."""
        return self._unnamed

    def rows(self, first_pass: bool) -> Iterator[list[str]]:
        """The rows of data, every one `len(names)` wide; the first pass counts and checks."""
        width = len(self.names)
        needed = max((j + 1 for j, n in enumerate(self.names) if n not in self._unnamed), default=0)
        skip = self.header
        for line, row in self.layout.records():
            if len(row) != width:
                if not row or (len(row) == 1 and not row[0].strip()):
                    self.blank += first_pass
                    continue
                if not skip and row[0].lstrip().startswith("#"):
                    self.comments += first_pass
                    continue
                if skip:
                    skip = False
                    continue
                if len(row) > width:
                    if any(cell.strip() for cell in row[width:]):
                        if first_pass:
                            self.uneven.append((line, len(row)))
                        continue
                    del row[width:]
                    self.trailing += first_pass
                else:
                    if first_pass and len(row) < needed:
                        self.short.append((line, len(row)))
                    row += [""] * (width - len(row))
            elif skip:
                skip = False
                continue
            if first_pass:
                self.lines.append(line)
            yield row

    def raise_problems(self) -> None:
        """Raise one error about all rows that are too long."""
        if not self.uneven:
            return
        line, got = self.uneven[0]
        width = len(self.names)
        there = f"there are {width} columns" if width > 1 else "there is 1 column"
        more = ""
        if len(self.uneven) > 1:
            listed = ", ".join(f"line {n} has {k}" for n, k in self.uneven[1:3])
            rest = len(self.uneven) - 3
            more = f" Also: {listed}" + (f", and {rest} more rows." if rest > 0 else ".")
        sign = SEPARATORS.get(self.layout.separator, "separator")
        raise DataError(
            f"{self.source}:{line}: the row is too long. Got {got} cell{'s' if got != 1 else ''}; "
            f"{there}.{more} Add or remove cells, and put cells that hold a "
            f'separator ({sign}) into quotes (").'
        )

    def counted(self) -> list[str]:
        """What was done to rows, a sentence each."""
        found = []
        if self.blank:
            s = "s were" if self.blank > 1 else " was"
            found.append(f"{self.blank} blank line{s} skipped.")
        if self.comments:
            s = "s were" if self.comments > 1 else " was"
            found.append(
                f"{self.comments} line{s} skipped that begin{'s' * (self.comments < 2)} with #."
            )
        if self.trailing:
            s = "s" if self.trailing > 1 else ""
            found.append(f"A separator at the end of {self.trailing} row{s} was taken off.")
        if self.short:
            line, got = self.short[0]
            s = "s are" if len(self.short) > 1 else " is"
            found.append(
                f"{len(self.short)} row{s} cut short (line {line}: {got} of {len(self.names)} cells);"
                " the cells that lack count as missing."
            )
        return found


def _holds(row: list[str]) -> bool:
    return bool(row) and (len(row) > 1 or bool(row[0].strip()))
