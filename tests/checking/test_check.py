"""cr.check: what it accepts, what it finds, what it says, and that it changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import nodes
from chainrule.errors import CheckError, RecordingError, SettingError, ShapeError
from chainrule.graph.variable import apply

Array = npt.NDArray[Any]

X, W = np.random.default_rng(0).normal(size=(4, 3)), np.random.default_rng(1).normal(size=(3, 2))
IDS = np.array([0, 1, 1, 0])


class Wrong(nodes.Node):
    """x², with a backward that is off by one part in a billion for the element (1, 0)."""

    def forward(self, x: Any) -> Any:
        return x * x

    def backward(self, dy: Any) -> Any:
        x = self.inputs[0]
        off = np.zeros(x.shape)
        off[1, 0] = 1e-9
        return 2 * x * dy * (1 + off)


class HandMade:
    """A layer in the chapter's way."""

    def __init__(self, W: Array, factor: float = 1.0) -> None:
        self.params, self.grads = [W], [np.zeros_like(W)]
        self.factor, self.calls = factor, 0

    def forward(self, x: Array) -> Array:
        (W,) = self.params
        self.x, self.calls = x, self.calls + 1
        return np.asarray(x @ W)

    def backward(self, dout: Array) -> Array:
        (W,) = self.params
        self.grads[0][...] = self.x.T @ dout * self.factor
        return np.asarray(dout @ W.T)


def test_a_right_gradient() -> None:
    report = cr.check(lambda x, W: cr.tanh(x @ W), X, W, second_order=True)
    assert report
    assert report.ok
    assert [(r.name, r.shape, r.order) for r in report.rows] == [
        ("x", (4, 3), 1),
        ("W", (3, 2), 1),
        ("x", (4, 3), 2),
        ("W", (3, 2), 2),
    ]
    assert all(r.error <= r.allowed <= 1e-10 for r in report.rows)
    text = str(report).splitlines()
    assert text[0].split() == ["gradient", "shape", "verdict", "error", "allowed"]
    assert text[1].startswith("∂x        (4, 3)  ok")
    assert text[3].startswith("∂²x")
    assert text[-1] == "All 4 gradients agree with the complex step."
    assert cr.check(cr.tanh, X).summary == "The gradient agrees with the complex step."


def test_a_wrong_gradient_is_found_and_placed() -> None:
    def f(x: Any) -> Any:
        return apply(Wrong(), x)

    assert not cr.check(f, X)
    report = cr.check(f, X, elements=True)
    (row,) = report.rows
    assert not row.ok
    assert row.place == "element (1, 0)"
    assert row.got == pytest.approx(row.expected, rel=1e-8)
    assert "WRONG" in str(report)
    assert f"at element (1, 0) backward gave {row.got:.17g}" in str(report)
    assert str(report).endswith("1 of 1 gradients disagree with the complex step: ∂x.")
    with pytest.raises(CheckError, match=r"element \(1, 0\)") as caught:
        cr.check(f, X, elements=True, raise_on_failure=True)
    assert str(caught.value) == str(report)


def test_a_wrong_second_gradient_is_found() -> None:
    class Half(nodes.Node):
        def forward(self, x: Any) -> Any:
            return x**3

        def backward(self, dy: Any) -> Any:
            # 3x², written so that it cannot be differentiated again.
            x = self.inputs[0]
            return dy * 3 * np.asarray(getattr(x, "data", x)) ** 2

    report = cr.check(lambda x: apply(Half(), x), X, second_order=True)
    assert [r.ok for r in report.rows] == [True, False]
    assert "∂²x" in report.summary


def test_a_gradient_of_the_wrong_shape_is_said_so() -> None:
    class Short(nodes.Node):
        def forward(self, x: Any) -> Any:
            return x * 2

        def backward(self, dy: Any) -> Any:
            return np.sum(dy)

    report = cr.check(lambda x: apply(Short(), x), X)
    assert "backward gave a gradient of shape ()" in str(report)


def test_the_same_seed_gives_the_same_report() -> None:
    reports = [str(cr.check(cr.exp, X, seed=s, directions=3)) for s in (1, 1, 2)]
    assert reports[0] == reports[1] != reports[2]


def test_float32_arrays_are_checked_in_float64() -> None:
    x = X.astype(np.float32)
    kept = x.copy()
    assert cr.check(lambda x: cr.softmax(x), x)
    assert np.array_equal(x, kept)
    assert x.flags.writeable


def test_ids_are_constants() -> None:
    report = cr.check(lambda s, t: cr.softmax_cross_entropy(s, t), X, IDS)
    assert [r.name for r in report.rows] == ["s"]
    assert cr.check(lambda x, ids: x[ids], X, IDS, second_order=True)
    # Where there is nothing else, they are numbers, as `cr.grad` takes them.
    assert [r.name for r in cr.check(lambda t: t * t, IDS).rows] == ["t"]


