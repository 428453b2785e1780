"""Mistaken numbers in a column of text: told apart from real text, with the lines they are in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule.datasets.cells import sort_of, too_wide
from chainrule.datasets.columns import Texts
from chainrule.datasets.text_rows import TextFile
from chainrule.errors import shown

__all__ = ["mistake"]

FEW_ROWS = 20  # below this a stray word makes a column text instead of an error
NUMBERS_ENOUGH = 0.95


def mistake(file: TextFile, j: int, text: Texts) -> str | None:
    """What is wrong with a column of texts that was surely meant as numbers."""
    sorts = [sort_of(category) for category in text.categories]
    counts = np.bincount(text.codes[text.codes >= 0], minlength=len(sorts))
    total = int(counts.sum())

    def of(*wanted: str) -> int:
        return int(sum(n for sort, n in zip(sorts, counts, strict=True) if sort in wanted))

    if of("number", "large") == total and not of("large"):  # whole numbers above 64 bits
        sorts = ["large" if sort == "number" and too_wide(category) else sort
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
    file: TextFile,
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
