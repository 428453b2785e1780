r"""Formulas: a subset of TeX's mathematics as marks of a scene.

The commands are `\frac{a}{b}`, `_{}`, `^{}`, `\sum{j}`, `\text{words}`, `\fill{role}{...}`, `\,`.
"""

from __future__ import annotations

import re

from chainrule.drawing.scene import Line, Text
from chainrule.drawing.text import text_width
from chainrule.figures.boxes import AXIS, Box, row

__all__ = ["formula", "plain"]

OPERATORS = "=+−·×≈→⇒∘<>←∥"
#: Widths of italic letters with serifs, between those of Times and of DejaVu.
NARROW, WIDE = "ijlftrJI1", "mwMW∂"
PIECE = re.compile(r"\\[a-z]+|\\,|[{}_^]|[^\\{}_^]")


def formula(source: str, size: float = 16.0, fill: str = "ink", role: str = "formula") -> Box:
    r"""A formula as a box.

    >>> formula(r"\frac{∂L}{∂x} = y").text()
    '∂L ∂x = y'
    """
    return _Reader(source, role).read(size, fill)


def plain(source: str) -> str:
    r"""A formula in one line of text.

    >>> plain(r"\frac{∂L}{∂x_{ij}} = \sum{j} \text{of}\, y^2")
    '∂L/∂x_ij = Σ of y^2'
    """
    text = re.sub(r"\\frac\{((?:[^{}]|\{[^{}]*\})*)\}\{", r"\1/{", source)
    text = re.sub(r"\\sum\{[^}]*\}", "Σ", text)
    text = re.sub(r"\\fill\{[^}]*\}", "", text).replace("\\,", " ")
    return re.sub(r"\\[a-z]+|[{}]", "", text).replace("  ", " ").strip()


class _Reader:
    """A parser that turns a formula into boxes, from left to right."""

    def __init__(self, source: str, role: str) -> None:
        self.pieces: list[str] = PIECE.findall(source)
        self.role = role
        #: The last symbol read.
        self.last = ""

    def read(self, size: float, fill: str) -> Box:
        """Read up to the closing brace or the end."""
        parts: list[Box] = []
        tight = True  # a minus here is a sign
        while self.pieces:
            piece = self.pieces.pop(0)
            if piece == "}":
                break
            if piece in "_^":
                parts.append(self._scripts(piece, parts.pop(), size, fill))
                continue
            if piece == " ":
                continue
            if piece in OPERATORS and not self._is_sign(piece, tight):
                parts.append(_operator(piece, size, fill, self.role, tight=tight and piece in "−+"))
                tight = True
                continue
            self.last = piece
            parts.append(self._atom(piece, size, fill))
            tight = self.last in "(["
        return row(*parts)

    def _is_sign(self, piece: str, tight: bool) -> bool:
        """Whether the piece is the minus sign of a number."""
        return piece == "−" and tight and bool(self.pieces) and self.pieces[0] in "0123456789∞"

    def _group(self, size: float, fill: str) -> Box:
        """The group in braces, or the next piece alone."""
        piece = self.pieces.pop(0)
        return self.read(size, fill) if piece == "{" else self._atom(piece, size, fill, alone=True)

    def _raw(self) -> str:
        """The text in braces, unparsed."""
        assert self.pieces.pop(0) == "{"
        end = self.pieces.index("}")
        text = "".join(self.pieces[:end])
        del self.pieces[: end + 1]
        return text

    def _atom(self, piece: str, size: float, fill: str, *, alone: bool = False) -> Box:
        if piece == "\\frac":
            return _fraction(
                self._group(0.92 * size, fill), self._group(0.92 * size, fill), size, fill
            )
        if piece == "\\sum":
            return _sum(self._group(0.62 * size, fill), size, fill, self.role)
        if piece == "\\text":
            return _text(self._raw(), 0.88 * size, fill, self.role)
        if piece == "\\fill":
            role = self._raw()
            return self._group(size, role)
        if piece == "\\,":
            return Box(0.3 * size, 0.0, 0.0)
        if piece == "{":
            return self.read(size, fill)
        italic = _kind(piece) == "name"
        kind = "name" if italic else "number"
        run = piece
        while not alone and self.pieces and self._goes_on(run, kind):
            run += self.pieces.pop(0)
        self.last = run[-1]
        if not italic:
            return _text(run, 0.92 * size, fill, self.role)
        width = size * sum(_letter(c) for c in run)
        # Anchored at its right end, so that an index is close to it in any font.
        hugged = not alone and bool(self.pieces) and self.pieces[0] in "_^"
        mark = Text(
            width if hugged else width / 2, 0.0, run, size, fill,
            anchor="end" if hugged else "middle", name=True, role=self.role,
        )  # fmt: skip
        return Box(width, 0.72 * size, 0.22 * size, (mark,))

    def _goes_on(self, run: str, kind: str) -> bool:
        """Whether the next piece continues the run: letters, or a number."""
        piece = self.pieces[0]
        return _kind(piece) == kind or (piece == "−" and run.endswith("("))

    def _scripts(self, piece: str, base: Box, size: float, fill: str) -> Box:
        small = 0.68 * size
        scripts = {piece: self._group(small, fill)}
        if self.pieces and self.pieces[0] in "_^" and self.pieces[0] not in scripts:
            other = self.pieces.pop(0)
            scripts[other] = self._group(small, fill)
        marks = list(base.marks)
        width, above, below = base.width, base.above, base.below
        for side, box in scripts.items():
            rise = -0.2 * size if side == "_" else max(0.42 * size, base.above - 0.36 * size)
            marks += box.at(base.width + 0.05 * size, -rise)
            width = max(width, base.width + box.width + 0.08 * size)
            above, below = max(above, rise + box.above), max(below, box.below - rise)
        return Box(width, above, below, tuple(marks))


