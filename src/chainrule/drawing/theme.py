"""Colours by their meaning, on white and on black, distinguishable for colour-blind readers.

The hues are Okabe and Ito's (2008): blue and orange differ for every kind of colour blindness,
and in lightness too, so that they differ in print.
"""

from __future__ import annotations

from chainrule.errors import SettingError, nearest
from chainrule.lang.messages import _

__all__ = ["DARK", "LIGHT", "check_theme"]

LIGHT = {
    "paper": "#ffffff",
    "ink": "#1a1a1a",
    "muted": "#6b6b6b",
    "node": "#ffffff",
    "gradient": "#0072b2",
    "box": "#f4f6f8",
    "inner box": "#e9edf1",
    "box line": "#aab4bd",
    "cell line": "#b9c0c7",
    "positive": "#d55e00",
    "negative": "#0072b2",
    "good": "#00805b",
    "bad": "#c4320a",
    "kink": "#9a6700",
    "highlight": "#f0b400",
}
DARK = {
    "paper": "#16181c",
    "ink": "#ececec",
    "muted": "#a3a8ae",
    "node": "#22262c",
    "gradient": "#56b4e9",
    "box": "#1f2329",
    "inner box": "#282d34",
    "box line": "#56606b",
    "cell line": "#59626c",
    "positive": "#f08a3c",
    "negative": "#56b4e9",
    "good": "#3fc79a",
    "bad": "#ff7a55",
    "kink": "#e6b94a",
    "highlight": "#b88a00",
}


def check_theme(theme: str) -> str:
    """The name of a theme, checked."""
    if theme not in ("light", "dark", "auto"):
        raise SettingError(
            _(
                'theme="{theme}" is not known; {nearest}.',
                theme=theme,
                nearest=nearest(theme, ("light", "dark", "auto")),
            )
        )
    return theme
