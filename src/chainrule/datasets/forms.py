"""How the cells of a column are written: what is decided once, kept, and held to in later files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["Form", "Kind", "Kinds", "form_of"]

#: Texts; numbers; numbers with words beside them; dates, as days since the first of 1970.
Kind = Literal["text", "number", "mixed", "date"]


@dataclass(frozen=True)
class Form:
    """The kind of a column, and how its numbers or dates are written.

    `decimal` is "." or ",", or "" where no cell has told; `unit` is what was taken off the
    numbers ("%", "kg", "$"); `day_first` whether 3/4/2024 is in April.
    """

    kind: Kind
    decimal: str = ""
    unit: str = ""
    day_first: bool | None = None


#: What columns are known to hold, by name.
Kinds = Mapping[str, Kind | Form]


def form_of(kind: Kind | Form | None) -> Form | None:
    """A form from what somebody said of a column."""
    return Form(kind) if isinstance(kind, str) else kind
