"""cr.grad to any order, and numerical_gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DTypeError, ShapeError
from chainrule.graph.variable import Variable


def test_three_orders() -> None:
    def f(x: Any) -> Any:
        return x**3 * cr.sin(x)

    x = 0.7
    d1, d2 = cr.grad(f), cr.grad(cr.grad(f))
    d3 = cr.grad(d2)
    s, c = np.sin(x), np.cos(x)
    assert float(d1(x)) == pytest.approx(3 * x**2 * s + x**3 * c, rel=1e-14)
    assert float(d2(x)) == pytest.approx(6 * x * s + 6 * x**2 * c - x**3 * s, rel=1e-14)
    expected = 6 * s + 18 * x * c - 9 * x**2 * s - x**3 * c
    assert float(d3(x)) == pytest.approx(expected, rel=1e-14)


def test_inner_and_outer_variables_are_not_confused() -> None:
    # d/dx (x · d/dy (x + y)) = 1, and d/dx (x · d/dy (x · y)) = 2x
    assert float(cr.grad(lambda x: x * cr.grad(lambda y: x + y)(1.0))(3.0)) == 1.0
    assert float(cr.grad(lambda x: x * cr.grad(lambda y: x * y)(x))(3.0)) == 6.0
    # What the inner function uses of the outer one stays a Variable, also at a plain number.
    assert float(cr.grad(lambda x: x * cr.grad(lambda y: x * y)(1.0))(3.0)) == 6.0
    assert float(cr.grad(lambda x: cr.grad(lambda y: x * x * y)(2.0))(3.0)) == 6.0
    x = Variable(3.0)
    (x * cr.grad(lambda y: x * y)(1.0)).backward()
    assert x.grad == 6.0
    # d/dx [d/dy (x·y²) at y = x] = d/dx (2 x²) = 4x
    assert float(cr.grad(lambda x: cr.grad(lambda y: x * y * y)(x))(3.0)) == 12.0


def test_a_hessian_times_a_vector() -> None:
    rng = np.random.default_rng(0)
    A, x, v = rng.normal(size=(4, 4)), rng.normal(size=4), rng.normal(size=4)
    first = cr.grad(lambda x: cr.sum(x * (A @ x)))
    product = cr.grad(lambda x: cr.sum(first(x) * v))(x)
    np.testing.assert_allclose(product, (A + A.T) @ v, rtol=1e-13)


def test_arrays_in_arrays_out_and_variables_in_variables_out() -> None:
    f = cr.grad(lambda a, b: cr.sum(a * b), (0, 1))
    da, db = f(np.ones(2), np.arange(2.0))
    assert type(da) is np.ndarray
    assert np.array_equal(da, [0, 1])
    assert np.array_equal(db, [1, 1])
    assert isinstance(f(Variable(np.ones(2)), np.ones(2))[0], Variable)
    assert cr.grad(lambda a, b: cr.sum(a * b), 1)(np.ones(2), np.ones(2)).shape == (2,)
    with pytest.raises(ShapeError, match=r"it gave shape \(2,\)"):
        cr.grad(lambda a: a * 2)(np.ones(2))


def test_a_gradient_of_a_gradient_with_a_branch_in_between() -> None:
    def f(x: Any) -> Any:
        h = cr.tanh(x)
        return cr.sum(h * h + h * x)

    x = np.array([0.3, -1.2])
    report = cr.check(lambda v: cr.grad(f)(v), x, elements=True, second_order=True)
    assert report, str(report)


def test_numerical_gradient_agrees_and_restores() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 2))
    kept = x.copy()
    got = cr.numerical_gradient(lambda x: np.sum(np.tanh(x) ** 2), x)
    t = np.tanh(x)
    np.testing.assert_allclose(got, 2 * t * (1 - t * t), rtol=1e-8)
    assert np.array_equal(x, kept)
    got = cr.numerical_gradient(lambda x: cr.sum(cr.tanh(Variable(x.copy())) ** 2), x, h=1e-4)
    np.testing.assert_allclose(got, 2 * t * (1 - t * t), rtol=1e-6)


def test_numerical_gradient_of_a_layers_own_weights() -> None:
    rng = np.random.default_rng(0)
    layer = cr.Affine(rng.normal(size=(3, 2)), rng.normal(size=2))
    x, dout = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    layer.forward(x)
    layer.backward(dout)
    numerical = cr.numerical_gradient(lambda _: np.sum(layer.forward(x) * dout), layer.W)
    np.testing.assert_allclose(layer.grads[0], numerical, rtol=1e-7, atol=1e-9)


def test_numerical_gradient_puts_the_number_back_when_f_fails() -> None:
    x = np.array([1.0, 2.0])

    def f(a: Any) -> float:
        if a[1] > 2.0:
            raise RuntimeError("no")
        return float(a.sum())

    with pytest.raises(RuntimeError, match="no"):
        cr.numerical_gradient(f, x)
    assert np.array_equal(x, [1.0, 2.0])


def test_numerical_gradient_refuses_whole_numbers() -> None:
    with pytest.raises(DTypeError, match="needs a floating-point array; got ndarray of int64"):
        cr.numerical_gradient(np.sum, np.array([1, 2]))


def test_an_analytic_function_of_complex_numbers_has_its_complex_derivative() -> None:
    z = np.array([0.5 + 1j, -1j])
    found = cr.grad(lambda z: cr.sum(cr.exp(z) * z))(z)
    np.testing.assert_allclose(found, np.exp(z) * (1 + z), rtol=1e-14)
