"""What checkpoints cost: trainings with them, at the default interval, beside the same without.

    python benchmarks/checkpoints.py [--seconds 45] [--rounds 3] [--only 784-1024]

Trainings with and without take turns; the median of the ratios of their times, and how long writing one
checkpoint takes, how large it is, and how many were written.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import numpy as np

import chainrule as cr
from chainrule.storage.folder import CheckpointFolder
from chainrule.training import checkpoints


def mlp(*sizes: int) -> Callable[[], cr.Trainer]:
    """A trainer for a ReLU network of these sizes."""

    def make() -> cr.Trainer:
        layers: list[cr.Layer] = []
        for a, b in itertools.pairwise(sizes):
            layers += [cr.Affine.sized(a, b), cr.ReLU()]
        network = cr.Sequential(*layers[:-1], loss=cr.SoftmaxWithLoss(), seed=0)
        return cr.Trainer(network, cr.Adam(1e-3))

    return make


def data(rows: int, columns: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, columns)).astype(np.float32), rng.integers(0, 10, rows)


CASES: dict[str, tuple[Callable[[], cr.Trainer], tuple[Any, Any], int]] = {
    "64-128-10 (digits)": (mlp(64, 128, 10), data(1_797, 64), 64),
    "784-1024-1024-1024-10": (mlp(784, 1024, 1024, 1024, 10), data(6_000, 784), 128),
}


def trained(
    make: Callable[[], cr.Trainer], rows: Any, batch: int, epochs: int, **more: Any
) -> float:
    """The seconds of a training, without compiling."""
    trainer = make()
    x, t = rows
    trainer.fit(x, t, 1, batch, progress=None)
    began = time.perf_counter()
    trainer.fit(x, t, epochs, batch, progress=None, **more)
    return time.perf_counter() - began


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=45.0, help="of a training")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="the networks whose name begins like this")
    options = parser.parse_args()
    written: list[float] = []
    write = checkpoints.Checkpoints.write

    def timed(self: Any, *given: Any, **named: Any) -> None:
        began = time.perf_counter()
        write(self, *given, **named)
        written.append(time.perf_counter() - began)

    setattr(checkpoints.Checkpoints, "write", timed)  # noqa: B010 - a method
    print("| network | with / without | one checkpoint | size | written in a training |")
    print("| --- | --: | --: | --: | --: |")
    for name, (make, rows, batch) in CASES.items():
        if not name.startswith(options.only):
            continue
        pace = trained(make, rows, batch, 3) / 3
        epochs = max(1, round(options.seconds / pace))
        ratios, size = [], 0
        written.clear()
        for i in range(options.rounds):
            with tempfile.TemporaryDirectory() as folder:
                ways: list[dict[str, Any]] = [{}, {"checkpoint": folder}]
                order = ways if i % 2 == 0 else ways[::-1]
                took = {bool(way): trained(make, rows, batch, epochs, **way) for way in order}
                ratios.append(took[True] / took[False])
                size = Path(CheckpointFolder(folder).files()[-1]).stat().st_size
        print(
            f"| {name} | {statistics.median(ratios):.3f} | {statistics.median(written) * 1e3:.0f} ms"
            f" | {size / 2**20:.1f} MiB | {len(written) / options.rounds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
