"""How long sums over ranks take: `mpiexec -n 4 python -m chainrule.planning.timed_messages 8 1000000`.

Rank 0 prints a JSON list: for each number of bytes the seconds of a sum, of the fastest twentieth:
other programs on the machine only add to them.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from chainrule.distributed import Communicator, MPICommunicator

__all__ = ["main"]

#: Sums before the clock runs, while it does at the least, and seconds that they take about.
BEFORE, LEAST, SECONDS = 3, 20, 1.0


def timed(communicator: Communicator, nbytes: int) -> float:
    """The seconds of a sum over all ranks of arrays of so many bytes."""
    array = np.zeros(max(nbytes // 4, 1), np.float32)
    for _i in range(BEFORE):
        communicator.all_reduce(array)
    began = time.perf_counter()
    communicator.all_reduce(array)
    count = np.array([SECONDS / (time.perf_counter() - began)])
    communicator.broadcast(count)  # the same number of sums on all ranks
    took = []
    for _i in range(max(LEAST, min(int(count[0]), 10_000))):
        began = time.perf_counter()
        communicator.all_reduce(array)
        took.append(time.perf_counter() - began)
    return float(np.quantile(took, 0.05))


def main() -> None:
    """Time sums of as many bytes as each argument says."""
    communicator = MPICommunicator()
    found = [timed(communicator, int(nbytes)) for nbytes in sys.argv[1:]]
    if communicator.rank == 0:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
