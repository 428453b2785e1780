"""Six networks as their users write them, on data where what they are to learn is known.

A convolution by slicing, attention with two heads, a loop over time steps read backwards, a
U-shaped network, a mixture of experts, and twins with a contrastive loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import chainrule as cr

__all__ = ["PROGRAMS", "Program"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Program:
    """A network, its data, how it is trained, and what it must reach on rows it has not seen."""

    make: Callable[[], cr.Network]
    data: Callable[[np.random.Generator, int], tuple[Array, Array]]
    #: Of the outputs and the targets: at least `reach`.
    score: Callable[[Array, Array], float]
    reach: float
    lr: float
    epochs: int
    rows: int = 1500
    batch: int = 50


def accuracy(y: Array, t: Array) -> float:
    return float(np.mean(y.argmax(axis=1) == t))


def r2(y: Array, t: Array) -> float:
    return float(1 - np.mean((y - t) ** 2) / np.var(t))


# -- a convolution by slicing, flattened with the channels first ----------------------------------


class Convolution(cr.Network):
    """3×3 patches of an 8×8 picture by slices, four channels, and then all channel by channel."""

    def __init__(self) -> None:
        super().__init__(loss=cr.SoftmaxWithLoss(), seed=0)
        self.kernel = cr.Affine.sized(9, 6, init="he", dtype=np.float64)
        self.out = cr.Affine.sized(6 * 6 * 6, 10, dtype=np.float64)

    def predict(self, x: Any) -> Any:
        image = x.reshape(-1, 8, 8)
        patches = [image[:, i : i + 6, j : j + 6] for i in range(3) for j in range(3)]
        h = cr.relu(self.kernel(cr.stack(patches, 3)))
        return self.out(cr.transpose(h, (0, 3, 1, 2)).reshape(-1, 6 * 6 * 6))


def digits(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    table = cr.datasets.load("digits")
    x = np.stack([np.asarray(table[name], float) for name in table.names[:64]], 1) / 16
    t = np.asarray(table["digit"]).astype(int)
    rows = rng.permutation(len(x))[:n]
    return x[rows], t[rows]


# -- attention with two heads ---------------------------------------------------------------------


class Attention(cr.Network):
    """Does the first letter come again? Letters look at each other, in two heads side by side."""

    def __init__(self) -> None:
        super().__init__(loss=cr.SoftmaxWithLoss(), seed=1)
        self.letters = cr.Embedding.sized(5, 12, init="uniform", dtype=np.float64)
        self.first = cr.Affine.sized(12, 12, dtype=np.float64)
        self.q, self.k, self.v = (cr.MatMul.sized(12, 12, dtype=np.float64) for _ in range(3))
        self.merge = cr.Affine.sized(12, 16, dtype=np.float64)
        self.out = cr.Affine.sized(16, 2, dtype=np.float64)

    def predict(self, x: Any) -> Any:
        letters = self.letters(x)
        h = cr.concatenate([self.first(letters[:, :1]), letters[:, 1:]], 1)
        q, k, v = (cr.swapaxes(p(h).reshape(-1, 6, 2, 6), 1, 2) for p in (self.q, self.k, self.v))
        seen = cr.softmax(q @ cr.swapaxes(k, 2, 3) / np.sqrt(6)) @ v
        merged = self.merge(cr.swapaxes(seen, 1, 2).reshape(-1, 6, 12)) + 0.0
        return self.out(cr.relu(merged[:, 0]))


def letters(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    x = rng.integers(0, 5, (n, 6))
    return x, (x[:, 1:] == x[:, :1]).any(axis=1).astype(int)


# -- a loop over time steps, read backwards ----------------------------------------------------------


class Backwards(cr.Network):
    """An Elman network over time steps from the last to the first; outputs time by time."""

    def __init__(self) -> None:
        super().__init__(loss=cr.MeanSquaredError(), seed=0)
        self.into = cr.Affine.sized(1, 12, dtype=np.float64)
        self.on = cr.MatMul.sized(12, 12, dtype=np.float64)
        self.out = cr.Affine.sized(12, 1, dtype=np.float64)

    def predict(self, x: Any) -> Any:
        steps = x.reshape(-1, 6, 1)[:, ::-1]
        h = cr.tanh(self.into(steps[:, 0]))
        hidden = [h]
        for i in range(1, 6):
            h = cr.tanh(self.into(steps[:, i]) + self.on(h))
            hidden.append(h)
        by_time = cr.swapaxes(cr.stack(hidden, 0), 0, 1)[:, ::-1]
        return self.out(by_time.reshape(-1, 12)).reshape(-1, 6)


def discounted(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    x = rng.uniform(-1, 1, (n, 6))
    t = x.copy()
    for i in range(4, -1, -1):
        t[:, i] += 0.5 * t[:, i + 1]
    return x, t


# -- a U-shaped network ----------------------------------------------------------------------------


class UShaped(cr.Network):
    """Down to half the length by means of pairs, up again by repeating, and a bridge across."""

    def __init__(self) -> None:
        super().__init__(loss=cr.MeanSquaredError(), seed=0)
        self.down = cr.Affine.sized(2, 8, dtype=np.float64)
        self.deep = cr.Affine.sized(4 * 8, 4 * 8, dtype=np.float64)
        self.up = cr.Affine.sized(8 + 2, 1, dtype=np.float64)

    def predict(self, x: Any) -> Any:
        signal = cr.stack([x, x**2], 2)
        pairs = signal.reshape(-1, 4, 2, 2).mean(2)
        h = cr.tanh(self.down(pairs))
        h = cr.tanh(self.deep(h.reshape(-1, 32))).reshape(-1, 4, 8)
        wide = cr.expand_dims(h, 2)
        up = (wide + np.zeros((1, 1, 2, 1))).reshape(-1, 8, 8)
        return self.up(cr.concatenate([up, signal], 2)).reshape(-1, 8)


def centred(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    x = rng.uniform(-1, 1, (n, 8))
    return x, x + 0.5 * x**2 - x.mean(axis=1, keepdims=True)


# -- a mixture of experts ----------------------------------------------------------------------------


class Experts(cr.Layer):
    """For each row the weights of its own expert, gathered by number."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        super().__init__(
            W=rng.standard_normal((4, 3, 6)) * 0.5,
            b=np.zeros((4, 6)),
            v=rng.standard_normal((4, 6)),
        )

    def formula(self, x: Any, W: Any, b: Any, v: Any) -> Any:
        who = x[:, 3].astype(np.int64)
        rows = cr.expand_dims(x[:, :3], 1)
        h = cr.tanh((rows @ W[who])[:, 0] + b[who])
        return cr.sum(h * v[who], 1, keepdims=True)


