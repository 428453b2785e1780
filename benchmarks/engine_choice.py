"""What compiling costs and saves: measured on networks of many structures, and fitted.

    python benchmarks/engine_choice.py                # measure, fit, print the constants
    python benchmarks/engine_choice.py --read FILE    # fit what was measured before

The constants stand in `chainrule.engine.cost`. Every time is that of the processor (threads added
up, BLAS on one thread), so that other programs on the machine matter little. A network is measured
in a process of its own, with an empty cache. After another compiler, or on other machines, run it
anew; a factor of 2 in all of them changes few choices, as both sides of the comparison move.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
ALONE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
from benchmarks.structures import STRUCTURES  # noqa: E402

import chainrule as cr  # noqa: E402
from chainrule.engine.cost import Estimate, Work, compiled_of, duration, estimate, paced  # noqa: E402
from chainrule.training.cost import step_work  # noqa: E402

Array = npt.NDArray[np.float64]
#: Steps of an epoch, and the seconds a measurement takes at least.
STEPS, LEAST = 20, 0.15


def measured(name: str) -> dict[str, Any]:
    """The seconds of the processor that a step takes on each engine, and compiling it."""
    structure = STRUCTURES[name]
    x, t = structure.data(structure.batch * STEPS)

    def trainer(engine: str) -> cr.Trainer:
        return cr.Trainer(structure.make(), structure.optimizer(), engine=engine, threads=1)

    def seconds(trained: cr.Trainer, epochs: int) -> float:
        began = time.process_time()
        trained.fit(x, t, epochs, structure.batch, progress=None)
        return time.process_time() - began

    def pace(trained: cr.Trainer) -> float:
        epochs = 1
        while seconds(trained, epochs) < LEAST:
            epochs *= 2
        return min(seconds(trained, epochs) for _ in range(3)) / (epochs * STEPS)

    compiled = trainer("compiled")
    found: dict[str, Any] = {"name": name, "numpy": pace(trainer("numpy"))}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CHAINRULE_CACHE"] = folder
        first = seconds(compiled, 1)
        assert compiled.engine_used == "compiled", compiled.engine_reason
        found["compiled"] = pace(compiled)
    found["compiling"] = first - STEPS * found["compiled"]
    return found


def work_in(name: str) -> Work:
    """The work of a step of a structure."""
    structure = STRUCTURES[name]
    network = structure.make()
    return step_work(
        network, structure.optimizer(), *network._prepare(*structure.data(structure.batch))
    )


def fitted(rows: Array, seconds: Array, least: Array) -> Array:
    """Prices of some amounts that add up to the seconds, errors counted in parts of these."""
    from scipy.optimize import nnls

    over: Array = nnls(rows / seconds[:, None], 1 - rows @ least / seconds)[0]
    return least + over


def report(measurements: list[dict[str, Any]]) -> None:
    """Print the fit, and how near it comes."""
    works = [work_in(m["name"]) for m in measurements]
    steps, kernels = (np.array([f(w) for w in works]) for f in (paced, compiled_of))
    compiled, numpy, compiling = (
        np.array([m[key] for m in measurements]) for key in ("compiled", "numpy", "compiling")
    )
    found = {"COMPILED": fitted(steps, compiled, np.zeros(steps.shape[1]))}
    # NumPy is no faster at anything: what the fit cannot tell apart is not to say so.
    found["NUMPY"] = fitted(steps, numpy, found["COMPILED"])
    found["COMPILING"] = fitted(kernels, compiling, np.zeros(kernels.shape[1]))
    for key, prices in found.items():
        print(f"{key} = ({', '.join(f'{p:.2g}' for p in prices)})")
    print(
        "\nin use now           calls  numpy µs (estimated)  compiled µs    compiling s     pays from"
    )
    for m, w in zip(measurements, works, strict=True):
        now = estimate(w)
        true = Estimate(m["compiling"], m["numpy"], m["compiled"], by_hand=False)
        pays = [e.compiling / max(e.numpy - e.compiled, 1e-9) for e in (true, now)]
        print(
            f"{m['name']:24}{w.calls:5}{m['numpy'] * 1e6:10.0f} ({now.numpy * 1e6:.0f})"
            f"{m['compiled'] * 1e6:12.0f} ({now.compiled * 1e6:.0f})"
            f"{m['compiling']:10.1f} ({now.compiling:.1f})"
            f"   {pays[0]:,.0f} ({pays[1]:,.0f}) steps, {duration(pays[0] * m['numpy'])}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="measure this one, and print it as JSON")
    parser.add_argument("--read", help="a file of measurements, one a line, to fit")
    parser.add_argument("--keep", help="add the measurements to this file")
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measured(options.only)))
        return
    lines: list[str] = []
    if options.read:
        lines = Path(options.read).read_text().splitlines()
    else:
        for name in STRUCTURES:
            command = [sys.executable, __file__, "--only", name]
            out = subprocess.run(
                command, env={**os.environ, **ALONE}, stdout=subprocess.PIPE, text=True, check=True
            ).stdout
            print(out, end="", file=sys.stderr, flush=True)
            lines.append(out)
            if options.keep:
                with open(options.keep, "a") as file:
                    file.write(out)
    report([json.loads(line) for line in lines])


if __name__ == "__main__":
    main()
