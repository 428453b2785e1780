"""`chainrule figures`: the chapter's figures, drawn from live computations."""

from __future__ import annotations

import os

import click

from chainrule.cli.options import Command, OneOf
from chainrule.cli.places import Place
from chainrule.cli.terminal import number_of, paint, printable, remark, rows, say, size_of

__all__ = ["figures"]


@click.command(
    cls=Command,
    short_help="Draw the figures of the chapter.",
    epilog="""\b
Examples:
  chainrule figures --out figures
  chainrule figures --only 1-19 --only 1-30 --out figures --lang zh --format png
  chainrule figures --list
""",
)
@click.option(
    "--out",
    type=Place(what="folder"),
    metavar="DIR",
    help="The folder to draw into; it is made if need be.",
)
@click.option("--lang", type=OneOf(("en", "zh")), default="en", help="The language. [default: en]")
@click.option(
    "--format", "format_", type=OneOf(("svg", "png", "pdf")),
    help="The format of every file. [default: SVG for graphs, PNG for plots]",
)  # fmt: skip
@click.option(
    "--only", metavar="FIGURE", multiple=True, help="A number, such as 1-19; may be given again."
)
@click.option(
    "--list", "list_", is_flag=True, help="Say which figures there are, and draw nothing."
)
def figures(
    out: str | None, lang: str, format_: str | None, only: tuple[str, ...], list_: bool
) -> None:
    """Draw the figures of the chapter; every number in them is computed now.

    With them comes index.html, a page that shows them all, and where Chromium is installed a picture
    of the playground's page as it opens, playground-page.png.
    """
    from chainrule.figures import FIGURES, find, save
    from chainrule.figures.drawing import plot_format

    if list_:
        chosen = [find(key) for key in only] or list(FIGURES)
        rows([(figure.key, figure.title.said(lang)) for figure in chosen])
        return
    if out is None:
        raise click.UsageError("--out is missing: name the folder to draw into.")
    if format_ is None and plot_format(lang) == "svg":
        remark(
            "no font here has Chinese letters, so plots are written as SVG, which needs none. For PNG"
            " install one, for example fonts-noto-cjk (Debian, Ubuntu)."
        )
    written = save(out, lang, format_, only)
    page = None if only or format_ not in (None, "png") else _page(out, lang)
    size = size_of(sum(os.path.getsize(path) for path in written))
    say(
        f"{number_of(len(written) - 1, 'figure')}, {size}. To see them, open"
        f" {paint(printable(written[-1]), 'bold')}."
    )
    if page is not None:
        say(f"The playground's page, in Chromium: {printable(page)}.")


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
