"""`chainrule inspect`: what a model file holds."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from chainrule.cli.help_pages import Command
from chainrule.cli.options import json_option
from chainrule.cli.terminal import json_out, paint, paragraph, printable, rows, say, spoken, tongue
from chainrule.lang.messages import Text, _, _n, _p, listed

if TYPE_CHECKING:
    from chainrule.datasets import Preprocessor

__all__ = ["inspect"]


@click.command(
    cls=Command,
    help=(
        _("Show the layers of MODEL, how it prepares its data, and how it was trained."),
        _("Of an ONNX file, whose name ends in .onnx: its inputs, outputs and operators."),
    ),
    short_help=_("Show what a model file holds."),
    examples=("chainrule inspect digits.safetensors",),
)
@click.argument("model", metavar="MODEL")
@json_option
def inspect(model: str, as_json: bool) -> None:
    """Show what a model file holds."""
    if model.endswith(".onnx"):
        _inspect_onnx(model, as_json)
        return
    from chainrule.files import load_model
    from chainrule.files.architecture import describe

    loaded = load_model(model)
    preparation = loaded.preparation
    if as_json:
        parameters = sum(p.size for p in loaded.network.named_parameters().values())
        json_out(
            {
                "model": model,
                "bytes": os.path.getsize(model),
                "parameters": parameters,
                "network": describe(loaded.network),
                "preparation": None if preparation is None else preparation.to_json(),
                "facts": loaded.facts,
            }
        )
        return
    size = _n("{n:,} byte", "{n:,} bytes", os.path.getsize(model))
    say(f"{paint(printable(model), 'bold')}  {spoken(size)}")
    say()
    *layers, total = loaded.network.summary(tongue()).splitlines()
    for i, line in enumerate(layers):
        say(paint(line, "dim") if i == 0 or set(line) == {"─"} else line)
    paragraph(total)
    say()
    if preparation is None:
        say(_("It was kept without a preparation of its data: it takes arrays as they are."))
    else:
        rows(_preparation_rows(preparation))
    if loaded.facts:
        say()
        rows(_fact_rows(loaded.facts))


def _inspect_onnx(model: str, as_json: bool) -> None:
    """Show what an ONNX file says of itself."""
    from chainrule.files.onnx.summary import onnx_summary

    found = onnx_summary(model)
    if as_json:
        json_out({"model": model, "bytes": os.path.getsize(model), **asdict(found)})
        return
    size = _n("{n:,} byte", "{n:,} bytes", os.path.getsize(model))
    say(f"{paint(printable(model), 'bold')}  {spoken(size)}")
    say()
    pairs: list[tuple[str, str]] = [
        (_("made by"), printable(found.producer) or "-"),
        (_("opset"), str(found.opset)),
        (_("numbers in its arrays"), f"{found.numbers:,}"),
    ]
    for title, ends in ((_("inputs"), found.inputs), (_("outputs"), found.outputs)):
        pairs += [(title if i == 0 else "", printable(str(end))) for i, end in enumerate(ends)]
    kinds = [printable(f"{name} {n}") for name, n in found.operators.items()]
    rows([*pairs, (_("operators"), _some(kinds, 30))])


def _preparation_rows(preparation: Preprocessor) -> list[tuple[str, str]]:
    """What the model predicts, from which columns, and how they are prepared."""
    classes = preparation.classes
    what = _n("one of {n} class", "one of {n} classes", len(classes)) if classes else _("a number")
    told = _("{target}, {what}", target=preparation.target, what=what)
    pairs: list[tuple[str, str]] = [(_("predicts"), told)]
    if classes:
        pairs.append((_("classes"), _some(classes)))
    pairs.append((_p("the columns that a model learns from", "from"), _some(preparation.columns)))
    for i, note in enumerate(preparation.notes):
        pairs.append((_("prepared") if i == 0 else "", note))
    return pairs


def _some(names: Sequence[object], most: int = 12) -> Text:
    told = listed(names[:most])
    if len(names) <= most:
        return told
    return _("{names} and {count} more", names=told, count=len(names) - most)


#: The facts that `chainrule train` keeps, by name.
_FACTS = {
    "made_by": _("made by"),
    "data": _("data"),
    "name": _("name"),
    "fingerprint": _("fingerprint"),
    "rows": _("rows"),
    "columns": _("columns"),
    "header": _("header"),
    "encoding": _("encoding"),
    "kinds": _("kinds"),
    "decimal": _("decimal"),
    "missing_words": _("missing words"),
    "day_first": _("day first"),
    "without": _("without"),
    "split": _p("of a table into training and held-out rows", "split"),
    "validation": _("validation"),
    "seed": _("seed"),
    "missing": _p("what to do with missing cells", "missing"),
    "training_rows": _("training rows"),
    "held_out_rows": _("held out rows"),
    "training": _("training"),
    "hidden": _("hidden"),
    "activation": _p("a function", "activation"),
    "optimizer": _("optimizer"),
    "lr": _("lr"),
    "schedule": _("schedule"),
    "l2": _("l2"),
    "batch_size": _("batch size"),
    "dropout": _("dropout"),
    "label_smoothing": _("label smoothing"),
    "weight_decay": _("weight decay"),
    "epochs": _("epochs"),
    "tried": _("tried"),
    "loss": _("loss"),
    "folds": _("folds"),
    "stopped": _("stopped"),
    "engine": _("engine"),
    "held_out": _("held out"),
    "accuracy": _("accuracy"),
    "constant": _p("a model that always answers the same", "constant"),
    "linear": _p("a model", "linear"),
}


def _name(key: str) -> str:
    return _FACTS.get(key, key.replace("_", " "))


def _fact_rows(facts: Mapping[str, object]) -> list[tuple[str, str]]:
    """The facts, a line for each; those that hold facts are written out."""
    return [
        (
            _name(key),
            listed(_pairs(value), "clauses") if isinstance(value, dict) else _plain(value),
        )
        for key, value in facts.items()
    ]


def _pairs(facts: Mapping[str, object]) -> list[Text]:
    return [
        _("{name} {value}", name=_name(key), value=_plain(value))
        for key, value in facts.items()
        if value is not None
    ]


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value):
        return f"{value[:12]}…"  # a fingerprint; --json has all of it
    if isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
        return " | ".join(spoken(listed(_pairs(part))) for part in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
