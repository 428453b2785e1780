"""Residuals: how far a regression's answers are from the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from chainrule.atomic_write import Pathish
from chainrule.drawing.saving import check_path
from chainrule.errors import DataError, ShapeError
from chainrule.lang.words import say
from chainrule.plots.figure import BLUE, ORANGE, finish, label_of, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_residuals"]

#: From so many points on they are kept as an image in SVG and PDF, which stay small.
MANY_POINTS = 2000


def draw_residuals(
    y: npt.ArrayLike,
    t: npt.ArrayLike,
    name: object = "",
    path: Pathish | None = None,
    *,
    lang: str = "en",
) -> Figure:
    """Answers y against truths t, both of N numbers; and how the residuals y - t are spread.

    Points on the line are right. `name` is that of the quantity.

    >>> import chainrule as cr
    >>> figure = cr.draw_residuals([1.0, 2.1], [1.1, 1.9], "price")
    """
    check_path(path, lang=lang)
    given, true = np.asarray(y, dtype=float).ravel(), np.asarray(t, dtype=float).ravel()
    if given.shape != true.shape or not given.size:
        raise ShapeError(f"{given.size} answers do not go with {true.size} truths, one each.")
    bad = np.flatnonzero(~np.isfinite(given) | ~np.isfinite(true))
    if len(bad):
        i = int(bad[0])
        raise DataError(
            f"residuals are drawn of finite numbers; row {i} has the answer {given[i]:g} and the truth"
            f" {true[i]:g}, and {len(bad)} of {len(true)} rows are not finite. Leave such rows out."
        )
    figure, (left, right) = new_figure(2, width=9.6, height=3.9)
    what = f"{label_of(name)}, " if name else ""
    ends = min(given.min(), true.min()), max(given.max(), true.max())
    left.plot(ends, ends, color=ORANGE, linewidth=1.2)
    left.plot(
        true, given, "o", color=BLUE, markersize=3.5, alpha=0.6, markeredgewidth=0,
        rasterized=len(true) > MANY_POINTS,
    )  # fmt: skip
    left.set(xlabel=what + say("true", lang), ylabel=what + say("said", lang))
    residuals = given - true
    bins = int(np.clip(np.sqrt(len(residuals)), 5, 50))
    counts, edges = np.histogram(residuals, bins)
    right.stairs(counts, edges, fill=True, facecolor=BLUE, alpha=0.6)
    right.axvline(0, color=ORANGE, linewidth=1.2)
    right.set(xlabel=say("said − true", lang), ylabel=say("rows", lang))
    left.locator_params(nbins=6)
    right.locator_params(axis="x", nbins=5)
    return finish(figure, path)
