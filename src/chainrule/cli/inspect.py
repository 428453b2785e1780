"""`chainrule inspect`: what a model file holds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from chainrule.cli.facts import fact_rows
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
        _("Of the folder of a training that is kept as it goes: how far it has come."),
    ),
    short_help=_("Show what a model file holds."),
    examples=("chainrule inspect digits.safetensors", "chainrule inspect houses-run"),
)
@click.argument("model", metavar="MODEL")
@json_option
def inspect(model: str, as_json: bool) -> None:
    """Show what a model file holds."""
    if model.endswith(".onnx"):
        _inspect_onnx(model, as_json)
        return
    if os.path.isdir(model):
        from chainrule.cli.inspect_run import inspect_run

        inspect_run(model, as_json)
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
        rows(fact_rows(loaded.facts))


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
