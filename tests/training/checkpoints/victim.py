"""A program to be stopped: it trains in the folder FOLDER, going on with what is there.

    python -m tests.training.checkpoints.victim FOLDER ENGINE [SECONDS_PER_EPOCH]

prints the number of steps that it begins with, then `ready` after the first step of its own, and at
the end a digest of everything.
"""

from __future__ import annotations

import hashlib
import sys
import time

import chainrule as cr


class Slow(cr.Callback):
    """Says when the first step is made, and takes its time for each epoch."""

    def __init__(self, seconds: float) -> None:
        self._ready, self._seconds = False, (seconds,)

    def on_epoch(self, trainer: cr.Trainer) -> None:
        if not self._ready:
            print("ready", flush=True)
        self._ready = True
        time.sleep(self._seconds[0])


def main(folder: str, engine: str, seconds: float) -> None:
    """Train."""
    x, t = cr.datasets.spiral()
    layers = cr.Affine.sized(2, 20), cr.ReLU(), cr.Dropout(0.2), cr.Affine.sized(20, 3)
    network = cr.Sequential(*layers, loss=cr.SoftmaxWithLoss(), seed=0)
    trainer = cr.Trainer(network, cr.Adam(0.01), seed=1, engine=engine)
    trainer.resume(folder, missing_ok=True)
    print(trainer.history.steps, flush=True)
    history = trainer.fit(
        x, t, 60, 30, validation=0.2, progress=None, checkpoint=folder, every="7 steps",
        callbacks=[Slow(seconds)],
    )  # fmt: skip
    told = b"".join([*(p.tobytes() for p in network.params), history.losses.tobytes()])
    print(history.stopped, hashlib.sha256(told).hexdigest(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else 0.0)
