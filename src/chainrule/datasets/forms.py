"""How the cells of a column are written: decided for the training file, reused for later files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["Form", "Kind", "Kinds", "form_of"]

#: Texts; numbers; numbers with words beside them; dates, as days since 1970-01-01.
Kind = Literal["text", "number", "mixed", "date"]


@dataclass(frozen=True)
class Form:
    """The kind of a column, and how its numbers or dates are written.

    `decimal` is "." or ",", or "" if no cell shows it; `unit` is what was removed from the
    numbers ("%", "kg", "$"); `day_first` tells whether 3/4/2024 is in April.
    """

    kind: Kind
    decimal: str = ""
    unit: str = ""
    day_first: bool | None = None


#: The known kinds or forms of columns, by name.
Kinds = Mapping[str, Kind | Form]


def form_of(kind: Kind | Form | None) -> Form | None:
    """The form of a column that is given by its kind or its form; None for None."""
    return Form(kind) if isinstance(kind, str) else kind
