"""`chainrule tune`: settings that suit a table, found by trials, and the model trained with the best."""

from __future__ import annotations

import re
import sys
from typing import Any

import click

from chainrule.cli.help_pages import Command, option
from chainrule.cli.options import (
    Number,
    _Kind,
    data_argument,
    data_options,
    engine_option,
    json_option,
)
from chainrule.cli.places import Place
from chainrule.cli.terminal import complain, json_out
from chainrule.cli.training_options import (
    quiet_option,
    report_option,
    seed_option,
    setting_options,
    target_options,
    threads_option,
    validation_option,
    what_options,
)
from chainrule.errors import NonFiniteError, shown
from chainrule.lang.messages import _

__all__ = ["tune"]

INTERRUPTED = 130
#: The settings that are tuned, unless they are given.
TUNED = (
    "--hidden",
    "--lr",
    "--dropout",
    "--weight-decay",
    "--label-smoothing",
    "--beta2",
    "--sigma",
)
#: The options of `train` that a search does not have: a trial trains one network, by the preset's own way.
UNUSED = ("optimizer", "schedule", "l2", "patience")


class Duration(_Kind):
    """A time: "90", "90s", "30m", "2h"."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The time in seconds."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", str(value))
        seconds = float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]] if found else 0.0
        if not seconds:
            self.fail(
                _(
                    "got {value}; give a time above 0 such as 90s, 30m or 2h.",
                    value=shown(str(value)),
                ),
                param,
                ctx,
            )
        return seconds


@click.command(
    cls=Command,
    help=(
        _("Try many settings of a network on DATA, and keep the model of the best."),
        _(
            "The first trial is the preset's own settings; the others are drawn from ranges, with regard to"
            " what was good. A trial is scored by training rows left out, and ended early where others are"
            " better; the rows held out score the final model alone."
        ),
        _(
            "The trials are kept in an SQLite file or another database. A search goes on with --resume, in"
            " as many processes as you start, on one machine or several; a trial that was killed is tried"
            " again."
        ),
    ),
    short_help=_("Find the settings that suit a table, and keep the best model."),
    examples=(
        "chainrule tune iris.csv --target species",
        "chainrule tune houses.csv --target price --preset table --trials 100 --timeout 2h",
        "chainrule tune houses.csv --target price --preset table --trials 200 --resume --force",
        "chainrule tune digits --storage postgresql://me@host/tuning --study digits --resume",
    ),
)
@data_argument
@what_options
@option(
    "--trials",
    type=Number(whole=True, least=1, most=10**6, example="50"),
    default=50,
    show_default=True,
    metavar="N",
    help=_("How many trials the study is to have, with those that it has already."),
)
@option(
    "--timeout",
    type=Duration(),
    metavar="TIME",
    help=_("Begin no trial after this time, such as 30m or 2h."),
)
@option(
    "--storage",
    metavar="URL",
    help=_(
        "Where the trials are kept: an SQLite file, or the address of a database. By default a file beside"
        " the model."
    ),
)
@option(
    "--study",
    metavar="NAME",
    help=_("What the trials are called in there; by default the name of the data."),
)
@option(
    "--resume",
    is_flag=True,
    help=_("Go on with a study, or take part in one that other processes work at."),
)
@setting_options(*TUNED, tuned=True)
@option(
    "--epochs",
    type=Number(whole=True, least=1, most=10**6, example="100"),
    metavar="N",
    help=_("Times through the rows. By default 256; in plain, tuned."),
)
@setting_options("--batch-size", "--activation")
@validation_option
@target_options
@data_options
@seed_option
@engine_option
@threads_option
@report_option
@option(
    "--plot",
    type=Place(),
    metavar="FILE",
    help=_("Draw the trials: .svg, .png or .pdf."),
)
@json_option
@quiet_option
def tune(as_json: bool, quiet: bool, **given: Any) -> None:
    """Try many settings of a network on a table, and keep the model of the best."""
    from chainrule.cli.command_line import command_line
    from chainrule.cli.train_options import TrainOptions
    from chainrule.cli.tune_optuna import quiet_optuna
    from chainrule.cli.tune_plan import TuneOptions, make_tuning_plan
    from chainrule.cli.tune_run import Search
    from chainrule.cli.tune_show import go_on_line, show_found, show_search

    ctx = click.get_current_context()
    own = TuneOptions(
        trials=given.pop("trials"),
        seconds=given.pop("timeout"),
        storage=given.pop("storage"),
        study=given.pop("study"),
        resume=given.pop("resume"),
        plot=given.pop("plot"),
    )
    given.update(dict.fromkeys(UNUSED), ensemble=1, drawn=False)
    options = TrainOptions(**given, command=command_line(ctx))
    loud = not (as_json or quiet)
    progress = "auto" if loud else None
    with quiet_optuna():
        plan = make_tuning_plan(options, own)
        search = Search(plan, own)
        if loud:
            show_search(search)
        interrupted = search.run(progress)
        # On a terminal a bar; elsewhere no lines of epochs below those of the trials.
        shown = "notes" if loud and not sys.stderr.isatty() else progress
        trained = search.model(shown) if search.study.trials.best is not None else None
    if trained is not None and as_json:
        json_out(search.as_json(trained))
    elif trained is not None and loud:
        show_found(search, trained, ctx)
    if interrupted:
        complain(go_on_line(search, ctx), _("Stopped:"))
        ctx.exit(INTERRUPTED)
    if trained is None:
        raise NonFiniteError(
            _(
                "no trial came to its end, since no loss was finite; nothing was saved. Give a smaller --lr,"
                " or look for numbers far beyond all others in the data."
            )
        )
