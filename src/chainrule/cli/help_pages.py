"""Help pages: messages in the language of the run, in lines that hold Chinese, too."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from chainrule.cli.language import Language, clicks_words, keep
from chainrule.cli.terminal import gap, spoken
from chainrule.lang.messages import Text, _, listed
from chainrule.text_width import cells_wide, padded, wrapped

__all__ = ["Command", "Context", "Layout", "Option", "Speaking", "option", "told"]

#: What `--lang` is for, but where a command says it otherwise.
_LANGUAGE = _("The language; by default that of CHAINRULE_LANG, else of your locale.")


class Layout(click.HelpFormatter):
    """A help page whose options leave room for the words beside them on a narrow terminal, too."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.width = min(self.width, max(shutil.get_terminal_size().columns - 2, 30))

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """How the command is called."""
        usage = spoken(_("Usage:"))
        prefix = usage + gap(usage) if prefix is None else prefix
        start = f"{prefix}{prog} "
        if self.width < cells_wide(start) + 20:  # no room beside it
            self.write(f"{start.rstrip()}\n")
            start = " " * (cells_wide(prefix) + 4)
        self._write_beside(start, wrapped(args, self.width - cells_wide(start)))

    def write_heading(self, heading: str) -> None:
        """The name of a section."""
        told = spoken(_("{heading}:", heading=heading))
        self.write(f"{'':{self.current_indent}}{told}\n")

    def write_text(self, text: str) -> None:
        """Paragraphs, with empty lines between them."""
        start = " " * self.current_indent
        paragraphs = (wrapped(part, self.width - len(start)) for part in text.split("\n\n"))
        self.write("\n".join("".join(f"{start}{line}\n" for line in part) for part in paragraphs))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Options or commands, each with its words."""
        pairs = list(rows)
        most = min(col_max, max(self.width * 3 // 8, 12))
        column = min(max(cells_wide(pair[0]) for pair in pairs), most)
        for name, words in pairs:
            start = " " * self.current_indent + name
            room = self.current_indent + column + col_spacing
            if cells_wide(name) > column and words:
                self.write(f"{start}\n")
                start = ""
            lines = _with_default(words, max(self.width - column - col_spacing - 2, 10))
            self._write_beside(padded(start, room), lines)

    def _write_beside(self, start: str, lines: Sequence[str]) -> None:
        """Lines with something before the first, under each other."""
        for i, line in enumerate(lines or [""]):
            before = start if i == 0 else " " * cells_wide(start)
            self.write(f"{before}{line}".rstrip() + "\n")


def _with_default(words: str, cells: int) -> list[str]:
    """The words of an option in lines; the brackets that click puts at the end stay in one piece."""
    before, sign, brackets = words.rpartition("  [")
    if not sign or cells_wide(brackets) > cells:
        return wrapped(words, cells)
    *lines, last = wrapped(before, cells) or [""]
    if cells_wide(last + sign + brackets) <= cells:
        return [*lines, f"{last}{sign}{brackets}"]
    return [*lines, last, f"[{brackets}"]


class Context(click.Context):
    """A context whose help pages have our layout."""

    formatter_class = Layout


def told(name: str) -> Any:
    """An attribute that holds a message, or several as paragraphs, and reads in the language of the run."""

    def read(self: object) -> str | None:
        held = getattr(self, f"_{name}_held")
        if held is None:
            return None
        return "\n\n".join(map(spoken, [held] if isinstance(held, str) else held))

    def hold(self: object, value: object) -> None:
        setattr(self, f"_{name}_held", value)

    return property(read, hold)


class Option(click.Option):
    """An option whose help is a message."""

    help = told("help")

    def __init__(self, names: Sequence[str], *, help: Text | None = None, **named: Any) -> None:
        super().__init__(names, help=help, **named)
        self.help = help  # click keeps a plain str of it


#: An option of a command, as `click.option` has it.
option: Callable[..., Callable[[Any], Any]] = functools.partial(click.option, cls=Option)


class Speaking(click.Command):
    """What commands and their group have in common: help in the language of the run, and `--lang`.

    `help` is a message for each paragraph, `examples` are lines to type, and `language` says what
    `--lang` is for. Every option is taken once, but those that may be given again.
    """

    context_class = Context
    help, short_help = told("help"), told("short_help")
    options_metavar = told("options_metavar")

    def __init__(
        self,
        name: str | None,
        *,
        examples: Sequence[str] = (),
        language: Text = _LANGUAGE,
        **named: Any,
    ) -> None:
        super().__init__(name, **named)
        self.options_metavar = _("[OPTIONS]")
        self.examples = tuple(examples)
        lang = Option(["--lang"], type=Language(), expose_value=False, callback=keep, help=language)
        self.params.append(lang)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """--help."""
        found = super().get_help_option(ctx)
        if found is not None:
            found.help = spoken(_("Show this message and exit."))
        return found

    def make_context(self, *args: Any, **named: Any) -> click.Context:
        """Read the command line."""
        with clicks_words():
            return super().make_context(*args, **named)

    def get_help(self, ctx: click.Context) -> str:
        """The help page."""
        with clicks_words():
            return super().get_help(ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples."""
        if not self.examples:
            return
        formatter.write_paragraph()
        heading = _("Examples:") if len(self.examples) > 1 else _("Example:")
        formatter.write(f"  {spoken(heading)}\n")
        for example in self.examples:
            formatter.write(f"    {example}\n")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The values, or an error that names an option given twice."""
        order = self.make_parser(ctx).parse_args(args=list(args))[2]
        for param in order:
            if isinstance(param, click.Option) and not param.multiple and order.count(param) > 1:
                name = listed((*param.opts[-1:], *param.secondary_opts[-1:]), "or")
                raise click.UsageError(_("{name} is given twice. Give it once.", name=name), ctx)
        return super().parse_args(ctx, args)


class Command(Speaking):
    """A command."""
