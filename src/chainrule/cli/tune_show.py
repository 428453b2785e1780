"""What `chainrule tune` shows: the search before it begins, and what it found."""

from __future__ import annotations

import math
from collections.abc import Callable

import click

from chainrule.cli.command_line import command_line
from chainrule.cli.terminal import paragraph, rows, say, table, too_wide, typed
from chainrule.cli.train import data_lines, show_name, show_result
from chainrule.cli.train_options import TrainOptions
from chainrule.cli.train_run import Trained
from chainrule.cli.tune_run import Search
from chainrule.cli.tune_trial import parts_of, with_values
from chainrule.lang.messages import Text, _, _n, _p, listed
from chainrule.training.presets import BEST_EPOCH_BY
from chainrule.training.ranges import label
from chainrule.training.trials import Trial, Trials

__all__ = ["go_on_line", "show_found", "show_search"]

#: How many of the trials are shown.
SHOWN = 10
#: The parameters of `tune` that `train` does not have, or that say where files go.
_OWN = ("trials", "timeout", "storage", "study", "resume", "report", "plot", "out", "force",
        "as_json", "quiet", "preset")  # fmt: skip


def show_search(search: Search) -> None:
    """The search, shown before it begins."""
    plan, study = search.plan, search.study
    show_name(plan)
    preset = plan.facts["training"]["preset"]
    told = [_("{name} {range}", name=label(one.name), range=one.told) for one in search.ranges]
    pairs = [*data_lines(plan), (_("preset"), preset)]
    pairs += [(_("tuned") if i == 0 else "", line) for i, line in enumerate(told)]
    pairs.append(
        (_("scored by"), _("{rows}; {left_out}", rows=plan.held_out, left_out=_left_out(search)))
    )
    ended = len(study.trials.all)
    where = _("{name} in {storage}", name=study.name, storage=study.told)
    if not study.new:
        where = _(
            "{where}, which has {trials}",
            where=where,
            trials=_n("{n:,} trial", "{n:,} trials", ended),
        )
    pairs.append((_("study"), where))
    rows(pairs)
    say()


def _left_out(search: Search) -> Text:
    """The rows that score a trial."""
    parts = len(parts_of(search.plan))
    if search.plan.way.chosen_by:
        return _("{part:.0%} of the others score a trial, and choose its epoch", part=BEST_EPOCH_BY)
    if parts == 1:
        return _("a fifth of the others scores a trial")
    return _("{parts} parts of the others in turn score a trial", parts=parts)


def show_found(search: Search, trained: Trained, ctx: click.Context) -> None:
    """The best trials, the model, and the commands to type next."""
    trials = search.study.trials
    say()
    counted = _(
        "{trials}, {pruned} of them ended early; the best by their {measure} on training rows left out:",
        trials=_n("{n:,} trial", "{n:,} trials", len(trials.all)),
        pruned=len(trials.pruned),
        measure=trials.measure,
    )
    paragraph(counted)
    say()
    _table(search, trials)
    best = trials.best
    assert best is not None
    options = with_values(search.plan.options, best.values)
    show_result(trained, _train_line(ctx, search, options))


def _table(search: Search, trials: Trials) -> None:
    """The best trials, one a line, with as many of the settings as the terminal has room for."""
    names = [one.name for one in search.ranges]
    shown = trials.complete[:SHOWN]
    while True:
        columns = _columns(names)
        header = [name for name, _cell in columns]
        body = [[cell(one, trials) for _name, cell in columns] for one in shown]
        if len(names) < 2 or not too_wide(header, body):
            break
        names.pop()
    table(header, body, left=0)
    missing = [label(one.name) for one in search.ranges if one.name not in names]
    if missing:
        say(_("  (no room here for {names}; --json has all)", names=listed(missing, "and")))


def _columns(names: list[str]) -> list[tuple[Text, Callable[[Trial, Trials], str]]]:
    """The columns of the table: their names, and what they hold of a trial."""

    def setting(name: str) -> tuple[Text, Callable[[Trial, Trials], str]]:
        return label(name), lambda one, _trials: f"{one.values.get(name, math.nan):g}"

    return [
        (_p("training with other settings", "trial"), lambda one, _trials: str(one.number)),
        (_("score"), lambda one, trials: trials.said(one.score)),
        *map(setting, names),
        (_("epochs in all"), lambda one, _trials: f"{one.epochs:,}"),
        (_("seconds"), lambda one, _trials: f"{one.seconds:.1f}"),
    ]


def _train_line(ctx: click.Context, search: Search, options: TrainOptions) -> str:
    """The `chainrule train` that makes the same model again."""
    parts = command_line(ctx, "train", leave_out=_OWN)
    best = search.study.trials.best
    assert best is not None
    settings: dict[str, object] = {"preset": search.plan.facts["training"]["preset"]}
    names = {"layers": "hidden", "width": "hidden"}
    settings |= {(n := names.get(one.name, one.name)): getattr(options, n) for one in search.ranges}
    for name, value in settings.items():
        told = (
            ",".join(map(str, value))
            if isinstance(value, tuple)
            else f"{value:g}"
            if isinstance(value, float)
            else str(value)
        )
        parts.append(typed(f"--{name.replace('_', '-')}", told))
    return " ".join(parts)


def go_on_line(search: Search, ctx: click.Context) -> Text:
    """How many trials there are by now, and how to go on."""
    line = [*command_line(ctx, leave_out=("resume", "force")), "--resume"]
    if search.study.trials.best is not None and search.plan.options.out is not None:
        line.append("--force")  # over the model that is kept now
    trials = _n("{n:,} trial", "{n:,} trials", len(search.study.trials.all))
    return _(
        "{trials} of {planned} in {storage}; to go on: {command}",
        trials=trials,
        planned=search.options.trials,
        storage=search.study.told,
        command=" ".join(line),
    )
