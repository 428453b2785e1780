"""What the figures drawn by matplotlib share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.plots.figure import new_figure, tidy

__all__ = ["WHITE", "new_plot", "note"]

#: What a text stands on where it crosses lines.
WHITE = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.9}


def new_plot(width: float, height: float, *kinds: str, **ratios: Sequence[float]) -> Any:
    """A figure with axes beside each other, "plain", "polar" or "3d"; or in rows of given heights."""
    figure, _ = new_figure(width=width, height=height)
    figure.clear()
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    rows = len(kinds) if "height_ratios" in ratios else 1
    grid = figure.add_gridspec(rows, len(kinds) // rows, **ratios)
    axes = []
    for place, kind in zip(grid, kinds, strict=True):
        ax = figure.add_subplot(place, projection=None if kind == "plain" else kind)
        if kind == "plain":
            tidy(ax)
        axes.append(ax)
    return figure, axes


def note(ax: Any, at: Any, text: str, *, dx: float = 0, dy: float = 0, **more: Any) -> None:
    """A text beside a point, so many points of type away."""
    ax.annotate(
        text, at, xytext=(dx, dy), textcoords="offset points",
        **{"ha": "center", "va": "center", "fontsize": 11, "zorder": 8} | more,
    )  # fmt: skip
