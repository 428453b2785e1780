"""Trainings that several ranks, or one process, make: each with its network, optimizer and settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.distributed import Communicator
from chainrule.optimizers.base import OPTIMIZERS

D: Any = np.float64


def _drawn() -> tuple[Any, ...]:
    rng = np.random.default_rng(5)
    return (
        rng.normal(size=(46, 6)),
        rng.integers(0, 3, 46),
        rng.random(46),
        rng.integers(0, 9, (46, 4)),
    )


#: Inputs, classes, weights of the rows, and ids.
X, T, W, IDS = _drawn()


def plain(*middle: cr.Layer, loss: Any = None) -> cr.Network:
    """6 inputs, 8 units, 3 classes; `middle` between the units and the scores."""
    return cr.Sequential(
        cr.Affine.sized(6, 8, dtype=D),
        *middle,
        cr.Sigmoid(),
        cr.Affine.sized(8, 3, dtype=D),
        loss=loss or cr.SoftmaxWithLoss(),
        seed=1,
    )


def wide() -> cr.Network:
    """So wide that a product is worth tiles, even of one part of a batch."""
    return cr.Sequential(
        cr.Affine.sized(6, 1500, dtype=D),
        cr.Tanh(),
        cr.Affine.sized(1500, 520, dtype=D),
        cr.Sigmoid(),
        cr.Affine.sized(520, 3, dtype=D),
        loss=cr.SoftmaxWithLoss(),
        seed=1,
    )


def many_rows() -> cr.Network:
    """Of few numbers, for batches so large that threads share them."""
    return cr.Sequential(
        cr.Affine.sized(6, 80, dtype=D),
        cr.Tanh(),
        cr.Affine.sized(80, 40, dtype=D),
        cr.Tanh(),
        cr.Affine.sized(40, 3, dtype=D),
        loss=cr.SoftmaxWithLoss(),
        seed=1,
    )


def frozen() -> cr.Network:
    """With a layer that stays as it is."""
    net = plain()
    net.layers[0].parameters["W"].trainable = False
    return net


def embedded() -> cr.Network:
    """Of ids, as words are."""
    return cr.Sequential(
        cr.Embedding.sized(9, 5, dtype=D),
        cr.Flatten(),
        cr.Affine.sized(20, 3, dtype=D),
        loss=cr.SoftmaxWithLoss(),
        seed=1,
    )


class Centred(cr.Network):
    """Its scores have mean 0 over the rows of a batch, by a line of the user's own."""

    def __init__(self) -> None:
        super().__init__()
        self.first = cr.Affine.sized(6, 3, dtype=D)
        self.loss = cr.SoftmaxWithLoss()
        self.seed = 1

    def predict(self, x: Any) -> Any:
        h = self.first(x)
        return h - cr.mean(h, axis=0)


