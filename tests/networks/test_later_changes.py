"""What is changed after construction takes effect: no recorded plan outlives what it was made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.engine.compiled.plain import plainly

import chainrule as cr
from chainrule.errors import ChainruleError, SettingError, ShapeError
from chainrule.training.structure import structure_of

X = np.random.default_rng(0).standard_normal((30, 4))
T = np.arange(30) % 3


def test_another_loss() -> None:
    network = cr.Sequential(cr.Affine.sized(4, 4, dtype=np.float64), loss=cr.MeanSquaredError())
    y = network.predict(X)
    assert network.forward(X, X) == pytest.approx(np.mean((y - X) ** 2))
    network.loss = cr.MeanAbsoluteError()
    assert network.forward(X, X) == pytest.approx(np.mean(np.abs(y - X)))
    history = cr.Trainer(network, cr.SGD(1e-30)).fit(X, X, 1, 30, progress=None)
    assert history["loss"][0] == pytest.approx(np.mean(np.abs(y - X)))


def test_a_change_leaves_the_parameters_where_they_are() -> None:
    """Optimizers update runs of parameters, and networks with the same runs share one step."""

    def network(seed: int) -> cr.Sequential:
        layers = cr.Affine.sized(4, 8), cr.ReLU(), cr.Affine.sized(8, 3)
        return cr.Sequential(*layers, loss=cr.SoftmaxWithLoss(), seed=seed)

    net, twin = network(0), network(0)
    before = [(s.data.size, s.data.ctypes.data) for s in net._segments()]
    for one in (net, twin):
        one.loss = cr.SoftmaxWithLoss(label_smoothing=0.1)
    net.seed = 5
    assert [(s.data.size, s.data.ctypes.data) for s in net._segments()] == before
    assert structure_of(net) is not None
    # Together or by itself, each learns the same.
    optimizers = [cr.Adam(0.01), cr.Adam(0.01)]
    many = [net, network(7)]
    many[1].loss = cr.SoftmaxWithLoss(label_smoothing=0.1)
    cr.fit_many(many, optimizers, X, T, 3, 10, seeds=[1, 2], engine="compiled", progress=None)
    cr.Trainer(twin, cr.Adam(0.01), seed=1, engine="compiled").fit(X, T, 3, 10, progress=None)
    assert [p.tobytes() for p in net.params] == [p.tobytes() for p in twin.params]


def test_a_layer_in_another_place_moves_only_new_parameters() -> None:
    first, second, third = (cr.Affine.sized(4, 4) for _ in range(3))
    network = cr.Sequential(first, second, loss=cr.MeanSquaredError())
    x, t = X.astype(np.float32), X.astype(np.float32)
    trainer = cr.Trainer(network, cr.SGD(0.1), engine="numpy")
    trainer.fit(x, t, 1, 10, progress=None)
    network.extra = third  # one more attribute, which predict does not use
    network.layers[0].W[...] = 0.5
    before = [p.copy() for p in network.params]
    trainer.fit(x, t, 1, 10, progress=None)
    inside = [i for i, p in enumerate(network.params) if not np.array_equal(p, before[i])]
    assert inside == [0, 1, 2, 3]  # W and b of the two in use; none is left behind by the buffers
    assert np.may_share_memory(first.W, network._segments()[0].data)


def test_an_attribute_of_ones_own_layer() -> None:
    class Scale(cr.Layer):
        def __init__(self, k: float) -> None:
            super().__init__(g=np.ones(4))
            self.k = k

        def formula(self, x: Any, g: Any) -> Any:
            return x * g * self.k

    layer = Scale(2.0)
    first = layer.forward(X)
    layer.k = 3.0
    np.testing.assert_allclose(layer.forward(X), 1.5 * first, rtol=1e-15)


class Headed(cr.Network):
    def __init__(self) -> None:
        super().__init__(loss=cr.SoftmaxWithLoss())
        self.body, self.head = cr.Affine.sized(4, 5), cr.Affine.sized(5, 3)
        self.scale = 1.0

    def predict(self, x: Any) -> Any:
        return self.head(cr.tanh(self.body(x))) * self.scale


def test_an_attribute_of_ones_own_network() -> None:
    network = Headed()
    first = network.predict(X)
    network.scale = 2.0
    np.testing.assert_allclose(network.predict(X), 2 * first, rtol=1e-6)


def test_another_head_is_adopted_and_trained() -> None:
    network = Headed()
    cr.Trainer(network, cr.SGD(0.1)).fit(X, T, 1, progress=None)
    body = network.params[0]
    network.head = cr.Affine.sized(5, 2)
    assert [p.shape for p in network.params] == [(4, 5), (5,), (5, 2), (2,)]
    assert network.params[0] is body
    before = network.params[2].copy()
    cr.Trainer(network, cr.Adam(0.1)).fit(X, (T > 0) * 1, 3, progress=None)
    assert network.predict(X).shape == (30, 2)
    assert not np.array_equal(network.params[2], before)


def test_what_a_formula_leaves_behind_is_no_change() -> None:
    class Keeping(Headed):
        def predict(self, x: Any) -> Any:
            self.hidden = self.body(x)
            return self.head(cr.tanh(self.hidden))

    network = Keeping()
    network.predict(X)
    revision = network._revision.number
    network.predict(X)
    assert network._revision.number == revision


def test_widths_pass_through_inner_networks_and_own_layers() -> None:
    class Pairs(cr.Layer):
        def formula(self, x: Any) -> Any:
            return cr.maximum(x[:, ::2], x[:, 1::2])

    inner = cr.Sequential(cr.Affine.sized(10, 5), cr.ReLU())
    network = cr.Sequential(cr.Affine.sized(4, 10), inner, cr.Affine.sized(5, 3))
    assert network.predict(X).shape == (30, 3)
    assert network(X).shape == (30, 3)
    paired = cr.Sequential(cr.Affine.sized(4, 10), Pairs(), cr.Affine.sized(5, 3))
    assert paired.predict(X).shape == (30, 3)
    with pytest.raises(ShapeError, match=r"layer 1\.0 \(Affine\) takes 9 inputs, but layer 0"):
        cr.Sequential(cr.Affine.sized(4, 10), cr.Sequential(cr.Affine.sized(9, 5)))


def test_ids_below_zero_or_beyond_the_table_are_refused_wherever_the_table_stands() -> None:
    class Words(cr.Network):
        def __init__(self) -> None:
            super().__init__(loss=cr.MeanSquaredError())
            self.last, self.table = cr.Affine.sized(2, 2), cr.Embedding.sized(3, 2)

        def predict(self, x: Any) -> Any:
            return self.last(self.table(x))

    network = Words()
    for recorded in (False, True):
        for ids in ([-1, 0], [3, 0]):
            with pytest.raises(ChainruleError, match="id"):
                network.predict(np.array(ids))
        assert network.predict(np.array([2, 0])).shape == (2, 2), recorded


def test_a_loss_with_parameters_is_refused() -> None:
    class Weighted(cr.Layer):
        def __init__(self) -> None:
            super().__init__(a=np.ones(1))

        def formula(self, y: Any, a: Any, t: Any) -> Any:
            return cr.mean(a * (y - t) ** 2)

    with pytest.raises(SettingError, match="Weighted has parameters of its own"):
        cr.Sequential(cr.Affine.sized(4, 4), loss=Weighted())


def test_freezing_keeps_the_state_of_the_optimizer() -> None:
    """Adam over frozen and thawed layers, against Adam on each parameter by itself."""

    def network() -> cr.Sequential:
        return cr.Sequential(
            cr.Affine.sized(4, 6, dtype=np.float64), cr.Tanh(),
            cr.Affine.sized(6, 3, dtype=np.float64), loss=cr.SoftmaxWithLoss(), seed=2,
        )  # fmt: skip

    ours, reference = network(), network()
    trainer = cr.Trainer(ours, cr.Adam(0.01))
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p in reference.params]
    every = list(zip(reference.params, reference.grads, moments, strict=True))
    t = 0
    for frozen in (False, True, False, False):
        ours.layers[0].trainable = not frozen
        trainer.fit(X, T, 2, 10, shuffle=False, progress=None)
        for _ in range(2):
            for start in range(0, 30, 10):
                reference.forward(X[start : start + 10], T[start : start + 10])
                reference.backward()
                t += 1
                rate = 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
                for p, g, (m, v) in every[2:] if frozen else every:
                    m += 0.1 * (g - m)
                    v += 0.001 * (g * g - v)
                    p -= rate * m / (np.sqrt(v) + 1e-7)
    for p, q in zip(ours.params, reference.params, strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-10, atol=1e-12)


def test_by_hand_and_by_trainer_share_the_state() -> None:
    network = Headed()
    optimizer = cr.Momentum(0.1)
    network.forward(X, T)
    network.backward()
    optimizer.update(network.params, network.grads)
    cr.Trainer(network, optimizer).fit(X, T, 1, 30, progress=None)
    assert optimizer.iter == 2
    other = Headed()
    with pytest.raises(ShapeError, match="it was given"):
        optimizer.update(other.params, other.grads)


def test_several_yes_or_no_questions_are_scored_one_by_one() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 3)).astype(np.float32)
    t = (x > 0).astype(int)
    network = cr.TwoLayerNet(3, 16, 3, activation="tanh", loss=cr.SigmoidWithLoss())
    trainer = cr.Trainer(network, cr.Adam(0.05))
    trainer.fit(x, t, 40, validation=0.2, progress=None)
    right = float((network.classify(x) == t).mean())
    assert trainer.evaluate(x, t)["accuracy"] == right > 0.95


@pytest.mark.parametrize("columns", [2, 3])
def test_a_part_is_held_out_of_targets_of_any_shape(columns: int) -> None:
    network = cr.Sequential(cr.Affine.sized(4, columns), loss=cr.MeanSquaredError())
    history = cr.Trainer(network).fit(X, X[:, :columns], 1, validation=0.2, progress=None)
    assert "val_r2" in history.epochs[0]
    history = cr.Trainer(network).fit(
        X,
        X[:, :columns],
        1,
        validation=[X, X[:, :columns]],
        progress=None,
    )
    assert "val_r2" in history.epochs[0]


def test_the_loss_of_an_epoch_weighs_its_rows() -> None:
    w = np.r_[np.zeros(25), np.ones(5)]
    network = cr.TwoLayerNet(4, 6, 3, dtype=np.float64)
    history = cr.Trainer(network, cr.SGD(1e-30)).fit(
        X, T, 1, 4, sample_weight=w, shuffle=False, progress=None
    )
    assert history["loss"][0] == pytest.approx(network.forward(X, T, w), rel=1e-12)


def test_early_stopping_wants_to_know_which_way_is_better() -> None:
    def f1(outputs: npt.NDArray[Any], t: npt.NDArray[Any]) -> float:
        return float(np.mean(outputs.argmax(axis=1) == t))

    with pytest.raises(SettingError, match="larger_is_better=True or False"):
        cr.EarlyStopping("val_f1")
    trainer = cr.Trainer(cr.TwoLayerNet(4, 8, 3), cr.Adam(0.05))
    stopping = cr.EarlyStopping("val_f1", 3, larger_is_better=True)
    trainer.fit(X, T, 40, validation=(X, T), metrics=[f1], early_stopping=stopping, progress=None)
    best = max(trainer.history["val_f1"])
    assert trainer.evaluate(X, T, [f1])["f1"] == best


def test_wrong_gradients_of_ones_own_node_are_named() -> None:
    class Two(cr.nodes.Node):
        def forward(self, x: Any, y: Any) -> Any:
            return x * y

        def backward(self, dz: Any) -> Any:
            x, y = self.inputs
            return dz * y, dz * x

    class Short(Two):
        def backward(self, dz: Any) -> Any:
            return dz

    a, b = cr.Variable(X), cr.Variable(np.ones(4), name="b")
    with pytest.raises(
        ShapeError, match=r"shape \(30, 4\) for its input 1 \(b\).*elementwise = True"
    ):
        cr.sum(Two().forward(a, b)).backward()
    with pytest.raises(ShapeError, match="gave 1 gradients for 2 inputs"):
        cr.sum(Short().forward(cr.Variable(X), cr.Variable(X))).backward()
    assert cr.check(cr.nodes.Mul(), X, X)


def test_nodes_by_themselves_take_lists_and_refuse_other_shapes() -> None:
    add = cr.nodes.Add()
    np.testing.assert_array_equal(add.forward([1, 2], [3, 4]), [4, 6])
    total = cr.nodes.Sum()
    assert total.forward(3.0) == 3.0
    assert total.backward(1.0) == 1.0
    total.forward(X.astype(np.float32))
    assert total.backward(1.0).dtype == np.float32
    for node, inputs in [
        (cr.nodes.Mul(), (np.ones((3, 4)), np.ones((1, 4)))),
        (cr.nodes.MatMul(), (np.ones(3), np.ones((3, 2)))),
        (cr.nodes.MatMul(), (np.ones((5, 3, 4)), np.ones((4, 2)))),
    ]:
        with pytest.raises(ChainruleError, match="shape"):
            node.forward(*inputs)


def test_adding_up_variables_in_a_loop() -> None:
    total: Any = 0
    v = cr.Variable([1.0, 2.0])
    for i in range(3):
        total += cr.sum(v * i)
    total.backward()
    np.testing.assert_array_equal(v.grad, [3.0, 3.0])


def test_small_things() -> None:
    v = cr.Variable(X)
    assert v[[]].shape == (0, 4)
    assert cr.logsumexp(v, axis=None).item() == pytest.approx(np.log(np.exp(X).sum()))
    with pytest.raises(ChainruleError, match=r"need targets of shape \(30,\) \(ids\)"):
        cr.accuracy(X, T[:5])
    assert cr.r2(X[:, 0], X[:, :1]) == 1.0


def test_a_layer_that_only_some_batches_use_has_no_gradient_in_the_others() -> None:
    class Wide(cr.Network):
        def __init__(self) -> None:
            super().__init__(loss=cr.MeanSquaredError(), seed=0)
            self.first, self.extra = cr.Affine.sized(2, 1), cr.Affine.sized(2, 1)

        def predict(self, x: Any) -> Any:
            y = self.first(x)
            return y + self.extra(x) if len(x) == 4 else y

    x, t = np.ones((7, 2), np.float32), np.ones((7, 1), np.float32)
    net = Wide()
    for rows in (4, 3, 4):
        net.forward(x[:rows], t[:rows])
        net.backward()
        assert all(g.any() == (rows == 4) for g in net.grads[2:])
        assert all(g.any() for g in net.grads[:2])
    net = Wide()
    before = [p.copy() for p in net.params]
    # Two mini-batches, of 4 rows and of 3: only the first moves the layer.
    cr.Trainer(net, cr.SGD(0.1), engine="numpy").fit(x, t, 1, 4, shuffle=False, progress=None)
    once = Wide()
    cr.Trainer(once, cr.SGD(0.1), engine="numpy").fit(x[:4], t[:4], 1, 4, progress=None)
    assert all(np.array_equal(p, q) for p, q in zip(net.params[2:], once.params[2:], strict=True))
    assert not any(np.array_equal(p, q) for p, q in zip(net.params, before, strict=True))


class Reading(cr.Network):
    """A network that reads an array of its own, in one way or another."""

    def __init__(self, read: Any, dtype: Any) -> None:
        super().__init__(loss=cr.MeanSquaredError())
        self.read, self.body = read, cr.Affine.sized(3, 2, dtype=dtype)
        self.mask = np.array([True, False, True, True])
        self.ids = np.array([0, -1, 2])
        self.weights = np.array([1.0, 2.0, 3.0, 4.0])
        self.wide = np.ones((3, 8))

    def predict(self, x: Any) -> Any:
        return self.body(self.read(self, x))


READINGS: dict[str, tuple[Any, Any]] = {
    "mask": (lambda n, x: x[:, n.mask], lambda n: n.mask.__setitem__(slice(None), [1, 1, 0, 1])),
    "negative ids": (lambda n, x: x[:, n.ids], lambda n: n.ids.__setitem__(1, -2)),
    "weights": (lambda n, x: (x * n.weights)[:, 1:], lambda n: n.weights.__imul__(-1)),
    "look": (lambda n, x: (x * n.weights[::-1])[:, 1:], lambda n: n.weights.__imul__(2)),
    "strided": (lambda n, x: (x * n.wide[1, ::2])[:, 1:], lambda n: n.wide.__iadd__(1)),
    "two that were alike": (
        lambda n, x: (x * n.wide[0, :4] + x * n.wide[2, 4:])[:, 1:],
        lambda n: n.wide[2].__imul__(5),
    ),
}


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", READINGS)
def test_arrays_that_a_network_reads_may_change_in_place(
    name: str, dtype: Any, engine: str
) -> None:
    read, change = READINGS[name]
    network = Reading(read, dtype)
    t = X[:, :2]
    with plainly():
        network.engine = engine
        trainer = cr.Trainer(network, cr.SGD(1e-9), engine=engine)

        def seen() -> list[float]:
            losses = trainer.fit(X, t, 1, 30, progress=None).losses[-1:]
            out = network.predict(X)
            with cr.inference_mode():
                exact = network.predict(cr.Variable(X.astype(dtype))).data
            np.testing.assert_allclose(out, exact, rtol=1e-5, atol=1e-6)
            wanted = float(np.mean((exact - t) ** 2))
            return [*losses, network.forward(X, t), wanted]

        before, _ = seen(), change(network)
        after = seen()
    assert before[:2] == pytest.approx([before[2]] * 2, rel=1e-5)
    assert after[:2] == pytest.approx([after[2]] * 2, rel=1e-5)
    assert before[2] != pytest.approx(after[2], rel=1e-3)
