"""The derivative: secants that approach the tangent, and the slope 2x of x²."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainrule.figures.common import figure
from chainrule.figures.plots import WHITE, new_plot, note
from chainrule.graph.derivatives import grad
from chainrule.lang.messages import _
from chainrule.nodes.base import Value
from chainrule.plots.figure import BLUE, GREEN, ORANGE, SKY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["AT", "STEPS", "WHERE", "curve", "secants", "slopes_of", "square", "tangents"]

#: The point of the tangent, and the distance to the second point of each secant.
AT, STEPS = 1.0, (2.0, 1.0, 0.5, 0.01)
#: The points where x² gets a tangent.
WHERE = (-1.5, 0.0, 1.0, 2.0)


def curve(x: Value) -> Value:
    """The curve of the figure."""
    return x**3 / 8 + x / 4 + 0.5


def square(x: Value) -> Value:
    """y = x²."""
    return x**2


def slopes_of(x: float) -> list[float]:
    """(f(x+h) − f(x)) / h for every step h."""
    return [float((curve(x + h) - curve(x)) / h) for h in STEPS]


def secants(lang: str) -> Figure:
    """Secants through two points that come closer and closer; then the tangent."""
    plot, (ax,) = new_plot(7.2, 4.4, "plain")
    x = np.linspace(-0.6, 3.4, 200)
    ax.plot(x, curve(x), color="black", linewidth=2.0, zorder=3)
    slope = float(grad(curve)(AT))
    shades = np.linspace(0.25, 0.75, len(STEPS))
    for h, m, shade in zip(STEPS, slopes_of(AT), shades, strict=True):
        label = _("h = {h:g}:  slope {slope}", h=h, slope=figure(m)).said(lang)
        ax.plot(x, curve(AT) + m * (x - AT), color=ORANGE, alpha=shade, linewidth=1.3, label=label)
        ax.plot([AT + h], [curve(AT + h)], "o", color=ORANGE, alpha=shade, markersize=6, zorder=4)
        if h >= 0.5:
            note(ax, (AT + h, curve(AT + h)), f"$h = {h:g}$", dx=-8, dy=9, ha="right", color=ORANGE)
    words = _("tangent: dy/dx").said(lang)
    ax.plot(
        x, curve(AT) + slope * (x - AT), color=BLUE, linewidth=2.6, linestyle=(0, (6, 2)),
        label=f"{words} = {figure(slope)}", zorder=2.5,
    )  # fmt: skip
    ax.plot([AT], [curve(AT)], "o", color="black", markersize=8, zorder=5)
    h = STEPS[0]
    low, high = curve(AT), curve(AT + h)
    ax.plot([AT, AT + h, AT + h], [low, low, high], color="0.45", linewidth=1.0, linestyle=":")
    note(ax, (AT + h / 2 + 0.5, low), "$h$", dy=-10)
    note(ax, (AT + h, (low + high) / 2), "$f(x+h)-f(x)$", dx=6, ha="left", bbox=WHITE)
    note(ax, (AT, low), "$x$", dx=-10, dy=8)
    ax.set(xlim=(-0.6, 4.2), ylim=(-0.5, 5.2), xlabel="$x$", ylabel="$y=f(x)$")
    ax.legend(frameon=False, loc="upper left")
    return plot


def tangents(lang: str) -> Figure:
    """Above, y = x² with tangents; below, their slopes against x, which lie on the line 2x."""
    plot, (top, bottom) = new_plot(6.4, 6.0, "plain", "plain", height_ratios=(3, 2))
    x = np.linspace(-2.4, 2.8, 200)
    top.plot(x, square(x), color="black", linewidth=2.0)
    derivative = grad(square)
    for at in WHERE:
        slope = float(derivative(at))
        run = np.array([-0.75, 0.75]) / np.hypot(1.0, slope / 3)
        top.plot(at + run, square(at) + slope * run, color=BLUE, linewidth=2.6)
        top.plot([at], [square(at)], "o", color=BLUE, markersize=6)
        left = at <= 0
        note(
            top, (at, square(at)), _("slope {slope}", slope=figure(slope)).said(lang),
            dx=0 if at == 0 else (-12 if left else 12), dy=-16 if at == 0 else -3,
            ha="center" if at == 0 else ("right" if left else "left"), color=BLUE,
        )  # fmt: skip
        bottom.plot([at], [slope], "o", color=BLUE, markersize=7, zorder=3)
        bottom.plot([at, at], [0, slope], color=SKY, linewidth=1.2)
    bottom.plot(x, 2 * x, color=GREEN, linewidth=1.6, linestyle=(0, (5, 2)))
    bottom.axhline(0, color="0.6", linewidth=0.8)
    note(bottom, (2.35, 4.7), "$2x$", dx=-14, dy=2, color=GREEN)
    top.sharex(bottom)
    top.tick_params(labelbottom=False)
    top.set(ylabel="$y = x^2$", ylim=(-1.1, 6.2))
    bottom.set(xlabel="$x$", ylabel="$dy/dx$", ylim=(-4.6, 5.6), xlim=(-2.9, 2.9))
    return plot
