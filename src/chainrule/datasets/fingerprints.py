"""The sha256 of a table's contents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from chainrule.datasets.columns import Column, Texts

__all__ = ["fingerprint_of"]


#: Rows of a text column that are looked at together.
ROWS = 1 << 16


class _Table(Protocol):
    @property
    def columns_at_once(self) -> int: ...

    @property
    def names(self) -> Sequence[str]: ...

    def __len__(self) -> int: ...

    def kind(self, name: str) -> str: ...

    def column(self, name: str) -> Column: ...

    def texts(self, name: str) -> Texts: ...

    def words(self, name: str) -> Texts | None: ...


def fingerprint_of(table: _Table) -> str:
    """64 hex digits over names, kinds and contents; the storage of numbers makes no difference."""
    import hashlib  # rarely needed, and slow to import

    rows, names = len(table), list(table.names)
    digest = hashlib.sha256(f"table {rows} {len(names)}".encode())

    def add_text(text: str) -> None:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)

    def add_texts(kind: str, name: str, text: Texts) -> None:
        add_text(kind)
        add_text(name)
        for start in range(0, rows, ROWS):
            for code in text.codes[start : start + ROWS].tolist():
                if code < 0:
                    digest.update(b"\xff" * 8)
                else:
                    add_text(text.categories[code])

    while names:
        kind = table.kind(names[0])
        if kind == "text":
            add_texts("text", names[0], table.texts(names[0]))
            names = names[1:]
            continue
        group = _alike(table, names, kind)
        cells = np.empty((len(group), rows), dtype="<f8" if kind == "float" else "<i8")
        for k, name in enumerate(group):
            cells[k] = table.column(name)
        if kind == "float":
            cells[np.isnan(cells)] = np.nan
        for k, name in enumerate(group):
            add_text(kind)
            add_text(name)
            digest.update(cells[k].data)
        names = names[len(group) :]
    for name in table.names:
        words = table.words(name)
        if words is not None:
            add_texts("words", name, words)
    return digest.hexdigest()


def _alike(table: _Table, names: Sequence[str], kind: str) -> list[str]:
    """The first columns of `names`, at most `columns_at_once`, that are all of this kind."""
    group: list[str] = []
    for name in names[: table.columns_at_once]:
        if table.kind(name) != kind:
            break
        group.append(name)
    return group
