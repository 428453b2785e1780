"""Caps: how much a learner may ask of the playground."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Caps"]


@dataclass(frozen=True)
class Caps:
    """The largest network, data and settings that the playground takes.

    >>> Caps().layers, Caps(units=8).units
    (6, 8)
    """

    #: Hidden layers.
    layers: int = 6
    #: Units in a hidden layer.
    units: int = 64
    #: Weights and biases.
    parameters: int = 100_000
    #: Rows of data, for training and testing together.
    points: int = 5_000
    batch_size: int = 5_000
    learning_rate: float = 100.0
    #: The rate of L1 or L2.
    penalty: float = 100.0
    #: Points along a side of the map of one output; less is drawn and sent sooner.
    map: int = 100
