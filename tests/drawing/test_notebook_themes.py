"""A picture in a notebook has the notebook's theme, whatever the reader's system prefers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.playground.browser.driving import browser_here

import chainrule as cr
from chainrule.drawing.theme import DARK, LIGHT

PAGES = {
    "light": ('data-jp-theme-light="true"', 'class="vscode-light"', 'class="light light-theme"'),
    "dark": ('data-jp-theme-light="false"', 'class="vscode-dark"', 'class="dark dark-theme"'),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browser_here() as found:
        yield found


def shown(browser: Any, body: str, system: str, theme: str) -> tuple[str, str]:
    """The colours of the paper and of the ink."""
    html = cr.exp(cr.Variable(1.0)).draw(theme=theme)._repr_html_()
    with browser.new_page(color_scheme=system) as page:
        page.set_content(f"<!doctype html><body {body}>{html}")
        paper, ink = (
            page.evaluate(
                f"getComputedStyle(document.querySelector('svg .{name}')).{what}"
            ) for name, what in (("f-paper", "fill"), ("s-ink", "stroke"))
        )  # fmt: skip
    return paper, ink


def rgb(colours: dict[str, str]) -> tuple[str, str]:
    paper, ink = (bytes.fromhex(colours[name][1:]) for name in ("paper", "ink"))
    return f"rgb({', '.join(map(str, paper))})", f"rgb({', '.join(map(str, ink))})"


@pytest.mark.parametrize("system", ["light", "dark"])
def test_the_notebooks_theme_is_the_pictures(browser: Any, system: str) -> None:
    for theme, colours in (("light", LIGHT), ("dark", DARK)):
        for body in PAGES[theme]:
            assert shown(browser, body, system, "auto") == rgb(colours), body
        # A theme that was asked for stays, and so does the system's on a page that says nothing.
        assert shown(browser, PAGES["light"][0], system, theme) == rgb(colours)
    assert shown(browser, "", system, "auto") == rgb(DARK if system == "dark" else LIGHT)
