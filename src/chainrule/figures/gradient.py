"""The gradient of a function of two variables, and its derivative along any direction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainrule.figures.common import figure
from chainrule.figures.plots import WHITE, new_plot, note
from chainrule.graph.derivatives import grad
from chainrule.graph.functions import sum as total
from chainrule.graph.variable import Array
from chainrule.lang.messages import _
from chainrule.nodes.base import Value
from chainrule.plots.figure import BLUE, GREEN, ORANGE, SKY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.projections.polar import PolarAxes

__all__ = ["DIRECTION", "POINT", "along", "field", "gradient_field", "surface"]

#: The point of the figure, and the direction in degrees.
POINT, DIRECTION = np.array([0.5, 0.8]), 80.0


STRAIGHT = {"shrinkA": 0, "shrinkB": 0}


def surface(points: Value) -> Value:
    """f(x₀, x₁) = x₀² + x₁² / 2, for points in the last axis."""
    return points[..., 0] ** 2 + points[..., 1] ** 2 / 2


def field(points: Array) -> Array:
    """The gradient at every point; the sum's gradient has all, since f of a point depends on no other."""
    gradients: Array = grad(lambda p: total(surface(p)))(points)
    return gradients


def along(degrees: float, h: float = 1e-6) -> tuple[float, float]:
    """The derivative along a direction: gradient · direction, and by a central difference."""
    d = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    difference = (surface(POINT + h * d) - surface(POINT - h * d)) / (2 * h)
    return float(field(POINT) @ d), float(difference)


def gradient_field(lang: str) -> Figure:
    """Contours and gradients; at one point the gradient and the slopes in all directions."""
    plot, (left, right) = new_plot(9.6, 4.6, "plain", "polar", width_ratios=(1.1, 1))
    _field(left, lang)
    _directions(right, lang)
    return plot


def _field(ax: Axes, lang: str) -> None:
    side = np.linspace(-2, 2, 81)
    grid = np.stack(np.meshgrid(side, side), axis=-1)
    shades = ax.contourf(side, side, surface(grid), levels=12, cmap="Greys", alpha=0.45)
    ax.contour(side, side, surface(grid), levels=shades.levels, colors="0.6", linewidths=0.6)
    side = np.linspace(-1.75, 1.75, 8)
    points = np.stack(np.meshgrid(side, side), axis=-1)
    arrows = field(points)
    ax.quiver(
        points[..., 0], points[..., 1], arrows[..., 0], arrows[..., 1],
        color=SKY, angles="xy", scale=28, width=0.005,
    )  # fmt: skip
    gradient, d = field(POINT), _unit(DIRECTION)
    for vector, colour, width in ((gradient, BLUE, 3.0), (d, ORANGE, 2.4)):
        arrow = {"arrowstyle": "-|>", "color": colour, "lw": width, "mutation_scale": 18}
        ax.annotate("", tuple(POINT + vector), tuple(POINT), arrowprops=arrow | STRAIGHT, zorder=5)
    foot = POINT + (gradient @ d) * d
    ax.plot(*np.array([POINT + gradient, foot]).T, ":", color="black", linewidth=1.4, zorder=5)
    ax.plot(*foot, "s", color=ORANGE, markersize=5, zorder=6)
    ax.plot(*POINT, "o", color="black", markersize=7, zorder=6)
    components = ", ".join(figure(g) for g in gradient)
    note(
        ax,
        POINT + gradient / 2,
        f"∇f =\n({components})",
        dx=12,
        dy=-12,
        ha="left",
        color=BLUE,
        bbox=WHITE,
    )
    note(ax, POINT + d, "d", dx=-11, dy=-2, color=ORANGE, bbox=WHITE)
    ax.set(xlabel="$x_0$", ylabel="$x_1$", aspect="equal", xlim=(-2, 2), ylim=(-2, 2))
    ax.grid(visible=False)
    ax.set_title(
        _("f = x₀² + x₁²/2 and its gradients").said(lang),
        fontsize=11,
    )


def _unit(degrees: float) -> Array:
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])


def _directions(ax: PolarAxes, lang: str) -> None:
    angles = np.linspace(0, 360, 241)
    slopes = np.array([along(a)[0] for a in angles])
    for sign, style, label_text in (
        (1, "-", _("uphill (+)").said(lang)),
        (-1, (0, (4, 2)), _("downhill (−)").said(lang)),
    ):
        shown = np.where(sign * slopes >= 0, np.abs(slopes), np.nan)
        colour = GREEN if sign > 0 else "0.45"
        ax.plot(
            np.radians(angles),
            shown,
            linestyle=style,
            color=colour,
            linewidth=2.0,
            label=label_text,
        )
    gradient = field(POINT)
    steepest, length = float(np.arctan2(gradient[1], gradient[0])), float(np.hypot(*gradient))
    slope, direction = along(DIRECTION)[0], float(np.radians(DIRECTION))
    for angle, r, colour in ((steepest, length, BLUE), (direction, slope, ORANGE)):
        arrow = {"arrowstyle": "-|>", "color": colour, "lw": 2.6, "mutation_scale": 16}
        ax.annotate("", (angle, r), (0, 0), arrowprops=arrow | STRAIGHT)
    label = _("steepest: |∇f| = {length}", length=figure(length)).said(lang)
    note(
        ax,
        (steepest, length),
        label,
        dx=6,
        dy=2,
        ha="left",
        color=BLUE,
        bbox=WHITE,
    )
    note(ax, (direction, slope), f"∇f · d = {figure(slope)}", dx=0, dy=12, color=ORANGE)
    ax.set_rmax(1.6)
    ax.set_rticks([0.5, 1, 1.5])
    ax.set_rlabel_position(-67)
    ax.tick_params(labelsize=8)
    title = _("slope of f at the point, in every direction d").said(lang)
    ax.set_title(title, fontsize=11, pad=14)
    ax.legend(frameon=False, loc="lower left", fontsize=9, bbox_to_anchor=(-0.16, -0.14))
