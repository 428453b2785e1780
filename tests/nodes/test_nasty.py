"""Inputs that break other libraries, by their number in the project's list of 36."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import nodes
from chainrule.errors import DTypeError, NonFiniteError, ShapeError
from chainrule.graph.variable import Variable

Array = npt.NDArray[Any]


def value_and_gradient(f: Callable[[Any], Any], x: Any) -> tuple[Array, Array]:
    """f(x), and the gradient of its sum."""
    v = Variable(np.asarray(x, dtype=float))
    out = f(v)
    cr.sum(out).backward()
    assert v.grad is not None
    return out.data, v.grad


def nasty(number: int, *rows: tuple[str, Callable[[Any], Any], Any, Any, Any]) -> list[Any]:
    return [pytest.param(*row[1:], id=f"nasty-{number:02}-{row[0]}") for row in rows]


big = 1e4
inf = np.inf


def ce(t: int) -> Callable[[Any], Any]:
    return lambda s: cr.softmax_cross_entropy(s, np.array([t]))


@pytest.mark.parametrize(
    ("f", "x", "value", "gradient"),
    [
        *nasty(
            1,
            ("right", ce(0), [[big, -big]], [0.0], [[0.0, 0.0]]),
            ("wrong", ce(1), [[big, -big]], [2e4], [[1.0, -1.0]]),
            ("all-high", ce(0), [[big, big]], [math.log(2)], [[-0.5, 0.5]]),
        ),
        *nasty(3, ("no-cap", lambda p: -cr.log(p), [1e-300], [300 * math.log(10)], [-1e300])),
        *nasty(
            4,
            ("sigmoid", cr.sigmoid, [-1000.0, 1000.0], [0.0, 1.0], [0.0, 0.0]),
            ("tanh", cr.tanh, [-1000.0, 1000.0], [-1.0, 1.0], [0.0, 0.0]),
            ("gelu", cr.gelu, [-1000.0, 1000.0], [0.0, 1000.0], [0.0, 1.0]),
        ),
        *nasty(
            5,
            ("t1", lambda s: cr.sigmoid_cross_entropy(s, 1.0), [big, -big], [0, big], [0, -1]),
            ("t0", lambda s: cr.sigmoid_cross_entropy(s, 0.0), [big, -big], [big, 0], [1, 0]),
        ),
        *nasty(
            6,
            ("softplus", cr.softplus, [-big, 0.0, big], [0, math.log(2), big], [0, 0.5, 1]),
            ("logsumexp", cr.logsumexp, [[big, -big]], [big], [[1.0, 0.0]]),
            ("logsumexp-low", cr.logsumexp, [[-big, -big]], [math.log(2) - big], [[0.5, 0.5]]),
        ),
        *nasty(
            7,
            ("softmax", lambda s: cr.softmax(s)[:, 0], [[0.0, -inf]], [1.0], [[0.0, 0.0]]),
            ("loss", ce(0), [[0.0, -inf, 0.0]], [math.log(2)], [[-0.5, 0.0, 0.5]]),
            ("logsumexp", cr.logsumexp, [[3.0, -inf]], [3.0], [[1.0, 0.0]]),
        ),
        *nasty(8, ("logsumexp", cr.logsumexp, [[-inf, -inf]], [-inf], [[0.0, 0.0]])),
        *nasty(
            9,
            ("norm", lambda x: cr.norm(x), [0.0, 0.0], 0.0, [0.0, 0.0]),
            ("sqrt-sum", lambda x: cr.sqrt(cr.sum(x * x)), [0.0, 0.0], 0.0, [0.0, 0.0]),
            ("sqrt", cr.sqrt, [0.0, 4.0], [0.0, 2.0], [0.0, 0.25]),
        ),
        *nasty(
            10,
            ("log", lambda x: cr.where(x > 0, cr.log(x), 0), [0.0, 1.0], [0.0, 0.0], [0.0, 1.0]),
            ("log1p", lambda x: cr.where(x > -1, cr.log1p(x), 0), [-1.0, 0.0], [0, 0], [0, 1]),
            ("div", lambda x: cr.where(x != 0, 1 / x, 0), [0.0, 2.0], [0.0, 0.5], [0.0, -0.25]),
            ("sqrt", lambda x: cr.where(x > 0, cr.sqrt(x), 0), [0.0, 4.0], [0, 2], [0, 0.25]),
            ("pow", lambda x: cr.where(x > 0, x**-0.5, 0), [0.0, 4.0], [0, 0.5], [0, -0.0625]),
        ),
        *nasty(
            11,
            ("x**0", lambda x: x**0, [0.0, -2.0, 3.0], [1, 1, 1], [0, 0, 0]),
            ("x**0-array", lambda x: x ** np.zeros(2), [0.0, -2.0], [1, 1], [0, 0]),
            ("0**y", lambda y: np.zeros(3) ** y, [1.0, 2.0, 0.5], [0, 0, 0], [0, 0, 0]),
            ("x**y", lambda x: x ** np.array([1.0, 2.0]), [0.0, 0.0], [0, 0], [1, 0]),
            ("negative", lambda x: x**2.0, [-2.0], [4.0], [-4.0]),
            ("cube", lambda x: x**3, [-2.0], [-8.0], [12.0]),
        ),
        *nasty(
            12,
            ("std", lambda x: cr.std(x), [3.0, 3.0, 3.0], 0.0, [0, 0, 0]),
            ("std-axis", lambda x: cr.std(x, 1), [[2.0, 2.0]], [0.0], [[0.0, 0.0]]),
            ("var", lambda x: cr.var(x), [3.0, 3.0], 0.0, [0, 0]),
        ),
        *nasty(
            13,
            ("one-zero", lambda x: cr.prod(x), [0.0, 2.0, 3.0], 0.0, [6.0, 0.0, 0.0]),
            ("two-zeros", lambda x: cr.prod(x), [0.0, 0.0, 3.0], 0.0, [0.0, 0.0, 0.0]),
        ),
        *nasty(
            14,
            ("max", lambda x: cr.max(x), [1.0, 3.0, 3.0], 3.0, [0.0, 0.5, 0.5]),
            ("min", lambda x: cr.min(x, 0), [2.0, 2.0, 2.0, 2.0], 2.0, [0.25] * 4),
            ("maximum", lambda x: cr.maximum(x, 1.0), [1.0, 2.0], [1, 2], [0.5, 1.0]),
            ("minimum", lambda x: cr.minimum(x, 1.0), [1.0, 2.0], [1, 1], [0.5, 0.0]),
        ),
        *nasty(
            15,
            ("relu", cr.relu, [-1.0, 0.0, -0.0, 1.0], [0, 0, 0, 1], [0, 0, 0, 1]),
            ("leaky", lambda x: cr.leaky_relu(x, 0.1), [0.0, -1.0], [0.0, -0.1], [0.1, 0.1]),
        ),
        *nasty(
            16,
            ("abs", cr.abs, [-1.0, 0.0, 1.0], [1, 0, 1], [-1, 0, 1]),
            ("clip", lambda x: cr.clip(x, 0, 1), [-1, 0, 1, 2], [0, 0, 1, 1], [0, 1, 1, 0]),
            ("sign", cr.sign, [-1.0, 0.0, 1.0], [-1, 0, 1], [0, 0, 0]),
        ),
        *nasty(
            19,
            ("sum", lambda x: cr.sum(x, 0), [1.0, 2.0], 3.0, [1, 1]),
            ("mean", lambda x: cr.mean(x, -1, True), [1.0, 2.0], [1.5], [0.5, 0.5]),
        ),
        *nasty(22, ("repeats", lambda x: x[[0, 0, 1]], [1.0, 2.0, 3.0], [1, 1, 2], [2, 1, 0])),
        *nasty(
            31,
            ("0-d", lambda x: cr.mean(x) + cr.max(x) + cr.prod(x), 2.0, 6.0, 3.0),
            ("0-d-var", lambda x: cr.var(x) + cr.std(x), 2.0, 0.0, 0.0),
            ("ones", lambda x: cr.softmax(x) + x @ x, [[2.0]], [[5.0]], [[4.0]]),
            ("norm", lambda x: cr.norm(x), -2.0, 2.0, -1.0),
        ),
        *nasty(
            34,
            ("subnormal", cr.sigmoid, [5e-324, -0.0], [0.5, 0.5], [0.25, 0.25]),
            ("norm-high", lambda x: cr.norm(x), [3e200, 4e200], 5e200, [0.6, 0.8]),
            ("norm-low", lambda x: cr.norm(x), [3e-200, 4e-200], 5e-200, [0.6, 0.8]),
            ("minus-zero", lambda x: 1 / (1 + cr.abs(x)), [-0.0], [1.0], [0.0]),
            ("log", cr.log, [5e-324], [math.log(5e-324)], [inf]),
        ),
    ],
)
def test_value_and_gradient(f: Callable[[Any], Any], x: Any, value: Any, gradient: Any) -> None:
    out, grad = value_and_gradient(f, x)
    np.testing.assert_allclose(out, np.asarray(value, float), rtol=1e-14, atol=0)
    np.testing.assert_allclose(grad, np.asarray(gradient, float), rtol=1e-14, atol=0)


@pytest.mark.parametrize("gap", [0.0, 1e-9, 0.5, 1, 5, 17, 36, 37, 38, 100, 300, 500, 700])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_nasty_02_cross_entropy_at_any_gap(gap: float, classes: int) -> None:
    s = np.zeros((2, classes))
    s[:, 0] = gap
    t = np.array([0, 1])  # the sure, right answer; and the sure, wrong one
    v = Variable(s)
    loss = cr.softmax_cross_entropy(v, t)
    cr.sum(loss).backward()
    # In extended precision, with no difference of nearly equal numbers in it.
    e = np.exp(-np.longdouble(gap))
    others = (classes - 1) * e
    right = np.log1p(others)
    gradient = np.empty((2, classes), np.longdouble)
    gradient[0], gradient[0, 0] = e / (1 + others), -others / (1 + others)
    gradient[1], gradient[1, 0] = e / (1 + others), 1 / (1 + others)
    gradient[1, 1] = -(1 + (classes - 2) * e) / (1 + others)
    np.testing.assert_allclose(loss.data, [right, right + gap], rtol=1e-14, atol=0)
    assert v.grad is not None
    np.testing.assert_allclose(v.grad, gradient.astype(float), rtol=1e-14, atol=0)


def test_nasty_03_a_probability_of_zero_is_an_infinite_loss() -> None:
    assert nodes.Log().forward(np.array([0.0]))[0] == -inf
    with pytest.raises(NonFiniteError):
        cr.CrossEntropyError().forward(np.array([[0.0, 1.0]]), np.array([0]))


def test_nasty_08_all_logits_minus_infinity_is_an_error() -> None:
    with pytest.raises(NonFiniteError, match="row 0"):
        cr.SoftmaxWithLoss().forward(np.array([[-inf, -inf]]), np.array([0]))


@pytest.mark.parametrize("f", [cr.norm, lambda x: cr.sqrt(cr.sum(x * x)), cr.std, cr.prod, cr.max])
def test_nasty_09_second_derivatives_at_such_places_are_finite(f: Callable[[Any], Any]) -> None:
    first = cr.grad(f)
    second = cr.grad(lambda x: cr.sum(first(x) * np.array([1.0, 2.0])))
    assert np.isfinite(second(np.zeros(2))).all()


@pytest.mark.parametrize(
    ("a", "b"), [((3, 1), (1, 4)), ((5,), (3, 5)), ((), (2, 3)), ((1,), (4,)), ((1, 1), (2, 1, 3))]
)
def test_nasty_17_broadcasting_gives_gradients_of_the_inputs_shapes(
    a: tuple[int, ...], b: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0.5, 2, a), rng.uniform(0.5, 2, b)
    for f in (cr.add, cr.subtract, cr.multiply, cr.divide, cr.power, cr.maximum):
        report = cr.check(f, x, y, elements=True, second_order=True)
        assert report, str(report)
        u, v = Variable(x), Variable(y)
        cr.sum(f(u, v)).backward()
        assert u.grad is not None
        assert v.grad is not None
        assert (u.grad.shape, v.grad.shape) == (a, b)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, -1), (-2, 0), (0, 1, 2), (1,)])
@pytest.mark.parametrize("f", [cr.sum, cr.mean, cr.prod, cr.var, cr.std, cr.norm, cr.max, cr.min])
def test_nasty_18_reductions_over_any_axes(f: Any, axis: Any, keepdims: bool) -> None:
    x = np.random.default_rng(0).permutation(24).reshape(2, 3, 4) / 10 + 0.2
    report = cr.check(lambda v: f(v, axis, keepdims), x, elements=True)
    assert report, str(report)


def test_nasty_28_a_batch_of_none() -> None:
    empty = np.zeros((0, 3))
    for f in (cr.mean, cr.var, cr.std):
        with pytest.raises(ShapeError, match="Leave empty batches out"):
            f(empty)
    out, grad = value_and_gradient(cr.sum, empty)
    assert out == 0
    assert grad.shape == (0, 3)
    assert value_and_gradient(lambda x: cr.mean(x, 0), np.zeros((2, 0)))[1].shape == (2, 0)
    loss, grad = value_and_gradient(lambda s: cr.softmax_cross_entropy(s, np.zeros(0, int)), empty)
    assert loss.shape == (0,)
    assert grad.shape == (0, 3)


def test_nasty_29_the_variance_of_one() -> None:
    assert np.array_equal(cr.var(np.ones((1, 3)), 0), np.zeros(3))
    with pytest.raises(ShapeError, match="needs more than 1 elements to reduce; got 1"):
        cr.var(np.ones((1, 3)), 0, ddof=1)


def test_nasty_30_the_mean_gradient_goes_by_the_size_of_the_batch() -> None:
    for n in (1, 7, 30):
        assert np.allclose(value_and_gradient(lambda x: cr.mean(x), np.ones(n))[1], 1 / n)


def test_nasty_32_float16_is_refused() -> None:
    with pytest.raises(DTypeError, match="does not hold float16"):
        Variable(np.ones(70_000, np.float16))
    with pytest.raises(DTypeError, match="does not hold float16"):
        Variable(np.ones(3)).astype(np.float16)


def test_nasty_33_dtypes() -> None:
    x = Variable(np.ones((2, 3), np.float32))
    W = Variable(np.ones((3, 2), np.float32))
    for out in (
        x * 2 + 1.5,
        2 / x - 0.1,
        x**2,
        x**0.5,
        cr.mean(x),
        cr.std(x, 0, ddof=1),
        x @ W,
        cr.where(x > 0, x, 0.0),
        cr.maximum(x, 0.5),
        cr.clip(x, 0.2, 0.9),
        cr.norm(x),
        cr.gelu(x),
        cr.softmax(x),
        cr.softmax_cross_entropy(x, np.array([0, 2])),
        cr.sigmoid_cross_entropy(x, 0.5),
    ):
        assert out.dtype == np.float32
        loss = cr.sum(out)
        loss.backward()
        assert x.grad is not None
        assert x.grad.dtype == np.float32
    whole = Variable([1, 2])
    assert not whole.requires_grad
    assert (whole / 2).dtype == np.float64
    assert cr.exp(whole).dtype == np.float64
    assert (whole + x[0, :2]).dtype == np.float64  # NumPy's rule for int64 and float32
    assert float(cr.grad(lambda x: x * x)(3)) == 6.0


def test_nasty_34_float32_at_the_ends_of_its_range() -> None:
    for size in (1e38, 1e-38, 1e-45):
        x = np.array([size, size], np.float32)
        with np.errstate(all="raise"):
            v = Variable(x)
            out = cr.norm(v)
            out.backward()
        assert np.isfinite(out.data)
        assert out.data > 0
        assert v.grad is not None
        np.testing.assert_allclose(v.grad, np.sqrt(0.5), rtol=0.5 if size == 1e-45 else 1e-6)


def test_nasty_36_one_row_of_nan_leaves_the_others_alone() -> None:
    rng = np.random.default_rng(0)
    x, W = rng.normal(size=(5, 4)), rng.normal(size=(4, 3))
    bad = x.copy()
    bad[2, 1] = np.nan
    rest = [0, 1, 3, 4]
    calls: list[Callable[[Any], Any]] = [
        lambda v: v @ W,
        lambda v: cr.softmax(v),
        lambda v: cr.logsumexp(v),
        lambda v: cr.relu(v),
        lambda v: cr.max(v, 1),
        lambda v: cr.std(v, 1),
    ]
    for f in calls:
        whole, broken = f(x), f(bad)
        assert np.array_equal(whole[rest], broken[rest])
        assert np.isnan(broken[2]).any()
