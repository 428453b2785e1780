"""MODEL and DATA of a command: a model file, and the table to use it on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from chainrule.cli.data_options import DataOptions
from chainrule.cli.data_source import applicable, open_source
from chainrule.errors import DataError, SettingError
from chainrule.lang.messages import Text, _, listed, sentences

if TYPE_CHECKING:
    from chainrule.datasets import Preprocessor, Table
    from chainrule.files import Model

#: What `chainrule train` keeps with a model: JSON objects by name.
Facts: TypeAlias = dict[str, Any]

__all__ = ["Facts", "fact", "notes_on", "open_both", "reading_notes"]


def open_both(
    model: str,
    data: str,
    read_as: DataOptions,
    *,
    target: bool = True,
    from_python: str = "predict(x)",
    otherwise: Text | None = None,
) -> tuple[Model, Preprocessor, Table]:
    """The model, its preparation, and the table, read as the training data was.

    The notes of the table speak of the columns that the model uses; of its target, too, with
    `target`. For the error of a model that takes no tables, `from_python` is the call that takes
    arrays, and `otherwise` a sentence on what else can be done.
    """
    from chainrule.files import load_model

    loaded = load_model(model)
    preparation = loaded.preparation
    if preparation is None:
        problem = _(
            "{model} was kept without a preparation of its data, so it takes arrays and no tables. Use it"
            " from Python: chainrule.files.load_model(path).{call}.",
            model=model,
            call=from_python,
        )
        raise SettingError(sentences(problem, otherwise))
    used = {*preparation.columns, *([preparation.target] if target else [])}
    options = read_as.or_facts(fact(loaded, "data"), applicable(data))
    table = open_source(data, options, known=preparation.forms, judged=used.__contains__)[0]
    read_as.check(table)
    if options.header is None and not used & set(table.names) and table.names[0] == "x0":
        more = ["…"] if len(preparation.columns) > 3 else []
        raise DataError(
            _(
                "{source}: the first row holds data, and the model goes by the names of the columns"
                " ({columns}). Write a row of names above it; if it holds names, say --header.",
                source=table.source,
                columns=listed([*preparation.columns[:3], *more]),
            )
        )
    return loaded, preparation, table


def reading_notes(table: Table) -> list[str]:
    """The notes of reading, without gaps and constants, of which the preparation tells more."""
    from chainrule.datasets.wording import topic_of

    return [note for note in table.notes if topic_of(note) not in ("gaps", "constants")]


def notes_on(table: Table, preparation: Preprocessor) -> list[str]:
    """The notes on new rows: how they were read and prepared."""
    from chainrule.datasets.wording import topic_of

    notes = [note for note in reading_notes(table) if topic_of(note) != "layout"]
    return [*notes, *preparation.warnings_for(table)]


def fact(model: Model, *keys: str) -> Any:
    """A fact that `chainrule train` kept with the model, or None."""
    value: Any = model.facts if model.facts.get("made_by") == "chainrule train" else None
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
