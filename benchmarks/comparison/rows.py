"""What is measured: one row for each workload, or for each use of what was trained."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from benchmarks.workloads import WORKLOADS


@dataclass(frozen=True)
class Row:
    """One thing that is measured, and in what unit.

    `how`: "train", "predict", "many" for peers in processes that last; "fresh", "first fit",
    "command" for a new process at every turn. A peer's entry says which of these it takes.
    """

    key: str
    title: str
    unit: str
    scale: float  # from seconds or bytes to the unit
    how: str
    #: The workload whose network it is, or a name in `structures.py`.
    network: str = "a"
    #: Rows of a prediction.
    rows: int = 0
    #: Epochs of a training in a fresh process; None: those of the workload.
    epochs: int | None = None
    #: What a fresh process is asked for: its own seconds ("seconds"), its "peak" of memory, or the
    #: seconds of its first "fit".
    reads: str = "seconds"
    #: Fresh processes find their caches empty every time.
    emptied: bool = False
    most_rounds: int = 99

    @property
    def flops(self) -> float | None:
        """Operations of the matrix products of a step (or a call), additions counted too."""
        if self.how not in ("train", "many", "predict"):
            return None
        w = WORKLOADS[self.network]
        products = [n * m for n, m in pairwise(w.sizes)]
        if self.how == "predict":
            return 2.0 * self.rows * sum(products)
        # Forward, the gradient of every W, and of every input but the first.
        return 2.0 * w.batch * (3 * sum(products) - products[0])

    @property
    def state(self) -> int:
        """Bytes of the parameters and of what the optimizer keeps, of all networks."""
        w = WORKLOADS[self.network]
        kept = 1 if self.how == "predict" or w.optimizer == "sgd" else 3
        return 4 * w.parameters * kept * w.networks

    @property
    def traffic(self) -> int:
        """Bytes that a step of one network cannot but move: its state, read and written once."""
        once = self.state // WORKLOADS[self.network].networks
        return once if self.how == "predict" else 2 * once


ROWS = {
    row.key: row
    for row in (
        *(
            Row(w.key, w.title, "µs a step", 1e6, "train", w.key)
            for w in WORKLOADS.values()
            if w.networks == 1
        ),
        Row("f1", "predict 1 row, 784-50-10", "µs", 1e6, "predict", "b", rows=1),
        Row("f2", "predict 100,000 rows, 784-512-256-10", "ms", 1e3, "predict", "c", rows=100_000),
        *(
            Row(w.key, w.title, "µs a step of one", 1e6, "many", w.key)
            for w in WORKLOADS.values()
            if w.networks > 1
        ),
        Row("g", "fresh process to trained spiral", "s", 1.0, "fresh"),
        Row(
            "h", "peak memory, training 784-512-256-10", "MB", 1e-6, "fresh", "c",
            epochs=1, reads="peak", most_rounds=3,
        ),
        Row(
            "i", "fresh process to the first steps of the spiral, nothing cached", "s", 1.0, "fresh",
            epochs=1, emptied=True, most_rounds=3,
        ),
        Row(
            "j1", "first fit of the digits network, 20 steps, nothing cached", "s", 1.0,
            "first fit", "64-128-10 (digits)", reads="fit", emptied=True, most_rounds=3,
        ),
        Row(
            "j2", "first fit of an RNN of 29 time steps, 20 steps, nothing cached", "s", 1.0,
            "first fit", "RNN, 29 steps", reads="fit", emptied=True, most_rounds=3,
        ),
        Row(
            "k", "`chainrule train digits`, whole process, nothing cached", "s", 1.0,
            "command", emptied=True, most_rounds=3,
        ),
    )
}  # fmt: skip
