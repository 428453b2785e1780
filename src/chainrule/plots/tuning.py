"""Tuning: the scores of trials in their order, and by each of their settings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from chainrule.atomic_write import Pathish
from chainrule.drawing.saving import check_path
from chainrule.errors import DataError
from chainrule.lang.messages import _, _p, in_language
from chainrule.plots.figure import BLUE, ORANGE, finish, label_of, new_figure, whole_ticks
from chainrule.plots.page import Html, picture, table, text
from chainrule.settings import language
from chainrule.training.ranges import Range, label
from chainrule.training.trials import Trial, Trials

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_tuning", "trials_section"]

COLUMNS, GREY = 3, "#999999"
#: A 0 stands at the low end of a logarithmic range, divided by this.
LEFT = 3.0
#: How many of the trials are in the table of a report.
LISTED = 10


def draw_tuning(trials: Trials, path: Pathish | None = None, *, lang: str | None = None) -> Figure:
    """The score of every trial with the best so far; and a plot for each setting, of all its values.

    Trials that were ended early are hollow, at the score that they had by then, and the best one is
    marked.
    """
    lang = language(lang)
    check_path(path, lang=lang)
    if not trials.complete:
        raise DataError(_("no trial has come to its end, so there is nothing to draw."))
    count = 1 + len(trials.ranges)
    columns = min(COLUMNS, count)
    lines = math.ceil(count / columns)
    figure, axes = new_figure(columns, width=3.4 * columns, height=2.5 * lines, rows=lines)
    limits = _limits(trials)
    _in_order(axes[0], trials, lang)
    for ax, one in zip(axes[1:], trials.ranges, strict=False):
        _by_setting(ax, trials, one, lang)
    for i, ax in enumerate(axes):
        ax.set_ylim(limits)
        ax.set_visible(i < count)
        if trials.accuracy:
            ax.yaxis.set_major_formatter(lambda value, _place: f"{100 * value:.4g}%")
        if i % columns == 0:
            ax.set_ylabel(label_of(in_language(trials.measure, lang), 40))
        else:
            ax.tick_params(labelleft=False)
    return finish(figure, path)


def _limits(trials: Trials) -> tuple[float, float]:
    """The limits of the scores: all of the better half, and no more of the worse than as much again."""
    scores = [one.score for one in trials.complete if one.score is not None]
    best, middle, worst = scores[0], scores[len(scores) // 2], scores[-1]
    reach = min(abs(worst - best), 3 * abs(middle - best) or abs(worst - best)) or abs(best) or 1.0
    away, beyond = best + (-1 if trials.accuracy else 1) * reach, 0.08 * reach
    low, high = min(best, away) - beyond, max(best, away) + beyond
    return low, high


def _points(ax: Axes, trials: Trials, of: dict[int, float], lang: str) -> None:
    """A point for each trial, at the places `of` their numbers."""
    low, high = _limits(trials)
    for pruned, fill, name in (
        (False, BLUE, _p("trials of settings", "to the end")),
        (True, "none", _p("trials of settings", "ended early")),
    ):
        shown = [
            (of[one.number], min(max(one.score, low), high))
            for one in trials.all
            if one.pruned == pruned and one.score is not None and one.number in of
        ]
        if shown:
            xs, ys = zip(*shown, strict=True)
            ax.scatter(
                xs, ys, s=16, facecolors=fill, edgecolors=GREY if pruned else BLUE, linewidths=0.8,
                label=name.said(lang), clip_on=False, zorder=3,
            )  # fmt: skip
    best = trials.best
    if best is not None and best.number in of and best.score is not None:
        ax.scatter(
            [of[best.number]], [best.score], s=70, marker="*", color=ORANGE, clip_on=False, zorder=4,
            label=_p("trials of settings", "the best").said(lang),
        )  # fmt: skip


def _in_order(ax: Axes, trials: Trials, lang: str) -> None:
    complete: list[Trial] = sorted(trials.complete, key=lambda one: one.number)
    ax.step(
        [one.number for one in complete], trials.bests, where="post", color=ORANGE, linewidth=1.4,
        label=_("best so far").said(lang),
    )  # fmt: skip
    _points(ax, trials, {one.number: float(one.number) for one in trials.all}, lang)
    ax.set_xlabel(_p("training with other settings", "trial").said(lang))
    whole_ticks(ax.xaxis, 5)
    ax.legend(frameon=False, fontsize=8, loc="best")


def _by_setting(ax: Axes, trials: Trials, one: Range, lang: str) -> None:
    """The scores by a setting's value; a 0 beside a logarithmic range stands at its left."""
    ax.set_xlabel(in_language(label(one.name), lang))
    places = {value: float(i) for i, value in enumerate(one.choices)}
    zero = one.low / LEFT if one.scale == "log" else 0.0
    if one.choices:
        ax.set_xticks(range(len(one.choices)), [str(value) for value in one.choices])
        ax.set_xlim(-0.5, len(one.choices) - 0.5)
    elif one.scale == "log":
        _logarithmic(ax, one, zero)
    else:
        ax.set_xlim(*_wider(one.low, one.high))
        if one.whole:
            whole_ticks(ax.xaxis)
    of = {}
    for trial in trials.all:
        value = trial.values.get(one.name)
        if value is not None:
            of[trial.number] = places[value] if one.choices else float(value or zero)
    _points(ax, trials, of, lang)


def _logarithmic(ax: Axes, one: Range, zero: float) -> None:
    """The scale of a logarithmic range, with plain numbers, and 0 before it where that is allowed."""
    ax.set_xscale("log")
    wide = one.high / one.low > 50
    steps = (1,) if wide else (1, 2, 5)
    first, last = (math.floor(math.log10(end)) for end in (one.low, one.high))
    ticks = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    ticks = [tick for tick in ticks if one.low <= tick * 1.001 and tick <= one.high * 1.001]
    names = [f"{tick:g}" for tick in ticks]
    if one.or_zero:
        ticks, names = [zero, *ticks], ["0", *names]
        ax.axvline(zero * math.sqrt(LEFT), color=GREY, linewidth=0.6, linestyle=":")
    ax.set_xticks(ticks, names)
    ax.set_xticks([], minor=True)
    low, high = _wider(math.log(zero if one.or_zero else one.low), math.log(one.high))
    ax.set_xlim(math.exp(low), math.exp(high))


def _wider(low: float, high: float) -> tuple[float, float]:
    """These limits, with some room beside them."""
    room = 0.05 * (high - low)
    return low - room, high + room


def trials_section(trials: Trials, lang: str) -> list[str]:
    """The picture of the trials and a table of the best, for a report."""
    heads = [
        _p("training with other settings", "trial"), _("score"),
        *(label(one.name) for one in trials.ranges), _("epochs in all"), _("seconds"),
    ]  # fmt: skip
    body = [
        (one.number, trials.said(one.score),
         *(f"{one.values.get(r.name, math.nan):g}" for r in trials.ranges),
         f"{one.epochs:,}", f"{one.seconds:.1f}")
        for one in trials.complete[:LISTED]
    ]  # fmt: skip
    words = _(
        "{count} trainings with other settings, {pruned} of them ended early, scored by their {measure} on"
        " training rows left out. Below are the best.",
        count=len(trials.all),
        pruned=len(trials.pruned),
        measure=trials.measure,
    ).said(lang)
    figure = draw_tuning(trials, lang=lang)
    told = Html(f"<p>{text(words)}</p>")
    names = [in_language(head, lang) for head in heads]
    return [told, picture(figure, "tuning", words), table(names, body, left=0)]