class StopAt(cr.training.Callback):
    """Stops after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, trainer: Any) -> None:
        if trainer.history.steps == self.step:
            trainer.stop("enough")


def repeated(a: Any, n: int) -> Any:
    """So many rows of an array, again and again, each time others."""
    again = np.resize(a, (n, *a.shape[1:]))
    return again + np.arange(n)[:, None] / n if a.dtype.kind == "f" else again


Case = tuple[Callable[[], cr.Network], Callable[[], Any], dict[str, Any]]
CASES: dict[str, Case] = {
    **{f"optimizer {name}": (plain, partial(kind, 0.01), {}) for name, kind in OPTIMIZERS.items()},
    "weights": (plain, lambda: cr.SGD(0.5), {"sample_weight": W}),
    "weights of 0": (plain, lambda: cr.SGD(0.5), {"sample_weight": W * (W > 0.5)}),
    "a last batch of one row": (plain, lambda: cr.SGD(0.5), {"batch_size": 15}),
    "a batch of one row": (plain, lambda: cr.SGD(0.1), {"batch_size": 1, "epochs": 1}),
    "l1, l2 and clip_norm": (plain, lambda: cr.SGD(0.5, l1=1e-3, l2=0.1, clip_norm=0.05), {}),
    "weight_decay and max_grad": (
        plain,
        lambda: cr.AdamW(0.01, weight_decay=0.1),
        {"max_grad": 0.05},
    ),
    "a schedule": (plain, lambda: cr.SGD(cr.schedules.Cosine(0.5, steps=20)), {}),
    "Dropout": (lambda: plain(cr.Dropout(0.4)), lambda: cr.SGD(0.5), {}),
    "Dropout that falls": (
        lambda: plain(cr.Dropout(0.4, steps=9), cr.Dropout(0.1)),
        lambda: cr.SGD(0.5),
        {"sample_weight": W},
    ),
    "BatchNorm": (
        lambda: plain(cr.BatchNorm.sized(8, dtype=D)),
        lambda: cr.SGD(0.5),
        {"batch_size": 13},
    ),
    "two BatchNorms and Dropout": (
        lambda: plain(
            cr.BatchNorm.sized(8, dtype=D),
            cr.Dropout(0.2),
            cr.Affine.sized(8, 8, dtype=D),
            cr.BatchNorm.sized(8, dtype=D),
        ),
        lambda: cr.SGD(0.5),
        {"sample_weight": W, "batch_size": 13},
    ),
    "LayerNorm": (lambda: plain(cr.LayerNorm.sized(8, dtype=D)), lambda: cr.SGD(0.5), {}),
    "smoothing and class weights": (
        lambda: plain(loss=cr.SoftmaxWithLoss(label_smoothing=0.1, class_weights=[1, 2, 0.5])),
        lambda: cr.SGD(0.5),
        {},
    ),
    "targets left out": (
        lambda: plain(loss=cr.SoftmaxWithLoss(ignore_index=2)),
        lambda: cr.SGD(0.5),
        {},
    ),
    "wide layers": (wide, lambda: cr.Momentum(0.01), {"max_grad": 0.1, "epochs": 2}),
    "wide layers, two threads": (
        wide,
        lambda: cr.Adam(0.01),
        {"x": repeated(X, 96), "t": repeated(T, 96), "batch_size": 72, "epochs": 2, "threads": 2},
    ),
    "many rows, two threads": (
        many_rows,
        lambda: cr.Adam(0.01),
        {
            "x": repeated(X, 1900),
            "t": repeated(T, 1900),
            "batch_size": 1900,
            "epochs": 4,
            "threads": 2,
            "max_grad": 0.1,
        },
    ),
    "a frozen layer": (frozen, lambda: cr.Momentum(0.5), {}),
    "Embedding": (embedded, lambda: cr.SGD(0.5), {"x": IDS}),
    "a layer over the rows": (Centred, lambda: cr.SGD(0.5), {}),
    "held-out rows and early stopping": (
        plain,
        lambda: cr.SGD(8.0),
        {"validation": 0.3, "early_stopping": 1, "epochs": 12},
    ),
    "a callback that stops after a step": (
        plain,
        lambda: cr.SGD(0.5),
        {"callbacks": [StopAt(4)]},
    ),
    "rows in order": (plain, lambda: cr.SGD(0.5), {"shuffle": False}),
}


#: Cases whose kernels ranks make in ways of their own.
KERNELS = [
    "optimizer AdamW",
    "weights of 0",
    "a batch of one row",
    "l1, l2 and clip_norm",
    "Dropout that falls",
    "two BatchNorms and Dropout",
    "wide layers",
    "wide layers, two threads",
    "many rows, two threads",
    "a frozen layer",
    "Embedding",
    "a layer over the rows",
    "held-out rows and early stopping",
    "a callback that stops after a step",
]


#: Those in which a rank has several threads; and those whose threads make several parts each in turn.
THREADS = ["wide layers, two threads", "many rows, two threads"]
IN_TURN = ["many rows, two threads"]


def train(
    name: str, engine: str, communicator: Communicator | None = None, **settings: Any
) -> tuple[cr.Trainer, cr.History]:
    """Make a case's training, on one of the engines."""
    network, optimizer, more = CASES[name]
    given: dict[str, Any] = {"x": X, "t": T, "epochs": 3, "batch_size": 15, **more}
    settings = {"threads": given.pop("threads", None), **settings}
    trainer = cr.Trainer(
        network(), optimizer(), seed=3, engine=engine, communicator=communicator, **settings
    )
    return trainer, trainer.fit(progress=None, **given)


def teams(name: str) -> tuple[int, ...]:
    """How many ranks share a case: an optimizer has only the sum, and two are as many as four."""
    return (1, 2) if name.startswith("optimizer") else (1, 2, 4)


def names(engine: str) -> list[str]:
    """The cases of an engine: on the compiled one those that make other kernels, which take time."""
    return list(CASES) if engine == "numpy" else KERNELS
