"""chainrule, as its README uses it. This is the one place where an engine is named."""

from __future__ import annotations

from typing import Any

import numpy as np
from benchmarks.workloads import ADAM_EPS, SEED, Array, Setting, Workload

import chainrule as cr

ACTIVATIONS = {"sigmoid": cr.Sigmoid, "relu": cr.ReLU, "tanh": cr.Tanh}


def make_network(workload: Workload, weights: list[tuple[Array, Array]]) -> cr.Sequential:
    """The workload's network, with copies of these weights."""
    layers: list[Any] = []
    for W, b in weights:
        layers += [cr.Affine(W.copy(), b.copy()), ACTIVATIONS[workload.activation]()]
    loss = cr.SoftmaxWithLoss() if workload.task == "classes" else cr.MeanSquaredError()
    return cr.Sequential(*layers[:-1], loss=loss)


def make_optimizer(workload: Workload, lr: float) -> cr.Optimizer:
    """The workload's optimizer, with a learning rate."""
    return cr.SGD(lr) if workload.optimizer == "sgd" else cr.Adam(lr, eps=ADAM_EPS)


class Chainrule:
    probabilities = False

    def __init__(self, engine: str, threads: int | None = None) -> None:
        self.engine, self.threads = engine, threads

    def prepare(self, workload: Workload, setting: Setting) -> None:
        network = make_network(workload, setting.weights)
        network.engine = self.engine
        optimizer = make_optimizer(workload, workload.lr)
        self.trainer = cr.Trainer(
            network, optimizer, seed=SEED, engine=self.engine, threads=self.threads
        )
        self.w, self.x, self.t = workload, setting.x, setting.t
        self.first = self.trainer.snapshot()

    def restart(self) -> None:
        self.trainer.restore(self.first)
        self.trainer.rng = np.random.default_rng(SEED)

    def epochs(self, k: int) -> list[float]:
        history = self.trainer.fit(
            self.x, self.t, k, self.w.batch, shuffle=not self.w.whole, progress=None
        )
        return [figures["loss"] for figures in history.epochs[-k:]]

    def predict(self, x: Array) -> Array:
        y: Array = self.trainer.predict(x)
        return y
