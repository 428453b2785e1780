"""A model file and the rows to use it on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainrule.cli.said import Said
from chainrule.cli.source import is_text, open_source
from chainrule.errors import DataError, SettingError
from chainrule.lang.messages import Text, _, listed, sentences

if TYPE_CHECKING:
    from chainrule.datasets import Preprocessor, Table
    from chainrule.files import Model

__all__ = ["fact", "news", "notes_on", "open_both"]


def open_both(
    model: str,
    data: str,
    said: Said,
    *,
    target: bool = True,
    from_python: str = "predict(x)",
    otherwise: Text | None = None,
) -> tuple[Model, Preprocessor, Table]:
    """The model, its preparation, and the table, read as the training data was.

    Notes speak of the columns that the model uses; of its `target` too, if that is needed.
    `from_python` is what does the same with arrays, for a model that takes no tables, and
    `otherwise` a sentence on what else can be done.
    """
    from chainrule.files import load_model

    found = load_model(model)
    preparation = found.preparation
    if preparation is None:
        told = _(
            "{model} was kept without a preparation of its data, so it takes arrays and no tables. Use it"
            " from Python: chainrule.files.load_model(path).{call}.",
            model=model,
            call=from_python,
        )
        raise SettingError(sentences(told, otherwise))
    used = {*preparation.columns, *([preparation.target] if target else [])}
    how = said.after(fact(found, "data")) if is_text(data) else said
    table = open_source(data, how, known=preparation.forms, judged=used.__contains__)[0]
    said.check(table)
    if how.header is None and not used & set(table.names) and table.names[0] == "x0":
        more = ["…"] if len(preparation.columns) > 3 else []
        raise DataError(
            _(
                "{source}: the first row holds data, and the model goes by the names of the columns"
                " ({columns}). Write a row of names above it; if it holds names, say --header.",
                source=table.source,
                columns=listed([*preparation.columns[:3], *more]),
            )
        )
    return found, preparation, table


def news(table: Table) -> list[str]:
    """What the reader noticed, without the gaps and constants of which the preparation tells more."""
    from chainrule.datasets.wording import topic_of

    return [note for note in table.notes if topic_of(note) not in ("gaps", "constants")]


def notes_on(table: Table, preparation: Preprocessor) -> list[str]:
    """What is to be known of rows to come: how they were read, and prepared."""
    from chainrule.datasets.wording import topic_of

    kept = [note for note in news(table) if topic_of(note) != "layout"]
    return [*kept, *preparation.warnings_for(table)]


def fact(model: Model, *keys: str) -> Any:
    """A fact that `chainrule train` keeps, or None."""
    found: Any = model.facts if model.facts.get("made_by") == "chainrule train" else None
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found
