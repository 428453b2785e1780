"""A rank of tests: at a step of a training something happens to rank 1."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import Any

import numpy as np
from tests.distributed.cases import T, X, plain

import chainrule as cr

#: Seconds after which ranks count as hung here.
TIMEOUT = 2.0


class Slow(cr.training.Callback):
    """A rank that says who it is, and takes its time."""

    def on_step(self, trainer: Any) -> None:
        if trainer.history.steps == 1:
            sys.stderr.write(f"pid {os.getpid()}\n")
        time.sleep(0.3)


class Fault(cr.training.Callback):
    """Something happens to rank 1 after the seventh step."""

    def __init__(self, what: str, rank: int) -> None:
        self.what, self.rank = what, rank

    def on_step(self, trainer: Any) -> None:
        if self.rank != 1 or trainer.history.steps != 7:
            return
        if self.what == "raise":
            raise ValueError("a bad idea")
        if self.what == "exit":
            sys.exit(0)
        if self.what == "a barrier":
            trainer.communicator.barrier()
        if self.what == "a message":
            trainer.communicator.exchange(np.zeros(5), 0)
        while self.what == "loop":
            pass
        if self.what == "a long evaluation":
            until = time.monotonic() + 1.5 * TIMEOUT
            while time.monotonic() < until:
                trainer.evaluate(np.tile(X, (2000, 1)), np.tile(T, 2000))
        if self.what == "other parameters":
            trainer.model.params[0][...] *= 1.5
        signals = {"kill": "SIGKILL", "interrupt": "SIGINT", "terminate": "SIGTERM"}
        signals["stop"] = "SIGSTOP"
        if self.what in signals:
            os.kill(os.getpid(), getattr(signal, signals[self.what]))


class Between(cr.training.Callback):
    """Ctrl-C on rank 1 after an epoch; ranks agree by the messages of the gradients alone."""

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def on_epoch(self, trainer: Any) -> None:
        if self.rank == 1 and trainer.current_epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)


def interrupt_when_trained(trainer: cr.Trainer) -> None:
    """Ctrl-C on this rank, while steps are made."""
    while trainer.history.steps < 300:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)


def main(what: str, engine: str, folder: str | None = None) -> None:
    communicator = cr.MPICommunicator(timeout=TIMEOUT)
    rank = communicator.rank
    network, batch_size, rows = plain(), 16, len(X)
    if rank == 1 and what == "early":
        sys.exit(0)
    if rank == 1 and what == "a seed":
        network.params[0][...] += 1
    if rank == 1 and what == "a batch size":
        batch_size = 8
    if rank == 1 and what == "a row less":
        rows -= 1
    lr = 1e308 if what == "not finite" else 0.1
    trainer = cr.Trainer(network, cr.SGD(lr), communicator=communicator, engine=engine)
    callbacks: list[cr.training.Callback] = [Fault(what, rank)]
    if what == "between epochs":
        callbacks = [Between(rank)]
    elif what == "slow":
        callbacks = [Slow()]
    if what == "a callback" and rank == 1:
        callbacks = []
    if what == "an engine" and rank == 1:
        trainer.engine = "numpy"
    endless = what == "at any time"
    if endless:  # no callback: many steps are made in one call
        callbacks = []
        if rank == 1:
            threading.Thread(target=interrupt_when_trained, args=(trainer,)).start()
    history = trainer.fit(
        X[:rows],
        T[:rows],
        10**6 if endless else 5,
        batch_size,
        progress="lines",
        callbacks=callbacks,
        checkpoint=folder,
    )
    if what == "a long end" and rank != 1:
        time.sleep(4)  # rank 1 has ended long before
    told = [rank, history.steps, len(history), history.interrupted, str(history.stopped)]
    sys.stdout.write(repr([*told, bool(np.isfinite(history.losses).all())]) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
