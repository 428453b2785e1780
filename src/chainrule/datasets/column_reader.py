"""The columns of a text table: numbers, texts, or numbers with words beside them.

A first pass over the rows reads the columns of plain numbers. A second pass reads all other
columns as texts; `deciding` then decides what they hold, for all of them together, since one
column may show how the numbers of another are written. A third pass is needed where a table on
disk has columns of more distinct texts than fit into memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from chainrule.datasets.cells import numbers_of
from chainrule.datasets.columns import Texts
from chainrule.datasets.deciding import Candidate, Decision
from chainrule.datasets.forms import Form
from chainrule.datasets.many_texts import ManyTexts
from chainrule.datasets.remarks import Remarks
from chainrule.datasets.rules import Reading
from chainrule.datasets.storage import Growing, Storage
from chainrule.datasets.table import Table
from chainrule.datasets.text_rows import INDEX, TextFile
from chainrule.datasets.wording import at_column, quoted, some
from chainrule.errors import DataError
from chainrule.lang.messages import Spelled, Text, _, _n, listed, sentences

__all__ = ["ColumnReader"]

#: Cells, and rows at least, that are looked at together.
CELLS_A_CHUNK, LEAST_ROWS = 400_000, 50


class ColumnReader:
    """Reads the columns of one file into a table. Columns are referred to by their index."""

    def __init__(self, file: TextFile, reading: Reading, storage: Storage) -> None:
        self.file, self.reading, self.storage = file, reading, storage
        self.forms = [reading.form(name) or form for name, form in file.forms()]
        self.words: list[dict[str, int]] = [{} for _ in file.names]
        self.points = [False] * len(file.names)
        self.decisions: dict[int, Decision] = {}
        #: The text columns. Of those with too many texts, only the first texts are here.
        self.texts: dict[int, Texts] = {}
        self.many: set[int] = set()
        #: The words beside the numbers of a column.
        self.beside: dict[int, Texts] = {}

    def read_table(self) -> Table:
        """The table, with notes on how it was read."""
        file = self.file
        numbers = self._plain_numbers()
        file.raise_problems()
        if not len(file.lines):
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
        self._read_many(numbers)
        table = self._assemble(numbers)
        decisions = {j: d for j, d in self.decisions.items() if j not in self.many}
        remarks = Remarks(file, self.reading, self.texts, decisions, self.words)
        return remarks.with_notes(_without_unnamed(table, file, self.reading))

    def _chunks(self, first_pass: bool) -> Iterator[list[list[str]]]:
        """The rows, some hundred thousand cells at a time."""
        size = max(LEAST_ROWS, CELLS_A_CHUNK // len(self.file.names))
        rows: list[list[str]] = []
        for row in self.file.rows(first_pass):
            rows.append(row)
            if len(rows) == size:
                yield rows
                rows = []
        if rows:
            yield rows

    def _plain_numbers(self) -> list[Growing | None]:
        """First pass: every column of plain numbers; None for any other column."""
        width = len(self.file.names)
        columns: list[Growing | None] = [
            None if form is not None and form.kind in ("text", "date") else self.storage.growing()
            for form in self.forms
        ]
        digits, zeros, empty = [True] * width, [False] * width, [True] * width
        missing = self.reading.missing | self.reading.missing_numbers
        lines = self.storage.growing()
        lines.append(np.empty(0, np.int64))
        for rows in self._chunks(first_pass=True):
            lines.append(np.array(self.file.lines, np.int64))
            self.file.forget_lines()
            for j, cells in enumerate(zip(*rows, strict=True)):
                column = columns[j]
                if column is None:
                    continue
                numbers = numbers_of(cells, missing, self.words[j])
                form = self.forms[j]
                comma = self.reading.decimal == "," or (form is not None and form.decimal == ",")
                if numbers is None or (numbers.points and comma):
                    columns[j] = None
                    continue
                column.append(numbers.values)
                digits[j] = digits[j] and numbers.digits
                zeros[j] = zeros[j] or numbers.zeros
                gaps = numbers.values.dtype.kind == "f" and bool(np.isnan(numbers.values).all())
                empty[j] = empty[j] and gaps
                self.points[j] = self.points[j] or numbers.points
        self.file.lines = lines.array()
        for j, column in enumerate(columns):
            if column is None or (digits[j] and zeros[j] and self.forms[j] is None):
                columns[j] = None
                self.words[j] = {}
            elif self.words[j] and empty[j]:
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

    def _decide_again(self, which: list[int], numbers: list[Growing | None]) -> None:
        """Read columns such as 1.234 again as thousands, since others have a decimal comma."""
        if not which:
            return
        self._read_texts(which)
        for j in which:
            candidate = Candidate(self.texts[j], self.forms[j], self.reading.missing_numbers)
            form = self.forms[j]
            if candidate.points or (form is not None and form.decimal == "."):
                del self.texts[j]
                self.many.discard(j)
                continue
            self.decisions[j] = candidate.decide(self.reading.decimal, ",")
            numbers[j] = None

    def _read_texts(self, which: list[int]) -> None:
        codes_of = {j: dict.fromkeys(self.reading.missing, -1) for j in which}
        known = len(self.reading.missing)
        codes = {j: self.storage.empty(len(self.file.lines), np.int32) for j in which}
        most, start = self.storage.most_texts, 0
        for rows in self._chunks(first_pass=False):
            stop = start + len(rows)
            for j, code_of in codes_of.items():
                if j in self.many:
                    continue
                part, words = [], self.words[j]
                for row in rows:
                    cell = row[j].strip()
                    code = code_of.setdefault(cell, len(code_of) - known)
                    part.append(code)
                    if code < 0 and cell:
                        words[cell] = words.get(cell, 0) + 1
                codes[j][start:stop] = part
                if most is not None and len(code_of) - known > most:
                    self.many.add(j)
                    codes[j] = np.arange(len(code_of) - known, dtype=np.int32)
            start = stop
        for j, code_of in codes_of.items():
            self.texts[j] = Texts(codes[j], tuple(code_of)[known:])

    def _read_many(self, numbers: list[Growing | None]) -> None:
        """Third pass: the numbers of columns with too many texts, by the forms that are decided."""
        many = {
            j: ManyTexts(self.decisions[j].form, self.forms[j] is None, self.storage)
            for j in sorted(self.many)
            if self.decisions[j].values is not None
        }
        if not many:
            return
        start = 0
        for rows in self._chunks(first_pass=False):
            for j, column in many.items():
                column.add(
                    [row[j].strip() for row in rows], start, len(self.file.lines), self.reading
                )
                if column.too_many:
                    where = at_column(self.file.source, quoted(self.file.names[j]))
                    raise DataError(
                        _(
                            "{where}: more than {count:,} different words stand among the numbers. Say"
                            " --text {name} or --number {name}.",
                            where=where,
                            count=self.storage.most_texts,
                            name=self.file.names[j],
                        )
                    )
            start += len(rows)
        for j, column in many.items():
            numbers[j] = column.numbers
            beside = column.words()
            if beside is not None:
                self.beside[j] = beside
            elif self.decisions[j].form.kind == "mixed" and self.forms[j] is None:
                self.decisions[j] = replace(
                    self.decisions[j], form=replace(self.decisions[j].form, kind="number")
                )

    def _assemble(self, numbers: list[Growing | None]) -> Table:
        file = self.file
        forms: dict[str, Form] = {}
        texts: dict[str, Texts] = {}
        words: dict[str, Texts] = {}
        left_out: list[str] = []
        for j, name in enumerate(file.names):
            column, decision = numbers[j], self.decisions.get(j)
            if j in self.many and column is None:
                left_out.append(name)
                continue
            if decision is None:
                forms[name] = self.forms[j] or Form("number", "." if self.points[j] else "")
                continue
            forms[name] = decision.form
            if column is not None:  # read in the third pass
                if j in self.beside:
                    words[name] = self.beside[j]
                    forms[name] = replace(decision.form, kind="mixed")
                continue
            if decision.values is None:
                texts[name] = self.texts[j]
                continue
            words_beside = decision.words_of(self.texts[j])
            if words_beside is not None:
                words[name] = words_beside
            numbers[j] = column = self.storage.growing()
            column.append(decision.numbers_of(self.texts[j]))
        pairs = zip(file.names, numbers, strict=True)
        blocks = self.storage.blocks((name, column) for name, column in pairs if column is not None)
        assert isinstance(file.lines, np.ndarray)
        notes = list(file.notes)
        if self.many:
            notes.append(self._note_on_many(left_out))
        return Table.from_blocks(
            [name for name in file.names if name not in left_out],
            blocks,
            texts,
            file.source,
            notes,
            lines=file.lines,
            words=words,
            forms=forms,
        )

    def _note_on_many(self, left_out: list[str]) -> Text:
        count = self.storage.most_texts
        read = [self.file.names[j] for j in sorted(self.many)]
        read = [name for name in read if name not in left_out]
        sentence = read and _(
            "{columns}: of more than {count:,} different texts the first decided how all are read.",
            columns=some(read, 5, quoted),
            count=count,
        )
        other = left_out and _(
            "{columns} was left out: more than {count:,} different texts.",
            columns=some(left_out, 5, quoted),
            count=count,
        )
        return sentences(sentence or None, other or None)


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
