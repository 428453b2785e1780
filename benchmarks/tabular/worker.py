"""Fits a model on the training rows of a table, and prints what came of it as JSON.

python -m benchmarks.tabular.worker MODEL SEED FOLDER, where FOLDER has table.csv and split.json
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from benchmarks.tabular.models import MODELS


def measure(name: str, seed: int, folder: Path) -> dict[str, Any]:
    """Fit and predict, and what both took."""
    known = json.loads((folder / "split.json").read_text(encoding="utf-8"))
    kinds = dict.fromkeys(known["texts"], str)
    frame = pandas.read_csv(
        folder / "table.csv", dtype=kinds, keep_default_na=False, na_values=[""]
    )
    t, frame = frame.pop(known["target"]), frame.astype(dict.fromkeys(known["texts"], object))
    training, held = frame.iloc[known["training"]], frame.iloc[known["held"]]
    model = MODELS[name].make(known["regression"], training, seed)
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit(training, t.iloc[known["training"]])
    fitted, fitted_cpu = time.perf_counter(), time.process_time()
    y = np.asarray(model.predict(held))
    seconds = time.perf_counter() - fitted
    true = t.iloc[known["held"]].to_numpy()
    apart = y - true if known["regression"] else y != true
    mean = np.mean(apart**2 if known["regression"] else apart)
    return {
        "error": float(np.sqrt(mean) / true.std() if known["regression"] else mean),
        "fit": fitted - wall,
        "fit_cpu": fitted_cpu - cpu,
        "predict": seconds,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # that 200 epochs are not enough, say
    logging.disable(logging.CRITICAL)
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))))
