"""What the plots must show: lines, slopes, directions, steps, recomputed by closed formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.figures.seen import drawn, said

from chainrule.drawing.panels import number
from chainrule.figures import derivative, descent, gradient, playground

LANGUAGES = ("en", "zh")


def lines(key: str, axes: int = 0) -> list[Any]:
    return list(drawn(key).plot.axes[axes].lines)


def slope(line: Any) -> float:
    x, y = line.get_data()
    return float((y[-1] - y[0]) / (x[-1] - x[0]))


def test_the_secants_turn_into_the_tangent() -> None:
    def f(x: float) -> float:
        return x**3 / 8 + x / 4 + 0.5

    tangent = 3 / 8 + 1 / 4
    secants = [(f(1 + h) - f(1)) / h for h in derivative.STEPS]
    off = [abs(s - tangent) for s in secants]
    assert off == sorted(off, reverse=True)
    assert off[-1] < 0.01
    straight = {round(slope(line), 9) for line in lines("derivative") if len(line.get_xdata()) > 3}
    assert {round(s, 9) for s in (*secants, tangent)} <= straight
    for lang in LANGUAGES:
        for s in (*secants, tangent):
            assert number(s) in said("derivative", lang)


def test_the_slopes_of_the_square_lie_on_2x() -> None:
    top, bottom = lines("square-tangents", 0), lines("square-tangents", 1)
    touching = [line for line in top if len(line.get_xdata()) == 2]
    assert len(touching) == len(derivative.WHERE)
    for at, line in zip(derivative.WHERE, touching, strict=True):
        assert slope(line) == pytest.approx(2 * at, abs=1e-12)
        x, y = line.get_data()
        assert np.interp(at, x, y) == pytest.approx(at**2, abs=1e-12)
    points = [line.get_data() for line in bottom if len(line.get_xdata()) == 1]
    assert np.allclose(points, [([x], [2 * x]) for x in derivative.WHERE])
    for lang, word in (("en", "slope"), ("zh", "斜率")):
        for x in derivative.WHERE:
            assert f"{word} {number(2 * x)}" in said("square-tangents", lang)


def test_the_directional_derivative_is_gradient_times_direction() -> None:
    x, y = gradient.POINT
    expected = np.array([2 * x, y])
    assert np.allclose(gradient.field(gradient.POINT), expected, atol=1e-15)
    angles = np.arange(0.0, 360.0, 5.0)
    for degrees in angles:
        d = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
        product, moved = gradient.along(float(degrees))
        assert product == pytest.approx(expected @ d, abs=1e-12)
        assert moved == pytest.approx(product, abs=1e-8)
    # No direction is steeper than the gradient's.
    steepest = float(np.degrees(np.arctan2(expected[1], expected[0])))
    assert gradient.along(steepest)[0] == pytest.approx(np.hypot(*expected))
    assert max(gradient.along(float(a))[0] for a in angles) <= np.hypot(*expected) + 1e-12
    for lang in LANGUAGES:
        told = said("gradient-field", lang)
        assert number(np.hypot(*expected).item()) in told
        assert f"∇f · d = {number(gradient.along(gradient.DIRECTION)[0])}" in told
        assert f"({number(expected[0].item())}, {number(expected[1].item())})" in told


def test_the_field_of_gradients() -> None:
    from matplotlib.quiver import Quiver

    ax = drawn("gradient-field").plot.axes[0]
    (arrows,) = (c for c in ax.collections if isinstance(c, Quiver))
    points = np.asarray(arrows.XY)
    assert len(points) == 64
    assert np.allclose(np.ravel(arrows.U), 2 * points[:, 0])
    assert np.allclose(np.ravel(arrows.V), points[:, 1])


def test_every_step_is_minus_the_rate_times_the_gradient() -> None:
    places, gradients = descent.path()
    assert np.allclose(gradients, places[:-1] * [2, 1], atol=1e-15)
    assert np.allclose(np.diff(places, axis=0), -descent.LR * gradients, atol=1e-15)
    heights = places[:, 0] ** 2 + places[:, 1] ** 2 / 2
    assert np.all(np.diff(heights) < 0)
    first = ", ".join(number(v) for v in (-descent.LR * gradients[0]).tolist())
    for lang in LANGUAGES:
        assert f"({first})" in said("sgd", lang)
        assert f"η = {descent.LR}" in said("sgd", lang)
    plot = drawn("sgd").plot
    line: Any = plot.axes[0].lines[0]
    xs, ys, zs = line.get_data_3d()
    assert np.allclose(np.stack([xs, ys], 1), places)
    assert np.all(zs - heights >= 0)
    assert np.all(zs - heights < 0.1)


def test_the_playground_is_a_network_that_learnt() -> None:
    net, x, t = playground.trained()
    assert [W.shape for W in net.params[::2]] == [(2, 4), (4, 2), (2, 1)]
    W1, b1, W2, b2, W3, b3 = net.params
    points = np.array([[0.1, -0.2], [1.0, 0.3]])
    hidden = np.tanh(points @ W1 + b1)
    second = np.tanh(hidden @ W2 + b2)
    out = 1 / (1 + np.exp(-(second @ W3 + b3)))
    for got, expected in zip(
        playground.activations(points), (points, hidden, second, out), strict=True
    ):
        assert np.allclose(got, expected, atol=1e-14)
    assert np.mean((net.predict(x)[:, 0] > 0.5) == t) > 0.95
    # One line for each weight: dashed if and only if it is negative, thicker if it is larger.
    weights = np.concatenate([W.ravel() for W in (W1, W2, W3)])
    drawn_lines = lines("playground")[: weights.size]
    assert [line.is_dashed() for line in drawn_lines] == (weights < 0).tolist()
    widths = np.array([line.get_linewidth() for line in drawn_lines])
    assert np.allclose(np.argsort(widths), np.argsort(np.abs(weights)))
    images = drawn("playground").plot.axes[0].images
    assert len(images) == 2 + 4 + 2 + 1
