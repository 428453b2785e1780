"""What networks say of themselves in Chinese."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import NonFiniteError, ShapeError

F = np.float32


class ByHand:
    """A layer in the chapter's way."""

    def __init__(self) -> None:
        self.params, self.grads = [np.ones((2, 2))], [np.ones((2, 2))]

    def forward(self, x: Any) -> Any:
        return x

    def backward(self, dout: Any) -> Any:
        return dout


class Named(cr.Network):
    """A network whose layers have names."""

    def __init__(self) -> None:
        super().__init__(loss=cr.MeanSquaredError())
        self.first = cr.Affine(np.full((2, 2), 1e38, F), np.zeros(2, F))

    def predict(self, x: Any) -> Any:
        return cr.exp(self.first(x))


def test_the_table_of_layers_stands_in_cells_of_a_terminal() -> None:
    net = cr.Sequential(
        cr.Affine.sized(2, 10), ByHand(), cr.Affine.sized(10, 3), loss=cr.SoftmaxWithLoss()
    )
    net.layers[0].trainable = False
    assert net.summary("zh").splitlines() == [
        "层                 参数         个数",
        "──────────────────────────────────────────",
        "0  Affine          W 2×10 b 10    30  冻结",
        "1  ByHand（手写）  p0 2×2          4",
        "2  Affine          W 10×3 b 3     33",
        "──────────────────────────────────────────",
        "67 个参数，其中 30 个已冻结，float64；损失函数：SoftmaxWithLoss",
    ]


def test_the_language_of_the_table_is_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = cr.Sequential(cr.ReLU())
    assert net.summary().endswith("0 parameters, float64; loss: none")
    monkeypatch.setenv("CHAINRULE_LANG", "zh")
    assert net.summary().endswith("0 个参数，float64；损失函数：无")
    assert net.summary("en").endswith("0 parameters, float64; loss: none")


def test_layers_have_numbers_or_names() -> None:
    with pytest.raises(NonFiniteError) as caught:
        Named().forward(np.full((3, 2), 10, F), np.zeros((3, 2), F))
    assert caught.value.said("zh") == (
        "损失为 inf。最先出现非有限数的位置：层 first（Affine）中的 matmul，在这一批的第 0、1、2 行。"
        "请降低学习率，或检查数据。"
    )
    with pytest.raises(ShapeError) as refused:
        cr.Sequential(cr.Affine.sized(2, 3), cr.ReLU(), cr.Affine.sized(4, 3))
    assert refused.value.said("zh") == (
        "第 2 层（Affine）接受 4 个输入，但第 0 层（Affine）给出 3 个输出。请让两者相等。"
    )


def test_the_gradient_that_is_not_finite_in_chinese() -> None:
    def affine(shape: tuple[int, int], size: float) -> cr.Affine:
        return cr.Affine(np.full(shape, size, F), np.zeros(shape[1], F))

    net = cr.Sequential(
        affine((2, 2), 1e20), affine((2, 1), 1e-20), affine((1, 1), 1e18), loss=cr.MeanSquaredError()
    )  # fmt: skip
    assert net.find_nonfinite(np.ones((3, 2), F), np.zeros((3, 1), F)).said("zh") == (
        "正向传播的值都是有限数；反向传播中最先出现的非有限梯度是 ∂W2，"
        "由第 1 层（Affine）的 MatMul 节点传回。"
    )
