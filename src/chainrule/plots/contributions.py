"""What each column adds to the answer of a row, as bars from the baseline to the answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.atomic_write import Pathish
from chainrule.drawing.fonts import lay_out
from chainrule.drawing.saving import check_path
from chainrule.errors import ShapeError
from chainrule.explaining import Contributions
from chainrule.lang.messages import _, _n
from chainrule.plots.figure import BLUE, ORANGE, finish, label_of, labels_of, new_axes
from chainrule.settings import language, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

__all__ = ["draw_contributions"]

#: Pixels between a text and the edge of the axes, and how often the limits are moved to fit the texts.
EDGE, TURNS = 4, 30


def draw_contributions(
    explanation: Contributions,
    row: int = 0,
    path: Pathish | None = None,
    ax: Axes | None = None,
    *,
    cells: Sequence[str] | None = None,
    name: object = "",
    most: int = 10,
    lang: str | None = None,
) -> Figure:
    """What each column adds to the answer of a row of `cr.explain_rows`: blue bars raise it, orange lower it.

    Each bar begins where the one above it ends: the way goes from the baseline, the upper dotted
    line, to the answer, the lower one. Columns beyond `most` are one bar together, the last; `cells`
    are the row's cells as texts, in the order of `explanation.columns`; `name` is the name of the
    answer, for its axis. `lang`: "en" or "zh"; None:
    the language of CHAINRULE_LANG, else English.

    >>> import chainrule as cr, numpy as np
    >>> one = np.ones(1)
    >>> why = cr.Contributions(("a", "b"), np.array([[2.0, -1.0]]), one, 0 * one, None, None, "integrated",
    ...     "rows", one)
    >>> figure = cr.draw_contributions(why, cells=["17", "red"])
    """
    lang = language(lang)
    check_path(path, lang=lang)
    if not 0 <= row < len(explanation.value):
        raise ShapeError(
            _(
                "the explanation has {n} rows, 0 to {last}; got row={row}.",
                n=len(explanation.value),
                last=len(explanation.value) - 1,
                row=row,
            )
        )
    order = explanation.order(row)
    shown = order[: whole(most, "most")]
    sizes = [float(explanation.added[row, i]) for i in shown]
    labels = labels_of([explanation.columns[i] for i in shown], 24)
    if cells is not None:
        values = labels_of([cells[i] for i in shown], 14)
        labels = [f"{name} = {cell}" for name, cell in zip(labels, values, strict=True)]
    if len(order) > len(shown):
        sizes.append(float(explanation.added[row, order[len(shown) :]].sum()))
        count = len(order) - len(shown)
        labels.append(_n("{n} more column", "{n} more columns", count).said(lang))
    ax = new_axes(ax, 6.8, 0.3 * len(sizes) + 0.9)
    start, value = float(explanation.start[row]), float(explanation.value[row])
    begins = start + np.cumsum([0.0, *sizes[:-1]])
    places = np.arange(len(sizes))
    colours = [BLUE if size >= 0 else ORANGE for size in sizes]
    ax.barh(places, sizes, left=begins, color=colours, alpha=0.75, height=0.62)
    ends = begins + np.array(sizes)
    for i in places[:-1]:  # from the end of a bar to the next one
        ax.plot((ends[i], ends[i]), (i, i + 1), color="black", linewidth=0.6, zorder=0)
    for x in (start, value):
        ax.plot((x, x), (-0.6, len(sizes) - 0.62), color="black", linewidth=0.8, linestyle=":")
    digits = max(2 - math.floor(math.log10(max(map(abs, sizes)) or 1.0)), 0) if any(sizes) else 0
    texts = [
        _number(ax, end, i, size, min(digits, 9))
        for i, (end, size) in enumerate(zip(ends, sizes, strict=True))
    ]
    for x, y, word, up in (
        (start, -0.6, _("mean row"), True),
        (value, len(sizes) - 0.62, _("this row"), False),
    ):
        texts.append(
            ax.annotate(
                word.said(lang), (x, y), (0, 2 if up else -2), textcoords="offset points",
                va="bottom" if up else "top", ha="center", fontsize=8,
            )
        )  # fmt: skip
    ax.set_yticks(places, labels)
    ax.set_ylim(len(sizes), -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.locator_params(axis="x", nbins=7)
    ax.set_xlabel(label_of(name, 50))
    _make_room(ax, texts)
    return finish(ax.figure, path)


def _number(ax: Axes, end: float, i: int, size: float, digits: int) -> Annotation:
    """The number of bar i beside its end, in a box that no line shows through."""
    up = size >= 0
    text = f"{round(size, digits) + 0.0:+,.{digits}f}".replace("-", "−")
    return ax.annotate(
        text, (end, i), (3 if up else -3, 0), textcoords="offset points", fontsize=8.5,
        va="center", ha="left" if up else "right", zorder=4,
        bbox={"boxstyle": "square,pad=0.12", "fc": ax.get_facecolor(), "ec": "none"},
    )  # fmt: skip


def _make_room(ax: Axes, texts: Sequence[Annotation]) -> None:
    """Move the limits of x apart, so that no text reaches beyond the axes."""
    figure: Any = ax.figure
    low, high = ax.get_xlim()
    lay_out(figure, needed=False)
    wide = ax.get_window_extent().width - 2 * EDGE
    reach = [
        (text.xy[0], text.get_window_extent(), ax.transData.transform(text.xy)[0]) for text in texts
    ]
    for _turn in range(TURNS):  # what texts take grows with the limits
        unit = (high - low) / wide
        low = min(low, *(x - (at - box.x0) * unit for x, box, at in reach))
        high = max(high, *(x + (box.x1 - at) * unit for x, box, at in reach))
    edge = (high - low) / wide * EDGE
    ax.set_xlim(low - edge, high + edge)
