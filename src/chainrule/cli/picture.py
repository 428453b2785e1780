"""The options of a picture of a graph: what stands on the arrows, what is folded, how wide it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from chainrule.cli.help_pages import option
from chainrule.cli.language import current
from chainrule.cli.options import Number, OneOf, OrNone
from chainrule.errors import SettingError, shown
from chainrule.lang.messages import _

if TYPE_CHECKING:
    from chainrule.drawing.drawing import DrawOptions

__all__ = ["ALL", "picture_options", "picture_settings"]

F = TypeVar("F", bound=Callable[..., Any])

#: What `--fold` and `--unfold` take for every layer.
ALL = "all"
_OPTIONS = (
    option(
        "--fold", metavar="LAYER", multiple=True,
        help=_("Draw a layer (Affine1, or all of a class: Affine) as a box; all for every one."),
    ),
    option(
        "--unfold", metavar="LAYER", multiple=True,
        help=_("Draw the nodes of a layer, the others as boxes; all for every one."),
    ),
    option("--highlight", metavar="ARROW", multiple=True, help=_("Let an arrow stand out.")),
    option(
        "--name", "names", metavar="ARROW=TEXT", multiple=True, help=_("Call an arrow by another name.")
    ),
    option("--no-gradients", is_flag=True, help=_("Leave out the arrows back.")),
    option("--no-values", is_flag=True, help=_("Leave out the values.")),
    option("--no-shapes", is_flag=True, help=_("Leave out the shapes.")),
    option(
        "--width", type=OrNone(Number(above=0, example="1200")), default=1600, metavar="PIXELS",
        show_default=True, help=_("A wider picture goes on in rows; none for one row."),
    ),
    option(
        "--theme", type=OneOf(("light", "dark", "auto")), default="light", show_default=True,
        help=_("For a light page, a dark one, or as the reader's is."),
    ),
)  # fmt: skip


def picture_options(function: F) -> F:
    """The options, each an argument of the command."""
    for add in reversed(_OPTIONS):
        function = add(function)
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
) -> DrawOptions:
    """What was given, as `Graph.draw` takes it."""
    if ALL in fold and ALL in unfold:
        raise SettingError(
            _("--fold all and --unfold all contradict each other. Give one of them.")
        )
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
        "lang": current(),
    }


def _name(given: str) -> tuple[str, str]:
    arrow, sign, name = given.partition("=")
    if not (arrow and sign and name):
        raise SettingError(
            _("--name takes ARROW=TEXT, such as matmul1=h; got {given}.", given=shown(given))
        )
    return arrow, name
