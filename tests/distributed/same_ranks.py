"""A rank of tests: every case, compared with the training of one process; JSON on rank 0."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from tests.distributed.cases import CASES, train

import chainrule as cr


def main() -> None:
    communicator = cr.MPICommunicator()
    found = {}
    for name in CASES:
        shared = train(name, communicator)
        reproduced, _ = train(name, communicator, reproducible=True)
        if communicator.rank == 0:
            parameters = reproduced.model.named_parameters().values()
            bits = "".join(p.data.tobytes().hex() for p in parameters)
            found[name] = {**compared(train(name), shared), "parameters": bits}
    if communicator.rank == 0:
        print(json.dumps(found))


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
    main()
