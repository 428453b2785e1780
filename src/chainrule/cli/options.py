"""Kinds of option values, whose errors say what was given and what is allowed."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

from chainrule.cli.said import Said
from chainrule.errors import nearest, shown

__all__ = [
    "Command",
    "Hidden",
    "Number",
    "OneOf",
    "OrNone",
    "data_argument",
    "data_options",
    "engine_option",
    "graph_options",
    "json_option",
]

if TYPE_CHECKING:
    _Kind = click.ParamType[Any]
else:
    _Kind = click.ParamType  # not generic before click 8.2

F = TypeVar("F", bound=Callable[..., Any])


class Command(click.Command):
    """A command that takes every option once, but those that may be given again."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The values, or an error that names an option given twice."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for param in order:
            if isinstance(param, click.Option) and not param.multiple and order.count(param) > 1:
                name = " or ".join((*param.opts[-1:], *param.secondary_opts[-1:]))
                raise click.UsageError(f"{name} is given twice. Give it once.", ctx)
        return super().parse_args(ctx, args)


class Number(_Kind):
    """A finite number, or a whole one, between bounds."""

    def __init__(
        self,
        *,
        whole: bool = False,
        least: float | None = None,
        above: float | None = None,
        below: float | None = None,
        most: float | None = None,
        example: str = "",
    ) -> None:
        self.whole, self.example = whole, example
        self.least, self.above, self.below, self.most = least, above, below, most
        self.name = "whole number" if whole else "number"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """The number, or an error that says what is allowed."""
        try:
            number = int(str(value)) if self.whole else float(value)
        except ValueError:
            number = math.nan
        good = (
            math.isfinite(number)
            and (self.least is None or number >= self.least)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
            and (self.most is None or number <= self.most)
        )
        if not good:
            self.fail(f"got {shown(str(value))}; give {self.allowed()}.", param, ctx)
        return number

    def allowed(self) -> str:
        """What is allowed, in words."""
        parts = [f"a {self.name}"]
        if self.least is not None:
            parts.append(f"from {_number(self.least)}")
        if self.above is not None:
            parts.append(f"above {_number(self.above)}")
        if self.below is not None:
            parts.append(
                f"{'to ' if self.least is not None else 'and '}below {_number(self.below)}"
            )
        if self.most is not None:
            parts.append(
                f"to {_number(self.most)}"
                if self.above is None
                else f"and up to {_number(self.most)}"
            )
        return " ".join(parts) + (f", such as {self.example}" if self.example else "")


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


class OrNone(_Kind):
    """A number, or "none"."""

    name = "number or none"

    def __init__(self, number: Number) -> None:
        self.number = number

    def convert(self, value: Any, param: Any, ctx: Any) -> float | None:
        """The number, or None for "none"."""
        if str(value).strip().lower() == "none":
            return None
        try:
            return self.number.convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(f"{error.message.removesuffix('.')}, or none.", param, ctx)


class OneOf(_Kind):
    """One of some words."""

    name = "word"

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """The word in small letters, or an error that names the nearest."""
        word = str(value).lower()
        if word not in self.words:
            self.fail(f"got {shown(str(value))}; {nearest(word, self.words)}.", param, ctx)
        return word

    def get_metavar(self, param: Any, ctx: Any = None) -> str:
        """The words, for the help."""
        return "[" + "|".join(self.words) + "]"


class Hidden(_Kind):
    """Sizes of hidden layers: "64", "64,32", or "none"."""

    name = "sizes"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        """The sizes."""
        if isinstance(value, tuple):
            return value
        if str(value).strip().lower() == "none":
            return ()
        try:
            sizes = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            sizes = (0,)
        if not all(1 <= size <= 1_000_000 for size in sizes) or len(sizes) > 100:
            self.fail(
                f"got {shown(str(value))}; give the sizes of the hidden layers, whole numbers from 1"
                " with commas between, such as 64 or 64,32, or none.",
                param,
                ctx,
            )
        return sizes


def data_argument(function: F) -> F:
    """The argument DATA."""
    return click.argument("data", metavar="DATA")(function)


def data_options(function: F) -> F:
    """How a text file is to be read: all of it in one argument, `said`."""
    names = [field.name for field in fields(Said)]

    @functools.wraps(function)
    def collected(*args: Any, **options: Any) -> Any:
        return function(*args, said=Said(**{name: options.pop(name) for name in names}), **options)

    column: dict[str, Any] = {"multiple": True, "metavar": "COLUMN"}
    for option in reversed(
        (
            click.option(
                "--header/--no-header", default=None, help="The first line holds the names of the"
                " columns, or data (x0, x1, ...); by default its cells tell.",
            ),
            click.option(
                "--encoding", metavar="NAME",
                help="How a text file is stored, if not as UTF-8: latin-1, ...",
            ),
            click.option("--text", **column, help="A column to read as text; may be given again."),
            click.option(
                "--number", **column, help="A column to read as numbers; words in it count as missing.",
            ),
            click.option("--date", **column, help="A column to read as dates, in days."),
            click.option(
                "--decimal", type=OneOf((".", ",")), help="The decimal sign, if the cells do not tell.",
            ),
            click.option(
                "--missing-words", metavar="WORD,...",
                help="The words for a missing cell, in place of the usual ones (NA, NULL, ?, ...).",
            ),
            click.option(
                "--day-first/--month-first", default=None, help="How dates such as 3/4/2024 begin.",
            ),
        )
    ):  # fmt: skip
        collected = option(collected)
    return collected  # type: ignore[return-value]


def graph_options(function: F) -> F:
    """The values of an expression's variables, and the rows of a model."""
    function = click.option(
        "--rows", "count", type=Number(whole=True, least=1, most=1000, example="3"), default=3,
        metavar="N", show_default=True, help="How many rows of them.",
    )(function)  # fmt: skip
    function = click.option(
        "--data", metavar="DATA", help="Rows for a model; random ones without."
    )(function)
    return click.option(
        "--set", "given", metavar="NAME=VALUE", multiple=True,
        help="A value: x=3 or W=[[1, 2], [3, 4]]; may be given again.",
    )(function)  # fmt: skip


def json_option(function: F) -> F:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help="Give one JSON object instead.")(
        function
    )


def engine_option(function: F) -> F:
    """--engine."""
    return click.option(
        "--engine",
        type=OneOf(("auto", "numpy", "compiled")),
        default="auto",
        show_default=True,
        help="What computes: machine code made for the network, or NumPy.",
    )(function)
