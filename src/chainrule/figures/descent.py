"""Steps of SGD on a surface: each is −η times the gradient."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.figures.common import figure
from chainrule.figures.gradient import field, surface
from chainrule.figures.plots import WHITE, new_plot, note
from chainrule.graph.variable import Array
from chainrule.lang.messages import _
from chainrule.optimizers import SGD
from chainrule.plots.figure import BLUE, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["LR", "START", "path", "sgd_step"]

LR, START, STEPS = 0.3, (-1.7, 1.8), 7


def path() -> tuple[Array, Array]:
    """The points that SGD visits on L(W) from the start, and the gradient at each of them."""
    W, optimizer = np.array(START), SGD(lr=LR)
    points, gradients = [W.copy()], []
    for _step in range(STEPS):
        gradient = field(W)
        optimizer.update([W], [gradient])
        gradients.append(gradient)
        points.append(W.copy())
    return np.array(points), np.array(gradients)


def sgd_step(lang: str) -> Figure:
    """The path of SGD on the surface and from above, with the first step in numbers."""
    points, gradients = path()
    plot, (left, right) = new_plot(10.6, 4.6, "3d", "plain", width_ratios=(1.12, 1))
    _above(left, points)
    _map(right, points, gradients, lang)
    return plot


def _grid() -> tuple[Array, Array]:
    side = np.linspace(-2.1, 2.1, 61)
    grid = np.stack(np.meshgrid(side, side), axis=-1)
    return grid, surface(grid)


def _above(ax: Any, points: Array) -> None:
    grid, height = _grid()
    ax.plot_surface(
        grid[..., 0],
        grid[..., 1],
        height,
        cmap="cividis",
        alpha=0.55,
        linewidth=0,
        antialiased=True,
    )
    z = surface(points) + 0.06
    ax.plot(
        points[:, 0], points[:, 1], z, "o-", color=ORANGE, linewidth=2.0, markersize=5, zorder=10
    )
    ax.view_init(elev=38, azim=-58)
    ax.set(xlabel="$w_0$", ylabel="$w_1$")
    ax.text(2.4, 2.4, 7.4, "$L$", fontsize=11)  # above its axis, to stay clear of the map
    ax.tick_params(labelsize=7)
    ax.set_box_aspect((1, 1, 0.75), zoom=1.05)
    ax.set_in_layout(False)  # its layout box is too large, and would push the map out of the figure


def _map(ax: Axes, points: Array, gradients: Array, lang: str) -> None:
    across, up = np.linspace(-3.4, 1.6, 101), np.linspace(-1.6, 3.0, 93)
    grid = np.stack(np.meshgrid(across, up), axis=-1)
    ax.contour(
        across, up, surface(grid), levels=np.arange(0.25, 14, 0.75), cmap="cividis", linewidths=0.8
    )
    arrow = {"arrowstyle": "-|>", "lw": 2.2, "mutation_scale": 14, "shrinkA": 0, "shrinkB": 0}
    for here, there in pairwise(points):
        ax.annotate("", there, here, arrowprops=arrow | {"color": ORANGE}, zorder=5)
    ax.plot(points[:, 0], points[:, 1], "o", color=ORANGE, markersize=5, zorder=6)
    first, g = points[0], gradients[0]
    ax.annotate("", first + LR * g, first, arrowprops=arrow | {"color": BLUE, "lw": 2.8}, zorder=4)
    slope, step = (", ".join(figure(v) for v in vector) for vector in (g, points[1] - first))
    words = _("η × gradient, uphill").said(lang)
    note(
        ax,
        first + LR * g,
        f"∂L/∂W = ({slope})\n{words}",
        dx=-24,
        dy=-58,
        ha="left",
        color=BLUE,
        bbox=WHITE,
    )
    note(
        ax, (first + points[1]) / 2, f"−η ∂L/∂W = ({step})", dx=10, dy=12, ha="left",
        color=ORANGE, bbox=WHITE,
    )  # fmt: skip
    ax.set(xlabel="$w_0$", ylabel="$w_1$", aspect="equal", xlim=(-3.4, 1.6), ylim=(-1.6, 3.0))
    ax.grid(visible=False)
    ax.set_title(f"W ← W − η ∂L/∂W,  η = {LR}", fontsize=12)
