"""Histograms: the distributions of activations and gradients, layer by layer, during training."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import SettingError
from chainrule.lang.messages import _
from chainrule.layers import ReLU, Sigmoid, Tanh
from chainrule.layers.base import Layer
from chainrule.networks import Network
from chainrule.settings import language, whole
from chainrule.training.callbacks import Callback
from chainrule.training.state import Training

if TYPE_CHECKING:
    import os

    from matplotlib.figure import Figure


__all__ = ["Histogram", "Histograms", "LayerRecord"]

Array = npt.NDArray[Any]

#: A sigmoid or tanh is saturated in the outer 2.5 % of its range on either side, where its slope is
#: less than a tenth of the steepest.
SATURATED = 0.95


@dataclass(frozen=True)
class Histogram:
    """Counts (bins,) between edges (bins + 1,)."""

    counts: npt.NDArray[np.int64]
    edges: npt.NDArray[np.float64]

    @classmethod
    def of(cls, values: Array, bins: int) -> Histogram:
        """The histogram of the finite values."""
        counts, edges = np.histogram(values[np.isfinite(values)].astype(float), bins)
        return cls(counts.astype(np.int64), edges)


@dataclass(frozen=True)
class LayerRecord:
    """One layer with the activation after it, after one epoch."""

    epoch: int
    layer: str
    #: The number of outputs in a row.
    units: int
    #: The outputs for the sample of rows.
    activations: Histogram
    #: The units after a ReLU that are 0 for every row of the sample; None without a ReLU.
    dead: int | None
    #: The share of a Sigmoid's or Tanh's outputs near the ends of its range; None without one.
    saturated: float | None
    #: log10 |g| of the nonzero gradients of the layer's parameters, after the last mini-batch of
    #: the epoch; None before the first step, and without parameters.
    gradients: Histogram | None
    #: The share of those gradients that is exactly 0.
    zero_gradients: float | None


class Histograms(Callback):
    """Records at the start, after every `every` epochs (or after those in `at`), and at the end.

    Activations are taken in inference mode, for up to `rows` evenly spaced training rows; gradients
    are those of the epoch's last mini-batch. Recording does not change the training: the same bits
    follow. `records` holds one `LayerRecord` per layer and epoch; `plot` draws them.

    >>> import chainrule as cr
    >>> x, t = cr.datasets.spiral()
    >>> seen = cr.Histograms(every=10)
    >>> net = cr.TwoLayerNet(2, 10, 3)
    >>> history = cr.Trainer(net).fit(x, t, 20, callbacks=[seen], progress=None)
    >>> [(r.epoch, r.layer) for r in seen.records][:3]
    [(0, '0 Affine, Sigmoid'), (0, '2 Affine'), (10, '0 Affine, Sigmoid')]
    """

    def __init__(
        self, every: int = 1, *, at: Collection[int] | None = None, rows: int = 256, bins: int = 50
    ) -> None:
        self.every = whole(every, "every")
        self.at = None if at is None else frozenset(at)
        self.rows, self.bins = whole(rows, "rows"), whole(bins, "bins")
        self.records: list[LayerRecord] = []

    def on_start(self, trainer: Training) -> None:
        """Record the state before the first step, without gradients."""
        if not isinstance(trainer.model, Network):
            raise SettingError(
                _(
                    "Histograms looks into the layers of a chainrule network; {model} is written by hand.",
                    model=type(trainer.model).__name__,
                )
            )
        if not self.records:
            self._record(trainer, first=True)

    def on_epoch(self, trainer: Training) -> None:
        """Record an epoch that is due."""
        epoch = trainer.current_epoch
        if epoch % self.every == 0 if self.at is None else epoch in self.at:
            self._record(trainer)

    def on_end(self, trainer: Training) -> None:
        """Record the last epoch."""
        if self.records[-1].epoch != trainer.current_epoch:
            self._record(trainer)

    def plot(self, path: str | os.PathLike[str] | None = None, lang: str | None = None) -> Figure:
        """Draw the histograms as ridges, one per epoch: activations above, gradients below, by layer.

        `lang`: "en" or "zh"; None is the language of CHAINRULE_LANG, else English.
        """
        from chainrule.plots.ridges import draw_histograms

        return draw_histograms(self.records, path, language(lang))

    def _record(self, trainer: Training, first: bool = False) -> None:
        network: Network = trainer.model
        assert trainer.data is not None
        x = trainer.data[0]
        sample = np.linspace(0, len(x) - 1, min(self.rows, len(x))).astype(np.intp)
        for block in _blocks(network, x[sample]):
            g = None if first else block.gradients()
            nonzero = None if g is None else np.abs(g[g != 0]).astype(float)
            y = block.output.reshape(-1, block.output.shape[-1])
            self.records.append(
                LayerRecord(
                    trainer.current_epoch,
                    block.name,
                    y.shape[1],
                    Histogram.of(y, self.bins),
                    int((y == 0).all(axis=0).sum()) if block.has(ReLU) else None,
                    _saturated(block, y),
                    None if nonzero is None else Histogram.of(np.log10(nonzero), self.bins),
                    None if g is None or nonzero is None else 1 - len(nonzero) / g.size,
                )
            )


@dataclass
class _Block:
    """A layer with parameters, the layers without parameters after it, and the output of the last."""

    layers: list[tuple[str, Layer]]
    output: Array

    @property
    def name(self) -> str:
        return f"{self.layers[0][0]} " + ", ".join(layer.label for _path, layer in self.layers)

    def has(self, kind: type[Layer]) -> bool:
        return any(isinstance(layer, kind) for _, layer in self.layers)

    def gradients(self) -> Array | None:
        """The gradients of the parameters, as one vector."""
        grads = [p.grad.ravel() for _, layer in self.layers for p in layer.parameters.values()]
        return np.concatenate(grads) if grads else None


def _blocks(network: Network, x: Array) -> list[_Block]:
    """The layers in the order they run, split before each layer with parameters."""
    layers = {f"layer {n} ({a.label})": (n, a) for n, a in network.named_layers()}
    blocks: list[_Block] = []
    for key, output in network.activations(x).items():
        if blocks and not layers[key][1].parameters:
            blocks[-1].layers.append(layers[key])
            blocks[-1].output = output
        else:
            blocks.append(_Block([layers[key]], output))
    return blocks


def _saturated(block: _Block, y: Array) -> float | None:
    if block.has(Sigmoid):
        y = 2 * y - 1
    elif not block.has(Tanh):
        return None
    return float(np.mean(np.abs(y) > SATURATED))
