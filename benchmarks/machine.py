"""The machine: its processor's family, how fast it multiplies and adds, how fast it moves memory.

    python benchmarks/machine.py

Peak: multiply-adds on full vectors, twelve chains at once, float32, counted as two operations;
on one core, and for a core while all are busy. Bandwidth: y += a x over arrays of a given size,
shared among the cores: two numbers read and one written, 12 bytes. What counts is the processor's
time, and of that the best of some tries, since other programs on the machine only take away.
"""

from __future__ import annotations

import functools
import os
import platform
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

if __name__ == "__main__":
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import kernels

#: Tries, and seconds of one.
TRIES, SECONDS = 7, 0.03
#: Sizes that bandwidth is printed at: a core's first and second cache, the last cache, memory.
SIZES = (2**14, 2**18, 2**23, 2**28)


@dataclass(frozen=True)
class Machine:
    """What is known of a machine, and was measured."""

    cpu: str
    family: str
    cores: int
    lanes: int
    system: str
    python: str
    settings: dict[str, str]
    #: GFLOP/s of one core by itself, and of each while all are busy.
    peak_alone: float
    peak: float
    #: GB/s of all cores over arrays of so many bytes.
    bandwidth: dict[int, float]

    def json(self) -> dict[str, Any]:
        return asdict(self)


def cores() -> int:
    """How many cores this process may use."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


def cpu() -> str:
    """What the processor calls itself."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if models:
            return models[0]
    if platform.system() == "Darwin":
        asked = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    return platform.processor() or platform.machine()


def busy() -> float | None:
    """Seconds that the cores have been busy, with all programs together, where Linux tells."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    user, nice, system, _, _, *interrupts = map(int, stat.read_text().split()[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def family() -> str:
    """The processor's family, such as znver3: what result files are named by."""
    return kernels.family()


def best_time(works: list[Callable[[int], None]]) -> float:
    """The processor's seconds of a round of one of the works, each on a thread of its own."""
    with ThreadPoolExecutor(len(works)) as threads:

        def seconds(rounds: int) -> float:
            start = time.process_time()
            list(threads.map(lambda work: work(rounds), works))
            return (time.process_time() - start) / len(works)

        rounds = 1
        while (took := seconds(rounds)) < SECONDS / 2:
            rounds = max(2 * rounds, int(rounds * SECONDS / max(took, SECONDS / 1000)))
        return min(seconds(rounds) for _ in range(TRIES)) / rounds


def multiply_add_data() -> npt.NDArray[np.float32]:
    """Numbers for `kernels.multiply_adds`: its chains differ, and tend to 2."""
    first = np.repeat(np.arange(1, kernels.CHAINS + 1), kernels.lanes())
    last = np.repeat([0.5, 1.0], kernels.lanes())
    return np.concatenate([first, last]).astype(np.float32)


def peak(threads: int) -> float:
    """GFLOP/s of each of so many cores, all busy at once."""
    kernel = kernels.multiply_adds()
    inner = 1000

    def work(data: npt.NDArray[np.float32]) -> Callable[[int], None]:
        return lambda rounds: kernel(rounds * inner, data.ctypes.data)

    works = [work(multiply_add_data()) for _ in range(threads)]
    return 2 * kernels.CHAINS * kernels.lanes() * inner / best_time(works) / 1e9


@functools.cache
def bandwidth(size: int, threads: int | None = None) -> float:
    """GB/s over two arrays of together so many bytes, shared among the cores."""
    threads = threads or cores()
    kernel = kernels.scaled_sum()
    whole = kernels.UNROLLED * kernels.lanes()
    n = max(whole, size // 8 // threads // whole * whole)
    arrays = [(np.ones(n, np.float32), np.ones(n, np.float32)) for _ in range(threads)]

    def work(y: Any, x: Any) -> Callable[[int], None]:
        return lambda rounds: kernel(rounds, n, y.ctypes.data, x.ctypes.data, 1e-7)

    return 12 * n * threads / best_time([work(y, x) for y, x in arrays]) / 1e9


def measure() -> Machine:
    """The machine as it is found now."""
    settings = {k: v for k, v in os.environ.items() if k.endswith(("NUM_THREADS", "WAIT_POLICY"))}
    return Machine(
        cpu=cpu(),
        family=family(),
        cores=cores(),
        lanes=kernels.lanes(),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        settings=settings,
        peak_alone=peak(1),
        peak=peak(cores()),
        bandwidth={size: bandwidth(size) for size in SIZES},
    )


def size_text(size: float) -> str:
    """A number of bytes, in KiB or MiB where that is shorter."""
    if size < 2**10:
        return f"{size:.0f} bytes"
    return f"{size / 2**10:.0f} KiB" if size < 2**20 else f"{size / 2**20:.0f} MiB"


def main() -> None:
    found = measure()
    print(f"{found.cpu} ({found.family}), {found.cores} cores, {found.lanes} float32 a vector")
    print(f"peak: {found.peak_alone:.0f} GFLOP/s on one core, {found.peak:.0f} on each of all")
    for size, rate in found.bandwidth.items():
        print(f"bandwidth over {size_text(size):>8}: {rate:.1f} GB/s")


if __name__ == "__main__":
    main()
