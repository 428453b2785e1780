"""What a person would see at once in a table: a column of identifiers, of dates, of amounts with units."""

from __future__ import annotations

import re

import numpy as np

from chainrule.datasets import Preparation, Table

__all__ = ["hints"]

IDENTIFIER = re.compile(
    r"(?i:(?:.*[\W_])?(?:id|nr|no|index|key))|.*[a-z](?:Id|ID|No|Nr)|.*(?:编号|序号|行号|号码)"
)
DATE = re.compile(r"\d{4}[-/.年]\d{1,2}(?:[-/.月]\d{1,2}.*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}.*")
AMOUNT = re.compile(
    r"[$€£¥] ?[-+]?\d[\d.,]*|[-+]?\d[\d.,]*(?: ?[%$€£¥°元岁]| [^\W\d_]{1,5}| ?(?:[ckm]?m|k?g))"
)
#: From how many columns of 0 and 1 on a column of dates is spoken of.
MANY = 20


def hints(table: Table, preparation: Preparation) -> tuple[str, ...]:
    """Sentences about columns that are learned from and perhaps should not be.

    >>> table = Table({"id": list(range(40)), "x": [1.5, 2.5] * 20, "y": [0, 1] * 20})
    >>> hints(table, Preparation.fit(table, "y"))[0].partition(".")[0]
    "'id' has another whole number in every row, as identifiers have"
    """
    found = []
    for name in preparation.columns:
        if table.kind(name) == "int" and IDENTIFIER.fullmatch(name):
            if len(np.unique(table.column(name))) == len(table) > 1:
                found.append(
                    f"{name!r} has another whole number in every row, as identifiers have. If it is one,"
                    " leave the column out (--without)."
                )
        elif table.kind(name) == "text":
            known = [text for text in table.texts(name).categories if text]
            dates = sum(bool(DATE.fullmatch(text)) for text in known)
            amounts = sum(bool(AMOUNT.fullmatch(text)) for text in known)
            if len(known) >= MANY and amounts > 0.9 * len(known):
                found.append(
                    f"{name!r} holds amounts such as {known[0]}, and each is taken as a text of its own."
                    " Write them as numbers alone, and the unit into the column's name."
                )
            if len(known) >= MANY and dates > 0.9 * len(known):
                found.append(
                    f"{name!r} holds dates, and each is taken as a text of its own. Put what counts into"
                    " columns of numbers (year, month, weekday), or leave the column out (--without)."
                )
    return tuple(found)
