"""Partial dependence, a panel for each column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.atomic_write import Pathish
from chainrule.drawing.saving import check_path
from chainrule.errors import SettingError, shown
from chainrule.explaining import PartialDependence
from chainrule.explaining.cells import day_text
from chainrule.lang.messages import _
from chainrule.plots.figure import (
    BLUE,
    DASHES,
    PALETTE,
    finish,
    label_of,
    labels_of,
    new_figure,
    whole_ticks,
)
from chainrule.settings import language

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_partial_dependence"]

Array = npt.NDArray[Any]
#: Panels beside each other; how many classes, categories and rows are drawn.
ACROSS, CLASSES, CATEGORIES, LINES = 3, 4, 12, 60
MARGIN = 0.02
#: The mark of each class where the values are texts.
DOTS = "os^D"


def draw_partial_dependence(
    dependence: PartialDependence | Sequence[PartialDependence],
    path: Pathish | None = None,
    *,
    names: Sequence[object] | None = None,
    target: object = "",
    lang: str | None = None,
) -> Figure:
    """The mean answer for each value of a column (`cr.partial_dependence`), a panel for each column.

    For classes their probabilities: of two the second, of many the four that change most; `names` are
    all of their labels, such as `preparation.classes`. With `lines` kept, and one answer a row, up to
    60 rows are drawn, too. `target` is the name of the quantity of a regression. `lang`: "en" or
    "zh"; None: the language of CHAINRULE_LANG, else English.

    >>> import chainrule as cr, numpy as np
    >>> found = cr.PartialDependence("age", "number", np.array([1.0, 2.0]), np.array([0.3, 0.7]))
    >>> figure = cr.draw_partial_dependence(found, target="height")
    """
    lang = language(lang)
    check_path(path, lang=lang)
    panels = [dependence] if isinstance(dependence, PartialDependence) else list(dependence)
    if not panels or not all(isinstance(one, PartialDependence) for one in panels):
        raise SettingError(
            _(
                "Drawn is what cr.partial_dependence gives, one or several; got {given}.",
                given=shown(dependence),
            )
        )
    across = min(ACROSS, len(panels))
    down = -(-len(panels) // across)
    figure, axes = new_figure(across, width=3.15 * across, height=2.7 * down, rows=down)
    classes = _classes(panels)
    limits = _limits(panels, classes)
    for ax, one in zip(axes, panels, strict=False):
        _panel(ax, one, classes, lang)
        ax.set(ylim=limits, xlabel=label_of(one.column, 30))
    for ax in axes[len(panels) :]:
        ax.remove()
    for ax in axes[: len(panels) : across]:
        ax.set_ylabel(_what(classes, names, target, lang))
    for i, ax in enumerate(axes[: len(panels)]):
        if i % across:
            ax.tick_params(labelleft=False)
    if classes is not None:
        _in_percent(axes[: len(panels) : across])
    if classes is not None and len(classes) > 1:
        labels = labels_of([names[k] if names else k for k in classes], 18)
        figure.legend(
            _samples(len(labels), panels), labels, loc="outside upper center", ncols=len(labels),
            frameon=False, handlelength=3,
        )  # fmt: skip
    return finish(figure, path)


def _samples(count: int, panels: Sequence[PartialDependence]) -> list[Any]:
    """A line or a mark of each class for the legend, as the panels have them."""
    from matplotlib.lines import Line2D

    kinds = {one.kind == "text" for one in panels}
    styles: list[Any] = list(DASHES) if False in kinds else [""] * len(DASHES)
    return [
        Line2D(
            [], [], color=PALETTE[k], linestyle=styles[k % len(styles)],
            marker=DOTS[k] if True in kinds else "", markersize=6, linewidth=1.8,
        )
        for k in range(count)
    ]  # fmt: skip


def _classes(panels: Sequence[PartialDependence]) -> list[int] | None:
    """The classes to draw: of two the second, of many those that change most; None for values."""
    if panels[0].mean.ndim == 1:
        return None
    count = panels[0].mean.shape[1]
    if count == 2:
        return [1]
    change = np.max([np.ptp(one.mean, axis=0) for one in panels], axis=0)
    return sorted(np.argsort(-change, kind="stable")[:CLASSES].tolist())


def _curves(one: PartialDependence, classes: list[int] | None) -> Array:
    """The curves of a panel (G, curves)."""
    return one.mean[:, None] if classes is None else one.mean[:, classes]


def _rows(one: PartialDependence, classes: list[int] | None) -> Array | None:
    """The lines of rows (rows, G) that are drawn, evenly taken; None for several classes."""
    if one.lines is None or (classes is not None and len(classes) > 1):
        return None
    lines = one.lines if classes is None else one.lines[:, :, classes[0]]
    chosen = np.linspace(0, len(lines) - 1, min(LINES, len(lines))).astype(int)
    return np.asarray(lines[chosen])


def _limits(panels: Sequence[PartialDependence], classes: list[int] | None) -> tuple[float, float]:
    """The same limits for all panels, so that they can be compared."""
    drawn = [_curves(one, classes) for one in panels]
    drawn += [lines for one in panels if (lines := _rows(one, classes)) is not None]
    low, high = (float(f([f(a) for a in drawn])) for f in (np.min, np.max))
    if classes is not None:
        low, high = min(low, 0.0), max(high, 1.0) if high > 0.6 else high
    margin = MARGIN * (high - low) or 1.0
    return low - margin, high + margin


def _panel(ax: Axes, one: PartialDependence, classes: list[int] | None, lang: str) -> None:
    curves = _curves(one, classes)
    if one.kind == "text":
        _dots(ax, one, curves, lang)
        return
    for k, values in enumerate(curves.T):
        ax.plot(
            one.grid, values, color=PALETTE[k], linewidth=1.8, linestyle=DASHES[k % len(DASHES)],
            marker="o" if len(one.grid) == 1 else "", zorder=3,
        )  # fmt: skip
    if (rows := _rows(one, classes)) is not None:
        ax.plot(one.grid, rows.T, color=BLUE, linewidth=0.5, alpha=0.22, zorder=1)
    if one.kind == "date":
        days = np.linspace(float(one.grid[0]), float(one.grid[-1]), 3).round()
        ax.set_xticks(days, [day_text(day) for day in days], fontsize=8)
    elif (one.grid == np.round(one.grid)).all():
        whole_ticks(ax.xaxis, 5)
    else:
        ax.locator_params(axis="x", nbins=5)


def _dots(ax: Axes, one: PartialDependence, curves: Array, lang: str) -> None:
    """The answers for texts, which have no order: those with the largest first."""
    order = np.argsort(-curves[:, 0], kind="stable")[:CATEGORIES]
    places, count = np.arange(len(order)), curves.shape[1]
    for k in range(count):
        beside = 0.12 * (k - (count - 1) / 2)  # equal answers stay apart
        ax.plot(
            places + beside, curves[order, k], color=PALETTE[k], linestyle="", markersize=6,
            marker=DOTS[k], zorder=3,
        )  # fmt: skip
    texts = [str(one.grid[i]) or _("(missing)").said(lang) for i in order]
    steep = len(texts) > 3
    ax.set_xticks(
        places, labels_of(texts, 12), rotation=45 if steep else 0, ha="right" if steep else "center"
    )
    ax.set_xlim(-0.5, len(texts) - 0.5)


def _what(
    classes: list[int] | None, names: Sequence[object] | None, target: object, lang: str
) -> str:
    if classes is None:
        return label_of(target) if target else _("mean answer").said(lang)
    if len(classes) > 1:
        return _("probability").said(lang)
    label = label_of(names[classes[0]] if names else classes[0], 18)
    return _("probability of {name}", name=label).said(lang)


def _in_percent(axes: Sequence[Axes]) -> None:
    from matplotlib.ticker import PercentFormatter

    for ax in axes:
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
