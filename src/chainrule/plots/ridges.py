"""Ridges: histograms of activations and gradients, one below the other as training goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.atomic_write import Pathish
from chainrule.drawing.saving import check_path
from chainrule.errors import DataError
from chainrule.lang.messages import Text, _, _p, in_language
from chainrule.plots.figure import BLUE, ORANGE, finish, new_figure, whole_ticks
from chainrule.settings import language

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chainrule.training.histograms import Histogram, LayerRecord

__all__ = ["draw_histograms"]

#: So many epochs are drawn; of more, so many evenly spaced ones.
MOST = 12
#: How far a ridge rises over the line of the epoch before it.
HEIGHT = 1.5


def draw_histograms(
    records: Sequence[LayerRecord], path: Pathish | None = None, lang: str | None = None
) -> Figure:
    """Above, what each layer gives; below, log10 |g| of its gradients; the first epoch on top.

    Every ridge has its own vertical scale. The numbers at the right are units that are dead
    (0 for every row), outputs that are saturated, and gradients that are exactly 0. `lang`: "en" or
    "zh"; None: what CHAINRULE_LANG says, else English.
    """
    lang = language(lang)
    check_path(path, lang=lang)
    if not records:
        raise DataError(
            _("nothing was recorded: give fit(..., callbacks=[histograms]), then plot.")
        )
    layers = list(dict.fromkeys(record.layer for record in records))
    epochs = _chosen(sorted({record.epoch for record in records}))
    kept = {(r.layer, r.epoch): r for r in records}  # of an epoch seen twice the latest
    width = min(max(13 / len(layers), 2.1), 3.6)
    height = 2 * (0.27 * len(epochs) + 1.05)
    figure, axes = new_figure(len(layers), width * len(layers) + 0.6, height, rows=2)
    at = {layer: [kept.get((layer, epoch)) for epoch in epochs] for layer in layers}
    for layer, ax in zip(layers, axes, strict=False):
        spreads = [None if r is None else r.activations for r in at[layer]]
        _ridges(ax, spreads, BLUE, [_inactive(r) for r in at[layer]])
        _heading(ax, in_language(_inactive_what(at[layer]), lang))
        ax.set(xlim=_range(spreads), xlabel=_p("value of a unit", "activation").said(lang))
        ax.set_title(layer.replace(", ", " → "), fontsize=9, loc="left")
    below = axes[len(layers) :]
    drawn = [None if r is None else r.gradients for layer in layers for r in at[layer]]
    limits = _range(drawn)  # one for all layers, so that vanishing gradients are seen to vanish
    for layer, ax in zip(layers, below, strict=True):
        spreads = [None if r is None else r.gradients for r in at[layer]]
        if not any(spreads):
            ax.set_visible(False)
            continue
        _ridges(ax, spreads, ORANGE, [_part(r and r.zero_gradients) for r in at[layer]])
        _heading(ax, _("zero").said(lang))
        ax.set(xlim=limits, xlabel=_("|gradient|").said(lang))
        whole_ticks(ax.xaxis, 5)
        ax.xaxis.set_major_formatter(lambda x, at: rf"$10^{{{x:.0f}}}$")
    for ax in (axes[0], below[0]):
        ax.set_yticks(-np.arange(len(epochs)), [str(epoch) for epoch in epochs], fontsize=8)
        ax.set_ylabel(_("epoch").said(lang))
    return finish(figure, path)


def _chosen(epochs: list[int]) -> list[int]:
    """The epochs to draw: all, or `MOST` evenly spaced ones with the first and the last."""
    places = np.linspace(0, len(epochs) - 1, min(MOST, len(epochs))).round().astype(int)
    return [epochs[i] for i in places]


def _ridges(
    ax: Any, spreads: Sequence[Histogram | None], colour: str, notes: Sequence[str]
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


def _shades(colour: str) -> tuple[Any, Any]:
    """A colour half way to white, and itself."""
    from matplotlib.colors import to_rgb

    return tuple(0.5 + 0.5 * c for c in to_rgb(colour)), colour


def _range(spreads: Sequence[Histogram | None]) -> tuple[float, float]:
    """From where to where nearly all of the numbers lie, a little beyond."""
    found = [s for s in spreads if s is not None and s.counts.any()]
    if not found:
        return (-1.0, 1.0)
    middles = np.concatenate([(s.edges[:-1] + s.edges[1:]) / 2 for s in found])
    counts = np.concatenate([s.counts / s.counts.sum() for s in found])
    order = np.argsort(middles)
    share = np.cumsum(counts[order]) / counts.sum()
    ends = np.searchsorted(share, (0.001, 0.999)).clip(0, len(order) - 1)
    low, high = middles[order][ends].tolist()
    margin = 0.06 * (high - low) or 0.5
    return low - margin, high + margin


def _heading(ax: Any, words: str) -> None:
    """What the numbers at the right are."""
    ax.text(
        1.02, HEIGHT - 0.3, words, transform=ax.get_yaxis_transform(), fontsize=8, style="italic"
    )


def _inactive(record: LayerRecord | None) -> str:
    if record is not None and record.dead is not None:
        return f"{record.dead}/{record.units}"
    return _part(record and record.saturated)


def _inactive_what(records: Sequence[LayerRecord | None]) -> Text | str:
    if any(r is not None and r.dead is not None for r in records):
        return _("dead")
    return _("saturated") if any(map(_inactive, records)) else ""


def _part(share: Any) -> str:
    return "" if share is None else f"{share:.0%}"
