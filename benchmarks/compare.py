"""chainrule beside other libraries: the same networks, data, first weights and batches.

    python benchmarks/environments.py                # once: an environment for each library
    python benchmarks/compare.py [--workloads a,e,s] [--peers torch,jax,old-jax] [--rounds 9]
                                 [--again 3] [--quick] [--json] [--out benchmarks/results]

Training, timed as whole fits, in µs a step (the data and sizes are in `workloads.py`):

* a: 2-10-3, the spiral; b: 784-50-10; c: 784-512-256-10; d: 784-1024-1024-1024-10; e: regression
* s: 4-32-16-4, 10,000 rows at once, what SimpleChains (Julia) published
* m1 to m4: 64 and 1,000 networks at once, of a and of e, in µs a step of one

and using what was trained, from NumPy array to NumPy array, starting, and memory:

* f1: one row through b's network; f2: 100,000 rows through c's
* g: a fresh process from import to a trained spiral network, with compiled code in its caches
* h: the most memory held by a process that trains c for an epoch
* i: a fresh process from import to the first steps of the spiral, with nothing in any cache
* j1, j2: our first fit, with nothing in its cache, of the digits network and of an RNN
* k: the command `chainrule train digits`, with nothing in its cache

A peer whose environment is absent is left out with a line. Every peer has a process of its own for
a workload, with the threads it takes by default, idle while others have their turn; the turns go
round, and the tables show medians over the rounds. Importing, compiling and a first epoch are not
in the times but in a column of their own. Everyone draws the order of the rows anew for every
epoch, from the same seed (but where all rows are one batch, and for JAX's many networks, which get
theirs beforehand). Every peer's losses must agree with ours. Where other programs use the machine,
`--again 3` takes a turn that they disturb up to three times more, and keeps the one least disturbed;
the page says in any case how busy others were.

A step cannot be faster than the processor multiplies, nor than memory moves: `machine.py` measures
both here, and each row has its limits. For c and d, the step's bare matrix products and Adam's
memory traffic are timed as well, with the BLAS that SciPy brings.

There is a file of results for each family of processors: FAMILY.md, .json and .png. Rows that are
not measured in a run stay as they were, each with its date.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import machine
from benchmarks.comparison.installed import sizes
from benchmarks.comparison.measuring import Comparison
from benchmarks.comparison.picture import draw
from benchmarks.comparison.processes import ROOT, installed
from benchmarks.comparison.report import figures_table, report, targets_table
from benchmarks.comparison.rows import ROWS
from benchmarks.environments import OURS
from benchmarks.peers import PEERS

#: Changes when a file of results cannot be added to any more.
FORMAT = 2


#: What ours runs on.
NEEDED = ("chainrule", "numpy", "scipy", "llvmlite")


def our_versions() -> dict[str, str]:
    """Of chainrule and what it runs on."""
    there = installed(OURS)["distributions"]
    return {name: there[name]["version"] for name in NEEDED if name in there}


def commit() -> str:
    """The commit that is measured."""
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def earlier(path: Path) -> dict[str, Any]:
    """The results of earlier runs on this family; empty, if there are none of this format."""
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return results if results.get("format") == FORMAT else {}


def best_of(found: machine.Machine, *others: dict[str, Any]) -> machine.Machine:
    """A machine by its best measurements: other programs only take away."""
    for other in others:
        if (other["cpu"], other["cores"]) == (found.cpu, found.cores):
            rates = {int(size): rate for size, rate in other["bandwidth"].items()}
            found = replace(
                found,
                peak=max(found.peak, other["peak"]),
                peak_alone=max(found.peak_alone, other["peak_alone"]),
                bandwidth={s: max(r, rates.get(s, 0.0)) for s, r in found.bandwidth.items()},
            )
    return found


def options_from(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workloads", default=",".join(ROWS), help="for example a,b,f1")
    parser.add_argument("--peers", help="for example torch,jax; ours always run")
    parser.add_argument("--rounds", type=int, help="9; with --quick 3")
    parser.add_argument(
        "--again", type=int, default=0, metavar="N",
        help="take a turn again, up to N times, while others keep the cores busy",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="short turns; rough figures")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args(arguments)
    wanted = []
    for name in options.workloads.split(","):
        matching = [row for row in ROWS.values() if row.key.startswith(name) and name]
        if not matching:
            parser.error(f"--workloads: {name!r} is none of {', '.join(ROWS)}")
        wanted += matching
    options.workloads = list({row.key: row for row in wanted}.values())
    if options.peers is not None:
        options.peers = tuple(options.peers.split(","))
        for name in options.peers:
            if not any(known.startswith(name) for known in PEERS):
                parser.error(f"--peers: {name!r} is none of {', '.join(PEERS)}")
    options.rounds = options.rounds or (3 if options.quick else 9)
    return options


def results_with(
    known: dict[str, Any], measured: dict[str, Any], absent: dict[str, str], found: machine.Machine
) -> dict[str, Any]:
    """What was known of this family, with the rows that were measured now."""
    rows = {**known.get("rows", {}), **measured}
    taken_part = {name for row in rows.values() for name in row["figures"]}
    absent = {**known.get("absent", {}), **absent}
    earlier_machine = [known["machine"]] if known else []
    results = {
        "format": FORMAT,
        "machine": best_of(found, *earlier_machine).json(),
        "versions": our_versions(),
        "rows": {key: rows[key] for key in ROWS if key in rows},
        "installed": sizes(),
        "absent": {name: why for name, why in absent.items() if name not in taken_part},
    }
    read: dict[str, Any] = json.loads(json.dumps(results))  # as it will be read
    return read


def write(results: dict[str, Any], path: Path) -> None:
    """The file, the page and the picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(report(results), encoding="utf-8")
    draw(results, path.with_suffix(".png"))


def main(arguments: list[str] | None = None) -> None:
    options = options_from(arguments)
    found, measured = machine.measure(), {}
    path = options.out / f"{found.family}.json"
    known = earlier(path)
    with TemporaryDirectory() as room:
        comparison = Comparison(options, Path(room))
        for row in options.workloads:  # what is interrupted keeps the rows before
            measured[row.key] = {**comparison.measure(row), "commit": commit()}
            results = results_with(known, measured, comparison.absent, found)
            write(results, path)
    if options.json:
        print(json.dumps(results, indent=1))
        return
    for key in measured:
        print(figures_table(key, results["rows"][key]), end="\n\n")
    print(targets_table({key: results["rows"][key] for key in measured}))


if __name__ == "__main__":
    main()
