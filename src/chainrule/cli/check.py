"""`chainrule check`: is every gradient of a model, or of an expression, right?"""

from __future__ import annotations

import math

import click

from chainrule.cli.options import data_options, graph_options, json_option
from chainrule.cli.terminal import json_out, paragraph, printable, say, width

__all__ = ["check"]


@click.command(
    short_help="Check every gradient of a model or an expression.",
    epilog="""\b
Examples:
  chainrule check iris.safetensors --data iris
  chainrule check 'softmax_cross_entropy(x @ W + b, t)' --set t=[0,1]
""",
)
@click.argument("what", metavar="MODEL|EXPRESSION")
@graph_options
@click.option("--elements", is_flag=True, help="Element by element, which takes longer.")
@data_options
@json_option
@click.pass_context
def check(
    context: click.Context,
    what: str,
    given: tuple[str, ...],
    data: str | None,
    count: int,
    elements: bool,
    no_header: bool,
    encoding: str | None,
    as_json: bool,
) -> None:
    """Hold every gradient of MODEL, or of an EXPRESSION, against a numerical one.

    Each node by itself, for the gradient that really arrives there: its own backward against a
    complex step (central differences where a node takes real numbers only). Parameters are also
    tried from end to end. Exit code 1 if one disagrees.
    """
    from chainrule.cli.graphs import graph_of

    graph, numbers = graph_of(
        what, given, data, count, no_header, encoding, from_python="network.graph(x, t).check()"
    )
    proof = graph.check(elements=elements)
    if as_json:
        rows = [
            {"gradient": str(v.arrow), "node": v.node, "layer": v.layer, "verdict": v.verdict,
             "error": _finite(v.error), "allowed": _finite(v.allowed)}
            for v in (*proof.rows, *proof.ends.values())
        ]  # fmt: skip
        json_out({"what": what, "ok": proof.ok, "numbers": numbers, "rows": rows})
    else:
        paragraph(f"{what}, with {numbers}:")
        say()
        lines = proof.lines(width())
        for line in lines:
            say(printable(line))
        if lines != proof.lines():
            paragraph("The terminal is too narrow for all columns; --json has them.", "dim")
        paragraph(proof.summary)
    if not proof.ok:
        context.exit(1)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
