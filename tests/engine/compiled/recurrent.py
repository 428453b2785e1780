"""Networks that do the same again and again: loops over time, and blocks with weights of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

import chainrule as cr

__all__ = ["KINDS", "data"]

Array = npt.NDArray[Any]
INPUTS = 3


class Unrolled(cr.Network):
    """A loop over time with so many hidden units."""

    def __init__(self, steps: int, hidden: int, dtype: Any = np.float64) -> None:
        super().__init__(loss=cr.SoftmaxWithLoss(), seed=0)
        self.steps, self.hidden = steps, hidden
        self.into = cr.Affine.sized(INPUTS, self.gates * hidden, dtype=dtype)
        self.on = cr.MatMul.sized(hidden, self.gates * hidden, dtype=dtype)
        self.out = cr.Affine.sized(hidden, 2, dtype=dtype)

    gates = 1

    def predict(self, x: Any) -> Any:
        x, state = cr.reshape(x, (-1, self.steps, INPUTS)), None
        for i in range(self.steps):
            a = self.into(x[:, i])
            state = self.step(a if state is None else a + self.on(state[0]), state)
        assert state is not None
        return self.out(state[0])

    def step(self, a: Any, state: Any) -> tuple[Any, ...]:
        return (cr.tanh(a),)


class Gated(Unrolled):
    """An LSTM."""

    gates = 4

    def step(self, a: Any, state: Any) -> tuple[Any, ...]:
        k = self.hidden
        gates, new = cr.sigmoid(a[:, : 3 * k]), cr.tanh(a[:, 3 * k :])
        memory = gates[:, :k] * new
        if state is not None:
            memory = memory + gates[:, k : 2 * k] * state[1]
        return gates[:, 2 * k :] * cr.tanh(memory), memory


class Summed(Unrolled):
    """A loop over time whose every state is used in the end, with a sum over rows on the way."""

    def predict(self, x: Any) -> Any:
        x, h, all_of_them = cr.reshape(x, (-1, self.steps, INPUTS)), None, []
        for i in range(self.steps):
            a = self.into(x[:, i])
            h = cr.relu(a if h is None else a * 0.5 + self.on(h))
            h = h / (1 + cr.sum(h, 1, keepdims=True))
            all_of_them.append(h)
        return self.out(sum(all_of_them[1:], all_of_them[0]))


class Blocks(cr.Network):
    """Blocks of attention, each with weights of its own."""

    def __init__(self, steps: int, hidden: int, dtype: Any = np.float64) -> None:
        super().__init__(loss=cr.SoftmaxWithLoss(), seed=0)
        self.hidden, self.first = hidden, cr.Affine.sized(INPUTS, hidden, dtype=dtype)
        self.blocks = [
            [cr.MatMul.sized(hidden, hidden, dtype=dtype) for _ in range(3)] for _ in range(steps)
        ]
        self.norms = [cr.LayerNorm.sized(hidden, dtype=dtype) for _ in range(steps)]
        self.layers_of_all = [layer for block in self.blocks for layer in block]
        self.out = cr.Affine.sized(4 * hidden, 2, dtype=dtype)

    def predict(self, x: Any) -> Any:
        h = self.first(cr.reshape(x, (-1, 4, INPUTS)))
        for (q, k, v), norm in zip(self.blocks, self.norms, strict=True):
            g = norm(h)
            h = h + cr.softmax(q(g) @ cr.swapaxes(k(g), 1, 2)) @ v(g)
        return self.out(cr.reshape(h, (-1, 4 * self.hidden)))


KINDS = {"plain": Unrolled, "gated": Gated, "summed": Summed, "blocks": Blocks}


def data(kind: str, steps: int, rows: int) -> tuple[Array, Array]:
    """Rows and classes for a network of that kind."""
    rng = np.random.default_rng(steps)
    width = INPUTS * (4 if kind == "blocks" else steps)
    return rng.normal(size=(rows, width)), rng.integers(0, 2, rows)
