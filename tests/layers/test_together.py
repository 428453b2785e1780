"""Layers together: Affine out of MatMul, a layer used twice, shared weights, hand-written layers."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule.graph import Variable

Array = npt.NDArray[Any]

OPTIMIZERS: list[Callable[[], Any]] = [
    partial(kind, 0.1) for kind in cr.optimizers.OPTIMIZERS.values()
]


class Doubler:
    """A layer in the chapter's way: y = x W, with its four members and no base class."""

    def __init__(self, W: Array) -> None:
        self.params, self.grads = [W], [np.zeros_like(W)]
        self.calls = 0

    def forward(self, x: Array) -> Array:
        self.calls += 1
        self.x = x
        return np.asarray(x @ self.params[0])

    def backward(self, dout: Array) -> Array:
        self.grads[0][...] = self.x.T @ dout
        return np.asarray(dout @ self.params[0].T)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def numerical(net: Any, x: Array, t: Array) -> list[Array]:
    """Central differences of the loss, for every parameter."""
    found = []
    for p in net.params:
        g = np.zeros_like(p)
        for i in np.ndindex(p.shape):
            kept = p[i]
            p[i] = kept + 1e-5
            up = net.forward(x, t)
            p[i] = kept - 1e-5
            g[i] = (up - net.forward(x, t)) / 2e-5
            p[i] = kept
        found.append(g)
    return found


def agrees(net: Any, x: Array, t: Array) -> None:
    net.forward(x, t)
    net.backward()
    grads = [g.copy() for g in net.grads]
    for g, n in zip(grads, numerical(net, x, t), strict=True):
        np.testing.assert_allclose(g, n, rtol=1e-6, atol=1e-9)


def test_affine_is_matmul_and_a_bias() -> None:
    r = rng()
    W, b = r.standard_normal((3, 4)), r.standard_normal(4)
    x, dout = r.standard_normal((5, 3)), r.standard_normal((5, 4))
    affine, matmul = cr.Affine(W, b), cr.MatMul(W.copy())

    class Bias(cr.Layer):
        def formula(self, x: Any, b: Any) -> Any:
            return x + b

    bias = Bias(b=b.copy())
    np.testing.assert_array_equal(affine.forward(x), bias.forward(matmul.forward(x)))
    np.testing.assert_array_equal(affine.backward(dout), matmul.backward(bias.backward(dout)))
    np.testing.assert_array_equal(affine.grads[0], matmul.grads[0])
    np.testing.assert_array_equal(affine.grads[1], bias.grads[0])
    np.testing.assert_allclose(affine.grads[0], x.T @ dout, rtol=1e-13)
    np.testing.assert_allclose(affine.grads[1], dout.sum(axis=0), rtol=1e-13)


def test_a_layer_used_twice_adds_its_gradients() -> None:
    r = rng()
    layer, tanh = cr.Affine(r.standard_normal((3, 3)), r.standard_normal(3)), cr.Tanh()
    net = cr.Sequential(layer, tanh, layer, tanh, loss=cr.MeanSquaredError())
    assert len(net.params) == 2
    agrees(net, r.standard_normal((4, 3)), r.standard_normal((4, 3)))
    x = Variable(r.standard_normal((4, 3)))
    cr.sum(layer(layer(x))).backward()
    once = layer.grads[0].copy()
    y = layer.forward(x.data)
    ones = np.ones((4, 3))
    np.testing.assert_allclose(once, y.T @ ones + x.data.T @ (ones @ layer.W.T), rtol=1e-12)


class Shared(cr.Network):
    """One weight in two layers, as it is or transposed."""

    def __init__(self, first: Any, second: Any) -> None:
        super().__init__(loss=cr.MeanSquaredError(), seed=0)
        self.first, self.second = first, second

    def predict(self, x: Any) -> Any:
        return self.second(cr.tanh(self.first(x)))


def shared(transposed: bool) -> tuple[Any, Array, Array]:
    r = rng()
    W = r.standard_normal((3, 2) if transposed else (3, 3))
    net = Shared(cr.MatMul(W), cr.MatMul(W.T if transposed else W))
    return net, r.standard_normal((5, 3)), r.standard_normal((5, 3))


@pytest.mark.parametrize("transposed", [False, True])
def test_a_shared_weight_is_one_parameter_with_the_summed_gradient(transposed: bool) -> None:
    net, x, t = shared(transposed)
    assert len(net.params) == len(net.grads) == 1
    agrees(net, x, t)
    assert "shared" in net.summary()
    total = net.first.W + 0
    net.first.W[...] += 1
    np.testing.assert_array_equal(net.second.W.T if transposed else net.second.W, total + 1)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("make", OPTIMIZERS, ids=lambda make: type(make()).__name__)
