"""Where the rows come from: a bundled or generated set by its name, or a file; and its target."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from chainrule.cli.said import Said
from chainrule.errors import DataError, SettingError, guess, shown
from chainrule.lang.messages import Text, _, listed

if TYPE_CHECKING:
    from chainrule.datasets import Table
    from chainrule.datasets.forms import Kinds

__all__ = ["GENERATED", "STDIN", "TARGET_NAMES", "find_target", "is_text", "open_source", "stem"]

STDIN = "-"
ENDINGS = (".csv", ".tsv", ".txt", ".data", ".dat", ".tab", ".psv", ".npy", ".npz", ".idx")
GENERATED = ("spiral", "moons", "circles", "xor", "blobs")
#: A column of one of these names is the target, if there is exactly one.
TARGET_NAMES = ("target", "label", "class", "species", "y")


def open_source(
    data: str,
    said: Said = Said(),  # noqa: B008 - it cannot be changed
    known: Kinds | None = None,
    judged: Callable[[str], bool] | None = None,
) -> tuple[Table, str | None]:
    """The table, and its target column where one is known; a text table is read as is `said`.

    `known` is what a model knows of the columns, and `judged` says of which the notes speak.
    "-" is a text table on standard input.
    """
    from chainrule import datasets

    if data == STDIN:
        from chainrule.datasets.text_tables import parse_text

        return parse_text(_piped(), _("standard input"), said.reading(known, judged)), None

    sets = (*datasets.names(), *GENERATED)
    if data in sets:
        if said:
            raise SettingError(
                _(
                    "{data} is a data set that comes with chainrule, so {options} does not apply: it says how"
                    " a text file is read. For a file of that name say ./{data}.",
                    data=data,
                    options=said.options,
                )
            )
        return datasets.open_data(data) if data not in GENERATED else (_generated(data), "class")
    if not os.path.lexists(data):
        raise DataError(_nowhere(data, sets))
    if said and not is_text(data):
        raise SettingError(
            _(
                "{data} is no text file, so {options} does not apply: it says how one is read.",
                data=data,
                options=said.options,
            )
        )
    from chainrule.datasets.bundled import open_with

    return open_with(data, said.reading(known, judged))


def _nowhere(data: str, sets: Sequence[str]) -> Text:
    """That there is no such data, with what was probably meant."""
    hint = guess(data, [*sets, *_beside(data)])
    if not hint:
        return _(
            "{data} is neither a file nor a set that comes with chainrule; the sets that come with"
            " chainrule: {sets}.",
            data=shown(data),
            sets=listed(sets),
        )
    return _(
        "{data} is neither a file nor a set that comes with chainrule; {hint} The sets that come with"
        " chainrule: {sets}.",
        data=shown(data),
        hint=hint,
        sets=listed(sets),
    )


def is_text(data: str) -> bool:
    """Whether this is read as text: all but the sets that come along, and files of arrays."""
    if data == STDIN:
        return True
    name = data.lower().removesuffix(".gz")
    arrays = (".npy", ".npz", ".idx", "-ubyte", ".idx1", ".idx2", ".idx3")
    return os.path.lexists(data) and not name.endswith(arrays)


def _beside(data: str) -> list[str]:
    """The tables in the folder that this name is in, to find a misspelt one."""
    folder = os.path.dirname(data)
    try:
        names = os.listdir(folder or ".")
    except (OSError, ValueError):
        return []
    tables = (*ENDINGS, ".gz")
    return [os.path.join(folder, name) for name in sorted(names) if name.lower().endswith(tables)]


def _piped() -> bytes:
    """All of standard input, if a quarter of the memory holds it."""
    from chainrule.datasets.opening import physical_memory

    most = physical_memory() // 4
    found = sys.stdin.buffer.read(most + 1)
    if len(found) > most:
        raise DataError(
            _(
                "standard input is longer than {most:,} bytes, a quarter of this machine's memory. Take fewer"
                " rows or columns.",
                most=most,
            )
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
    return datasets.Table.from_matrix(
        x, ("x1", "x2"), {"class": t}, _("generated {name}", name=name)
    )


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
        _("several columns could be the one to predict ({names})", names=listed(usual))
        if usual
        else _(
            "it is not clear which column to predict (none is called {names})",
            names=listed(TARGET_NAMES),
        )
    )
    names = listed(table.names[:20])
    if len(table.names) > 20:
        names = _("{names} and {count} more", names=names, count=len(table.names) - 20)
    raise SettingError(
        _(
            "{source}: {why}. Say --target NAME; the columns are {names}.",
            source=table.source,
            why=why,
            names=names,
        )
    )


def stem(data: str) -> str:
    """A name for the model: that of the data, without folder and endings."""
    name = "stdin" if data == STDIN else os.path.basename(data.rstrip("/"))
    for ending in (".gz", *ENDINGS):
        if name.lower().endswith(ending) and len(name) > len(ending):
            name = name[: -len(ending)]
    return name or "model"
