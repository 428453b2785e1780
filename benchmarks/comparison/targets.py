"""How ours should compare with others, and whether it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.comparison.measuring import Figures, first_of_ours, ratio


@dataclass(frozen=True)
class Target:
    """Ours at least so many times as fast as a rival, or at most so many times its figure."""

    row: str
    rival: str  # a peer, or "framework": the fastest
    times: float
    within: bool = False  # ours at most so many times the rival
    ours: str = "ours"  # a peer, or "ours": the compiled engine

    def text(self) -> str:
        return f"≤ {self.times:g}× theirs" if self.within else f"≥ {self.times:g}× as fast"

    def judge(self, figures: Figures) -> dict[str, Any]:
        """Who was compared, what was reached, and whether that is enough; None if not measured."""
        ours = first_of_ours(figures) if self.ours == "ours" else self.ours
        rival: str | None = self.rival
        if rival == "framework":
            frameworks = [n for n, f in figures.items() if f["kind"] in ("framework", "one call")]
            rival = min(frameworks, key=lambda n: float(figures[n]["median"]), default=None)
        verdict: dict[str, Any] = {"workload": self.row, "target": self.text()}
        verdict |= {"ours": ours, "rival": rival, "reached": None, "met": None}
        if ours in figures and rival in figures:
            times = ratio(figures[rival], figures[ours])
            verdict["reached"] = f"{1 / times if self.within else times:.2f}×"
            verdict["met"] = 1 / times <= self.times if self.within else times >= self.times
        return verdict


@dataclass(frozen=True)
class Throughput:
    """Ours does at least so many operations a second on each core that it keeps busy."""

    row: str
    gflops: float

    def judge(self, figures: Figures) -> dict[str, Any]:
        """As a Target's."""
        ours = first_of_ours(figures)
        verdict: dict[str, Any] = {"workload": self.row, "ours": ours, "rival": None}
        verdict |= {"target": f"≥ {self.gflops:g} GFLOP/s a core", "reached": None, "met": None}
        if ours is not None:
            reached = figures[ours]["gflops_a_core"]
            verdict |= {"reached": f"{reached:.1f}", "met": reached >= self.gflops}
        return verdict


#: A framework is the fastest of its ways and versions, one call for a whole fit among them.
TARGETS: tuple[Target | Throughput, ...] = (
    Target("a", "framework", 10),
    Target("b", "framework", 1.8),
    Target("c", "framework", 1.15),
    Target("c", "bare", 1.15, within=True),
    Target("d", "framework", 1),
    Target("d", "bare", 1.15, within=True),
    Target("e", "framework", 2),
    Target("e", "torch", 15),
    Target("s", "framework", 1),
    Throughput("s", 50),
    Target("f1", "framework", 3),
    Target("f1", "numpy", 1.5),
    Target("f2", "framework", 0.9),
    *(
        Target(row, rival, times, ours="chainrule-many")
        for row in ("m1", "m2", "m3", "m4")
        for rival, times in (("chainrule-loop", 5), ("framework", 3))
    ),
    Target("g", "framework", 1),
    Target("h", "torch", 0.5, within=True),
    Target("i", "framework", 1),
    Target("k", "chainrule-numpy", 1, within=True, ours="chainrule-auto"),
)
