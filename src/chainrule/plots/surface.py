"""The loss surface as contours and in 3-D, with the path of training on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.atomic_write import Pathish
from chainrule.drawing.saving import check_path
from chainrule.errors import NonFiniteError
from chainrule.lang.messages import _
from chainrule.layers.initial import Seed
from chainrule.plots.figure import (
    ORANGE,
    finish,
    new_axes,
    new_figure,
    nice_levels,
    tidy,
)
from chainrule.plots.landscape import LossSurface, Numbers, loss_surface
from chainrule.settings import language
from chainrule.training.trajectory import Trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_surface"]

#: A loss whose range exceeds this factor is shown on a logarithmic scale.
WIDE = 20


def draw_surface(
    network: Any,
    x: npt.ArrayLike,
    t: npt.ArrayLike,
    trajectory: Trajectory | None = None,
    path: Pathish | None = None,
    ax: Axes | None = None,
    *,
    directions: str | None = None,
    span: float = 1.0,
    points: int = 41,
    seed: Seed = 0,
    three_d: bool = False,
    lang: str | None = None,
) -> Figure:
    """The loss along two directions d₁, d₂ through the parameters θ, as contours: L(θ + a·d₁ + b·d₂).

    `directions`: "random" ones, normalised by filter so that pictures of different networks
    compare, from -span to span (Li, Xu, Taylor, Studer and Goldstein, "Visualizing the loss
    landscape of neural nets", 2018); or the two "principal" ones of the path of training, the
    default if a `trajectory` is given. The grid has `points` points a side, each with the loss on
    all of x, t. `three_d=True` shows the surface in 3-D beside the contours. The network is not
    changed. `lang`: "en" or "zh"; None: the language of CHAINRULE_LANG, else English.

    Raises:
        SettingError: principal directions without a trajectory.
        ShapeError: a trajectory of another network.

    >>> import chainrule as cr
    >>> x, t = cr.datasets.spiral()
    >>> figure = cr.draw_surface(cr.TwoLayerNet(2, 10, 3), x, t, points=5)
    """
    lang = language(lang)
    check_path(path, lang=lang)
    relief = None
    if three_d and ax is None:
        figure, (ax, beside) = new_figure(2, width=10.4, height=4.4)
        beside.remove()
        relief = figure.add_subplot(1, 2, 2, projection="3d", computed_zorder=False)
    ax = new_axes(ax, 5.6, 4.4)
    surface = loss_surface(
        network, x, t, trajectory, directions=directions, span=span, points=points, seed=seed
    )
    scale = _Scale(surface)
    _contours(ax, surface, scale, lang)
    if relief is not None:
        _relief(relief, surface, scale, lang)
    return finish(ax.figure, path)


class _Scale:
    """The colour scale of the losses, and the levels of the contour lines."""

    def __init__(self, surface: LossSurface) -> None:
        from matplotlib.colors import LogNorm, Normalize
        from matplotlib.ticker import LogLocator

        finite = surface.losses[np.isfinite(surface.losses)]
        if not finite.size:
            raise NonFiniteError(
                _("the loss is not finite anywhere in this plane. Give a smaller span.")
            )
        low, high = float(finite.min()), float(np.quantile(finite, 0.97))
        high = high if high > low else low + max(abs(low), 1.0) * 1e-6
        self.log = low > 0 and high / low > WIDE
        if self.log:
            self.levels = np.geomspace(low, high, 24)
            marks = np.asarray(LogLocator(subs=(1, 2, 5)).tick_values(low, high))
        else:
            self.levels = nice_levels(low, high, 20)
            marks = nice_levels(low, high, 6)
        self.marks = marks[(low <= marks) & (marks <= high)]
        self.norm: Normalize = LogNorm(low, high) if self.log else Normalize(low, high)
        self.shown = np.where(np.isfinite(surface.losses), surface.losses, finite.max())


def _contours(ax: Axes, surface: LossSurface, scale: _Scale, lang: str) -> None:
    tidy(ax)
    ax.grid(visible=False)
    shades = ax.contourf(
        surface.a,
        surface.b,
        scale.shown,
        scale.levels,
        cmap="cividis",
        norm=scale.norm,
        extend="max",
    )
    lines = ax.contour(
        surface.a, surface.b, scale.shown, scale.marks, colors="white", linewidths=0.6, alpha=0.7
    )
    ax.clabel(lines, fmt=lambda v: f"{v:.3g}", fontsize=7)
    bar = ax.figure.colorbar(shades, ax=ax, label=_("loss").said(lang))
    bar.set_ticks(scale.marks.tolist(), labels=[f"{v:.3g}" for v in scale.marks])
    bar.minorticks_off()
    if surface.path is not None:
        _path(ax, surface.path, lang)
    ax.plot(0, 0, "*", color="white", markersize=13, markeredgecolor="black", zorder=6)
    names = [_("first direction"), _("second direction")]
    if surface.shares is not None:
        names = [
            _("{which} ({part:.0%} of the path)", which=name, part=share)
            for name, share in zip(names, surface.shares, strict=True)
        ]
    ax.set(xlabel=names[0].said(lang), ylabel=names[1].said(lang))
    ax.locator_params(nbins=6)
    ax.set(xlim=(surface.a[0], surface.a[-1]), ylim=(surface.b[0], surface.b[-1]))


def _path(ax: Axes, path: Numbers, lang: str) -> None:
    from matplotlib.patheffects import Normal, Stroke

    edge = [Stroke(linewidth=3.0, foreground="white"), Normal()]
    ax.plot(*path.T, color=ORANGE, linewidth=1.5, zorder=4, path_effects=edge)
    ax.plot(*path.T, ".", color=ORANGE, markersize=4, zorder=5)
    ax.plot(*path[0], "o", color=ORANGE, markersize=8, markeredgecolor="white", zorder=6)
    ax.annotate(
        _("start").said(lang), path[0], xytext=(8, 6), textcoords="offset points", fontsize=9,
        color="white", path_effects=[Stroke(linewidth=2.2, foreground="black"), Normal()], zorder=7,
    )  # fmt: skip


def _relief(ax: Any, surface: LossSurface, scale: _Scale, lang: str) -> None:
    """Draw the surface in 3-D, cut off at the highest colour level."""
    from matplotlib import colormaps

    top = scale.levels[-1]
    height = np.minimum(scale.shown, top)
    shades = colormaps["cividis"](scale.norm(height))
    height = np.log10(height) if scale.log else height
    a, b = np.meshgrid(surface.a, surface.b)
    ax.plot_surface(
        a, b, height, facecolors=shades, rstride=1, cstride=1,
        linewidth=0, antialiased=False, shade=False,
    )  # fmt: skip
    if surface.path is not None:
        path_height = _height_at(surface, height, surface.path)
        ax.plot(*surface.path.T, path_height, color=ORANGE, linewidth=1.8, zorder=10)
        ax.plot(
            *surface.path[0], path_height[0], "o", color=ORANGE, markeredgecolor="white", zorder=11
        )
    center = _height_at(surface, height, np.zeros((1, 2)))
    ax.plot(0, 0, center, "*", color="white", markersize=11, markeredgecolor="black", zorder=11)
    ax.view_init(elev=36, azim=-60)
    ax.set_box_aspect((1, 1, 0.7), zoom=0.82)
    ax.tick_params(labelsize=7, pad=0)
    ax.set(
        xlabel=_("first direction").said(lang),
        ylabel=_("second direction").said(lang),
        zlabel=(_("log₁₀ loss") if scale.log else _("loss")).said(lang),
    )
    ax.locator_params(nbins=5)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.label.set_size(9)
        axis.labelpad = 5
        axis.set_pane_color((1, 1, 1, 0))


def _height_at(surface: LossSurface, height: Numbers, points: Numbers) -> Numbers:
    """The height of the surface at points (n, 2), by bilinear interpolation."""
    cells, fractions = [], []
    for k, side in enumerate((surface.a, surface.b)):
        position = (points[:, k] - side[0]) / (side[1] - side[0])
        cell = np.clip(np.floor(position).astype(int), 0, len(side) - 2)
        cells.append(cell)
        fractions.append(position - cell)
    (j, i), (u, v) = cells, fractions
    low = (1 - u) * height[i, j] + u * height[i, j + 1]
    high = (1 - u) * height[i + 1, j] + u * height[i + 1, j + 1]
    return np.asarray((1 - v) * low + v * high)
