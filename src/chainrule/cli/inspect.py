"""`chainrule inspect`: what a model file holds."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import click

from chainrule.cli.options import Command, json_option
from chainrule.cli.terminal import json_out, paint, paragraph, printable, rows, say

if TYPE_CHECKING:
    from chainrule.datasets import Preparation

__all__ = ["inspect"]


@click.command(
    cls=Command,
    short_help="Show what a model file holds.",
    epilog="""\b
Example:
  chainrule inspect digits.safetensors
""",
)
@click.argument("model", metavar="MODEL")
@json_option
def inspect(model: str, as_json: bool) -> None:
    """Show the layers of MODEL, how it prepares its data, and how it was trained."""
    from chainrule.files import load_model
    from chainrule.files.architecture import describe

    found = load_model(model)
    preparation = found.preparation
    if as_json:
        parameters = sum(p.size for p in found.network.named_parameters().values())
        json_out(
            {
                "model": model,
                "bytes": os.path.getsize(model),
                "parameters": parameters,
                "network": describe(found.network),
                "preparation": None if preparation is None else preparation.to_json(),
                "facts": found.facts,
            }
        )
        return
    say(f"{paint(printable(model), 'bold')}  {os.path.getsize(model):,} bytes")
    say()
    *layers, total = found.network.summary().splitlines()
    for i, line in enumerate(layers):
        say(paint(line, "dim") if i == 0 or set(line) == {"─"} else line)
    paragraph(total)
    say()
    if preparation is None:
        say("It was kept without a preparation of its data: it takes arrays as they are.")
    else:
        rows(_prepared(preparation))
    if found.facts:
        say()
        rows(_told(found.facts))


def _prepared(preparation: Preparation) -> list[tuple[str, str]]:
    classes = preparation.classes
    what = f"one of {len(classes)} classes" if classes else "a number"
    pairs = [("predicts", f"{preparation.target}, {what}")]
    if classes:
        pairs.append(("classes", _some(classes)))
    pairs.append(("from", _some(preparation.columns)))
    for i, note in enumerate(preparation.notes):
        pairs.append(("prepared" if i == 0 else "", note))
    return pairs


def _some(names: tuple[Any, ...], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


def _told(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """The facts, a line for each; those that hold facts are written out."""
    pairs = []
    for name, value in facts.items():
        if isinstance(value, dict):
            parts = [
                f"{k.replace('_', ' ')} {_plain(v)}" for k, v in value.items() if v is not None
            ]
            text = "; ".join(parts)
        else:
            text = _plain(value)
        pairs.append((name.replace("_", " "), text))
    return pairs


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value):
        return f"{value[:12]}…"  # a fingerprint; --json has all of it
    if isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
        told = (
            ", ".join(f"{k.replace('_', ' ')} {_plain(v)}" for k, v in part.items())
            for part in value
        )
        return " | ".join(told)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
