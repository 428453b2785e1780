"""The command as it was given, to be typed again."""

from __future__ import annotations

import click
from click.core import ParameterSource

from chainrule.cli.data_source import STDIN
from chainrule.cli.language import OPTION, asked_for
from chainrule.cli.terminal import typed

__all__ = ["command_line"]


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
            text = (",".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)
            options.append(typed(param.opts[-1], text))
    if (lang := asked_for(ctx)) is not None:
        options.append(typed(OPTION, lang))
    start = typed("chainrule", str(ctx.info_name))
    if any(argument.startswith("-") and argument != STDIN for argument in arguments):
        return [start, *options, typed("--", *arguments)]
    return [typed("chainrule", str(ctx.info_name), *arguments), *options]
