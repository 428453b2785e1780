"""DATA of a command: a bundled or generated set by its name, or a file; and its target column."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeAlias

from chainrule.cli.data_options import DataOptions
from chainrule.errors import DataError, SettingError, guess, shown
from chainrule.lang.messages import Text, _, listed

if TYPE_CHECKING:
    import numpy.typing as npt

    from chainrule.datasets import Table
    from chainrule.datasets.forms import Kinds

__all__ = [
    "GENERATED",
    "STDIN",
    "TARGET_NAMES",
    "applicable",
    "checksum",
    "data_name",
    "find_target",
    "open_source",
]

Array: TypeAlias = "npt.NDArray[Any]"

STDIN = "-"
GENERATED = ("spiral", "moons", "circles", "xor", "blobs")
#: A column of one of these names is the target, if there is exactly one.
TARGET_NAMES = ("target", "label", "class", "species", "y")


def checksum(path: str) -> str | None:
    """The sha256 of a file; None for a data set that has no file."""
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_source(
    data: str,
    read_as: DataOptions = DataOptions(),  # noqa: B008 - it is frozen
    known: Kinds | None = None,
    judged: Callable[[str], bool] | None = None,
) -> tuple[Table, str | None]:
    """The table, and its target column where one is known.

    A text table is read by the options `read_as`; `known` are the kinds of the columns that a model
    was trained on, and `judged` says of which columns the notes speak. "-" is a text table on
    standard input.
    """
    from chainrule import datasets
    from chainrule.datasets.opening import refuse_address

    if data == STDIN:
        from chainrule.datasets.text_tables import parse_text

        return parse_text(
            _standard_input(), _("standard input"), read_as.reading(known, judged)
        ), None

    sets = (*datasets.names(), *GENERATED)
    if data in sets:
        if read_as:
            raise SettingError(
                _(
                    "{data} is a data set that comes with chainrule, so {options} does not apply: it says how"
                    " a text file is read. For a file of that name say ./{data}.",
                    data=data,
                    options=read_as.typed(read_as.given),
                )
            )
        return datasets.open_data(data) if data not in GENERATED else (_generated(data), "class")
    if not os.path.lexists(data):
        refuse_address(data)
        raise DataError(_no_such_data(data, sets))
    unfit = [name for name in read_as.given if name not in applicable(data)]
    if unfit:
        raise SettingError(
            _(
                "{data}: {options} does not apply to a file of this kind. Leave it out.",
                data=data,
                options=read_as.typed(unfit),
            )
        )
    from chainrule.datasets.bundled import open_with

    return open_with(data, read_as.reading(known, judged))


def _no_such_data(data: str, sets: Sequence[str]) -> Text:
    """The sentence for a name that is neither a file nor a set, with what was probably meant."""
    hint = guess(data, [*sets, *_tables_beside(data)])
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


def applicable(data: str) -> frozenset[str]:
    """The options on reading that apply to this data: none to bundled sets and files of arrays."""
    from chainrule.datasets.reading import format_of

    every = frozenset(field.name for field in fields(DataOptions))
    if data == STDIN:
        return every - {"sheet", "query"}
    if not os.path.lexists(data):
        return frozenset()
    typed = frozenset({"text", "number", "date", "decimal", "missing_words", "day_first"})
    by_format: dict[str | None, frozenset[str]] = {
        None: every,  # it goes by the first bytes
        "text": every - {"sheet", "query"},
        "excel": every - {"encoding", "query"},
        "parquet": typed,
        "sqlite": typed | {"query"},
    }
    return by_format.get(format_of(data), frozenset())


def _endings() -> list[str]:
    from chainrule.datasets.reading import ENDINGS

    return [ending for endings in ENDINGS.values() for ending in endings]


def _tables_beside(data: str) -> list[str]:
    """The tables in the folder that this name is in, to find a misspelt one."""
    folder = os.path.dirname(data)
    try:
        names = os.listdir(folder or ".")
    except (OSError, ValueError):
        return []
    tables = (*_endings(), ".gz")
    return [os.path.join(folder, name) for name in sorted(names) if name.lower().endswith(tables)]


def _standard_input() -> bytes:
    """All bytes of standard input, unless they take more than a quarter of the memory."""
    from chainrule.memory import memory_limit

    most = memory_limit() // 4
    data = sys.stdin.buffer.read(most + 1)
    if len(data) > most:
        raise DataError(
            _(
                "standard input is longer than {most:,} bytes, a quarter of this machine's memory. Take fewer"
                " rows or columns.",
                most=most,
            )
        )
    return data


def _generated(name: str) -> Table:
    """A generated set, with its default seed: the same rows at every call."""
    from chainrule import datasets

    makers: dict[str, Callable[[], tuple[Array, Array]]] = {
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
    """The target column: the one given, the known one, or the only one with a usual name."""
    if given is not None:
        name = given if given in table else given.strip()  # text tables have their names so
        table.require(name)
        return name
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


def data_name(data: str) -> str:
    """The name of the data without folder and endings; the model is called by it."""
    name = "stdin" if data == STDIN else os.path.basename(data.rstrip("/"))
    for ending in (".gz", *_endings()):
        if name.lower().endswith(ending) and len(name) > len(ending):
            name = name[: -len(ending)]
    return name or "model"
