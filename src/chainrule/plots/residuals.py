"""Residuals: the differences between a regression's predictions and the true values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from chainrule.atomic_write import Pathish
from chainrule.drawing.saving import check_path
from chainrule.errors import DataError, ShapeError
from chainrule.lang.messages import _
from chainrule.plots.figure import BLUE, ORANGE, finish, label_of, new_figure
from chainrule.settings import language

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_residuals"]

#: Above this many points, they are rasterised in SVG and PDF, to keep the files small.
MANY_POINTS = 2000


def draw_residuals(
    y: npt.ArrayLike,
    t: npt.ArrayLike,
    name: object = "",
    path: Pathish | None = None,
    *,
    lang: str | None = None,
) -> Figure:
    """Predictions y against true values t, both of N numbers; and a histogram of the residuals y - t.

    Points on the line are exact. `name` is the name of the quantity. `lang`: "en" or "zh"; None:
    the language of CHAINRULE_LANG, else English.

    >>> import chainrule as cr
    >>> figure = cr.draw_residuals([1.0, 2.1], [1.1, 1.9], "price")
    """
    lang = language(lang)
    check_path(path, lang=lang)
    predicted, true = np.asarray(y, dtype=float).ravel(), np.asarray(t, dtype=float).ravel()
    if predicted.shape != true.shape or not predicted.size:
        raise ShapeError(
            _(
                "{answers} answers do not go with {truths} truths, one each.",
                answers=predicted.size,
                truths=true.size,
            )
        )
    bad = np.flatnonzero(~np.isfinite(predicted) | ~np.isfinite(true))
    if len(bad):
        i = int(bad[0])
        raise DataError(
            _(
                "residuals are drawn of finite numbers; row {row} has the answer {answer:g} and the truth"
                " {truth:g}, and {bad} of {rows} rows are not finite. Leave such rows out.",
                row=i,
                answer=predicted[i],
                truth=true[i],
                bad=len(bad),
                rows=len(true),
            )
        )
    figure, (left, right) = new_figure(2, width=9.6, height=3.9)
    ends = min(predicted.min(), true.min()), max(predicted.max(), true.max())
    left.plot(ends, ends, color=ORANGE, linewidth=1.2)
    left.plot(
        true, predicted, "o", color=BLUE, markersize=3.5, alpha=0.6, markeredgewidth=0,
        rasterized=len(true) > MANY_POINTS,
    )  # fmt: skip
    xlabel, ylabel = _("true"), _("said")
    if name:
        what = label_of(name)
        xlabel, ylabel = _("{quantity}, true", quantity=what), _("{quantity}, said", quantity=what)
    left.set(xlabel=xlabel.said(lang), ylabel=ylabel.said(lang))
    residuals = predicted - true
    bins = int(np.clip(np.sqrt(len(residuals)), 5, 50))
    counts, edges = np.histogram(residuals, bins)
    right.stairs(counts, edges, fill=True, facecolor=BLUE, alpha=0.6)
    right.axvline(0, color=ORANGE, linewidth=1.2)
    right.set(xlabel=_("said − true").said(lang), ylabel=_("rows").said(lang))
    left.locator_params(nbins=6)
    right.locator_params(axis="x", nbins=5)
    return finish(figure, path)
