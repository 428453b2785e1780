"""Trainings to stop and to go on with, by a text each; and a program that goes on in a process of its own.

    python -m tests.training.checkpoints.runs FOLDER...

prints, for each folder with checkpoints, what came of going on with it: the last part of the folder's
parent is the text of the training.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import schedules
from chainrule.optimizers import global_norm
from chainrule.training.batches import Batches

__all__ = [
    "ALL",
    "ENGINES",
    "FEW",
    "STEPS",
    "digest_of_many",
    "going_on",
    "outcome",
    "trainer",
    "training",
]

EPOCHS, BATCH, ROWS = 3, 16, 60
#: Epochs without a better one before training ends; None: never.
PATIENCE: int | None = None
MONITOR = "val_accuracy"
#: 48 rows are trained on, in 3 batches an epoch.
STEPS = 3 * EPOCHS
OPTIMIZERS = ("SGD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "Adam", "AdamW")
SCHEDULES = (
    "constant", "function", "step", "exponential", "cosine", "flat", "log", "warm", "plateau",
)  # fmt: skip
LAYERS = ("plain", "dropout", "norm", "both")
ENGINES = ("numpy", "compiled")
#: optimizer-schedule-layers-engine: all of them, and a few in which each occurs.
ALL = ["-".join(each) for each in itertools.product(OPTIMIZERS, SCHEDULES, LAYERS, ENGINES)]
FEW = [
    f"{OPTIMIZERS[i % 7]}-{SCHEDULES[i % 9]}-{LAYERS[i % 4]}-{engine}"
    for i in range(9)
    for engine in ENGINES
]


def schedule(name: str) -> Any:
    """A schedule of a rate that makes a difference at every step."""
    lr = 0.05
    made: dict[str, Any] = {
        "constant": lr,
        "function": lambda step: lr / (1 + step),
        "step": schedules.Step(lr, every=4),
        "exponential": schedules.Exponential(lr, every=2),
        "cosine": schedules.Cosine(lr, steps=STEPS),
        "flat": schedules.FlatCosine(lr, steps=STEPS),
        "log": schedules.CosineLog(lr, steps=STEPS),
        "warm": schedules.WarmUp(schedules.Cosine(lr, steps=STEPS), steps=3),
        "plateau": schedules.ReduceOnPlateau(lr, factor=0.5, patience=2, min_delta=0.03),
    }
    return made[name]


def trainer(text: str) -> cr.Trainer:
    """A trainer by its text, as its program makes it."""
    optimizer, rate, layers, engine = text.split("-")
    stack: list[cr.Layer] = [cr.Affine.sized(4, 12), cr.Tanh(), cr.Affine.sized(12, 3)]
    if layers in ("norm", "both"):
        stack.insert(1, cr.BatchNorm.sized(12))
    if layers in ("dropout", "both"):
        stack.insert(-1, cr.Dropout(0.3))
    network = cr.Sequential(*stack, loss=cr.SoftmaxWithLoss(), seed=3)
    kind = getattr(cr, optimizer)
    return cr.Trainer(network, kind(schedule(rate), l2=1e-3), seed=5, engine=engine, threads=1)


def data() -> tuple[Any, Any]:
    """Rows of three classes that overlap, so that the held-out loss is best in the midst."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(ROWS, 4)).astype(np.float32)
    return x, np.argmax(x[:, :3] + rng.normal(size=(ROWS, 3)), 1)


class Norms(cr.Callback):
    """The norm of the gradients after each epoch."""

    def __init__(self) -> None:
        self.norms: list[float] = []

    def on_epoch(self, trainer: cr.Trainer) -> None:
        self.norms.append(global_norm(trainer.model.grads))


def training(made: cr.Trainer, folder: Path | str | None = None, **more: Any) -> list[float]:
    """Train; with a folder, checkpoints are written there. Gives the norms of the gradients."""
    norms = Norms()
    settings: dict[str, Any] = {
        "validation": 0.2,
        "early_stopping": cr.EarlyStopping(MONITOR, patience=PATIENCE),
        "max_grad": 5.0,
        "progress": None,
        "callbacks": [norms],
    }
    if folder is not None:
        settings["checkpoint"] = folder
    made.fit(*data(), EPOCHS, BATCH, **{**settings, **more})
    return norms.norms


def outcome(made: cr.Trainer, norms: list[float], orders: list[str]) -> dict[str, Any]:
    """Everything that two equal trainings have in common, to the bit."""
    network = made.model
    arrays = [*network.params, *network.named_buffers().values()]
    slots = made.optimizer._slots_of([p.data for p in network.named_parameters().values()])
    arrays += [slot for group in slots for slot in group]
    digest = hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()
    epochs = [{k: v for k, v in e.items() if k != "seconds"} for e in made.history.epochs]
    return {
        "arrays": digest,
        "norms": norms,
        "losses": made.history.losses.tolist(),
        "epochs": epochs,
        "updates": made.optimizer.iter,
        "orders": orders,
    }


def digest_of_many(networks: Any, optimizers: Any, histories: Any) -> str:
    """A digest of everything that two equal calls of `fit_many` have in common."""
    whole = hashlib.sha256()
    for network, optimizer, history in zip(networks, optimizers, histories, strict=True):
        params = [p.data for p in network.named_parameters().values()]
        slots = [slot for group in optimizer._slots_of(params) for slot in group]
        for array in (*params, *network.named_buffers().values(), *slots, history.losses):
            whole.update(array.tobytes())
        epochs = [{k: v for k, v in e.items() if k != "seconds"} for e in history.epochs]
        told = optimizer.iter, epochs, history.stopped, str(history.error), history.interrupted
        whole.update(repr((told, network.engine)).encode())
    return whole.hexdigest()


def watched() -> list[str]:
    """The orders of the rows that epochs draw from now on, each as a digest."""
    orders: list[str] = []
    shuffle = Batches.shuffle

    def shuffled(batches: Batches, order: Any = None) -> None:
        shuffle(batches, order)
        drawn = batches.order if order is None else order
        orders.append(hashlib.sha256(np.ascontiguousarray(drawn).tobytes()).hexdigest()[:12])

    Batches.shuffle = shuffled  # type: ignore[method-assign, assignment]
    return orders


def going_on(folder: Path, orders: list[str]) -> dict[str, Any]:
    """What comes of a training that goes on from the checkpoint in a folder."""
    orders.clear()
    made = trainer(folder.parent.name)
    made.resume(folder)
    return outcome(made, training(made, folder), [*orders])


if __name__ == "__main__":
    drawn = watched()
    for path in sys.argv[1:] or [line.strip() for line in sys.stdin]:
        print(json.dumps([path, going_on(Path(path), drawn)]), flush=True)
