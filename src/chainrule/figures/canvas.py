"""A canvas: formulas, pictures of graphs and lines composed into one scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chainrule.drawing.scene import Layer, Line, Mark, Rectangle, Scene, shifted
from chainrule.figures.boxes import Box, words

__all__ = ["Canvas", "titled"]

MARGIN = 16.0


class Canvas:
    """A drawing area that grows with what is put on it."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.width = self.height = 0.0

    def put(self, box: Box, x: float, y: float, title: str = "", anchor: str = "start") -> float:
        """Put a box with its baseline at y and its `anchor` at x; returns the x of its right end."""
        x -= {"start": 0.0, "middle": box.width / 2, "end": box.width}[anchor]
        self._add("formula", box.at(x, y), title)
        self.reach(x + box.width, y + box.below)
        return x + box.width

    def scene(self, scene: Scene, x: float, y: float) -> float:
        """Put a whole scene with its corner at (x, y); returns the x of its right end."""
        for layer in scene.layers:
            marks = [shifted(mark, x, y) for mark in layer.marks]
            self.layers.append(replace(layer, marks=marks, shows=None))
        self.reach(x + scene.width, y + scene.height)
        return x + scene.width

    def line(self, *points: tuple[float, float], stroke: str = "ink", width: float = 1.2) -> None:
        """Draw a polyline."""
        steps: list[tuple[str | float, ...]] = [("M", *points[0])]
        steps += [("L", *point) for point in points[1:]]
        self.marks(Line(tuple(steps), stroke=stroke, stroke_width=width))

    def marks(self, *marks: Mark, title: str = "") -> None:
        """Add marks at their own coordinates."""
        self._add("drawing", list(marks), title)
        for mark in marks:
            if isinstance(mark, Rectangle):
                self.reach(mark.x + mark.width, mark.y + mark.height)

    def bracket(
        self, x: float, top: float, bottom: float, *, left: bool, stroke: str = "ink"
    ) -> None:
        """Draw a square bracket around what is to the left (or right) of it."""
        lip = 6.0 if not left else -6.0
        self.line((x - lip, top), (x, top), (x, bottom), (x - lip, bottom), stroke=stroke)

    def _add(self, kind: str, marks: list[Mark], title: str) -> None:
        self.layers.append(Layer(kind, title, marks))

    def reach(self, x: float, y: float) -> None:
        """Extend the canvas to contain (x, y)."""
        self.width, self.height = max(self.width, x), max(self.height, y)

    def finish(self, title: str, margin: float = MARGIN) -> Scene:
        """The canvas as a scene, with a margin on every side."""
        scene = Scene(self.width + 2 * margin, self.height + 2 * margin, title)
        for layer in self.layers:
            marks = [shifted(mark, margin, margin) for mark in layer.marks]
            scene.layers.append(replace(layer, marks=marks, shows=None))
        return scene


def titled(
    title: str, parts: Sequence[tuple[str, Scene]], *, across: bool = True, gap: float = 36.0
) -> Scene:
    """Scenes side by side, or below each other, each with its own heading."""
    canvas = Canvas()
    heads = [words(head, 14.0, bold=True) for head, _ in parts]
    wide = [max(scene.width, head.width) for head, (_, scene) in zip(heads, parts, strict=True)]
    tall = max(scene.height for _, scene in parts)
    x = y = 0.0
    for head, width, (_, scene) in zip(heads, wide, parts, strict=True):
        space = width if across else max(wide)
        canvas.put(head, x + space / 2, y + head.above, anchor="middle")
        below = y + head.height + 6.0
        rest = (tall - scene.height) / 2 if across else 0.0
        canvas.scene(scene, x + (space - scene.width) / 2, below + rest)
        if across:
            x += width + gap
        else:
            y = below + scene.height + gap
    if across:
        x = 0.0
        for width in wide[:-1]:
            x += width + gap
            canvas.line(
                (x - gap / 2, 4.0), (x - gap / 2, canvas.height), stroke="cell line", width=1.0
            )
    return canvas.finish(title)
