"""The rows of a text table, padded or cut to equal width; changes are counted for the notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import numpy.typing as npt

from chainrule.datasets.cells import NUMBER
from chainrule.datasets.forms import Form
from chainrule.datasets.headers import has_names, unique_names
from chainrule.datasets.layouts import SEPARATORS, Layout
from chainrule.datasets.wording import Note, advice, at_line, quoted, some
from chainrule.errors import DataError
from chainrule.lang.messages import Spelled, Text, _, _n, listed, sentences

__all__ = ["INDEX", "TextFile"]

#: The provisional name of an unnamed first column; no name read from a file has spaces around it.
INDEX = " "
SAMPLE = 200


@dataclass
class TextFile:
    """The rows of one text table, padded or cut to equal width, with counts of the changes.

    `short` and `uneven` hold (line, number of cells) of rows that are too short and too long.
    """

    layout: Layout
    source: str
    #: The columns whose cells are dates by the file itself, as in a workbook.
    dates: frozenset[int] = frozenset()
    names: list[str] = field(default_factory=list)
    header: bool = True
    notes: list[Text] = field(default_factory=list)
    #: The line number of every row; of those read since the latest chunk, during the first pass.
    lines: list[int] | npt.NDArray[np.int64] = field(default_factory=list)
    blank: int = 0
    comments: int = 0
    trailing: int = 0
    short: list[tuple[int, int]] = field(default_factory=list)
    uneven: list[tuple[int, int]] = field(default_factory=list)

    def read_names(self, header: bool | None, known: Collection[str]) -> None:
        """Take the names from the first row, or number the columns.

        If `header` is None, the cells decide; `known` are names of columns, as in `has_names`. A
        first row of such names is a header, even if a model's own rows had none.
        """
        if self.layout.separator != ",":
            signs = SEPARATORS.get(self.layout.separator, repr(self.layout.separator))
            note = _("The columns are separated by {signs}.", signs=signs)
            self.notes.append(Note(note, "layout"))
        if self.layout.above:
            self.notes.append(
                _n(
                    "{n} line above the first row was skipped.",
                    "{n} lines above the first row were skipped.",
                    self.layout.above,
                )
            )
        sample = [
            pair[1] for pair in islice(self.layout.records(), SAMPLE) if _is_not_blank(pair[1])
        ]
        sample = sample[:1] + [row for row in sample[1:] if not row[0].lstrip().startswith("#")]
        if not sample:
            sample = [[]]
        named = 2 * sum(cell.strip() in known for cell in sample[0]) > len(sample[0])
        self.header = named or (has_names(sample, known) if header is None else header)
        widths = Counter(len(row) for row in sample[self.header :])
        width = max(widths, key=lambda n: (widths[n], n), default=len(sample[0]))
        if not self.header:
            self._number_columns(sample, width, inferred=header is None)
            return
        names = [name.strip() for name in sample[0]]
        padded = sum(a != b for a, b in zip(names, sample[0], strict=True))
        if padded and self.layout.separator not in " |":
            self.notes.append(
                _n(
                    "The spaces around {n} column name were taken off.",
                    "The spaces around {n} column names were taken off.",
                    padded,
                )
            )
        longer = set(widths) == {len(names) + 1} and any(r[-1].strip() for r in sample[1:])
        if longer:
            self.notes.append(
                _("The rows have one cell more than there are names, as R writes them.")
            )
        self._name(names, longer)
        self._note_numbers(inferred=header is None)

    def _number_columns(self, sample: list[list[str]], width: int, inferred: bool) -> None:
        while width > 1 and not any(row[width - 1].strip() for row in sample if len(row) >= width):
            width -= 1
        self.names = [f"x{i}" for i in range(width)]
        sentence_parts: list[Text] = [
            _("There is no row of names; the columns are x0 to {last}.", last=self.names[-1])
            if width > 1
            else _("There is no row of names; the column is x0.")
        ]
        if inferred:
            option = Spelled("header=True, --header", command="--header")
            sentence_parts += [
                _(
                    "The first row holds data ({cells}).",
                    cells=some([cell.strip() for cell in sample[0]], 3, rest="…"),
                ),
                advice(_("(If it holds names: {option}.)", option=option)),
            ]
        self.notes.append(Note(sentences(*sentence_parts), "layout"))

    def _name(self, names: list[str], longer: bool) -> None:
        self.names, empty, twice = unique_names(names)
        self._unnamed = [self.names[j] for j in empty]
        if longer:
            self.names.insert(0, INDEX)
        elif empty[:1] == [0] and len(names) > 1:
            self.names[0] = INDEX
            del self._unnamed[0]
        if twice:
            self.notes.append(
                _n(
                    "{n} name occurs more than once ({names}); the later columns are called {first} with .1,"
                    " .2 behind.",
                    "{n} names occur more than once ({names}); the later columns are called {first} with .1,"
                    " .2 behind.",
                    len(twice),
                    names=some(twice, 3, quoted, "…"),
                    first=quoted(twice[0]),
                )
            )

    _unnamed: list[str] = field(default_factory=list)

    def _note_numbers(self, inferred: bool) -> None:
        numbers = [name for name in self.names if NUMBER.fullmatch(name)]
        if inferred and numbers:
            option = Spelled("header=False, --no-header", command="--no-header")
            self.notes.append(
                sentences(
                    _n(
                        "{n} of {count} column names is a number ({names}).",
                        "{n} of {count} column names are numbers ({names}).",
                        len(numbers),
                        count=len(self.names),
                        names=some(numbers, 3, rest="…"),
                    ),
                    advice(_("(If the first row holds data: {option}.)", option=option)),
                )
            )

    @property
    def unnamed(self) -> list[str]:
        """The columns without a name, except for the first."""
        return self._unnamed

    def rows(self, first_pass: bool) -> Iterator[list[str]]:
        """The rows of data, each `len(names)` wide; the first pass counts the changes."""
        width = len(self.names)
        needed = max((j + 1 for j, n in enumerate(self.names) if n not in self._unnamed), default=0)
        skip = self.header
        lines = self.lines if isinstance(self.lines, list) else []
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
                lines.append(line)
            yield row

    def forms(self) -> list[tuple[str, Form | None]]:
        """The names, with the forms that are known from the file itself: `dates` are dates."""
        return [(n, Form("date") if j in self.dates else None) for j, n in enumerate(self.names)]

    def forget_lines(self) -> None:
        """Begin the line numbers anew, since those so far are kept elsewhere."""
        assert isinstance(self.lines, list)
        self.lines.clear()

    def raise_problems(self) -> None:
        """Raise a DataError if rows are too long; it lists the first of them."""
        if not self.uneven:
            return
        line, got = self.uneven[0]
        signs = SEPARATORS.get(self.layout.separator) or _("separator")
        also: Text | str = ""
        if len(self.uneven) > 1:
            rows = listed(
                _("line {line} has {cells}", line=line, cells=cells)
                for line, cells in self.uneven[1:3]
            )
            rest = len(self.uneven) - 3
            also = (
                _n(
                    "Also: {rows}, and {n} more row.",
                    "Also: {rows}, and {n} more rows.",
                    rest,
                    rows=rows,
                )
                if rest > 0
                else _("Also: {rows}.", rows=rows)
            )
        raise DataError(
            sentences(
                _("{where}: the row is too long.", where=at_line(self.source, line)),
                _(
                    "Got {cells}; {there}.",
                    cells=_n("{n} cell", "{n} cells", got),
                    there=_n("there is {n} column", "there are {n} columns", len(self.names)),
                ),
                also,
                _(
                    'Add or remove cells, and put cells that hold a separator ({signs}) into quotes (").',
                    signs=signs,
                ),
            )
        )

    def row_notes(self) -> list[Text]:
        """How rows were changed, a sentence for each kind of change."""
        notes: list[Text] = []
        if self.blank:
            notes.append(
                _n("{n} blank line was skipped.", "{n} blank lines were skipped.", self.blank)
            )
        if self.comments:
            notes.append(
                _n(
                    "{n} line was skipped that begins with #.",
                    "{n} lines were skipped that begin with #.",
                    self.comments,
                )
            )
        if self.trailing:
            notes.append(
                _n(
                    "A separator at the end of {n} row was taken off.",
                    "A separator at the end of {n} rows was taken off.",
                    self.trailing,
                )
            )
        if self.short:
            line, got = self.short[0]
            notes.append(
                _n(
                    "{n} row is cut short (line {line}: {got} of {width} cells); the cells that lack count"
                    " as missing.",
                    "{n} rows are cut short (line {line}: {got} of {width} cells); the cells that lack count"
                    " as missing.",
                    len(self.short),
                    line=line,
                    got=got,
                    width=len(self.names),
                )
            )
        return notes


def _is_not_blank(row: list[str]) -> bool:
    return bool(row) and (len(row) > 1 or bool(row[0].strip()))
