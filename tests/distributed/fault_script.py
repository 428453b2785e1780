"""A rank of tests: at a step of a training something happens to rank 1."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

import numpy as np
from cases import T, X, plain

import chainrule as cr

what, *folder = sys.argv[1:]
communicator = cr.MPICommunicator()
mine = communicator.rank == 1
seed, batch_size, x, t = 1, 16, X, T


class Fault(cr.training.Callback):
    """It happens after the seventh step, or after the second epoch."""

    def on_step(self, trainer: Any) -> None:
        if not mine or trainer.history.steps != 7:
            return
        if what == "raise":
            raise ValueError("a bad idea")
        if what == "exit":
            sys.exit(0)
        if what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if what in ("interrupt", "terminate"):
            os.kill(os.getpid(), signal.SIGINT if what == "interrupt" else signal.SIGTERM)
        if what == "other parameters":
            trainer.model.params[0][...] *= 1.5


class Between(cr.training.Callback):
    """It has nothing to do after a step, so that ranks agree by the gradients' message alone."""

    def on_epoch(self, trainer: Any) -> None:
        if mine and trainer.current_epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)


if mine and what == "early":
    sys.exit(0)
if mine and what == "a seed":
    seed = 2
if mine and what == "a batch size":
    batch_size = 8
if mine and what == "a row less":
    x, t = X[:-1], T[:-1]
lr = 1e308 if what == "not finite" else 0.1
trainer = cr.Trainer(plain(), cr.SGD(lr), communicator=communicator)
if seed != 1:
    trainer.model.params[0][...] += 1
kept = {"checkpoint": folder[0]} if folder else {}
callbacks = [Between() if what == "between epochs" else Fault()]
history = trainer.fit(x, t, 5, batch_size, progress="lines", callbacks=callbacks, **kept)
if what == "a long end" and not mine:
    time.sleep(4)  # others have ended long before
told = [communicator.rank, history.steps, len(history), history.interrupted, history.stopped]
sys.stdout.write(repr([*told[:4], str(told[4]), np.isfinite(history.losses).all().item()]) + "\n")
