"""A layer that holds other layers: their parameters are its own, and ids stay whole numbers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr

X, T = np.array([[1, 2, 3], [4, 5, 6]]), np.array([0, 2])


class Words(cr.Layer):
    """The mean of the rows of a table, by two layers in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.table = cr.Embedding.sized(10, 4)
        self.parts = [cr.Affine.sized(4, 4), cr.Affine.sized(4, 4)]

    def formula(self, x: Any) -> Any:
        """W[x] through both layers."""
        h = cr.tanh(self.parts[0](self.table(x)))
        return cr.mean(self.parts[1](h), axis=1)


def network() -> cr.Sequential:
    return cr.Sequential(Words(), cr.Affine.sized(4, 3), loss=cr.SoftmaxWithLoss(), seed=1)


def test_every_layer_inside_belongs_to_the_network() -> None:
    net = network()
    paths = ["0.table.W", "0.parts.0.W", "0.parts.0.b", "0.parts.1.W", "0.parts.1.b", "1.W", "1.b"]
    assert list(net.named_parameters()) == paths
    before = [p.copy() for p in net.params]
    loss = net.forward(X, T)
    net.backward()
    assert all(g.any() for g in net.grads)
    cr.SGD(lr=0.1).update(net.params, net.grads)
    assert all((p != old).any() for p, old in zip(net.params, before, strict=True))
    assert net.forward(X, T) < loss
    assert cr.check(net, X, T).ok
    net.layers[0].trainable = False
    assert len(net.params) == 2


def test_by_itself_it_keeps_the_contract() -> None:
    layer = Words()
    y = layer.forward(X)
    addresses = [g.ctypes.data for g in layer.grads]
    assert layer.backward(np.ones_like(y)) is None
    assert [g.ctypes.data for g in layer.grads] == addresses
    assert [p.shape for p in layer.params] == [g.shape for g in layer.grads]
    assert len(layer.params) == 5
    assert all(g.any() for g in layer.grads)
    assert cr.check(layer, X).ok


@pytest.mark.parametrize("detail", [False, True])
def test_a_graph_of_it_takes_ids(detail: bool, tmp_path: Path) -> None:
    net = network()
    graph = net.graph(X, T)
    graph = graph.detailed() if detail else graph
    (x,) = (v for v in graph.inputs if v.name == "x")
    assert x.dtype.kind == "i"
    assert graph.check().ok
    assert len(list(graph.steps())) > 30
    assert "W1[1,0]" in str(graph.explain("embedding", (0, 0, 0)))
    assert "Words" in graph.draw().svg
    folded = graph.draw(fold=True).svg
    assert all(f">{p}</text>" in folded for p in ("W1 10×4", "W2 4×4", "b2 4", "W3 4×4"))
    assert "… and 1 more" in folded  # b3, of the last layer inside
    assert net.graph(X).outputs[0].shape == (2, 3)


def test_its_program_prints_the_same_losses(tmp_path: Path) -> None:
    net = network()
    net.script(cr.SGD(lr=0.1), X, T, epochs=3, batch_size=2).save(tmp_path / "train.py")
    ran = subprocess.run(
        [sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    trainer = cr.Trainer(net, cr.SGD(lr=0.1), engine="numpy")
    trainer.fit(X, T, epochs=3, batch_size=2, progress=None)
    assert ran.stdout.split()[-1] == str(trainer.history["loss"][-1])


def test_real_numbers_go_in_as_before() -> None:
    class Twice(cr.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.inner = cr.Affine(np.ones((2, 1)), np.zeros(1))

        def formula(self, x: Any) -> Any:
            return 2 * self.inner(x)

    layer = Twice()
    np.testing.assert_array_equal(layer.forward(np.array([[1, 2]])), [[6.0]])
    np.testing.assert_array_equal(layer.backward(np.ones((1, 1))), [[2.0, 2.0]])
