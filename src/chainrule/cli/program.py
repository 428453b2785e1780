"""The command group: its commands, and the one place where errors become sentences."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

import click

from chainrule.cli.check import check
from chainrule.cli.draw import draw
from chainrule.cli.evaluate import evaluate
from chainrule.cli.export import export
from chainrule.cli.figures import figures
from chainrule.cli.inspect import inspect
from chainrule.cli.play import play
from chainrule.cli.predict import predict
from chainrule.cli.terminal import complain, let_go, prepare, say
from chainrule.cli.train import train
from chainrule.errors import ChainruleError
from chainrule.version import __version__

__all__ = ["Program", "chainrule"]

#: What the errors of the library name, and how the command calls it.
SPELLINGS = (
    (r"\bheader=False \((--no-header)\)", r"\1"),
    (r"\bencoding='[^']*' \((--encoding [^\s();]+)(?:; )?", r"\1 ("),
    (r" \(\)", ""),
    (r"\(overwrite=True; (--force)\)", r"(\1)"),
    (r"\bheader=False\b", "--no-header"),
    (r"\boverwrite=True\b", "--force"),
    (r"\bencoding='([^']*)'", r"--encoding \1"),
    (r"\btask='([a-z]+)'", r"--task \1"),
    (r" with rows_with_target\(table, target\)", ""),
    (r", clip the gradients \(max_grad=[\d.]+\), or", " or"),
)
BAD_INPUT, INTERRUPTED, BROKEN_PIPE, OUR_FAULT = 2, 130, 141, 70


class _ReaderGoneError(Exception):
    """What reads our output has ended."""


class Layout(click.HelpFormatter):
    """A help page whose options leave room for the words beside them on a narrow terminal, too."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.width = min(self.width, max(shutil.get_terminal_size().columns - 2, 30))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Options or commands, each with its words."""
        super().write_dl(rows, min(col_max, max(self.width * 3 // 8, 12)), col_spacing)


class Context(click.Context):
    """A context whose help pages have our layout."""

    formatter_class = Layout


class Program(click.Group):
    """A group whose every way to fail is one sentence on stderr and an exit code."""

    context_class = Context

    def main(self, args: Sequence[str] | None = None, *more: Any, **named: Any) -> NoReturn:
        """Run, and exit: 0, or 2 for bad input, 130 for Ctrl-C."""
        prepare()
        named["standalone_mode"] = False
        named.setdefault("prog_name", "chainrule")
        try:
            code = super().main(args, *more, **named)
            sys.stdout.flush()
        except (click.Abort, KeyboardInterrupt):
            complain("interrupted; nothing was written.", "Stopped:")
            code = INTERRUPTED
        except (BrokenPipeError, _ReaderGoneError):
            code = BROKEN_PIPE  # the reader has gone, which is no fault
        except click.ClickException as error:
            complain(usage_sentence(error))
            code = BAD_INPUT
        except ChainruleError as error:
            complain(in_options(str(error)))
            code = BAD_INPUT
        except OSError as error:
            complain(system_sentence(error))
            code = BAD_INPUT
        except MemoryError:
            complain("there is not enough memory. Take fewer rows, or a smaller --hidden.")
            code = BAD_INPUT
        except Exception as error:
            if os.environ.get("CHAINRULE_TRACEBACK"):
                raise
            complain(
                f"chainrule itself failed ({type(error).__name__}: {error}). Please report this;"
                " with CHAINRULE_TRACEBACK=1 the same command shows where."
            )
            code = OUR_FAULT
        let_go()
        sys.exit(code if isinstance(code, int) else 0)

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
            hint = f"did you mean {close[0]}? " if close else ""
            listed = ", ".join(self.list_commands(ctx))
            raise click.UsageError(f"there is no command {name!r}; {hint}Commands: {listed}.")
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order people need them."""
        return list(self.commands)


def usage_sentence(error: click.ClickException) -> str:
    """What click found wrong with the command line, in our words."""
    ctx = getattr(error, "ctx", None)
    # The longest path known: click names the group for an option given before the command.
    where = f" Run `{ctx.command_path} --help` to see what there is." if ctx else ""
    if isinstance(error, click.NoSuchOption):
        known = [name for p in ctx.command.params for name in p.opts] if ctx else []
        close = get_close_matches(error.option_name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else "."
        name = error.option_name
        return f"there is no option {name if len(name) < 60 else name[:60] + '…'}{hint}{where}"
    if isinstance(error, click.MissingParameter) and error.param is not None:
        option = isinstance(error.param, click.Option)
        name = error.param.opts[-1] if option else error.param.human_readable_name
        return f"{name} is missing.{where}"
    if isinstance(error, click.BadParameter) and error.param is not None:
        name = (
            error.param.opts[-1]
            if error.param.opts[-1].startswith("-")
            else str(error.param.metavar or error.param.name)
        )
        return f"{name}: {error.message}"
    message = error.message[:1].lower() + error.message[1:]
    stop = "" if message.endswith((".", "!", "?")) else "."
    return f"{message}{stop}{where}" if isinstance(error, click.UsageError) else message


def in_options(sentence: str) -> str:
    """The sentence of an error in the command's own options, where it names those of Python.

    >>> in_options("Read it with encoding='cp1252' (--encoding cp1252), or with header=False.")
    'Read it with --encoding cp1252, or with --no-header.'
    >>> in_options("Read it with encoding='cp1252' (--encoding cp1252; others: latin-1).")
    'Read it with --encoding cp1252 (others: latin-1).'
    """
    for pattern, words in SPELLINGS:
        sentence = re.sub(pattern, words, sentence)
    return sentence


def system_sentence(error: OSError) -> str:
    """What the operating system refused, and for which file."""
    what = error.strerror or str(error)
    name = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", []))
    return f"{name}{what[:1].lower()}{what[1:]}{notes}."


@click.group(
    cls=Program,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96},
    epilog="""\b
Examples:
  chainrule train digits
  chainrule train iris.csv --target species --out iris.safetensors
  chainrule predict iris.safetensors new.csv
""",
)
@click.version_option(__version__, prog_name="chainrule", message="%(prog)s %(version)s")
@click.pass_context
def chainrule(ctx: click.Context) -> None:
    """Train a neural network on a table, use it, and look into it.

    COMMAND --help says more about a command.
    """
    if ctx.invoked_subcommand is None:
        say(ctx.get_help())


for _command in (train, predict, evaluate, inspect, draw, check, figures, export, play):
    _command.context_class = Context
    chainrule.add_command(_command)
