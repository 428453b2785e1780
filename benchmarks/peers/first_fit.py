"""A fresh process: the seconds from calling `fit` for the first time to its end.

python -m benchmarks.peers.first_fit STRUCTURE ENGINE
"""

from __future__ import annotations

import json
import sys
import time

from benchmarks.structures import STRUCTURES

import chainrule as cr

#: Steps of the fit: a few, so that it is recording and compiling that take the time.
STEPS = 20


def main() -> None:
    name, engine = sys.argv[1:]
    structure = STRUCTURES[name]
    x, t = structure.data(structure.batch * STEPS)
    trainer = cr.Trainer(structure.make(), structure.optimizer(), engine=engine)
    start = time.perf_counter()
    history = trainer.fit(x, t, 1, structure.batch, progress=None)
    seconds = time.perf_counter() - start
    if trainer.engine_used != engine:
        print(json.dumps({"unavailable": str(trainer.engine_reason)}))
        return
    print(json.dumps({"fit": seconds, "loss": history.epochs[-1]["loss"]}))


if __name__ == "__main__":
    main()
