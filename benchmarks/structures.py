"""Networks of many structures, each with data and an optimizer: what the choice of an engine is fitted on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

import chainrule as cr
from chainrule.datasets.parts import Layout

__all__ = ["STRUCTURES", "Structure"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Structure:
    """A network, how many numbers a row has and of what kind, and how it is trained."""

    make: Callable[[], cr.Network]
    inputs: int
    #: The classes of the targets, or minus the numbers in each.
    targets: int
    batch: int
    optimizer: Callable[[], cr.Optimizer]
    #: How many ids there are, if the rows are ids.
    ids: int = 0

    def data(self, rows: int) -> tuple[Array, Array]:
        """Rows and targets that mean nothing, the same in every run."""
        rng = np.random.default_rng(0)
        x: Array = rng.normal(size=(rows, self.inputs)).astype(np.float32)
        if self.ids:
            x = rng.integers(0, self.ids, (rows, self.inputs))
        if self.targets == 2:  # yes or no
            return x, rng.integers(0, 2, (rows, 1))
        if self.targets > 0:
            return x, rng.integers(0, self.targets, rows)
        return x, rng.normal(size=(rows, -self.targets)).astype(np.float32)


def mlp(*sizes: int, activation: type[cr.Layer] = cr.ReLU, loss: Any = cr.SoftmaxWithLoss) -> Any:
    """How to make a stack of Affine layers."""

    def make() -> cr.Sequential:
        layers: list[Any] = []
        for a, b in pairwise(sizes[:-1]):
            layers += [cr.Affine.sized(a, b), activation()]
        return cr.Sequential(*layers, cr.Affine.sized(*sizes[-2:]), loss=loss(), seed=0)

    return make


def normed() -> cr.Sequential:
    """Batch normalisation and dropout, twice."""
    layers: list[Any] = []
    for a in (20, 64):
        layers += [cr.Affine.sized(a, 64), cr.BatchNorm.sized(64), cr.ReLU(), cr.Dropout(0.2)]
    return cr.Sequential(*layers, cr.Affine.sized(64, 5), loss=cr.SoftmaxWithLoss(), seed=0)


class Residual(cr.Network):
    """Four blocks with a skip connection and layer normalisation."""

    def __init__(self) -> None:
        super().__init__(loss=cr.MeanSquaredError(), seed=0)
        self.first = cr.Affine.sized(16, 32)
        self.blocks = [cr.Affine.sized(32, 32) for _ in range(4)]
        self.norms = [cr.LayerNorm.sized(32) for _ in range(4)]
        self.last = cr.Affine.sized(32, 1)

    def predict(self, x: Any) -> Any:
        h = self.first(x)
        for block, norm in zip(self.blocks, self.norms, strict=True):
            h = h + cr.gelu(block(norm(h)))
        return self.last(h)


class Letters(cr.Network):
    """The letters before tell the next: an embedding, and a hidden layer over all places."""

    def __init__(self) -> None:
        super().__init__(loss=cr.SoftmaxWithLoss(), seed=0)
        self.letters = cr.Embedding.sized(27, 10)
        self.hidden, self.out = cr.Affine.sized(30, 200), cr.Affine.sized(200, 27)

    def predict(self, x: Any) -> Any:
        return self.out(cr.tanh(self.hidden(self.letters(x).reshape(-1, 30))))


class Recurrent(cr.Network):
    """An Elman network, unrolled over its time steps."""

    def __init__(self, steps: int, hidden: int = 16) -> None:
        super().__init__(loss=cr.SoftmaxWithLoss(), seed=0)
        self.steps = steps
        self.into, self.on = cr.Affine.sized(3, hidden), cr.MatMul.sized(hidden, hidden)
        self.out = cr.Affine.sized(hidden, 4)

    def predict(self, x: Any) -> Any:
        steps = x.reshape(-1, self.steps, 3)
        h = cr.tanh(self.into(steps[:, 0]))
        for i in range(1, self.steps):
            h = cr.tanh(self.into(steps[:, i]) + self.on(h))
        return self.out(h)


class Gated(cr.Network):
    """An LSTM, unrolled over its time steps."""

    def __init__(self, steps: int, hidden: int = 12) -> None:
        super().__init__(loss=cr.MeanSquaredError(), seed=0)
        self.steps, self.hidden = steps, hidden
        self.into, self.on = cr.Affine.sized(2, 4 * hidden), cr.MatMul.sized(hidden, 4 * hidden)
        self.out = cr.Affine.sized(hidden, 1)

    def predict(self, x: Any) -> Any:
        steps, k, h, c = x.reshape(-1, self.steps, 2), self.hidden, None, None
        for i in range(self.steps):
            a = self.into(steps[:, i])
            if h is not None:
                a = a + self.on(h)
            gates = cr.sigmoid(a[:, : 3 * k])
            new = gates[:, :k] * cr.tanh(a[:, 3 * k :])
            c = new if c is None else gates[:, k : 2 * k] * c + new
            h = gates[:, 2 * k :] * cr.tanh(c)
        return self.out(h)


class Attention(cr.Network):
    """Letters that look at each other, in some heads side by side."""

    def __init__(self, heads: int) -> None:
        super().__init__(loss=cr.SoftmaxWithLoss(), seed=0)
        self.heads = heads
        self.letters = cr.Embedding.sized(9, 16)
        self.q, self.k, self.v = (cr.MatMul.sized(16, 16) for _ in range(3))
        self.out = cr.Affine.sized(8 * 16, 3)

    def predict(self, x: Any) -> Any:
        h, m = self.letters(x), self.heads
        q, k, v = (
            cr.swapaxes(p(h).reshape(-1, 8, m, 16 // m), 1, 2) for p in (self.q, self.k, self.v)
        )
        seen = cr.softmax(q @ cr.swapaxes(k, 2, 3) / np.sqrt(16 // m)) @ v
        return self.out(cr.swapaxes(seen, 1, 2).reshape(-1, 8 * 16))


class Convolution(cr.Network):
    """3×3 patches of an 8×8 picture, by slices."""

    def __init__(self, channels: int) -> None:
        super().__init__(loss=cr.SoftmaxWithLoss(), seed=0)
        self.flat = 36 * channels
        self.kernel = cr.Affine.sized(9, channels, init="he")
        self.out = cr.Affine.sized(self.flat, 10)

    def predict(self, x: Any) -> Any:
        image = x.reshape(-1, 8, 8)
        patches = [image[:, i : i + 6, j : j + 6] for i in range(3) for j in range(3)]
        return self.out(cr.relu(self.kernel(cr.stack(patches, 3))).reshape(-1, self.flat))


class Autoencoder(cr.Network):
    """A bottle-neck, with the loss of every input."""

    def __init__(self) -> None:
        super().__init__(loss=cr.MeanSquaredError(), seed=0)
        self.down, self.code = cr.Affine.sized(64, 32), cr.Affine.sized(32, 4)
        self.up, self.out = cr.Affine.sized(4, 32), cr.Affine.sized(32, 64)

    def predict(self, x: Any) -> Any:
        return self.out(cr.tanh(self.up(self.code(cr.tanh(self.down(x))))))


SIGMOID, TANH = cr.Sigmoid, cr.Tanh
BINARY, SQUARED = cr.SigmoidWithLoss, cr.MeanSquaredError


def for_tables(name: str, task: Any, inputs: int, outputs: int) -> Callable[[], cr.Network]:
    """A preset's network for columns of numbers."""

    def make() -> cr.Network:
        x = np.random.default_rng(0).normal(size=(256, inputs)).astype(np.float32)
        layout = Layout(numbers=inputs)
        network: cr.Network = cr.PRESETS[name].network(x, outputs=outputs, layout=layout, task=task)
        return network

    return make


