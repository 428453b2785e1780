"""The network and the optimizer that settings describe."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from chainrule.layers import (
    GELU,
    Affine,
    Dropout,
    HalfSquaredError,
    Layer,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SoftmaxWithLoss,
    Tanh,
)
from chainrule.networks import Sequential
from chainrule.optimizers import OPTIMIZERS, Optimizer, default_numbers
from chainrule.playground.compatible.optimizer import PlaygroundSGD
from chainrule.playground.compatible.training import Compatible
from chainrule.playground.data import Data
from chainrule.playground.settings import Settings
from chainrule.playground.translation import link_of

__all__ = ["make_network", "make_optimizer"]

#: What follows a hidden layer; nothing, for "linear".
_LAYERS: dict[str, Callable[[], Layer]] = {
    "tanh": Tanh,
    "relu": ReLU,
    "sigmoid": Sigmoid,
    "leaky_relu": LeakyReLU,
    "gelu": GELU,
}


def make_network(settings: Settings, data: Data) -> Sequential:
    """The network, with its first weights.

    Dropout draws its masks from seeds of its own, so that it can be switched on without changing
    the first weights.
    """
    if settings.mode == "compatible":
        return Compatible(link_of(settings), again=settings.weight_seed).network
    layers: list[Layer] = []
    sizes = [len(settings.features), *settings.hidden, data.outputs[settings.loss]]
    for k, (n, m) in enumerate(itertools.pairwise(sizes)):
        layers.append(Affine.sized(n, m, init=settings.init, dtype=np.float64))
        if k == len(settings.hidden):
            if data.classes is not None and settings.loss == "squared":
                layers.append(Tanh())
            break
        if settings.activations[k] in _LAYERS:
            layers.append(_LAYERS[settings.activations[k]]())
        if settings.dropout:
            layers.append(Dropout(settings.dropout, seed=settings.weight_seed + k))
    loss = SoftmaxWithLoss() if settings.loss == "softmax" else HalfSquaredError()
    return Sequential(*layers, loss=loss, seed=settings.weight_seed)


def make_optimizer(settings: Settings) -> Optimizer:
    """The optimizer, before its first update."""
    if settings.mode == "compatible":
        return PlaygroundSGD(settings.learning_rate, l1=settings.l1, l2=settings.l2)
    kind = OPTIMIZERS[settings.optimizer]
    numbers = default_numbers(kind) | dict(settings.optimizer_numbers)
    return kind(settings.learning_rate, l1=settings.l1, l2=settings.l2, **numbers)
