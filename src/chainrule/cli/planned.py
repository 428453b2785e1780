"""What `chainrule plan` shows on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chainrule.cli.terminal import paint, paragraph, printable, rows, say, table, too_wide
from chainrule.lang.messages import Text, _, _n, _p
from chainrule.planning.results import size, span

if TYPE_CHECKING:
    from chainrule.planning import ScalingPlan

__all__ = ["show"]


def show(found: ScalingPlan, network: Text | str, out: str | None) -> None:
    """Say what came of planning."""
    parameters = _n("{n:,} parameter", "{n:,} parameters", found.parameters)
    say(f"{paint(printable(network), 'bold')}  {printable(parameters)}")
    say()
    strong = _n("The same batch, {n:,} row:", "The same batch, {n:,} rows:", found.batch_size)
    paragraph(strong, "bold")
    _same_batch(found)
    say()
    paragraph(_n("{n:,} row a rank:", "{n:,} rows a rank:", found.batch_size), "bold")
    _same_rows(found)
    say()
    paragraph(found.verdict)
    say()
    rows((_("based on") if i == 0 else "", line) for i, line in enumerate(found.basis))
    if out is not None:
        rows([(_("picture"), out)])


def _same_batch(found: ScalingPlan) -> None:
    heads: list[Text | str] = [
        _("ranks"), _("nodes"), _p("of a rank", "rows"), _("computing"), _("messages"),
        _p("time of one", "step"), _("efficiency"), _p("time of one", "epoch"), _("memory"),
    ]  # fmt: skip
    body = []
    for each in found.ranks:
        step = each.same_batch
        body.append(
            [
                f"{each.ranks:,}", f"{each.nodes:,}", f"{step.rows:,}", span(step.computing),
                span(step.messages) if step.messages else "-", span(step.seconds),
                _percent(step.efficiency), "-" if step.epoch is None else span(step.epoch),
                size(each.memory) + ("!" if each.fits is False else ""),
            ]
        )  # fmt: skip
    without = [3] if too_wide(heads, body) else []
    without += [] if any(each.nodes > 1 for each in found.ranks) else [1]
    without += [7] if found.rows is None else []
    _table(heads, body, without)


def _same_rows(found: ScalingPlan) -> None:
    least = _percent(found.least)
    heads: list[Text | str] = [
        _("ranks"), _("batch"), _("messages"), _p("time of one", "step"), _("efficiency"),
        _p("time of one", "epoch"), _("rows for {least}", least=least),
    ]  # fmt: skip
    body = []
    for each in found.ranks:
        step = each.same_rows
        needed = "-" if each.rows_needed is None else f"{each.rows_needed:,}"
        body.append(
            [
                f"{each.ranks:,}", f"{step.batch:,}", span(step.messages) if step.messages else "-",
                span(step.seconds), _percent(step.efficiency),
                "-" if step.epoch is None else span(step.epoch), needed,
            ]
        )  # fmt: skip
    _table(heads, body, [5] if found.rows is None else [])


def _table(
    heads: Sequence[Text | str], body: Sequence[Sequence[Text | str]], without: Sequence[int]
) -> None:
    kept = [i for i in range(len(heads)) if i not in without]
    table([heads[i] for i in kept], [[line[i] for i in kept] for line in body], left=0)


def _percent(part: float) -> str:
    return f"{100 * part:.0f}%" if part >= 0.0095 else f"{100 * part:.1g}%"
