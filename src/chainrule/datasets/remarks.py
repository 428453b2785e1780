"""What is remarkable about a table just read: what was read how, gaps, columns of one value only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from chainrule.datasets.columns import Texts
from chainrule.datasets.deciding import Decided
from chainrule.datasets.rules import Reading
from chainrule.datasets.table import Table
from chainrule.datasets.text_rows import INDEX, TextFile
from chainrule.errors import shown

__all__ = ["Remarks", "noticed"]

#: What was done to cells, what the sentence says of them, and whether it says the number.
READ = (
    ("comma", "have a decimal comma", "has a decimal comma", True),
    ("thousands", "have signs between thousands", "has signs between thousands", True),
    ("unit", "are read without their sign or unit", "is read without its sign or unit", True),
    ("scale", "have a letter for thousands or millions", "has a letter for thousands or millions", True),
    ("negative", "are negative, in parentheses", "is negative, in parentheses", True),
    ("bound", "are bounds or estimates", "is a bound or an estimate", True),
    ("footnote", "have marks of footnotes", "has a mark of a footnote", True),
    ("spelling", "are numbers written another way", "is a number written another way", True),
    ("formula", "are numbers in quotes of a spreadsheet", "is a number in quotes of a spreadsheet", True),
    ("infinite", "are infinite and count as missing", "is infinite and counts as missing", False),
    ("unread", "are no numbers and count as missing", "is no number and counts as missing", False),
    ("undated", "are no dates and count as missing", "is no date and counts as missing", False),
)  # fmt: skip
#: So many numbers among the words of a text column are worth a remark.
SOME = 3


class Remarks:
    """The notes on a table that was read from text."""

    def __init__(
        self,
        file: TextFile,
        reading: Reading,
        texts: Mapping[int, Texts],
        decided: Mapping[int, Decided],
        words: Sequence[Mapping[str, int]],
    ) -> None:
        self.file, self.texts, self.decided, self.words = file, texts, decided, words
        names = ["Unnamed: 0" if name == INDEX else name for name in file.names]
        self.judged = [j for j, name in enumerate(names) if reading.judged(name)]
        self.names, self.reading = names, reading

    def noted(self, table: Table) -> Table:
        """The table with all notes."""
        self.judged = [j for j in self.judged if self.names[j] in table]
        notes = [*self._texts(), *self._read(), *self._beside(), *self._missing()]
        table = table.noted(*self.file.counted(), *notes)
        return noticed(table, [self.names[j] for j in self.judged])

    def _texts(self) -> Iterable[str]:
        """Why a column is text that might be taken for something else."""
        for j in self._with(("zeros", "wide", "dates", "units", "few")):
            name, done = self.names[j], self.decided[j].done
            option = _typed(name)
            if "zeros" in done:
                yield (
                    f"{name!r} holds numbers that begin with 0, so it is read as text."
                    f" (As numbers: --number {option}.)"
                )
            if "wide" in done:
                yield (
                    f"{name!r} holds whole numbers of more than 18 digits, so it is read as text."
                    f" (As numbers: --number {option}.)"
                )
            if "dates" in done:
                yield (
                    f"{name!r} holds dates, and each is a text of its own."
                    f" (As numbers of days: --date {option}.)"
                )
            if "units" in done:
                yield (
                    f"{name!r} holds numbers with several units, such as"
                    f" {self._example(j, done['units'])}, so it is read as text: write all in one."
                )
            if len(done.get("few", ())) >= SOME:
                yield (
                    f"{name!r} is text: {len(done['few'])} different numbers, such as"
                    f" {self._example(j, done['few'])}, stand among more words."
                    f" (As numbers, words missing: --number {option}.)"
                )

    def _read(self) -> Iterable[str]:
        """How cells were read that are no plain numbers; all columns in one sentence."""
        for what, many, one, value in READ:
            which = self._with((what,))
            if not which:
                continue
            count = sum(self._count(j, self.decided[j].done[what]) for j in which)
            cells = self.decided[which[0]].done[what]
            number = self.decided[which[0]].values
            read = f", read as {_short(number[cells[0]])}" if value and number is not None else ""
            yield (
                f"{_cells(count)} of {self._columns(which)} {many if count > 1 else one}, such as"
                f" {self._example(which[0], cells)}{read}."
            )
        which = self._with(("doubtful",))
        if which:
            j, cells = which[0], self.decided[which[0]].done["doubtful"]
            number = self.decided[j].values
            assert number is not None
            other = "," if self.decided[j].form.decimal == "." else "."
            yield (
                f"{self._example(j, cells)} in {self._columns(which)} can be read in two ways; it is read"
                f" as {_short(number[cells[0]])}. (The other way: --decimal {other}.)"
            )
        for j in self._with(("doubtful date",)):
            yield (
                f"{self._example(j, self.decided[j].done['doubtful date'])} in {self.names[j]!r} can be"
                " read in two ways; the month is taken to be first. (The day first: --day-first.)"
            )

    def _beside(self) -> Iterable[str]:
        """Words that stay beside the numbers of their column."""
        for j in self._with(("words",)):
            name, cells = self.names[j], self.decided[j].done["words"]
            count = self._count(j, cells)
            word = _typed(self.texts[j].categories[cells[0]])
            what = "are words" if count > 1 else "is a word"
            verb = f"{what} among the numbers and {what[:3].strip()}"
            yield (
                f"{_cells(count)} of {name!r} {verb} kept beside them, such as"
                f" {self._example(j, cells)}. (All as text: --text {_typed(name)}; as missing:"
                f" --number {_typed(name)}, or --missing-words {word}.)"
            )

    def _missing(self) -> Iterable[str]:
        """The words that were taken for missing cells."""
        found: dict[str, int] = {}
        which = []
        for j in self.judged:
            said = dict(self.words[j])
            if j in self.decided:
                text = self.texts[j]
                for i in self.decided[j].done.get("missing", ()):
                    said[text.categories[i]] = self._count(j, [i])
            if said:
                which.append(j)
            for word, count in said.items():
                found[word] = found.get(word, 0) + count
        if found:
            count = sum(found.values())
            words = ", ".join(f"{word} ({n})" for word, n in list(found.items())[:6])
            more = f" and {len(found) - 6} more" if len(found) > 6 else ""
            verb = "say" if count > 1 else "says"
            yield (
                f"{_cells(count)} of {self._columns(which)} {verb} {words}{more} and"
                f" count{'s' * (count < 2)} as missing. (If one is a value: --missing-words.)"
            )

    def _with(self, what: Sequence[str]) -> list[int]:
        return [
            j
            for j in self.judged
            if j in self.decided and any(name in self.decided[j].done for name in what)
        ]

    def _count(self, j: int, cells: Sequence[int]) -> int:
        return int(np.isin(self.texts[j].codes, cells).sum())

    def _columns(self, which: Sequence[int]) -> str:
        some = ", ".join(repr(self.names[j]) for j in which[:3])
        return some + (f" and {len(which) - 3} more" if len(which) > 3 else "")

    def _example(self, j: int, cells: Sequence[int]) -> str:
        row = int(np.argmax(self.texts[j].codes == cells[0]))
        return f"{shown(self.texts[j].categories[cells[0]], 40)} (line {self.file.lines[row]})"


def noticed(table: Table, names: Sequence[str] | None = None) -> Table:
    """The table with notes on missing cells and columns that hold one value only, of `names` or all."""
    judged = set(table.names if names is None else names)
    counts = {name: n for name, n in table.missing_counts().items() if name in judged}
    notes = [
        f"{count} missing cell{'s' if count > 1 else ''} in {name!r}."
        for name, count in list(counts.items())[:10]
        if count < len(table)
    ]
    if len(counts) > 10:
        rest = list(counts.values())[10:]
        notes.append(f"{sum(rest)} missing cells in {len(rest)} more columns.")
    same = [name for name in table.constants() if name in judged] if len(table) > 1 else []
    for found, what in (
        ([name for name, count in counts.items() if count == len(table)], "no value at all"),
        (same, "one value only"),
    ):
        if found:
            more = f" and {len(found) - 5} more" if len(found) > 5 else ""
            verb = "columns hold" if len(found) > 1 else "column holds"
            listed = ", ".join(repr(name) for name in found[:5])
            notes.append(f"{len(found)} {verb} {what}: {listed}{more}.")
    return table.noted(*notes)


def _cells(count: int) -> str:
    return f"{count} cell{'s' if count > 1 else ''}"


def _short(value: float) -> str:
    return f"{value:.10g}"


def _typed(word: str) -> str:
    """A word as it is typed behind an option."""
    return word if re.fullmatch(r"[\w@%+=:./-]+", word) else repr(word)
