"""The layout of a text table: its separator, the lines above its first row, and its quoting."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, dropwhile, islice

from chainrule.datasets.headers import has_names
from chainrule.datasets.streams import TextStream
from chainrule.datasets.wording import at_line
from chainrule.datasets.writings import parse_number
from chainrule.errors import FormatError
from chainrule.lang.messages import _

__all__ = ["SEPARATORS", "Layout", "layout_of"]

#: Separators with their names; when several divide the rows evenly, the first one is chosen.
SEPARATORS = {
    "\t": _("tabs"),
    ";": _("semicolons"),
    "|": _("bars"),
    ",": _("commas"),
    "；": _("full-width semicolons"),
    "，": _("full-width commas"),
    " ": _("spaces"),
}
#: Separators that are also signs of Chinese sentences: they must divide nearly all rows alike.
WIDE = ("；", "，")
SAMPLE, SAMPLE_ROWS = 1 << 16, 60


@dataclass
class Layout:
    """How the cells of a text table are separated; `records` reads its rows.

    `data` is the text from the first row on. If it is only the head of a `stream`, the rows come
    from there.
    """

    data: bytes
    source: str
    separator: str
    #: The number of lines removed before the first row: comments, titles, a declared separator.
    above: int = 0
    #: Whether a backslash escapes a quote.
    backslash: bool = False
    #: Whether every row begins and ends with a bar, as in Markdown.
    framed: bool = False
    #: What finds the spaces behind quoted cells, if they are to be removed.
    spaces: re.Pattern[bytes] | None = None
    stream: TextStream | None = None

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of every row; an empty list for a blank line."""
        lines = self._lines()
        if self.separator == " ":
            lines = (line.expandtabs(1).strip() + "\n" for line in lines)
        reader = csv.reader(
            lines,
            delimiter=self.separator,
            strict=True,
            skipinitialspace=self.separator != "\t",
            escapechar="\\" if self.backslash else None,
        )
        first = line = self.above + 1
        try:
            for row in reader:
                if self.framed and row:
                    row = row[1:-1] if not row[-1].strip() else row[1:]
                    if all(re.fullmatch(r"\s*:?-{2,}:?\s*", cell) for cell in row):
                        line = first + reader.line_num
                        continue  # the rule below the names
                yield line, row
                line = first + reader.line_num
        except csv.Error as problem:
            raise _quote_error(str(problem), at_line(self.source, line)) from None

    def _lines(self) -> Iterable[str]:
        if self.stream is None:
            return _lines(self.data)
        first = next(iter(_lines(self.data)), "")  # the names, without a sign before them
        if not first:
            return ()
        lines: Iterable[str] = chain([first], self.stream.lines(self.above + 1))
        if (spaces := self.spaces) is not None:
            lines = (spaces.sub(rb"\1", line.encode()).decode() for line in lines)
        return lines


def layout_of(data: bytes, source: str, separator: str = "", above: int = 0) -> Layout:
    """The layout in which the rows have the most even widths, without the lines above the rows.

    The separator may be known; `above` lines precede `data` in the file.
    """
    if not separator and (first := re.match(rb'"?sep=(.)"?\r?\n', data)):
        separator, above, data = first[1].decode("utf-8", "replace"), 1, data[first.end() :]
    above, data = _without_comments(data, above)
    if not separator:
        separator = _separator_of(data)
    above, data = _without_titles(data, above, separator)
    layout = Layout(data, source, separator, above)
    sample = list(islice(_rows(_cut(data), separator), SAMPLE_ROWS))
    layout.framed = (
        separator == "|"
        and len(sample) > 1
        and all(not r[0].strip() and len(r) > 2 for r in sample)
    )
    if b'"' in data:
        try:
            _quoting(layout)
        except FormatError:
            if separator == " " or not _spaces_divide(_cut(data)):
                raise
            layout.separator, layout.framed = " ", False  # the commas were decimal signs
            _quoting(layout)
    return layout


def _quoting(layout: Layout) -> None:
    """Allow escaped quotes, and spaces after quotes, if the rows cannot be read otherwise."""
    problem, widths = _fault(layout)
    if problem is None:
        if b'\\"' in layout.data:  # no fault, but the backslashes may still be escapes
            layout.backslash = True
            layout.backslash = _fault(layout) == (None, widths)
        return
    data, sign = layout.data, re.escape(layout.separator.encode())
    for backslash in (False, True) if b'\\"' in data else (False,):
        for tidy in (False, True):
            if tidy and layout.separator != " ":
                cell = rb'"(?:[^"]|"")*"' if not backslash else rb'"(?:[^"\\]|\\.|"")*"'
                begins = rb"((?:^|" + sign + rb")[ ]*" + cell + rb")"
                spaced = re.compile(begins + rb"[ \t]+(?=" + sign + rb"|\r|\n|\Z)", re.MULTILINE)
                layout.data, layout.spaces = spaced.sub(rb"\1", data), spaced
            layout.backslash = backslash
            if _fault(layout)[0] is None:
                return
            layout.data, layout.spaces = data, None
    layout.backslash = False
    raise problem


