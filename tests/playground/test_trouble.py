"""Trouble is named where it starts, and a sound training has none."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import chainrule as cr
from chainrule.playground.trouble import Column, Trouble, troubles


def columns(net: cr.Sequential, activation: str, x: np.ndarray, t: np.ndarray) -> list[Column]:
    net.forward(x, t)
    net.backward()
    outputs = list(net.activations(x).values())
    grads = net.grads[::2]
    return [
        Column(
            activation if k < len(grads) - 1 else "linear",
            outputs[min(2 * k + 1, len(outputs) - 1)],
            g,
        )
        for k, g in enumerate(grads)
    ]


def network(activation: type[cr.Layer], *sizes: int, init: str = "xavier") -> cr.Sequential:
    layers: list[cr.Layer] = []
    for a, b in pairwise(sizes):
        layers += [cr.Affine.sized(a, b, dtype=np.float64, init=init), activation()]
    return cr.Sequential(*layers[:-1], loss=cr.MeanSquaredError(), seed=0)


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 2)), rng.normal(size=(60, 1))


def test_a_sound_training_has_no_trouble(data: tuple[np.ndarray, np.ndarray]) -> None:
    assert troubles(columns(network(cr.Tanh, 2, 4, 2, 1), "tanh", *data), [1.0, 0.8, 0.9]) == []


def test_dead_units_are_named(data: tuple[np.ndarray, np.ndarray]) -> None:
    net = network(cr.ReLU, 2, 4, 3, 1)
    net.layers[0].b[...] = [0, -100, 0, -100]
    net.layers[2].b[...] = 1.0
    assert troubles(columns(net, "relu", *data), [1.0]) == [Trouble("dead", 1, (1, 3), 0.5)]


def test_saturated_units_are_named(data: tuple[np.ndarray, np.ndarray]) -> None:
    net = network(cr.Tanh, 2, 4, 3, 1)
    net.layers[2].b[...] = [0, 40, 0]
    found = troubles(columns(net, "tanh", *data), [1.0])
    assert Trouble("saturated", 2, (1,), 1 / 3) in found


def test_gradients_that_vanish_are_named_where_they_are_small(
    data: tuple[np.ndarray, np.ndarray],
) -> None:
    net = network(cr.Sigmoid, 2, 8, 8, 8, 8, 8, 1)
    found = [f.kind for f in troubles(columns(net, "sigmoid", *data), [1.0])]
    assert found == ["vanishing"]


def test_a_loss_that_grows_diverges() -> None:
    fine = Column("tanh", np.zeros((3, 1)), None)
    assert troubles([fine], [0.5, 0.1, 0.2]) == []
    assert troubles([fine], [0.5, 0.1, 2.0]) == [Trouble("diverging", value=2.0, best=0.1)]
    # High, but no longer growing.
    assert troubles([fine], [0.5, 0.1, *[2.0] * 12]) == []
