"""A font with Chinese, Japanese and Korean characters, for pictures that matplotlib writes."""

from __future__ import annotations

import functools

from chainrule.errors import ExtraMissingError

__all__ = ["CJK_FONTS", "cjk_font"]

#: Fonts that systems come with, or that are free, the most likely first.
CJK_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "PingFang SC",
    "Hiragino Sans GB", "Microsoft YaHei", "SimHei", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "Droid Sans Fallback", "Arial Unicode MS", "Noto Serif CJK SC", "AR PL UMing CN",
)  # fmt: skip


@functools.cache
def cjk_font() -> str:
    """The name of an installed font that has these characters.

    Raises:
        ExtraMissingError: there is none; the message says what to install.
    """
    from matplotlib import font_manager

    known = {font.name for font in font_manager.fontManager.ttflist}
    for name in CJK_FONTS:
        if name in known:
            return name
    # One installed after matplotlib made its list is found by its file.
    for path in sorted(font_manager.findSystemFonts()):
        if any(name.replace(" ", "").lower() in path.replace("-", "").lower() for name in _FILES):
            font_manager.fontManager.addfont(path)
            return str(font_manager.FontProperties(fname=path).get_name())
    raise ExtraMissingError(
        "this picture has Chinese, Japanese or Korean text, and no font for it was found: install one,"
        " for example `apt-get install fonts-noto-cjk`, or save the picture as .svg."
    )


_FILES = (
    "NotoSansCJK",
    "NotoSansSC",
    "SourceHanSans",
    "wqymicrohei",
    "wqyzenhei",
    "simhei",
    "msyh",
)
