"""The width of a text without a font: by a table of widths that are slightly too large."""

from __future__ import annotations

import re
import unicodedata

from chainrule.drawing.fonts import CJK

__all__ = ["text_width", "wrapped"]

#: Widths in thousandths of the font size from the space to "~", those of DejaVu Sans, which is
#: wider than Helvetica or Arial, so that a text fits into the space reserved for it.
_ASCII = (
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337,
    636, 636, 636, 636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531,
    1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863, 748, 787,
    603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500,
    500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612,
    635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838,
)  # fmt: skip


def text_width(text: str, size: float) -> float:
    """The approximate width of a line of text in a font of that size.

    >>> round(text_width("5×10", 10), 1), text_width("梯度", 10)
    (27.5, 20.0)
    """
    return size * sum(map(_width, text)) / 1000


#: An unbreakable piece with the space before it: a word, or a Chinese letter with punctuation.
_WORD = re.compile(rf"\s*(?:[（“《]*{CJK.pattern}|(?:(?!{CJK.pattern})\S)+)[，。；：、！？）”》]*")


def wrapped(text: str, size: float, width: float, indent: str = "") -> list[str]:
    """The text in lines of at most this width, if its words fit; all but the first are indented.

    >>> wrapped("e^1000 overflows", 10, 50), wrapped("溢出为 ∞，", 10, 45)
    (['e^1000', 'overflows'], ['溢出为', '∞，'])
    """
    lines = [""]
    for word in _WORD.findall(text):
        if lines[-1] and text_width(lines[-1] + word, size) > width:
            lines.append(indent + word.lstrip())
        else:
            lines[-1] += word
    return lines


def _width(character: str) -> int:
    if " " <= character <= "~":
        return _ASCII[ord(character) - 32]
    if unicodedata.combining(character):
        return 0
    if character in "…—→←" or unicodedata.east_asian_width(character) in "WF":
        return 1000
    if unicodedata.category(character) in ("Sm", "So"):
        return 840
    return 700 if character.isalpha() else 640