def _kind(piece: str) -> str:
    if len(piece) == 1 and (piece.isalpha() or piece == "∂"):
        return "name"
    return "sign" if len(piece) > 1 or piece in OPERATORS + " _^{}" else "number"


def _letter(c: str) -> float:
    """The width of an italic letter, in units of the font size."""
    if c in NARROW:
        return 0.36
    if c in WIDE:
        return {"∂": 0.56, "W": 0.95}.get(c, 0.84)
    return 0.68 if c.isupper() else 0.54


def _text(text: str, size: float, fill: str, role: str) -> Box:
    width = text_width(text, size)
    return Box(
        width, 0.78 * size, 0.22 * size, (Text(width / 2, 0.0, text, size, fill, role=role),)
    )


def _operator(piece: str, size: float, fill: str, role: str, *, tight: bool) -> Box:
    box = _text(piece, size, fill, role)
    pad = 0.03 * size if tight else 0.2 * size
    return Box(box.width + 2 * pad, 0.6 * size, 0.1 * size, tuple(box.at(pad, 0.0)))


def _fraction(top: Box, bottom: Box, size: float, fill: str) -> Box:
    width = max(top.width, bottom.width) + 0.3 * size
    bar, air = -AXIS * size, 0.2 * size
    marks = top.at((width - top.width) / 2, bar - air - top.below + 0.05 * size)
    marks += bottom.at((width - bottom.width) / 2, bar + air + bottom.above)
    marks.append(Line((("M", 1.0, bar), ("L", width - 1.0, bar)), stroke=fill, stroke_width=1.0))
    return Box(width, air + top.height - bar, bar + air + bottom.height, tuple(marks))


def _sum(under: Box, size: float, fill: str, role: str) -> Box:
    sign = _text("Σ", 1.45 * size, fill, role)
    width = max(sign.width, under.width)
    marks = sign.at((width - sign.width) / 2, 0.2 * size)
    marks += under.at((width - under.width) / 2, 0.38 * size + under.above)
    return Box(width + 0.12 * size, 0.95 * size, 0.38 * size + under.height, tuple(marks))
