"""A fresh process from import to a trained network: its loss and the most memory it held.

python -m benchmarks.peers.cold PEER WORKLOAD SETTING.npz EPOCHS
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from benchmarks.peers import PEERS, UnavailableError
from benchmarks.workloads import WORKLOADS, Setting


def peak() -> int:
    """The most bytes this process held.

    Linux counts what the parent held before `exec` into `ru_maxrss`; VmHWM is this program's own.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if sys.platform == "darwin" else held * 1024


def main() -> None:
    name, key, path, epochs = sys.argv[1:]
    try:
        peer = PEERS[name].make()
        peer.prepare(WORKLOADS[key], Setting.load(Path(path)))
    except UnavailableError as error:
        print(json.dumps({"unavailable": str(error)}))
        return
    losses = peer.epochs(int(epochs))
    print(json.dumps({"loss": float(losses[-1]), "peak": peak()}))


if __name__ == "__main__":
    main()
