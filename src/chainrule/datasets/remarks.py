"""Notes on a table just read: special cases of its cells, missing cells, constant columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from chainrule.datasets.columns import Texts
from chainrule.datasets.deciding import Decision
from chainrule.datasets.rules import Reading
from chainrule.datasets.table import Table
from chainrule.datasets.text_rows import INDEX, TextFile
from chainrule.datasets.wording import Note, advice, counted, dates_note, quoted, some, typed
from chainrule.lang.messages import Message, Text, _, _n, sentences

__all__ = ["Remarks", "with_data_notes"]

#: The beginning of the sentence about n cells of some columns, by the name of the special case.
READ: dict[str, Callable[[int, Text], Message]] = {
    "comma": lambda n, columns: _n(
        "{n} cell of {columns} has a decimal comma", "{n} cells of {columns} have a decimal comma",
        n, columns=columns),
    "thousands": lambda n, columns: _n(
        "{n} cell of {columns} has signs between thousands",
        "{n} cells of {columns} have signs between thousands", n, columns=columns),
    "unit": lambda n, columns: _n(
        "{n} cell of {columns} is read without its sign or unit",
        "{n} cells of {columns} are read without their sign or unit", n, columns=columns),
    "scale": lambda n, columns: _n(
        "{n} cell of {columns} has a unit of thousands or millions",
        "{n} cells of {columns} have a unit of thousands or millions", n, columns=columns),
    "negative": lambda n, columns: _n(
        "{n} cell of {columns} is negative, in parentheses",
        "{n} cells of {columns} are negative, in parentheses", n, columns=columns),
    "bound": lambda n, columns: _n(
        "{n} cell of {columns} is a bound or an estimate",
        "{n} cells of {columns} are bounds or estimates", n, columns=columns),
    "footnote": lambda n, columns: _n(
        "{n} cell of {columns} has a mark of a footnote",
        "{n} cells of {columns} have marks of footnotes", n, columns=columns),
    "spelling": lambda n, columns: _n(
        "{n} cell of {columns} is a number written another way",
        "{n} cells of {columns} are numbers written another way", n, columns=columns),
    "formula": lambda n, columns: _n(
        "{n} cell of {columns} is a number in quotes of a spreadsheet",
        "{n} cells of {columns} are numbers in quotes of a spreadsheet", n, columns=columns),
    "infinite": lambda n, columns: _n(
        "{n} cell of {columns} is infinite and counts as missing",
        "{n} cells of {columns} are infinite and count as missing", n, columns=columns),
    "unread": lambda n, columns: _n(
        "{n} cell of {columns} is no number and counts as missing",
        "{n} cells of {columns} are no numbers and count as missing", n, columns=columns),
    "undated": lambda n, columns: _n(
        "{n} cell of {columns} is no date and counts as missing",
        "{n} cells of {columns} are no dates and count as missing", n, columns=columns),
}  # fmt: skip
#: Special cases of cells that were not read as a number.
UNREAD = ("infinite", "unread", "undated")
#: A note is made of at least this many distinct numbers among the words of a text column.
SOME = 3


class Remarks:
    """The notes on a table that was read from text."""

    def __init__(
        self,
        file: TextFile,
        reading: Reading,
        texts: Mapping[int, Texts],
        decisions: Mapping[int, Decision],
        words: Sequence[Mapping[str, int]],
    ) -> None:
        self.file, self.texts, self.decisions, self.words = file, texts, decisions, words
        names = ["Unnamed: 0" if name == INDEX else name for name in file.names]
        self.noted = [j for j, name in enumerate(names) if reading.judged(name)]
        self.names, self.reading = names, reading

    def with_notes(self, table: Table) -> Table:
        """The table with all notes."""
        self.noted = [j for j in self.noted if self.names[j] in table]
        notes = [*self._texts(), *self._read(), *self._beside(), *self._missing()]
        table = table.with_notes(*self.file.row_notes(), *notes)
        return with_data_notes(table, [self.names[j] for j in self.noted])

    def _texts(self) -> Iterable[Text]:
        """Why a column that looks like numbers or dates was read as text."""
        for j in self._with(("zeros", "wide", "dates", "units", "few")):
            column, cases = quoted(self.names[j]), self.decisions[j].cases
            name = typed(self.names[j])
            if "zeros" in cases:
                yield sentences(
                    _(
                        "{column} holds numbers that begin with 0, so it is read as text.",
                        column=column,
                    ),
                    advice(_("(As numbers: --number {name}.)", name=name)),
                )
            if "wide" in cases:
                yield sentences(
                    _(
                        "{column} holds whole numbers of more than 18 digits, so it is read as text.",
                        column=column,
                    ),
                    advice(_("(As numbers: --number {name}.)", name=name)),
                )
            if "dates" in cases:
                yield sentences(
                    _("{column} holds dates, and each is a text of its own.", column=column),
                    advice(_("(As numbers of days: --date {name}.)", name=name)),
                )
            if "units" in cases:
                yield _(
                    "{column} holds numbers with several units, such as {example}, so it is read as text:"
                    " write all in one.",
                    column=column,
                    example=self._example(j, cases["units"]),
                )
            if len(cases.get("few", ())) >= SOME:
                yield sentences(
                    _(
                        "{column} is text: {count} different numbers, such as {example}, stand among more"
                        " words.",
                        column=column,
                        count=len(cases["few"]),
                        example=self._example(j, cases["few"]),
                    ),
                    advice(_("(As numbers, words missing: --number {name}.)", name=name)),
                )

    def _read(self) -> Iterable[Text]:
        """How cells that are not plain numbers were read; one sentence for all columns."""
        for what, clause in READ.items():
            which = self._with((what,))
            if not which:
                continue
            count = sum(self._count(j, self.decisions[j].cases[what]) for j in which)
            cells = self.decisions[which[0]].cases[what]
            summary, example = clause(count, self._columns(which)), self._example(which[0], cells)
            number = self.decisions[which[0]].values
            if number is None or what in UNREAD:
                yield _("{cells}, such as {example}.", cells=summary, example=example)
            else:
                yield _(
                    "{cells}, such as {example}, read as {number:.10g}.",
                    cells=summary,
                    example=example,
                    number=number[cells[0]],
                )
        which = self._with(("doubtful",))
        if which:
            j, cells = which[0], self.decisions[which[0]].cases["doubtful"]
            number = self.decisions[j].values
            assert number is not None
            other = "," if self.decisions[j].form.decimal == "." else "."
            yield sentences(
                _(
                    "{example} in {columns} can be read in two ways; it is read as {number:.10g}.",
                    example=self._example(j, cells),
                    columns=self._columns(which),
                    number=number[cells[0]],
                ),
                advice(_("(The other way: --decimal {sign}.)", sign=other)),
            )
        which = self._with(("read dates",))
        if which:
            cells = self.decisions[which[0]].cases["read dates"]
            yield dates_note([self.names[j] for j in which], self._example(which[0], cells))
        for j in self._with(("doubtful date",)):
            yield sentences(
                _(
                    "{example} in {column} can be read in two ways; the month is taken to be first.",
                    example=self._example(j, self.decisions[j].cases["doubtful date"]),
                    column=quoted(self.names[j]),
                ),
                advice(_("(The day first: --day-first.)")),
            )

    def _beside(self) -> Iterable[Text]:
        """Words that are kept beside the numbers of their column."""
        for j in self._with(("words",)):
            name, cells = self.names[j], self.decisions[j].cases["words"]
            yield sentences(
                _n(
                    "{n} cell of {column} is a word among the numbers and is kept beside them, such as"
                    " {example}.",
                    "{n} cells of {column} are words among the numbers and are kept beside them, such as"
                    " {example}.",
                    self._count(j, cells),
                    column=quoted(name),
                    example=self._example(j, cells),
                ),
                advice(
                    _(
                        "(All as text: --text {name}; as missing: --number {name}, or --missing-words"
                        " {word}.)",
                        name=typed(name),
                        word=typed(self.texts[j].categories[cells[0]]),
                    )
                ),
            )

    def _missing(self) -> Iterable[Text]:
        """The words that were read as missing cells."""
        counts: dict[str, int] = {}
        which = []
        for j in self.noted:
            word_counts = dict(self.words[j])
            if j in self.decisions:
                text = self.texts[j]
                for i in self.decisions[j].cases.get("missing", ()):
                    word_counts[text.categories[i]] = self._count(j, [i])
            if word_counts:
                which.append(j)
            for word, count in word_counts.items():
                counts[word] = counts.get(word, 0) + count
        if counts:
            yield sentences(
                _n(
                    "{n} cell of {columns} says {words} and counts as missing.",
                    "{n} cells of {columns} say {words} and count as missing.",
                    sum(counts.values()),
                    columns=self._columns(which),
                    words=some(list(counts.items()), 6, counted),
                ),
                advice(_("(If one is a value: --missing-words.)")),
            )

    def _with(self, what: Sequence[str]) -> list[int]:
        return [
            j
            for j in self.noted
            if j in self.decisions and any(name in self.decisions[j].cases for name in what)
        ]

    def _count(self, j: int, cells: Sequence[int]) -> int:
        return int(np.isin(self.texts[j].codes, cells).sum())

    def _columns(self, which: Sequence[int]) -> Text:
        return some(which, 3, lambda j: quoted(self.names[j]))

    def _example(self, j: int, cells: Sequence[int]) -> Text:
        row = int(np.argmax(self.texts[j].codes == cells[0]))
        cell = quoted(self.texts[j].categories[cells[0]], 40)
        return _("{cell} (line {line})", cell=cell, line=self.file.lines[row])


def with_data_notes(table: Table, names: Sequence[str] | None = None) -> Table:
    """The table with notes on missing cells and constant columns, among `names` or all columns."""
    noted = set(table.names if names is None else names)
    counts = {name: n for name, n in table.missing_counts().items() if name in noted}
    notes: list[Text] = [
        Note(_missing_in(count, name), "gaps")
        for name, count in list(counts.items())[:10]
        if count < len(table)
    ]
    if len(counts) > 10:
        rest = list(counts.values())[10:]
        notes.append(Note(_missing_in_more(sum(rest), len(rest)), "gaps"))
    empty = [name for name, count in counts.items() if count == len(table)]
    if empty:
        notes.append(
            _n(
                "{n} column holds no value at all: {names}.",
                "{n} columns hold no value at all: {names}.",
                len(empty),
                names=some(empty, 5, quoted),
            )
        )
    same = [name for name in table.constants() if name in noted] if len(table) > 1 else []
    if same:
        note = _n(
            "{n} column holds one value only: {names}.",
            "{n} columns hold one value only: {names}.",
            len(same),
            names=some(same, 5, quoted),
        )
        notes.append(Note(note, "constants"))
    return table.with_notes(*notes)


def _missing_in(count: int, name: str) -> Text:
    return _n(
        "{n} missing cell in {column}.",
        "{n} missing cells in {column}.",
        count,
        column=quoted(name),
    )


def _missing_in_more(cells: int, columns: int) -> Text:
    return _(
        "{cells} in {columns}.",
        cells=_n("{n} missing cell", "{n} missing cells", cells),
        columns=_n("{n} more column", "{n} more columns", columns),
    )
