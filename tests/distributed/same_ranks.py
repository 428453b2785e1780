"""Ranks of tests: every case, in teams of all ranks, of two and of one; what comes out, in files.

Each team trains some of the cases, by a sum over its ranks and reproducibly; a team of one also
without a communicator.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tests.distributed.cases import THREADS, D, T, X, names, plain, teams, train

import chainrule as cr
from chainrule.distributed.communicator import part_of
from chainrule.distributed.messages import Messages
from chainrule.distributed.step import ShardedStep
from chainrule.networks.steps import make_step


class Team(cr.MPICommunicator):
    """Some of the ranks, by themselves."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.number, own = divmod(self.rank, size)
        self._ranks = self._ranks.Split(self.number, own)
        self.rank, self.size = own, size


def main(folder: str) -> None:
    world = cr.MPICommunicator()
    for engine in ("numpy", "compiled"):
        for size in (4, 2, 1) if world.size == 4 else (world.size,):
            team = Team(size)
            mine = [name for name in names(engine) if size in (*teams(name), 8)]
            for name in mine[team.number :: world.size // size]:
                for way, more in ways(name, size).items():
                    trainer, history = train(name, engine, more.pop("communicator", team), **more)
                    if team.rank == 0:
                        keep(Path(folder), f"{engine}-{name}-{size}-{way}", trainer, history)
    for size in (4, 2) if world.size == 4 else ():
        far = step_of_own_rows(Team(size))
        if world.rank == 0:
            (Path(folder) / f"own rows-{size}").write_text(str(far))


def ways(name: str, size: int) -> dict[str, dict[str, Any]]:
    """The trainings of a case by a team of some size: their settings."""
    found: dict[str, dict[str, Any]] = {"sum": {}, "reproducible": {"reproducible": True}}
    if size == 1:
        found["serial"] = {"communicator": None}
        if name in THREADS:
            found["one thread"] = {"reproducible": True, "threads": 1}
    return found


def keep(folder: Path, name: str, trainer: cr.Trainer, history: cr.History) -> None:
    """Write what a training leaves: parameters, buffers, losses; and what it counted."""
    model = trainer.model
    arrays = [p.data for p in model.named_parameters().values()]
    arrays += [*model.named_buffers().values(), history.losses]
    told = {
        "engine": trainer.engine_used,
        "threads": trainer.threads_used,
        "counts": [history.steps, len(history), str(history.stopped)],
    }
    (folder / f"{name}.json").write_text(json.dumps(told))
    np.savez(folder / f"{name}.npz", *arrays)


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


if __name__ == "__main__":
    main(sys.argv[1])
