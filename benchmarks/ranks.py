"""Training on ranks: one rank on one core beside two on two, what messages cost, and what `plan` said.

    python benchmarks/ranks.py [--rounds 3] [--seconds 3] [--only small] [--optimizer Adam]
                               [--engine compiled]

One rank, two ranks, and both with reproducible=True, take turns; a time is the median of steps, and of
the rounds. By the clock, both cores must be quiet; beside it stands what is left where they are not: the
processor's time of computing, and the fastest tenth of the sums. Needs the extra mpi.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
ALONE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
os.environ.update(ALONE)

import numpy as np  # noqa: E402
from benchmarks.machine import cores, cpu  # noqa: E402

import chainrule as cr  # noqa: E402

#: The sizes of the layers, and rows of a batch.
CASES = {
    "large": ((784, 1024, 1024, 1024, 10), 512),
    "small": ((64, 100, 10), 100),
}
#: Batches of an epoch.
BATCHES = {"large": 24, "small": 400}
#: Ranks, and whether the bits are to be those of any number of them.
WAYS = ((1, False), (2, False), (1, True), (2, True))


def network(case: str) -> cr.Sequential:
    """A ReLU network of these sizes."""
    layers: list[cr.Layer] = []
    for a, b in itertools.pairwise(CASES[case][0]):
        layers += [cr.Affine.sized(a, b), cr.ReLU()]
    return cr.Sequential(*layers[:-1], loss=cr.SoftmaxWithLoss(), seed=0)


class Timed:
    """A communicator that adds up how long its sums take, with the wait for other ranks."""

    def __init__(self, communicator: cr.Communicator) -> None:
        self.of, self.rank, self.size = communicator, communicator.rank, communicator.size
        self.broadcast, self.barrier = communicator.broadcast, communicator.barrier
        self.sums: list[float] = []
        self.busy = 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """A sum, timed by the clock and by the processor."""
        began, busy = time.perf_counter(), time.process_time()
        yield
        self.sums.append(time.perf_counter() - began)
        self.busy += time.process_time() - busy

    def all_reduce(self, array: Any) -> None:
        """The sum of all ranks' arrays."""
        with self.timed():
            self.of.all_reduce(array)

    def exchange(self, array: Any, other: int) -> Any:
        """The array of another rank."""
        with self.timed():
            return self.of.exchange(array, other)


def work(case: str, optimizer: str, engine: str, seconds: float, reproducible: bool) -> None:
    """Train as one of the ranks; rank 0 prints the seconds of a step, of its sums, the processor's of
    computing, and the fastest tenth of the sums.
    """
    sizes, batch = CASES[case]
    batches = BATCHES[case]
    communicator = Timed(cr.MPICommunicator())
    trainer = cr.Trainer(
        network(case), getattr(cr, optimizer)(1e-3), engine=engine,
        communicator=communicator, reproducible=reproducible, threads=1,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batches * batch, sizes[0])).astype(np.float32)
    t = rng.integers(0, sizes[-1], len(x))
    rows: list[list[float]] = []

    def epoch() -> None:
        communicator.sums.clear()
        busy, began = communicator.busy, time.process_time()
        trainer.fit(x, t, 1, batch, progress=None)
        computing = time.process_time() - began - (communicator.busy - busy)
        sums = [s for s in communicator.sums if communicator.size > 1]
        took = trainer.history.epochs[-1]["seconds"]
        tenth = float(np.quantile(sums, 0.1)) if sums else 0.0
        rows.append([took / batches, sum(sums) / batches, computing / batches, tenth])

    epoch()  # plans, or compiles
    epoch()
    count = np.array([max(3.0, min(seconds / (rows[-1][0] * batches), 100.0))])
    communicator.broadcast(count)
    rows.clear()
    for _epoch in range(int(count[0])):
        epoch()
    if communicator.rank == 0:
        print(json.dumps([float(v) for v in np.median(rows, axis=0)]))


def measured(
    case: str, optimizer: str, engine: str, seconds: float, way: tuple[int, bool]
) -> list[float]:
    """What `work` prints, on new ranks."""
    ranks, reproducible = way
    own = [sys.executable, __file__, "--work", case, str(int(reproducible))]
    more = dict.fromkeys(("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"), "1")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "mpiexec"), "-n", str(ranks), *own,
         "--optimizer", optimizer, "--engine", engine, "--seconds", str(seconds)],
        env={**os.environ, **more}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure, and print a table for each case."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of a measurement, about")
    parser.add_argument("--optimizer", default="Adam")
    parser.add_argument("--engine", default="compiled", choices=("compiled", "numpy"))
    parser.add_argument("--only", choices=CASES)
    parser.add_argument("--work", nargs=2, metavar=("CASE", "REPRODUCIBLE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        case, reproducible = options.work
        work(case, options.optimizer, options.engine, options.seconds, reproducible == "1")
        return
    print(
        f"{cpu()}, {cores()} cores; {options.optimizer}, {options.engine} engine, one thread a rank"
    )
    for case in [options.only] if options.only else CASES:
        batch = CASES[case][1]
        rule = getattr(cr, options.optimizer)(1e-3)
        plans = {
            reproducible: cr.plan(
                network(case), batch, [1, 2], optimizer=rule, engine=options.engine,
                reproducible=reproducible,
            )
            for reproducible in (False, True)
        }  # fmt: skip
        times: dict[tuple[int, bool], list[list[float]]] = {way: [] for way in WAYS}
        for i in range(options.rounds):
            for way in WAYS if i % 2 == 0 else WAYS[::-1]:
                given = case, options.optimizer, options.engine, options.seconds, way
                times[way].append(measured(*given))
        show(case, times, plans)


def show(case: str, times: dict[Any, list[list[float]]], plans: dict[bool, Any]) -> None:
    """Print the medians of a case, beside what was planned."""
    sizes, batch = CASES[case]
    print(f"\n{'-'.join(map(str, sizes))}, batch {batch}\n")
    print(
        "| ranks | reproducible | a step | rows a second | times one rank | sums, waits included"
        " | without waits | times one rank | planned | off | off without waits |"
    )
    print("| --: | --- |" + " --: |" * 9)
    for (ranks, reproducible), found in times.items():
        step, sums, computing, least = (
            statistics.median(column) for column in zip(*found, strict=True)
        )
        alone = statistics.median(each[2] for each in times[1, False])
        planned = next(p for p in plans[reproducible].ranks if p.ranks == ranks).same_batch
        quiet = computing + least
        print(
            f"| {ranks} | {'yes' if reproducible else 'no'} | {1e3 * step:.3f} ms | {batch / step:,.0f}"
            f" | {_ratio(times, (1, False), (ranks, reproducible)):.2f}"
            f" | {1e3 * sums:.3f} ms ({sums / step:.0%})"
            f" | {1e3 * computing:.3f} + {1e3 * least:.3f} ms | {alone / quiet:.2f}"
            f" | {1e3 * planned.computing:.3f} + {1e3 * planned.messages:.3f} ms"
            f" | {planned.seconds / step - 1:+.0%} | {planned.seconds / quiet - 1:+.0%} |"
        )
    one, two = (_ratio(times, (k, True), (k, False)) for k in (1, 2))
    print(
        f"\nreproducible=True on one rank: {one:.2f} times as long; on two: {two:.2f}", flush=True
    )


def _ratio(times: dict[Any, list[list[float]]], a: Any, b: Any) -> float:
    """How many times as long a step of one way takes as one of the other, round by round."""
    return statistics.median(x[0] / y[0] for x, y in zip(times[a], times[b], strict=True))


if __name__ == "__main__":
    main()