def test_shapes_of_every_kind() -> None:
    assert cr.check(lambda x: x * x, 2.0, second_order=True, elements=True)
    assert cr.check(lambda x: x * x, np.zeros((0, 3)), second_order=True, elements=True)
    assert cr.check(lambda x: 5.0, X)  # a constant has the gradient 0
    assert cr.check(lambda x: x > 0, X)
    assert cr.check(lambda x, y: x, X, W, second_order=True)
    with pytest.raises(SettingError):
        cr.check(cr.exp, X, directions=0)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (cr.relu, [-1.0, 0.0, 1.0]),
        (cr.abs, [0.0, 0.0]),
        (lambda v: cr.maximum(v, 0.5), [0.5, 1.0]),
        (lambda v: cr.clip(v, 0, 1), [0.0, 1.0, 0.5]),
        (cr.max, [1.0, 1.0]),
    ],
)
@pytest.mark.parametrize("elements", [False, True])
def test_at_a_kink_any_slope_between_the_two_sides_will_do(f: Any, x: Any, elements: bool) -> None:
    report = cr.check(f, np.array(x), elements=elements)
    assert report, str(report)
    assert report.rows[0].verdict in ("ok", "ok, at a kink")


def test_a_slope_outside_the_kink_is_wrong() -> None:
    class Steep(nodes.Node):
        def forward(self, x: Any) -> Any:
            return np.maximum(x, 0)

        def backward(self, dy: Any) -> Any:
            return np.where(self.inputs[0] >= 0, 1.5 * dy, 0)

    assert not cr.check(lambda x: apply(Steep(), x), np.array([0.0]))


def _softsign(power: float) -> type[nodes.Node]:
    class Softsign(nodes.Node):
        def forward(self, x: Any) -> Any:
            return x / (1 + np.abs(x))

        def backward(self, dy: Any) -> Any:
            return dy / (1 + np.abs(self.inputs[0])) ** power

    return Softsign


@pytest.mark.parametrize("x", [[-2.0, 0.5], [-3e5, 1e3, -1e-3], [-1.0]])
@pytest.mark.parametrize("elements", [False, True])
def test_functions_of_real_numbers_in_forward_are_no_mistake(x: Any, elements: bool) -> None:
    """np.abs of a complex number is its size: there the complex step gives another slope."""
    report = cr.check(lambda v: apply(_softsign(2)(), v), np.array(x), elements=elements)
    assert report, str(report)
    assert report.rows[0].oracle == "central difference"
    wrong = cr.check(lambda v: apply(_softsign(2.5)(), v), np.array(x), elements=elements)
    assert not wrong
    assert wrong.rows[0].oracle == "central difference"


def test_a_small_mistake_is_seen_where_differences_cannot_tell() -> None:
    class Off(nodes.Node):
        def forward(self, x: Any) -> Any:
            return x * x * x

        def backward(self, dy: Any) -> Any:
            return dy * 3 * self.inputs[0] ** 2 * (1 + 1e-9)

    report = cr.check(lambda v: apply(Off(), v), X)
    assert not report
    assert report.rows[0].oracle == "complex step"


def test_where_complex_arithmetic_overflows_differences_are_taken() -> None:
    report = cr.check(cr.sigmoid, np.array([-1000.0, 0.3, 1000.0]))
    assert report, str(report)
    assert report.rows[0].oracle == "central difference"
    decided = cr.check(lambda x: x * 2 if x > 0 else x, 1.5)
    assert decided
    with pytest.raises(RecordingError, match="through a plain number no gradient flows back"):
        cr.check(lambda x: x * 2 if float(x) > 0 else x, 1.5)


def test_layers_by_name_and_nothing_of_theirs_changes() -> None:
    layer = cr.Affine.sized(3, 2, seed=0)
    params, grads = layer.params, layer.grads
    kept = [p.copy() for p in params]
    before = layer.forward(X)
    report = cr.check(layer, X, second_order=True, elements=True)
    assert report, str(report)
    assert [r.name for r in report.rows[:3]] == ["x", "W", "b"]
    for now, then, copy in zip(layer.params, params, kept, strict=True):
        assert now is then
        assert np.array_equal(now, copy)
        assert now.flags.writeable
    assert all(a is b for a, b in zip(layer.grads, grads, strict=True))
    assert np.array_equal(layer.forward(X), before)


def test_layers_are_put_back_when_the_check_fails() -> None:
    layer = cr.Affine.sized(3, 2, seed=0)
    (W, b) = layer.params
    with pytest.raises(ShapeError):
        cr.check(layer, np.ones((4, 5)))
    assert layer.params[0] is W
    assert layer.params[1] is b


