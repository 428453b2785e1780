"""`chainrule explain`: why rows got their answers, by what each column adds."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import click

from chainrule.cli.help_pages import Command, option
from chainrule.cli.options import Number, OneOf, Top, data_argument, data_options, json_option
from chainrule.cli.places import Place, keep_apart
from chainrule.cli.terminal import (
    json_out,
    paint,
    paragraph,
    printable,
    remark,
    rows,
    say,
    spoken,
)
from chainrule.lang.messages import Text, _, _n, _p

if TYPE_CHECKING:
    from chainrule.cli.data_options import DataOptions
    from chainrule.cli.explained_rows import Explained

__all__ = ["explain"]


@click.command(
    cls=Command,
    help=(
        _("Say why MODEL gave rows of DATA their answers: what each column adds."),
        _(
            "Explained is the answer of a regression in its unit, or the log-odds of a class, log p/(1 − p),"
            " on the way from the mean of the encoded training rows to the row. By integrated gradients what"
            " the columns add makes up the whole; gradient times input is quicker, and does not. Without"
            " --row, --line or --worst, the first row; with --out, all of them."
        ),
    ),
    short_help=_("Say why a row got its answer."),
    examples=(
        "chainrule explain iris.safetensors iris --row 17",
        "chainrule explain iris.safetensors iris --worst 3",
        "chainrule explain iris.safetensors new.csv --line 5 --class setosa",
        "chainrule explain houses.safetensors houses.csv --out added.csv",
    ),
)
@click.argument("model", metavar="MODEL")
@data_argument
@option(
    "--row",
    "row",
    multiple=True,
    type=Number(whole=True, least=0, most=10**12, example="17"),
    metavar="N",
    help=_("A row, counted from 0; may be given again."),
)
@option(
    "--line",
    "line",
    multiple=True,
    type=Number(whole=True, least=1, most=10**12, example="19"),
    metavar="N",
    help=_(
        "The row on this line of the file, as messages and reports call it; may be given again."
    ),
)
@option(
    "--worst",
    type=Number(whole=True, least=1, most=1000, example="3"),
    metavar="N",
    help=_("The N rows with the worst answers, of those whose answers are known."),
)
@option(
    "--class",
    "label",
    metavar="CLASS",
    help=_("The class to explain; by default the one that each row got."),
)
@option(
    "--method",
    type=OneOf(("integrated", "gradient")),
    default="integrated",
    show_default=True,
    help=_("Integrated gradients, or gradient times input."),
)
@option(
    "--top",
    type=Top(),
    default=10,
    show_default=True,
    metavar="N|all",
    help=_("How many columns are shown of each row."),
)
@option(
    "--out",
    type=Place(),
    metavar="FILE",
    help=_("Write what each column adds as CSV, a line for each row."),
)
@option("--force", is_flag=True, help=_("Overwrite an existing file."))
@data_options
@json_option
def explain(
    model: str,
    data: str,
    row: tuple[int, ...],
    line: tuple[int, ...],
    worst: int | None,
    label: str | None,
    method: str,
    top: int | None,
    out: str | None,
    force: bool,
    read_as: DataOptions,
    as_json: bool,
) -> None:
    """Say why rows got their answers."""
    from chainrule.atomic_write import check_place, write_whole
    from chainrule.cli.explained_rows import explained

    if out is not None:
        check_place(out, overwrite=force)
        keep_apart("--out", out, {_p("a file", "the model"): model, _p("a file", "the data"): data})
    found = explained(model, data, read_as, row, line, worst, label, method, every=out is not None)
    if out is not None:
        write_whole(out, _as_csv(found).encode("utf-8", "surrogatepass"), overwrite=force)
    if as_json:
        told = {"model": model, "data": data, "target": found.preparation.target}
        told |= {"out": out} if out is not None else {}
        json_out({**told, **found.as_json(rows=out is None)})
        return
    for sentence in found.notes:
        remark(sentence)
    if out is None:
        _show(found, top)
        return
    sentence = _n(
        "What each column adds to {n:,} answer is in {out}.",
        "What each column adds to {n:,} answers is in {out}.",
        len(found.indices),
        out=out,
    )
    say(printable(sentence))


def _show(found: Explained, top: int | None) -> None:
    """Each row: the answer, where the way begins and ends, and what each column adds."""
    from chainrule.cli.explained import CELL, NAME, bar, barred, decimals_for, number, short
    from chainrule.explaining.wording import BASELINES

    why = found.contributions
    for i in range(len(found.indices)):
        order = why.order(i)
        shown = order if top is None else order[:top]
        added = why.added[i].tolist()
        most, value, start = (
            max(abs(added[shown[0]]), 1e-300),
            *map(float, (why.value[i], why.start[i])),
        )
        decimals = decimals_for(most)
        say(paint(printable(found.heading(i)), "bold"))
        ends = ((found.what(i), value), (BASELINES[why.baseline], start))
        rows([(name, number(end, decimals)) for name, end in ends])
        say()
        body = [
            (
                short(why.columns[j], NAME),
                short(found.cell(i, why.columns[j]), CELL),
                bar(abs(added[j]) / most),
                number(added[j], decimals, "+"),
            )
            for j in shown
        ]
        if len(order) > len(shown):
            rest = sum(added[j] for j in order[len(shown) :])
            more = _n("{n} more column", "{n} more columns", len(order) - len(shown))
            body.append((spoken(more), "", "", number(rest, decimals, "+")))
        left = float(why.gap[i])
        if why.method == "gradient" or abs(left) > 0.005 * most:
            name = spoken(_p("of a sum", "left over"))
            body.append((name, "", "", number(left, decimals, "+")))
        heads: tuple[Text | str, ...] = (
            _("column"),
            _p("column of a table", "cell"),
            "",
            _p("column of a table", "adds"),
        )
        barred(heads, body, 2)
        say()
    paragraph(found.method_line(), "dim")


def _as_csv(found: Explained) -> str:
    """A line for each row: its number, the answer, the ends of the way, what columns add, and the rest."""
    why, made = found.contributions, io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    explained = ["explained"] if why.explained is not None else []
    writer.writerow(["row", "prediction", *explained, "value", "start", *why.columns, "left over"])
    numbers: list[Any] = [why.value, why.start, *why.added.T, why.gap]
    for i, index in enumerate(found.indices.tolist()):
        label = [found.explained_label(i)] if explained else []
        cells = [f"{float(column[i]):.7g}" for column in numbers]
        writer.writerow([index, found.answer(i), *label, *cells])
    return made.getvalue()
