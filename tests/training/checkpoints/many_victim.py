"""A program to be stopped: it trains many networks in the folder FOLDER, going on with what is there.

    python -m tests.training.checkpoints.many_victim FOLDER [SECONDS_PER_STEP [N_JOBS]]

prints `ready` at the first step of its own, and at the end a digest of everything.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from tests.training.checkpoints.runs import digest_of_many

import chainrule as cr


class Rate:
    """A learning rate that says when the first step is made, and takes its time for each."""

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds, self.said = seconds or 0.0, seconds is None

    def __call__(self, step: int) -> float:
        if not self.said:
            print("ready", flush=True)
        self.said = True
        time.sleep(self.seconds)
        return 0.2 / (1 + 0.01 * step)

    def __repr__(self) -> str:
        return "Rate()"


class Plain(cr.Momentum):
    """An update in Python: the NumPy engine trains with it."""

    def update(self, params: Any, grads: Any, *more: Any) -> None:
        super().update(params, grads, *more)


def networks() -> list[Any]:
    """Six of one structure, of which the last one's numbers do not stay finite; two of another."""
    made: list[Any] = []
    for seed in range(8):
        norm = [cr.BatchNorm.sized(12)] if seed < 6 else []
        layers = cr.Affine.sized(2, 12), *norm, cr.ReLU(), cr.Dropout(0.2), cr.Affine.sized(12, 3)
        made.append(cr.Sequential(*layers, loss=cr.SoftmaxWithLoss(), seed=seed))
    made[5].layers[0].b[...] = 1e38
    return made


def trained(folder: Any, rate: Any, **more: Any) -> str:
    """Train; gives a digest of everything."""
    x, t = cr.datasets.spiral()
    nets = networks()
    made: list[cr.Optimizer] = [cr.Momentum(rate) for _net in nets]
    made[7] = Plain(rate)
    settings: dict[str, Any] = {
        "validation": 0.2, "early_stopping": 3, "engine": "compiled", "threads": 2, "seeds": 3,
        "progress": None, "checkpoint": folder, "every": "3 steps", "epochs": 6, **more,
    }  # fmt: skip
    histories = cr.fit_many(nets, made, x.astype("f4"), t, batch_size=32, **settings)
    return digest_of_many(nets, made, histories)


def main(folder: str, seconds: float, n_jobs: int | None) -> None:
    """Train."""
    print(trained(folder, Rate(seconds), n_jobs=n_jobs), flush=True)


if __name__ == "__main__":
    given = [*sys.argv[2:], "0", ""][:2] if len(sys.argv) < 4 else sys.argv[2:]
    main(sys.argv[1], float(given[0]), int(given[1]) if given[1] else None)
