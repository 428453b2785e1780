"""The parameters at the beginning: drawn again from the seed where they were drawn, else kept."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.protocols import RecordableNetwork
from chainrule.layers import Dropout
from chainrule.layers.base import Layer
from chainrule.layers.initial import NAMED
from chainrule.script.function_source import body_of, literal

if TYPE_CHECKING:
    from chainrule.graph.variable import Parameter

__all__ = ["Weights"]

Array = npt.NDArray[Any]


class Weights:
    """The lines that make the parameters and the buffers, and the arrays that must be kept.

    A parameter is drawn again if its bits are those that one of chainrule's ways of drawing gives
    at its turn; so nothing has to be remembered about how a network was made.
    """

    def __init__(
        self,
        network: RecordableNetwork,
        names: Mapping[Parameter, str],
        buffers: Mapping[tuple[Layer, str], str],
        rng: str,
    ) -> None:
        self.names, self.buffers, self.rng = names, buffers, rng
        self.lines: list[str] = []
        self.arrays: dict[str, Array] = {}
        #: Numbers of the step that are drawn too: the seeds of masks.
        self.numbers: dict[int, str] = {}
        self._random: np.random.Generator | None = None
        self._seeded = False
        if type(network.seed) is int:
            self._random = np.random.default_rng(network.seed)
        self._seed = network.seed
        for layer in (*network.layers, network.loss):
            if isinstance(layer, Layer):
                self._layer(layer)

    def _layer(self, layer: Layer) -> None:
        if isinstance(layer, Dropout) and layer.mask_seed is not None:
            self._mask(layer)
        own = layer._seed if type(layer._seed) is int else None
        random = None if own is None else np.random.default_rng(own)
        for p in layer._parameters.values():
            if p in self.names and p.tied is None:
                random = self._parameter(p, random, own)
        for key, array in layer.buffers.items():
            if (layer, key) in self.buffers:
                self._array(self.buffers[layer, key], array)

    def _parameter(
        self, p: Parameter, own: np.random.Generator | None, seed: int | None
    ) -> np.random.Generator | None:
        name = self.names[p]
        for random, given in ((own, seed), (self._random, self._seed)):
            drawn = None if random is None or p.ndim != 2 else _drawn(p.data, random)
            if drawn is None:
                continue
            way, after = drawn
            if random is self._random:
                self._random = after
                if not self._seeded:
                    self.lines.append(f"{self.rng} = np.random.default_rng({given})")
                    self._seeded = True
                self._draw(name, p, way, self.rng)
            else:
                own = after
                self._draw(name, p, way, f"np.random.default_rng({given})")
            return own
        self._array(name, p.data)
        return own

    def _draw(self, name: str, p: Parameter, way: str, rng: str) -> None:
        n, m = p.shape
        words = {"shape[0]": str(n), "shape[-1]": str(m), "shape": literal(p.shape), "rng": rng}
        lines = body_of(NAMED[way], words, {})
        text = lines.pop().removeprefix("return ")
        self.lines += lines
        if p.dtype != np.float64:
            text = f"({text}).astype(np.{p.dtype.name})"
        self.lines.append(f"{name} = {text}")

    def _array(self, name: str, array: Array) -> None:
        """An array as it is: all zeros, all ones, or kept beside the program."""
        kind = "" if array.dtype == np.float64 else f", np.{array.dtype.name}"
        shape = str(array.shape[0]) if array.ndim == 1 else literal(array.shape)
        if not array.any() and not np.signbit(np.atleast_1d(array).astype(float)).any():
            self.lines.append(f"{name} = np.zeros({shape}{kind})")
        elif (array == 1).all() and array.ndim:
            self.lines.append(f"{name} = np.ones({shape}{kind})")
        elif array.ndim == 0:
            self.lines.append(f"{name} = np.array({literal(array.item())}{kind})")
        else:
            self.arrays[name] = array

    def _mask(self, layer: Dropout) -> None:
        """The seed of a mask, drawn at its turn."""
        if self._random is None or layer._seed is not None:
            return
        after = copy.deepcopy(self._random)
        if int(after.integers(2**63)) != layer.mask_seed:
            return
        self._random = after
        if not self._seeded:
            self.lines.append(f"{self.rng} = np.random.default_rng({self._seed})")
            self._seeded = True
        name = "mask_seed" if not self.numbers else f"mask_seed_{len(self.numbers) + 1}"
        self.numbers[layer.mask_seed] = name
        self.lines.append(f"{name} = np.uint64({self.rng}.integers(2**63))")


def _drawn(data: Array, random: np.random.Generator) -> tuple[str, np.random.Generator] | None:
    """The way of drawing that gives these bits now, and the generator after it."""
    if not data.any():
        return None
    for way, fill in NAMED.items():
        if way == "orthogonal":
            continue  # its bits go with the library of linear algebra: such weights are kept
        after = copy.deepcopy(random)
        drawn = np.asarray(fill(after, data.shape)).astype(data.dtype)
        if drawn.tobytes() == data.tobytes():
            return way, after
    return None
