"""Kinds of option values, whose errors say what was given and what is allowed."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

from chainrule.cli.data_options import DataOptions
from chainrule.cli.help_pages import option
from chainrule.errors import nearest, shown
from chainrule.lang.messages import Text, _, _p

__all__ = [
    "Hidden",
    "Number",
    "OneOf",
    "OrNone",
    "Top",
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

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number, or an error that says what is allowed."""
        try:
            number = int(str(value)) if self.whole else float(str(value))
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
            self.fail(_refusal(value, self.allowed()), param, ctx)
        return number

    def allowed(self) -> Text:
        """What is allowed, in words."""
        number = (
            _p("what an option takes", "a whole number")
            if self.whole
            else _p("what an option takes", "a number")
        )
        least, above, below, most = (
            None if bound is None else _number(bound)
            for bound in (self.least, self.above, self.below, self.most)
        )
        if least and most:
            number = _("{number} from {least} to {most}", number=number, least=least, most=most)
        elif least and below:
            number = _(
                "{number} from {least} to below {below}", number=number, least=least, below=below
            )
        elif above and most:
            number = _(
                "{number} above {above} and up to {most}", number=number, above=above, most=most
            )
        elif above:
            number = _("{number} above {above}", number=number, above=above)
        if not self.example:
            return number
        return _("{number}, such as {example}", number=number, example=self.example)


def _refusal(given: object, allowed: Text) -> Text:
    return _("got {given}; give {allowed}.", given=shown(str(given)), allowed=allowed)


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


class OrNone(_Kind):
    """A number, or "none"."""

    name = "number or none"

    def __init__(self, number: Number) -> None:
        self.number = number

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | None:
        """The number, or None for "none"."""
        if str(value).strip().lower() == "none":
            return None
        try:
            return self.number.convert(value, param, ctx)
        except click.BadParameter:
            allowed = _("{number}, or none", number=self.number.allowed())
            self.fail(_refusal(value, allowed), param, ctx)


class Top(_Kind):
    """How many of many are shown, or "all", which is None."""

    name = "number or all"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        """The number, or None for "all"."""
        if str(value).strip().lower() == "all":
            return None
        number = Number(whole=True, least=1, most=10**6)
        try:
            return int(number.convert(value, param, ctx))
        except click.BadParameter:
            self.fail(_refusal(value, _("{number}, or all", number=number.allowed())), param, ctx)


class OneOf(_Kind):
    """One of some words."""

    name = "word"

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """The word in small letters, or an error that names the nearest."""
        word = str(value).lower()
        if word not in self.words:
            told = nearest(word, self.words)
            self.fail(
                _("got {value}; {nearest}.", value=shown(str(value)), nearest=told), param, ctx
            )
        return word

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """The words, for the help."""
        return "[" + "|".join(self.words) + "]"


class Hidden(_Kind):
    """Sizes of hidden layers: "64", "64,32", or "none"."""

    name = "sizes"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
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
            allowed = _(
                "the sizes of the hidden layers, whole numbers from 1 with commas between, such as 64 or"
                " 64,32, or none"
            )
            self.fail(_refusal(value, allowed), param, ctx)
        return sizes


def data_argument(function: F) -> F:
    """The argument DATA."""
    return click.argument("data", metavar="DATA")(function)


def data_options(function: F) -> F:
    """The options on how a text file is read, collected in one argument, `read_as`."""
    names = [field.name for field in fields(DataOptions)]

    @functools.wraps(function)
    def collected(*args: Any, **options: Any) -> Any:
        given = {name: options.pop(name) for name in names if name in options}
        return function(*args, read_as=DataOptions(**given), **options)

    column: dict[str, object] = {"multiple": True, "metavar": "COLUMN"}
    for add in reversed(
        (
            option(
                "--header/--no-header", default=None,
                help=_(
                    "The first line holds the names of the columns, or data (x0, x1, ...); by default its"
                    " cells tell."
                ),
            ),
            option(
                "--encoding", metavar="NAME",
                help=_("How a text file is stored, if not as UTF-8: latin-1, ..."),
            ),
            option("--text", **column, help=_("A column to read as text; may be given again.")),
            option(
                "--number", **column,
                help=_("A column to read as numbers; words in it count as missing."),
            ),
            option("--date", **column, help=_("A column to read as dates, in days.")),
            option(
                "--decimal", type=OneOf((".", ",")),
                help=_("The decimal sign, if the cells do not tell."),
            ),
            option(
                "--missing-words", metavar="WORD,...",
                help=_(
                    "The words for a missing cell, in place of the usual ones (NA, NULL, ?, ...)."
                ),
            ),
            option(
                "--day-first/--month-first", default=None,
                help=_("How dates such as 3/4/2024 begin."),
            ),
            option("--sheet", metavar="NAME", help=_("The sheet of a workbook; by default the first.")),
            option(
                "--query", metavar="SQL",
                help=_("What to select from an SQLite file, or the name of a table in it."),
            ),
        )
    ):  # fmt: skip
        collected = add(collected)
    return collected  # type: ignore[return-value]


def graph_options(function: F) -> F:
    """The values of an expression's variables, and the rows of a model."""
    function = option(
        "--rows", "count", type=Number(whole=True, least=1, most=1000, example="3"), default=3,
        metavar="N", show_default=True, help=_("How many rows of them."),
    )(function)  # fmt: skip
    function = option("--data", metavar="DATA", help=_("Rows for a model; random ones without."))(
        function
    )
    found: F = option(
        "--set", "given", metavar="NAME=VALUE", multiple=True,
        help=_("A value: x=3 or W=[[1, 2], [3, 4]]; may be given again."),
    )(function)  # fmt: skip
    return found


def json_option(function: F) -> F:
    """--json."""
    made = option("--json", "as_json", is_flag=True, help=_("Give one JSON object instead."))
    found: F = made(function)
    return found


def engine_option(function: F) -> F:
    """--engine."""
    made = option(
        "--engine",
        type=OneOf(("auto", "numpy", "compiled")),
        default="auto",
        show_default=True,
        help=_("What computes: machine code made for the network, or NumPy."),
    )
    found: F = made(function)
    return found
