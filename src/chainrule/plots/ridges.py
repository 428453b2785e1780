"""Ridge plots: histograms of activations and gradients for each epoch, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainrule.atomic_write import Pathish
from chainrule.drawing.saving import check_path
from chainrule.errors import DataError
from chainrule.lang.messages import Text, _, _p, in_language
from chainrule.plots.figure import BLUE, ORANGE, finish, new_figure, whole_ticks
from chainrule.settings import language

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from chainrule.training.histograms import Histogram, LayerRecord

__all__ = ["draw_histograms"]

#: At most this many epochs are drawn, evenly spaced.
MOST = 12
#: The height of a ridge, in units of the distance between two epochs.
HEIGHT = 1.5


def draw_histograms(
    records: Sequence[LayerRecord], path: Pathish | None = None, lang: str | None = None
) -> Figure:
    """Above, the activations of each layer; below, log10 |g| of its gradients; first epoch on top.

    Every ridge has its own vertical scale. The numbers at the right are the counts of dead units
    (0 for every row), or the shares of saturated outputs; below, the shares of gradients that are
    exactly 0. `lang`: "en" or "zh"; None: the language of CHAINRULE_LANG, else English.
    """
    lang = language(lang)
    check_path(path, lang=lang)
    if not records:
        raise DataError(
            _("nothing was recorded: give fit(..., callbacks=[histograms]), then plot.")
        )
    layers = list(dict.fromkeys(record.layer for record in records))
    epochs = _evenly_spaced(sorted({record.epoch for record in records}))
    latest = {(r.layer, r.epoch): r for r in records}  # the latest record of each epoch
    width = min(max(13 / len(layers), 2.1), 3.6)
    height = 2 * (0.27 * len(epochs) + 1.05)
    figure, axes = new_figure(len(layers), width * len(layers) + 0.6, height, rows=2)
    records_of = {layer: [latest.get((layer, epoch)) for epoch in epochs] for layer in layers}
    for layer, ax in zip(layers, axes, strict=False):
        spreads = [None if r is None else r.activations for r in records_of[layer]]
        _ridges(ax, spreads, BLUE, [_inactive(r) for r in records_of[layer]])
        _heading(ax, in_language(_inactive_what(records_of[layer]), lang))
        ax.set(xlim=_range(spreads), xlabel=_p("value of a unit", "activation").said(lang))
        ax.set_title(layer.replace(", ", " → "), fontsize=9, loc="left")
    below = axes[len(layers) :]
    spreads_below = [
        None if r is None else r.gradients for layer in layers for r in records_of[layer]
    ]
    limits = _range(spreads_below)  # the same for all layers, so that vanishing gradients show
    for layer, ax in zip(layers, below, strict=True):
        spreads = [None if r is None else r.gradients for r in records_of[layer]]
        if not any(spreads):
            ax.set_visible(False)
            continue
        _ridges(
            ax,
            spreads,
            ORANGE,
            [_part(None if r is None else r.zero_gradients) for r in records_of[layer]],
        )
        _heading(ax, _("zero").said(lang))
        ax.set(xlim=limits, xlabel=_("|gradient|").said(lang))
        whole_ticks(ax.xaxis, 5)
        ax.xaxis.set_major_formatter(lambda x, records_of: rf"$10^{{{x:.0f}}}$")
    for ax in (axes[0], below[0]):
        ax.set_yticks(-np.arange(len(epochs)), [str(epoch) for epoch in epochs], fontsize=8)
        ax.set_ylabel(_("epoch").said(lang))
    return finish(figure, path)


def _evenly_spaced(epochs: list[int]) -> list[int]:
    """The epochs to draw: all, or `MOST` evenly spaced ones with the first and the last."""
    indices = np.linspace(0, len(epochs) - 1, min(MOST, len(epochs))).round().astype(int)
    return [epochs[i] for i in indices]


def _ridges(
    ax: Axes, spreads: Sequence[Histogram | None], colour: str, notes: Sequence[str]
) -> None:
    ax.grid(visible=False, axis="y")
    ax.spines["left"].set_visible(False)
    ax.set_yticks([])
    ax.tick_params(axis="y", length=0)
    for k, (spread, note) in enumerate(zip(spreads, notes, strict=True)):
        ax.axhline(-k, color="0.8", linewidth=0.5, zorder=2 * k)
        if spread is not None and spread.counts.any():
            density = spread.counts / np.diff(spread.edges)
            top = -k + HEIGHT * density / density.max()
            light, dark = _shades(colour)
            ax.stairs(
                top, spread.edges, baseline=-k, fill=True, zorder=2 * k + 1,
                facecolor=light, edgecolor=dark, linewidth=0.7,
            )  # fmt: skip
        ax.text(1.02, -k, note, transform=ax.get_yaxis_transform(), fontsize=8, va="center")
    ax.set_ylim(-len(spreads) + 0.8, HEIGHT + 0.1)


def _shades(colour: str) -> tuple[tuple[float, ...], str]:
    """The colour mixed half with white, and the colour itself."""
    from matplotlib.colors import to_rgb

    return tuple(0.5 + 0.5 * c for c in to_rgb(colour)), colour


def _range(spreads: Sequence[Histogram | None]) -> tuple[float, float]:
    """Limits that contain 99.8 % of the values, with a margin."""
    known = [s for s in spreads if s is not None and s.counts.any()]
    if not known:
        return (-1.0, 1.0)
    middles = np.concatenate([(s.edges[:-1] + s.edges[1:]) / 2 for s in known])
    counts = np.concatenate([s.counts / s.counts.sum() for s in known])
    order = np.argsort(middles)
    share = np.cumsum(counts[order]) / counts.sum()
    ends = np.searchsorted(share, (0.001, 0.999)).clip(0, len(order) - 1)
    low, high = middles[order][ends].tolist()
    margin = 0.06 * (high - low) or 0.5
    return low - margin, high + margin


def _heading(ax: Axes, words: str) -> None:
    """Write the heading of the numbers at the right."""
    ax.text(
        1.02, HEIGHT - 0.3, words, transform=ax.get_yaxis_transform(), fontsize=8, style="italic"
    )


def _inactive(record: LayerRecord | None) -> str:
    if record is not None and record.dead is not None:
        return f"{record.dead}/{record.units}"
    return _part(None if record is None else record.saturated)


def _inactive_what(records: Sequence[LayerRecord | None]) -> Text | str:
    if any(r is not None and r.dead is not None for r in records):
        return _("dead")
    return _("saturated") if any(map(_inactive, records)) else ""


def _part(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"
