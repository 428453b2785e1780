"""The book's training run, number by number, with our layers, loss and optimizer.

Data, first weights and permutations come from NumPy's legacy generator in the order in which
the book draws them: one stream, seeded with 1984. All in float64.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr

Array = npt.NDArray[Any]


def book_spiral(stream: np.random.RandomState) -> tuple[Array, Array]:
    """Three arms of 100 points, with one draw of noise for each point."""
    x, t = np.zeros((300, 2)), np.zeros((300, 3), dtype=int)
    for arm in range(3):
        for i in range(100):
            radius = i / 100
            angle = arm * 4.0 + 4.0 * radius + stream.randn() * 0.2
            x[100 * arm + i] = radius * np.sin(angle), radius * np.cos(angle)
            t[100 * arm + i, arm] = 1
    return x, t


class BookNet:
    """Affine, Sigmoid, Affine and the loss, put together as the chapter does."""

    def __init__(self, stream: np.random.RandomState) -> None:
        W1, b1 = 0.01 * stream.randn(2, 10), np.zeros(10)
        W2, b2 = 0.01 * stream.randn(10, 3), np.zeros(3)
        self.layers: list[Any] = [cr.Affine(W1, b1), cr.Sigmoid(), cr.Affine(W2, b2)]
        self.loss = cr.SoftmaxWithLoss()
        self.params = [p for layer in self.layers for p in layer.params]
        self.grads = [g for layer in self.layers for g in layer.grads]

    def predict(self, x: Array) -> Array:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def forward(self, x: Array, t: Array) -> float:
        return float(self.loss.forward(self.predict(x), t))

    def backward(self) -> None:
        d = self.loss.backward()
        for layer in reversed(self.layers):
            d = layer.backward(d)


@functools.cache
def run(report_first: bool) -> tuple[float, list[float], float, float]:
    """The first loss, the reported ones, the last one, and the accuracy: 300 epochs of 10 batches.

    The book's Trainer reports at step 0, 10, 20 ... of an epoch; its loop by hand after step
    10, 20 ...: each the mean of the losses since the report before.
    """
    stream = np.random.RandomState(1984)
    x, t = book_spiral(stream)
    net, optimizer = BookNet(stream), cr.SGD(lr=1.0)
    places = [a.__array_interface__["data"][0] for a in (*net.params, *net.grads)]
    first = net.forward(x, t)
    reports: list[float] = []
    since: list[float] = []
    for _ in range(300):
        order = stream.permutation(300)
        x, t = x[order], t[order]
        for i in range(300 // 30):
            rows = slice(30 * i, 30 * (i + 1))
            since.append(net.forward(x[rows], t[rows]))
            net.backward()
            optimizer.update(net.params, net.grads)
            if (i if report_first else i + 1) % 10 == 0:
                reports.append(float(np.mean(since)))
                since = []
    assert [a.__array_interface__["data"][0] for a in (*net.params, *net.grads)] == places
    accuracy = float(np.mean(net.predict(x).argmax(axis=1) == t.argmax(axis=1)))
    return first, reports, net.forward(x, t), accuracy


def test_the_spiral_is_the_book_s() -> None:
    x, t = book_spiral(np.random.RandomState(1984))
    ours, one_hot = cr.datasets.spiral(seed=1984, one_hot=True)
    np.testing.assert_array_equal(ours, x)
    np.testing.assert_array_equal(one_hot, t)


def test_the_run_of_the_book_s_trainer() -> None:
    first, reports, last, accuracy = run(True)
    assert first == pytest.approx(1.098778, abs=1e-6)
    assert len(reports) == 300
    np.testing.assert_allclose(reports[:3], [1.097984, 1.118918, 1.129901], rtol=0, atol=1e-6)
    assert reports[-1] == pytest.approx(0.108686, abs=1e-6)
    assert last == pytest.approx(0.104050, abs=1e-6)
    assert accuracy == pytest.approx(0.970, abs=5e-4)


def test_the_run_of_the_book_s_loop_by_hand() -> None:
    _, reports, _, _ = run(False)
    assert len(reports) == 300
    np.testing.assert_allclose(reports[:3], [1.125606, 1.125520, 1.116261], rtol=0, atol=1e-6)
    assert reports[-1] == pytest.approx(0.108550, abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_our_trainer_ends_in_the_same_region(seed: int) -> None:
    x, t = cr.datasets.spiral()
    net = cr.TwoLayerNet(2, 10, 3, init="book", seed=seed)
    trainer = cr.Trainer(net, cr.SGD(lr=1.0), seed=seed)
    trainer.fit(x, t, epochs=300, batch_size=30, progress=None)
    found = trainer.evaluate(x, t)
    assert found["loss"] < 0.2
    assert found["accuracy"] > 0.93
