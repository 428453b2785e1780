"""Many networks at once beside a loop of Trainers: seconds a network, by the clock and of the processor.

    python benchmarks/many.py                         # both networks, 64 and 1,000 of them
    python benchmarks/many.py --networks 64 --epochs 10 --only spiral

Rounds of the two are interleaved, and the least time of each counts. The loop is measured on a few
networks, each of which is recorded anew.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

import chainrule as cr

Array = npt.NDArray[Any]
#: How many networks the loop of Trainers has.
FEW = 8


def spiral() -> tuple[Array, Array]:
    """300 points of three classes."""
    x, t = cr.datasets.spiral()
    return x.astype(np.float32), t


def table() -> tuple[Array, Array]:
    """569 rows of 30 numbers, with a yes or no."""
    x = np.random.default_rng(0).normal(size=(569, 30)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] > 0).astype(np.int64)


def deep(seed: int) -> cr.Network:
    """30-64-64-1, tanh."""
    layers = cr.Affine.sized(30, 64), cr.Tanh(), cr.Affine.sized(64, 64), cr.Tanh()
    return cr.Sequential(*layers, cr.Affine.sized(64, 1), loss=cr.SigmoidWithLoss(), seed=seed)


CASES: dict[str, Any] = {
    "spiral": (lambda seed: cr.TwoLayerNet(2, 10, 3, seed=seed), lambda: cr.SGD(1.0), spiral, 30),
    "table": (deep, lambda: cr.Adam(), table, 32),
}


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """The seconds that a run takes, by the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - clock, time.process_time() - processor


def compare(name: str, networks: int, epochs: int, rounds: int) -> None:
    """Print one line: many at once, the loop, and how many times as fast."""
    make, optimizer, data, batch = CASES[name]
    x, t = data()

    def loop() -> None:
        for seed, network in enumerate(few):
            trainer = cr.Trainer(network, optimizer(), seed=seed, engine="compiled")
            trainer.fit(x, t, epochs, batch, progress=None)

    def many() -> None:
        cr.fit_many(
            nets, optimizers, x, t, epochs, batch, seeds=list(range(networks)), engine="compiled",
            progress=None,
        )  # fmt: skip

    best = {"loop": (np.inf, np.inf), "many": (np.inf, np.inf)}
    for _round in range(rounds + 1):  # the first compiles
        few = [make(seed) for seed in range(FEW)]
        nets, optimizers = (
            [make(s) for s in range(networks)],
            [optimizer() for _ in range(networks)],
        )
        for key, run, n in (("loop", loop, FEW), ("many", many, networks)):
            clock, processor = timed(run)
            best[key] = min(best[key][0], clock / n), min(best[key][1], processor / n)
    (clock, processor), (of_loop, processor_of_loop) = best["many"], best["loop"]
    print(
        f"{name}, {networks:,} networks, {epochs} epochs: {1e6 * clock:,.0f} µs a network"
        f" ({1 / clock:,.0f} networks/s), the loop {1e6 * of_loop:,.0f}: {of_loop / clock:.1f} times;"
        f" of the processor {1e6 * processor:,.0f} and {1e6 * processor_of_loop:,.0f} µs:"
        f" {processor_of_loop / processor:.1f} times",
        flush=True,
    )


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, nargs="+", default=[64, 1000])
    parser.add_argument("--epochs", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--only", choices=list(CASES))
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    for name in CASES if given.only is None else [given.only]:
        for epochs in given.epochs:
            for networks in given.networks:
                compare(name, networks, epochs, given.rounds)


if __name__ == "__main__":
    main()
