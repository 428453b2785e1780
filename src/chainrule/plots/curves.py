"""Curves of the loss and the metrics over a training run."""

from __future__ import annotations

from collections.abc import Sized
from typing import TYPE_CHECKING

import numpy as np

from chainrule.atomic_write import Pathish
from chainrule.drawing.saving import check_path
from chainrule.errors import DataError
from chainrule.lang.messages import Text, _, _p, in_language
from chainrule.plots.figure import (
    BLUE,
    DASHES,
    ORANGE,
    PALETTE,
    SKY,
    end_labels,
    finish,
    label_of,
    new_figure,
    whole_ticks,
)
from chainrule.settings import language

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from chainrule.training.history import History

__all__ = ["NAMES", "draw_history", "metric_name"]

HEIGHT = 3.6
#: The names of metrics for readers, by their column in the history.
NAMES = {"accuracy": _("accuracy"), "r2": "R²", "rmse": "RMSE", "mae": "MAE"}
#: Above this many steps, their line is rasterised in SVG and PDF, to keep the files small.
MANY_STEPS = 3000


def draw_history(history: History, path: Pathish | None = None, lang: str | None = None) -> Figure:
    """Loss (every step and every epoch) on the left, metrics over the epochs on the right.

    `lang`: "en" or "zh"; None: the language of CHAINRULE_LANG, else English.
    """
    lang = language(lang)
    check_path(path, lang=lang)
    if not history.epochs:
        raise DataError(_("this history is empty: call fit(...) first, then plot."))
    metrics = [
        name
        for name in history.as_dict()
        if name.removeprefix("val_") not in ("loss", "lr", "seconds", "penalty")
    ]
    columns = 2 if metrics else 1
    figure, axes = new_figure(columns, width=5.6 * columns, height=HEIGHT)
    _losses(axes[0], history, lang)
    if metrics:
        _metrics(axes[1], history, metrics, lang)
    return finish(figure, path)


def metric_name(name: str, held_out: bool) -> Text | str:
    """The name of a metric, on the training rows or on held-out rows."""
    if not held_out:
        return name
    accuracy = NAMES["accuracy"]
    return _("held-out accuracy") if name is accuracy else _("held-out {name}", name=name)


def _losses(ax: Axes, history: History, lang: str) -> None:
    epochs = np.arange(1, len(history) + 1)
    positions = (np.arange(history.steps) + 1) * len(history) / history.steps
    steps = ax.plot(
        positions,
        history.losses,
        color=SKY,
        alpha=0.45,
        linewidth=0.7,
        marker=_mark(history.losses),
        clip_on=history.steps > 1,
    )[0]
    steps.set(label=_("each step").said(lang), rasterized=len(positions) > MANY_STEPS)
    # The mean over the steps of an epoch is drawn at its middle, the held-out loss at its end.
    ax.plot(
        epochs - 0.5, history["loss"], color=BLUE, linewidth=1.8, label=_p("curve", "training").said(lang),
        marker=_mark(history["loss"]),
    )  # fmt: skip
    held_out = history.column("val_loss")
    if held_out:
        ax.plot(
            epochs[-len(held_out) :], held_out, color=ORANGE, linewidth=1.8, linestyle=DASHES[1],
            label=_p("curve", "held out").said(lang), marker=_mark(held_out), clip_on=len(held_out) > 1,
        )  # fmt: skip
    low, high = _limits(history)
    ax.set(xlabel=_("epoch").said(lang), ylabel=_("loss").said(lang), ylim=(low, high))
    ax.set_xlim(0, len(history))
    whole_ticks(ax.xaxis)
    ax.legend(frameon=False)


def _mark(values: Sized) -> str | None:
    """The marker: a dot for a single value, which has no line."""
    return "o" if len(values) == 1 else None


def _limits(history: History) -> tuple[float, float]:
    """The limits of the loss axis, without a few outlying steps."""
    wild = np.quantile(history.losses, (0.005, 0.995)).tolist()
    shown = [
        value
        for value in (*wild, *history["loss"], *history.column("val_loss"))
        if np.isfinite(value)
    ]
    low, high = min([0.0, *shown]), max(shown, default=1.0)
    return 1.08 * low, 1.08 * high or 1.0


def _metrics(ax: Axes, history: History, names: list[str], lang: str) -> None:
    epochs = np.arange(1, len(history) + 1)
    ends = []
    for i, name in enumerate(names):
        values, colour = history[name], PALETTE[(i + 1) % len(PALETTE)]
        bare = name.removeprefix("val_")
        label = in_language(metric_name(NAMES.get(bare, label_of(bare)), name != bare), lang)
        ax.plot(
            epochs[-len(values) :], values, color=colour, linewidth=1.8, label=label,
            linestyle=DASHES[i % len(DASHES)], marker=_mark(values),
        )  # fmt: skip
        ends.append((float(epochs[-1]), values[-1], f"{label}\n{values[-1]:.3f}", colour))
    ax.set(xlabel=_("epoch").said(lang))
    ax.set_xlim(0, len(history))
    whole_ticks(ax.xaxis)
    end_labels(ax, [end for end in ends if np.isfinite(end[1])], 0.4 * HEIGHT)