def test_a_shared_weight_is_updated_once(make: Any, transposed: bool) -> None:
    net, x, t = shared(transposed)
    net.forward(x, t)
    net.backward()
    W, g = net.first.W.copy(), net.grads[0].copy()
    make().update([W], [g])
    optimizer = make()
    optimizer.update(net.params, net.grads)
    np.testing.assert_array_equal(net.first.W, W)
    np.testing.assert_array_equal(net.second.W.T if transposed else net.second.W, W)

    by_trainer, x, t = shared(transposed)
    cr.Trainer(by_trainer, make()).fit(x, t, 1, len(x), shuffle=False, progress=None)
    np.testing.assert_allclose(by_trainer.first.W, W, rtol=1e-12)
    by_hand, x, t = shared(transposed)

    class Plain:
        """An optimizer that has nothing but update(params, grads)."""

        def __init__(self) -> None:
            self.inner = make()

        def update(self, params: list[Array], grads: list[Array]) -> None:
            self.inner.update(params, grads, [True] * len(params))

    cr.Trainer(by_hand, Plain()).fit(x, t, 1, len(x), shuffle=False, progress=None)
    np.testing.assert_allclose(by_hand.first.W, W, rtol=1e-12)


def test_an_embedding_and_a_matmul_may_share_a_table() -> None:
    r = rng()
    W = r.standard_normal((5, 3))
    embedding, out = cr.Embedding(W), cr.MatMul(W.T)
    net = cr.Sequential(embedding, cr.Tanh(), out, loss=cr.SoftmaxWithLoss())
    assert len(net.params) == 1
    agrees(net, np.array([0, 1, 1, 4]), np.array([1, 2, 3, 0]))


@pytest.mark.parametrize("value", [np.zeros((3, 3)), np.eye(3)])
def test_equal_matrices_that_are_not_the_same_stay_apart(value: Array) -> None:
    net = Shared(cr.MatMul(value.copy()), cr.MatMul(value.T.copy()))
    assert len(net.params) == 2
    r = rng()
    agrees(net, r.standard_normal((5, 3)), r.standard_normal((5, 3)))
    first, second = Doubler(value.copy()), Doubler(value.copy())

    class ByHand:
        def __init__(self) -> None:
            self.params = first.params + second.params
            self.grads = first.grads + second.grads

        def forward(self, x: Array, t: Array) -> float:
            self.d = second.forward(first.forward(x)) - t
            return float(np.mean(self.d**2))

        def backward(self) -> None:
            first.backward(second.backward(2 * self.d / self.d.size))

        def predict(self, x: Array) -> Array:
            return second.forward(first.forward(x))

    x, t = r.standard_normal((4, 3)), r.standard_normal((4, 3))
    before = [p.copy() for p in ByHand().params]
    model = ByHand()
    model.forward(x, t)
    model.backward()
    want = [b - 0.1 * g for b, g in zip(before, model.grads, strict=True)]
    cr.Trainer(ByHand(), cr.SGD(0.1)).fit(x, t, 1, 4, shuffle=False, progress=None)
    for p, w in zip(model.params, want, strict=True):
        np.testing.assert_allclose(p, w, rtol=1e-12)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_weight_shared_by_hand_is_updated_once_by_the_trainer(transposed: bool) -> None:
    r = rng()
    W = r.standard_normal((3, 3))
    first, second = Doubler(W), Doubler(W.T if transposed else W)

    class ByHand:
        params = first.params + second.params
        grads = first.grads + second.grads

        def forward(self, x: Array, t: Array) -> float:
            self.d = second.forward(first.forward(x)) - t
            return float(np.mean(self.d**2))

        def backward(self) -> None:
            first.backward(second.backward(2 * self.d / self.d.size))

    x, t = r.standard_normal((4, 3)), r.standard_normal((4, 3))
    model = ByHand()
    model.forward(x, t)
    model.backward()
    second_grad = second.grads[0].T if transposed else second.grads[0]
    want = W.copy()
    cr.Momentum(0.1).update([want], [first.grads[0] + second_grad])
    cr.Trainer(model, cr.Momentum(0.1)).fit(x, t, 1, 4, shuffle=False, progress=None)
    np.testing.assert_allclose(W, want, rtol=1e-12)
    want = W.copy()
    model.forward(x, t)
    model.backward()
    second_grad = second.grads[0].T if transposed else second.grads[0]
    cr.Adam(0.1).update([want], [first.grads[0] + second_grad])
    cr.Trainer(model, cr.Adam(0.1)).fit(x, t, 1, 4, shuffle=False, progress=None)
    np.testing.assert_allclose(W, want, rtol=1e-12)


# -- hand-written layers ------------------------------------------------------------------------------


