"""The chapter's contract by hand: four classes with its member names, and nothing of ours.

Their arithmetic is the plain one: dx = dy Wᵀ, dW = xᵀ dy, db = Σ dy over the rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class MatMul:
    def __init__(self, W: Array) -> None:
        self.params = [W]
        self.grads = [np.zeros_like(W)]
        self.x: Any = None

    def forward(self, x: Array) -> Array:
        self.x = x
        return np.asarray(np.dot(x, self.params[0]))

    def backward(self, dout: Array) -> Array:
        self.grads[0][...] = np.dot(self.x.T, dout)
        return np.asarray(np.dot(dout, self.params[0].T))


class Affine:
    def __init__(self, W: Array, b: Array) -> None:
        self.params = [W, b]
        self.grads = [np.zeros_like(W), np.zeros_like(b)]
        self.x: Any = None

    def forward(self, x: Array) -> Array:
        self.x = x
        return np.asarray(np.dot(x, self.params[0]) + self.params[1])

    def backward(self, dout: Array) -> Array:
        self.grads[0][...] = np.dot(self.x.T, dout)
        self.grads[1][...] = np.sum(dout, axis=0)
        return np.asarray(np.dot(dout, self.params[0].T))


class Sigmoid:
    def __init__(self) -> None:
        self.params: list[Array] = []
        self.grads: list[Array] = []
        self.out: Any = None

    def forward(self, x: Array) -> Array:
        self.out = 1 / (1 + np.exp(-x))
        return np.asarray(self.out)

    def backward(self, dout: Array) -> Array:
        return np.asarray(dout * (1.0 - self.out) * self.out)


class SGD:
    def __init__(self, lr: float = 0.01) -> None:
        self.lr = lr

    def update(self, params: list[Array], grads: list[Array]) -> None:
        for p, g in zip(params, grads, strict=True):
            p -= self.lr * g
