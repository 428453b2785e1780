"""A model file and the rows to use it on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainrule.cli.source import STDIN, open_source
from chainrule.errors import SettingError

if TYPE_CHECKING:
    from chainrule.datasets import Preparation, Table
    from chainrule.files import Model

__all__ = ["fact", "open_both"]


def open_both(
    model: str,
    data: str,
    no_header: bool,
    encoding: str | None,
    *,
    from_python: str = "predict(x)",
    otherwise: str = "",
) -> tuple[Model, Preparation, Table]:
    """The model, its preparation, and the table, read as the training data was.

    `from_python` is what does the same with arrays, for a model that takes no tables, and
    `otherwise` a sentence on what else can be done.
    """
    from chainrule.files import load_model

    found = load_model(model)
    if found.preparation is None:
        raise SettingError(
            f"{model} was kept without a preparation of its data, so it takes arrays and no tables."
            f" Use it from Python: chainrule.files.load_model(path).{from_python}."
            f"{otherwise}"
        )
    known = fact(found, "data", "header") is not None
    header, stored = not no_header, encoding
    if known and _is_text(data):  # what the options do not say, the training data tells
        header = header and fact(found, "data", "header") is not False
        stored = encoding or _text(fact(found, "data", "encoding"))
    kinds = found.preparation.kinds
    table, _ = open_source(data, header=header, encoding=stored, kinds=kinds)
    return found, found.preparation, table


def _is_text(data: str) -> bool:
    return data == STDIN or data.lower().removesuffix(".gz").endswith(
        (".csv", ".tsv", ".txt", ".data")
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def fact(model: Model, *keys: str) -> Any:
    """A fact that `chainrule train` keeps, or None."""
    found: Any = model.facts if model.facts.get("made_by") == "chainrule train" else None
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found
