"""Network.graph(x, t): the computation that training does, and nothing of the network changes."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule.engine.naming import parameter_names
from chainrule.errors import DataError, RecordingError

Array = npt.NDArray[Any]

X, T = np.random.default_rng(3).normal(size=(6, 4)).astype(np.float32), np.array([0, 2, 1, 1, 0, 2])


class Noisy:
    """A layer by hand that remembers its input, counts its calls and draws random numbers."""

    def __init__(self) -> None:
        self.params: list[Array] = [np.full(4, 0.5, np.float32)]
        self.grads: list[Array] = [np.zeros(4, np.float32)]
        self.rng, self.calls = np.random.default_rng(0), 0

    def forward(self, x: Array) -> Array:
        self.x, self.calls = x, self.calls + 1
        self.noise = self.rng.normal(size=x.shape).astype(np.float32)
        return np.asarray(x * self.params[0] + self.noise)

    def backward(self, dout: Array) -> Array:
        self.grads[0][...] = (dout * self.x).sum(axis=0)
        return np.asarray(dout * self.params[0])


class Skip(cr.Network):
    """Two ways to the output, and layers in a list."""

    def __init__(self) -> None:
        super().__init__(loss=cr.SoftmaxWithLoss(), seed=0)
        self.blocks = [cr.Affine.sized(4, 4), cr.Tanh()]
        self.last = cr.Affine.sized(4, 3)

    def predict(self, x: Any) -> Any:
        h = x
        for block in self.blocks:
            h = block(h)
        return self.last(x + h)


def networks() -> dict[str, cr.Network]:
    loss = cr.SoftmaxWithLoss
    return {
        "two layers": cr.TwoLayerNet(4, 5, 3),
        "norms and dropout": cr.Sequential(
            cr.Affine.sized(4, 5), cr.BatchNorm.sized(5), cr.ReLU(), cr.Dropout(0.5),
            cr.Affine.sized(5, 3), loss=loss(), seed=1,
        ),
        "skip": Skip(),
        "by hand": cr.Sequential(Noisy(), cr.Affine.sized(4, 3), loss=loss(), seed=2),
        "trained": trained(),
    }  # fmt: skip


def trained() -> cr.Network:
    net = cr.TwoLayerNet(4, 5, 3, dtype=np.float32)
    cr.Trainer(net, cr.Adam()).fit(X, T, epochs=3, progress=None)
    return net


each = pytest.mark.parametrize("name", list(networks()))


def state(net: cr.Network) -> list[bytes]:
    """Every array of a network, and every generator and counter of its hand-written layers."""
    arrays = [*net.params, *net.grads, *net.named_buffers().values()]
    found = [a.tobytes() for a in arrays]
    for layer in net.layers:
        own = getattr(layer, "layer", None)
        if isinstance(own, Noisy):
            found += [repr((own.rng.bit_generator.state, own.calls)).encode()]
    return found


@each
@pytest.mark.parametrize("training", [None, True, False])
def test_nothing_of_the_network_changes(name: str, training: bool | None) -> None:
    net = networks()[name]
    net.forward(X, T)  # backward() still belongs to this
    before, addresses = state(net), [p.ctypes.data for p in net.params]
    graph = net.graph(X, T, training=training)
    list(graph.steps())
    graph.check()
    graph.draw()
    net.graph(X)
    assert state(net) == before
    assert [p.ctypes.data for p in net.params] == addresses
    net.backward()


@pytest.mark.parametrize("name", ["two layers", "norms and dropout", "skip", "trained"])
def test_it_is_the_computation_that_forward_and_backward_do(name: str) -> None:
    net = networks()[name]
    graph = net.graph(X, T)
    gradients = graph.gradients()
    loss = net.forward(X, T)  # with the masks that the graph shows
    net.backward()
    assert graph.outputs[0].data == pytest.approx(loss, rel=1e-6)
    found = {v.name: gradients[v] for v in graph.inputs if v.requires_grad}
    for path, parameter in net.named_parameters().items():
        short = path.rpartition(".")[2]
        same = [
            g
            for v, g in gradients.items()
            if v.name == short and np.array_equal(v.data, parameter.data)
        ]
        assert any(np.allclose(g, parameter.grad, rtol=1e-4, atol=1e-6) for g in same), path
    assert found["x"].shape == X.shape


def test_training_or_use() -> None:
    net = networks()["norms and dropout"]

    def nodes(**more: Any) -> list[str]:
        return [node.label for node in net.graph(X, **more).nodes]

    assert "UniformBits" in nodes(t=T)
    assert "UniformBits" not in nodes(t=T, training=False)
    assert "UniformBits" not in nodes()
    assert "UniformBits" in nodes(training=True)
    np.testing.assert_allclose(net.graph(X).outputs[0].data, net.predict(X), rtol=1e-6)
    used = net.graph(X, T, training=False).outputs[0].data
    right = net.loss.forward(net.predict(X), T)
    assert float(used) == pytest.approx(right, rel=1e-6)


def test_training_on_leaves_the_graph_as_it_was() -> None:
    net = cr.TwoLayerNet(4, 5, 3)
    x = X.copy()
    graph = net.graph(x, T)
    before = {v: v.data.copy() for v in graph.names}
    x[...] = 0
    cr.Trainer(net, cr.SGD(0.5)).fit(X, T, epochs=2, progress=None)
    assert all(np.array_equal(v.data, data) for v, data in before.items())
    assert not np.array_equal(net.params[0], graph.inputs[1].data)


def test_layers_have_the_places_they_have_in_the_network() -> None:
    graph = Skip().graph(X, T)
    paths = [graph.paths.get(id(scope.layer), "") for scope in graph.layers]
    assert paths == ["blocks.0", "blocks.1", "last", ""]  # the loss is no layer of the network
    detail = graph.detailed()
    assert "blocks.1" in {detail.paths.get(id(scope.layer)) for scope in detail.layers}


def test_ids_have_no_gradient_and_weights_count() -> None:
    words = np.array([1, 0, 3])
    net = cr.Sequential(
        cr.Embedding.sized(4, 2), cr.Affine.sized(2, 2), loss=cr.SoftmaxWithLoss(), seed=0
    )
    graph = net.graph(words, words % 2)
    (x,) = (v for v in graph.inputs if v.name == "x")
    assert x.dtype.kind == "i"
    assert x not in graph.gradients()
    plain = cr.TwoLayerNet(4, 5, 3)
    weighted = plain.graph(X, T, [1, 0, 0, 0, 0, 0]).outputs[0].data
    assert float(weighted) == pytest.approx(plain.forward(X[:1], T[:1]), rel=1e-5)


def test_rows_that_do_not_fit_are_refused_in_a_sentence() -> None:
    net = cr.TwoLayerNet(4, 5, 3)
    with pytest.raises(DataError, match="6 rows and t has 5"):
        net.graph(X, T[:5])
    with pytest.raises(DataError, match="at least one row"):
        net.graph(X[:0], T[:0])
    lock: Any = cr.TwoLayerNet(4, 5, 3)
    lock.own = threading.Lock()
    with pytest.raises(RecordingError, match="TwoLayerNet holds something that cannot be copied"):
        lock.graph(X, T)
    with pytest.raises(RecordingError, match="has no loss"):
        cr.Sequential(cr.Affine.sized(4, 3)).graph(X, T)


def test_inputs_come_in_the_order_they_are_used() -> None:
    a, b, c = (cr.Variable(float(k), name=name) for k, name in enumerate("abc"))
    assert [v.name for v in (b * a + c).graph.inputs] == ["b", "a", "c"]
    from chainrule.graph.graph import Graph

    unused = [cr.Variable(1.0, name=f"u{i}") for i in range(30)]
    graph = Graph([a * b], inputs=[*unused, b, a])
    assert [v.name for v in graph.inputs] == ["a", "b", *(v.name for v in unused)]


def test_activations_are_of_every_layer_those_by_hand_too() -> None:
    net = cr.Sequential(Noisy(), cr.Affine.sized(4, 3), cr.Tanh(), loss=cr.SoftmaxWithLoss())
    before = state(net)
    found = net.activations(X)
    assert list(found) == ["layer 0 (Noisy)", "layer 1 (Affine)", "layer 2 (Tanh)"]
    assert state(net) == before
    noisy, affine, tanh = found.values()
    assert not np.allclose(noisy, X * 0.5)  # with the noise of a copy
    np.testing.assert_allclose(affine, noisy @ net.params[1] + net.params[2], rtol=1e-5)
    np.testing.assert_array_equal(tanh, np.tanh(affine))


@pytest.mark.parametrize("name", ["two layers", "norms and dropout", "skip"])
def test_parameters_are_called_the_same_in_the_graph_and_in_programs(name: str) -> None:
    net = networks()[name]
    graph = net.graph(X, T)
    drawn = {n: v.shape for v, n in graph.names.items() if isinstance(v, cr.Parameter)}
    assert drawn == {n: p.shape for p, n in parameter_names(net).items()}
