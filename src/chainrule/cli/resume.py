"""`chainrule resume`: go on with a training that was stopped."""

from __future__ import annotations

from typing import Any

import click

from chainrule.cli.help_pages import Command, option
from chainrule.cli.options import json_option
from chainrule.cli.places import Place
from chainrule.cli.train import start, train_and_show
from chainrule.cli.training_options import (
    max_restarts_option,
    quiet_option,
    rank_timeout_option,
    ranks_option,
)
from chainrule.lang.messages import _

__all__ = ["resume"]


@click.command(
    cls=Command,
    help=(
        _("Go on with the training that `chainrule train --checkpoint FOLDER` began."),
        _(
            "With the options of that command; the model is, to the bit, what it would have been without the"
            " stop. `chainrule inspect FOLDER` shows how far it has come."
        ),
        _(
            "Another number of --ranks goes on with the same numbers, to rounding; after --reproducible to"
            " the bit."
        ),
    ),
    short_help=_("Go on with a training that was stopped."),
    examples=(
        "chainrule resume houses-run",
        "chainrule resume houses-run --ranks 2",
        "chainrule resume houses-run --data /data/houses.csv --out houses.safetensors",
    ),
)
@click.argument("folder", metavar="FOLDER")
@option("--data", metavar="FILE", help=_("Where the data are now, if they have moved."))
@option(
    "--out",
    type=Place(),
    metavar="FILE",
    help=_("Another name for the model."),
)
@option("--force", is_flag=True, help=_("Overwrite an existing file."))
@ranks_option
@max_restarts_option
@rank_timeout_option
@json_option
@quiet_option
def resume(
    folder: str,
    data: str | None,
    out: str | None,
    force: bool,
    as_json: bool,
    quiet: bool,
    **processes: Any,
) -> None:
    """Go on with a training that was stopped."""
    from chainrule.cli.kept_run import KeptRun
    from chainrule.cli.launch import is_here

    kept = KeptRun.read(folder).with_changes(data, out, force, **processes)
    if is_here(kept.options):
        train_and_show(kept.options, kept, as_json=as_json, quiet=quiet)
    else:
        start(kept.options, folder, as_json=as_json, quiet=quiet)
