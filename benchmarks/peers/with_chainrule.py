"""chainrule, as its README uses it. This is the one place where an engine is named."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from benchmarks.peers import UnavailableError
from benchmarks.workloads import ADAM_EPS, SEED, Array, Setting, Workload

import chainrule as cr

ACTIVATIONS = {"sigmoid": cr.Sigmoid, "relu": cr.ReLU, "tanh": cr.Tanh}


def make_trainer(network: cr.Sequential, optimizer: cr.Optimizer, engine: str) -> Any:
    """A Trainer on that engine; chainrule before there were engines had the NumPy one."""
    make: Any = cr.Trainer
    if "engine" in inspect.signature(make).parameters:
        return make(network, optimizer, seed=SEED, engine=engine)
    if engine != "numpy":
        raise UnavailableError(f"this chainrule has no {engine} engine")
    return make(network, optimizer, seed=SEED)


class Chainrule:
    probabilities = False

    def __init__(self, engine: str) -> None:
        self.engine = engine

    def prepare(self, workload: Workload, setting: Setting) -> None:
        layers: list[Any] = []
        for W, b in setting.weights:
            layers += [cr.Affine(W.copy(), b.copy()), ACTIVATIONS[workload.activation]()]
        loss = cr.SoftmaxWithLoss() if workload.task == "classes" else cr.MeanSquaredError()
        network = cr.Sequential(*layers[:-1], loss=loss)
        sgd = workload.optimizer == "sgd"
        optimizer = cr.SGD(lr=workload.lr) if sgd else cr.Adam(lr=workload.lr, eps=ADAM_EPS)
        self.trainer = make_trainer(network, optimizer, self.engine)
        self.x, self.t, self.batch = setting.x, setting.t, workload.batch
        self.first = self.trainer.snapshot()

    def restart(self) -> None:
        self.trainer.restore(self.first)
        self.trainer.rng = np.random.default_rng(SEED)

    def epochs(self, k: int) -> list[float]:
        history = self.trainer.fit(self.x, self.t, epochs=k, batch_size=self.batch, progress=None)
        return [figures["loss"] for figures in history.epochs[-k:]]

    def predict(self, x: Array) -> Array:
        y: Array = self.trainer.predict(x)
        return y
