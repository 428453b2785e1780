"""Classes in the chapter's way, with no base class, in our networks, Trainer and gradient check."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.chapter import by_hand

import chainrule as cr


def arrays() -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    shapes = ((2, 6), (6,), (6, 5), (5, 3), (3,))
    return tuple(rng.standard_normal(shape) for shape in shapes)


def mixed(W1: Any, b1: Any, W: Any, W2: Any, b2: Any) -> Any:
    """Theirs and ours in turn."""
    return cr.Sequential(
        by_hand.Affine(W1.copy(), b1.copy()),
        by_hand.Sigmoid(),
        by_hand.MatMul(W.copy()),
        cr.Tanh(),
        cr.Affine(W2.copy(), b2.copy()),
        loss=cr.SoftmaxWithLoss(),
    )


def ours(W1: Any, b1: Any, W: Any, W2: Any, b2: Any) -> Any:
    return cr.Sequential(
        cr.Affine(W1.copy(), b1.copy()),
        cr.Sigmoid(),
        cr.MatMul(W.copy()),
        cr.Tanh(),
        cr.Affine(W2.copy(), b2.copy()),
        loss=cr.SoftmaxWithLoss(),
    )


@pytest.mark.parametrize("make", [by_hand.SGD, cr.SGD, cr.Adam])
def test_training_them_is_training_ours(make: Any) -> None:
    x, t = cr.datasets.spiral()
    found = []
    for net in (mixed(*arrays()), ours(*arrays())):
        trainer = cr.Trainer(net, make(lr=0.1), seed=1)
        trainer.fit(x, t, epochs=4, batch_size=32, validation=0.1, progress=None)
        found.append(trainer.history.losses.copy())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-8)
    assert found[0][-10:].mean() < found[0][:10].mean()


def test_the_chapter_s_loop_with_both() -> None:
    x, t = cr.datasets.spiral()
    losses = []
    for net, optimizer in ((mixed(*arrays()), by_hand.SGD(0.5)), (ours(*arrays()), cr.SGD(0.5))):
        for i in range(50):
            x_batch, t_batch = cr.get_mini_batch(x, t, 30, seed=i)
            loss = net.forward(x_batch, t_batch)
            net.backward()
            optimizer.update(net.params, net.grads)
        losses.append(loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)


def test_they_are_used_twice_and_their_gradients_add() -> None:
    W = np.random.default_rng(1).standard_normal((2, 2))
    x, t = np.random.default_rng(2).standard_normal((2, 5, 2))
    layer, sigmoid = by_hand.MatMul(W.copy()), by_hand.Sigmoid()
    net = cr.Sequential(layer, sigmoid, layer, sigmoid, loss=cr.MeanSquaredError())
    same = cr.MatMul(W.copy())
    other = cr.Sequential(same, cr.Sigmoid(), same, cr.Sigmoid(), loss=cr.MeanSquaredError())
    assert net.forward(x, t) == pytest.approx(other.forward(x, t), rel=1e-12)
    net.backward()
    other.backward()
    np.testing.assert_allclose(net.grads[0], other.grads[0], rtol=1e-10)
    assert net.grads[0] is layer.grads[0]


def test_the_gradient_check_passes_them_and_finds_their_mistakes() -> None:
    W1, b1, *_ = arrays()
    x = np.random.default_rng(3).standard_normal((4, 2))
    good = cr.Sequential(by_hand.Affine(W1, b1), by_hand.Sigmoid())
    assert cr.check(lambda x: cr.sum(good.predict(x) ** 2), x)

    class Wrong(by_hand.Sigmoid):
        def backward(self, dout: Any) -> Any:
            return dout * self.out

    bad = cr.Sequential(by_hand.Affine(W1, b1), Wrong())
    report = cr.check(lambda x: cr.sum(bad.predict(x) ** 2), x)
    assert not report
    assert "WRONG" in str(report)


def test_the_gradient_check_takes_one_of_them_by_itself() -> None:
    W1, b1, *_ = arrays()
    x = np.random.default_rng(3).standard_normal((4, 2))
    for layer in (by_hand.Affine(W1, b1), by_hand.Sigmoid(), by_hand.MatMul(W1)):
        assert cr.check(layer, x)
