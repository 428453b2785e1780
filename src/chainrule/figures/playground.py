"""A small network as TensorFlow Playground shows it: the output of every unit, and every weight."""

from __future__ import annotations

import functools
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from chainrule.datasets import circles
from chainrule.figures.common import figure
from chainrule.figures.plots import new_plot
from chainrule.graph.variable import Array
from chainrule.lang.messages import _, _p
from chainrule.layers import Affine, SigmoidWithLoss, Tanh
from chainrule.networks import Sequential
from chainrule.optimizers import SGD
from chainrule.plots.figure import BLUE, ORANGE
from chainrule.training import Trainer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["SIZES", "activations", "playground", "trained"]

#: Two inputs, hidden layers of 4 and 2 with tanh, one output: as in the chapter's link.
SIZES = (2, 4, 2, 1)
#: The tiles show the plane from −SPAN to SPAN.
SPAN = 1.35


@functools.cache
def trained() -> tuple[Sequential, Array, Array]:
    """The network after training on two circles, and the data."""
    x, t = circles(noise=0.08, seed=4)
    layers: list[Affine | Tanh] = []
    for a, b in pairwise(SIZES):
        layers += [Affine.sized(a, b, dtype=np.float64), Tanh()]
    net = Sequential(*layers[:-1], loss=SigmoidWithLoss(), seed=3)
    trainer = Trainer(net, SGD(lr=0.3), engine="numpy")
    trainer.fit(x, t, 120, 10, progress=None)
    return net, x, t


def activations(points: Array) -> list[Array]:
    """The outputs of every column of units at these points: inputs, hidden layers, output."""
    net = trained()[0]
    columns = [points]
    out = points
    for layer in net.layers:
        out = layer.forward(out)
        if isinstance(layer, Tanh):
            columns.append(out)
    return [*columns, 1 / (1 + np.exp(-out))]


def playground(lang: str) -> Figure:
    """Units as small maps of the plane; weights as lines, thick if large, dashed if negative."""
    plot, (ax,) = new_plot(9.6, 4.9, "plain")
    ax.set_axis_off()
    side = np.linspace(-SPAN, SPAN, 61)
    points = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    columns = [column.reshape(61, 61, -1) for column in activations(points)]
    positions = [_positions(k, column.shape[-1]) for k, column in enumerate(columns)]
    net, x, t = trained()
    weights = [layer.W for layer in net.layers if isinstance(layer, Affine)]
    largest = max(float(np.abs(W).max()) for W in weights)
    for k, W in enumerate(weights):
        for i, j in np.ndindex(W.shape):
            _weight(ax, positions[k][i], positions[k + 1][j], float(W[i, j]), largest)
    for k, column in enumerate(columns):
        for i, (px, py) in enumerate(positions[k]):
            last = k == len(columns) - 1
            shown = 2 * column[..., i] - 1 if last else column[..., i]
            _tile(ax, px, py, _size(k), shown)
    px, py = positions[-1][0]
    scale = _size(len(columns) - 1) / SPAN
    for label, marker, colour in ((0, "o", BLUE), (1, "^", ORANGE)):
        at = px + scale * x[t == label, 0], py + scale * x[t == label, 1]
        ax.plot(
            *at,
            marker,
            color=colour,
            markersize=3.2,
            markeredgecolor="white",
            markeredgewidth=0.4,
            zorder=5,
        )
    _captions(ax, lang, positions, largest)
    ax.set(xlim=(-0.75, 7.75), ylim=(-2.6, 2.25), aspect="equal")
    return plot


def _size(k: int) -> float:
    """Half the side of a tile."""
    return 1.25 if k == len(SIZES) - 1 else 0.42


def _positions(k: int, n: int) -> list[tuple[float, float]]:
    """The positions of the units of a column, from the top."""
    x = (0.0, 2.0, 4.0, 6.4)[k]
    return [(x, 1.06 * ((n - 1) / 2 - i)) for i in range(n)]


def _tile(ax: Axes, x: float, y: float, half: float, shown: Array) -> None:
    """Draw the output of a unit over the plane, with a thin line where it is 0."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("signed", [BLUE, "white", ORANGE])
    extent = (x - half, x + half, y - half, y + half)
    ax.imshow(
        shown, extent=extent, origin="lower", cmap=colours, vmin=-1.35, vmax=1.35, zorder=3,
        interpolation="bilinear",
    )  # fmt: skip
    side = np.linspace(-half, half, shown.shape[0])
    if shown.min() < 0 < shown.max():
        ax.contour(x + side, y + side, shown, levels=[0], colors="0.25", linewidths=0.7, zorder=4)
    frame = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]) * half
    ax.plot(x + frame[:, 0], y + frame[:, 1], color="black", linewidth=1.3, zorder=5)


def _weight(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], w: float, largest: float
) -> None:
    """Draw a weight as a line between two units."""
    near, far = start[0] + 0.42, end[0] - (1.25 if end[0] > 6 else 0.42)
    s = np.linspace(0, 1, 40)
    y = start[1] + (end[1] - start[1]) * (3 * s**2 - 2 * s**3)
    ax.plot(
        near + (far - near) * s, y, color=ORANGE if w > 0 else BLUE,
        linestyle="-" if w > 0 else (0, (2.5, 1)), linewidth=0.6 + 5 * abs(w) / largest, zorder=1,
        solid_capstyle="butt",
    )  # fmt: skip


def _captions(
    ax: Axes, lang: str, positions: list[list[tuple[float, float]]], largest: float
) -> None:
    titles = [
        _p("what goes in", "inputs").said(lang), _("4 units, tanh").said(lang),
        _("2 units, tanh").said(lang), _("output").said(lang),
    ]  # fmt: skip
    for k, text in enumerate(titles):
        ax.text(positions[k][0][0], 2.15, text, ha="center", va="bottom", fontsize=11)
    for i, (x, y) in enumerate(positions[0]):
        ax.text(x - 0.55, y, f"$x_{i + 1}$", ha="right", va="center", fontsize=13)
    legend = _(
        "lines are weights: solid +, dashed −, the thickest {largest}", largest=figure(largest, 3)
    )
    ax.text(0.0, -2.45, legend.said(lang), ha="left", va="center", fontsize=10, color="0.35")
    net, data, t = trained()
    right = float(np.mean(net.classify(data) == t))
    accuracy = _("{right:.0%} right", right=right)
    ax.text(positions[-1][0][0], -1.45, accuracy.said(lang), ha="center", va="top", fontsize=11)