@pytest.mark.parametrize("twice", [False, True])
def test_a_hand_written_layer_in_a_network(twice: bool) -> None:
    r = rng()
    W, V = r.standard_normal((3, 3)), r.standard_normal((3, 3))
    x, t = r.standard_normal((4, 3)), r.standard_normal((4, 3))

    def net(layer: Any) -> Any:
        after = [layer] if twice else [cr.Affine(V.copy(), V[0].copy())]
        return cr.Sequential(layer, cr.Tanh(), *after, loss=cr.MeanSquaredError())

    by_hand = Doubler(W.copy())
    mixed, ours = net(by_hand), net(cr.MatMul(W.copy()))
    np.testing.assert_allclose(mixed.predict(x), ours.predict(x), rtol=1e-12)
    agrees(mixed, x, t)
    assert mixed.params[0] is by_hand.params[0]  # its arrays stay where they are
    optimizers = [cr.Momentum(0.1), cr.Momentum(0.1)]
    for _ in range(5):
        losses = []
        for model, optimizer in zip((mixed, ours), optimizers, strict=True):
            losses.append(model.forward(x, t))
            model.backward()
            optimizer.update(model.params, model.grads)
        np.testing.assert_allclose(losses[0], losses[1], rtol=1e-10)
    np.testing.assert_allclose(by_hand.params[0], ours.layers[0].W, rtol=1e-10)


def test_a_hand_written_layer_in_the_trainer() -> None:
    x, t = cr.datasets.spiral()
    r = rng()
    W, V, b = r.standard_normal((2, 8)), r.standard_normal((8, 3)), np.zeros(3)
    found = []
    for layer in (Doubler(W.copy()), cr.MatMul(W.copy())):
        net = cr.Sequential(
            layer, cr.Tanh(), cr.Affine(V.copy(), b.copy()), loss=cr.SoftmaxWithLoss()
        )
        trainer = cr.Trainer(net, cr.SGD(0.5))
        trainer.fit(x, t, epochs=5, batch_size=32, validation=0.2, progress=None)
        found.append(trainer.history.losses.copy())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)


def test_one_hand_written_layer_in_two_networks_at_a_time() -> None:
    r = rng()
    layer = Doubler(r.standard_normal((3, 3)))
    nets = [cr.Sequential(layer, loss=cr.MeanSquaredError()) for _ in range(2)]
    xs, ts = r.standard_normal((2, 4, 3)), r.standard_normal((2, 4, 3))
    for net, x, t in zip(nets, xs, ts, strict=True):
        net.forward(x, t)
    for net, x, t in zip(nets, xs, ts, strict=True):  # each backward is that of its own forward
        net.backward()
        want = x.T @ (2 * (x @ layer.params[0] - t) / t.size)
        np.testing.assert_allclose(net.grads[0], want, rtol=1e-12)


def test_a_hand_written_layer_is_let_go() -> None:
    layer = Doubler(np.ones((3, 3)))
    gone = weakref.ref(layer)
    net = cr.Sequential(layer, loss=cr.MeanSquaredError())
    net.forward(np.ones((2, 3)), np.ones((2, 3)))
    net.backward()
    del layer, net
    gc.collect()
    assert gone() is None


def test_a_hand_written_layer_has_first_derivatives_only() -> None:
    net = cr.Sequential(Doubler(np.ones((3, 3))))

    def f(x: Any) -> Any:
        return cr.sum(net.predict(x) ** 2)

    x = np.ones((2, 3))
    np.testing.assert_allclose(cr.grad(f)(x), 2 * (x @ np.ones((3, 3))) @ np.ones((3, 3)))
    with pytest.raises(cr.errors.RecordingError, match="Doubler is a hand-written layer"):
        cr.grad(lambda x: cr.sum(cr.grad(f)(x) ** 2))(x)


def test_a_hand_written_layer_whose_lists_do_not_match_is_refused() -> None:
    layer = Doubler(np.ones((3, 3)))
    layer.grads = []
    with pytest.raises(cr.errors.ShapeError, match=r"Doubler: params and grads.*\(3, 3\)"):
        cr.Sequential(layer)


# -- freezing -----------------------------------------------------------------------------------------


def test_a_frozen_layer_stays_as_it_is() -> None:
    r = rng()
    frozen, free = cr.Affine.sized(3, 4, dtype=float), cr.Affine.sized(4, 3, dtype=float)
    frozen.trainable = False
    net = cr.Sequential(frozen, cr.Tanh(), free, loss=cr.MeanSquaredError(), seed=0)
    x, t = r.standard_normal((6, 3)), r.standard_normal((6, 3))
    kept = [p.copy() for p in frozen.params]
    first = free.W.copy()
    for make in OPTIMIZERS:
        cr.Trainer(net, make()).fit(x, t, 2, 3, progress=None)
        optimizer = make()
        net.forward(x, t)
        net.backward()
        optimizer.update(net.params, net.grads)
    for p, k in zip(frozen.params, kept, strict=True):
        np.testing.assert_array_equal(p, k)
    assert (first != free.W).any()
    frozen.trainable = True
    net.forward(x, t)
    net.backward()
    assert len(net.params) == 4
    assert frozen.grads[0].any()


def test_a_network_with_nothing_to_train_still_has_a_loss() -> None:
    layer = cr.Affine.sized(3, 3)
    layer.trainable = False
    for net in (
        cr.Sequential(cr.Tanh(), loss=cr.MeanSquaredError()),
        cr.Sequential(layer, loss=cr.MeanSquaredError()),
    ):
        assert net.forward(np.zeros((2, 3)), np.ones((2, 3))) == 1
        net.backward()
        assert net.params == []
