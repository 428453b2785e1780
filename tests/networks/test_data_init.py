"""First weights by data: outputs of variance 1, biases within the data, the same bits for a seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DataError, SettingError


def network(seed: Any = 0) -> cr.Sequential:
    inner = cr.Sequential(cr.NTKAffine.sized(7, 6, dtype=float), cr.ReLU())
    return cr.Sequential(
        cr.NTKAffine.sized(4, 7, dtype=float), cr.SELU(), cr.Dropout(0.5), inner,
        cr.NTKAffine.sized(6, 2, dtype=float), loss=cr.MeanSquaredError(), seed=seed,
    )  # fmt: skip


def rows(n: int = 300, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 4)) * [1, 1e-4, 30, 7] + [0, 3, -100, 5]


def test_every_layer_gives_outputs_of_variance_one_and_bends_within_the_data() -> None:
    x, net = rows(), network()
    cr.data_dependent_init(net, x)
    h = x
    with cr.inference_mode():
        for _, layer in net._in_order():
            assert isinstance(layer, cr.Layer)
            if isinstance(layer, cr.NTKAffine):
                z = h @ layer.W / np.sqrt(len(layer.W))
                np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-12)
                assert (-layer.b > z.min(axis=0)).all()
                assert (-layer.b < z.max(axis=0)).all()
                assert np.ptp(layer.b) > 0
            h = np.asarray(layer.forward(h))


def test_the_seed_decides() -> None:
    nets = [network(seed) for seed in (3, 3, 4)]
    for net in nets:
        cr.data_dependent_init(net, rows())
    flat = [np.concatenate([p.ravel() for p in net.params]) for net in nets]
    assert np.array_equal(flat[0], flat[1])
    assert not np.array_equal(flat[0], flat[2])
    masks = [net.layers[2].mask_seed for net in nets]
    assert masks[0] == masks[1] == network(3).layers[2].mask_seed


def test_of_many_rows_some_are_drawn() -> None:
    net = network()
    cr.data_dependent_init(net, rows(40_000))
    first = net.layers[0]
    spread = (rows(40_000) @ first.W / 2).std(axis=0)
    assert np.abs(spread - 1).max() < 0.05
    assert (spread != 1).all()


def test_columns_without_variance_and_zero_weights_stay() -> None:
    net = cr.Sequential(cr.NTKAffine.sized(2, 3, init="zeros"), loss=cr.MeanSquaredError())
    cr.data_dependent_init(net, np.ones((5, 2)))
    assert not net.params[0].any()
    net = cr.Sequential(cr.NTKAffine.sized(2, 3), loss=cr.MeanSquaredError())
    before = net.params[0].copy()
    cr.data_dependent_init(net, np.ones((5, 2)))
    np.testing.assert_array_equal(net.params[0], before)


def test_refusals() -> None:
    class Own(cr.Network):
        def predict(self, x: Any) -> Any:
            return x

    with pytest.raises(SettingError, match="Sequential"):
        cr.data_dependent_init(Own(), rows())  # type: ignore[arg-type]
    net = cr.Sequential(cr.CategoryEmbedding.sized(5, 2, columns=1), cr.NTKAffine.sized(3, 2))
    with pytest.raises(DataError, match="row numbers"):
        cr.data_dependent_init(net, [[0.5, 7.0]])
