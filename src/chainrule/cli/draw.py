"""`chainrule draw`: the computational graph of a model or of an expression, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from chainrule.cli.help_pages import Command, option
from chainrule.cli.options import Number, data_options, graph_options, json_option
from chainrule.cli.picture import picture_options, picture_settings
from chainrule.cli.places import Place, keep_apart
from chainrule.cli.terminal import json_out, paragraph, printable, remark, say
from chainrule.errors import shown
from chainrule.lang.messages import Text, _, _n, _p

if TYPE_CHECKING:
    import numpy.typing as npt

    from chainrule.cli.data_options import DataOptions
    from chainrule.graph import Graph
    from chainrule.graph.graph_check import GraphCheck

__all__ = ["draw"]


@click.command(
    cls=Command,
    help=(
        _("Draw how MODEL, or an EXPRESSION, is computed: values forward, gradients back."),
        _(
            "An expression has names, numbers, + - * / ** @, brackets, .T and functions such as sigmoid, exp,"
            " sum and softmax; a name without a value gets small random numbers in a shape that fits. Of an"
            " expression that is not one number the sum is taken for the gradients. Layers and arrows are"
            " called as in the picture; `chainrule check` lists the arrows."
        ),
    ),
    short_help=_("Draw the computational graph of a model or an expression."),
    examples=(
        "chainrule draw 'sigmoid(x @ W + b)' --out sigmoid.svg",
        "chainrule draw 'sum((x * w - t) ** 2)' --set x=2 --set w=0.5 --set t=3 --out loss.png --check",
        "chainrule draw iris.safetensors --data iris --out iris.pdf --unfold all",
        "chainrule draw iris.safetensors --out iris.png --unfold Affine1 --highlight W1 --width 900",
    ),
)
@click.argument("what", metavar="MODEL|EXPRESSION")
@option(
    "--out",
    type=Place(),
    metavar="FILE",
    required=True,
    help=_("Ends in .svg, .png, .pdf or .dot."),
)
@graph_options
@option("--detail", is_flag=True, help=_("Sigmoid and the like as their elementary nodes."))
@option("--check", is_flag=True, help=_("Check every gradient, and mark its arrow."))
@picture_options
@option(
    "--dpi", type=Number(least=20, most=1200, example="96"), default=192, metavar="N",
    show_default=True, help=_("Dots an inch, for .png."),
)  # fmt: skip
@option("--force", is_flag=True, help=_("Overwrite an existing file."))
@data_options
@json_option
@click.pass_context
def draw(
    context: click.Context,
    /,
    what: str,
    out: str,
    given: tuple[str, ...],
    data: str | None,
    count: int,
    detail: bool,
    check: bool,
    dpi: float,
    force: bool,
    read_as: DataOptions,
    as_json: bool,
    **picture: Any,
) -> None:
    """Draw how a model, or an expression, is computed."""
    import numpy as np

    from chainrule.atomic_write import check_place
    from chainrule.cli.graphs import graph_of
    from chainrule.drawing.saving import format_of

    format_of(out)
    check_place(out, force)
    settings = picture_settings(**picture)
    keep_apart("--out", out, {_p("a file", "the model"): what, _p("a file", "the data"): data})
    graph, numbers = graph_of(
        what, given, data, count, read_as,
        from_python=f"network.draw(x, t).save({shown(out)})",
    )[:2]  # fmt: skip
    graph = graph.detailed() if detail else graph
    output = graph.outputs[0]
    seed = np.ones_like(output.data) if output.size != 1 else None
    proof = graph.check() if check else None
    settings["seed"] = seed
    settings["verdicts"] = {} if proof is None else proof.verdicts
    graph.draw(**settings).save(out, dpi=dpi)
    facts = {"what": what, "out": out, "nodes": len(graph.nodes), "numbers": numbers}
    facts["layers"] = list(graph.layers.values())
    overflows = _overflows(graph, seed, bool(settings["gradients"]))
    facts["overflows"] = overflows
    if proof is not None:
        facts["ok"] = proof.ok
    if as_json:
        json_out(facts)
    else:
        _show(out, graph, numbers, overflows, proof)
    if proof is not None and not proof.ok:
        context.exit(1)


def _overflows(graph: Graph, seed: npt.NDArray[Any] | None, gradients: bool) -> list[str]:
    """Remarks on what is not finite in the detail and is where it is folded."""
    from chainrule.graph.detail import DetailedGraph

    if not isinstance(graph, DetailedGraph):
        return []
    back = graph.gradient_overflows(seed) if gradients and graph.outputs[0].requires_grad else ()
    return [overflow.text for overflow in (*graph.overflows, *back)]


def _show(
    out: str, graph: Graph, numbers: Text, overflows: list[str], proof: GraphCheck | None
) -> None:
    nodes = _n("{n:,} node", "{n:,} nodes", len(graph.nodes))
    say(printable(_("{out}: {nodes}, with {numbers}.", out=out, nodes=nodes, numbers=numbers)))
    for overflow in overflows:
        remark(_("{remark}.", remark=overflow))
    if proof is not None:
        paragraph(proof.summary)
