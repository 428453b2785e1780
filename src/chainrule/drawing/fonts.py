"""Fonts: one with Chinese letters, found through matplotlib."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chainrule.errors import ExtraMissingError
from chainrule.lang.messages import _

__all__ = ["cjk_font", "has_cjk", "lacks_font", "letters_as_text", "set_fonts"]

#: Families with simplified Chinese letters, the best to read first.
FAMILIES = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN",
    "PingFang SC", "Microsoft YaHei", "Hiragino Sans GB", "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei", "Noto Sans CJK JP", "Noto Sans CJK TC", "SimHei", "Heiti SC", "STHeiti",
    "DengXian", "SimSun", "Noto Serif CJK SC", "Noto Serif CJK JP", "Droid Sans Fallback",
    "Arial Unicode MS",
)  # fmt: skip
#: File names of such fonts; matplotlib's list of fonts may be older than they are.
FILES = re.compile(r"cjk|hei|song|sourcehan|wqy|pingfang|hiragino|msyh|simsun|fallback|deng", re.I)
#: Chinese, Japanese and Korean letters, with their punctuation and wide forms.
CJK = re.compile("[⺀-〿぀-ヿ㄀-ㄯ㇀-鿿가-힯豈-﫿︰-﹏＀-￯\U00020000-\U0003ffff]")


def has_cjk(text: str) -> bool:
    """Whether a text has Chinese, Japanese or Korean letters.

    >>> has_cjk("损失"), has_cjk("loss, ∂L/∂W")
    (True, False)
    """
    return CJK.search(text) is not None


def cjk_font() -> str:
    """The family name of an installed font with Chinese letters.

    Raises:
        ExtraMissingError: there is none; the sentence names what to install.
    """
    from matplotlib import font_manager

    manager = font_manager.fontManager
    found = _known(manager)
    if found is None:  # one may have been installed since matplotlib made its list
        listed = {entry.fname for entry in manager.ttflist}
        for path in sorted(font_manager.findSystemFonts()):
            if path not in listed and FILES.search(os.path.basename(path)):
                try:
                    manager.addfont(path)
                except (OSError, RuntimeError):  # a damaged file is no reason to stop
                    continue
        found = _known(manager)
    if found is None:
        raise ExtraMissingError(
            _(
                "Chinese letters in PNG and PDF need a font that has them, and none was found: install one,"
                " for example fonts-noto-cjk (Debian, Ubuntu), google-noto-sans-cjk-fonts (Fedora) or"
                " font-noto-sans-cjk (Homebrew); or write SVG, which needs none."
            )
        )
    return found


def _known(manager: Any) -> str | None:
    names = {entry.name for entry in manager.ttflist}
    return next((family for family in FAMILIES if family in names), None)


def lacks_font() -> bool:
    """Whether no font with Chinese letters is installed.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib  # noqa: F401

    try:
        cjk_font()
    except ExtraMissingError:
        return True
    return False


def set_fonts(artist: Any, *, needed: bool) -> bool:
    """Give every text in a figure, or on axes, a font for the Chinese letters in it, if any.

    `needed`: raise ExtraMissingError if there is no such font; else leave the text as it is. Gives
    whether every letter has a font now.
    """
    from matplotlib import rcParams
    from matplotlib.axis import Axis
    from matplotlib.text import Text

    if not any(has_cjk(text.get_text()) for text in artist.findobj(Text)):
        return True
    try:
        family = cjk_font()
    except ExtraMissingError:
        if needed:
            raise
        return False
    families = [*rcParams["font.family"], family]  # letter by letter, the first that has it
    for axis in artist.findobj(Axis):  # what its tick labels are made with when it is drawn
        axis.set_tick_params(labelfontfamily=families)
    for text in artist.findobj(Text):
        text.set_fontfamily(families)
    return True


@contextmanager
def letters_as_text() -> Iterator[None]:
    """Within this, matplotlib writes the letters of an SVG as letters, for the reader's own fonts.

    That no font here has them does not matter then, and matplotlib's warnings of it are left out.
    """
    from matplotlib import rc_context

    with rc_context({"svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")
        yield
