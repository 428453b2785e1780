"""`chainrule train` on a CSV file several times larger than the memory it may use.

    python benchmarks/large_csv.py --size 5 --limit 1 --folder /var/tmp

writes a file of `--size` GiB, trains on it in a process that may have `--limit` GiB of private memory
(RLIMIT_DATA, which the kernel enforces), and prints the seconds and the peaks of memory. Mapped files
count in the process's resident memory while the machine has room for them, and not in its private
memory: the system takes their pages back when another needs them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

COLUMNS, ROWS = 24, 20_000
GIB = 1 << 30


def write(path: Path, size: int) -> int:
    """Write at least `size` bytes: numbers with gaps, whole numbers, a category, a class; gives the rows."""
    rng = np.random.default_rng(0)
    rows = 0
    with open(path, "w") as file:
        file.write(",".join(f"c{j}" for j in range(COLUMNS)) + ",count,place,label\n")
        while file.tell() < size:
            x = rng.normal(size=(ROWS, COLUMNS))
            label = np.where(x[:, 0] + x[:, 1] * x[:, 2] > 0, "yes", "no")
            place = rng.choice(["north", "south", "east", ""], ROWS)
            count = rng.integers(0, 100_000, ROWS)
            gap = rng.random(ROWS) < 0.05
            lines = []
            for i, row in enumerate(x.tolist()):
                cells = [f"{v:.5f}" for v in row]
                if gap[i]:
                    cells[3] = "NA"
                lines.append(f"{','.join(cells)},{count[i]},{place[i]},{label[i]}\n")
            file.writelines(lines)
            rows += ROWS
    return rows


def train(path: Path, limit: int, out: Path) -> dict[str, object]:
    """Train in a process of its own under the limit, and watch its memory."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    command = [
        sys.executable, "-m", "chainrule", "train", str(path), "--target", "label", "--epochs", "1",
        "--preset", "plain", "--out", str(out), "--force", "--json",
    ]  # fmt: skip
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=limited)
    peaks = {"VmData": 0, "RssAnon": 0, "RssFile": 0, "VmRSS": 0}

    def watch() -> None:
        while process.poll() is None:
            try:
                text = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                return
            for line in text.splitlines():
                key, _, value = line.partition(":")
                if key in peaks:
                    peaks[key] = max(peaks[key], int(value.split()[0]) * 1024)
            time.sleep(0.2)

    watcher = threading.Thread(target=watch)
    watcher.start()
    output = process.communicate()[0]
    watcher.join()
    if process.returncode:
        raise SystemExit(f"training ended with {process.returncode}")
    facts = json.loads(output)
    return {
        "seconds in all": round(time.perf_counter() - started, 1),
        "seconds of training": facts["seconds"],
        "engine": facts["training"]["engine"],
        "rows": facts["data"]["rows"],
        "held out": facts["held_out"],
        **{f"{key} MiB": round(peak / 2**20) for key, peak in peaks.items()},
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=float, default=5, help="of the file, in GiB")
    parser.add_argument("--limit", type=float, default=1, help="of private memory, in GiB")
    parser.add_argument("--file", default=None, help="an earlier file of this script, to train on")
    parser.add_argument("--folder", default=None, help="where the file goes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(options.file or Path(folder, "large.csv"))
        if options.file is None:
            started = time.perf_counter()
            write(path, int(options.size * GIB))
            print(f"written in {time.perf_counter() - started:.0f} s", flush=True)
        size = os.path.getsize(path)
        found = train(path, int(options.limit * GIB), Path(folder, "m.safetensors"))
        print(
            json.dumps(
                {"file GiB": round(size / GIB, 2), "limit GiB": options.limit, **found}, indent=2
            )
        )


if __name__ == "__main__":
    main()
