"""Columns that give the target away: each tells it by itself, and may not be known later.

A good predictor is no giveaway, however good it is. What is looked for is a rule without exceptions:

* each value of the column goes with one class, a copy of the target or its classes by other names
  being the plainest case. Every row is judged by the other rows with its value, so that a value that
  occurs once explains nothing. Where the values are about as many as the classes, one row in a hundred
  of those outside the largest class may be a slip;
* the classes lie side by side along the column, and border on each other as closely as rows do
  anywhere: a number that was cut into classes, or the number of rows that were sorted by class. Classes
  with a gap between them are told apart by a good predictor;
* a number to predict is a linear function of the column, up to the digits that both are written with;
* or rises or falls with the number of the rows.

What only numbers the rows tells nothing of the target, and gives nothing away; but rows that stand
side by side are often alike, and new ones have other numbers. So it is spoken of, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from chainrule.datasets.table import Table
from chainrule.datasets.wording import advice, quoted, typed
from chainrule.lang.messages import Spelled, Text, _, sentences

__all__ = ["giveaway_notes"]

Vector = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]
#: So many rows show a rule well enough; so many, that there is none.
ENOUGH, FIRST_LOOK = 100_000, 1_000
#: One in a hundred may be an exception, of the rows outside the largest class; these are at least ten.
EXCEPTIONS, LEAST = 0.01, 10
#: Rows of a number to predict that show a rule.
LEAST_ROWS = 20
#: In fewer rows any column of whole numbers may have each but once.
COUNTED = 100
#: Near a border between classes are so many rows on both sides; they lie this much farther apart than others.
NEAR, APART = 5, 2.0
#: The part of the variance that a linear function leaves: by itself, and where rounding explains it.
EXACT, ROUNDED = 1e-6, 1e-3


def giveaway_notes(
    table: Table, target: str, ids: Ids | None, columns: Sequence[str]
) -> Iterator[Text]:
    """A sentence for each of the `columns` that tells the target by itself.

    ids (n,): the classes of the rows; None where the target is a number.

    >>> rows = Table({"alive": ["no", "yes"] * 20, "age": range(40), "survived": [0, 1] * 20})
    >>> notes = list(giveaway_notes(rows, "survived", rows["survived"], ["alive", "age"]))
    >>> len(notes), notes[0].split(":")[0]
    (1, "'alive' tells 'survived' by itself, since each of its values goes with one class")
    """
    every = max(1, -(-len(table) // ENOUGH))
    some = table.rows(slice(None, None, every))
    for start in range(0, len(columns), some.columns_at_once):
        group = columns[start : start + some.columns_at_once]
        numbers = [name for name in group if some.kind(name) != "text"]
        cells = dict(zip(numbers, some.matrix(numbers).T, strict=True))
        for name in group:
            form, how = some.form(name), ""
            known = None if form is not None and form.kind == "date" else cells.get(name)
            if ids is not None:
                values = _values(some, name, cells.get(name))
                how = _of_classes(values, known, ids[::every])
            elif known is not None:
                t = some.matrix([target])[:, 0]
                how = _of_number(known, t, len(table), target, name)
            if how:
                yield _note(name, target, how)
            elif len(table) >= COUNTED and known is not None and _numbers_rows(known, len(table)):
                yield _counter_note(name)


def _without(name: str) -> Text:
    option = Spelled(f"table.drop({name!r})", command=f"--without {typed(name)}")
    return advice(_("(Without it: {option}.)", option=option))


def _counter_note(name: str) -> Text:
    return sentences(
        _(
            "{column} numbers the rows: new ones will have other numbers, of which nothing is known.",
            column=quoted(name),
        ),
        _without(name),
    )


def _note(name: str, target: str, how: str) -> Text:
    return sentences(
        _(
            "{column} tells {target} by itself, since {how}: is it known when you predict?",
            column=quoted(name),
            target=quoted(target),
            how=how,
        ),
        _without(name),
    )


# -- classes ------------------------------------------------------------------------------------


def _values(table: Table, name: str, numbers: Vector | None) -> Vector:
    """The cells as numbers, alike where the cells are; missing cells are one value, too."""
    if numbers is None:
        return table.texts(name).codes.astype(np.float64)
    beside = table.words(name)
    other = 0.0 if np.isnan(numbers).all() else float(np.nanmax(numbers))
    if beside is None:
        return np.nan_to_num(numbers, nan=other + 1)
    words = np.arange(len(beside.categories) + 1) + abs(other) + 1  # the last one for missing cells
    return np.where(np.isnan(numbers), words[beside.codes], numbers)


def _of_classes(values: Vector, numbers: Vector | None, ids: Ids) -> str:
    """How the values tell the classes; "" if they do not."""
    every = max(1, -(-len(ids) // FIRST_LOOK))
    if every > 1 and not _perhaps(_Tally(values[::every], ids[::every]), numbers is not None):
        return ""
    tally = _Tally(values, ids)
    if tally.unexplained < LEAST:
        return ""
    most = EXCEPTIONS * tally.unexplained
    alone = int((tally.count == 1).sum())
    slips = most if len(tally.value) <= 2 * len(tally.shares) else 0
    if tally.errors <= slips and tally.errors + alone <= most:
        return _("each of its values goes with one class")
    if numbers is None:
        return ""
    known = ~np.isnan(numbers)
    if (~known).sum() > EXCEPTIONS * len(ids):
        return ""
    tally = _Tally(numbers[known], ids[known])
    if tally.errors > most or not tally.in_pieces(EXCEPTIONS, 20.0):
        return ""
    rows = np.repeat(tally.value, tally.count)
    spans = rows[2 * NEAR - 1 :] - rows[: len(rows) - 2 * NEAR + 1]  # of the rows around each place
    borders = np.cumsum(tally.count)[np.flatnonzero(np.diff(tally.best))] - NEAR
    borders = np.clip(borders, 0, len(spans) - 1)
    if np.median(spans[borders]) > APART * np.median(spans):
        return ""
    return _("the classes lie side by side along it")


def _perhaps(tally: _Tally, number: bool) -> bool:
    """Whether some of the rows leave it open that the values tell the classes."""
    if tally.errors > 5 * EXCEPTIONS * tally.unexplained + 3:
        return False
    repeated = 2 * len(tally.value) <= tally.count.sum()
    return not number or repeated or tally.in_pieces(3 * EXCEPTIONS, 0.0)


class _Tally:
    """How often each value occurs, in order, its most frequent class, and how often that occurs."""

    def __init__(self, values: Vector, ids: Ids) -> None:
        order = np.lexsort((ids, values))
        values, ids = values[order], ids[order]
        new = np.ones(len(ids), bool)
        new[1:] = (np.diff(values) != 0) | (np.diff(ids) != 0)
        starts = np.flatnonzero(new)
        sizes = np.diff(np.append(starts, len(ids)))
        value, ids = values[starts], ids[starts]
        order = np.lexsort((sizes, value))
        last = np.append(np.diff(value) != 0, True)  # of each value: its most frequent class
        self.value = value[last]
        self.best, self.top = ids[order][last], sizes[order][last]
        self.count = np.diff(np.append(0, np.cumsum(sizes)[last]))
        totals = np.bincount(ids, sizes)
        self.shares = totals / totals.sum()
        #: The rows that are not of the largest class, and those that are not of their value's.
        self.unexplained = totals.sum() - totals.max()
        self.errors = self.count.sum() - self.top.sum()

    def in_pieces(self, part: float, least: float) -> bool:
        """Whether the class changes rarely from value to value: once a class, or a `part` of all chances."""
        chances = (len(self.value) - 1) * (1 - float((self.shares**2).sum()))
        borders = int((self.shares > 0).sum()) - 1
        changes = int((np.diff(self.best) != 0).sum())
        return changes <= max(borders, part * chances) and chances >= least * borders


# -- numbers ------------------------------------------------------------------------------------


def _of_number(x: Vector, t: Vector, rows: int, target: str, name: str) -> str:
    """How the numbers x tell the target t, of so many rows in all; "" if they do not."""
    known = ~np.isnan(x)
    if known.sum() < max(LEAST_ROWS, (1 - EXCEPTIONS) * len(x)):
        return ""
    x, t = x[known], t[known]
    every = max(1, -(-len(x) // FIRST_LOOK))
    if _line(x[::every], t[::every])[0] <= 20 * ROUNDED:
        left, slope, start = _line(x, t)
        rounding = (_digit(t) + abs(slope) * _digit(x)) * 0.6  # half a digit, and some for the line
        off, apart = np.abs(t - start - slope * x), np.abs(t - np.median(t))
        usual = float(np.median(off[apart > 0])) <= EXACT**0.5 * float(np.median(apart[apart > 0]))
        if (left <= EXACT and usual) or (
            left <= ROUNDED and (off > rounding).sum() <= _exceptions(t)
        ):
            return _formula(target, slope, name, start, max(rounding, 1e-6 * float(np.ptp(t))))
    if _numbers_rows(x, rows):
        steps = np.sign(np.diff(t[np.argsort(x)]))
        down, up = int((steps < 0).sum()), int((steps > 0).sum())
        if down + up >= LEAST and min(down, up) <= EXCEPTIONS * (down + up):
            return _("it numbers the rows, which are sorted by {target}", target=target)
    return ""


def _numbers_rows(x: Vector, rows: int) -> bool:
    """Whether the numbers x count the rows, of which there are so many and may have been some more."""
    if len(x) < LEAST_ROWS or not (x == np.floor(x)).all():
        return False
    return -1 <= x.min() <= 0.1 * rows and x.max() <= 2 * rows and len(np.unique(x)) == len(x)


def _formula(target: str, slope: float, name: str, start: float, least: float) -> str:
    """target = slope · name + start, without what does not matter."""
    factor = "" if abs(slope - 1) < 1e-6 else f"{slope:.6g} · "
    rest = "" if abs(start) <= least else f" {'+' if start > 0 else '-'} {abs(start):.6g}"
    return f"{target} = {factor}{name}{rest}"


def _line(x: Vector, t: Vector) -> tuple[float, float, float]:
    """The part of the variance of t that slope · x + start leaves, the slope and the start.

    By least squares, without the exceptions: the rows farthest from a first line, which is that of all
    rows or the one through the medians of the lower and the upper third of x (Tukey's resistant line).
    """
    exceptions = _exceptions(t)
    if exceptions < EXCEPTIONS * (LEAST_ROWS - 1):
        return 1.0, 0.0, 0.0
    last = len(t) - 1 - int(exceptions)
    low, high = np.quantile(x, [1 / 3, 2 / 3])
    lower, upper = x <= low, x >= high
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        ends = [np.median(part) for part in (x[lower], x[upper], t[lower], t[upper])]
        slope = (ends[3] - ends[2]) / (ends[1] - ends[0])
        found = [_left(x, t)]
        for first in ((slope, np.median(t - slope * x)), found[0][1:]):
            off = np.abs(t - first[1] - first[0] * x)
            near = off <= np.partition(off, last)[last]
            if near.any():
                found.append(_left(x[near], t[near]))
    return min(found[1:] or found)


def _exceptions(t: Vector) -> float:
    """How many rows may be exceptions: one in a hundred of those that do not have the usual value."""
    return EXCEPTIONS * int((t != np.median(t)).sum())


def _left(x: Vector, t: Vector) -> tuple[float, float, float]:
    """The part of the variance of t that the line of least squares leaves, its slope and its start."""
    a, b = x - x.mean(), t - t.mean()
    slope = float((a @ b) / (a @ a))
    left = float(((b - slope * a) ** 2).sum() / (b @ b))
    if not np.isfinite(left):
        return 1.0, 0.0, 0.0
    return left, slope, float(t.mean() - slope * x.mean())


def _digit(x: Vector) -> float:
    """What the last written digit of the numbers counts: 10, 1, 0.1, …; 0 where it is below 1e-9."""
    largest = float(np.abs(x).max())
    for places in range(-6, 10):
        scaled = x * 10.0**places
        if np.abs(scaled - np.round(scaled)).max() <= 1e-9 * max(1.0, largest * 10.0**places):
            return 10.0**-places
    return 0.0
