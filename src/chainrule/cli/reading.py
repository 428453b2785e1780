"""A model file and the rows to use it on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from chainrule.cli.said import Said
from chainrule.cli.source import is_text, open_source
from chainrule.errors import DataError, SettingError

if TYPE_CHECKING:
    from chainrule.datasets import Preparation, Table
    from chainrule.files import Model

__all__ = ["fact", "news", "notes_on", "open_both"]


def open_both(
    model: str,
    data: str,
    said: Said,
    *,
    target: bool = True,
    from_python: str = "predict(x)",
    otherwise: str = "",
) -> tuple[Model, Preparation, Table]:
    """The model, its preparation, and the table, read as the training data was.

    Notes speak of the columns that the model uses; of its `target` too, if that is needed.
    `from_python` is what does the same with arrays, for a model that takes no tables, and
    `otherwise` a sentence on what else can be done.
    """
    from chainrule.files import load_model

    found = load_model(model)
    preparation = found.preparation
    if preparation is None:
        raise SettingError(
            f"{model} was kept without a preparation of its data, so it takes arrays and no tables."
            f" Use it from Python: chainrule.files.load_model(path).{from_python}."
            f"{otherwise}"
        )
    used = {*preparation.columns, *([preparation.target] if target else [])}
    told = said.after(fact(found, "data")) if is_text(data) else said
    table, _ = open_source(data, told, known=preparation.forms, judged=used.__contains__)
    said.check(table)
    if told.header is None and not used & set(table.names) and table.names[0] == "x0":
        first = ", ".join(preparation.columns[:3]) + ", …" * (len(preparation.columns) > 3)
        raise DataError(
            f"{table.source}: the first row holds data, and the model goes by the names of the"
            f" columns ({first}). Write a row of names above it; if it holds names, say --header."
        )
    return found, preparation, table


def news(table: Table) -> list[str]:
    """What the reader noticed, without the gaps and constants of which the preparation tells more."""
    return [n for n in table.notes if not re.search(r"^\d+ missing cell|one value only", n)]


def notes_on(table: Table, preparation: Preparation) -> list[str]:
    """What is to be known of rows to come: how they were read, and prepared."""
    layout = "The columns are separated|There is no row of names"
    return [*(n for n in news(table) if not re.match(layout, n)), *preparation.remarks(table)]


def fact(model: Model, *keys: str) -> Any:
    """A fact that `chainrule train` keeps, or None."""
    found: Any = model.facts if model.facts.get("made_by") == "chainrule train" else None
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found
