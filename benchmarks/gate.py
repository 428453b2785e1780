"""A change must not make the compiled engine slower: its speed as a ratio to NumPy by hand.

    python benchmarks/gate.py              # exit 1 where a ratio has fallen by a quarter
    python benchmarks/gate.py --record     # write this processor's ratios down anew

For a, b and e of `compare.py` a training step, for f1 a prediction of one row. What is compared with
stands in `results/gate.json` for each family of processors; a family that is not there must reach a
third of the lowest that is.

The gate must not fail because others use the machine. Both sides have one thread, and what counts
is the processor's time, not the clock's. They take many short turns by turns, and the shortest of
each counts, since others only take away. What is too low is measured again after a while, and the
best try counts. NumPy by hand may become faster by itself, with a new NumPy or Python, so there is
a second yardstick: the part of the processor's peak that is reached, by multiply-adds that take turns
with the two. Only what stays too low by both has fallen. What is recorded is the lowest of as many
tries.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
ALONE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
if __name__ == "__main__":
    os.environ.update(ALONE)  # read when NumPy is imported

import numpy as np  # noqa: E402
from benchmarks import kernels, machine  # noqa: E402
from benchmarks.comparison.rows import ROWS  # noqa: E402
from benchmarks.peers import Peer  # noqa: E402
from benchmarks.peers.with_chainrule import Chainrule  # noqa: E402
from benchmarks.peers.with_numpy import ByHand  # noqa: E402
from benchmarks.workloads import WORKLOADS, make_setting  # noqa: E402

RECORDED = ROOT / "benchmarks" / "results" / "gate.json"
#: The part of what is recorded that must be reached; of the lowest, where the family is unknown.
KEPT, UNKNOWN = 0.75, 1 / 3
#: Seconds of a turn, turns of each side in a try, tries, and seconds between the first two.
TURN, TURNS, TRIES, PAUSE = 0.005, 60, 6, 1.0

#: Rounds of the multiply-adds: some 0.2 ms.
PEAK_ROUNDS = 100_000

#: What is measured: a name, and the workload whose network it is.
MEASURED = {"a": "a", "b": "b", "e": "e", "f1": "b"}


class Side:
    """One of the two at the work of a row."""

    def __init__(self, peer: Peer, key: str) -> None:
        self.peer, self.predicts = peer, key == "f1"
        workload = WORKLOADS[MEASURED[key]]
        setting = make_setting(workload)
        peer.prepare(workload, setting)
        self.row = setting.x[:1].copy()
        self.used(1)  # compiles
        #: How often it does its work in a turn.
        self.times = 1

    def lengthen(self) -> None:
        """Make a turn so long that what a fit costs besides its steps hardly counts.

        Several turns are looked at: a single one may be long because it was disturbed.
        """
        while (took := min(self.used(self.times) for _ in range(5))) < TURN:
            most = round(1.1 * self.times * TURN / max(took, 1e-6))
            self.times = max(self.times + 1, min(4 * self.times, most))

    def used(self, times: int) -> float:
        """The seconds of the processor for so many epochs, or predictions."""
        self.peer.restart()  # numbers that training has made tiny are slow
        start = time.process_time()
        if self.predicts:
            for _ in range(times):
                self.peer.predict(self.row)
        else:
            self.peer.epochs(times)
        return time.process_time() - start

    def turn(self) -> float:
        """The seconds of the processor for one epoch, or prediction."""
        return self.used(self.times) / self.times


class Contest:
    """The compiled engine and NumPy by hand, at the same work."""

    def __init__(self, key: str) -> None:
        ours = Chainrule("compiled", threads=1)
        self.ours, self.by_hand = Side(ours, key), Side(ByHand(), key)
        if not self.ours.predicts and ours.trainer.engine_used != "compiled":
            raise SystemExit(f"{key}: not compiled: {ours.trainer.engine_reason}")

        self.flops = ROWS[key].flops or 0.0
        if not self.ours.predicts:
            self.flops *= WORKLOADS[MEASURED[key]].steps

    def measure(self) -> Speed:
        """Our speed, by the shortest turns of all three."""
        self.ours.lengthen()
        self.by_hand.lengthen()
        turns = [(self.ours.turn(), self.by_hand.turn(), peak()) for _ in range(TURNS)]
        ours, by_hand, operation = (min(times) for times in zip(*turns, strict=True))
        return Speed(by_hand / ours, self.flops * operation / ours)


class Speed(NamedTuple):
    """Our speed by two yardsticks."""

    #: How many times as long NumPy by hand takes.
    by_hand: float
    #: The part of the processor's peak.
    of_peak: float


def peak() -> float:
    """Seconds of one operation, at the processor's peak on one core."""
    kernel, data = multiply_adds()
    start = time.process_time()
    kernel(PEAK_ROUNDS, data.ctypes.data)
    per_round = (time.process_time() - start) / PEAK_ROUNDS
    return per_round / (2 * kernels.CHAINS * kernels.lanes())


