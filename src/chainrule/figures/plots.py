"""What the figures drawn with matplotlib share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from chainrule.graph.variable import Array
from chainrule.plots.figure import new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["WHITE", "new_plot", "note"]

#: The background of a text that crosses lines.
WHITE = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.9}


def new_plot(
    width: float, height: float, *kinds: str, **ratios: Sequence[float]
) -> tuple[Figure, list[Any]]:
    """A figure with axes of these kinds ("plain", "polar", "3d"), in a row, or in a column.

    They are in a column if `height_ratios` are given.
    """
    figure, _ = new_figure(width=width, height=height)
    figure.clear()
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.08)
    rows = len(kinds) if "height_ratios" in ratios else 1
    grid = figure.add_gridspec(rows, len(kinds) // rows, **ratios)
    axes = []
    for k, kind in enumerate(kinds):
        ax = figure.add_subplot(grid[k], projection=None if kind == "plain" else kind)
        if kind == "plain":
            tidy(ax)
        axes.append(ax)
    return figure, axes


def note(
    ax: Axes,
    at: Sequence[float] | Array,
    text: str,
    *,
    dx: float = 0,
    dy: float = 0,
    **more: Any,
) -> None:
    """Write a text beside a point, (dx, dy) typographic points away."""
    options: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 11, "zorder": 8} | more
    ax.annotate(text, (at[0], at[1]), xytext=(dx, dy), textcoords="offset points", **options)
