"""A picture in a notebook: with the notebook's own theme, and layers that fold at a click."""

from __future__ import annotations

from chainrule.drawing.theme import DARK, LIGHT
from chainrule.lang.messages import _

__all__ = ["in_notebook"]

#: CSS selectors of the themes of JupyterLab, Visual Studio Code, Colab and marimo.
THEMES = (
    ('[data-jp-theme-light="true"],.vscode-light,html[theme="light"],body.light', LIGHT),
    ('[data-jp-theme-light="false"],.vscode-dark,html[theme="dark"],body.dark', DARK),
)
_FOLDING = (
    ".chainrule-folding>summary{cursor:pointer}"
    ".chainrule-folding[open]>summary>.folded{display:none}"
    ".chainrule-folding:not([open])>summary>.unfolded{display:none}"
)


def in_notebook(unfolded: str, folded: str | None = None, *, open_: bool = True, lang: str) -> str:
    """HTML with an SVG picture; if there is one with folded layers too, a click switches between them."""
    style = f"<style>{_themes()}{_FOLDING if folded else ''}</style>"
    if folded is None:
        return f'<div style="overflow-x:auto">{style}{unfolded}</div>'
    fold, unfold = _("fold the layers").said(lang), _("unfold the layers").said(lang)
    return (
        f'<details class="chainrule-folding"{" open" if open_ else ""}'
        f' style="overflow-x:auto"><summary>{style}'
        f'<span class="unfolded">{fold}</span>'
        f'<span class="folded">{unfold}<br>{folded}</span></summary>'
        f"{unfolded}</details>"
    )


def _themes() -> str:
    """Style rules with the colours of the notebook's theme, which may differ from the system's."""
    rules = []
    for pages, colours in THEMES:
        inside = "".join(
            f".f-{name}{{fill:{colour}}}.s-{name}{{stroke:{colour}}}"
            for name, colour in ((role.replace(" ", "-"), c) for role, c in colours.items())
        )
        rules.append(f":is({pages}) .chainrule-auto{{{inside}}}")
    return f"@media screen{{{''.join(rules)}}}"
