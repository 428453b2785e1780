"""A scene as PNG or PDF, through matplotlib (extra [draw])."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainrule.drawing.fonts import cjk_font, has_cjk
from chainrule.drawing.saving import rendered
from chainrule.drawing.scene import Circle, Layer, Line, Mark, Rectangle, Scene, Text
from chainrule.drawing.theme import DARK, LIGHT
from chainrule.errors import ExtraMissingError, SettingError
from chainrule.lang.messages import _

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["to_pdf", "to_png"]

#: Pixels of a scene per inch, and points per pixel.
PIXELS, POINTS = 96.0, 0.75
#: The most dots that a PNG may have on a side; matplotlib can draw no more than 2¹⁶.
LARGEST = 60_000


def to_png(scene: Scene, dark: bool, dpi: float) -> bytes:
    """The scene as PNG with `dpi` dots per inch (96: one per pixel)."""
    if not 10 <= dpi <= 2400:
        raise SettingError(_("dpi must be a number from 10 to 2400; got {dpi!r}.", dpi=dpi))
    if max(scene.width, scene.height) * dpi / PIXELS > LARGEST:
        raise SettingError(
            _(
                "at {dpi:g} dpi this picture would be {width:.0f} by {height:.0f} dots; a side may have"
                " {most}. Give a smaller dpi, fold the layers, or save it as .svg.",
                dpi=dpi,
                width=scene.width * dpi / PIXELS,
                height=scene.height * dpi / PIXELS,
                most=LARGEST,
            )
        )
    return _written(scene, dark, "png", dpi)


def to_pdf(scene: Scene, dark: bool) -> bytes:
    """The scene as a PDF page of its size."""
    return _written(scene, dark, "pdf")


def _written(scene: Scene, dark: bool, kind: str, dpi: float | str = "figure") -> bytes:
    figure = _figure(scene, DARK if dark else LIGHT)
    from matplotlib import rc_context

    with rc_context({"savefig.bbox": None, "savefig.facecolor": "auto", "path.simplify": False}):
        return rendered(figure, kind, dpi)


def _figure(scene: Scene, colours: dict[str, str]) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ExtraMissingError(
            _(
                "writing a picture as PNG or PDF needs matplotlib, which is in the extra [draw]: pip install"
                " 'chainrule[draw]'. SVG needs nothing."
            )
        ) from None
    size = (scene.width / PIXELS, scene.height / PIXELS)
    figure = Figure(figsize=size, facecolor=colours["paper"])
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.set_xlim(0, scene.width)
    ax.set_ylim(scene.height, 0)
    extra = [cjk_font()] if any(has_cjk(text.text) for text in scene.texts()) else []
    order = 1.0
    for layer in scene.layers:
        for mark in layer.marks:
            order += 1
            _add(ax, mark, layer, colours, extra, order)
    return figure


def _add(
    ax: Any, mark: Mark, layer: Layer, colours: dict[str, str], extra: list[str], order: float
) -> None:
    """Draw a mark on top of all before it."""
    if layer.faint:
        colours = {role: _faded(colour, colours["paper"]) for role, colour in colours.items()}
    if isinstance(mark, Text):
        families = ["DejaVu Serif" if mark.name else "DejaVu Sans", *extra]
        ax.text(
            mark.x,
            mark.y,
            mark.text,
            fontsize=mark.size * POINTS,
            color=colours[mark.fill],
            ha={"start": "left", "middle": "center", "end": "right"}[mark.anchor],
            va="baseline",
            family=families,
            style="italic" if mark.name and not has_cjk(mark.text) else "normal",
            weight="bold" if mark.bold else "normal",
            zorder=order,
            parse_math=False,
        )
        return
    from matplotlib.colors import to_rgba

    strength = 1.0 if isinstance(mark, Circle) else mark.strength
    face = to_rgba(colours[mark.fill], strength) if mark.fill != "none" else "none"
    edge: Any = "none"
    if mark.stroke != "none":
        edge = to_rgba(colours[mark.stroke], strength if mark.fill == "none" else 1.0)
    patch = _patch(mark)
    patch.set(facecolor=face, edgecolor=edge, linewidth=mark.stroke_width * POINTS, zorder=order)
    if isinstance(mark, Rectangle) and mark.dashed:
        patch.set_linestyle((0, (4, 3)))
    ax.add_patch(patch)


def _faded(colour: str, paper: str) -> str:
    """The colour as it looks at a strength of 0.3 on the paper."""
    pairs = [[int(c[i : i + 2], 16) for c in (colour, paper)] for i in (1, 3, 5)]
    return "#" + "".join(f"{round(0.3 * a + 0.7 * b):02x}" for a, b in pairs)


def _patch(mark: Circle | Rectangle | Line) -> Any:
    from matplotlib import patches
    from matplotlib.path import Path

    if isinstance(mark, Circle):
        return patches.Circle((mark.x, mark.y), mark.r)
    if isinstance(mark, Rectangle):
        if not mark.r:
            return patches.Rectangle((mark.x, mark.y), mark.width, mark.height)
        style = patches.BoxStyle.Round(pad=0, rounding_size=min(mark.r, mark.height / 2))
        return patches.FancyBboxPatch((mark.x, mark.y), mark.width, mark.height, boxstyle=style)
    points: list[tuple[float, float]] = []
    codes: list[Any] = []
    kinds = {"M": Path.MOVETO, "L": Path.LINETO, "C": Path.CURVE4, "Z": Path.CLOSEPOLY}
    for name, *numbers in mark.steps:
        values = [float(v) for v in numbers] or [0.0, 0.0]
        pairs = list(zip(values[::2], values[1::2], strict=True))
        points += pairs
        codes += [kinds[str(name)]] * len(pairs)
    return patches.PathPatch(Path(points, codes), capstyle="butt", joinstyle="miter")