def _fault(layout: Layout) -> tuple[FormatError | None, Counter[int]]:
    """The first error in the quotes, if any, and the number of rows of each width."""
    widths: Counter[int] = Counter()
    try:
        for _, row in layout.records():
            widths[len(row)] += 1
    except FormatError as problem:
        return problem, widths
    return None, widths


def _without_comments(data: bytes, above: int) -> tuple[int, bytes]:
    """The data without leading lines that begin with #; the last one is kept if it holds the names."""
    lines: list[bytes] = []
    rest = data
    while rest.startswith(b"#"):
        line, end, after = rest.partition(b"\n")
        lines.append(line + end)
        rest = after
    if not lines or not rest.strip():
        return above, data
    separator = _separator_of(rest)
    rows = list(islice(_rows(_cut(rest), separator), SAMPLE_ROWS))
    below = rows[0] if rows else []
    last = next(_rows(lines[-1], separator), [])
    if separator == " " and last and last[0] == "#":
        last = [] if has_names(rows) else last[1:]  # words of a remark
    if len(last) == len(below) > 1 and not all(map(_is_number, last)):
        named = re.sub(rb"^#[ \t]+", b"", lines[-1])
        return above + len(lines) - 1, named + rest
    return above + len(lines), rest


def _without_titles(data: bytes, above: int, separator: str) -> tuple[int, bytes]:
    """The data without leading lines of a single cell, if the rows have more cells."""
    if separator == " " or separator == "|":
        return above, data
    sample = _cut(data)
    width, _ = _most_common([_width(row) for row in islice(_rows(sample, separator), SAMPLE_ROWS)])
    count, rest, after_blank = 0, data, False
    while rest and count < SAMPLE_ROWS:
        line, end, after = rest.partition(b"\n")
        named = _with_plain_signs(line, separator)
        if named != line and len(next(_rows(named, separator), [])) == width:
            return above + count, named + end + after
        row = next(_rows(line, separator), [])
        if _count_filled(row) > 1 or line.count(b'"') % 2:
            break
        count, rest, after_blank = count + 1, after, not line.strip()
    rows = list(islice(_rows(_cut(rest), separator), SAMPLE_ROWS))
    if not count or width < 2 or len(rows) < 2 or _width(rows[0]) < width - 1:
        return above, data
    # R writes a table of one column as a single name above rows of two cells.
    cells = len(next(_rows(data.partition(b"\n")[0], separator), []))
    if has_names(rows) or after_blank or cells < width - 1:
        return above + count, rest
    return above, data


def _with_plain_signs(line: bytes, separator: str) -> bytes:
    """A line of names with its full-width signs as the separator, which stands in none of them."""
    text = line.decode("utf-8", "surrogatepass")
    if separator in text or not any(sign in text for sign in WIDE):
        return line
    for sign in WIDE:
        text = text.replace(sign, separator)
    return text.encode("utf-8", "surrogatepass")


def _separator_of(data: bytes) -> str:
    """The separator that gives the first rows the most even widths; a comma if none does."""
    sample = _cut(data)
    best, best_score = ",", (False, False, False, 0.0)
    for separator in SEPARATORS:
        if separator == " ":
            continue
        rows = list(islice(_rows(sample, separator), SAMPLE_ROWS))
        rows = [row for row in rows if not row[0].startswith("#")]
        if not rows:
            continue
        # Empty cells at the ends of rows may be real cells or superfluous separators.
        filled = _evenness([_width(row) for row in rows])
        share = max(_evenness([len(row) for row in rows]), filled)
        if separator in WIDE and share < 0.9:
            continue
        others = tuple(set(SEPARATORS) - {separator, " "})
        clean = 2 * sum(any(cell.startswith(others) for cell in row) for row in rows) < len(rows)
        score = (filled > 0, _has_header(rows, separator), clean, share)
        if share and score > best_score:
            best, best_score = separator, score
    _, named, _, share = best_score
    if best == "\t" and _numbers_share_cells(sample):
        return " "  # single tabs among spaces
    if (share < 0.9 or not named) and _spaces_divide(sample):
        return " " if not share or _numeric(sample, " ") > _numeric(sample, best) else best
    return best


