"""The playground's session alone: samples a second beside 30 frames a second, and ways back.

    python benchmarks/playground.py [--seconds 5]

The goal: at least 200,000 samples a second with 30 frames a second, for the default network.
As in `chainrule play`, NumPy's own products run on one thread.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

for library in ("OPENBLAS", "OMP", "MKL"):  # before NumPy is imported
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

from chainrule.playground.session import Session  # noqa: E402

FRAMES = 30
SLICE = 0.01
CASES: dict[str, dict[str, Any]] = {
    "2-4-2-1 (default)": {},
    "2-4-2-1 Adam": {"optimizer": "Adam"},
    "7-8-8-8-1 spiral": {
        "data": "spiral",
        "features": ["x", "y", "x2", "y2", "xy", "sinx", "siny"],
        "hidden": [8, 8, 8],
    },
    "2-8-8-3 softmax": {"data": "book_spiral", "hidden": [8, 8], "loss": "softmax"},
    "64-32-10 digits": {"data": "digits", "hidden": [32], "loss": "softmax"},
    "2-64x6-1 (largest)": {"hidden": [64] * 6, "optimizer": "Adam", "learning_rate": 0.001},
}


def median_ms(work: Callable[[], object], times: int = 30) -> float:
    """The median time of something, in milliseconds."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return 1e3 * statistics.median(found)


def train(session: Session, seconds: float) -> tuple[float, float]:
    """Samples and frames a second while it plays."""
    session.do({"do": "play"})
    session.advance(0.2)
    first, began = session.run.step, time.perf_counter()
    frames, due = 0, began
    while (now := time.perf_counter()) < began + seconds:
        session.advance(SLICE)
        if now >= due:
            session.frame().to_bytes()
            frames, due = frames + 1, due + 1 / FRAMES
    passed = time.perf_counter() - began
    session.do({"do": "pause"})
    steps = session.run.step - first
    return steps * session.run.settings.batch_size / passed, frames / passed


def go_back(session: Session) -> float:
    """The longest of some ways back, in milliseconds."""
    end, found = session.run.end, []
    for part in (0.999, 0.5, 0.731, 0.1, 0.9):
        began = time.perf_counter()
        session.do({"do": "goto", "step": int(part * end)})
        while session.advance(SLICE):
            pass
        found.append(time.perf_counter() - began)
    return 1e3 * max(found)


def main() -> None:
    """Measure every case, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each network")
    seconds = parser.parse_args().seconds
    print(f"{'network':<20} samples/s  frames/s  frame ms  state ms  back ms  KiB kept")
    for name, settings in CASES.items():
        session = Session()
        reply = session.do({"do": "configure", "settings": settings})
        assert reply.kind == "reply", reply.fields
        samples, frames = train(session, seconds)
        frame = median_ms(lambda s=session: s.frame().to_bytes())  # type: ignore[misc]
        state = median_ms(lambda s=session: s.state().to_bytes())  # type: ignore[misc]
        kept = session.run.nbytes / 1024
        back = go_back(session)
        print(
            f"{name:<20} {samples:>9,.0f} {frames:>9.1f} {frame:>9.2f} {state:>9.2f}"
            f" {back:>8.0f} {kept:>9,.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
