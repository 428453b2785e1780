"""The initial parameters: drawn again from the seed if they are as drawn, else saved as arrays."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from chainrule.engine.protocols import RecordableNetwork
from chainrule.graph.variable import Array
from chainrule.layers import Dropout
from chainrule.layers.base import Layer
from chainrule.layers.initial import NAMED
from chainrule.script.function_source import body_of, literal

if TYPE_CHECKING:
    from chainrule.graph.variable import Parameter

__all__ = ["Weights"]


class Weights:
    """The lines that assign the parameters and the buffers, and the arrays that must be saved.

    A parameter is drawn again if its bits equal those of one of chainrule's initialisation schemes
    with the generator at that point, so a network need not remember how it was initialised.
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
        #: The names of drawn numbers in the step: the seeds of masks.
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
        for random, used_seed in ((own, seed), (self._random, self._seed)):
            match = None if random is None or p.ndim != 2 else _matching_draw(p.data, random)
            if match is None:
                continue
            scheme, after = match
            if random is self._random:
                self._random = after
                if not self._seeded:
                    self.lines.append(f"{self.rng} = np.random.default_rng({used_seed})")
                    self._seeded = True
                self._draw(name, p, scheme, self.rng)
            else:
                own = after
                self._draw(name, p, scheme, f"np.random.default_rng({used_seed})")
            return own
        self._array(name, p.data)
        return own

    def _draw(self, name: str, p: Parameter, scheme: str, rng: str) -> None:
        n, m = p.shape
        words = {"shape[0]": str(n), "shape[-1]": str(m), "shape": literal(p.shape), "rng": rng}
        lines = body_of(NAMED[scheme], words, {})
        text = lines.pop().removeprefix("return ")
        self.lines += lines
        if p.dtype != np.float64:
            text = f"({text}).astype(np.{p.dtype.name})"
        self.lines.append(f"{name} = {text}")

    def _array(self, name: str, array: Array) -> None:
        """Assign an array as zeros, ones or a scalar, or else save it beside the program."""
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
        """Draw the seed of a mask, if it is the generator's next number."""
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


def _matching_draw(
    data: Array, random: np.random.Generator
) -> tuple[str, np.random.Generator] | None:
    """The initialisation scheme that gives these bits, and the generator after it; None if none does."""
    if not data.any():
        return None
    for scheme, fill in NAMED.items():
        if scheme == "orthogonal":
            continue  # its bits depend on the linear algebra library, so such weights are saved
        after = copy.deepcopy(random)
        values = np.asarray(fill(after, data.shape)).astype(data.dtype)
        if values.tobytes() == data.tobytes():
            return scheme, after
    return None
