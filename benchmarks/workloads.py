"""The networks and data that every peer in `compare.py` is given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
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
    #: Networks that are trained side by side, each with its weights, learning rate and order.
    networks: int = 1

    @property
    def steps(self) -> int:
        """Steps of an epoch; no workload has a smaller last batch."""
        assert self.rows % self.batch == 0
        return self.rows // self.batch

    @property
    def whole(self) -> bool:
        """Each step takes all rows, as they lie: nobody draws an order or gathers them."""
        return self.batch == self.rows

    @property
    def parameters(self) -> int:
        """How many numbers one network learns."""
        return sum((n + 1) * m for n, m in pairwise(self.sizes))

    @property
    def title(self) -> str:
        sizes = "-".join(map(str, self.sizes))
        batch = f"all {self.rows:,} rows" if self.whole else f"batch {self.batch}"
        optimizer = {"sgd": "SGD", "adam": "Adam"}[self.optimizer]
        many = f"{self.networks:,} networks " if self.networks > 1 else ""
        return f"{many}{sizes} {self.activation}, {batch}, {optimizer}"


def _many(few: str, lot: str, one: Workload) -> tuple[Workload, Workload]:
    """64 and 1,000 of a network at once."""
    return replace(one, key=few, networks=64), replace(one, key=lot, networks=1000)


WORKLOADS = {
    w.key: w
    for w in (
        Workload("a", (2, 10, 3), "sigmoid", 300, 30, "sgd", 1.0, 300),
        Workload("b", (784, 50, 10), "sigmoid", 10_000, 100, "sgd", 0.1, 5),
        Workload("c", (784, 512, 256, 10), "relu", 9_984, 128, "adam", 1e-3, 3),
        Workload("d", (784, 1024, 1024, 1024, 10), "relu", 9_984, 256, "adam", 3e-4, 1),
        Workload("e", (30, 64, 64, 1), "tanh", 2_048, 32, "adam", 1e-3, 20, "values"),
        # What SimpleChains published (Julia, 2022): the exponential of a 2 × 2 matrix.
        Workload("s", (4, 32, 16, 4), "tanh", 10_000, 10_000, "adam", 1e-3, 200, "values"),
        *_many("m1", "m2", Workload("", (2, 10, 3), "sigmoid", 300, 30, "sgd", 1.0, 100)),
        *_many(
            "m3", "m4", Workload("", (30, 64, 64, 1), "tanh", 2_048, 32, "adam", 1e-3, 3, "values")
        ),
    )
}


class Orders:
    """The rows in the order of each epoch, drawn as our Trainer draws it: time that all pay."""

    def __init__(self, workload: Workload, seed: int = SEED) -> None:
        self.workload, self.seed = workload, seed
        self.restart()

    def restart(self) -> None:
        """Back to the first epoch."""
        self.rng = np.random.default_rng(self.seed)

    def draw(self) -> Array:
        """The next epoch's order."""
        order = np.arange(self.workload.rows)
        if not self.workload.whole:
            self.rng.shuffle(order)
        return order

    def batches(self) -> Array:
        """The next epoch's order, one batch a line, as int32."""
        return self.draw().astype(np.int32).reshape(self.workload.steps, self.workload.batch)


@dataclass(frozen=True)
class Setting:
    """What a peer starts from: data, the first weights, and learning rates.

    With more networks than one, each W has shape (networks, inputs, outputs), and network i draws
    its rows by seed i.
    """

    x: Array  # (rows, inputs) float32
    t: Array  # (rows,) class ids int64, or (rows, outputs) float32
    weights: list[tuple[Array, Array]]  # (W, b) of each layer, W of shape (inputs, outputs)
    rates: Array  # (networks,) float32

    def save(self, path: Path) -> None:
        arrays = {"x": self.x, "t": self.t, "rates": self.rates}
        for i, (W, b) in enumerate(self.weights):
            arrays[f"W{i}"], arrays[f"b{i}"] = W, b
        np.savez(path, allow_pickle=False, **arrays)

    @staticmethod
    def load(path: Path) -> Setting:
        with np.load(path) as arrays:
            layers = sum(name[0] == "W" for name in arrays.files)
            weights = [(arrays[f"W{i}"], arrays[f"b{i}"]) for i in range(layers)]
            return Setting(arrays["x"], arrays["t"], weights, arrays["rates"])


def make_setting(workload: Workload) -> Setting:
    """The workload's data and first weights, the same at every call."""
    rng = np.random.default_rng(1)
    x, t = _data(workload, rng)
    gain = np.sqrt(2) if workload.activation == "relu" else 1.0
    many = (workload.networks,) if workload.networks > 1 else ()
    weights = []
    for n, m in pairwise(workload.sizes):
        W = (rng.standard_normal((*many, n, m)) * gain / np.sqrt(n)).astype(np.float32)
        weights.append((W, np.zeros((*many, m), np.float32)))
    factors = np.geomspace(0.5, 1, workload.networks) if many else np.ones(1)
    return Setting(x, t, weights, (workload.lr * factors).astype(np.float32))


def _data(workload: Workload, rng: np.random.Generator) -> tuple[Array, Array]:
    if workload.sizes[0] == 2:
        from chainrule.datasets import spiral

        x, t = spiral()
        return x.astype(np.float32), t.astype(np.int64)
    n, m = workload.sizes[0], workload.sizes[-1]
    x = rng.standard_normal((workload.rows, n)).astype(np.float32)
    if workload.key == "s":
        return x, _exponentials(x)
    scores = x @ (rng.standard_normal((n, m)) / np.sqrt(n)).astype(np.float32)
    if workload.task == "classes":
        return x, scores.argmax(axis=1).astype(np.int64)
    noise = 0.1 * rng.standard_normal((workload.rows, m))
    return x, (np.sin(2 * scores) + noise).astype(np.float32)


def _exponentials(x: Array) -> Array:
    """The exponential of each row as a 2 × 2 matrix, by its power series."""
    A = x.astype(np.float64).reshape(-1, 2, 2)
    term = total = np.tile(np.eye(2), (len(A), 1, 1))
    for k in range(1, 60):
        term = term @ A / k
        total = total + term
    return total.reshape(len(x), 4).astype(np.float32)
