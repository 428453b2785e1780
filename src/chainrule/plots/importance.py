"""Permutation importance, as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainrule.atomic_write import Pathish
from chainrule.drawing.saving import check_path
from chainrule.explaining import Importance
from chainrule.explaining.wording import LOST
from chainrule.plots.figure import BLUE, ORANGE, finish, labels_of, new_figure
from chainrule.settings import language, whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_importance"]


def draw_importance(
    importance: Importance,
    path: Pathish | None = None,
    *,
    most: int = 20,
    lang: str | None = None,
) -> Figure:
    """The importance of columns (`cr.permutation_importance`): a bar for each, its mean over the repeats.

    Each repeat is a dot, so that what is chance can be seen: of a column that tells nothing they lie on
    both sides of 0. At most `most` columns are drawn. `lang`: "en" or "zh"; None: the language of
    CHAINRULE_LANG, else English.

    >>> import chainrule as cr, numpy as np
    >>> lost = {"r2": np.array([[0.5, 0.6], [0.0, -0.1]])}
    >>> figure = cr.draw_importance(cr.Importance(("age", "height"), {"r2": 0.9}, lost, rows=40))
    """
    lang = language(lang)
    check_path(path, lang=lang)
    shown = min(len(importance.columns), whole(most, "most"))
    metric = importance.metric
    repeats = importance.lost[metric][:shown]
    figure, (ax,) = new_figure(width=6.8, height=0.27 * shown + 0.8)
    places = np.arange(shown)
    ax.barh(places, importance.mean[:shown], color=BLUE, alpha=0.55, height=0.62)
    ax.plot(
        repeats.T, np.broadcast_to(places, repeats.T.shape), "o", color=ORANGE, markersize=3,
        alpha=0.8, markeredgewidth=0,
    )  # fmt: skip
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_yticks(places, labels_of(importance.columns[:shown], 28))
    ax.set_ylim(shown - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.set_xlabel(LOST[metric].said(lang))
    if metric == "accuracy":
        from matplotlib.ticker import PercentFormatter

        wide = float(np.ptp([0.0, *repeats.flat])) > 0.06
        ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0 if wide else 1))
    ax.locator_params(axis="x", nbins=7)
    return finish(figure, path)
