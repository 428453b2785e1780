"""chainrule with many networks: `cr.fit_many`, or a loop of Trainers."""

from __future__ import annotations

import numpy as np
from benchmarks.peers import COMPARED
from benchmarks.peers.with_chainrule import make_network, make_optimizer
from benchmarks.workloads import Array, Setting, Workload

import chainrule as cr


class Many:
    """What both share: the networks, and the way back to their first weights."""

    probabilities = False

    def __init__(self, engine: str) -> None:
        self.engine = engine

    def prepare(self, workload: Workload, setting: Setting) -> None:
        self.w, self.setting = workload, setting
        #: How many of the networks are trained.
        self.networks = self.wanted()
        self.nets = [
            make_network(workload, [(W[i], b[i]) for W, b in setting.weights])
            for i in range(self.networks)
        ]
        self.rates = setting.rates[: self.networks].tolist()

    def wanted(self) -> int:
        return self.w.networks

    def restart(self) -> None:
        for i, net in enumerate(self.nets):
            first = [a[i] for layer in self.setting.weights for a in layer]
            for p, array in zip(net.params, first, strict=True):
                p[...] = array

    def predict(self, x: Array) -> Array:
        raise NotImplementedError


class FitMany(Many):
    """All networks in one call."""

    def epochs(self, k: int) -> list[float]:
        histories = cr.fit_many(
            self.nets,
            [make_optimizer(self.w, lr) for lr in self.rates],
            self.setting.x,
            self.setting.t,
            epochs=k,
            batch_size=self.w.batch,
            seeds=range(self.networks),
            engine=self.engine,
            progress=None,
        )
        return mean_losses(histories, k)


class Loop(Many):
    """A Trainer for each network, one after another; a sample of them, as a loop is a loop.

    The Trainers are kept from one fit to the next, so recording their steps is in no one's time.
    """

    def wanted(self) -> int:
        return min(self.w.networks, COMPARED)

    def prepare(self, workload: Workload, setting: Setting) -> None:
        super().prepare(workload, setting)
        self.trainers = [
            cr.Trainer(net, make_optimizer(workload, lr), seed=i, engine=self.engine)
            for i, (net, lr) in enumerate(zip(self.nets, self.rates, strict=True))
        ]
        self.first = [trainer.snapshot() for trainer in self.trainers]

    def restart(self) -> None:
        for i, (trainer, first) in enumerate(zip(self.trainers, self.first, strict=True)):
            trainer.restore(first)
            trainer.rng = np.random.default_rng(i)

    def epochs(self, k: int) -> list[float]:
        histories = [
            trainer.fit(self.setting.x, self.setting.t, k, self.w.batch, progress=None)
            for trainer in self.trainers
        ]
        return mean_losses(histories, k)


def mean_losses(histories: list[cr.History], k: int) -> list[float]:
    """The mean loss of the first networks in each of the latest k epochs."""
    losses = [[epoch["loss"] for epoch in h.epochs[-k:]] for h in histories[:COMPARED]]
    means: list[float] = np.mean(losses, axis=0).tolist()
    return means
