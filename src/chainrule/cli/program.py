"""The command group: its commands, and the one place where errors become sentences."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

import click

from chainrule.cli.check import check
from chainrule.cli.compare import compare
from chainrule.cli.draw import draw
from chainrule.cli.evaluate import evaluate
from chainrule.cli.explain import explain
from chainrule.cli.export import export
from chainrule.cli.figures import figures
from chainrule.cli.foreign_words import system_words
from chainrule.cli.help_pages import Option, Speaking, told
from chainrule.cli.inspect import inspect
from chainrule.cli.language import clicks_words, decided, spoken_in
from chainrule.cli.learn import learn
from chainrule.cli.plan import plan
from chainrule.cli.play import play
from chainrule.cli.predict import predict
from chainrule.cli.resume import resume
from chainrule.cli.terminal import complain, let_go, prepare, say, tongue
from chainrule.cli.train import train
from chainrule.cli.tune import tune
from chainrule.errors import ChainruleError
from chainrule.lang.messages import Text, _, listed, sentences
from chainrule.version import __version__

__all__ = ["Program", "chainrule"]

BAD_INPUT, INTERRUPTED, BROKEN_PIPE, OUR_FAULT = 2, 130, 141, 70


class _ReaderGoneError(Exception):
    """What reads our output has ended."""


class Program(Speaking, click.Group):
    """A group whose every way to fail is one sentence on stderr and an exit code."""

    subcommand_metavar = told("subcommand_metavar")

    def main(self, args: Sequence[str] | None = None, *more: Any, **named: Any) -> NoReturn:
        """Run, and exit: 0, or 2 for bad input, 130 for Ctrl-C."""
        prepare()
        lang, problem = decided(sys.argv[1:] if args is None else args)
        with spoken_in(lang):
            if problem is not None:
                complain(problem)
                code = BAD_INPUT
            else:
                code = self._run(args, *more, **named)
            let_go()
        sys.exit(code)

    def _run(self, args: Sequence[str] | None, *more: Any, **named: Any) -> int:
        """Run, tell what went wrong, and give the exit code."""
        named["standalone_mode"] = False
        named.setdefault("prog_name", "chainrule")
        try:
            code = super().main(args, *more, **named)
            sys.stdout.flush()
        except (click.Abort, KeyboardInterrupt):
            complain(_("interrupted; nothing was written."), _("Stopped:"))
            return INTERRUPTED
        except (BrokenPipeError, _ReaderGoneError):
            return BROKEN_PIPE  # the reader has gone, which is no fault
        except click.ClickException as error:
            complain(usage_sentence(error))
            return BAD_INPUT
        except ChainruleError as error:
            complain(error.said(tongue(), "command"))
            return BAD_INPUT
        except OSError as error:
            complain(system_sentence(error))
            return BAD_INPUT
        except MemoryError:
            complain(_("there is not enough memory. Take fewer rows, or a smaller --hidden."))
            return BAD_INPUT
        except Exception as error:
            if os.environ.get("CHAINRULE_TRACEBACK"):
                raise
            complain(
                _(
                    "chainrule itself failed ({kind}: {error}). Please report this; with"
                    " CHAINRULE_TRACEBACK=1 the same command shows where.",
                    kind=type(error).__name__,
                    error=str(error),
                )
            )
            return OUR_FAULT
        return code if isinstance(code, int) else 0

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click would exit with 1, which says that a gradient is wrong
            raise _ReaderGoneError from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, or an error that names the nearest one."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            close = get_close_matches(name, self.commands, n=1)
            meant = _("did you mean {name}?", name=close[0]) if close else None
            commands = _("Commands: {names}.", names=listed(self.list_commands(ctx)))
            hint = sentences(meant, commands)
            raise click.UsageError(_("there is no command {name!r}; {hint}", name=name, hint=hint))
        with clicks_words():
            return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order people need them."""
        return list(self.commands)


def usage_sentence(error: click.ClickException) -> str:
    """What is wrong with the command line: click's errors in our words, and our own."""
    ctx = getattr(error, "ctx", None)
    # The longest path known: click names the group for an option given before the command.
    where = ctx and _("Run `{command} --help` to see what there is.", command=ctx.command_path)
    if isinstance(error, click.NoSuchOption):
        return sentences(_no_such_option(error.option_name, ctx), where)
    param = getattr(error, "param", None)
    if isinstance(error, click.MissingParameter) and param is not None:
        option = isinstance(param, click.Option)
        name = param.opts[-1] if option else param.human_readable_name
        return sentences(_("{name} is missing.", name=name), where)
    if isinstance(error, click.BadParameter) and param is not None:
        last = param.opts[-1]
        name = last if last.startswith("-") else str(param.metavar or param.name)
        return _("{name}: {problem}", name=name, problem=error.message)
    message = error.message if isinstance(error.message, Text) else _sentence(error.message)
    return sentences(message, where) if isinstance(error, click.UsageError) else message


def _no_such_option(name: str, ctx: click.Context | None) -> Text:
    known = [option for param in ctx.command.params for option in param.opts] if ctx else []
    close = get_close_matches(name, known, n=1)
    told = name if len(name) < 60 else name[:60] + "…"
    if not close:
        return _("there is no option {name}.", name=told)
    return _("there is no option {name}; did you mean {other}?", name=told, other=close[0])


def _sentence(message: str) -> Text:
    """What click says, as our sentences are written."""
    return _("{sentence}.", sentence=message[:1].lower() + message[1:].rstrip(".。"))


def system_sentence(error: OSError) -> Text:
    """What the operating system refused, and for which file."""
    problem = system_words(error.strerror or str(error))
    for note in getattr(error, "__notes__", []):
        problem = _("{problem} ({note})", problem=problem, note=note)
    if not isinstance(error.filename, str | bytes):
        return _("{problem}.", problem=problem)
    return _("{file}: {problem}.", file=os.fsdecode(error.filename), problem=problem)


@click.group(
    cls=Program,
    help=(
        _("Train a neural network on a table, use it, and look into it."),
        _("COMMAND --help says more about a command."),
    ),
    examples=(
        "chainrule train digits",
        "chainrule train iris.csv --target species --out iris.safetensors",
        "chainrule predict iris.safetensors new.csv",
    ),
    subcommand_metavar=_("[COMMAND] [ARGS]..."),
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96},
)
@click.version_option(
    __version__,
    prog_name="chainrule",
    message="%(prog)s %(version)s",
    cls=Option,
    help=_("Show the version and exit."),
)
@click.pass_context
def chainrule(ctx: click.Context) -> None:
    """Train a neural network on a table, use it, and look into it."""
    if ctx.invoked_subcommand is None:
        say(ctx.get_help())


for _command in (
    train, resume, tune, predict, evaluate, explain, inspect, compare, draw, check, figures, export,
    play, plan, learn,
):  # fmt: skip
    chainrule.add_command(_command)
