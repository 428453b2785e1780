"""Integrated gradients: closed forms, completeness, and other ways to the same integral."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import SettingError, ShapeError


def test_of_a_straight_line_it_is_weight_times_difference() -> None:
    rng = np.random.default_rng(0)
    W, x, start = rng.normal(size=(5, 1)), rng.normal(size=(7, 5)), rng.normal(size=5)
    net = cr.Sequential(cr.Affine(W, rng.normal(size=1)), loss=cr.MeanSquaredError())
    for method in (cr.integrated_gradients, cr.gradient_times_input):
        found = method(net, x, start)
        np.testing.assert_allclose(found.added, (x - start) * W[:, 0], rtol=1e-12)
        np.testing.assert_allclose(found.value, net.predict(x)[:, 0])
        np.testing.assert_allclose(found.start, net.predict(start[None])[0, 0])
        np.testing.assert_allclose(found.gap, 0, atol=1e-12)


CLOSED: list[tuple[Callable[[Any], Any], Callable[[Any], Any]]] = [
    (lambda x: x[:, 0] * x[:, 1], lambda x: np.stack([x[:, 0] * x[:, 1]] * 2, 1) / 2),
    (lambda x: cr.sum(x**3, axis=1), lambda x: x**3),
    (lambda x: cr.exp(x[:, 0]) + 2 * x[:, 1], lambda x: np.stack([np.expm1(x[:, 0]), 2 * x[:, 1]], 1)),
    # of x₀ x₁² the integral is (x₀ x₁² / 3, 2 x₀ x₁² / 3)
    (lambda x: x[:, 0] * x[:, 1] ** 2,
     lambda x: (x[:, 0] * x[:, 1] ** 2)[:, None] * [1 / 3, 2 / 3]),
]  # fmt: skip


@pytest.mark.parametrize(("f", "expected"), CLOSED)
def test_closed_forms(f: Any, expected: Any) -> None:
    x = np.random.default_rng(1).normal(size=(20, 2))
    found = cr.integrated_gradients(f, x)
    np.testing.assert_allclose(found.added, expected(x), rtol=1e-9, atol=1e-12)
    assert (found.steps == 32).all()


def random_net(seed: int, dtype: Any = np.float64) -> cr.Sequential:
    rng = np.random.default_rng(seed)
    activations: list[Any] = [cr.Tanh, cr.Sigmoid, cr.ReLU, cr.SELU, cr.Mish, cr.GELU]
    layers: list[Any] = []
    width = 4
    for _ in range(int(rng.integers(1, 4))):
        size = int(rng.integers(3, 12))
        layers += [
            cr.Affine.sized(width, size, dtype=dtype),
            rng.choice(activations)(),
            cr.Dropout(0.3),
        ]
        width = size
    return cr.Sequential(
        *layers, cr.Affine.sized(width, 1, dtype=dtype), loss=cr.MeanSquaredError(), seed=seed
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("seed", range(8))
def test_random_networks_are_complete_and_as_by_differences(seed: int, dtype: Any) -> None:
    net, rng = random_net(seed, dtype), np.random.default_rng(seed + 100)
    x, start = (rng.normal(0, 2, (6, 4)).astype(dtype) for _ in range(2))
    before = [g.copy() for g in net.grads]
    found = cr.integrated_gradients(net, x, start)
    assert all((a == b).all() for a, b in zip(before, net.grads, strict=True))
    sizes = np.abs(found.added).sum(axis=1)
    assert (np.abs(found.gap) <= 0.002 * sizes).all()
    np.testing.assert_allclose(found.value, net.predict(x)[:, 0], rtol=1e-6)
    # The same integral by central differences of values, at the middles of 400 pieces.
    wide = random_net(seed)
    for a, b in zip(wide.params, net.params, strict=True):
        a[...] = b
    along = (np.arange(400) + 0.5)[:, None, None] / 400
    points = (start + along * (x - start).astype(float)).reshape(-1, 4)
    h, slopes = 1e-5, np.zeros(points.shape)
    for d in range(4):
        step = np.eye(4)[d] * h
        slopes[:, d] = (wide.predict(points + step) - wide.predict(points - step))[:, 0] / (2 * h)
    expected = slopes.reshape(400, 6, 4).mean(axis=0) * (x - start)
    assert np.abs(found.added - expected).max() < 0.01 * sizes.max()


def test_gradient_times_input_is_the_gradient_times_the_input() -> None:
    net = random_net(3)
    x = np.random.default_rng(5).normal(size=(3, 4))
    found = cr.gradient_times_input(net, x, 0.5)
    slopes = cr.numerical_gradient(lambda x: net.predict(x).sum(), x.copy())
    np.testing.assert_allclose(found.added, slopes * (x - 0.5), rtol=1e-6, atol=1e-8)
    assert (found.steps == 1).all()


def test_where_it_bends_sharply_it_takes_more_steps() -> None:
    def steep(x: Any) -> Any:
        return cr.sum(cr.sigmoid(200 * (x - 0.613)), axis=1)

    found = cr.integrated_gradients(steep, [[1.0, 0.2], [0.1, 0.2]])
    assert found.steps[0] > 32
    assert found.added[0] == pytest.approx([1.0, 0.0], abs=0.01)
    few = cr.integrated_gradients(steep, [[1.0, 0.2]], most_steps=32, tolerance=1e-9)
    assert few.steps.tolist() == [32]
    assert abs(few.gap[0]) > 1e-9  # and the gap tells


def test_many_rows_are_as_each_alone() -> None:
    net = random_net(1)
    x = np.random.default_rng(2).normal(size=(9000, 4))
    found = cr.integrated_gradients(net, x)
    for i in (0, 4095, 4096, 8999):
        alone = cr.integrated_gradients(net, x[[i]])
        np.testing.assert_allclose(found.added[i], alone.added[0], rtol=1e-9, atol=1e-12)
    assert cr.integrated_gradients(net, x[:0]).added.shape == (0, 4)


def test_what_is_refused() -> None:
    net = cr.TwoLayerNet(2, 10, 3)
    x = np.zeros((5, 2))
    with pytest.raises(ShapeError, match=r"one number for each row: f gave shape \(5, 3\)"):
        cr.integrated_gradients(net, x)
    with pytest.raises(ShapeError, match="baseline is a number"):
        cr.integrated_gradients(lambda x: net(x)[:, 0], x, np.zeros(3))
    with pytest.raises(ShapeError, match=r"rows \(N, D\)"):
        cr.gradient_times_input(lambda x: net(x)[:, 0], np.zeros(2))
    with pytest.raises(SettingError, match="most_steps"):
        cr.integrated_gradients(lambda x: net(x)[:, 0], x, most_steps=8)
    with pytest.raises(SettingError, match="tolerance"):
        cr.integrated_gradients(lambda x: net(x)[:, 0], x, tolerance=0)
