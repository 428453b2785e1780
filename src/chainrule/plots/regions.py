"""Decision regions: a network's prediction at every point of the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.atomic_write import Pathish
from chainrule.drawing.saving import check_path
from chainrule.errors import DataError, ShapeError
from chainrule.graph.variable import Array
from chainrule.lang.messages import _
from chainrule.layers.losses import Loss
from chainrule.plots.figure import (
    MARKERS,
    PALETTE,
    finish,
    labels_of,
    new_axes,
    nice_levels,
)
from chainrule.settings import language

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_regions"]


POINTS = 301


def draw_regions(
    network: Any,
    x: npt.ArrayLike,
    t: npt.ArrayLike,
    path: Pathish | None = None,
    ax: Axes | None = None,
    *,
    names: Sequence[object] | None = None,
    lang: str | None = None,
) -> Figure:
    """A network's prediction at every point of the plane, with the samples x (N, 2) on it.

    For a classifier, each point has the colour of its class, stronger for a higher probability,
    with lines where the class changes; t: class ids, one-hot rows, or 0 and 1. Otherwise the value
    of the single output is shown by a colour scale, which also holds for the samples' targets.
    `names`: the names of the classes. `lang`: "en" or "zh"; None: the language of CHAINRULE_LANG,
    else English.

    >>> import chainrule as cr
    >>> x, t = cr.datasets.spiral()
    >>> figure = cr.draw_regions(cr.TwoLayerNet(2, 10, 3), x, t)
    """
    lang = language(lang)
    check_path(path, lang=lang)
    x, t = np.asarray(x), np.asarray(t)
    if x.ndim != 2 or x.shape[1] != 2:
        raise DataError(
            _("decision regions need two features, x of shape (N, 2); got {shape}.", shape=x.shape)
        )
    if len(t) != len(x):
        raise ShapeError(
            _(
                "x has {rows} rows and t has {targets}; every row needs one target.",
                rows=len(x),
                targets=len(t),
            )
        )
    bad = np.flatnonzero(~np.isfinite(x).all(axis=1))
    if len(bad):
        raise DataError(
            _(
                "a plane has finite places only; row {row} of x is {values}, and {bad} of {rows} rows"
                " are not finite. Leave such rows out.",
                row=bad[0],
                values=x[bad[0]].tolist(),
                bad=len(bad),
                rows=len(x),
            )
        )
    ax = new_axes(ax, 4.9, 4.4)
    ax.grid(visible=False)
    u, v = _sides(x)
    plane = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
    loss = getattr(network, "loss", None)
    if isinstance(loss, Loss) and loss.target == "values":
        _heights(ax, network, x, t, (u, v), plane, lang)
    else:
        _classes(ax, network, x, t, (u, v), plane, names)
    ax.set_aspect("equal" if 0.2 < np.ptp(u) / np.ptp(v) < 5 else "auto")
    return finish(ax.figure, path)


def _sides(x: Array) -> tuple[Array, Array]:
    """The grid's coordinates along both axes: the range of the samples with a margin."""
    low, high = x.min(axis=0).astype(float), x.max(axis=0).astype(float)
    margin = np.where(high > low, 0.08 * (high - low), 1.0)
    sides = np.linspace(low - margin, high + margin, POINTS)
    return sides[:, 0], sides[:, 1]


def _heights(
    ax: Axes, network: Any, x: Array, t: Array, sides: tuple[Array, Array], plane: Array, lang: str
) -> None:
    """Draw the network's value at every point as a colour."""
    y = np.asarray(network.predict(plane))
    if y.size != len(plane):
        raise ShapeError(
            _(
                "a map of values needs a network with one output; this one gives {shape} a row.",
                shape=y.shape[1:],
            )
        )
    y, t = y.reshape(POINTS, POINTS), t.reshape(len(x))
    low, high = float(min(y.min(), t.min())), float(max(y.max(), t.max()))
    levels = nice_levels(low, high, 24)
    shades = ax.contourf(*sides, y, levels, cmap="cividis", vmin=low, vmax=high)
    ax.contour(*sides, y, levels[::3], colors="white", linewidths=0.5, alpha=0.5)
    ax.scatter(
        x[:, 0],
        x[:, 1],
        c=t,
        s=18,
        vmin=low,
        vmax=high,
        cmap="cividis",
        edgecolors="black",
        linewidths=0.5,
    )
    bar = ax.figure.colorbar(shades, ax=ax, label=_("output; the samples: target").said(lang))
    bar.set_ticks(levels[::3].tolist())


def _classes(
    ax: Axes,
    network: Any,
    x: Array,
    t: Array,
    sides: tuple[Array, Array],
    plane: Array,
    names: Sequence[object] | None,
) -> None:
    """Draw the class of every point as a colour, and its probability as the colour's strength."""
    t = t.argmax(axis=1) if t.ndim == 2 and t.shape[1] > 1 else t.reshape(len(x)).astype(int)
    ids, sure = _answers(network, plane)
    classes = int(max(ids.max(), t.max())) + 1
    if names is not None:
        if len(names) < classes:
            raise ShapeError(
                _(
                    "{n} names were given, and there is a class {last}, counted from 0. Name every class.",
                    n=len(names),
                    last=classes - 1,
                )
            )
        classes = len(names)
    image = np.ones((len(plane), 4))
    colours = np.array([_rgb(PALETTE[i % len(PALETTE)]) for i in range(classes)])
    image[:, :3] = colours[ids]
    least = 1 / max(classes, 2)
    image[:, 3] = 0.06 + 0.34 * np.clip((sure - least) / (1 - least), 0, 1)
    u, v = sides
    half_u, half_v = (u[1] - u[0]) / 2, (v[1] - v[0]) / 2
    extent = (u[0] - half_u, u[-1] + half_u, v[0] - half_v, v[-1] + half_v)
    ax.imshow(
        image.reshape(POINTS, POINTS, 4), origin="lower", extent=extent, interpolation="bilinear"
    )
    for k in np.unique(ids)[1:]:
        inside = (ids == k).astype(float).reshape(POINTS, POINTS)
        ax.contour(u, v, inside, levels=[0.5], colors="0.35", linewidths=0.6)
    labels = None if names is None else labels_of(names)
    for k in range(classes):
        if (t == k).any():
            ax.scatter(
                x[t == k, 0], x[t == k, 1], s=16, marker=MARKERS[k % len(MARKERS)],
                color=PALETTE[k % len(PALETTE)], linewidths=0.9,
                label=None if labels is None else labels[k],
            )  # fmt: skip
    if names is not None:
        ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)


def _answers(network: Any, plane: Array) -> tuple[Array, Array]:
    """The class id of every point, and its probability (1 if the network gives none)."""
    if not isinstance(getattr(network, "loss", None), Loss):
        scores = np.asarray(network.predict(plane))
        single = scores.ndim < 2 or scores.shape[1] == 1
        ids = (scores.reshape(-1) > 0).astype(int) if single else scores.argmax(axis=1)
        return ids, np.ones(len(plane))
    ids, shares = network.classify(plane), network.predict_proba(plane)
    if ids.ndim > 1:
        raise ShapeError(
            _(
                "decision regions need one answer a point; this network gives {n} yes-or-no answers.",
                n=ids.shape[1],
            )
        )
    if network.loss.target == "binary":
        yes = shares.reshape(-1)
        return ids, np.where(ids == 1, yes, 1 - yes)
    return ids, shares.max(axis=1)


def _rgb(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(colour)
