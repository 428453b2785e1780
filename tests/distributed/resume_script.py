"""A rank of tests: a training that stops after some steps, or goes on from its checkpoints."""

from __future__ import annotations

import hashlib
import sys

from cases import D, T, X, plain

import chainrule as cr

folder, stop, reproducible = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "True"
communicator = cr.MPICommunicator()
net = plain(cr.BatchNorm.sized(8, dtype=D), cr.Dropout(0.3))
trainer = cr.Trainer(
    net, cr.Adam(0.01), seed=2, communicator=communicator, reproducible=reproducible
)
trainer.resume(folder, missing_ok=True)
callbacks: list[cr.training.Callback] = []
if stop:

    class Interrupt(cr.training.Callback):
        """As Ctrl-C does on one rank."""

        def on_step(self, trainer: cr.Trainer) -> None:
            if trainer.history.steps == stop and communicator.rank == communicator.size - 1:
                trainer.interrupt()

    callbacks.append(Interrupt())
history = trainer.fit(X, T, 4, 13, progress=None, checkpoint=folder, callbacks=callbacks)
if communicator.rank == 0:
    bits = b"".join(p.data.tobytes() for p in net.named_parameters().values())
    bits += b"".join(b.tobytes() for b in net.named_buffers().values()) + history.losses.tobytes()
    print(history.steps, hashlib.sha256(bits).hexdigest(), repr(float(history.losses[-1])))
