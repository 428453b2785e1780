"""Dropout, and the random numbers of a step: a pure function of where and when they are drawn."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from chainrule.graph import functions
from chainrule.graph.variable import apply
from chainrule.layers.base import Layer
from chainrule.layers.initial import Seed, generator
from chainrule.layers.mode import is_training, training_mode
from chainrule.nodes.base import Node, Value, primitive
from chainrule.settings import below_one

__all__ = ["Dropout", "UniformBits", "cells", "mixed"]

_A = np.uint64(0x9E3779B97F4A7C15)
_B = np.uint64(0xBF58476D1CE4E5B9)
_C = np.uint64(0x94D049BB133111EB)


@primitive
def mixed(z: Value) -> Value:
    """The finalizer of SplitMix64 (Steele, Lea and Flood, 2014): 64 bits, well stirred."""
    z = (z ^ (z >> np.uint64(30))) * _B
    z = (z ^ (z >> np.uint64(27))) * _C
    return z ^ (z >> np.uint64(31))


@primitive
def cells(clock: Value, shape: tuple[int, ...]) -> Value:
    """A·(row, column) for every element of an array: rows from 1, in the upper 32 bits."""
    rows = shape[0] if shape else 1
    columns = int(np.prod(shape[1:], dtype=np.int64))
    row = np.arange(1, rows + 1, dtype=np.uint64)[:, None] << np.uint64(32)
    column = np.arange(columns, dtype=np.uint64)
    return np.reshape((row | column) * _A, shape)


class UniformBits(Node):
    """Random 64-bit numbers for an (N, ...) array, each from (seed, clock, row, column) alone.

    The same bits in every engine, on replay, and for a row wherever it is computed.
    """

    symbol = "dice"
    differentiable = False

    def __init__(self, seed: int, shape: tuple[int, ...]) -> None:
        self.seed, self.shape = seed, tuple(shape)

    def forward(self, clock: Value) -> Value:
        """bits = mix(mix(seed + A·clock) + A·(row, column))."""
        start = mixed(np.uint64(self.seed) + clock * _A)
        return mixed(start + cells(clock, self.shape))

    def backward(self, dy: Value) -> None:
        """Random bits have no derivative: no gradient."""
        return


class Dropout(Layer):
    """In training each element is 0 with probability `ratio`, else x / (1 - ratio); any shape.

    This is the inverted form, whose mean is x already in training, so that in use nothing
    changes. (The book scales by 1 - ratio in use instead.) The mask depends on the seed, the
    number of forward passes so far (the buffer `clock`), the row and the column, nothing else.
    Source: Srivastava et al., "Dropout", 2014.
    """

    settings: ClassVar = {"ratio": below_one}
    clock: npt.NDArray[np.uint64]

    def __init__(self, ratio: float = 0.5, *, seed: Seed = None) -> None:
        super().__init__()
        self.ratio = ratio
        self._seed = seed
        self.mask_seed: int | None = None
        self._alone_seed: int | None = None
        self._buffers = {"clock": np.zeros((), np.uint64)}

    @property
    def waits_for_seed(self) -> bool:
        """Whether the seed of the masks is still to come from a network."""
        return self._seed is None and self.mask_seed in (None, self._alone_seed)

    def first_weights(self) -> None:
        """Take a seed now: from the network that the layer is in, or one of its own."""
        home = None if self._home is None else self._home()
        if home is not None and self._seed is None:
            home.first_weights()
        if self.mask_seed is None:
            self.initialize(generator(self._seed))
            self._alone_seed = self.mask_seed

    def initialize(self, rng: np.random.Generator) -> None:
        """Take the seed of the masks from a network."""
        self.mask_seed, self._alone_seed = int(rng.integers(2**63)), None

    def formula(self, x: Value) -> Value:
        """y = x / (1 - ratio) where the element is kept, else 0."""
        if not is_training() or self.ratio == 0:
            return x
        if self.mask_seed is None:
            self.first_weights()
        clock = self.buffer("clock")
        bits = apply(UniformBits(self.mask_seed or 0, x.shape), clock)
        self.write_buffer("clock", apply(_Tick(), clock))
        # bits is uniform over the 64-bit numbers, so this is True with probability `ratio`.
        dropped = apply(Below(int(self.ratio * 2**64)), bits)
        scale = 1 / (1 - self.ratio)
        return functions.where(dropped, 0, x * scale)

    def forward(self, x: Any, train_flg: bool | None = None) -> Any:
        """The output for x; `train_flg`, if given, says whether this is training."""
        if train_flg is None:
            return super().forward(x)
        with training_mode(train_flg):
            return super().forward(x)


class _Tick(Node):
    """clock + 1."""

    symbol = "+1"
    differentiable = False

    def forward(self, clock: Value) -> Value:
        """y = clock + 1."""
        return clock + np.uint64(1)

    def backward(self, dy: Value) -> None:
        """A counter has no derivative."""
        return


class Below(Node):
    """bits < limit, in whole numbers."""

    symbol = "<"
    differentiable = False

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def forward(self, bits: Value) -> Value:
        """y = (bits < limit)."""
        return bits < np.uint64(self.limit)

    def backward(self, dy: Value) -> None:
        """A truth value has no derivative."""
        return
