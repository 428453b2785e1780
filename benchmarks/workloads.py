"""The networks and data that every peer in `compare.py` is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: The seed of our Trainer; the peers draw the rows in the same order.
SEED = 0
ADAM_EPS = 1e-8


@dataclass(frozen=True)
class Workload:
    """One network, its data and how it is trained; a fit is timed as a whole."""

    key: str
    sizes: tuple[int, ...]
    activation: str  # "sigmoid", "relu" or "tanh"
    rows: int
    batch: int
    optimizer: str  # "sgd" or "adam"
    lr: float
    epochs: int  # of one fit
    task: str = "classes"  # or "values"

    @property
    def steps(self) -> int:
        """Steps of an epoch; no workload has a smaller last batch."""
        assert self.rows % self.batch == 0
        return self.rows // self.batch

    @property
    def title(self) -> str:
        sizes = "-".join(map(str, self.sizes))
        optimizer = {"sgd": "SGD", "adam": "Adam"}[self.optimizer]
        return f"{sizes} {self.activation}, batch {self.batch}, {optimizer}"


WORKLOADS = {
    w.key: w
    for w in (
        Workload("a", (2, 10, 3), "sigmoid", 300, 30, "sgd", 1.0, 300),
        Workload("b", (784, 50, 10), "sigmoid", 10_000, 100, "sgd", 0.1, 5),
        Workload("c", (784, 512, 256, 10), "relu", 9_984, 128, "adam", 1e-3, 3),
        Workload("d", (784, 1024, 1024, 1024, 10), "relu", 9_984, 256, "adam", 3e-4, 1),
        Workload("e", (30, 64, 64, 1), "tanh", 2_048, 32, "adam", 1e-3, 20, "values"),
    )
}


class Orders:
    """The rows in the order of each epoch, drawn as our Trainer draws it: time that all pay."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.restart()

    def restart(self) -> None:
        """Back to the first epoch."""
        self.rng = np.random.default_rng(SEED)

    def draw(self) -> Array:
        """The next epoch's order."""
        order = np.arange(self.rows)
        self.rng.shuffle(order)
        return order


@dataclass(frozen=True)
class Setting:
    """What a peer starts from: data, the first weights, and the order of the rows."""

    x: Array  # (rows, inputs) float32
    t: Array  # (rows,) class ids int64, or (rows, 1) float32
    weights: list[tuple[Array, Array]]  # (W, b) of each layer, W of shape (inputs, outputs)
    orders: Array  # (epochs, rows)

    def save(self, path: Path) -> None:
        arrays = {"x": self.x, "t": self.t, "orders": self.orders}
        for i, (W, b) in enumerate(self.weights):
            arrays[f"W{i}"], arrays[f"b{i}"] = W, b
        np.savez(path, allow_pickle=False, **arrays)

    @staticmethod
    def load(path: Path) -> Setting:
        with np.load(path) as arrays:
            layers = sum(name[0] == "W" for name in arrays.files)
            weights = [(arrays[f"W{i}"], arrays[f"b{i}"]) for i in range(layers)]
            return Setting(arrays["x"], arrays["t"], weights, arrays["orders"])


def make_setting(workload: Workload) -> Setting:
    """The workload's data and first weights, the same at every call."""
    rng = np.random.default_rng(1)
    x, t = _data(workload, rng)
    gain = np.sqrt(2) if workload.activation == "relu" else 1.0
    weights = []
    for n, m in zip(workload.sizes[:-1], workload.sizes[1:], strict=True):
        W = (rng.standard_normal((n, m)) * gain / np.sqrt(n)).astype(np.float32)
        weights.append((W, np.zeros(m, np.float32)))
    return Setting(x, t, weights, trainer_orders(workload.rows, workload.epochs))


def trainer_orders(rows: int, epochs: int) -> Array:
    """The rows in the order of our Trainer's epochs: `cr.Trainer(..., seed=SEED)`."""
    orders = Orders(rows)
    return np.stack([orders.draw() for _ in range(epochs)])


def _data(workload: Workload, rng: np.random.Generator) -> tuple[Array, Array]:
    if workload.key == "a":
        import chainrule as cr

        x, t = cr.datasets.spiral()
        return x.astype(np.float32), t.astype(np.int64)
    n, m = workload.sizes[0], workload.sizes[-1]
    x = rng.standard_normal((workload.rows, n)).astype(np.float32)
    scores = x @ (rng.standard_normal((n, m)) / np.sqrt(n)).astype(np.float32)
    if workload.task == "classes":
        return x, scores.argmax(axis=1).astype(np.int64)
    noise = 0.1 * rng.standard_normal((workload.rows, m))
    return x, (np.sin(2 * scores) + noise).astype(np.float32)
