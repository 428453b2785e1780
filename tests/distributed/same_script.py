"""A rank of tests: every case, compared with the training of one process; JSON on rank 0."""

from __future__ import annotations

import json

import numpy as np
from cases import CASES, train

import chainrule as cr

communicator = cr.MPICommunicator()
found = {}
for name in CASES:
    trainer, history = train(name, communicator)
    reproduced, _ = train(name, communicator, reproducible=True)
    if communicator.rank:
        continue
    alone, expected = train(name)
    pairs = [
        (a.data, b.data)
        for a, b in zip(
            alone.model.named_parameters().values(),
            trainer.model.named_parameters().values(),
            strict=True,
        )
    ]
    pairs += zip(
        alone.model.named_buffers().values(), trainer.model.named_buffers().values(), strict=True
    )
    pairs.append((expected.losses, history.losses))
    found[name] = {
        "errors": [
            # A bias before BatchNorm is 0 but for rounding, and has no size to be relative to.
            float(np.abs(a.astype(float) - b.astype(float)).max() / max(np.abs(a).max(), 1e-3))
            for a, b in pairs
        ],
        "bits": all(a.tobytes() == b.tobytes() for a, b in pairs),
        "steps": [expected.steps, history.steps],
        "epochs": [len(expected), len(history)],
        "stopped": [str(expected.stopped), str(history.stopped)],
        "parameters": "".join(
            p.data.tobytes().hex() for p in reproduced.model.named_parameters().values()
        ),
    }
if communicator.rank == 0:
    print(json.dumps(found))
