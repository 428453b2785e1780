"""Where the rows come from: a bundled or generated set by its name, or a file; and its target."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from chainrule.errors import DataError, SettingError, guess, shown

if TYPE_CHECKING:
    from chainrule.datasets import Table

__all__ = ["GENERATED", "STDIN", "TARGET_NAMES", "find_target", "open_source", "stem"]

STDIN = "-"
GENERATED = ("spiral", "moons", "circles", "xor", "blobs")
#: A column of one of these names is the target, if there is exactly one.
TARGET_NAMES = ("target", "label", "class", "species", "y")


def open_source(
    data: str,
    *,
    header: bool = True,
    encoding: str | None = None,
    kinds: Mapping[str, Literal["text", "number"]] | None = None,
) -> tuple[Table, str | None]:
    """The table, and its target column where one is known; `kinds` of its columns, if known.

    "-" is a text table on standard input.
    """
    from chainrule import datasets

    if data == STDIN:
        from chainrule.datasets.text_tables import parse_csv

        return parse_csv(_piped(), "standard input", encoding or "utf-8", header, kinds), None

    known = (*datasets.names(), *GENERATED)
    if data in known:
        if not header or encoding is not None:
            raise SettingError(
                f"{data} is a data set that comes with chainrule, so --no-header and --encoding do not"
                f" apply. For a file of that name say ./{data}."
            )
        return datasets.open_data(data) if data not in GENERATED else (_generated(data), "class")
    if not os.path.lexists(data):
        hint = guess(data, [*known, *_beside(data)])
        sets = f"{hint} The" if hint else "the"
        raise DataError(
            f"{shown(data)} is neither a file nor a set that comes with chainrule; {sets} sets that come"
            f" with chainrule: {', '.join(known)}."
        )
    if not header or encoding is not None:
        return datasets.read_csv(data, encoding or "utf-8", header, kinds), None
    return datasets.open_data(data, kinds)


def _beside(data: str) -> list[str]:
    """The tables in the folder that this name is in, to find a misspelt one."""
    folder = os.path.dirname(data)
    try:
        names = os.listdir(folder or ".")
    except (OSError, ValueError):
        return []
    tables = (".csv", ".tsv", ".txt", ".data", ".gz", ".npy", ".npz", ".idx")
    return [os.path.join(folder, name) for name in sorted(names) if name.lower().endswith(tables)]


def _piped() -> bytes:
    """All of standard input, if a quarter of the memory holds it."""
    from chainrule.datasets.opening import physical_memory

    most = physical_memory() // 4
    found = sys.stdin.buffer.read(most + 1)
    if len(found) > most:
        raise DataError(
            f"standard input is longer than {most:,} bytes, a quarter of this machine's memory. Take"
            " fewer rows or columns."
        )
    return found


def _generated(name: str) -> Table:
    """The set with its own seed, so that it is the same whenever it is named."""
    from chainrule import datasets

    makers: dict[str, Any] = {
        "spiral": datasets.spiral,
        "moons": datasets.moons,
        "circles": datasets.circles,
        "xor": datasets.xor,
        "blobs": datasets.blobs,
    }
    x, t = makers[name]()
    return datasets.Table.from_matrix(x, ("x1", "x2"), {"class": t}, f"generated {name}")


def find_target(table: Table, given: str | None, known: str | None) -> str:
    """The target column: the one asked for, the known one, or the only one with a usual name."""
    if given is not None:
        table.require(given)
        return given
    if known is not None:
        return known
    usual = [name for name in table.names if name.lower() in TARGET_NAMES]
    if len(usual) == 1:
        return usual[0]
    why = (
        f"several columns could be the one to predict ({', '.join(usual)})"
        if usual
        else f"it is not clear which column to predict (none is called {', '.join(TARGET_NAMES)})"
    )
    names = ", ".join(table.names[:20]) + (
        f" and {len(table.names) - 20} more" if len(table.names) > 20 else ""
    )
    raise SettingError(f"{table.source}: {why}. Say --target NAME; the columns are {names}.")


def stem(data: str) -> str:
    """A name for the model: that of the data, without folder and endings."""
    name = "stdin" if data == STDIN else os.path.basename(data.rstrip("/"))
    for ending in (".gz", ".csv", ".tsv", ".txt", ".data", ".npy", ".npz", ".idx"):
        if name.lower().endswith(ending) and len(name) > len(ending):
            name = name[: -len(ending)]
    return name or "model"
