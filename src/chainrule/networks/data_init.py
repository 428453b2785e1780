"""First weights that depend on data: every unit begins with outputs of variance 1, and bends among them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chainrule.errors import SettingError
from chainrule.graph.mode import inference_mode
from chainrule.lang.messages import _
from chainrule.layers.base import Array, Layer
from chainrule.layers.initial import generator
from chainrule.layers.ntk import NTKAffine
from chainrule.networks.sequential import Sequential

__all__ = ["data_dependent_init"]

#: Of more rows than this, so many are drawn.
ROWS = 16_384
#: A bias is minus a random mean of the outputs for so many rows.
CORNERS = 5


def data_dependent_init(network: Sequential, x: npt.ArrayLike) -> None:
    """Set the first W and b of every NTKAffine by the rows x (N, ...), one layer after the other.

    Each column of W is divided by the standard deviation of its outputs x W / √D, which is 1 then;
    b is minus a random convex combination of five of these outputs, so that every unit bends
    somewhere within the data ("he+5"). Only then the outputs go on to the next layer. Other layers
    keep their weights. Call it once, before training, with training rows; the network's seed draws.

    Source: Holzmüller et al., "Better by default", 2024.

    Raises:
        SettingError: the network is no Sequential.
        DataError: rows that do not fit the network.

    >>> import chainrule as cr, numpy as np
    >>> x = np.random.default_rng(0).normal(7.0, 100.0, (500, 3))
    >>> net = cr.Sequential(cr.NTKAffine.sized(3, 4, dtype=float), cr.SELU(), seed=0)
    >>> cr.data_dependent_init(net, x)
    >>> W, b = net.params
    >>> (x @ W / np.sqrt(3)).std(axis=0).round(6).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    if not isinstance(network, Sequential):
        raise SettingError(
            _(
                "data_dependent_init goes through the layers of a Sequential one after the other; got"
                " {network}.",
                network=type(network).__name__,
            )
        )
    h = network._as_input(x)
    network._check_input(h)
    network._flatten_parameters()
    rng = generator(network.seed) if network._draws is None else network._draws[1]
    if len(h) > ROWS:
        h = h[np.sort(rng.choice(len(h), ROWS, replace=False))]
    with inference_mode():
        for _path, layer in network._in_order():
            if isinstance(layer, NTKAffine):
                _fit(layer, h, rng)
            h = np.asarray(layer.forward(h) if isinstance(layer, Layer) else layer.predict(h))


def _fit(layer: NTKAffine, x: Array, rng: np.random.Generator) -> None:
    """Set the W and b of a layer by its inputs."""
    W, b = layer.W, layer.b
    z = x.reshape(-1, len(W)) @ W / np.sqrt(len(W))
    spread = z.std(axis=0)
    spread[spread == 0] = 1  # inputs without any variance, or weights that are 0
    W /= spread
    z /= spread
    rows = rng.integers(0, len(z), (CORNERS, z.shape[1]))
    weights = rng.exponential(size=rows.shape)
    weights /= weights.sum(axis=0)
    b[...] = -(weights * np.take_along_axis(z, rows, axis=0)).sum(axis=0).reshape(b.shape)
