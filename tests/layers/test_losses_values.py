"""Every loss against its formula, worked out number by number in plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal, getcontext
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule.graph import Variable

Array = npt.NDArray[Any]

getcontext().prec = 60


# -- by hand -----------------------------------------------------------------------------------------


def softmax(s: Sequence[float]) -> list[float]:
    e = [math.exp(a - max(s)) for a in s]
    return [a / sum(e) for a in e]


def smoothed(p: Sequence[float], t: int, e: float) -> float:
    target = [e / len(p) + (1 - e) * (k == t) for k in range(len(p))]
    return -math.fsum(q * math.log(a) for q, a in zip(target, p, strict=True))


def mean(losses: Sequence[float], weights: Sequence[float]) -> float:
    total = math.fsum(a * w for a, w in zip(losses, weights, strict=True))
    return total / math.fsum(weights)


def huber(d: float, delta: float) -> float:
    return d * d / 2 if abs(d) <= delta else delta * (abs(d) - delta / 2)


def binary(s: float, t: float) -> float:
    p = 1 / (1 + math.exp(-s))
    return -t * math.log(p) - (1 - t) * math.log(1 - p)


def close(got: Any, want: Any) -> None:
    np.testing.assert_allclose(got, want, rtol=1e-13)


# -- classes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("classes", [1, 2, 3, 10])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("by_class", [False, True])
def test_softmax_with_loss(smoothing: float, classes: int, weighted: bool, by_class: bool) -> None:
    rng = np.random.default_rng(classes)
    s, t = 3 * rng.standard_normal((7, classes)), rng.integers(0, classes, 7)
    w = rng.random(7) if weighted else None
    c = rng.random(classes) + 0.1 if by_class else None
    loss = cr.SoftmaxWithLoss(class_weights=c, label_smoothing=smoothing)
    rows = [smoothed(softmax(a), k, smoothing) for a, k in zip(s.tolist(), t, strict=True)]
    each = [(1.0 if w is None else w[i]) * (1.0 if c is None else c[t[i]]) for i in range(7)]
    np.testing.assert_allclose(loss.forward(s, t, w), mean(rows, each), rtol=1e-13, atol=1e-15)
    p = np.array([softmax(a) for a in s.tolist()])
    target = smoothing / classes + (1 - smoothing) * np.eye(classes)[t]
    want = (p - target) * np.array(each)[:, None] / np.sum(each)
    np.testing.assert_allclose(loss.backward(), want, rtol=1e-12, atol=1e-15)
    close(loss.y, p)


@pytest.mark.parametrize("loss_type", [cr.SoftmaxWithLoss, cr.CrossEntropyError])
@pytest.mark.parametrize(
    "form",
    [
        lambda t: t.astype(np.int8),
        lambda t: t.astype(np.uint64),
        lambda t: t.astype(float),
        lambda t: t[:, None],
        lambda t: t.tolist(),
        lambda t: np.eye(3)[t],
        lambda t: np.eye(3, dtype=np.int32)[t],
        lambda t: np.eye(3, dtype=bool)[t],
        lambda t: np.eye(3)[t].tolist(),
    ],
)
def test_ids_and_one_hot_rows_say_the_same(loss_type: Any, form: Callable[[Array], Any]) -> None:
    rng = np.random.default_rng(0)
    p, t = rng.dirichlet(np.ones(3), 5), rng.integers(0, 3, 5)
    ids, other = loss_type(), loss_type()
    assert ids.forward(p, t) == other.forward(p, form(t))
    np.testing.assert_array_equal(ids.backward(), other.backward())
    assert loss_type().forward(Variable(p), form(t)).data == ids.forward(p, t)


def test_two_classes_by_truth_values() -> None:
    s, t = np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([True, False])
    assert cr.SoftmaxWithLoss().forward(s, t) == cr.SoftmaxWithLoss().forward(s, t.astype(int))


@pytest.mark.parametrize("t", [[0, 0], [[0], [0]], [[1], [1]], [[1.0], [1.0]]])
def test_one_class_is_no_choice_and_no_loss(t: Any) -> None:
    loss = cr.SoftmaxWithLoss()
    assert loss.forward(np.array([[3.0], [-700.0]]), t) == 0
    np.testing.assert_array_equal(loss.backward(), [[0.0], [0.0]])


def test_cross_entropy_of_probabilities() -> None:
    p = np.array([[0.2, 0.8], [0.5, 0.5], [1.0, 0.0]])
    loss, t = cr.CrossEntropyError(), [1, 0, 0]
    close(loss.forward(p, t), -(math.log(0.8) + math.log(0.5)) / 3)
    close(loss.backward(), [[0, -1 / 0.8 / 3], [-1 / 0.5 / 3, 0], [-1 / 3, 0]])
    close(loss.forward(p, t, [3, 1, 0]), -(3 * math.log(0.8) + math.log(0.5)) / 4)
    close(
        cr.CrossEntropyError(class_weights=[1, 3]).forward(p, t),
        -(3 * math.log(0.8) + math.log(0.5)) / 5,
    )
    tiny = np.array([[5e-300, 1.0]])
    close(cr.CrossEntropyError().forward(tiny, [0]), -math.log(5e-300))  # not held at 16.1


def test_softmax_then_cross_entropy_is_softmax_with_loss() -> None:
    rng = np.random.default_rng(1)
    s, t = rng.standard_normal((6, 4)), rng.integers(0, 4, 6)
    softmax_layer, entropy, both = cr.Softmax(), cr.CrossEntropyError(), cr.SoftmaxWithLoss()
    close(entropy.forward(softmax_layer.forward(s), t), both.forward(s, t))
    np.testing.assert_allclose(
        softmax_layer.backward(entropy.backward()), both.backward(), rtol=1e-12, atol=1e-15
    )


def log1p(e: Decimal) -> Decimal:
    """Log (1 + e), for a small e by its series."""
    return (1 + e).ln() if e > Decimal("1e-15") else e - e**2 / 2 + e**3 / 3


def exact_two_class(gap: float, right: bool) -> tuple[Decimal, Decimal]:
    """The loss for scores 0 and -gap, and its gradient for the score of the right class."""
    e = (-Decimal(gap)).exp()
    p_large, p_small = 1 / (1 + e), e / (1 + e)
    loss = log1p(e) if right else log1p(e) + Decimal(gap)
    return loss, -p_small if right else -p_large


@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
@pytest.mark.parametrize("right", [True, False])
def test_scores_any_distance_apart(right: bool, shift: float) -> None:
    for gap in [*range(40), *range(40, 701, 13), 700, 1e-9, 1e-3, 0.3, 36.7, 700.5]:
        s = np.array([[shift, shift - gap]])
        gap = float(s[0, 0] - s[0, 1])  # what is left of it beside the shift
        loss = cr.SoftmaxWithLoss()
        got = loss.forward(s, [0 if right else 1])
        want, gradient = exact_two_class(gap, right)
        assert abs(Decimal(float(got)) - want) <= Decimal("1e-14") * want, gap
        ds = loss.backward()[0] if right else loss.backward()[0][::-1]
        for one, sign in zip(ds, (1, -1), strict=True):
            error = abs(Decimal(float(one)) - sign * gradient)
            assert error <= Decimal("1e-14") * abs(gradient), (gap, one, gradient)


def test_a_forbidden_class_leaves_the_others_right() -> None:
    s = np.array([[1.0, -np.inf, 2.0], [1e4, -1e4, 0.0]])
    loss = cr.SoftmaxWithLoss()
    p = softmax([1.0, 2.0])
    close(loss.forward(s, [2, 0]), -math.log(p[1]) / 2)
    close(loss.backward()[0], [p[0] / 2, 0, -p[0] / 2])
    np.testing.assert_array_equal(loss.backward()[1], [0, 0, 0])


# -- yes or no, and values ----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5,), (5, 1), (5, 3)])
def test_sigmoid_with_loss(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(2)
    s, t, w = rng.standard_normal(shape), rng.random(shape), rng.random(5)
    loss = cr.SigmoidWithLoss()
    rows = [binary(a, b) for a, b in zip(s.ravel().tolist(), t.ravel().tolist(), strict=True)]
    close(loss.forward(s, t), mean(rows, [1.0] * len(rows)))
    np.testing.assert_allclose(loss.backward(), (1 / (1 + np.exp(-s)) - t) / s.size, rtol=1e-11)
    each = np.repeat(w, s.size // 5).tolist()
    close(loss.forward(s, t, w), mean(rows, each))
    close(loss.y, 1 / (1 + np.exp(-s)))
    if shape == (5, 1):
        assert loss.forward(s, t[:, 0], w) == loss.forward(s, t, w)


@pytest.mark.parametrize("s", [1000.0, -1000.0, 1e4, -1e4, 40.0, -40.0, 0.0])
def test_sigmoid_with_loss_far_out(s: float) -> None:
    for t in (0, 1):
        loss = cr.SigmoidWithLoss()
        wrong = s if t == 0 else -s  # how far on the wrong side
        exact = log1p(Decimal(-abs(s)).exp()) + max(Decimal(wrong), Decimal(0))
        got = loss.forward(np.array([s]), np.array([t]))
        assert abs(Decimal(float(got)) - exact) <= Decimal("1e-14") * exact + Decimal("1e-320")
        slope = (-1 if t else 1) / (1 + Decimal(-wrong).exp())
        error = abs(Decimal(float(loss.backward()[0])) - slope)
        assert error <= Decimal("1e-14") * abs(slope) + Decimal("1e-320")


VALUE_LOSSES: list[tuple[Any, Callable[[float], float], Callable[[float], float]]] = [
    (cr.MeanSquaredError(), lambda d: d * d, lambda d: 2 * d),
    (cr.HalfSquaredError(), lambda d: d * d / 2, lambda d: d),
    (cr.MeanAbsoluteError(), abs, lambda d: (d > 0) - (d < 0)),
    (cr.Huber(), lambda d: huber(d, 1), lambda d: min(max(d, -1), 1)),
    (cr.Huber(0.25), lambda d: huber(d, 0.25), lambda d: min(max(d, -0.25), 0.25)),
]


@pytest.mark.parametrize(("loss", "one", "slope"), VALUE_LOSSES, ids=lambda v: repr(v)[:20])
@pytest.mark.parametrize("shape", [(6,), (6, 1), (3, 2), (2, 3, 2), (1, 1)])
def test_losses_of_values(loss: Any, one: Any, slope: Any, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    y, t = rng.standard_normal(shape), rng.standard_normal(shape)
    y.flat[0] = t.flat[0]  # no difference: no loss, no gradient
    d = (y - t).ravel().tolist()
    close(loss.forward(y, t), math.fsum(map(one, d)) / len(d))
    close(loss.backward().ravel(), [slope(a) / len(d) for a in d])
    w = rng.random(len(y)) + 0.1
    each = np.repeat(w, y.size // len(y)).tolist()
    close(loss.forward(y, t, w), mean([one(a) for a in d], each))
    assert loss.y is y


def test_the_gradient_of_a_loss_reaches_the_targets_too() -> None:
    y, t = Variable(np.array([1.0, 2.0])), Variable(np.array([3.0, 5.0]))
    cr.MeanSquaredError().forward(y, t).backward()
    np.testing.assert_array_equal(t.grad, [2.0, 3.0])


def test_whole_number_targets_are_compared_in_the_dtype_of_the_outputs() -> None:
    y = np.array([[1.5], [2.5]], np.float32)
    for loss in (cr.MeanSquaredError(), cr.MeanAbsoluteError(), cr.Huber(), cr.SigmoidWithLoss()):
        assert loss.forward(y, np.array([[1], [0]])).dtype == np.float32
        assert loss.backward().dtype == np.float32
        assert loss.forward(y, np.array([[1.0], [0.0]])).dtype == np.float32  # and wider ones too


# -- weights ------------------------------------------------------------------------------------------

EVERY_LOSS: list[tuple[Any, Any]] = [
    (cr.SoftmaxWithLoss, lambda rng: (rng.standard_normal((5, 3)), rng.integers(0, 3, 5))),
    (cr.CrossEntropyError, lambda rng: (rng.dirichlet(np.ones(3), 5), rng.integers(0, 3, 5))),
    (cr.SigmoidWithLoss, lambda rng: (rng.standard_normal((5, 2)), rng.integers(0, 2, (5, 2)))),
    (cr.MeanSquaredError, lambda rng: (rng.standard_normal((5, 2)), rng.random((5, 2)))),
    (cr.HalfSquaredError, lambda rng: (rng.standard_normal((5, 2)), rng.random((5, 2)))),
    (cr.MeanAbsoluteError, lambda rng: (rng.standard_normal((5, 2)), rng.random((5, 2)))),
    (cr.Huber, lambda rng: (rng.standard_normal((5, 2)), rng.random((5, 2)))),
]


@pytest.mark.parametrize(("kind", "draw"), EVERY_LOSS, ids=lambda v: getattr(v, "__name__", ""))
def test_a_weight_counts_a_row_that_many_times(kind: Any, draw: Any) -> None:
    x, t = draw(np.random.default_rng(4))
    w = [2, 0, 1, 3, 1]
    weighted, repeated = kind(), kind()
    rows = np.repeat(np.arange(5), w)
    close(weighted.forward(x, t, w), repeated.forward(x[rows], t[rows]))
    gathered = np.zeros_like(x)
    np.add.at(gathered, rows, repeated.backward())
    np.testing.assert_allclose(weighted.backward(), gathered, rtol=1e-12, atol=1e-16)
    scaled = kind()
    close(scaled.forward(x, t, np.multiply(w, 1e3)), weighted.forward(x, t, w))
    close(kind().forward(x, t, np.ones(5)), kind().forward(x, t))


@pytest.mark.parametrize("kind", [cr.SoftmaxWithLoss, cr.CrossEntropyError])
def test_class_weights_are_sample_weights_by_class(kind: Any) -> None:
    rng = np.random.default_rng(5)
    p, t = rng.dirichlet(np.ones(3), 6), rng.integers(0, 3, 6)
    c = np.array([0.5, 2.0, 0.0])
    by_class, by_sample = kind(class_weights=c), kind()
    close(by_class.forward(p, t), by_sample.forward(p, t, c[t]))
    close(by_class.backward(), by_sample.backward())


def test_a_batch_that_weighs_nothing_has_no_loss_and_no_gradient() -> None:
    loss = cr.SoftmaxWithLoss(class_weights=[0.0, 1.0])
    assert loss.forward(np.ones((2, 2)), [0, 0]) == 0
    np.testing.assert_array_equal(loss.backward(), np.zeros((2, 2)))
