"""Dropout: in training some numbers are set to zero at random."""

from __future__ import annotations

from typing import Any, ClassVar

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
from chainrule.settings import below_one

__all__ = ["Dropout"]


class Dropout(Layer):
    """In training each element is 0 with probability `ratio`, else x / (1 - ratio); any shape.

    This is the inverted form, whose mean is x already in training, so that in use nothing
    changes. (The book scales by 1 - ratio in use instead.) The mask depends on the seed, the
    number of forward passes so far (the buffer `clock`), the row and the column, nothing else.
    Source: Srivastava et al., "Dropout", 2014.
    """

    hyperparameters: ClassVar = {"ratio": below_one}
    clock: npt.NDArray[np.uint64]

    def __init__(self, ratio: float = 0.5, *, seed: Seed = None) -> None:
        super().__init__()
        self.ratio = ratio
        self._seed = seed
        self.mask_seed: int | None = None
        self._alone_seed: int | None = None
        self._buffers = {"clock": np.zeros((), np.uint64)}

    @property
    def _needs_seed(self) -> bool:
        """Whether the seed of the masks is still to come from a network."""
        return self._seed is None and self.mask_seed in (None, self._alone_seed)

    def _draw_weights(self) -> None:
        """Take a seed now: from the network that the layer is in, or one of its own."""
        home = None if self._home is None else self._home()
        if home is not None and self._seed is None:
            home._draw_weights()
        if self.mask_seed is None:
            self.initialize(generator(self._seed))
            self._alone_seed = self.mask_seed

    def initialize(self, rng: np.random.Generator) -> None:
        """Take the seed of the masks from a network."""
        self.mask_seed, self._alone_seed = int(rng.integers(2**63)), None

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
        dropped = apply(Below(int(self.ratio * 2**64)), bits)
        scale = 1 / (1 - self.ratio)
        return functions.where(dropped, 0, x * scale)

    def forward(self, x: Any, train_flg: bool | None = None) -> Any:
        """The output for x; `train_flg`, if given, says whether this is training."""
        if train_flg is None:
            return super().forward(x)
        with training_mode(train_flg):
            return super().forward(x)