def test_losses_embeddings_and_layers_with_two_ways_to_run() -> None:
    scores = np.random.default_rng(0).normal(size=(4, 3))
    assert cr.check(cr.SoftmaxWithLoss(label_smoothing=0.1), scores, IDS, second_order=True)
    assert cr.check(cr.MeanSquaredError(), X, X + 1)
    assert [r.name for r in cr.check(cr.Embedding.sized(5, 3), IDS).rows] == ["W"]
    dropout = cr.Dropout(0.5)
    assert cr.check(dropout, X)  # in use, not in training: nothing is dropped
    norm = cr.BatchNorm.sized(3)
    running = {name: array.copy() for name, array in norm.buffers.items()}
    assert cr.check(norm, X, elements=True)
    assert all(np.array_equal(norm.buffers[name], running[name]) for name in running)


def test_networks() -> None:
    net = cr.Sequential(
        cr.Affine.sized(3, 5), cr.Tanh(), cr.Affine.sized(5, 2), loss=cr.SoftmaxWithLoss(), seed=0
    )
    params = net.params
    outputs = net.predict(X)
    report = cr.check(net, X, IDS, second_order=True)
    assert report, str(report)
    assert [r.name for r in report.rows[:5]] == ["x", "0.W", "0.b", "2.W", "2.b"]
    assert [r.name for r in cr.check(net, X).rows] == ["x", "0.W", "0.b", "2.W", "2.b"]
    assert all(a is b for a, b in zip(net.params, params, strict=True))
    assert np.array_equal(net.predict(X), outputs)
    with pytest.raises(ShapeError, match="needs an array x"):
        cr.check(net)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hand_written_layers_by_differences(dtype: Any) -> None:
    layer = HandMade(W.astype(dtype))
    W_before, grad_before = layer.params[0], layer.grads[0]
    report = cr.check(layer, X)
    assert report, str(report)
    assert [(r.name, r.oracle) for r in report.rows] == [
        ("x", "central difference"),
        ("p0", "central difference"),
    ]
    assert layer.calls == 0  # a copy was tried
    assert layer.params[0] is W_before
    assert layer.grads[0] is grad_before
    assert not grad_before.any()
    assert W_before.dtype == dtype
    wrong = cr.check(HandMade(W.astype(dtype), 1 + 1e-4), X, elements=True)
    assert [r.ok for r in wrong.rows] == [True, False]


def test_a_hand_written_layer_inside_a_network() -> None:
    for factor, right in ((1.0, True), (1.001, False)):
        layer = HandMade(W.astype(np.float32), factor)
        net = cr.Sequential(layer, cr.Sigmoid(), cr.Affine.sized(2, 2), loss=cr.SoftmaxWithLoss())
        arrays = net.params
        report = cr.check(net, X, IDS)
        assert {r.name: r.ok for r in report.rows} == {
            "x": True,
            "0.p0": right,
            "2.W": True,
            "2.b": True,
        }, str(report)
        assert all(a is b for a, b in zip(net.params, arrays, strict=True))
        assert layer.params[0] is arrays[0]


def test_comparisons_of_complex_numbers_go_by_the_real_part() -> None:
    step = np.array([1e-20j, -1e-20j, 1 + 1e-20j, -1 - 1e-20j])
    assert np.array_equal(nodes.Greater().forward(step, 0)[2:], [True, False])
    # At real part 0 the sign of the step decides, as it would for a real step that size.
    assert np.array_equal(nodes.Greater().forward(step, 0)[:2], [True, False])
    assert np.array_equal(nodes.Abs().forward(step)[2:], step[2:] * [1, -1])
    assert np.array_equal(nodes.ReLU().forward(step), [1e-20j, 0, 1 + 1e-20j, 0])


def test_where_many_kinks_meet_the_gradient_is_tried_beside_them() -> None:
    """ReLU on rows of zeros, as at the edge of a picture: along one direction nothing fits."""
    W = np.random.default_rng(0).normal(size=(6, 5))
    x = np.zeros((8, 6))
    report = cr.check(lambda x: cr.relu(x @ W), x)
    assert report.ok, str(report)
    assert report.rows[0].verdict == "ok, at a kink"


def test_a_wrong_gradient_at_many_kinks_is_found() -> None:
    class WrongReLU(nodes.Node):
        def forward(self, x: Any) -> Any:
            return np.where(x > 0, x, 0)

        def backward(self, dy: Any) -> Any:
            return np.where(self.inputs[0] > 0, 1.01 * dy, 0)

    # With these weights 0 is no slope between those of the two sides, so it is tried beside them.
    W = np.random.default_rng(0).normal(size=(6, 5))
    assert not cr.check(lambda x: apply(WrongReLU(), x @ W), np.zeros((8, 6)))
