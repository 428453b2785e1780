"""The results as bars."""

from __future__ import annotations

import math
import sys
import textwrap
from pathlib import Path
from typing import Any

from benchmarks.comparison.measuring import first_of_ours
from benchmarks.comparison.tables import short

OURS, OTHER_OURS, FRAMEWORK, BY_HAND, BARE = "#0072B2", "#56B4E9", "#A6A6A6", "#E69F00", "white"


def draw(results: dict[str, Any], path: Path) -> None:
    """Horizontal bars on a log axis, one panel a workload; ours in blue."""
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is not installed", file=sys.stderr)
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.patches import Patch

    keys = [key for key, row in results["rows"].items() if row["figures"]]
    if not keys:
        return
    across = min(3, len(keys))
    down = -(-len(keys) // across)
    most = max(len(results["rows"][key]["figures"]) for key in keys)
    size = (5.6 * across, (0.27 * most + 1.0) * down + 0.6)
    figure, grid = plt.subplots(down, across, figsize=size, squeeze=False, layout="constrained")
    for axes, key in zip(grid.flat, keys, strict=False):
        draw_panel(axes, key, results["rows"][key])
    for axes in grid.flat[len(keys) :]:
        axes.set_visible(False)
    handles = [
        Patch(color=OURS, label="chainrule"),
        Patch(color=OTHER_OURS, label="chainrule, other engines"),
        Patch(color=FRAMEWORK, label="frameworks"),
        Patch(color=BY_HAND, label="NumPy by hand"),
        Patch(facecolor=BARE, edgecolor="black", hatch="////", label="bare products (and Adam)"),
    ]
    figure.supxlabel("log axes; shorter is better", fontsize=9)
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_panel(axes: Any, key: str, row: dict[str, Any]) -> None:
    """One row's bars."""
    figures = row["figures"]
    names = sorted(figures, key=lambda n: figures[n]["median"], reverse=True)
    ours = first_of_ours(figures)
    colours = {"ours": OTHER_OURS, "by hand": BY_HAND, "bare": BARE}
    values = [figures[name]["median"] for name in names]
    start = 10 ** math.floor(math.log10(min(values) / 1.5))
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        kind = figures[name]["kind"]
        colour = OURS if name == ours else colours.get(kind, FRAMEWORK)
        hatched = {"edgecolor": "black", "hatch": "////", "linewidth": 0.8}
        more = hatched if kind == "bare" else {}
        axes.barh(i, value - start, left=start, color=colour, height=0.72, **more)
        bold = "bold" if name == ours else "normal"
        axes.annotate(
            short(value),
            (value, i),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            fontweight=bold,
        )
    axes.set_xscale("log")
    axes.set_xlim(start, max(values) * (max(values) / start) ** 0.16)
    axes.set_yticks(range(len(names)), [figures[name]["title"] for name in names], fontsize=9)
    for label, name in zip(axes.get_yticklabels(), names, strict=True):
        label.set_fontweight("bold" if name == ours else "normal")
    title = textwrap.fill(f"{key}: {row['title']}", 44)
    axes.set_title(title, fontsize=9, loc="left")
    axes.xaxis.set_minor_formatter("")  # the numbers stand beside the bars
    axes.set_xlabel(row["unit"], fontsize=8, labelpad=1)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
