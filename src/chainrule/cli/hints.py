"""What a person would see at once in a table: a column of identifiers."""

from __future__ import annotations

import re

import numpy as np

from chainrule.datasets import Preprocessor, Table
from chainrule.lang.messages import Text, _

__all__ = ["hints"]

IDENTIFIER = re.compile(
    r"(?i:(?:.*[\W_])?(?:id|nr|no|index|key))|.*[a-z](?:Id|ID|No|Nr)|.*(?:编号|序号|行号|号码)"
)


def hints(table: Table, preparation: Preprocessor) -> tuple[Text, ...]:
    """Sentences about columns that are learned from and perhaps should not be.

    >>> table = Table({"id": list(range(40)), "x": [1.5, 2.5] * 20, "y": [0, 1] * 20})
    >>> hints(table, Preprocessor.fit(table, "y"))[0].partition(".")[0]
    "'id' has another whole number in every row, as identifiers have"
    """
    found = []
    for name in preparation.columns:
        named = table.kind(name) == "int" and IDENTIFIER.fullmatch(name)
        if named and len(np.unique(table.column(name))) == len(table) > 1:
            found.append(
                _(
                    "{name!r} has another whole number in every row, as identifiers have. If it is one,"
                    " leave the column out (--without).",
                    name=name,
                )
            )
    return tuple(found)
