"""The results as a picture: score against time, and every table's errors."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
from benchmarks.tabular.models import MODELS
from matplotlib.transforms import Bbox

if TYPE_CHECKING:
    from benchmarks.tabular.report import Outcome

__all__ = ["draw"]

#: Colours that people tell apart who see no red or green (Okabe and Ito).
OURS, OTHERS = "#0072B2", "#D55E00"
#: Where a name may stand beside its point: points to the right and up, and which of its ends is there.
PLACES = [
    (7, 5, "left"), (7, -7, "left"), (-7, 5, "right"), (-7, -7, "right"), (0, 12, "center"),
    (0, -13, "center"), (7, 18, "left"), (7, -20, "left"),
]  # fmt: skip


def draw(outcome: Outcome, path: Path) -> None:
    """Left: mean score against CPU seconds. Right: each table's scores, best models first."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    scores = {t: outcome.scores(t) for t in outcome.tables}
    mean = {m: statistics.fmean(s[m] for s in scores.values()) for m in outcome.models}
    order = sorted(outcome.models, key=lambda m: -mean[m])
    height = max(4.6, 0.21 * len(outcome.tables) + 1.6)
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, height), layout="constrained")
    _times(left, outcome, mean)
    grid = [[scores[t][m] for m in order] for t in outcome.tables]
    shown = right.imshow(grid, aspect="auto", cmap="cividis", vmin=0, vmax=1)
    right.set_xticks(range(len(order)), [_short(m) for m in order], rotation=35, ha="right")
    rows = [f"{t} ({outcome.rows[t]:,})" for t in outcome.tables]
    right.set_yticks(range(len(rows)), rows, fontsize=8)
    right.tick_params(length=0)
    right.set_title("score on each table (rows)", fontsize=10, loc="left")
    bar = figure.colorbar(shown, ax=right, ticks=[0, 0.5, 1], shrink=0.5)
    bar.ax.set_yticklabels(["worst", "", "best"])
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _short(model: str) -> str:
    return MODELS[model].title.replace("chainrule ", "").replace(", ensemble of 8", " ×8")


def _times(axes: Any, outcome: Outcome, mean: dict[str, float]) -> None:
    """A point for each model."""
    points = {}
    for model, score in mean.items():
        ours = MODELS[model].title.startswith("chainrule")
        seconds = outcome.middle(model, "fit_cpu")
        axes.scatter(
            seconds, score, s=60, color=OURS if ours else OTHERS, marker="o" if ours else "s"
        )
        points[model] = (seconds, score), ours
    axes.set_xscale("log")
    axes.set_xlabel("CPU seconds of a fit, median (log)")
    axes.set_ylabel("mean score: 1 is the best model of a table, 0 the worst")
    axes.set_title("blue: chainrule; orange: others", fontsize=10, loc="left")
    axes.margins(x=0.22, y=0.08)
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.figure.canvas.draw()  # which lays everything out, so that names can be measured
    places = [axes.transData.transform(place) for place, _ours in points.values()]
    taken = [Bbox.from_bounds(x - 7, y - 7, 14, 14) for x, y in places]
    for model, (place, ours) in points.items():
        taken.append(_named(axes, _short(model), place, ours, taken))


def _named(axes: Any, name: str, place: Any, ours: bool, taken: list[Bbox]) -> Bbox:
    """Write a name beside its point, at the first place that is free; gives the place."""
    for x, y, side in PLACES:
        text = axes.annotate(
            name, place, (x, y), textcoords="offset points", ha=side, va="center", fontsize=9,
            fontweight="bold" if ours else "normal",
        )  # fmt: skip
        box: Bbox = text.get_window_extent()
        if (x, y, side) == PLACES[-1] or not any(box.overlaps(other) for other in taken):
            return box
        text.remove()
    raise AssertionError("the last place is always taken")
