"""`chainrule plan`: how a training would go on more ranks, and on more machines, than there are here."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import click

from chainrule.cli.data_options import DataOptions
from chainrule.cli.help_pages import Command, option
from chainrule.cli.language import current
from chainrule.cli.options import Number, _Kind, data_options, engine_option, json_option
from chainrule.cli.places import Place, keep_apart
from chainrule.cli.terminal import json_out
from chainrule.cli.training_options import setting_options
from chainrule.errors import shown
from chainrule.lang.messages import _, _p

__all__ = ["plan"]

#: The most ranks of which a plan is made, and the most numbers of them.
MOST, MANY = 1_000_000, 100


class Ranks(_Kind):
    """Numbers of ranks: "1,2,6", "1,2,4,...,4096", "4,8,12,…,64"."""

    name = "numbers"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """The numbers."""
        parts = [part.strip() for part in re.sub(r"\.\.\.|…", ",…,", str(value)).split(",")]
        parts = [part for part in parts if part]
        numbers = _numbers(parts)
        if not numbers or not all(1 <= k <= MOST for k in numbers) or len(numbers) > MANY:
            self.fail(
                _(
                    "got {given}; give whole numbers from 1 to {most:,} with commas between, such as 1,2,4"
                    " or 1,2,4,...,64.",
                    given=shown(str(value)),
                    most=MOST,
                ),
                param,
                ctx,
            )
        return tuple(numbers)


def _numbers(parts: list[str]) -> list[int]:
    """The numbers, with those that "…" stands for: in equal steps, or each as many times the last.

    >>> _numbers(["1", "2", "4", "…", "32"]), _numbers(["4", "8", "12", "…", "20"]), _numbers(["1", "…", "3"])
    ([1, 2, 4, 8, 16, 32], [4, 8, 12, 16, 20], [1, 2, 3])
    """
    found: list[int] = []
    for i, part in enumerate(parts):
        if part.isascii() and part.isdecimal():
            found.append(int(part))
            continue
        if part != "…" or not found or i + 1 == len(parts) or not parts[i + 1].isdecimal():
            return []
        end, (*_before, last) = int(parts[i + 1]), found
        times = found[-1] // found[-2] if len(found) > 1 and found[-2] else 1
        grows = times > 1 and all(b == a * times for a, b in pairwise(found))
        grows = grows and not (len(found) == 2 and end % times and times == 2)
        step = found[-1] - found[-2] if len(found) > 1 else 1
        while (last := last * times if grows else last + step) < end and len(found) <= MANY:
            if last <= found[-1]:
                return []
            found.append(last)
    return found


@click.command(
    cls=Command,
    help=(
        _(
            "Plan a training on many ranks, processes that share every batch, before there are machines"
            " for it."
        ),
        _(
            "The step is timed here at some sizes, and so are sums over ranks, where `mpiexec` is found;"
            " what other ranks and machines add is worked out: the time of a step and of an epoch, how"
            " efficient the ranks are, the memory of each, and how many rows each needs."
        ),
        _(
            "NETWORK is sizes of layers, such as 784-1024-10 (classes, or with 1 a number), a model file, or"
            " a preset of `train`, with --data."
        ),
    ),
    short_help=_("Plan a training on more processes and machines."),
    examples=(
        "chainrule plan --network 784-1024-1024-10 --batch 512 --rows 60000",
        "chainrule plan --network table --data houses.csv --target price --ranks 1,2,4,...,64",
        "chainrule plan --network 784-1024-1024-10 --batch 4096 --ranks 1,2,4,...,4096 --flops 80"
        " --ranks-per-node 64 --bandwidth 200 --memory 256",
        "chainrule plan --network digits.safetensors --batch 256 --out plan.png",
    ),
)
@option(
    "--network",
    metavar="NETWORK",
    required=True,
    help=_("Sizes of layers, a model file, or table, table-small or plain."),
)
@option(
    "--batch",
    "--batch-size",
    "batch",
    type=Number(whole=True, least=1, most=10**9, example="512"),
    metavar="N",
    help=_("Rows a step, of all ranks together. By default 32, or the preset's."),
)
@option(
    "--ranks",
    type=Ranks(),
    metavar="N,...",
    help=_("How many ranks: 1,2,6 or 1,2,4,...,4096. By default 1,2,4,...,256."),
)
@option(
    "--rows",
    type=Number(whole=True, least=1, most=10**15, example="60000"),
    metavar="N",
    help=_("Rows of an epoch, whose time is then told, too; by default those of --data."),
)
@option(
    "--ranks-per-node",
    "--cores",
    "ranks_per_node",
    type=Number(whole=True, least=1, most=100_000, example="64"),
    metavar="N",
    help=_("Ranks on a machine; by default one for each core of this one."),
)
@option(
    "--bandwidth",
    type=Number(above=0, most=1e6, example="100"),
    default=100,
    show_default=True,
    metavar="GBIT/S",
    help=_("Of the network between machines."),
)
@option(
    "--latency",
    type=Number(least=0, most=1e6, example="2"),
    default=2,
    show_default=True,
    metavar="US",
    help=_("Of the network between machines, in microseconds."),
)
@option(
    "--flops",
    type=Number(above=0, most=1e7, example="80"),
    metavar="GFLOP/S",
    help=_(
        "The speed of a core in matrix products, for other machines than this: nothing is timed then."
    ),
)
@option(
    "--memory",
    type=Number(above=0, most=1e6, example="256"),
    metavar="GIB",
    help=_("Of a machine; by default of this one, without --flops."),
)
@option(
    "--efficiency",
    type=Number(above=0, below=1, example="0.5"),
    default=0.5,
    show_default=True,
    metavar="PART",
    help=_("How efficient ranks are to be, at the least."),
)
@option("--reproducible", is_flag=True, help=_("With the same bits on 1, 2, 4 and 8 ranks."))
@option("--data", metavar="DATA", help=_("The table of a preset, or rows for a model file."))
@option("--target", metavar="COLUMN", help=_("The column to predict."))
@setting_options("--hidden", "--activation", "--optimizer")
@option("--out", type=Place(), metavar="FILE", help=_("Draw the plan: .svg, .png or .pdf."))
@option("--force", is_flag=True, help=_("Overwrite an existing file."))
@data_options
@engine_option
@json_option
def plan(
    network: str,
    data: str | None,
    target: str | None,
    hidden: tuple[int, ...] | None,
    activation: str | None,
    optimizer: str | None,
    read_as: DataOptions,
    batch: int | None,
    rows: int | None,
    out: str | None,
    force: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Plan a training on more ranks and machines than there are here."""
    import chainrule.planning
    from chainrule.atomic_write import check_place
    from chainrule.cli.plan_network import NetworkOptions, network_at_work
    from chainrule.cli.planned import show
    from chainrule.drawing.saving import PLOTS, format_of
    from chainrule.plots.scaling import draw_scaling

    if out is not None:
        format_of(out, PLOTS)
        check_place(out, force)
        keep_apart(
            "--out", out, {_p("a file", "the model"): network, _p("a file", "the data"): data}
        )
    given = NetworkOptions(network, data, target, hidden, activation, optimizer, read_as)
    work = network_at_work(given)
    x, t = work.data or (None, None)
    found = chainrule.planning.plan(
        work.network,
        work.batch_size if batch is None else batch,
        optimizer=work.optimizer,
        x=x,
        t=t,
        rows=work.rows if rows is None else rows,
        **settings,
    )
    if out is not None:
        draw_scaling(found, out, lang=current())
    if as_json:
        json_out({"network": str(work.told), **found.to_dict(), **({"out": out} if out else {})})
    else:
        show(found, work.told, out)
