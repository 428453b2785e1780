"""`chainrule check`: checks every gradient of a model or of an expression."""

from __future__ import annotations

import math

import click

from chainrule.cli.data_options import DataOptions
from chainrule.cli.help_pages import Command, option
from chainrule.cli.options import data_options, engine_option, graph_options, json_option
from chainrule.cli.terminal import json_out, paragraph, printable, say, tongue, width
from chainrule.lang.messages import _

__all__ = ["check"]


@click.command(
    cls=Command,
    help=(
        _("Hold every gradient of MODEL, or of an EXPRESSION, against a numerical one."),
        _(
            "Each node by itself, for the gradient that really arrives there: its own backward against a"
            " complex step (central differences where a node takes real numbers only). Parameters are also"
            " tried from end to end. Of a model, the training step that the engine would run is held against"
            " the graph, too. Exit code 1 if one disagrees."
        ),
    ),
    short_help=_("Check every gradient of a model or an expression."),
    examples=(
        "chainrule check iris.safetensors --data iris",
        "chainrule check 'softmax_cross_entropy(x @ W + b, t)' --set t=[0,1]",
    ),
)
@click.argument("what", metavar="MODEL|EXPRESSION")
@graph_options
@option("--elements", is_flag=True, help=_("Element by element, which takes longer."))
@data_options
@engine_option
@json_option
@click.pass_context
def check(
    context: click.Context,
    what: str,
    given: tuple[str, ...],
    data: str | None,
    count: int,
    elements: bool,
    read_as: DataOptions,
    engine: str,
    as_json: bool,
) -> None:
    """Hold every gradient of a model, or of an expression, against a numerical one."""
    from chainrule.cli.graphs import graph_of

    graph, numbers, at_work = graph_of(
        what, given, data, count, read_as, from_python="network.graph(x, t).check()"
    )
    proof = graph.check(elements=elements)
    step = None
    if at_work is not None:
        from chainrule.checking.step import check_step

        step = check_step(*at_work, engine=engine)
    ok = proof.ok and (step is None or step.ok)
    if as_json:
        rows = [
            {"gradient": str(v.arrow), "node": v.node, "layer": v.layer, "verdict": v.verdict.said("en"),
             "error": _finite(v.error), "allowed": _finite(v.allowed)}
            for v in (*proof.rows, *proof.ends.values())
        ]  # fmt: skip
        result: dict[str, object] = {"what": what, "ok": ok, "numbers": numbers, "rows": rows}
        if step is not None:
            result["step"] = {
                "engine": step.engine,
                "reason": step.reason,
                "rows": [
                    {"gradient": name, "verdict": v.verdict.said("en"), "error": _finite(v.error),
                     "allowed": _finite(v.allowed)}
                    for name, v in step.verdicts.items()
                ],
            }  # fmt: skip
        json_out(result)
    else:
        paragraph(_("{what}, with {numbers}:", what=what, numbers=numbers))
        say()
        lines = proof.lines(width(), tongue())
        for line in lines:
            say(printable(line))
        if lines != proof.lines(lang=tongue()):
            paragraph(_("The terminal is too narrow for all columns; --json has them."), "dim")
        paragraph(proof.summary)
        if step is not None:
            for line in step.lines():
                say(printable(line))
            paragraph(step.summary)
    if not ok:
        context.exit(1)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
