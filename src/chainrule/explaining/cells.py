"""The cells of a table as short texts, for tables and pictures that name them."""

from __future__ import annotations

import numpy as np

from chainrule.datasets import Preprocessor, Table

__all__ = ["cell_text", "day_text"]


def cell_text(table: Table, name: str, row: int, preparation: Preprocessor) -> str:
    """A cell as text: dates as such, six digits of a number, a dash where it is missing."""
    words = table.words(name)
    if words is not None and words.codes[row] >= 0:
        return str(words.categories[words.codes[row]])
    cell = table.column(name)[row]
    if isinstance(cell, str):
        return str(cell) or "–"
    if np.isnan(cell):
        return "–"
    form = preparation.forms.get(name) or table.form(name)
    if form is not None and form.kind == "date":
        return day_text(float(cell))
    return f"{cell + 0.0:.6g}" if isinstance(cell, np.floating) else str(cell)


def day_text(days: float) -> str:
    """Days since 1970 as a date, with the time of day if there is one.

    >>> day_text(365.0), day_text(0.75)
    ('1971-01-01', '1970-01-01 18:00')
    """
    moment = np.datetime64(round(days * 1440), "m")
    return str(moment).replace("T", " ").removesuffix(" 00:00")
