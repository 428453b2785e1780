"""Texts of several lines that can be translated: lines below each other, and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chainrule.lang.messages import Text, in_language
from chainrule.text_width import cells_wide, padded

__all__ = ["Table", "in_columns"]


class Table(Text):
    """Rows of cells in columns, whose widths fit the words of each language."""

    __slots__ = ("rows",)

    rows: tuple[tuple[str, ...], ...]

    def __new__(cls, rows: Iterable[Sequence[str]]) -> Table:
        """The rows, all of one length."""
        cells = tuple(map(tuple, rows))
        self = super().__new__(cls, "\n".join(in_columns(cells, "en")))
        self.rows = cells
        return self

    def said(self, lang: str, reader: str = "python") -> str:
        """The table in a language, for a reader."""
        return "\n".join(in_columns(self.rows, lang, reader))

    def __reduce__(self) -> tuple[object, ...]:
        return Table, (self.rows,)


def in_columns(rows: Iterable[Sequence[str]], lang: str, reader: str = "python") -> list[str]:
    """Lines of cells, each column padded to its widest cell; the last column is not padded."""
    lines = [[in_language(cell, lang, reader) for cell in row] for row in rows]
    widths = [max(cells_wide(line[i]) for line in lines) for i in range(len(lines[0]) - 1)]
    return [
        "  ".join(
            [*(padded(cell, w) for cell, w in zip(line, widths, strict=False)), line[-1]]
        ).rstrip()
        for line in lines
    ]
