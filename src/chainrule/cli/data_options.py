"""The options on how a table is read, such as --header and --decimal."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from chainrule.errors import DataError, SettingError, shown
from chainrule.lang.messages import Text, _, listed

if TYPE_CHECKING:
    from chainrule.datasets import Table
    from chainrule.datasets.forms import Kinds
    from chainrule.datasets.rules import Reading

__all__ = ["DataOptions"]


@dataclass(frozen=True)
class DataOptions:
    """The options on how a table is read; those that are None or empty, its cells decide."""

    header: bool | None = None
    encoding: str | None = None
    text: tuple[str, ...] = ()
    number: tuple[str, ...] = ()
    date: tuple[str, ...] = ()
    decimal: str | None = None
    missing_words: str | None = None
    day_first: bool | None = None
    sheet: str | None = None
    query: str | None = None
    #: The encoding of a model's training file: that of later files, too, which are not in UTF-8.
    kept_encoding: str | None = None

    def __bool__(self) -> bool:
        return self != DataOptions()

    @property
    def given(self) -> list[str]:
        """The names of the options that were given."""
        return [f.name for f in fields(self) if getattr(self, f.name) != f.default]

    def typed(self, which: Sequence[str]) -> Text:
        """Some of the options, as they are typed."""
        names = {"header": "--no-header" if self.header is False else "--header"}
        return listed([names.get(name, f"--{name.replace('_', '-')}") for name in which], "and")

    @property
    def kinds(self) -> dict[str, Literal["text", "number", "date"]]:
        """The kind of each column that an option names."""
        kinds: dict[str, Literal["text", "number", "date"]] = {}
        for kind in ("text", "number", "date"):
            for name in getattr(self, kind):
                if kinds.setdefault(name, kind) != kind:
                    raise SettingError(
                        _(
                            "--{kind} {name} and --{other} {name}: a column is one of the two. Leave one"
                            " out.",
                            kind=kinds[name],
                            name=name,
                            other=kind,
                        )
                    )
        return kinds

    def reading(
        self, known: Kinds | None = None, judged: Callable[[str], bool] | None = None
    ) -> Reading:
        """The rules to read the table by; the options overrule the kinds that are `known` already.

        `judged` says of which columns the notes of the table speak.
        """
        from chainrule.datasets.rules import Reading, every

        words = self.missing_words
        return Reading(
            encoding=self.encoding or "utf-8",
            or_encoding=self.kept_encoding or "",
            header=self.header,
            kinds={**(known or {}), **self.kinds},
            decimal=self.decimal or "",
            missing_words=None
            if words is None
            else frozenset(w.strip() for w in re.split("[,，、]", words)),
            day_first=self.day_first,
            sheet=self.sheet or "",
            query=self.query or "",
            judged=judged or every,
        )

    def check(self, table: Table) -> None:
        """Raise if a named column is missing, or no cell of it is of the kind that was given."""
        kinds = self.kinds
        table.require(*kinds)
        for name, kind in kinds.items():
            if kind != "text" and table.kind(name) == "text":
                cell = next((c for c in table.texts(name).categories), "")
                raise DataError(_no_cell_of_kind(kind, table.source, name, shown(cell, 40)))

    def facts(self) -> dict[str, object]:
        """The options as facts of a model, so that later rows are read in the same way."""
        return {
            "header": self.header,
            "encoding": self.encoding,
            "kinds": dict(self.kinds),
            "decimal": self.decimal,
            "missing_words": self.missing_words,
            "day_first": self.day_first,
            "sheet": self.sheet,
            "query": self.query,
        }

    def or_facts(self, facts: object, applicable: Collection[str]) -> DataOptions:
        """These options; where one was not given and is applicable, the one of a model's training."""
        if not isinstance(facts, dict):
            return self
        kinds = facts.get("kinds")
        named = kinds if isinstance(kinds, dict) else {}
        options: dict[str, Any] = {}
        for name in ("decimal", "missing_words", "day_first", "sheet", "query"):
            kind_of_value = bool if name == "day_first" else str
            value = facts.get(name)
            given = getattr(self, name)
            usable = given is None and isinstance(value, kind_of_value) and name in applicable
            options[name] = value if usable else given
        for kind in ("text", "number", "date"):
            own = tuple(n for n, k in named.items() if k == kind and n not in self.kinds)
            own = own if kind in applicable else ()
            options[kind] = (*getattr(self, kind), *own)
        kept = facts.get("encoding")
        if self.encoding is None and isinstance(kept, str) and "encoding" in applicable:
            options["kept_encoding"] = kept
        header = self.header
        if header is None and facts.get("header") is False and "header" in applicable:
            header = False
        return DataOptions(header=header, encoding=self.encoding, **options)


def _no_cell_of_kind(kind: str, source: str, name: str, cell: str) -> Text:
    """The sentence for a column none of whose cells is of the kind that was given."""
    if kind == "date":
        return _(
            "--date {name}: no cell of {source}, column {name!r}, is a date such as 2024-01-31, 1/31/2024,"
            " 31.1.2024 or Jan 31, 2024. Got {cell}. Leave the option out.",
            name=name,
            source=source,
            cell=cell,
        )
    return _(
        "--number {name}: no cell of {source}, column {name!r}, is a number such as 1234.5, 1,234.5, $12"
        " or 12 kg. Got {cell}. Leave the option out.",
        name=name,
        source=source,
        cell=cell,
    )
