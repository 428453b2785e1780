"""What a drawn figure shows, read back from the picture itself."""

from __future__ import annotations

import functools
import re
from typing import Any

import pytest

from chainrule import figures
from chainrule.drawing.scene import Circle, Line, Rectangle, Scene
from chainrule.drawing.text import text_width
from chainrule.errors import ExtraMissingError

__all__ = ["FILES", "KEYS", "arrows", "box_of_text", "dashes", "drawn", "png", "said", "written"]

KEYS = [figure.key for figure in figures.FIGURES]
LANGUAGES = ("en", "zh")
FILES = [(key, lang) for key in KEYS for lang in LANGUAGES]


@functools.cache
def drawn(key: str, lang: str = "en") -> figures.Picture:
    return figures.draw(key, lang)


def written(picture: figures.Picture, kind: str) -> bytes:
    """The file; where the machine has no Chinese font, the test says so and ends."""
    try:
        return picture.written(kind)
    except ExtraMissingError as error:
        pytest.skip(str(error))


@functools.cache
def png(key: str, lang: str) -> bytes:
    """The figure as an image, written once for all tests."""
    return written(drawn(key, lang), "png")


def said(key: str, lang: str = "en") -> str:
    """All texts of a picture, in the order they were drawn, with one space between."""
    return " ".join(drawn(key, lang).texts())


def arrows(scene: Scene) -> dict[str, int]:
    """How many black and blue arrow heads, and lines, there are."""
    found = {"black": 0, "blue": 0, "black heads": 0, "blue heads": 0}
    for layer in scene.layers:
        for mark in layer.marks if layer.kind == "arrow" else ():
            if isinstance(mark, Line) and mark.stroke_width in (1.4, 3.2) and mark.stroke != "none":
                found["blue" if mark.stroke == "gradient" else "black"] += 1
            elif isinstance(mark, Line) and mark.steps[-1] == ("Z",) and len(mark.steps) == 4:
                found["blue heads" if mark.fill == "gradient" else "black heads"] += 1
    return found


def dashes(scene: Scene) -> int:
    """How many dashed boxes there are."""
    return sum(
        isinstance(mark, Rectangle) and mark.dashed
        for layer in scene.layers
        for mark in layer.marks
    )


def circles(scene: Scene) -> int:
    """How many nodes are drawn as circles."""
    return sum(
        isinstance(mark, Circle) and mark.stroke == "ink"
        for layer in scene.layers
        for mark in layer.marks
    )


def box_of_text(text: Any) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a text, by the table of widths."""
    # The table is DejaVu's, in which PNGs are written; italics and Chinese are narrower.
    width = text_width(text.text, text.size) * (
        0.8 if text.name or not text.text.isascii() else 1.0
    )
    start = {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor]
    x = text.x - start * width
    return x, text.y - 0.62 * text.size, x + width, text.y + 0.02 * text.size


def numbers_in(text: str) -> list[float]:
    """Every number in a text."""
    return [float(n.replace("−", "-")) for n in re.findall(r"−?\d+(?:\.\d+)?(?:e−?\d+)?", text)]
