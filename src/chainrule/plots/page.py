"""A self-contained HTML page: escaped text, tables, and inline pictures."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import TYPE_CHECKING

from chainrule.drawing.fonts import letters_as_text
from chainrule.errors import printable
from chainrule.plots.figure import BLUE, GREEN, ORANGE, PINK, SKY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "Html",
    "beside",
    "facts",
    "picture",
    "section",
    "table",
    "text",
    "tiles",
    "whole_page",
    "wide",
]

#: The CSS variables that replace colours of pictures; the style sheet has light and dark shades.
VARIABLES = {BLUE: "blue", ORANGE: "orange", GREEN: "green", PINK: "pink", SKY: "sky"}


class Html(str):
    """Text that is already HTML; all other text is escaped."""

    __slots__ = ()


def text(value: object) -> Html:
    """A value as escaped HTML.

    >>> text("<b>&'"), text(Html("<b>"))
    ('&lt;b&gt;&amp;&#x27;', '<b>')
    """
    return value if isinstance(value, Html) else Html(html.escape(printable(str(value))))


def section(title: str, *parts: str) -> Html:
    """A section of the page with its title."""
    return Html(f"<section><h2>{text(title)}</h2>{''.join(parts)}</section>\n")


def table(header: Sequence[object], rows: Iterable[Sequence[object]], left: int = 1) -> Html:
    """A table; its first `left` columns hold words, the others numbers, aligned to the right."""
    # A long name may be broken after an underscore.
    names = (text(name).replace("_", "_<wbr>") for name in header)
    heads = "".join(f"<th{_side(i, left)} scope=col>{name}</th>" for i, name in enumerate(names))
    body = "".join(
        "<tr>"
        + "".join(f"<td{_side(i, left)}>{text(c)}</td>" for i, c in enumerate(row))
        + "</tr>\n"
        for row in rows
    )
    return Html(
        f"<div class=wide><table><thead><tr>{heads}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )


def _side(i: int, left: int) -> str:
    return "" if i < left else " class=number"


def beside(*parts: str) -> Html:
    """Parts side by side if the page is wide enough."""
    return Html(f"<div class=beside>{''.join(parts)}</div>")


def tiles(pairs: Iterable[tuple[object, object]]) -> Html:
    """Large numbers beside each other, each with what it is below."""
    parts = "".join(
        f"<div><b>{text(value)}</b><span>{text(what)}</span></div>" for value, what in pairs
    )
    return Html(f"<div class=tiles>{parts}</div>\n")


def facts(pairs: Iterable[tuple[object, object]]) -> Html:
    """A list of names and values."""
    return Html(
        "<dl>" + "".join(f"<dt>{text(k)}</dt><dd>{text(v)}</dd>\n" for k, v in pairs) + "</dl>"
    )


def picture(figure: Figure, name: str, alt: str) -> Html:
    """A matplotlib figure as SVG, in the page's colours and fonts; `name` is unique on the page."""
    from matplotlib import rc_context

    out = io.StringIO()
    with rc_context({"svg.hashsalt": name}), letters_as_text():
        figure.savefig(
            out, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None}
        )
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.S)
    svg = re.sub(r"<[^>]+>", lambda tag: _adapted(tag[0], name), svg)
    width = re.search(r'<svg[^>]*?\bwidth="([\d.]+)pt"', svg)
    limit = f"{float(width[1]) / 72 * 96:.0f}px" if width else "100%"
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{text(alt)}" ', 1)
    return Html(f'<figure style="max-width: {limit}">{svg}</figure>\n')


def _adapted(tag: str, name: str) -> str:
    """A tag of a picture with colours replaced by CSS variables, and ids prefixed by `name`."""
    tag = re.sub(r'(\bid="|url\(#|xlink:href="#)', rf"\g<1>{name}-", tag)
    for colour, variable in {**VARIABLES, "#000000": "ink"}.items():
        tag = tag.replace(colour.lower(), f"var(--{variable})")
    return tag


def wide(part: str) -> Html:
    """A part that is scrolled on a narrow screen, and no smaller than can be read."""
    return Html(f"<div class=wide><div class=least>{part}</div></div>")


def whole_page(title: str, lang: str, *parts: str) -> str:
    """The whole page; its content security policy forbids loading anything."""
    style = resources.files(__package__).joinpath("report.css").read_text("utf-8")
    language = {"en": "en", "zh": "zh-CN"}[lang]
    nothing = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        f"<!doctype html>\n<html lang={language}>\n<head>\n<meta charset=utf-8>\n"
        f'<meta http-equiv=Content-Security-Policy content="{nothing}">\n'
        '<meta name=viewport content="width=device-width, initial-scale=1">\n'
        '<meta name=color-scheme content="light dark">\n'
        f"<title>{text(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        f"{''.join(parts)}</main>\n</body>\n</html>\n"
    )
