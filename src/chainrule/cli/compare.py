"""`chainrule compare`: where two runs, checkpoints or model files part."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from chainrule.cli.help_pages import Command, option
from chainrule.cli.options import Number, json_option
from chainrule.cli.terminal import json_out
from chainrule.lang.messages import _

if TYPE_CHECKING:
    from chainrule.comparing import RunComparison

__all__ = ["compare"]

#: Larger whole numbers are texts in JSON, since many programs read them as float64.
EXACT = 2**53


@click.command(
    cls=Command,
    help=(
        _("Compare two trainings to the bit: the first step, array and row where they part."),
        _(
            "A and B are each a model file, a checkpoint, or the folder of a training that is kept (`train"
            " --checkpoint`, or `checkpoint=` in Python). Of folders the losses of all steps are compared,"
            " and the checkpoints of equal steps."
        ),
        _("The exit code is 0 if they are equal to the bit, 1 if they differ, 2 for an error."),
    ),
    short_help=_("Tell where two runs or models part."),
    examples=(
        "chainrule compare monday-run tuesday-run",
        "chainrule compare a.safetensors b.safetensors",
        "chainrule compare houses-run/plain houses.safetensors --tolerance 1e-12",
    ),
)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@option(
    "--tolerance",
    type=Number(least=0, below=1, example="1e-12"),
    default=0.0,
    metavar="NUMBER",
    help=_("Numbers that differ by so much, relative to the larger, count as equal."),
)
@json_option
@click.pass_context
def compare(context: click.Context, a: str, b: str, tolerance: float, as_json: bool) -> None:
    """Tell where two runs or models part."""
    from chainrule.comparing import compare_runs

    found = compare_runs(a, b, tolerance=tolerance)
    if as_json:
        json_out(_facts(found))
    else:
        from chainrule.cli.compared import show

        show(found)
    if not found.equal:
        context.exit(1)


def _facts(found: RunComparison) -> dict[str, Any]:
    """Everything, for another program."""
    facts: dict[str, Any] = _plain(asdict(found))
    facts["equal"] = found.equal
    for told, training in zip(facts["trainings"], found.trainings, strict=True):
        told |= {
            "equal": training.equal,
            "first_step": training.first_step,
            "last_equal_step": training.last_equal_step,
        }
    return facts


def _plain(value: Any) -> Any:
    """The value as JSON has it: numbers that it does not hold are texts."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > EXACT:
        return str(value)
    return value
