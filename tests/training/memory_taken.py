"""Trainings, and the memory that they take beside what was estimated: one JSON object a line.

    python -m tests.training.memory_taken CASE...    each: engine optimizer sizes rows [words]

A case such as `numpy Adam 1024-2048-10 64 reproducible` is a training in one batch of so many rows.
Words: `reproducible`, `threads`, `kept` (with checkpoints), `stopping` (early), `ranks` (under mpiexec).
"""

from __future__ import annotations

import json
import sys
import tempfile
from itertools import pairwise
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.training.memory_needed import StepMemory


def status(name: str) -> int:
    """A number of bytes of /proc/self/status."""
    with open("/proc/self/status") as file:
        return int(next(line for line in file if line.startswith(name)).split()[1]) * 1024


def network(sizes: list[int]) -> cr.Sequential:
    layers: list[cr.Layer] = []
    for a, b in pairwise(sizes):
        layers += [cr.Affine.sized(a, b), cr.ReLU()]
    return cr.Sequential(*layers[:-1], loss=cr.MeanSquaredError(), seed=0)


def main(case: str, communicator: Any = None) -> dict[str, Any]:
    """Train twice: a small network, so that all code is loaded and compiled, then the one asked for."""
    engine, optimizer, widths, count, *words = case.split()
    sizes, rows = [int(n) for n in widths.split("-")], int(count)

    def data(n: int) -> tuple[Any, Any]:
        return np.ones((n, sizes[0]), np.float32), np.ones((n, sizes[-1]), np.float32)

    def trainer(net: cr.Sequential) -> cr.Trainer:
        return cr.Trainer(
            net, getattr(cr, optimizer)(1e-4), engine=engine, reproducible="reproducible" in words,
            threads=2 if "threads" in words else 1, communicator=communicator,
        )  # fmt: skip

    settings: dict[str, Any] = {"progress": None}
    callbacks: list[cr.Callback] = []
    if "stopping" in words:
        callbacks = [cr.EarlyStopping("loss")]
    small = rows // 8
    few_x, few_t = data(small)
    trainer(network([min(n, 512) for n in sizes])).fit(
        few_x[:, :512], few_t[:, :512], 2, small, progress=None
    )
    made, (x, t) = trainer(network(sizes)), data(rows)
    assert all(np.isfinite(p.sum()) for p in made.model.params)  # drawn
    with tempfile.TemporaryDirectory() as folder, open("/proc/self/clear_refs", "w") as clear:
        if "kept" in words:
            settings["checkpoint"] = folder
        clear.write("5")  # the most so far is now
        clear.flush()
        before = status("VmRSS")
        made.fit(x, t, 2, rows, callbacks=callbacks, **settings)
        taken = status("VmHWM") - before
    size = made.communicator.size
    memory = StepMemory(
        made, (x, t, None), engine, ranks=size, callbacks=callbacks, keeps="kept" in words
    )
    needed = memory.bytes(-(-rows // size)) - memory.there
    return {"case": case, "engine": made.engine_used, "taken": taken, "needed": needed}


if __name__ == "__main__":
    for given in sys.argv[1:]:
        ranks = cr.MPICommunicator() if "ranks" in given else None
        found = main(given, ranks)
        if ranks is None or ranks.rank == 0:
            print(json.dumps(found), flush=True)
