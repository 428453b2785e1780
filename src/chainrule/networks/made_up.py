"""Made-up rows for a network whose data is not at hand: of the right shapes, with targets for its loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.networks.network import Network

__all__ = ["made_up_rows"]

Array = npt.NDArray[Any]


def made_up_rows(
    network: Network, count: int, width: int | None = None
) -> tuple[Array, Array] | None:
    """Random x and targets t; None if no layer tells how wide a row is.

    width: how many numbers a row has, if its first weights do not tell.
    """
    rng = np.random.default_rng(0)
    x = _rows(network, count, width, rng)
    if x is None:
        return None
    y = network.predict(x)
    kind = getattr(network.loss, "target", "values")
    if kind == "classes":
        return x, rng.integers(0, y.shape[-1], count)
    return x, rng.integers(0, 2, y.shape) if kind == "binary" else rng.standard_normal(y.shape)


def _rows(
    network: Network, count: int, width: int | None, rng: np.random.Generator
) -> Array | None:
    """Rows that the network takes: ids for a table, or numbers as wide as its first weights."""
    for layer in network.layers:
        shapes = [p.shape for p in layer.parameters.values()]
        if shapes and layer.takes_ids:
            return rng.integers(0, shapes[0][0], count)
        if shapes or width:
            return rng.standard_normal((count, width or shapes[0][0])).astype(network.dtype)
    return None
