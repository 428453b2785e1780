"""The command as it was given, to be typed again."""

from __future__ import annotations

from collections.abc import Collection

import click
from click.core import ParameterSource

from chainrule.cli.data_source import STDIN
from chainrule.cli.language import OPTION, asked_for
from chainrule.cli.terminal import typed

__all__ = ["command_line"]


def command_line(
    ctx: click.Context, command: str | None = None, leave_out: Collection[str] = ()
) -> list[str]:
    """The command as it was given, to be typed again; every option is a part of its own.

    As another `command`, if that is given, and without the parameters to `leave_out`.
    """
    command = str(ctx.info_name) if command is None else command
    arguments, options = [], []
    for param in ctx.command.params:
        name = param.name or ""
        given = ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE
        if not given or name not in ctx.params or name in leave_out:
            continue
        value = ctx.params[name]
        if isinstance(param, click.Argument):
            arguments.append(str(value))
        elif isinstance(param, click.Option) and param.is_flag:
            options.append(param.opts[-1])
        elif param.multiple:
            options += [typed(param.opts[-1], one) for one in value]
        else:
            text = (",".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)
            options.append(typed(param.opts[-1], text))
    if (lang := asked_for(ctx)) is not None:
        options.append(typed(OPTION, lang))
    start = typed("chainrule", command)
    if any(argument.startswith("-") and argument != STDIN for argument in arguments):
        return [start, *options, typed("--", *arguments)]
    return [typed("chainrule", command, *arguments), *options]
