"""Cells that are dates, as days since 1970-01-01."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

__all__ = [
    "DATE_PARTS",
    "DatePart",
    "ambiguous",
    "date_part",
    "day_first_in",
    "day_of",
    "days",
    "days_of",
    "surely_dates",
]

_CLOCK = r"(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?\s*(Z|[AaPp][Mm]|[+-]\d{2}:?\d{2})?)?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})[-/.年](\d{{1,2}})[-/.月](\d{{1,2}})日?{_CLOCK}", re.ASCII)
_YEAR_MONTH = re.compile(r"(\d{4})(?:-|/|年)(\d{1,2})月?", re.ASCII)
_COMPACT = re.compile(r"((?:1[5-9]|20)\d\d)(\d\d)(\d\d)", re.ASCII)
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2(\d{{4}}|\d{{2}}){_CLOCK}", re.ASCII)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAME = re.compile(
    r"(?:([A-Za-z]{3,9})\.?[ -](\d{1,2}),?|(\d{1,2})[ -]([A-Za-z]{3,9})\.?,?)[ -](\d{4}|\d\d)"
    + _CLOCK,
    re.ASCII,
)
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?\s*([AaPp][Mm])?", re.ASCII)
_EPOCH = dt.datetime(1970, 1, 1)
#: Days farther away than this from 1970 are no dates.
_FAR = 1e8


def day_of(cell: str, day_first: bool) -> float | None:
    """Days since 1970-01-01, the time of day as a fraction; None if the cell is no date.

    `day_first` reads 3/4/2024 as the third of April, unless only the other order is a date. A time of
    day alone is that fraction.

    >>> day_of("1970-01-03", False), day_of("2/1/1970 12:00", True), day_of("Jan 2, 1970", False)
    (2.0, 1.5, 1.0)
    >>> day_of("18:00", False)
    0.75
    >>> day_of("1970-13-40", False) is None
    True
    """
    if match := _YEAR_FIRST.fullmatch(cell):
        year, month, day, *clock = match.groups()
    elif match := _COMPACT.fullmatch(cell):
        (year, month, day), clock = match.groups(), []
    elif match := _YEAR_MONTH.fullmatch(cell):
        (year, month), day, clock = match.groups(), "1", []
    elif match := _YEAR_LAST.fullmatch(cell):
        one, _, two, year, *clock = match.groups()
        if int(one) > 12 or int(two) > 12:  # only one reading
            day_first = int(one) > 12
        day, month = (one, two) if day_first else (two, one)
    elif match := _MONTH_NAME.fullmatch(cell):
        name, day, other_day, other_name, year, *clock = match.groups()
        name, day = name or other_name, day or other_day
        if name[:3].lower() not in _MONTHS:
            return None
        month = str(_MONTHS.index(name[:3].lower()) + 1)
    elif match := _TIME.fullmatch(cell):
        return _clock(*match.groups()) if int(match[1]) < 24 and int(match[2]) < 60 else None
    else:
        return None
    if len(year) == 2:
        year = ("20" if int(year) < 70 else "19") + year
    try:
        date = dt.datetime(int(year), int(month), int(day))
        return days(date) + _clock(*clock)
    except ValueError:
        return None


def _clock(
    hour: str | None = None,
    minute: str | None = None,
    second: str | None = None,
    zone: str | None = None,
) -> float:
    if hour is None or minute is None:
        return 0.0
    h, m, s = int(hour), int(minute), float(second or 0)
    half = (zone or "").lower()
    if half in ("am", "pm"):
        h = h % 12 + 12 * (half == "pm")
    elif half and half != "z":
        shift = int(half[1:3]) * 60 + int(half[-2:])
        m -= -shift if half[0] == "-" else shift
    if not 0 <= h < 25 or s >= 61:
        raise ValueError
    return (h * 3600 + m * 60 + s) / 86400


def days(date: dt.date) -> float:
    """Days since 1970-01-01; a time with a zone is converted to UTC first."""
    if not isinstance(date, dt.datetime):
        date = dt.datetime(date.year, date.month, date.day)
    if date.tzinfo is not None:
        date = date.astimezone(dt.UTC).replace(tzinfo=None)
    return (date - _EPOCH).total_seconds() / 86400


def days_of(counts: npt.NDArray[Any], unit: str) -> npt.NDArray[np.float64]:
    """Counts of a unit of time ("D", "h", "m", "s", "ms", "us", "ns", …) as days.

    To the bits of `days`; beyond the years that nanoseconds reach, too.

    >>> days_of(np.array([43200, 86400]), "s").tolist()
    [0.5, 1.0]
    """
    if unit in ("ns", "ps", "fs", "as"):
        many = {"ns": 1000, "ps": 10**6, "fs": 10**9, "as": 10**12}[unit]
        micros, rest = np.divmod(counts, many)
        seconds = (micros + rest / many) / 1e6
    elif unit in ("us", "ms"):
        seconds = counts / (1e6 if unit == "us" else 1e3)
    else:
        size = {"s": 1, "m": 60, "h": 3600, "D": 86400, "W": 604800, "generic": 1}[unit]
        seconds = counts * float(size)
    found: npt.NDArray[np.float64] = seconds / 86400
    return found


def day_first_in(cells: Iterable[str]) -> bool | None:
    """Whether the day comes first, by the first cell with only one reading, such as 13/4/2024.

    None if no cell decides.
    """
    for cell in cells:
        if match := _YEAR_LAST.fullmatch(cell):
            if int(match[1]) > 12:
                return True
            if int(match[3]) > 12:
                return False
    return None


def ambiguous(cells: Iterable[str]) -> str | None:
    """The first cell that is a date in both orders of day and month, such as 3/4/2024."""
    for cell in cells:
        match = _YEAR_LAST.fullmatch(cell)
        if match and int(match[1]) <= 12 and int(match[3]) <= 12 and match[1] != match[3]:
            return cell
    return None


def surely_dates(cells: Sequence[str], day_first: bool | None) -> bool:
    """Whether all cells are dates, or all times of day, that can be read in one way only.

    `day_first` is the order of day and month, where it is known. Two digits for the year are sure
    beside slashes or a time only: 10-12-55 may be a code.

    >>> surely_dates(["2024-01-31", "2024-02-01"], None), surely_dates(["1/5/2019", "1/13/2019"], None)
    (True, True)
    >>> surely_dates(["1/5/2019", "2/6/2019"], None), surely_dates(["13/1/2019", "1/13/2019"], None)
    (False, False)
    """
    if not cells or any(day_of(cell, bool(day_first)) is None for cell in cells):
        return False
    times = sum(_TIME.fullmatch(cell) is not None for cell in cells)
    if times:
        return times == len(cells)
    orders: set[bool | None] = set()
    for match in filter(None, map(_YEAR_LAST.fullmatch, cells)):
        one, sign, two, year, hour = match.group(1, 2, 3, 4, 5)
        if len(year) == 2 and sign != "/" and hour is None:
            return False
        if one != two:
            orders.add(int(one) > 12 if max(int(one), int(two)) > 12 else None)
    return len(orders - {None}) < 2 and (orders != {None} or day_first is not None)


#: The parts of a date that a network is given as numbers; Monday is weekday 0.
DatePart = Literal["year", "month", "day", "weekday", "hour"]
DATE_PARTS: tuple[DatePart, ...] = get_args(DatePart)


def date_part(days: npt.NDArray[np.float64], part: DatePart) -> npt.NDArray[np.float64]:
    """A part of dates given as days since 1970-01-01; NaN where they are NaN.

    >>> date_part(np.array([0.75, 31.0, np.nan]), "month").tolist()
    [1.0, 2.0, nan]
    >>> date_part(np.array([0.75]), "hour").tolist(), date_part(np.array([0.75]), "weekday").tolist()
    ([18.0], [3.0])
    """
    known = np.isfinite(days) & (np.abs(days) < _FAR)
    whole = np.floor(np.where(known, days, 0.0))
    dates = whole.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    if part == "year":
        numbers = dates.astype("datetime64[Y]").astype(np.int64) + 1970
    elif part == "month":
        numbers = months.astype(np.int64) % 12 + 1
    elif part == "day":
        numbers = (dates - months.astype("datetime64[D]")).astype(np.int64) + 1
    elif part == "weekday":
        numbers = (whole.astype(np.int64) + 3) % 7
    else:
        return np.where(known, (days - whole) * 24, np.nan)
    return np.where(known, numbers, np.nan)
