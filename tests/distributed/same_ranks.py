"""A rank of tests: every case, compared with the training of one process; JSON on rank 0."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

import numpy as np
from tests.distributed.cases import D, T, X, names, plain, train

import chainrule as cr
from chainrule.distributed.communicator import part_of
from chainrule.distributed.messages import Messages
from chainrule.distributed.step import ShardedStep
from chainrule.networks.steps import make_step


def main(engine: str) -> None:
    communicator = cr.MPICommunicator()
    found: dict[str, Any] = {}
    for name in names(engine):
        shared = train(name, engine, communicator)
        reproduced, _ = train(name, engine, communicator, reproducible=True)
        if communicator.rank == 0:
            parameters = reproduced.model.named_parameters().values()
            arrays = [*(p.data for p in parameters), reproduced.history.losses]
            bits = hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()
            used = {shared[0].engine_used, reproduced.engine_used}
            found[name] = {**compared(train(name, engine), shared), "parameters": bits}
            found[name]["engines"] = sorted(map(str, used))
    own = step_of_own_rows(communicator)
    if communicator.rank == 0:
        found["own rows"] = own
        print(json.dumps(found))


def step_of_own_rows(communicator: cr.Communicator) -> float:
    """How far a step is from that of one process, though no rank has the rows of another."""
    rows = np.arange(16, 46)  # the first ones are looked at when a step is recorded
    start, stop = part_of(len(rows), communicator.rank, communicator.size)
    mine = np.full_like(X, np.nan)
    mine[:16], mine[16 + start : 16 + stop] = X[:16], X[16 + start : 16 + stop]
    net, twin = (plain(cr.BatchNorm.sized(8, dtype=D), cr.Dropout(0.5)) for _ in range(2))
    ShardedStep(net, mine, T, None, lambda own: Messages(own, communicator)).run(rows)
    make_step(twin, X, T, None).run(rows)
    pairs = zip(net.grads, twin.grads, strict=True)
    return float(max(np.abs(a - b).max() for a, b in pairs))


def compared(
    one: tuple[cr.Trainer, cr.History], other: tuple[cr.Trainer, cr.History]
) -> dict[str, Any]:
    """How far two trainings are apart, and what they counted."""
    pairs = list(zip(arrays(*one), arrays(*other), strict=True))
    histories = one[1], other[1]
    return {
        # A bias before BatchNorm is 0 but for rounding, and has no size to be relative to.
        "errors": [
            float(np.abs(a.astype(float) - b.astype(float)).max() / max(np.abs(a).max(), 1e-3))
            for a, b in pairs
        ],
        "bits": all(a.tobytes() == b.tobytes() for a, b in pairs),
        "steps": [h.steps for h in histories],
        "epochs": [len(h) for h in histories],
        "stopped": [str(h.stopped) for h in histories],
    }


def arrays(trainer: cr.Trainer, history: cr.History) -> list[Any]:
    """What a training leaves: parameters, buffers, losses."""
    model = trainer.model
    parameters = [p.data for p in model.named_parameters().values()]
    return [*parameters, *model.named_buffers().values(), history.losses]


if __name__ == "__main__":
    main(sys.argv[1])
