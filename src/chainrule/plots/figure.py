"""What all plots share: colours, new figures, labels, saving."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.atomic_write import Pathish, write_whole
from chainrule.drawing.fonts import set_fonts
from chainrule.drawing.saving import PLOTS, format_of, rendered
from chainrule.errors import ExtraMissingError
from chainrule.lang.messages import _
from chainrule.text_width import beginning

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "DASHES",
    "GREEN",
    "MARKERS",
    "ORANGE",
    "PALETTE",
    "PINK",
    "SIGNED",
    "SKY",
    "end_labels",
    "finish",
    "label_of",
    "labels_of",
    "new_axes",
    "new_figure",
    "nice_levels",
    "tidy",
    "whole_ticks",
]

#: Colours that colour-blind readers can tell apart (Okabe and Ito, 2008).
BLUE, ORANGE, GREEN, PINK, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9"
PALETTE = (BLUE, ORANGE, GREEN, PINK, SKY, "#E69F00", "#999999")
#: Line styles and markers, so that colour is not the only difference.
DASHES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1.5, 1)),
    (0, (6, 1.5, 1.5, 1.5)),
)
MARKERS = "ox^sDPv*"
#: A colour map: dark blue for negative, grey for 0, light yellow for positive.
SIGNED = "cividis"


def new_figure(
    columns: int = 1, width: float = 6.4, height: float = 3.6, rows: int = 1
) -> tuple[Figure, list[Axes]]:
    """A matplotlib figure and a list of its axes, made without pyplot."""
    try:
        from chainrule.plots.notebook import NotebookFigure
    except ImportError:
        raise ExtraMissingError(
            _(
                "drawing curves needs matplotlib, which is in the extra [draw]:"
                " pip install 'chainrule[draw]'."
            )
        ) from None
    figure = NotebookFigure(figsize=(width, height), layout="constrained", dpi=150)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax in axes:
        tidy(ax)
    return figure, axes


def new_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """`ax`, or the axes of a new figure if it is None."""
    return new_figure(width=width, height=height)[1][0] if ax is None else ax


def tidy(ax: Axes) -> None:
    """Remove the frame at the top and right, and draw a faint grid."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)


def finish(figure: Any, path: Pathish | None = None) -> Figure:
    """Set the fonts, save the figure if a path is given, and return it.

    The ending of `path` determines the format; `check_path` has checked it before.
    """
    if path is None:
        set_fonts(figure, needed=False)
    else:
        write_whole(path, rendered(figure, format_of(path, PLOTS)), overwrite=True)
    drawn: Figure = figure
    return drawn


def label_of(name: object, most: int = 24) -> str:
    """A user's name as a label: one line, at most `most` cells wide, and never read as a formula.

    A Chinese character is two cells wide.

    >>> label_of("a$x$"), label_of("tab\\tor\\nline"), label_of("long " * 9), label_of("猫" * 13)
    ('a\\\\$x\\\\$', 'tab or line', 'long long long long lon…', '猫猫猫猫猫猫猫猫猫猫猫…')
    """
    text = _on_one_line(name)
    if beginning(text, most) != text:
        text = f"{beginning(text, most - 1)}…"
    return text.replace("$", r"\$")


def labels_of(names: Iterable[object], most: int = 24) -> list[str]:
    """Labels for a set of names; names that are equal once cut are cut in the middle instead.

    >>> labels_of(["width in mm, left", "width in mm, right", "height in mm"], 13)
    ['width …, left', 'width …right', 'height in mm']
    """
    whole = list(names)
    labels = [label_of(name, most) for name in whole]
    count = Counter(labels)
    return [
        _with_its_end(_on_one_line(name), most) if count[label] > 1 and "…" in label else label
        for name, label in zip(whole, labels, strict=True)
    ]


def _with_its_end(text: str, most: int) -> str:
    """A long text cut in the middle to `most` cells."""
    half = (most - 1) // 2
    end = beginning(text[::-1], most - 1 - half)[::-1]
    return f"{beginning(text, half)}…{end.lstrip()}".replace("$", r"\$")


def _on_one_line(name: object) -> str:
    return "".join(c if c.isprintable() else " " for c in str(name))


def whole_ticks(axis: Axis, most: int = 9) -> None:
    """Put ticks at whole numbers only, at most `most`."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(most, integer=True, steps=[1, 2, 5, 10]))


def nice_levels(low: float, high: float, about: int) -> npt.NDArray[np.float64]:
    """About `about` round numbers from below `low` to above `high`."""
    from matplotlib.ticker import MaxNLocator

    return np.asarray(MaxNLocator(about).tick_values(low, high))


def end_labels(
    ax: Axes, ends: Sequence[tuple[float, float, str, str]], height: float, size: float = 9
) -> None:
    """Label lines at their ends, to the right of the axes; `ends` are (x, y, text, colour).

    Labels that would overlap are moved apart, with a thin line to their end. The limits of the
    axes must be final; `height` is about the height of the axes in inches.
    """
    low, high = sorted(ax.get_ylim())
    to_axes = ax.transAxes.inverted()
    anchors = [
        to_axes.transform(ax.transData.transform((x, min(max(y, low), high))))
        for x, y, _text, _colour in ends
    ]
    heights = _spread_out([float(anchor[1]) for anchor in anchors], 1.3 * size / 72 / height)
    thread = {"arrowstyle": "-", "lw": 0.6, "shrinkA": 1, "shrinkB": 2}
    for (x, y, text, colour), (_x, old), new in zip(ends, anchors, heights, strict=True):
        moved = abs(new - old) > 0.01 or x < max(ax.get_xlim())
        ax.annotate(
            text,
            (x, min(max(y, low), high)),
            xytext=(1.04 if moved else 1.015, new),
            textcoords="axes fraction",
            va="center",
            color=colour,
            fontsize=size,
            annotation_clip=False,
            arrowprops=thread | {"color": colour} if moved else None,
        )


def _spread_out(positions: Sequence[float], gap: float) -> list[float]:
    """The nearest positions in 0…1, in the same order, at least `gap` apart if there is room.

    >>> _spread_out([0.5, 0.5], 0.25), _spread_out([1.0, 0.0, 0.95], 0.1)
    ([0.375, 0.625], [1.0, 0.0, 0.9])
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    gap = min(gap, 1 / max(len(positions) - 1, 1))
    # Runs of touching labels; each is placed at the mean of where its labels would be.
    runs: list[list[float]] = []  # [lowest position, number of labels]
    for i in order:
        runs.append([positions[i], 1])
        while len(runs) > 1 and runs[-2][0] + gap * runs[-2][1] > runs[-1][0]:
            start, n = runs.pop()
            before, m = runs[-1]
            runs[-1] = [(before * m + (start - gap * m) * n) / (m + n), m + n]
    result = [0.0] * len(positions)
    flat = [start + gap * k for start, n in runs for k in range(int(n))]
    flat = [max(position, gap * k) for k, position in enumerate(flat)]
    for k in range(len(order)):
        back = len(order) - 1 - k
        flat[back] = min(flat[back], 1 - gap * k)
        result[order[back]] = round(flat[back], 12)
    return result
