"""The options of a picture of a graph: what stands on the arrows, what is folded, how wide it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from chainrule.cli.options import Number, OneOf, OrNone
from chainrule.errors import SettingError, shown

if TYPE_CHECKING:
    from chainrule.drawing.drawing import DrawOptions

__all__ = ["ALL", "picture_options", "picture_settings"]

F = TypeVar("F", bound=Callable[..., Any])

#: What `--fold` and `--unfold` take for every layer.
ALL = "all"
_OPTIONS = (
    click.option(
        "--fold", metavar="LAYER", multiple=True,
        help="Draw a layer (Affine1, or all of a class: Affine) as a box; all for every one.",
    ),
    click.option(
        "--unfold", metavar="LAYER", multiple=True,
        help="Draw the nodes of a layer, the others as boxes; all for every one.",
    ),
    click.option("--highlight", metavar="ARROW", multiple=True, help="Let an arrow stand out."),
    click.option(
        "--name", "names", metavar="ARROW=TEXT", multiple=True, help="Call an arrow by another name."
    ),
    click.option("--no-gradients", is_flag=True, help="Leave out the arrows back."),
    click.option("--no-values", is_flag=True, help="Leave out the values."),
    click.option("--no-shapes", is_flag=True, help="Leave out the shapes."),
    click.option(
        "--width", type=OrNone(Number(above=0, example="1200")), default=1600, metavar="PIXELS",
        show_default=True, help="A wider picture goes on in rows; none for one row.",
    ),
    click.option(
        "--theme", type=OneOf(("light", "dark", "auto")), default="light", show_default=True,
        help="For a light page, a dark one, or as the reader's is.",
    ),
    click.option(
        "--lang", type=OneOf(("en", "zh")), default="en", show_default=True,
        help="The language of the words in it.",
    ),
)  # fmt: skip


def picture_options(function: F) -> F:
    """The options, each an argument of the command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def picture_settings(
    *,
    fold: Sequence[str],
    unfold: Sequence[str],
    highlight: Sequence[str],
    names: Sequence[str],
    no_gradients: bool,
    no_values: bool,
    no_shapes: bool,
    width: float | None,
    theme: str,
    lang: str,
) -> DrawOptions:
    """What was given, as `Graph.draw` takes it."""
    if ALL in fold and ALL in unfold:
        raise SettingError("--fold all and --unfold all contradict each other. Give one of them.")
    folds: bool | Sequence[str] | None = fold or None
    if ALL in fold or ALL in unfold:
        folds = ALL in fold or fold or False
    return {
        "fold": folds,
        "unfold": () if ALL in unfold else unfold,
        "highlight": highlight,
        "names": dict(map(_name, names)),
        "gradients": not no_gradients,
        "values": not no_values,
        "shapes": not no_shapes,
        "width": width,
        "theme": theme,
        "lang": lang,
    }


def _name(given: str) -> tuple[str, str]:
    arrow, sign, name = given.partition("=")
    if not (arrow and sign and name):
        raise SettingError(f"--name takes ARROW=TEXT, such as matmul1=h; got {shown(given)}.")
    return arrow, name
