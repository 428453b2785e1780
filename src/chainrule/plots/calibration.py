"""The reliability diagram: whether probabilities come true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainrule.atomic_write import Pathish
from chainrule.drawing.saving import check_path
from chainrule.lang.messages import _
from chainrule.plots.figure import BLUE, ORANGE, finish, new_figure
from chainrule.settings import language
from chainrule.training import CalibrationCurve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_calibration"]

#: A dot's area for a bin with all of the rows, and the least.
LARGE, SMALL = 220.0, 14.0


def draw_calibration(
    curve: CalibrationCurve, path: Pathish | None = None, *, lang: str | None = None
) -> Figure:
    """A reliability diagram of `cr.calibration_curve`: how often what was said came true.

    Each dot is a bin of probabilities, the larger the more rows are in it; on the straight line
    probabilities come true as often as they say. Whiskers are two standard errors of the share, what
    chance alone can move it by. `lang`: "en" or "zh"; None: the language of CHAINRULE_LANG, else
    English.

    >>> import chainrule as cr
    >>> curve = cr.calibration_curve([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 0], bins=2)
    >>> figure = cr.draw_calibration(curve)
    """
    lang = language(lang)
    check_path(path, lang=lang)
    figure, (ax,) = new_figure(width=4.4, height=4.2)
    ax.plot((0, 1), (0, 1), color=ORANGE, linewidth=1.2)
    # A share of 0 or 1 has a spread, too: that of one row more on the other side.
    middle = (curve.came_true * curve.rows + 1) / (curve.rows + 2)
    spread = 2 * np.sqrt(middle * (1 - middle) / curve.rows)
    low = np.minimum(spread, curve.came_true)
    high = np.minimum(spread, 1 - curve.came_true)
    ax.errorbar(
        curve.said, curve.came_true, yerr=(low, high), fmt="none", ecolor=BLUE, elinewidth=0.9,
        alpha=0.5,
    )  # fmt: skip
    ax.plot(curve.said, curve.came_true, color=BLUE, linewidth=1.2, alpha=0.7)
    shares = curve.rows / curve.rows.sum()
    ax.scatter(
        curve.said, curve.came_true, s=SMALL + LARGE * shares, color=BLUE, linewidths=0, zorder=3,
        clip_on=False,
    )  # fmt: skip
    ax.set(
        xlim=(0, 1), ylim=(0, 1), aspect="equal",
        xlabel=_("probability that was said").said(lang), ylabel=_("how often it came true").said(lang),
    )  # fmt: skip
    from matplotlib.ticker import PercentFormatter

    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return finish(figure, path)
