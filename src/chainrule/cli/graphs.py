"""The graph for `draw` and `check`: of an expression, or of a model on some rows."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import SettingError, shown
from chainrule.lang.messages import Text, _, _n, listed, sentences
from chainrule.networks.made_up import made_up_rows

if TYPE_CHECKING:
    import numpy.typing as npt

    from chainrule.cli.data_options import DataOptions
    from chainrule.files import Model
    from chainrule.graph import Graph
    from chainrule.networks import Network

    Array = npt.NDArray[Any]
    #: A network, rows and their targets.
    AtWork = tuple[Network, Array, Array]

__all__ = ["at_work", "graph_of", "is_model"]

#: A name alone, a number alone, or what begins as only a path does; not x / y or x - 1.
NAME_OR_PATH = re.compile(r"\w*|(?:\.\.?|~)?/.*|[\w./-]*\.(?!T\b)[A-Za-z_]\w*")


def is_model(what: str) -> bool:
    """Whether this names a model file and is no expression."""
    return what.endswith(".safetensors") or os.path.exists(what)


def graph_of(
    what: str,
    given: Sequence[str],
    data: str | None,
    count: int,
    read_as: DataOptions,
    *,
    from_python: str,
) -> tuple[Graph, Text, AtWork | None]:
    """The graph, which numbers stand in it, in words, and the network, rows and targets of a model.

    `from_python` is what does the same with arrays, for a model that takes no tables.
    """
    if is_model(what):
        if given:
            raise SettingError(
                _("--set gives a value to a name of an expression; a model has data.")
            )
        network, x, t, told = at_work(what, data, count, read_as, from_python)
        return network.graph(x, t), told, (network, x, t)
    if data is not None or read_as:
        raise SettingError(
            _(
                "--data is for a model, and {what} names no file. Give values with --set x=3.",
                what=shown(what, 60),
            )
        )
    from chainrule.cli.expression import Expression, read_value

    meant = os.path.exists(f"{what}.safetensors")
    if meant or NAME_OR_PATH.fullmatch(what):
        told = _(
            "{what} is no model file, and no expression with an operation in it.",
            what=shown(what, 60),
        )
        better = _("Did you mean {name}.safetensors?", name=what) if meant else None
        raise SettingError(sentences(told, better))
    expression = Expression(what)
    values: dict[str, Array] = {}
    for text in given:
        name, value = read_value(text)
        if name in values:
            raise SettingError(_("--set gives {name} two values. Give it one.", name=name))
        values[name] = value
    variables = expression.variables(values)
    out = expression.value(variables)
    result = "L" if out.size == 1 else "y"
    if out.name is None and result not in variables:  # else it is called after its node
        out.name = result
    made_up = [f"{n} {'×'.join(map(str, v.shape))}".rstrip() for n, v in variables.items()]
    made_up = [text for text, n in zip(made_up, variables, strict=True) if n not in values]
    if not made_up:
        return out.graph, _("given values"), None
    return out.graph, _("random numbers for {names}", names=listed(made_up)), None


def at_work(
    path: str,
    data: str | None,
    count: int,
    read_as: DataOptions,
    from_python: str,
) -> tuple[Network, Array, Array, Text]:
    """The network of a model file, with rows and targets: of a table, or random ones."""
    if data is not None:
        from chainrule.cli.model_and_data import open_both

        found, preparation, table = open_both(
            path, data, read_as, from_python=from_python,
            otherwise=_("Or leave --data out: random rows are taken."),
        )  # fmt: skip
        table.require(preparation.target)
        from chainrule.cli.data_source import STDIN
        from chainrule.cli.scoring import training_rows  # the rows that have a target

        rows = training_rows(found, preparation, table)
        all_of_them = len(rows) == len(table)
        rows = rows.rows(np.arange(min(count, len(rows))))
        x, t = preparation.transform(rows), preparation.targets(rows)
        name = _("standard input") if data == STDIN else data
        told = (
            _n("the first {n:,} row of {name}", "the first {n:,} rows of {name}", len(x), name=name)
            if all_of_them
            else _n(
                "the first {n:,} training row of {name}",
                "the first {n:,} training rows of {name}",
                len(x),
                name=name,
            )
        )
        return found.network, x, t, told
    from chainrule.files import load_model

    found = load_model(path)
    x, t = _random(found, path, count, from_python)
    told = _n("{n:,} random row and targets", "{n:,} random rows and targets", count)
    return found.network, x, t, told


def _random(found: Model, path: str, count: int, from_python: str) -> tuple[Array, Array]:
    width = len(found.preparation.features) if found.preparation else None
    made = made_up_rows(found.network, count, width)
    if made is None:
        raise SettingError(
            _(
                "{path} has no layer that tells how wide its rows are. Use it from Python:"
                " chainrule.files.load_model(path).{call}.",
                path=path,
                call=from_python,
            )
        )
    return made
