"""What is remarkable about a table just read: gaps, and columns that hold one value only."""

from __future__ import annotations

from chainrule.datasets.table import Table

__all__ = ["noticed"]


def noticed(table: Table) -> Table:
    """The table with notes on missing cells and columns that hold one value only."""
    counts = table.missing_counts()
    notes = [
        f"{count} missing cell{'s' if count > 1 else ''} in {name!r}."
        for name, count in list(counts.items())[:10]
        if count < len(table)
    ]
    if len(counts) > 10:
        rest = list(counts.values())[10:]
        notes.append(f"{sum(rest)} missing cells in {len(rest)} more columns.")
    for names, what in (
        ([name for name, count in counts.items() if count == len(table)], "no value at all"),
        (list(table.constants()) if len(table) > 1 else [], "one value only"),
    ):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            verb = "columns hold" if len(names) > 1 else "column holds"
            listed = ", ".join(repr(name) for name in names[:5])
            notes.append(f"{len(names)} {verb} {what}: {listed}{more}.")
    return table.noted(*notes)