def mixture() -> cr.Network:
    return cr.Sequential(Experts(), loss=cr.MeanSquaredError(), seed=0)


def by_expert(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    x = rng.uniform(-1, 1, (n, 3))
    who = rng.integers(0, 4, n)
    ways = np.array([[1, 0, 0], [0, -1, 0.5], [1, 1, 1], [-1, 0.3, 0.0]])
    t = np.sin(2 * np.sum(x * ways[who], axis=1, keepdims=True))
    return np.column_stack([x, who]), t


# -- twins with a contrastive loss --------------------------------------------------------------------


class Contrastive(cr.Loss):
    """Hadsell, Chopra and LeCun (2006): alike ones together, others at least a margin apart."""

    def rows(self, x: Any, t: Any) -> Any:
        near = t * x
        apart = cr.maximum(1.0 - cr.sqrt(x + 1e-6), 0.0)
        return cr.sum(near + (1 - t) * apart * apart, 1)


class Twins(cr.Network):
    """The squared distance of two rows that go through the same layers."""

    def __init__(self) -> None:
        super().__init__(loss=Contrastive(), seed=0)
        self.first = cr.Affine.sized(2, 16, dtype=np.float64)
        self.second = cr.Affine.sized(16, 2, dtype=np.float64)

    def embed(self, x: Any) -> Any:
        return self.second(cr.tanh(self.first(x)))

    def predict(self, x: Any) -> Any:
        a, b = (self.embed(x[:, i]) for i in range(2))
        return cr.sum((a - b) ** 2, 1, keepdims=True)


def rings(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    kind = rng.integers(0, 2, (n, 2))
    angle = rng.uniform(0, 2 * np.pi, (n, 2))
    radius = 0.5 + kind + rng.normal(0, 0.05, (n, 2))
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 2)
    return x, (kind[:, 0] == kind[:, 1]).astype(float)[:, None]


def told_apart(y: Array, t: Array) -> float:
    return float(np.mean((y < 0.25) == (t > 0)))


PROGRAMS: dict[str, Program] = {
    "convolution": Program(Convolution, digits, accuracy, 0.95, 0.01, 20, rows=1400),
    "attention": Program(Attention, letters, accuracy, 0.95, 0.01, 80),
    "backwards": Program(Backwards, discounted, r2, 0.98, 0.01, 60),
    "u-shaped": Program(UShaped, centred, r2, 0.97, 0.01, 80),
    "experts": Program(mixture, by_expert, r2, 0.97, 0.02, 60),
    "twins": Program(Twins, rings, told_apart, 0.97, 0.01, 60),
}
