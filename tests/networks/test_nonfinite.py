"""What is named where numbers overflow: the first arrow that does, forwards or else backwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule.errors import NonFiniteError

F = np.float32
X, T = np.ones((3, 2), F), np.zeros((3, 1), F)


def affine(shape: tuple[int, int], size: float) -> cr.Affine:
    return cr.Affine(np.full(shape, size, F), np.zeros(shape[1], F))


def grows_backwards() -> cr.Sequential:
    """Finite forwards; the gradient of the weights in the middle is beyond float32."""
    return cr.Sequential(
        affine((2, 2), 1e20), affine((2, 1), 1e-20), affine((1, 1), 1e18), loss=cr.MeanSquaredError()
    )  # fmt: skip


class Squares(cr.Layer):
    def formula(self, x: Any) -> Any:
        """tanh(x²)."""
        return cr.tanh(x * x)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_a_gradient_that_overflows_is_named_and_not_the_loss(engine: str) -> None:
    net = grows_backwards()
    assert np.isfinite(net.forward(X, T))
    net.backward()
    assert [bool(np.isfinite(g).all()) for g in net.grads] == [True, True, False, True, True, True]
    wanted = r"finite on the way forward.*gradient is ∂W2, sent back by layer 1 \(Affine\)'s MatMul"
    with pytest.raises(NonFiniteError, match=wanted) as error:
        cr.Trainer(net, cr.SGD(0.1), engine=engine).fit(X, T, 1, 3, progress=None)
    assert "the loss itself" not in str(error.value)


def test_it_is_the_first_in_order() -> None:
    net = cr.Sequential(
        affine((2, 1), 1.0), Squares(), affine((1, 1), 1.0), loss=cr.MeanSquaredError()
    )
    x = X.copy()
    x[1:] *= F(1e30)  # tanh(∞) is 1 again, and so is the loss finite
    assert np.isfinite(net.forward(x, T))
    assert net.find_nonfinite(x, T) == (
        "The first non-finite values are in mul1 of layer 1 (Squares), rows 1, 2 of the batch."
    )
    x[2, 0] = np.nan
    assert "in the input, rows 2 of the batch" in net.find_nonfinite(x, T)
    net.layers[2].W[...] = np.inf
    assert "W2 of layer 2 (Affine)." in net.find_nonfinite(X, T)


def test_the_loss_is_named_where_it_is_the_loss() -> None:
    net = cr.Sequential(affine((2, 1), 1e20), loss=cr.MeanSquaredError())
    with pytest.raises(NonFiniteError, match=r"of the loss \(MeanSquaredError\), rows 0, 1, 2 of"):
        net.forward(X, T)


def test_looking_for_it_changes_nothing() -> None:
    net = cr.Sequential(
        affine((2, 2), 1e20), cr.BatchNorm(np.ones(2, F), np.zeros(2, F)), cr.Dropout(0.5),
        affine((2, 1), 1e30), loss=cr.MeanSquaredError(),
    )  # fmt: skip
    arrays: list[npt.NDArray[Any]] = [*net.params, *net.grads, *net.named_buffers().values()]
    before = [a.tobytes() for a in arrays]
    assert "non-finite" in net.find_nonfinite(X * F(1e20), T)
    assert [a.tobytes() for a in arrays] == before
