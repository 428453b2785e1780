"""The confusion matrix, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from chainrule.atomic_write import Pathish
from chainrule.drawing.saving import check_path
from chainrule.errors import ShapeError
from chainrule.graph.variable import Array
from chainrule.lang.messages import _
from chainrule.plots.figure import BLUE, ORANGE, finish, labels_of, new_axes
from chainrule.settings import language

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_confusion"]

#: Counts and names of classes are written out for at most this many classes.
MANY = 30


def draw_confusion(
    counts: npt.ArrayLike,
    names: Sequence[object] | None = None,
    path: Pathish | None = None,
    ax: Axes | None = None,
    *,
    lang: str | None = None,
) -> Figure:
    """A confusion matrix (C, C) of `cr.confusion_matrix`: a row per true class, a column per prediction.

    A cell's colour is stronger the larger its share of its row: blue on the diagonal, where the
    predictions are right, orange elsewhere. `lang`: "en" or "zh"; None: the language of
    CHAINRULE_LANG, else English.

    >>> import chainrule as cr
    >>> counts = cr.confusion_matrix([0, 1, 1], [0, 0, 1], 2)
    >>> figure = cr.draw_confusion(counts, ["no", "yes"])
    """
    lang = language(lang)
    check_path(path, lang=lang)
    table = np.asarray(counts)
    classes = len(table)
    if table.shape != (classes, classes) or not classes:
        raise ShapeError(_("a confusion matrix is square; got shape {shape}.", shape=table.shape))
    if names is not None and len(names) != classes:
        raise ShapeError(
            _("{classes} classes came with {names} names.", classes=classes, names=len(names))
        )
    # Cells are large enough for the longest count in 7-point digits.
    longest = max(len(f"{count:,}") for count in table.flat) if classes <= MANY else 0
    side = max(min(max(0.4 * classes, 1.6), 8.5), 0.075 * longest * classes)
    ax = new_axes(ax, side + 1.6, side + 1.1)
    ax.imshow(_colours(table), aspect="equal")
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labelsize=8)
    ax.set(xlabel=_("what was said").said(lang), ylabel=_("what it is").said(lang))
    if classes <= MANY:
        labels = labels_of(names or range(classes), 16)
        steep = 90 if classes * max(map(len, labels)) > 45 else 0
        ax.set_xticks(range(classes), labels, rotation=steep)
        ax.set_yticks(range(classes), labels)
        ax.set_xticks(np.arange(1, classes) - 0.5, minor=True)
        ax.set_yticks(np.arange(1, classes) - 0.5, minor=True)
        ax.grid(which="minor", alpha=0.25, linewidth=0.6)
        ax.tick_params(which="minor", length=0)
        _numbers(ax, table)
    return finish(ax.figure, path)


def _shares(table: Array) -> npt.NDArray[np.float64]:
    """Each cell's share of its row."""
    return np.asarray(table / np.maximum(table.sum(axis=1, keepdims=True), 1), dtype=float)


def _colours(table: Array) -> npt.NDArray[np.float64]:
    from matplotlib.colors import to_rgb

    right = np.eye(len(table), dtype=bool)
    image = np.empty((*table.shape, 4))
    image[..., :3] = np.where(right[..., None], to_rgb(BLUE), to_rgb(ORANGE))
    shares = _shares(table)
    image[..., 3] = np.where(table > 0, 0.15 + 0.85 * np.sqrt(shares), 0)
    return image


def _numbers(ax: Axes, table: Array) -> None:
    size = 9 if len(table) <= 12 and table.max() < 1000 else 7
    strong = _shares(table) > 0.3
    for (i, j), count in np.ndenumerate(table):
        if count:
            ink = "white" if strong[i, j] else "black"
            ax.text(j, i, f"{count:,}", ha="center", va="center", fontsize=size, color=ink)
