"""Dropout: sets random elements to zero in training."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from chainrule.graph import functions
from chainrule.graph.mode import is_training, training_mode
from chainrule.graph.variable import apply
from chainrule.lang.messages import _, says
from chainrule.layers.base import Layer
from chainrule.layers.initial import Seed, generator
from chainrule.nodes.base import Value
from chainrule.nodes.random import Below, Tick, UniformBits
from chainrule.settings import below_one, optional_whole

__all__ = ["Dropout"]


class Dropout(Layer):
    """In training each element is 0 with probability `ratio`, else x / (1 - ratio); any shape.

    This is inverted dropout: the mean of the output is x in training, so inference changes
    nothing. (The book scales by 1 - ratio in inference instead.) The mask depends only on the seed,
    the number of forward passes so far (the buffer `clock`), the row and the column.

    With `steps`, the ratio falls over so many updates: it is constant for the first half, then
    follows half a cosine wave to 0, as `schedules.FlatCosine` does, so that the last steps fit the
    network that will predict.
    Source: Srivastava et al., "Dropout", 2014.

    >>> import chainrule as cr, numpy as np
    >>> layer = cr.Dropout(0.5, seed=1)
    >>> layer.forward(np.ones((1, 4)), train_flg=True)
    array([[0., 0., 2., 2.]])
    """

    hyperparameters: ClassVar = {"ratio": below_one, "steps": optional_whole}
    clock: npt.NDArray[np.uint64]

    def __init__(self, ratio: float = 0.5, *, seed: Seed = None, steps: int | None = None) -> None:
        super().__init__()
        self.ratio, self.steps = ratio, steps
        self._seed = seed
        self.mask_seed: int | None = None
        self._unseeded_seed: int | None = None
        self._buffers = {"clock": np.zeros((), np.uint64)}

    def _widths(self, inputs: int | None) -> tuple[int | None, int | None]:
        return inputs, inputs

    @property
    def _needs_seed(self) -> bool:
        """Whether the seed of the masks is still to be drawn by a network."""
        return self._seed is None and self.mask_seed in (None, self._unseeded_seed)

    def _draw_weights(self) -> None:
        """Draw the seed of the masks now: by the network that the layer is in, or by the layer."""
        owner = None if self._seed_owner is None else self._seed_owner()
        if owner is not None and self._seed is None:
            owner._draw_weights()
        if self.mask_seed is None:
            self.initialize(generator(self._seed))
            self._unseeded_seed = self.mask_seed

    def initialize(self, rng: np.random.Generator) -> None:
        """Draw the seed of the masks from a network's generator."""
        self.mask_seed, self._unseeded_seed = int(rng.integers(2**63)), None

    @says(_("y = x / (1 - ratio) where the element is kept, else 0."))
    def formula(self, x: Value) -> Value:
        if not is_training() or self.ratio == 0:
            return x
        if self.mask_seed is None:
            self._draw_weights()
        clock = self.buffer("clock")
        bits = apply(UniformBits(self.mask_seed or 0, x.shape), clock)
        self.write_buffer("clock", apply(Tick(), clock))
        # bits is uniform over the 64-bit numbers, so this is True with probability `ratio`.
        if self.steps is None:
            limit, scale = np.uint64(int(self.ratio * 2**64)), 1 / (1 - self.ratio)
        else:
            fall = np.minimum(np.maximum(clock.astype(np.float64) * (2 / self.steps) - 1, 0), 1)
            ratio = self.ratio * (0.5 + 0.5 * np.cos(math.pi * fall))
            limit = (ratio * 2.0**64).astype(np.uint64)
            scale = (1 / (1 - ratio)).astype(x.dtype)
        return functions.where(apply(Below(), bits, limit), 0, x * scale)

    def forward(self, x: Value, train_flg: bool | None = None) -> Value:
        """The output for x; `train_flg`, if given, says whether this is training."""
        if train_flg is None:
            return super().forward(x)
        with training_mode(train_flg):
            return super().forward(x)
