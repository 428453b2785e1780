"""Twelve known faults of the book's companion code, each shown to be absent here."""

from __future__ import annotations

import pathlib
import re
import warnings
from typing import Any

import numpy as np
import pytest
from tests.chapter import by_hand

import chainrule as cr


def test_1_sigmoid_far_out() -> None:
    layer = cr.Sigmoid()
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        y = layer.forward(np.array([-1000.0, 1000.0]))
        dx = layer.backward(np.ones(2))
    np.testing.assert_array_equal(y, [0, 1])
    np.testing.assert_array_equal(dx, [0, 0])


def test_2_softmax_of_three_axes() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    y = cr.Softmax().forward(x)
    e = np.exp(x)
    np.testing.assert_allclose(y, e / e.sum(axis=2, keepdims=True), rtol=1e-14)


def test_3_one_class_column() -> None:
    loss = cr.SoftmaxWithLoss()
    for t in ([0, 0, 0], [[1], [1], [1]]):
        assert loss.forward(np.ones((3, 1)), t) == 0
        np.testing.assert_array_equal(loss.backward(), np.zeros((3, 1)))


def test_4_a_batch_larger_than_the_data() -> None:
    net = cr.TwoLayerNet(2, 4, 2)
    before = [p.copy() for p in net.params]
    x, t = np.random.default_rng(0).standard_normal((10, 2)), np.arange(10) % 2
    trainer = cr.Trainer(net, cr.SGD(0.5))
    trainer.fit(x, t, epochs=2, batch_size=64, progress=None)
    assert trainer.history.steps == 2
    assert any((p != b).any() for p, b in zip(net.params, before, strict=True))


@pytest.mark.parametrize("value", [np.zeros((2, 2)), np.eye(2)])
def test_5_equal_matrices_are_not_one(value: Any) -> None:
    class Three(cr.Network):
        def __init__(self) -> None:
            super().__init__(loss=cr.MeanSquaredError())
            self.a, self.b = cr.MatMul(value.copy()), cr.MatMul(value.copy())

        def predict(self, x: Any) -> Any:
            return cr.tanh(self.a(x)) + 3 * self.b(x)

    net = Three()
    x, t = np.random.default_rng(0).standard_normal((2, 5, 2))
    assert len(net.params) == 2
    cr.Trainer(net, cr.SGD(0.1)).fit(x, t, 1, 5, progress=None)
    assert not np.allclose(net.a.W, net.b.W)


def test_6_nesterov_is_the_textbook_s() -> None:
    """The velocity is updated before it is used."""
    p, v, mu, lr = 1.0, 0.0, 0.9, 0.1
    array, optimizer = np.array([p]), cr.Nesterov(lr, mu)
    for _ in range(10):
        g = 2 * p
        v_before, v = v, mu * v - lr * g
        p = p - mu * v_before + (1 + mu) * v  # the same step in the well-known other form
        optimizer.update([array], [2 * array])
        assert array[0] == pytest.approx(p, rel=1e-12)


def test_7_a_layer_used_twice() -> None:
    rng = np.random.default_rng(0)
    W, x, t = rng.standard_normal((2, 2)), *rng.standard_normal((2, 5, 2))
    layer = cr.MatMul(W.copy())
    net = cr.Sequential(layer, layer, loss=cr.MeanSquaredError())
    net.forward(x, t)
    net.backward()
    d = 2 * (x @ W @ W - t) / t.size
    np.testing.assert_allclose(layer.grads[0], (x @ W).T @ d + x.T @ (d @ W.T), rtol=1e-12)


def test_8_the_last_smaller_batch_is_used() -> None:
    seen: list[Any] = []

    class Watching(by_hand.MatMul):
        def backward(self, dout: Any) -> Any:
            seen.append(self.x.copy())
            return super().backward(dout)

    x = np.arange(10.0)[:, None]
    net = cr.Sequential(Watching(np.ones((1, 1))), loss=cr.MeanSquaredError())
    cr.Trainer(net, cr.SGD(1e-6)).fit(x, x, epochs=1, batch_size=4, progress=None)
    assert [len(rows) for rows in seen] == [4, 4, 2]
    np.testing.assert_array_equal(np.sort(np.concatenate(seen), axis=0), x)


def test_9_the_first_loss_on_record_is_that_of_a_whole_epoch() -> None:
    x, t = cr.datasets.spiral()
    trainer = cr.Trainer(cr.TwoLayerNet(2, 10, 3), cr.SGD(1.0))
    trainer.fit(x, t, epochs=2, batch_size=32, progress=None)
    history = trainer.history
    sizes = [32] * 9 + [12]
    for epoch, losses in enumerate(np.split(history.losses, 2)):
        assert history["loss"][epoch] == pytest.approx(np.average(losses, weights=sizes))


def test_10_no_pickle_and_no_half_precision_in_files() -> None:
    source = pathlib.Path(cr.__file__).parent
    for path in source.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(import|from) (c?pickle|shelve|marshal)\b", text, re.M), path
        assert "allow_pickle=True" not in text, path


def test_11_no_global_generator_and_no_global_switch() -> None:
    np.random.seed(3)
    expected = np.random.RandomState(3).randn()
    x, t = cr.datasets.spiral()
    net = cr.Sequential(cr.Affine.sized(2, 5), cr.Dropout(), loss=cr.SoftmaxWithLoss())
    cr.Trainer(net, cr.SGD(0.1)).fit(x, t, 1, validation=0.2, progress=None)
    cr.get_mini_batch(x, t, 5)
    assert np.random.randn() == expected


def test_12_nothing_is_promoted_in_silence() -> None:
    W, b = np.ones((2, 3), np.float32), np.zeros(3, np.float32)
    layer = cr.Affine(W, b)
    for x in (np.ones((4, 2)), np.ones((4, 2), int), np.ones((4, 2), np.float16)):
        y = layer.forward(x)
        layer.backward(np.ones((4, 3)))
        assert y.dtype == layer.grads[0].dtype == np.float32
    cr.Adam(np.float64(0.1)).update([W], [np.ones((2, 3))])
    assert W.dtype == np.float32
    for bad in (np.ones((2, 3), int), np.ones((2, 3), object), np.ones((2, 3), complex)):
        with pytest.raises(cr.errors.DTypeError, match="floating-point"):
            cr.Affine(bad, b)
    with pytest.raises(cr.errors.DTypeError, match="one dtype"):
        cr.Affine(np.ones((2, 3)), b)