def _has_header(rows: Sequence[list[str]], separator: str) -> bool:
    """Whether the first row has several cells, or is a title above a header."""
    if len(rows[0]) > 1:
        return True
    table = list(dropwhile(lambda row: _count_filled(row) < 2, rows))
    signs = list(SEPARATORS)
    better = ('"', *signs[: signs.index(separator)])
    cells = (rows[0][0], *(table[0] if table else ()))
    if any(sign in cell for cell in cells for sign in better):
        return False  # names divided by another separator
    return len(table) > 1 and has_names(table)


def _count_filled(row: Sequence[str]) -> int:
    """The number of cells of a row that are not empty."""
    return sum(bool(cell.strip()) for cell in row)


def _numbers_share_cells(sample: bytes) -> bool:
    """Whether in most rows a tab-separated cell holds several numbers divided by spaces."""
    rows = list(islice(_rows(sample, "\t"), SAMPLE_ROWS))
    several = (
        any(
            len(c.split()) > 1 and all(map(_is_number, c.split())) and not _is_number(c)
            for c in row
        )
        for row in rows
    )
    by_spaces = list(islice(_rows(sample, " "), 2))
    even = len({len(row) for row in by_spaces}) == 1  # else the header is divided by tabs
    return even and 2 * sum(several) > len(rows) and _spaces_divide(sample)


def _numeric(sample: bytes, separator: str) -> float:
    """The share of the cells that are numbers."""
    cells = [cell for row in islice(_rows(sample, separator), SAMPLE_ROWS) for cell in row]
    return sum(map(_is_number, cells)) / max(len(cells), 1)


def _evenness(widths: Sequence[int]) -> float:
    """The share of the rows that have the most common width; 0 if that width is one cell."""
    width, often = _most_common(widths)
    return often / len(widths) if width > 1 else 0.0


def _most_common(widths: Sequence[int]) -> tuple[int, int]:
    """The most common width, the largest if several are; and the number of rows that have it."""
    return max(Counter(widths).items(), key=lambda item: item[::-1], default=(0, 0))


def _spaces_divide(sample: bytes) -> bool:
    """Whether spaces divide the rows: equally many cells in each, some of them numbers.

    The header may have one cell less.
    """
    rows = list(islice(_rows(sample, " "), SAMPLE_ROWS))
    if len(rows) < 2:
        return False
    count = len(rows[1])
    even = count > 1 and all(len(row) == count for row in rows[1:])
    named = 1 < len(rows[0]) <= count and len(rows[0]) >= count - 1
    if not even or not named or not any(_is_number(cell) for row in rows[1:] for cell in row):
        return False
    divided = (any(c[0] in ",;|" or c[-1] in ",;|" for c in row if c) for row in rows)
    return 2 * sum(divided) <= len(rows)


def _width(row: list[str]) -> int:
    """The number of cells of a row, without empty ones at its end."""
    return next((j for j in range(len(row), 0, -1) if row[j - 1].strip()), len(row))


def _is_number(cell: str) -> bool:
    return parse_number(cell.strip()) is not None


def _rows(data: bytes, separator: str) -> Iterator[list[str]]:
    """The rows up to the first error in the quotes, for detecting the layout."""
    lines: Iterable[str] = _lines(data)
    if separator == " ":
        lines = (line.expandtabs(1).strip() + "\n" for line in lines)
    rows = csv.reader(lines, delimiter=separator, skipinitialspace=separator != "\t")
    try:
        for row in rows:
            if row:
                yield row
    except csv.Error:
        return


def _cut(data: bytes) -> bytes:
    """The first SAMPLE bytes, cut at the end of a line."""
    sample = data[:SAMPLE]
    cut = max(sample.rfind(b"\n"), sample.rfind(b"\r"))
    if len(data) > len(sample) and cut > 0:
        sample = sample[:cut]
    return sample.decode("utf-8", "ignore").encode()


def _lines(data: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(data), "utf-8", "surrogatepass", newline="")


def _quote_error(problem: str, where: str) -> FormatError:
    if "field limit" in problem:
        return FormatError(
            _(
                "{where}: a cell in the row that starts here is longer than {limit} characters. Mostly a"
                ' quote (") was opened and never closed; close it, or shorten the cell.',
                where=where,
                limit=csv.field_size_limit(),
            )
        )
    if "unexpected end" in problem:
        return FormatError(
            _(
                '{where}: a quote (") opened in the row that starts here is never closed. Close it, or write'
                ' a quote inside a quoted cell twice ("").',
                where=where,
            )
        )
    return FormatError(
        _(
            "{where}: a quoted cell goes on after its closing quote. Write a quote inside a quoted cell"
            ' twice ("").',
            where=where,
        )
    )