@functools.cache
def multiply_adds() -> tuple[Callable[..., None], Any]:
    """The kernel and the numbers for it."""
    return kernels.multiply_adds(), machine.multiply_add_data()


def floors(key: str, family: str, recorded: dict[str, Any]) -> Speed:
    """What must be reached on a family of processors, by either yardstick."""
    if family in recorded:
        return Speed(*(KEPT * part for part in recorded[family]["speeds"][key]))
    known = [entry["speeds"][key] for entry in recorded.values()]
    return Speed(*(UNKNOWN * min(parts) for parts in zip(*known, strict=True)))


def record(family: str, recorded: dict[str, Any]) -> None:
    """Write down how fast ours is here: of several tries, the lowest."""
    speeds = {}
    for key in MEASURED:
        contest = Contest(key)
        tries = [contest.measure() for _ in range(TRIES)]
        lowest = Speed(*(min(parts) for parts in zip(*tries, strict=True)))
        highest = Speed(*(max(parts) for parts in zip(*tries, strict=True)))
        speeds[key] = [round(lowest.by_hand, 2), round(lowest.of_peak, 4)]
        print(f"{key:<3}{lowest.by_hand:7.2f} to {highest.by_hand:.2f} × NumPy by hand, ", end="")
        print(f"{lowest.of_peak:.1%} to {highest.of_peak:.1%} of the peak", flush=True)
    recorded[family] = {
        "speeds": speeds,
        "date": date.today().isoformat(),
        "cpu": machine.cpu(),
        "numpy": np.__version__,
    }
    RECORDED.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def check(family: str, recorded: dict[str, Any]) -> list[str]:
    """Measure all, say what was found, and give the names of what has fallen."""
    fallen = []
    for key in MEASURED:
        least, best = floors(key, family, recorded), Speed(0.0, 0.0)
        contest = Contest(key)
        for i in range(TRIES):
            if i:
                time.sleep(PAUSE * i)
            best = Speed(*map(max, best, contest.measure()))
            held = best.by_hand >= least.by_hand or best.of_peak >= least.of_peak
            if held:
                break
        print(
            f"{key:<3}{best.by_hand:7.2f} × as fast as NumPy by hand (at least {least.by_hand:.2f}),"
            f" {best.of_peak:.1%} of the peak (at least {least.of_peak:.1%}):"
            f" {'ok' if held else 'FALLEN'}",
            flush=True,
        )
        if not held:
            fallen.append(key)
    return fallen


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--record", action="store_true", help="write this processor's ratios down")
    options = parser.parse_args()
    family = machine.family()
    recorded = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}
    if options.record:
        record(family, recorded)
        return
    known = f"recorded on {recorded[family]['date']}" if family in recorded else "not recorded"
    numpy_then = f" with NumPy {recorded[family]['numpy']}" if family in recorded else ""
    print(f"{machine.cpu()} ({family}, {known}{numpy_then}), NumPy {np.__version__}")
    fallen = check(family, recorded)
    if fallen:
        raise SystemExit(
            f"{' and '.join(fallen)} fell by a quarter or more. If that is meant:"
            " python benchmarks/gate.py --record"
        )


if __name__ == "__main__":
    main()
