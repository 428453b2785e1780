"""Whether the first row of a text table is a header, by its cells; and unique column names."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from chainrule.datasets.cells import MISSING, NO_NUMBER
from chainrule.datasets.writings import parse_number

__all__ = ["has_names", "unique_names"]


def has_names(rows: Sequence[Sequence[str]], known: Collection[str] = ()) -> bool:
    """Whether the first row holds the names of the columns.

    A text above numbers is a name. A text that occurs again in its column is not a name. Numbers
    are not names, unless they count up (0, 1, 2, as pandas names columns) or are years above
    other numbers. `known` are names of columns; a row with one of them is a header.

    >>> has_names([["a", "b"], ["1", "x"]]), has_names([["5.1", "x"], ["4.9", "x"]])
    (True, False)
    >>> has_names([["state", "2021"], ["Utah", "-3"]]), has_names([["1", "2"], ["3", "4"]])
    (True, False)
    >>> has_names([["day", "24h"], ["1", "2"]]), has_names([["-5", "12 kg"], ["3", "4"]])
    (True, False)
    """
    first = [cell.strip() for cell in rows[0]]
    if any(cell in known for cell in first if cell):
        return True
    longer = len(rows) > 1 and all(len(row) == len(first) + 1 for row in rows[1:])
    if longer and any(row[-1].strip() for row in rows[1:]):
        return True  # R writes row names without a header of their own
    below = [
        [row[j].strip() for row in rows[1:] if j < len(row) and row[j].strip() not in MISSING]
        for j in range(len(first))
    ]
    numbers = [j for j, cell in enumerate(first) if _is_number(cell, below[j])]
    if any(re.search(r"^[-−]|\d[.,]\d", first[j]) for j in numbers):
        # Beside a number that cannot be a name, a number with a unit (12 kg) is no name either.
        numbers = [
            j for j, cell in enumerate(first) if _is_number(cell, below[j]) or parse_number(cell)
        ]
    words = [
        j for j, cell in enumerate(first) if cell not in MISSING | NO_NUMBER and j not in numbers
    ]
    if any(below[j] and all(map(_is_number, below[j])) for j in words):
        return True
    repeating = [j for j in words if len(set(below[j])) < len(below[j])]
    if repeating and sum(first[j] in below[j] for j in repeating) > 0.9 * len(repeating):
        return False
    return not numbers or _named_by_numbers([(first[j], below[j]) for j in numbers], rows)


def _named_by_numbers(
    columns: Sequence[tuple[str, list[str]]], rows: Sequence[Sequence[str]]
) -> bool:
    """Whether the numbers in the first row are the names of their columns."""
    if not all(re.fullmatch("[0-9]+", name) for name, _ in columns) or len(rows) < 2:
        return False
    names = [int(name) for name, _ in columns]
    if all(_is_year(name) for name, _ in columns) and len(set(names)) == len(names):
        return not any(cells and all(map(_is_year, cells)) for _, cells in columns)
    counting = len(names) > 1 and names == list(range(names[0], names[0] + len(names)))
    again = sum(name in cells for name, cells in columns)
    if not counting or 2 * again > len(names):
        return False
    return len(names) > 4 or (names[0] == 0 and not again)


def _is_year(cell: str) -> bool:
    return re.fullmatch("(?:1[5-9]|20)[0-9][0-9]", cell) is not None


def _is_number(cell: str, below: Sequence[str] | None = None) -> bool:
    """Whether a cell is a number; with a unit (12 kg, 24h) only if the cells below have it, too."""
    number = parse_number(cell)
    if number is None:
        return below is None and cell in NO_NUMBER
    if below is None or not re.search(r"[^\W\d_]", number.unit):
        return True
    return any((other := parse_number(c)) is not None and other.unit == number.unit for c in below)


def unique_names(names: Sequence[str]) -> tuple[list[str], list[int], list[str]]:
    """The names, made unique and not empty as pandas does; the indices of empty ones; duplicates.

    >>> unique_names(["a", "", "a"])
    (['a', 'Unnamed: 1', 'a.1'], [1], ['a'])
    """
    empty = [j for j, name in enumerate(names) if not name]
    filled = [name or f"Unnamed: {j}" for j, name in enumerate(names)]
    used, unique, twice = set(filled), [], []
    seen: set[str] = set()
    for name in filled:
        if name in seen:
            twice.append(name)
            k = 1
            while f"{name}.{k}" in used:
                k += 1
            name = f"{name}.{k}"
            used.add(name)
        seen.add(name)
        unique.append(name)
    return unique, empty, list(dict.fromkeys(twice))
