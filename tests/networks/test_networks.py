"""Networks: flat buffers, sharing, plans, and what a network says of itself."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, RecordingError, SettingError, ShapeError

Array = npt.NDArray[Any]


def net(**more: Any) -> cr.Sequential:
    return cr.Sequential(
        cr.Affine.sized(3, 5, dtype=more.pop("dtype", np.float64)),
        cr.Sigmoid(),
        cr.Affine.sized(5, 2, dtype=np.float64),
        loss=cr.SoftmaxWithLoss(),
        **more,
    )


X = np.random.default_rng(0).standard_normal((7, 3))
T = np.array([0, 1, 1, 0, 1, 0, 0])


def test_parameters_and_gradients_are_views_of_two_flat_arrays() -> None:
    network = net()
    (flat,) = network._flatten_parameters()
    assert flat.data.size == flat.grad.size == 3 * 5 + 5 + 5 * 2 + 2
    for p, g in zip(network.params, network.grads, strict=True):
        assert np.shares_memory(p, flat.data)
        assert np.shares_memory(g, flat.grad)
        assert p.flags.c_contiguous
    assert sum(p.size for p in network.params) == flat.data.size


def test_addresses_stay_for_life() -> None:
    network = net()
    before = [a.ctypes.data for a in network.params + network.grads]
    for rows in (7, 3, 7):
        network.forward(X[:rows], T[:rows])
        network.backward()
        cr.Adam().update(network.params, network.grads)
    network.predict(X)
    assert [a.ctypes.data for a in network.params + network.grads] == before


def test_gradients_agree_with_differences() -> None:
    network = net()
    network.forward(X, T)
    network.backward()
    for p, g in zip(network.params, network.grads, strict=True):
        numeric = cr.numerical_gradient(lambda _: network.forward(X, T), p)
        np.testing.assert_allclose(g, numeric, rtol=1e-6, atol=1e-9)


def test_forward_backward_equals_the_layers_one_by_one() -> None:
    network = net()
    loss = network.forward(X, T)
    network.backward()
    grads = [g.copy() for g in network.grads]
    x = X
    for layer in network.layers:
        x = layer.forward(x)
    assert float(network.loss.forward(x, T)) == pytest.approx(loss, rel=1e-14)
    d = network.loss.backward()
    for layer in reversed(network.layers):
        d = layer.backward(d)
    for g, kept in zip(network.grads, grads, strict=True):
        np.testing.assert_allclose(g, kept, rtol=1e-12, atol=1e-16)


def test_backward_scales_with_dout_and_follows_forward() -> None:
    network = net()
    network.forward(X, T)
    network.backward()
    first = [g.copy() for g in network.grads]
    with pytest.raises(RecordingError, match="follows forward"):
        network.backward()
    network.forward(X, T)
    network.backward(dout=3.0)
    for g, f in zip(network.grads, first, strict=True):
        np.testing.assert_allclose(g, 3 * f, rtol=1e-14)


def test_doubling_every_row_changes_neither_loss_nor_gradients() -> None:
    network = net()
    loss = network.forward(X, T)
    network.backward()
    grads = [g.copy() for g in network.grads]
    assert network.forward(np.tile(X, (2, 1)), np.tile(T, 2)) == pytest.approx(loss, rel=1e-14)
    network.backward()
    for g, kept in zip(network.grads, grads, strict=True):
        np.testing.assert_allclose(g, kept, rtol=1e-12, atol=1e-16)


def test_seed_decides_the_first_weights() -> None:
    assert [p.tobytes() for p in net(seed=3).params] == [p.tobytes() for p in net(seed=3).params]
    assert net(seed=3).params[0].tobytes() != net(seed=4).params[0].tobytes()
    rng = np.random.default_rng(3)
    assert [p.tobytes() for p in net(seed=rng).params] == [p.tobytes() for p in net(seed=3).params]


def test_arrays_given_keep_their_dtype_and_are_not_written_any_more() -> None:
    W, b = np.ones((3, 2), np.float32), np.zeros(2, np.float32)
    network = cr.Sequential(cr.Affine(W, b), loss=cr.SoftmaxWithLoss())
    assert network.dtype == np.float32
    assert network.params[0] is not W
    network.params[0][...] = 5
    np.testing.assert_array_equal(W, 1)
    assert network.predict(X).dtype == np.float32


def test_a_layer_in_two_networks_shares_its_arrays() -> None:
    shared = cr.Affine.sized(3, 4, dtype=np.float64)
    a = cr.Sequential(shared, cr.Affine.sized(4, 2, dtype=np.float64), loss=cr.SoftmaxWithLoss())
    address = a.params[0].ctypes.data
    b = cr.Sequential(shared, cr.Affine.sized(4, 3, dtype=np.float64), loss=cr.SoftmaxWithLoss())
    assert a.params[0] is b.params[0]
    assert a.params[0].ctypes.data == address
    before = a.params[0].copy()
    cr.Trainer(b, cr.SGD(0.1)).fit(X, T, 2, 7, progress=None)
    assert not np.array_equal(a.params[0], before)
    np.testing.assert_array_equal(a.params[0], b.params[0])


def test_one_weight_in_two_layers_is_one_parameter() -> None:
    W = np.random.default_rng(1).standard_normal((3, 3))
    tied = cr.Sequential(
        cr.MatMul(W), cr.Tanh(), cr.MatMul(W), cr.Tanh(), cr.MatMul(W.T), loss=cr.MeanSquaredError()
    )
    assert len(tied.params) == 1
    t = np.ones((7, 3))
    tied.forward(X, t)
    tied.backward()
    numeric = cr.numerical_gradient(lambda _: tied.forward(X, t), tied.params[0])
    np.testing.assert_allclose(tied.grads[0], numeric, rtol=1e-6, atol=1e-9)
    before = tied.params[0].copy()
    grad = tied.grads[0].copy()
    cr.SGD(0.1).update(tied.params, tied.grads)
    np.testing.assert_allclose(tied.params[0], before - 0.1 * grad, rtol=1e-14)
    np.testing.assert_array_equal(tied.layers[4].params[0], tied.params[0].T)


def test_one_layer_twice_adds_its_gradients() -> None:
    layer = cr.Affine(np.eye(3) * 0.5, np.zeros(3))
    twice = cr.Sequential(layer, cr.Tanh(), layer, loss=cr.MeanSquaredError())
    assert len(twice.params) == 2
    t = np.ones((7, 3))
    twice.forward(X, t)
    twice.backward()
    for p, g in zip(twice.params, twice.grads, strict=True):
        numeric = cr.numerical_gradient(lambda _: twice.forward(X, t), p)
        np.testing.assert_allclose(g, numeric, rtol=1e-6, atol=1e-9)


def test_equal_but_unrelated_matrices_are_not_tied() -> None:
    network = cr.Sequential(
        cr.MatMul(np.zeros((3, 3))), cr.MatMul(np.zeros((3, 3))), loss=cr.MeanSquaredError()
    )
    assert len(network.params) == 2


def test_overlapping_parameters_are_refused() -> None:
    W = np.ones((4, 3))
    with pytest.raises(ShapeError, match="share one memory"):
        cr.Sequential(cr.MatMul(W), cr.MatMul(W.reshape(3, 4)), loss=cr.MeanSquaredError())


class Skip(cr.Network):
    def __init__(self) -> None:
        super().__init__(loss=cr.MeanSquaredError(), seed=1)
        self.first = cr.Affine.sized(3, 3, dtype=np.float64)
        self.more = [
            cr.Affine.sized(3, 3, dtype=np.float64),
            cr.Affine.sized(3, 1, dtype=np.float64),
        ]

    def predict(self, x: Any) -> Any:
        h = cr.tanh(self.first(x))
        return self.more[1](cr.tanh(self.more[0](h)) + h * x)


def test_a_network_written_with_operators() -> None:
    network = Skip()
    assert [name for name, _ in network.named_layers()] == ["first", "more.0", "more.1"]
    t = np.ones((7, 1))
    network.forward(X, t)
    network.backward()
    for p, g in zip(network.params, network.grads, strict=True):
        numeric = cr.numerical_gradient(lambda _: network.forward(X, t), p)
        np.testing.assert_allclose(g, numeric, rtol=1e-6, atol=1e-9)
    history = cr.Trainer(network, cr.Adam(0.05)).fit(X, t, 60, 7, progress=None)
    assert history["loss"][-1] < 0.05 * history["loss"][0]


def test_deepcopy_is_independent_and_keeps_ties() -> None:
    W = np.random.default_rng(1).standard_normal((3, 3))
    a = cr.Sequential(cr.MatMul(W), cr.Tanh(), cr.MatMul(W.T), loss=cr.MeanSquaredError())
    b = copy.deepcopy(a)
    np.testing.assert_array_equal(a.predict(X), b.predict(X))
    cr.Trainer(b, cr.SGD(0.1)).fit(X, X, 2, 7, progress=None)
    np.testing.assert_array_equal(b.layers[2].params[0], b.params[0].T)
    assert not np.array_equal(a.params[0], b.params[0])
    assert np.shares_memory(b._flatten_parameters()[0].data, b.params[0])


def test_training_mode_is_on_in_forward_and_off_in_predict() -> None:
    network = cr.Sequential(
        cr.Affine.sized(3, 50, dtype=np.float64), cr.Dropout(0.5), loss=cr.MeanSquaredError()
    )
    assert (network.predict(X) != 0).all()
    t = network.predict(X)
    assert network.forward(X, t) > 0.01  # dropped elements differ from the plain outputs
    clean = network.predict(X)
    np.testing.assert_array_equal(clean, t)


def test_activations_by_layer() -> None:
    network = net()
    found = network.activations(X)
    assert list(found) == ["layer 0 (Affine)", "layer 1 (Sigmoid)", "layer 2 (Affine)"]
    np.testing.assert_allclose(list(found.values())[-1], network.predict(X), rtol=1e-13)


def test_probabilities_and_classes() -> None:
    network = net()
    p = network.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_array_equal(network.classify(X), p.argmax(axis=1))
    yes_no = cr.Sequential(cr.Affine.sized(3, 1), loss=cr.SigmoidWithLoss())
    assert set(yes_no.classify(X)) <= {0, 1}
    np.testing.assert_array_equal(yes_no.classify(X), (yes_no.predict_proba(X)[:, 0] > 0.5))
    # Trained on −1 and 1: one answer tells by its sign, several by the largest.
    signed = cr.Sequential(cr.Affine.sized(3, 1), cr.Tanh(), loss=cr.MeanSquaredError(), seed=0)
    np.testing.assert_array_equal(signed.classify(X), signed.predict(X)[:, 0] > 0)
    several = cr.Sequential(cr.Affine.sized(3, 4), loss=cr.MeanSquaredError(), seed=0)
    np.testing.assert_array_equal(several.classify(X), several.predict(X).argmax(axis=1))
    with pytest.raises(SettingError, match="predict_proba is for classifiers"):
        signed.predict_proba(X)


def test_prediction_of_a_row_does_not_depend_on_other_rows() -> None:
    network = cr.Sequential(
        cr.Affine.sized(3, 4),
        cr.BatchNorm.sized(4),
        cr.ReLU(),
        cr.Affine.sized(4, 2),
        loss=cr.SoftmaxWithLoss(),
    )
    cr.Trainer(network, cr.SGD(0.1)).fit(X, T, 3, 7, progress=None)
    spoiled = X.copy()
    spoiled[3] = np.nan
    good = [0, 1, 2, 4, 5, 6]
    np.testing.assert_array_equal(network.predict(spoiled)[good], network.predict(X)[good])


def test_ids_go_in_as_ids() -> None:
    network = cr.Sequential(
        cr.Embedding.sized(9, 4), cr.Affine.sized(4, 2), loss=cr.SoftmaxWithLoss()
    )
    ids = np.array([0, 8, 3, 3])
    assert network.predict(ids).shape == (4, 2)
    network.forward(ids, np.array([0, 1, 1, 0]))
    network.backward()
    with pytest.raises(ChainruleError, match="ids 0 to 8"):
        network.predict(np.array([9]))
    with pytest.raises(ChainruleError, match="ids 0 to 8"):
        network.forward(np.array([9]), np.array([1]))


def test_summary_counts_every_parameter_once() -> None:
    text = net().summary()
    assert "32 parameters, float64; loss: SoftmaxWithLoss" in text
    frozen = net()
    frozen.layers[0].trainable = False
    assert "20 of them frozen" in frozen.summary()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: cr.Sequential(cr.Affine.sized(3, 5), cr.Sigmoid(), cr.Affine.sized(4, 2)),
         "layer 2 (Affine) takes 4 inputs, but layer 0 (Affine) gives 5 outputs"),
        (lambda: cr.Sequential(3), "layer 0 is 3"),
        (lambda: cr.TwoLayerNet(2, 3, 4, activation="rleu"), 'did you mean "relu"'),
        (lambda: cr.TwoLayerNet(2, 0, 4), "hidden_size=0"),
        (lambda: cr.TwoLayerNet(2, 2.5, 4), "hidden_size=2.5"),  # type: ignore[arg-type]
        (lambda: cr.TwoLayerNet(2, 3, 4, seed=-1), "seed=-1"),
        (lambda: cr.TwoLayerNet(2, 3, 4, init="hee"), 'did you mean "he"'),
        (lambda: cr.Sequential(cr.Affine.sized(2, 2)).forward(X[:, :2], T), "has no loss"),
    ],
)  # fmt: skip
def test_mistakes_are_named(make: Any, says: str) -> None:
    with pytest.raises(ChainruleError) as caught:
        make()
    assert says in str(caught.value)


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_a_batch_of_any_size(rows: int) -> None:
    network = net()
    network.forward(X[:rows], T[:rows])
    network.backward()
    for p, g in zip(network.params, network.grads, strict=True):
        numeric = cr.numerical_gradient(lambda _: network.forward(X[:rows], T[:rows]), p)
        np.testing.assert_allclose(g, numeric, rtol=1e-5, atol=1e-8)


class Against(cr.Network):
    """Every row against every other of its batch, as contrastive losses are: one row says nothing."""

    def __init__(self) -> None:
        super().__init__(loss=cr.MeanSquaredError(), seed=0)
        self.a = cr.Affine.sized(3, 4)

    def predict(self, x: Any) -> Any:
        h = self.a(x)
        return h[:, :1] + cr.softmax(h @ h.T)[:, 1:2]


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_a_network_that_needs_several_rows_is_trained(engine: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((12, 3))
    t = x[:, :1] - x[:, 1:2]
    history = cr.Trainer(Against(), cr.SGD(lr=0.1), engine=engine).fit(x, t, 20, 4, progress=None)
    assert history.losses[-1] < 0.5 * history.losses[0]
