"""Shapes as a check of MatMul's backward pass, and as a way to find it (figures 1-24 and 1-26)."""

from __future__ import annotations

import numpy as np

from chainrule.drawing.scene import Scene
from chainrule.figures.boxes import Box, row, words
from chainrule.figures.canvas import Canvas
from chainrule.figures.common import black, blue, figure
from chainrule.figures.matmul import Product
from chainrule.graph.variable import Array
from chainrule.graph.wording import shape_text
from chainrule.lang.messages import _

__all__ = ["by_shapes", "shape_check"]


def shape_check(lang: str) -> Scene:
    """The shapes in ∂L/∂x = ∂L/∂y Wᵀ fit, for one row."""
    p = Product(1, 3, 4)
    return _checked(
        lang,
        [[("x", "1×D", p.grad(p.x)), ("y", "1×H", p.grad(p.y)), ("W^T", "H×D", p.W.data.T)]],
        _("shape check").said(lang),
    )


def by_shapes(lang: str) -> Scene:
    """∂L/∂x = ∂L/∂y Wᵀ and ∂L/∂W = xᵀ ∂L/∂y: with these shapes nothing else fits."""
    p = Product(5, 4, 6)
    dy = ("y", "N×H", p.grad(p.y))
    return _checked(
        lang,
        [
            [("x", "N×D", p.grad(p.x)), dy, ("W^T", "H×D", p.W.data.T)],
            [("W", "D×H", p.grad(p.W)), ("x^T", "D×N", p.x.data.T), dy],
        ],
        _("backward by shapes").said(lang),
    )


Factor = tuple[str, str, Array]


def _checked(lang: str, lines: list[list[Factor]], title: str) -> Scene:
    canvas = Canvas()
    y = 34.0
    for result, first, second in lines:
        line = _Line(canvas, y)
        line.factor(*result)
        line.equals()
        line.factor(*first)
        line.factor(*second)
        line.links()
        error = float(np.abs(first[2] @ second[2] - result[2]).max())
        note = _("what backward() gives: the same").said(lang)
        more = _("(off by {error})", error=figure(error, 1)).said(lang)
        canvas.put(words(note, 13.0, "good", flush=True), line.x + 8.0, y + 4.0)
        canvas.put(words(more, 13.0, "good", flush=True), line.x + 8.0, y + 22.0)
        y += 172.0
    note = _("equal inner lengths meet and go; the outer lengths stay").said(lang)
    canvas.put(words(note, 13.0, "muted", flush=True), 0.0, canvas.height + 28.0)
    return canvas.finish(title)


class _Line:
    """Result = first · second over their shapes, with a line from each length to its equal."""

    def __init__(self, canvas: Canvas, y: float) -> None:
        self.canvas, self.x, self.y = canvas, 0.0, y
        #: The x positions of the two lengths of each matrix.
        self.positions: list[tuple[float, float]] = []

    def factor(self, name: str, letters: str, array: Array) -> None:
        """Add a matrix with its shape below it, in letters and in numbers."""
        box = black(name, 20.0) if "^" in name else blue(rf"\frac{{∂L}}{{∂{name}}}", 20.0)
        sides = [words(letter, 17.0, bold=True) for letter in letters.split("×")]
        under = row(sides[0], words(" × ", 16.0), sides[1])
        width = max(box.width, under.width, 64.0)
        middle = self.x + width / 2
        numbers = words(shape_text(array.shape), 12.5, "muted")
        for part, y in ((box, 0.0), (under, 48.0), (numbers, 66.0)):
            self.canvas.put(part, middle, self.y + y, anchor="middle")
        left, right = middle - under.width / 2, middle + under.width / 2
        self.positions.append((left + sides[0].width / 2, right - sides[1].width / 2))
        self.x += width + 20.0

    def equals(self) -> None:
        """Add the equals sign between the result and its factors."""
        sign: Box = black("=", 20.0)
        for y in (0.0, 48.0):
            self.canvas.put(sign, self.x, self.y + y)
        self.x += sign.width + 20.0

    def links(self) -> None:
        """Add lines between the equal inner lengths, and from the outer ones to the result's."""
        (a, b), (c, d), (e, f) = self.positions
        for start, end, depth, colour in (
            (d, e, 9.0, "good"),
            (a, c, 20.0, "muted"),
            (b, f, 31.0, "muted"),
        ):
            top = self.y + 74.0
            self.canvas.line(
                (start, top), (start, top + depth), (end, top + depth), (end, top),
                stroke=colour, width=2.2 if colour == "good" else 1.2,
            )  # fmt: skip
            self.canvas.reach(end, top + depth)
