"""The random numbers of a step: a pure function of the seed, the clock and the element."""

from __future__ import annotations

import numpy as np

from chainrule.lang.messages import _, says
from chainrule.nodes.base import Node, Value, primitive

__all__ = ["Below", "Tick", "UniformBits", "cells", "mixed"]

_A = np.uint64(0x9E3779B97F4A7C15)
_B = np.uint64(0xBF58476D1CE4E5B9)
_C = np.uint64(0x94D049BB133111EB)


@primitive
@says(_("The finalizer of SplitMix64 (Steele, Lea and Flood, 2014): 64 bits, well stirred."))
def mixed(z: Value) -> Value:
    z = (z ^ (z >> np.uint64(30))) * _B
    z = (z ^ (z >> np.uint64(27))) * _C
    return z ^ (z >> np.uint64(31))


@primitive
@says(_("A·(row, column) for every element of an array: rows from 1, in the upper 32 bits."))
def cells(clock: Value, shape: tuple[int, ...]) -> Value:
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
    formula = "bits = mix(mix(seed + A·clock) + A·(row, column))"
    how = _("with A = 0x9E3779B97F4A7C15, in 64 bits")
    why = _("Random bits have no derivative: no gradient")

    def __init__(self, seed: int, shape: tuple[int, ...]) -> None:
        self.seed, self.shape = seed, tuple(shape)

    def forward(self, clock: Value) -> Value:
        start = mixed(np.uint64(self.seed) + clock * _A)
        return mixed(start + cells(clock, self.shape))

    def backward(self, dbits: Value) -> None:
        return


class Tick(Node):
    """The next value of a counter."""

    symbol = "+1"
    differentiable = False
    formula = "y = clock + 1"
    why = _("A counter has no derivative")

    def forward(self, clock: Value) -> Value:
        return clock + np.uint64(1)

    def backward(self, dy: Value) -> None:
        return


class Below(Node):
    """Whether random bits are below a limit, in whole numbers."""

    symbol = "<"
    elementwise = True
    differentiable = False
    formula = "y = (bits < limit)"
    why = _("A truth value has no derivative")

    def forward(self, bits: Value, limit: Value) -> Value:
        return bits < limit

    def backward(self, dy: Value) -> tuple[None, None]:
        return None, None
