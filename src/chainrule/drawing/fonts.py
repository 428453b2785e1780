"""Fonts: finds an installed font with Chinese letters, through matplotlib."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from chainrule.errors import ExtraMissingError
from chainrule.lang.messages import _

__all__ = ["cjk_font", "has_cjk", "lacks_font", "lay_out", "letters_as_text", "set_fonts"]

#: Families with simplified Chinese letters, the best to read first.
FAMILIES = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN",
    "PingFang SC", "Microsoft YaHei", "Hiragino Sans GB", "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei", "Noto Sans CJK JP", "Noto Sans CJK TC", "SimHei", "Heiti SC", "STHeiti",
    "DengXian", "SimSun", "Noto Serif CJK SC", "Noto Serif CJK JP", "Droid Sans Fallback",
    "Arial Unicode MS",
)  # fmt: skip
#: File names of such fonts, since matplotlib's list of fonts may be out of date.
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
    family = _known(manager)
    if family is None:  # one may have been installed since matplotlib made its list
        listed = {entry.fname for entry in manager.ttflist}
        for path in sorted(font_manager.findSystemFonts()):
            if path not in listed and FILES.search(os.path.basename(path)):
                try:
                    manager.addfont(path)
                except (OSError, RuntimeError):  # skip a damaged file
                    continue
        family = _known(manager)
    if family is None:
        raise ExtraMissingError(
            _(
                "Chinese letters in PNG and PDF need a font that has them, and none was found: install one,"
                " for example fonts-noto-cjk (Debian, Ubuntu), google-noto-sans-cjk-fonts (Fedora) or"
                " font-noto-sans-cjk (Homebrew); or write SVG, which needs none."
            )
        )
    return family


def _known(manager: Any) -> str | None:
    """The first of FAMILIES that matplotlib's font manager has."""
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
    """Set a font with Chinese letters on every text of a figure or axes that has such letters.

    `needed`: raise ExtraMissingError if there is no such font; else leave the text unchanged. The
    result is whether every letter has a font.
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
    for axis in artist.findobj(Axis):  # tick labels are made when the axis is drawn
        axis.set_tick_params(labelfontfamily=families)
    for text in artist.findobj(Text):
        text.set_fontfamily(families)
    return True


@contextmanager
def letters_as_text() -> Iterator[None]:
    """Inside the block, matplotlib writes the text of an SVG as text, shown in the reader's fonts.

    A font here is not needed then, so matplotlib's warnings of missing letters are suppressed.
    """
    from matplotlib import rc_context

    with rc_context({"svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")
        yield


def lay_out(figure: Any, *, needed: bool) -> None:
    """Set the fonts of a figure, as `set_fonts` does, and compute its layout and the sizes of its texts."""
    with nullcontext() if set_fonts(figure, needed=needed) else letters_as_text():
        figure.draw_without_rendering()
