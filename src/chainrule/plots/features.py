"""Features: the weights of each unit of a layer as an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.atomic_write import Pathish
from chainrule.drawing.saving import check_path
from chainrule.engine.naming import parameter_names
from chainrule.errors import SettingError, ShapeError, nearest, shown
from chainrule.graph.variable import Array
from chainrule.lang.messages import _
from chainrule.networks import Network
from chainrule.plots.figure import SIGNED, finish, labels_of, new_figure
from chainrule.settings import language, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

__all__ = ["draw_features", "image_shape", "mosaic"]

Shape = tuple[int, ...]

#: A heat map with at most this many inputs and units shows its numbers.
FEW = 16


def draw_features(
    network: Any,
    shape: Shape | None = None,
    path: Pathish | None = None,
    *,
    names: Sequence[object] | None = None,
    layer: str | None = None,
    most: int = 64,
    lang: str | None = None,
) -> Figure:
    """The weights W (D, H) of a layer, the first by default: one image for each of its H units.

    `shape` is the shape of an input as an image: (8, 8), (28, 28), (32, 32, 3) for colours. By
    default it is a square if D is the number of pixels of a square of at least 7×7. Otherwise, or
    if the inputs have `names`, W is drawn as one labelled heat map, with a row for each input and
    a column for each unit. If there are more than `most` units, those with the largest weights
    are drawn.

    All images share one scale: grey is 0, brighter is positive, darker is negative. In a colour
    image each channel is 0.5 + w / 2m, where m is the largest |w|. `lang`: "en" or "zh"; None:
    the language of CHAINRULE_LANG, else English.

    Raises:
        ShapeError: a shape that does not have D elements.
        SettingError: there is no layer with weights, or none of that name.

    >>> import chainrule as cr
    >>> net = cr.TwoLayerNet(64, 10, 10)
    >>> len(cr.draw_features(net).axes[0].images)
    10
    """
    lang = language(lang)
    check_path(path, lang=lang)
    name, W = weights_of(network, layer)
    inputs, units = W.shape
    chosen = _strongest(W, whole(most, "most"))
    if shape is None:
        shape = image_shape(inputs) if names is None else None
    elif math.prod(shape) != inputs or len(shape) not in (2, 3) or shape[2:] not in ((), (3,)):
        raise ShapeError(
            _(
                "shape={shape} does not fit {name}, which has {inputs} inputs: give (height, width) or"
                " (height, width, 3) with {inputs} numbers in all.",
                shape=shape,
                name=name,
                inputs=inputs,
            )
        )
    if names is not None and len(names) != inputs:
        raise ShapeError(
            _(
                "{name} has {inputs} inputs; {given} names were given.",
                name=name,
                inputs=inputs,
                given=len(names),
            )
        )
    if shape is None:
        figure = _heat_map(name, W, chosen, names, lang)
    else:
        figure = _images(name, W, chosen, shape, lang)
    if units > len(chosen):
        words = _(
            "the {count} of {total} units with the largest weights",
            count=len(chosen),
            total=units,
        )
        figure.axes[0].set_title(words.said(lang), fontsize=9, loc="left")
    return finish(figure, path)


def weights_of(network: Any, layer: str | None = None) -> tuple[str, Array]:
    """The name and the weight matrix (inputs, units) of a layer; the first one by default."""
    if isinstance(network, Network):
        names = parameter_names(network)
        matrices = {
            path: (names[p], p.data)
            for path, p in network.named_parameters().items()
            if p.data.ndim == 2
        }
    else:
        pairs = [(f"params[{i}]", p) for i, p in enumerate(network.params) if np.ndim(p) == 2]
        matrices = {name: (name, p) for name, p in pairs}
    if not matrices:
        raise SettingError(
            _(
                "{network} has no layer with a matrix of weights to draw.",
                network=type(network).__name__,
            )
        )
    if layer is None:
        return next(iter(matrices.values()))
    for path, (name, W) in matrices.items():
        if layer in (path, path.rpartition(".")[0], name):
            return name, W
    raise SettingError(
        _(
            "layer={layer} has no matrix of weights; {nearest}.",
            layer=shown(layer),
            nearest=nearest(layer, matrices),
        )
    )


def image_shape(inputs: int) -> Shape | None:
    """The shape of a square with this many pixels; None if there is none, or it is below 7×7.

    >>> image_shape(784), image_shape(30), image_shape(16)
    ((28, 28), None, None)
    """
    side = math.isqrt(inputs)
    return (side, side) if side >= 7 and side * side == inputs else None


def _strongest(W: Array, most: int) -> Array:
    """The indices of the `most` units with the largest weights, ascending."""
    strength = np.linalg.norm(W.astype(float), axis=0)
    return np.sort(np.argsort(-strength, kind="stable")[:most])


def _images(name: str, W: Array, chosen: Array, shape: Shape, lang: str) -> Figure:
    images = [W[:, j].reshape(shape) for j in chosen]
    # The 99 % quantile, so that a few large weights do not make the rest grey.
    largest = float(np.quantile(np.abs(W[:, chosen]), 0.99)) or 1.0
    if len(shape) == 3:
        largest = float(np.abs(W[:, chosen]).max()) or 1.0
        images = [0.5 + image / (2 * largest) for image in images]
    columns = math.ceil(math.sqrt(1.4 * len(images)))
    lines = math.ceil(len(images) / columns)
    figure, (ax,) = new_figure(width=0.72 * columns + 1.2, height=0.84 * lines + 0.3)
    image_artist = mosaic(
        ax, images, [str(j) for j in chosen], columns, cmap=SIGNED, limits=(-largest, largest)
    )
    if len(shape) == 2:
        label = _("weight in {name}", name=name).said(lang)
        clipped = np.abs(W[:, chosen]).max() > largest
        extend = "both" if clipped else "neither"
        figure.colorbar(
            image_artist, ax=ax, label=label, extend=extend, shrink=0.9, aspect=30, pad=0.02
        )
    return figure


def mosaic(
    ax: Axes,
    images: Sequence[Array],
    labels: Sequence[str],
    columns: int,
    *,
    cmap: str,
    limits: tuple[float, float],
) -> AxesImage:
    """Draw images in rows on one pair of axes, each with a label above it.

    The colour scale spans `limits`; images with colour channels ignore it. Returns the artist of
    the last image, for a colour bar.
    """
    height, width = images[0].shape[:2]
    gap, top = 0.08 * width, 0.24 * height
    for k, (image, label) in enumerate(zip(images, labels, strict=True)):
        x = (k % columns) * (width + gap)
        y = (k // columns) * (height + top)
        image_artist = ax.imshow(
            image, cmap=cmap, vmin=limits[0], vmax=limits[1], extent=(x, x + width, y + height, y)
        )
        ax.text(x, y - 0.03 * height, label, fontsize=7, va="bottom", clip_on=False)
    lines = math.ceil(len(images) / columns)
    ax.set(xlim=(0, columns * (width + gap) - gap), ylim=(lines * (height + top) - top, -top))
    ax.set_axis_off()
    return image_artist


def _heat_map(
    name: str, W: Array, chosen: Array, names: Sequence[object] | None, lang: str
) -> Figure:
    W = W[:, chosen]
    inputs, units = W.shape
    largest = float(np.abs(W).max()) or 1.0
    width = min(max(0.42 * units + 2.2, 4.0), 11)
    figure, (ax,) = new_figure(width=width, height=min(max(0.3 * inputs + 1.1, 2.4), 9))
    ax.grid(visible=False)
    image_artist = ax.imshow(W, cmap=SIGNED, vmin=-largest, vmax=largest, aspect="auto")
    if inputs <= 40:
        ax.set_yticks(range(inputs), labels_of(names or range(inputs)), fontsize=8)
    every = -(-units // 24)
    ax.set_xticks(range(0, units, every), [str(j) for j in chosen[::every]], fontsize=8)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlabel=_("unit").said(lang), ylabel="" if names else _("input").said(lang))
    if inputs <= FEW and units <= FEW:
        for (i, j), w in np.ndenumerate(W):
            text = f"{w:+.2f}".replace("-", "−")
            ink = "black" if w > 0.1 * largest else "white"
            ax.text(j, i, text, ha="center", va="center", fontsize=7, color=ink)
    label = _("weight in {name}", name=name).said(lang)
    figure.colorbar(image_artist, ax=ax, label=label, pad=0.02)
    return figure
