"""chainrule's presets for tables beside other models, all at their defaults, on real tables.

    python benchmarks/environments.py tables         # once: the peers, and where the tables come from
    apt install dataset-fashion-mnist                # one of the tables
    python benchmarks/tables.py [--tables pima,tips] [--models table,realmlp] [--splits 3]
                                [--raw FILE] [--out FOLDER] [--patience 1800]

Every fit is a process of its own on one thread, and gets the same training rows as its peers, three
quarters of a table; the fits of a split come one after the other. The error is that of the other
quarter: the part of wrong classes, or the root of the mean squared error over the standard deviation.
Results are added to the file of raw results as they come, and fits that it has are not done again,
so a run may be stopped and goes on later. From all that it has come the page and the picture.

With `--splits 10 --models table,realmlp --tables ...` two models are compared over ten seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from benchmarks.comparison.installed import size
from benchmarks.environments import python
from benchmarks.tabular.models import MODELS, PEERS
from benchmarks.tabular.report import write
from benchmarks.tabular.sources import TABLES

ROOT = Path(__file__).resolve().parents[1]


def process(environment: str, module: str, *given: str, patience: float | None = None) -> Any:
    """The JSON that a module prints, run by itself on one thread."""
    threads = ("OMP", "OPENBLAS", "MKL", "NUMBA", "CHAINRULE")
    surroundings = {
        **os.environ,
        **{f"{name}_NUM_THREADS": "1" for name in threads},
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
    }
    done = subprocess.run(
        [python(environment), "-m", f"benchmarks.tabular.{module}", *given],
        env=surroundings, capture_output=True, text=True, timeout=patience,
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise RuntimeError(said[-1][:200] if said else "ended without a word")
    return json.loads(done.stdout.splitlines()[-1])


def fit(model: str, seed: int, folder: str, patience: float) -> dict[str, Any]:
    """One fit, or why it failed."""
    given = (model, str(seed), folder)
    try:
        found: dict[str, Any] = process(
            MODELS[model].environment, "worker", *given, patience=patience
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"took more than {patience:.0f} s"}
    except RuntimeError as error:
        return {"failed": str(error)}
    return found


def main() -> None:
    """Do the fits that are missing, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--patience", type=float, default=1800.0, help="seconds for one fit")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "tables")
    parser.add_argument("--raw", type=Path, help="tables.jsonl in --out by default")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    raw = options.raw or options.out / "tables.jsonl"
    names, models = options.tables.split(","), options.models.split(",")
    for name in {*names} - {*TABLES}:
        parser.error(f"{name!r} is none of {', '.join(TABLES)}")
    for name in {*models} - {*MODELS}:
        parser.error(f"{name!r} is none of {', '.join(MODELS)}")
    known = [json.loads(line) for line in raw.read_text().splitlines()] if raw.exists() else []
    there = {(r["table"], r["split"], r["model"]) for r in known if "table" in r}
    absent = [m for m in models if not python(MODELS[m].environment).exists()]
    for model in absent:
        print(f"{model}: left out; python benchmarks/environments.py {MODELS[model].environment}")
    for name in names:
        for seed in range(options.splits):
            missing = [m for m in models if m not in absent and (name, seed, m) not in there]
            if not missing:
                continue
            with TemporaryDirectory() as room:
                rows = process(PEERS, "sources", name, str(seed), room)["rows"]
                for model in missing:
                    started = time.perf_counter()
                    found = fit(model, seed, room, options.patience)
                    place = {"table": name, "rows": rows, "split": seed, "model": model}
                    add(raw, known, {**place, **found})
                    told = found.get("failed") or f"{found['error']:.4f}"
                    seconds = time.perf_counter() - started
                    print(f"{name} {seed} {model}: {told}, {seconds:.0f} s", flush=True)
    told = {r["model"] for r in known if "installed" in r}
    for model in [m for m in models if m not in absent and m not in told]:
        asked = list(MODELS[model].asked)
        installed = size(model, MODELS[model].environment, asked)["bytes"] / 1e6
        add(raw, known, {"model": model, "installed": round(installed)})
    write(known, options.out)


def add(raw: Path, known: list[dict[str, Any]], record: dict[str, Any]) -> None:
    """Add a record to the file of raw results."""
    known.append(record)
    with raw.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
