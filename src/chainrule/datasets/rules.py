"""The options for reading a text table; what they leave open is decided from the cells."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from chainrule.datasets.cells import MISSING, NO_NUMBER
from chainrule.datasets.forms import Form, Kind, Kinds, form_of
from chainrule.datasets.wording import quoted
from chainrule.errors import SettingError, nearest, shown
from chainrule.lang.messages import _

__all__ = ["Reading", "every", "reading_of"]

KINDS = ("text", "number", "date", "mixed")


def every(name: str) -> bool:
    """True for every column."""
    return True


@dataclass(frozen=True)
class Reading:
    """The options for reading a table; see `read_csv`, `read_excel` and `read_sql` for each.

    `or_encoding` is that of a file which is not in UTF-8, as one of a model's training was. `judged` tells
    for the name of a column whether notes may mention it.
    """

    encoding: str = "utf-8"
    header: bool | None = None
    kinds: Mapping[str, Kind | Form] = field(default_factory=dict)
    decimal: str = ""
    missing_words: frozenset[str] | None = None
    day_first: bool | None = None
    on_disk: bool | None = None
    sheet: str = ""
    query: str = ""
    or_encoding: str = ""
    judged: Callable[[str], bool] = field(default=every, compare=False)

    def __post_init__(self) -> None:
        if self.decimal not in ("", ".", ","):
            raise SettingError(
                _('decimal: a point "." or a comma ",". Got {got}.', got=shown(self.decimal))
            )
        for name, kind in self.kinds.items():
            if not isinstance(kind, Form) and kind not in KINDS:
                raise SettingError(
                    _(
                        "kinds: what {name} holds; {nearest}. Got {got}.",
                        name=quoted(name, 80),
                        nearest=nearest(kind, KINDS),
                        got=shown(kind),
                    )
                )

    def encoding_of(self, data: bytes) -> str:
        """The encoding of a file that begins with `data`."""
        if not self.or_encoding or data.isascii() or b"\0" in data:
            return self.or_encoding or self.encoding
        try:
            codecs.getincrementaldecoder("utf-8")().decode(data)  # its last letter may be cut
        except UnicodeDecodeError:
            return self.or_encoding
        return self.encoding

    def form(self, name: str) -> Form | None:
        """The known form of a column; None if nothing is known."""
        return form_of(self.kinds.get(name))

    @property
    def missing(self) -> frozenset[str]:
        """The words that mean missing in any column."""
        return MISSING if self.missing_words is None else frozenset(self.missing_words) | {""}

    @property
    def missing_numbers(self) -> frozenset[str]:
        """The words that mean missing among numbers only."""
        return NO_NUMBER if self.missing_words is None else frozenset()


def reading_of(
    kinds: Kinds | None,
    decimal: str,
    missing_words: Iterable[str] | None,
    day_first: bool | None,
    *,
    encoding: str = "utf-8",
    header: bool | None = None,
    sheet: str = "",
    query: str = "",
) -> Reading:
    """The options of a reader as one `Reading`: first those that all readers share."""
    if isinstance(missing_words, str):
        raise SettingError(
            _("missing_words: several texts, as a list. Got {got}.", got=shown(missing_words))
        )
    missing = None if missing_words is None else frozenset(missing_words)
    return Reading(
        encoding,
        header,
        dict(kinds or {}),
        decimal,
        missing,
        day_first,
        sheet=sheet,
        query=query,
    )
