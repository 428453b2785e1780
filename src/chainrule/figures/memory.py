"""Names and memory: `a = b` gives an array a second name, `a[...] = b` copies its contents (1-27)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.drawing.panels import number
from chainrule.drawing.scene import Line, Rectangle, Scene, Text
from chainrule.drawing.symbols import arrowhead
from chainrule.drawing.text import text_width
from chainrule.figures.boxes import words
from chainrule.figures.canvas import Canvas
from chainrule.figures.common import black
from chainrule.graph.variable import Array
from chainrule.lang.messages import _, _p
from chainrule.layers import Affine

__all__ = [
    "Block",
    "State",
    "address",
    "layer_addresses",
    "names_and_memory",
    "rebinding",
    "writing",
]

CELL, BLOCK, NAME = 34.0, 70.0, 22.0


def address(array: Array) -> int:
    """The memory address of an array's contents."""
    location: int = array.__array_interface__["data"][0]
    return location


@dataclass(frozen=True)
class Block:
    """A block of memory: its address, its contents, and the names that refer to it."""

    address: int
    contents: tuple[int, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class State:
    """All blocks of memory at one time."""

    blocks: tuple[Block, ...]


def _now(names: dict[str, Array], memory: list[Array]) -> State:
    blocks = []
    for array in memory:
        names_of = tuple(name for name, named in names.items() if address(named) == address(array))
        blocks.append(Block(address(array), tuple(array.tolist()), names_of))
    return State(tuple(blocks))


def _two() -> tuple[Array, Array]:
    return np.array([1, 2, 3]), np.array([4, 5, 6])


def rebinding() -> tuple[State, State]:
    """Before and after `a = b`; `memory` keeps the first array alive."""
    a, b = _two()
    memory = [a, b]
    before = _now({"a": a, "b": b}, memory)
    a = b
    return before, _now({"a": a, "b": b}, memory)


def writing() -> tuple[State, State]:
    """Before and after `a[...] = b`."""
    a, b = _two()
    memory = [a, b]
    before = _now({"a": a, "b": b}, memory)
    a[...] = b
    return before, _now({"a": a, "b": b}, memory)


def layer_addresses() -> tuple[int, int, bool]:
    """The address of W's gradient before and after backward, and whether its contents changed."""
    layer = Affine(np.ones((2, 3)), np.zeros(3))
    gradient = layer.grads[0]
    before, old = address(gradient), gradient.copy()
    layer.forward(np.ones((4, 2)))
    layer.backward(np.ones((4, 3)))
    return before, address(layer.grads[0]), not np.array_equal(old, layer.grads[0])


def names_and_memory(lang: str) -> Scene:
    """Two columns, before above after; the addresses are those of the present run."""
    canvas = Canvas()
    left = 0.0
    for code, words_text, states in (
        ("a = b", _("two names for one array").said(lang), rebinding()),
        (
            "a[...] = b",
            _("contents copied, address kept").said(lang),
            writing(),
        ),
    ):
        canvas.marks(Text(left, 16.0, code, 17.0, "ink", "start", bold=True, role="code"))
        canvas.put(words(words_text, 13.0, "muted", flush=True), left + 108.0, 16.0)
        y = 44.0
        times = (_p("in time", "before"), _p("in time", "after"))
        for when, state in zip(times, states, strict=True):
            canvas.put(words(when.said(lang), 12.5, "muted", flush=True), left, y)
            _draw(canvas, lang, state, left, y + 14.0)
            y += 2 * BLOCK + 34.0
        left += 410.0
    canvas.line((370.0, 0.0), (370.0, y - 34.0), stroke="cell line", width=1.0)
    before, after, changed = layer_addresses()
    assert before == after
    assert changed
    words_text = _("layer.grads[0] before and after backward(): new contents, the same address")
    canvas.put(words(words_text.said(lang), 13.0, flush=True), 0.0, y + 6.0)
    right = left - 46.0
    wide = text_width("0x" + 12 * "d", 13.0)  # whatever the digits are in this run
    for location, x in ((before, right - 2 * wide - 28.0), (after, right - wide)):
        canvas.marks(_address(location, x, y + 6.0))
    canvas.put(black("=", 15.0), right - wide - 14.0, y + 6.0, anchor="middle")
    canvas.reach(right, y + 10.0)
    return canvas.finish(_("names and memory").said(lang))


def _address(location: int, x: float, y: float) -> Text:
    return Text(x, y, hex(location), 13.0, "gradient", "start", role="address")


def _draw(canvas: Canvas, lang: str, state: State, x: float, y: float) -> None:
    heights = {}
    for k, block in enumerate(state.blocks):
        top = y + k * BLOCK
        left = x + 150.0
        alive = bool(block.names)
        canvas.marks(_address(block.address, left, top + 14.0))
        for j, content in enumerate(block.contents):
            canvas.marks(
                Rectangle(
                    left + j * CELL, top + 20.0, CELL, 30.0,
                    fill="node" if alive else "box", stroke="ink" if alive else "box line",
                    stroke_width=1.3, dashed=not alive,
                ),
                Text(
                    left + (j + 0.5) * CELL, top + 40.5, number(content), 15.0,
                    "ink" if alive else "muted", role="number",
                ),
            )  # fmt: skip
        if not alive:
            note = _("no name left").said(lang)
            canvas.put(words(note, 12.0, "muted", flush=True), left + 3 * CELL + 10.0, top + 40.0)
        heights.update(dict.fromkeys(block.names, top + 35.0))
    for k, name in enumerate(("a", "b")):
        middle = y + k * BLOCK + 35.0
        canvas.put(black(name, 20.0), x + 24.0, middle + 6.0, anchor="middle")
        end = heights[name] + (0.0 if middle == heights[name] else -8.0)
        _link(canvas, x + 42.0, middle, x + 146.0, end)


def _link(canvas: Canvas, x: float, y: float, to_x: float, to_y: float) -> None:
    """An arrow from a name to its memory."""
    middle = (x + to_x) / 2
    path = (("M", x, y), ("C", middle, y, middle, to_y, to_x - 8.0, to_y))
    canvas.marks(Line(path, stroke="ink", stroke_width=1.4), arrowhead(to_x, to_y, 9.0, 3.6, "ink"))
