"""A peer in a process of its own, told what to do in lines of JSON; `compare.py` starts it.

python -m benchmarks.peers.worker PEER WORKLOAD SETTING.npz
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.peers import PEERS, Peer, UnavailableError
from benchmarks.workloads import WORKLOADS, Array, Setting, Workload


class Worker:
    """One peer with one workload, and the commands it understands."""

    def __init__(self, peer: Peer, workload: Workload, setting: Setting) -> None:
        self.peer, self.workload, self.setting = peer, workload, setting
        self.inputs: dict[int, Array] = {}

    def epochs(self, k: int, least: float = 0.0) -> dict[str, Any]:
        """Fits of k epochs, each from the first weights, until they took `least` seconds."""
        seconds: list[float] = []
        losses: list[float] = []
        busy = 0.0
        while not seconds or sum(seconds) < least:
            self.peer.restart()
            start, used = time.perf_counter(), time.process_time()
            losses = self.peer.epochs(k)
            seconds.append(time.perf_counter() - start)
            busy += time.process_time() - used
        cores = busy / sum(seconds)
        return {"seconds": seconds, "losses": [float(loss) for loss in losses], "cores": cores}

    def predict(self, rows: int, least: float = 0.0) -> dict[str, Any]:
        """Calls until they took `least` seconds: the seconds of one, in five runs."""
        x = self.inputs.get(rows)
        if x is None:
            copies = -(-rows // len(self.setting.x))
            x = self.inputs[rows] = np.tile(self.setting.x, (copies, 1))[:rows].copy()
        start = time.perf_counter()
        y = self.peer.predict(x)
        once = time.perf_counter() - start
        seconds, cores = [once], 0.0
        if least:
            calls = max(1, int(least / 5 / max(once, 1e-7)))
            start, used = time.perf_counter(), time.process_time()
            seconds = [self._calls(x, calls) for _ in range(5 if once < least else 1)]
            cores = (time.process_time() - used) / (time.perf_counter() - start)
        return {"seconds": seconds, "outputs": self._comparable(y[:100]), "cores": cores}

    def _calls(self, x: Array, calls: int) -> float:
        predict = self.peer.predict
        start = time.perf_counter()
        for _ in range(calls):
            predict(x)
        return (time.perf_counter() - start) / calls

    def _comparable(self, y: Array) -> list[list[float]]:
        """Probabilities of classes, whatever the peer gives; values as they are."""
        y = np.asarray(y, np.float64).reshape(len(y), -1)
        if self.workload.task == "classes" and not self.peer.probabilities:
            e = np.exp(y - y.max(axis=1, keepdims=True))
            y = e / e.sum(axis=1, keepdims=True)
        rounded: list[list[float]] = y.round(6).tolist()
        return rounded


def main() -> None:
    # Whatever a framework prints goes to stderr; the replies have the pipe for themselves.
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    name, key, path = sys.argv[1:]

    def reply(**what: Any) -> None:
        replies.write(json.dumps(what) + "\n")

    setting = Setting.load(Path(path))
    loaded = time.perf_counter()
    try:
        peer = PEERS[name].make()
        peer.prepare(WORKLOADS[key], setting)
    except UnavailableError as error:
        reply(unavailable=str(error))
        return
    trained: int = getattr(peer, "networks", WORKLOADS[key].networks)
    reply(seconds=time.perf_counter() - loaded, networks=trained)
    worker = Worker(peer, WORKLOADS[key], setting)
    for line in sys.stdin:
        command = json.loads(line)
        reply(**getattr(worker, command.pop("do"))(**command))


if __name__ == "__main__":
    main()
