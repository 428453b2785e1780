"""The report of `chainrule train --report`: where it may go, and writing it."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from chainrule.atomic_write import check_place, write_whole
from chainrule.cli.language import OPTION, asked_for
from chainrule.cli.places import keep_apart
from chainrule.cli.source import STDIN
from chainrule.cli.terminal import typed
from chainrule.errors import ExtraMissingError
from chainrule.lang.messages import _, _p

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.cli.plan import Plan

__all__ = ["check_report", "command_line", "write_report"]


def command_line(ctx: click.Context) -> list[str]:
    """The command as it was given, to be typed again; every option is a part of its own."""
    arguments, options = [], []
    for param in ctx.command.params:
        name = param.name or ""
        if ctx.get_parameter_source(name) != ParameterSource.COMMANDLINE or name not in ctx.params:
            continue
        value = ctx.params[name]
        if isinstance(param, click.Argument):
            arguments.append(str(value))
        elif isinstance(param, click.Option) and param.is_flag:
            options.append(param.opts[-1])
        elif param.multiple:
            options += [typed(param.opts[-1], one) for one in value]
        else:
            told = (",".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)
            options.append(typed(param.opts[-1], told))
    if (lang := asked_for(ctx)) is not None:
        options.append(typed(OPTION, lang))
    start = typed("chainrule", str(ctx.info_name))
    if any(argument.startswith("-") and argument != STDIN for argument in arguments):
        return [start, *options, typed("--", *arguments)]
    return [typed("chainrule", str(ctx.info_name), *arguments), *options]


def check_report(report: str, out: str, data: str, force: bool) -> None:
    """Refuse before any training what could not be written after it."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ExtraMissingError(
            _(
                "--report draws with matplotlib, which is in the extra [draw]: {command}.",
                command="pip install 'chainrule[draw]'",
            )
        ) from None
    check_place(report, overwrite=force)
    keep_apart("--report", report, {_p("a file", "the model"): out, _p("a file", "the data"): data})


def write_report(
    path: str, plan: Plan, facts: dict[str, Any], *, data: str, command: list[str], seconds: float,
    verdict: Sequence[str], lang: str, force: bool,
) -> None:  # fmt: skip
    """Write the page, whole or not at all."""
    from chainrule.plots.judged import Run
    from chainrule.plots.report import report_page

    run = Run(
        name=plan.name,
        command=command,
        facts=facts,
        notes=plan.notes,
        verdict=verdict,
        table=plan.divided.table,
        training=plan.divided.training,
        held=plan.divided.held,
        preparation=plan.preparation,
        trainer=plan.trainer,
        seconds=seconds,
        checksum=_checksum(data),
    )
    write_whole(path, report_page(run, lang).encode(), overwrite=force)


def _checksum(data: str) -> str | None:
    """The sha256 of a file; None for a set that has no file."""
    if not os.path.isfile(data):
        return None
    with open(data, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
