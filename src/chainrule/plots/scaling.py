"""A plan of ranks: the time of a step, computing and messages, and the efficiency, over the ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chainrule.atomic_write import Pathish
from chainrule.drawing.saving import check_path
from chainrule.errors import DataError
from chainrule.lang.messages import _, _n
from chainrule.planning import ScalingPlan
from chainrule.plots.figure import BLUE, DASHES, GREEN, ORANGE, SKY, finish, new_figure
from chainrule.settings import language

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_scaling"]

GREY = "#777777"
#: Numbers of ranks that are written below an axis, at the most.
LABELS = 13


def draw_scaling(
    plan: ScalingPlan, path: Pathish | None = None, *, lang: str | None = None
) -> Figure:
    """Draw a plan of `cr.plan`: the time of a step with the same batch, and the efficiency, over the ranks.

    Above, bars of computing and messages, with the time if nothing were lost; below, the efficiency with the
    same batch and with the same rows a rank, and the one that was asked for. path: .svg, .png or .pdf;
    `lang`: "en" or "zh"; None: the language of CHAINRULE_LANG, else English.

    Raises:
        DataError: a plan of one rank has no curve.

    >>> import chainrule as cr
    >>> network = cr.TwoLayerNet(64, 100, 10)
    >>> figure = cr.draw_scaling(cr.plan(network, 256, [1, 2, 4, 8], flops=100))
    """
    lang = language(lang)
    check_path(path, lang=lang)
    if len(plan.ranks) < 2:
        raise DataError(_("a plan of one rank has no curve: give more numbers of ranks."))
    figure, (times, efficiency) = new_figure(width=5.6, height=6.4, rows=2)
    places = range(len(plan.ranks))
    _times(times, plan, places, lang)
    _efficiency(efficiency, plan, places, lang)
    for ax in (times, efficiency):
        step = -(-len(plan.ranks) // LABELS)
        shown = plan.ranks[::step]
        ax.set_xticks(places[::step], [f"{each.ranks:,}" for each in shown])
        ax.set_xlim(-0.6, len(plan.ranks) - 0.4)
        if max(len(str(each.ranks)) for each in shown) * len(shown) > 36:
            ax.tick_params(axis="x", labelsize=8)
        _mark_machine(ax, plan)
    efficiency.set_xlabel(_("ranks").said(lang))
    _name_machine(times, plan, lang)
    return finish(figure, path)


def _times(ax: Axes, plan: ScalingPlan, places: Sequence[int], lang: str) -> None:
    steps = [each.same_batch for each in plan.ranks]
    longest = max(step.seconds for step in steps)
    unit, factor = next(
        (unit, factor)
        for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6))
        if longest * factor >= 1 or unit == "µs"
    )
    computing = [factor * step.computing for step in steps]
    messages = [factor * step.messages for step in steps]
    ax.bar(places, computing, color=SKY, width=0.72, label=_("computing").said(lang))
    ax.bar(
        places, messages, bottom=computing, color=ORANGE, width=0.72, hatch="////",
        edgecolor="white", linewidth=0, label=_("messages").said(lang),
    )  # fmt: skip
    ideal = [factor * steps[0].seconds / each.ranks for each in plan.ranks]
    ax.plot(
        places, ideal, color=GREY, linestyle=DASHES[2], marker=".", linewidth=1.2,
        label=_("if nothing were lost").said(lang),
    )  # fmt: skip
    rows = _n("{n:,} row", "{n:,} rows", plan.batch_size)
    ax.set_ylabel(_("a step of {rows}, {unit}", rows=rows, unit=unit).said(lang))
    _legend(ax, 3)


def _legend(ax: Axes, columns: int) -> None:
    """The legend above the axes, where no line or bar can be."""
    ax.legend(
        frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(-0.02, 0.985), ncols=columns,
        columnspacing=1.4,
    )  # fmt: skip


def _efficiency(ax: Axes, plan: ScalingPlan, places: Sequence[int], lang: str) -> None:
    lines = (
        (_("the same batch"), [each.same_batch for each in plan.ranks], BLUE, "o", "-"),
        (_("the same rows a rank"), [each.same_rows for each in plan.ranks], GREEN, "s", DASHES[1]),
    )
    for label, steps, colour, marker, dashes in lines:
        ax.plot(
            places, [100 * step.efficiency for step in steps], color=colour, marker=marker,
            markersize=4, linewidth=1.8, linestyle=dashes, label=label.said(lang),
        )  # fmt: skip
    ax.axhline(100 * plan.least, color=GREY, linewidth=0.9, linestyle=DASHES[2])
    highest = max(step.efficiency for _label, steps, *_style in lines for step in steps)
    ax.set_ylim(0, 108 * max(1.0, highest))
    ax.yaxis.set_major_formatter(lambda value, _place: f"{value:.0f}%")
    ax.set_ylabel(_("efficiency").said(lang))
    _legend(ax, 2)


def _mark_machine(ax: Axes, plan: ScalingPlan) -> None:
    """A line behind the ranks of one machine."""
    inside = sum(each.nodes == 1 for each in plan.ranks)
    if 0 < inside < len(plan.ranks):
        ax.axvline(inside - 0.5, color=GREY, linewidth=0.8)


def _name_machine(ax: Axes, plan: ScalingPlan, lang: str) -> None:
    """Say what is on either side of that line, where there is room."""
    inside = sum(each.nodes == 1 for each in plan.ranks)
    if not 0 < inside < len(plan.ranks):
        return
    top = ax.get_ylim()[1]
    ax.set_ylim(0, 1.12 * top)
    few = 0.22 * len(plan.ranks)
    for x, side, count, text in (
        (inside - 0.58, "right", inside, _("one machine")),
        (inside - 0.42, "left", len(plan.ranks) - inside, _("several machines")),
    ):
        if count > few:
            ax.text(x, 1.06 * top, text.said(lang), ha=side, color=GREY, fontsize=8, va="center")
