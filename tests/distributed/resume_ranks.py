"""A rank of tests: a training that stops after some steps, or goes on from its checkpoints."""

from __future__ import annotations

import hashlib
import sys
from typing import Any

from tests.distributed.cases import D, T, X, plain

import chainrule as cr


class Interrupt(cr.training.Callback):
    """As Ctrl-C does, on one rank."""

    def __init__(self, step: int, *, here: bool) -> None:
        self.step, self.here = step, here

    def state(self) -> dict[str, Any]:
        return {}  # a checkpoint is not to bring the earlier step back

    def on_step(self, trainer: Any) -> None:
        if trainer.history.steps == self.step and self.here:
            trainer.interrupt()


def main(folder: str, stop: int, engine: str, *, reproducible: bool) -> None:
    communicator = cr.MPICommunicator()
    net = plain(cr.BatchNorm.sized(8, dtype=D), cr.Dropout(0.3))
    how: dict[str, Any] = {"communicator": communicator, "reproducible": reproducible}
    trainer = cr.Trainer(net, cr.Adam(0.01), seed=2, engine=engine, **how)
    trainer.resume(folder, missing_ok=True)
    callbacks = [Interrupt(stop, here=communicator.rank == communicator.size - 1)]
    history = trainer.fit(X, T, 4, 13, progress=None, checkpoint=folder, callbacks=callbacks)
    if communicator.rank == 0:
        bits = b"".join(p.data.tobytes() for p in net.named_parameters().values())
        bits += b"".join(b.tobytes() for b in net.named_buffers().values())
        bits += history.losses.tobytes()
        assert trainer.engine_used == engine
        print(history.steps, hashlib.sha256(bits).hexdigest(), float(history.losses[-1]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], reproducible=sys.argv[4] == "True")