def of_preset(name: str, task: Any) -> Callable[[], cr.Optimizer]:
    """A preset's optimizer."""
    return lambda: cr.PRESETS[name].optimizer(1000, task=task)


STRUCTURES = {
    "2-10-3 sigmoid": Structure(mlp(2, 10, 3, activation=SIGMOID), 2, 3, 30, lambda: cr.SGD(1.0)),
    "64-128-10 (digits)": Structure(
        mlp(64, 128, 10), 64, 10, 32, lambda: cr.AdamW(0.01, weight_decay=0.1)
    ),
    "784-50-10 sigmoid": Structure(
        mlp(784, 50, 10, activation=SIGMOID), 784, 10, 100, lambda: cr.SGD(0.1)
    ),
    "784-512-256-10": Structure(mlp(784, 512, 256, 10), 784, 10, 128, lambda: cr.Adam(1e-3)),
    "784-1024³-10": Structure(mlp(784, 1024, 1024, 1024, 10), 784, 10, 256, lambda: cr.Adam(3e-4)),
    "30-64-64-1 tanh": Structure(
        mlp(30, 64, 64, 1, activation=TANH, loss=SQUARED), 30, -1, 32, lambda: cr.Adam(1e-3)
    ),
    "8-64-1, rows 500": Structure(
        mlp(8, 64, 1, loss=SQUARED), 8, -1, 500, lambda: cr.Momentum(1e-3)
    ),
    "linear 20-5": Structure(mlp(20, 5), 20, 5, 32, lambda: cr.SGD(0.1)),
    "yes or no 12-32-1": Structure(
        mlp(12, 32, 1, loss=BINARY), 12, 2, 64, lambda: cr.RMSprop(1e-3)
    ),
    "6 × 64 tanh": Structure(
        mlp(10, *[64] * 6, 3, activation=TANH), 10, 3, 32, lambda: cr.Adam(1e-3)
    ),
    "12 × 32 relu": Structure(mlp(10, *[32] * 12, 3), 10, 3, 32, lambda: cr.Nesterov(1e-2)),
    "BatchNorm, Dropout": Structure(normed, 20, 5, 64, lambda: cr.Adam(1e-3, clip_norm=1.0)),
    "residual, LayerNorm": Structure(Residual, 16, -1, 50, lambda: cr.AdaGrad(1e-2, l2=1e-4)),
    "letters 3-10-200-27": Structure(Letters, 3, 27, 32, lambda: cr.SGD(0.1), ids=27),
    "autoencoder 64-32-4": Structure(Autoencoder, 64, -64, 40, lambda: cr.Adam(1e-3)),
    "RNN, 3 steps": Structure(lambda: Recurrent(3), 9, 4, 32, lambda: cr.SGD(0.1)),
    "RNN, 6 steps": Structure(lambda: Recurrent(6), 18, 4, 32, lambda: cr.Adam(1e-2)),
    "RNN, 12 steps": Structure(lambda: Recurrent(12), 36, 4, 32, lambda: cr.Adam(1e-2)),
    "RNN, 29 steps": Structure(lambda: Recurrent(29), 87, 4, 32, lambda: cr.Adam(1e-2)),
    "LSTM, 3 steps": Structure(lambda: Gated(3), 6, -1, 32, lambda: cr.Adam(1e-2)),
    "LSTM, 6 steps": Structure(lambda: Gated(6), 12, -1, 32, lambda: cr.Adam(1e-2)),
    "attention, 1 head": Structure(lambda: Attention(1), 8, 3, 32, lambda: cr.Adam(1e-2), ids=9),
    "attention, 2 heads": Structure(lambda: Attention(2), 8, 3, 64, lambda: cr.Adam(1e-2), ids=9),
    "convolution, 6 channels": Structure(lambda: Convolution(6), 64, 10, 50, lambda: cr.Adam(1e-2)),
    "convolution, 16 channels": Structure(
        lambda: Convolution(16), 64, 10, 128, lambda: cr.Adam(1e-2)
    ),
    "table, 12 inputs": Structure(
        for_tables("table", "classification", 12, 3),
        12,
        3,
        256,
        of_preset("table", "classification"),
    ),
    "table, 40 inputs": Structure(
        for_tables("table", "regression", 40, 1), 40, -1, 256, of_preset("table", "regression")
    ),
    "table, 12 inputs, batch 90": Structure(
        for_tables("table", "regression", 12, 1), 12, -1, 90, of_preset("table", "regression")
    ),
    "table-small, 20 inputs": Structure(
        for_tables("table-small", "classification", 20, 3),
        20,
        3,
        256,
        of_preset("table-small", "classification"),
    ),
}
