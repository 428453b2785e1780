"""Curves: how loss and metrics went over a training run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, ExtraMissingError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chainrule.training.history import History

__all__ = ["draw_history", "draw_regions", "new_figure"]

#: Colours that stay apart for colour-blind readers (Okabe and Ito, 2008).
BLUE, ORANGE, GREEN, PINK, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9"
PALETTE = (BLUE, ORANGE, GREEN, PINK, SKY, "#E69F00", "#999999")


def new_figure(columns: int = 1, width: float = 6.4, height: float = 3.6) -> Any:
    """A matplotlib figure with some axes side by side, without touching pyplot's state."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ExtraMissingError(
            "drawing curves needs matplotlib, which is in the extra [draw]:"
            " pip install 'chainrule[draw]'."
        ) from None
    figure = Figure(figsize=(width, height), layout="constrained", dpi=150)
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25, linewidth=0.6)
        ax.set_axisbelow(True)
    return figure, axes


def draw_history(history: History, path: str | None = None) -> Figure:
    """Loss (every step and every epoch) on the left, metrics over the epochs on the right."""
    if not history.epochs:
        raise DataError("this history is empty: call fit(...) first, then plot.")
    metrics = [
        name
        for name in history.as_dict()
        if name.removeprefix("val_") not in ("loss", "lr", "seconds", "penalty")
    ]
    columns = 2 if metrics else 1
    figure, axes = new_figure(columns, width=5.2 * columns)
    epochs = np.arange(1, len(history) + 1)
    ax = axes[0]
    per_epoch = history.steps / len(history)
    at = (np.arange(history.steps) + 1) / per_epoch
    ax.plot(at, history.losses, color=SKY, alpha=0.45, linewidth=0.7, label="each step")
    ax.plot(epochs, history["loss"], color=BLUE, linewidth=1.8, label="training")
    if history["val_loss"]:
        ax.plot(epochs, history["val_loss"], color=ORANGE, linewidth=1.8, label="held out")
    ax.set(xlabel="epoch", ylabel="loss", ylim=(0, _top(history)))
    ax.legend(frameon=False)
    if metrics:
        ax = axes[1]
        for name, colour in zip(metrics, (ORANGE, GREEN, PINK, SKY), strict=False):
            label = name.replace("val_", "held-out ")
            ax.plot(epochs, history[name], color=colour, linewidth=1.8, label=label)
            ax.annotate(
                f"{history[name][-1]:.3f}",
                (epochs[-1], history[name][-1]),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                annotation_clip=False,
                color=colour,
            )
        ax.set(xlabel="epoch")
        ax.legend(frameon=False, loc="lower right")
    if path is not None:
        figure.savefig(path)
    drawn: Figure = figure
    return drawn


def _top(history: History) -> float:
    """The upper end of the loss axis: a few wild steps do not flatten the rest."""
    wild = float(np.quantile(history.losses, 0.995))
    return 1.08 * max([wild, *history["loss"], *history["val_loss"]])


def draw_regions(
    network: Any,
    x: npt.ArrayLike,
    t: npt.ArrayLike,
    path: str | None = None,
    ax: Any = None,
) -> Figure:
    """The class a network gives to every point of the plane, with the samples x (N, 2) on it."""
    from matplotlib.colors import ListedColormap

    x, t = np.asarray(x), np.asarray(t)
    if x.ndim != 2 or x.shape[1] != 2:
        raise DataError(f"decision regions need two features, x of shape (N, 2); got {x.shape}.")
    figure = None
    if ax is None:
        figure, axes = new_figure(width=4.6, height=4.4)
        ax = axes[0]
    low, high = x.min(axis=0), x.max(axis=0)
    margin = 0.08 * (high - low)
    u = np.linspace(low[0] - margin[0], high[0] + margin[0], 300)
    v = np.linspace(low[1] - margin[1], high[1] + margin[1], 300)
    plane = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
    ids = network.classify(plane).reshape(len(v), len(u))
    classes = int(max(ids.max(), t.max())) + 1
    colours = [PALETTE[i % len(PALETTE)] for i in range(classes)]
    ax.grid(visible=False)
    ax.pcolormesh(u, v, ids, cmap=ListedColormap(colours), vmin=0, vmax=classes, alpha=0.22)
    for i, marker in zip(range(classes), "ox^sDPv*", strict=False):
        ax.scatter(*x[t == i].T, s=14, marker=marker, color=colours[i], linewidths=0.8)
    ax.set_aspect("equal")
    if path is not None and figure is not None:
        figure.savefig(path)
    drawn: Figure = figure if figure is not None else ax.figure
    return drawn
