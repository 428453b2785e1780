"""`chainrule figures`: the chapter's figures, drawn from live computations."""

from __future__ import annotations

import os

import click

from chainrule.cli.help_pages import Command, option
from chainrule.cli.language import current
from chainrule.cli.options import OneOf
from chainrule.cli.places import Place
from chainrule.cli.terminal import paint, printable, remark, rows, say, size_of
from chainrule.lang.messages import _, _n

__all__ = ["figures"]


@click.command(
    cls=Command,
    help=(
        _("Draw the figures of the chapter; every number in them is computed now."),
        _(
            "With them comes index.html, a page that shows them all, and where Chromium is installed a"
            " picture of the playground's page as it opens, playground-page.png."
        ),
    ),
    short_help=_("Draw the figures of the chapter."),
    examples=(
        "chainrule figures --out figures",
        "chainrule figures --only 1-19 --only 1-30 --out figures --lang zh --format png",
        "chainrule figures --list",
    ),
)
@option(
    "--out",
    type=Place(folder=True),
    metavar="DIR",
    help=_("The folder to draw into; it is made if need be."),
)
@option(
    "--format", "format_", type=OneOf(("svg", "png", "pdf")),
    help=_("The format of every file. [default: SVG for graphs, PNG for plots]"),
)  # fmt: skip
@option(
    "--only", metavar="FIGURE", multiple=True, help=_("A number, such as 1-19; may be given again.")
)
@option("--list", "list_", is_flag=True, help=_("Say which figures there are, and draw nothing."))
def figures(out: str | None, format_: str | None, only: tuple[str, ...], list_: bool) -> None:
    """Draw the figures of the chapter."""
    from chainrule.figures import FIGURES, find, save
    from chainrule.figures.drawing import plot_format

    lang = current()
    if list_:
        chosen = [find(key) for key in only] or list(FIGURES)
        rows([(figure.key, figure.title.said(lang)) for figure in chosen])
        return
    if out is None:
        raise click.UsageError(_("--out is missing: name the folder to draw into."))
    if format_ is None and plot_format(lang) == "svg":
        remark(
            _(
                "no font here has Chinese letters, so plots are written as SVG, which needs none. For PNG"
                " install one, for example fonts-noto-cjk (Debian, Ubuntu)."
            )
        )
    written = save(out, lang, format_, only)
    page = None if only or format_ not in (None, "png") else _page(out, lang)
    size = size_of(sum(os.path.getsize(path) for path in written))
    say(
        _(
            "{figures}, {size}. To see them, open {page}.",
            figures=_n("{n:,} figure", "{n:,} figures", len(written) - 1),
            size=size,
            page=paint(printable(written[-1]), "bold"),
        )
    )
    if page is not None:
        say(_("The playground's page, in Chromium: {page}.", page=printable(page)))


def _page(out: str, lang: str) -> str | None:
    """The name of the picture of the playground's page, if it could be taken."""
    from chainrule.atomic_write import write_whole
    from chainrule.playground.screenshot import chromium, screenshot

    browser = chromium()
    picture = None if browser is None else screenshot(browser, lang)
    if picture is None:
        return None
    path = os.path.join(out, "playground-page.png")
    write_whole(path, picture, overwrite=True)
    return path
