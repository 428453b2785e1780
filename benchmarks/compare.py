"""chainrule beside other libraries: the same networks, data, first weights and batches.

    python benchmarks/compare.py [--workloads a,b,c,d,e,f1,f2,g,h] [--peers torch,jax] [--rounds 9]
                                 [--quick] [--json] [--out benchmarks/results]

Training, timed as whole fits, in µs a step (the data and sizes are in `workloads.py`):

* a: 2-10-3, the spiral; b: 784-50-10; c: 784-512-256-10; d: 784-1024-1024-1024-10; e: regression

and using what was trained, from NumPy array to NumPy array, starting, and memory:

* f1: one row through b's network; f2: 100,000 rows through c's
* g: a fresh process from import to a trained spiral network, with compiled code in its caches
* h: the most memory held by a process that trains c for an epoch

A peer that is not installed is left out with a line. Every peer has a process of its own for a
workload, with the threads it takes by default, idle while others have their turn; the turns go
round, and the tables show medians over the rounds. Importing, compiling and a first epoch are
not in the times but in a column of their own. Everyone draws the order of the rows anew for every
epoch, from the same seed. Every peer's losses must agree with ours.

For c and d, the step's bare matrix products and Adam's memory traffic are timed too, which is
about as fast as a step can be here. "Ours" is the compiled engine. Written to the output folder:
compare.md, .json and .png.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import queue
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.peers import PEERS, Entry, version
from benchmarks.workloads import WORKLOADS, make_setting

ROOT = Path(__file__).resolve().parent.parent
#: How far a peer's mean loss (or its outputs) may be from ours.
TOLERANCE = 1e-3
#: Seconds between turns: longer than threads of any peer keep looking for more work.
PAUSE = 0.3


@dataclass(frozen=True)
class Row:
    """What is measured in one workload, and in what unit."""

    key: str
    title: str
    unit: str
    scale: float  # from seconds or bytes to the unit
    network: str  # the workload whose network it is


ROWS = {
    row.key: row
    for row in (
        *(Row(w.key, w.title, "µs a step", 1e6, w.key) for w in WORKLOADS.values()),
        Row("f1", "predict 1 row, 784-50-10", "µs", 1e6, "b"),
        Row("f2", "predict 100,000 rows, 784-512-256-10", "ms", 1e3, "c"),
        Row("g", "fresh process to trained spiral", "s", 1.0, "a"),
        Row("h", "peak memory, training 784-512-256-10", "MB", 1e-6, "c"),
    )
}


@dataclass(frozen=True)
class Target:
    """How ours should compare: at least so many times as fast as a rival, or as light."""

    row: str
    ours: str  # a peer, or "ours": the compiled engine
    rival: str  # a peer, or "framework": the fastest
    times: float
    within: bool = False  # ours at most so many times the rival, instead

    def text(self) -> str:
        if self.within:
            return f"≤ {self.times:g}× theirs"
        return f"{'>' if self.times == 1 and self.row == 'g' else '≥'} {self.times:g}× as fast"

    def met(self, ratio: float) -> bool:
        """Whether the ratio of the rival's figure to ours is enough."""
        return 1 / ratio <= self.times if self.within else ratio >= self.times


TARGETS = (
    Target("a", "ours", "framework", 4),
    Target("b", "ours", "framework", 1.25),
    Target("c", "chainrule", "framework", 0.95),
    Target("c", "ours", "limit", 1.15, within=True),
    Target("d", "chainrule", "framework", 0.85),
    Target("d", "ours", "limit", 1.15, within=True),
    Target("e", "ours", "framework", 1.5),
    Target("e", "ours", "torch", 15),
    Target("f1", "ours", "framework", 2),
    Target("f1", "ours", "numpy", 1),
    Target("f2", "chainrule", "framework", 0.9),
    Target("g", "ours", "framework", 1),
    Target("h", "ours", "torch", 0.5, within=True),
)


# -- the peers' processes ----------------------------------------------------------------------


class LeftOutError(Exception):
    """A peer cannot take part in a workload, for the reason given."""


class AbsentError(LeftOutError):
    """A peer cannot take part in any workload."""


class Child:
    """A peer's process, and the lines of JSON that go to it and come back."""

    def __init__(self, entry: Entry, network: str, setting: Path) -> None:
        self.entry, self.network = entry, network
        self.errors = TemporaryFile()  # noqa: SIM115 - open as long as the process
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers.worker", entry.name, network, str(setting)],
            cwd=ROOT,
            env={**os.environ, **entry.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            bufsize=1,
        )
        self.replies: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        #: Since when it idles, its CPU time then, and how long and how busily it has idled.
        self.rested: tuple[float, float] | None = None
        self.idle = self.idle_cpu = 0.0

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.replies.put(line)
        self.replies.put("")

    def reply(self, timeout: float) -> dict[str, Any]:
        """Its next reply; an error if it ends, cannot take part, or takes too long."""
        try:
            line = self.replies.get(timeout=timeout)
        except queue.Empty:
            raise LeftOutError(f"took more than {timeout:.0f} s") from None
        if not line:
            self.errors.seek(0)
            said = self.errors.read().decode(errors="replace").strip().splitlines()
            raise LeftOutError(f"ended: {said[-1][:200] if said else 'without a word'}")
        found: dict[str, Any] = json.loads(line)
        if "unavailable" in found:
            raise AbsentError(found["unavailable"])
        return found

    def ask(self, timeout: float, **command: Any) -> dict[str, Any]:
        if self.rested is not None:
            since, cpu = self.rested
            self.idle += time.perf_counter() - since
            self.idle_cpu += self.cpu() - cpu
            self.rested = None
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # the missing reply says why
            self.process.stdin.write(json.dumps(command) + "\n")
        return self.reply(timeout)

    def rest(self) -> None:
        """It has settled after its turn; from now on it should take no CPU time."""
        self.rested = time.perf_counter(), self.cpu()

    def cpu(self) -> float:
        """The seconds of CPU time it has taken, where the system tells (Linux)."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        if not stat.exists():
            return 0.0
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            if stream is not None:
                stream.close()


# -- measuring ---------------------------------------------------------------------------------


class Comparison:
    """All the turns of all the peers, and the figures they gave."""

    def __init__(self, options: argparse.Namespace, room: Path) -> None:
        self.options, self.room = options, room
        self.started = time.perf_counter()
        self.least = 0.1 if options.quick else 0.4  # seconds that a turn lasts at least
        self.most = 1.5 if options.quick else 5.0  # and about how many it may
        self.patience = 60.0 if options.quick else 180.0  # for a reply
        #: Peers that cannot run here, and why.
        self.absent: dict[str, str] = {}
        self.entries = self._entries()
        self.settings: dict[str, Path] = {}
        self.figures: dict[str, dict[str, dict[str, Any]]] = {}
        self.left_out: dict[str, dict[str, str]] = {}

    def _entries(self) -> list[Entry]:
        chosen = []
        for entry in PEERS.values():
            wanted = self.options.peers is None or entry.name.startswith(self.options.peers)
            if not wanted and entry.kind not in ("ours", "limit"):
                continue
            missing = entry.missing()
            if missing:
                self.absent[entry.name] = f"{' and '.join(missing)} not installed"
                self.say(f"{entry.title}: left out, {self.absent[entry.name]}")
            else:
                chosen.append(entry)
        return chosen

    def say(self, text: str) -> None:
        print(f"[{time.perf_counter() - self.started:5.0f} s] {text}", file=sys.stderr, flush=True)

    def setting(self, network: str) -> Path:
        """The file with the data and first weights."""
        if network not in self.settings:
            self.settings[network] = self.room / f"{network}.npz"
            make_setting(WORKLOADS[network]).save(self.settings[network])
        return self.settings[network]

    def leave_out(self, row: Row, entry: Entry, error: LeftOutError) -> None:
        if isinstance(error, AbsentError):
            self.say(f"{entry.title}: left out, {error}")
            self.absent[entry.name] = str(error)
            self.entries = [e for e in self.entries if e is not entry]
        else:
            self.say(f"{row.key}: {entry.title}: left out, {error}")
            self.left_out[row.key][entry.name] = str(error)
        self.figures[row.key].pop(entry.name, None)

    def run(self, row: Row) -> None:
        """Measure one workload with every peer."""
        self.figures[row.key], self.left_out[row.key] = {}, {}
        entries = [e for e in self.entries if e.kind != "limit" or row.key in ("c", "d")]
        if row.key[0] == "f":
            entries = [e for e in entries if e.predicts]
        if row.key in ("g", "h"):
            self._run_cold(row, entries)
        else:
            self._run_children(row, entries)
        self._compare(row)

    def _run_children(self, row: Row, entries: list[Entry]) -> None:
        children: list[Child] = []
        warm_up = self._warm_up_prediction if row.key[0] == "f" else self._warm_up_training
        try:
            for entry in entries:
                child = Child(entry, row.network, self.setting(row.network))
                try:
                    figure = warm_up(child)
                    self.figures[row.key][entry.name] = {"rounds": [], **figure}
                    children.append(child)
                    self.say(f"{row.key}: {entry.title}: ready, {figure['warm_up']:.1f} s")
                    self._settle(child)
                except LeftOutError as error:
                    child.close()
                    self.leave_out(row, entry, error)
            turn = self._predict if row.key[0] == "f" else self._train
            self._rounds(row, children, turn)
            for child in children:
                if child.entry.name in self.figures[row.key]:
                    busy = child.idle_cpu / child.idle if child.idle else 0.0
                    self.figures[row.key][child.entry.name]["idle_cpu"] = busy
        finally:
            for child in children:
                child.close()

    def _settle(self, child: Child) -> None:
        time.sleep(PAUSE)
        child.rest()

    def _rounds(
        self, row: Row, children: list[Child], turn: Callable[[Row, Child, dict[str, Any]], float]
    ) -> None:
        for i in range(self.options.rounds):
            first = i % max(1, len(children))
            said = []
            for child in children[first:] + children[:first]:
                figure = self.figures[row.key].get(child.entry.name)
                if figure is None:
                    continue
                try:
                    value = turn(row, child, figure) * row.scale
                    figure["rounds"].append(value)
                    said.append(f"{child.entry.name} {short(value)}")
                    self._settle(child)
                except LeftOutError as error:
                    child.close()
                    self.leave_out(row, child.entry, error)
            self.say(f"{row.key}: round {i + 1} of {self.options.rounds}: {', '.join(said)}")

    def _warm_up_training(self, child: Child) -> dict[str, Any]:
        made = child.reply(self.patience)["seconds"]
        first = child.ask(self.patience, do="epochs", k=1)["seconds"][0]
        second = child.ask(self.patience, do="epochs", k=1)["seconds"][0]
        rate, k, before = second, 1, 0
        while k != before:  # as many epochs as fit into a turn, all if they do
            before, most = k, int(self.most / rate)
            k = max(k, min(WORKLOADS[child.network].epochs, most))
            if k != before:  # twice, as some compile for the number of epochs
                again = child.ask(self.patience, do="epochs", k=k)["seconds"][0]
                later = child.ask(self.patience, do="epochs", k=k)["seconds"][0]
                first, rate = first + max(0.0, again - later), later / k
        return {"warm_up": made + max(0.0, first - second), "epochs": k}

    def _train(self, row: Row, child: Child, figure: dict[str, Any]) -> float:
        """Seconds a step."""
        k = figure["epochs"]
        found = child.ask(self.patience, do="epochs", k=k, least=self.least)
        figure["losses"] = found["losses"]
        steps: int = k * WORKLOADS[row.network].steps
        return float(statistics.median(found["seconds"])) / steps

    def _warm_up_prediction(self, child: Child) -> dict[str, Any]:
        made = child.reply(self.patience)["seconds"]
        return {"warm_up": made}

    def _predict(self, row: Row, child: Child, figure: dict[str, Any]) -> float:
        """Seconds a call."""
        rows = 1 if row.key == "f1" else 100_000
        if "outputs" not in figure:
            found = child.ask(self.patience, do="predict", rows=rows)
            figure["warm_up"] += found["seconds"][0]
        found = child.ask(self.patience, do="predict", rows=rows, least=self.least)
        figure["outputs"] = found["outputs"]
        return float(statistics.median(found["seconds"]))

    def _run_cold(self, row: Row, entries: list[Entry]) -> None:
        epochs = 1 if row.key == "h" else WORKLOADS[row.network].epochs
        what = "peak" if row.key == "h" else "seconds"
        rounds = min(3, self.options.rounds) if row.key == "h" else self.options.rounds
        for i in range(rounds + 1):  # in the first, compiled code goes to its caches
            said = []
            for entry in entries:
                if entry.name in self.left_out[row.key] or entry not in self.entries:
                    continue
                figure = self.figures[row.key].setdefault(entry.name, {"rounds": []})
                try:
                    found = self._cold(row, entry, epochs)
                except LeftOutError as error:
                    self.leave_out(row, entry, error)
                    continue
                figure["losses"] = [found["loss"]]
                value = found[what] * row.scale
                said.append(f"{entry.name} {short(value)}")
                if i:
                    figure["rounds"].append(value)
                else:
                    figure["warm_up"] = found["seconds"]
            label = f"round {i} of {rounds}" if i else "once before"
            self.say(f"{row.key}: {label}: {', '.join(said)}")

    def _cold(self, row: Row, entry: Entry, epochs: int) -> dict[str, Any]:
        module, setting = "benchmarks.peers.cold", str(self.setting(row.network))
        start = time.perf_counter()
        try:
            done = subprocess.run(
                [sys.executable, "-m", module, entry.name, row.network, setting, str(epochs)],
                cwd=ROOT,
                env={**os.environ, **entry.environment},
                capture_output=True,
                text=True,
                timeout=self.patience,
            )
        except subprocess.TimeoutExpired:
            raise LeftOutError(f"took more than {self.patience:.0f} s") from None
        seconds = time.perf_counter() - start
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["without a word"]
            raise LeftOutError(f"ended: {said[-1][:200]}")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        if "unavailable" in found:
            raise AbsentError(found["unavailable"])
        return {**found, "seconds": seconds}

    # -- comparing -----------------------------------------------------------------------------

    def _compare(self, row: Row) -> None:
        """Medians, ratios to ours round by round, and whether all computed the same."""
        figures = self.figures[row.key]
        ours = first_of_ours(figures)
        for figure in figures.values():
            figure["median"] = statistics.median(figure["rounds"])
            if ours is None:
                continue
            figure["ratio"] = ratio(figure, figures[ours])
            figure["off"] = difference(figure, figures[ours])
        for name, figure in figures.items():
            figure.pop("outputs", None)
            losses = figure.pop("losses", None)
            if losses:
                figure["loss"] = losses[-1]
            off = figure.get("off")
            if off is not None and off > TOLERANCE:
                self.say(f"{row.key}: {PEERS[name].title} DISAGREES with ours by {off:.1e}")
            if figure.get("idle_cpu", 0.0) > 0.02:
                busy = f"{figure['idle_cpu']:.0%} of a core while idle"
                self.say(f"{row.key}: {PEERS[name].title} took {busy}")


def first_of_ours(figures: dict[str, Any]) -> str | None:
    """What the others are compared with: the compiled engine, where that is installed."""
    return next((n for n, e in PEERS.items() if e.kind == "ours" and n in figures), None)


def ratio(figure: dict[str, Any], ours: dict[str, Any]) -> float:
    """How many times ours a figure is: the median over the rounds that both have."""
    pairs = zip(figure["rounds"], ours["rounds"], strict=False)
    return float(statistics.median(a / b for a, b in pairs))


def difference(figure: dict[str, Any], ours: dict[str, Any]) -> float | None:
    """How far apart mean losses over the epochs in common are, relatively; or the outputs."""
    if figure.get("outputs"):
        pairs = zip(figure["outputs"], ours["outputs"], strict=True)
        return float(max(abs(a - b) for p, q in pairs for a, b in zip(p, q, strict=True)))
    n = min(len(figure.get("losses", ())), len(ours.get("losses", ())))
    if n == 0:
        return None
    mine, other = sum(ours["losses"][:n]), sum(figure["losses"][:n])
    return float(abs(other - mine) / abs(mine))


def judge(figures: dict[str, dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Every target of the workloads that were run, with what was reached."""
    found = []
    for target in TARGETS:
        if target.row not in figures:
            continue
        row = figures[target.row]
        ours = first_of_ours(row) if target.ours == "ours" else target.ours
        rival: str | None = target.rival
        if rival == "framework":
            frameworks = [n for n in row if PEERS[n].kind == "framework"]
            rival = min(frameworks, key=lambda n: row[n]["median"], default=None)
        verdict: dict[str, Any] = {"workload": target.row, "ours": ours, "rival": rival}
        verdict |= {"target": target.text(), "ratio": None, "met": None}
        if ours in row and rival in row:
            reached = ratio(row[rival], row[ours])
            verdict |= {"ratio": reached, "met": target.met(reached), "within": target.within}
        found.append(verdict)
    return found


# -- showing -----------------------------------------------------------------------------------


def short(value: float) -> str:
    """A number with three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def title_of(name: str | None) -> str:
    return PEERS[name].title if name in PEERS else "–"


def table(rows: list[list[str]]) -> str:
    """A Markdown table that is also readable as text; the first row is its head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| "
        + " | ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in rows
    ]
    rule = ["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])]
    return "\n".join([lines[0], "| " + " | ".join(rule) + " |", *lines[1:]])


def targets_table(found: list[dict[str, Any]], figures: dict[str, Any]) -> str:
    rows = [["workload", "ours", "", "against", "", "ratio", "target", "met"]]
    for v in found:
        row, figure = ROWS[v["workload"]], figures[v["workload"]]
        unit = row.unit.removesuffix(" a step")
        sides = []
        for name in (v["ours"], v["rival"]):
            value = f"{short(figure[name]['median'])} {unit}" if name in figure else "not run"
            sides += [title_of(name), value]
        reached = "–"
        if v["ratio"]:
            reached = f"{1 / v['ratio']:.2f}×" if v["within"] else f"{v['ratio']:.2f}×"
        met = "–" if v["met"] is None else "yes" if v["met"] else "NO"
        rows.append([f"{row.key}: {row.title}", *sides, reached, v["target"], met])
    return table(rows)


def figures_table(row: Row, figures: dict[str, dict[str, Any]]) -> str:
    head = [f"{row.key}: {row.title}", row.unit, "× ours", "spread", "warm-up s", "off by"]
    rows = [head]
    for name in sorted(figures, key=lambda n: figures[n]["median"]):
        f = figures[name]
        spread = f"{short(min(f['rounds']))} to {short(max(f['rounds']))}"
        times = f"{f['ratio']:.2f}" if "ratio" in f else ""
        off = "" if f.get("off") is None else f"{f['off']:.0e}"
        off += " !" if (f.get("off") or 0) > TOLERANCE else ""
        warm = f"{f['warm_up']:.1f}"
        rows.append([PEERS[name].title, short(f["median"]), times, spread, warm, off])
    return table(rows)


def report(results: dict[str, Any]) -> str:
    """The results in Markdown."""
    machine = results["machine"]
    lines = ["# chainrule beside other libraries", ""]
    if results["quick"]:
        lines += ["**A quick run: few rounds and short turns; the figures are rough.**", ""]
    lines += [
        f"Made by `python benchmarks/compare.py` on {results['date']}: {machine['cpu']},"
        f" {machine['cores']} cores, {machine['system']}, Python {machine['python']}.",
        ", ".join(f"{name} {v}" for name, v in results["versions"].items()) + ".",
        "",
        f"All medians of {results['rounds']} rounds, float32. Ratios are medians of each round's.",
        "",
        "![The figures as bars](compare.png)",
        "",
        "## Targets",
        "",
        targets_table(results["targets"], results["figures"]),
        "",
        "## Figures",
        "",
        "Warm-up: importing, building, compiling, and a first run's extra time; not in the figures",
        "(g and h: the run before, with empty caches or not). Off by: how far the mean loss, or the",
        "outputs, are from ours. Bare products and Adam: nothing else of the step is computed.",
        "",
    ]
    for key, figures in results["figures"].items():
        lines += [figures_table(ROWS[key], figures), ""]
        left_out = results["left_out"][key]
        lines += [f"* {PEERS[name].title}: left out, {why}" for name, why in left_out.items()]
        lines += [""] if left_out else []
    absent = results["absent"]
    lines += [f"* {PEERS[name].title}: left out, {why}" for name, why in absent.items()]
    return "\n".join(lines).rstrip() + "\n"


OURS, OTHER_OURS, FRAMEWORK, BY_HAND, LIMIT = "#0072B2", "#56B4E9", "#A6A6A6", "#E69F00", "white"


def draw(results: dict[str, Any], path: Path) -> None:
    """Horizontal bars on a log axis, one panel a workload; ours in blue."""
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is not installed", file=sys.stderr)
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.patches import Patch

    keys = [key for key, figures in results["figures"].items() if figures]
    if not keys:
        return
    across = min(3, len(keys))
    down = -(-len(keys) // across)
    most = max(len(results["figures"][key]) for key in keys)
    size = (5.6 * across, (0.27 * most + 1.0) * down + 0.6)
    figure, grid = plt.subplots(down, across, figsize=size, squeeze=False, layout="constrained")
    for axes, key in zip(grid.flat, keys, strict=False):
        draw_panel(axes, ROWS[key], results["figures"][key])
    for axes in grid.flat[len(keys) :]:
        axes.set_visible(False)
    handles = [
        Patch(color=OURS, label="chainrule"),
        Patch(color=OTHER_OURS, label="chainrule, other engines"),
        Patch(color=FRAMEWORK, label="frameworks"),
        Patch(color=BY_HAND, label="NumPy by hand"),
        Patch(facecolor=LIMIT, edgecolor="black", hatch="////", label="bare products (and Adam)"),
    ]
    figure.supxlabel("log axes; shorter is better", fontsize=9)
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_panel(axes: Any, row: Row, figures: dict[str, dict[str, Any]]) -> None:
    names = sorted(figures, key=lambda n: figures[n]["median"], reverse=True)
    ours = first_of_ours(figures)
    kinds = {"ours": OTHER_OURS, "by hand": BY_HAND, "limit": LIMIT}
    values = [figures[name]["median"] for name in names]
    start = 10 ** math.floor(math.log10(min(values) / 1.5))
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        colour = OURS if name == ours else kinds.get(PEERS[name].kind, FRAMEWORK)
        limit = {"edgecolor": "black", "hatch": "////", "linewidth": 0.8}
        more = limit if PEERS[name].kind == "limit" else {}
        axes.barh(i, value - start, left=start, color=colour, height=0.72, **more)
        bold = "bold" if name == ours else "normal"
        axes.annotate(
            short(value),
            (value, i),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            fontweight=bold,
        )
    axes.set_xscale("log")
    axes.set_xlim(start, max(values) * (max(values) / start) ** 0.16)
    axes.set_yticks(range(len(names)), [PEERS[name].title for name in names], fontsize=9)
    for label, name in zip(axes.get_yticklabels(), names, strict=True):
        label.set_fontweight("bold" if name == ours else "normal")
    axes.set_title(f"{row.key}: {row.title}", fontsize=10, loc="left")
    axes.set_xlabel(row.unit, fontsize=8, labelpad=1)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)


# -- the program -------------------------------------------------------------------------------


def machine() -> dict[str, Any]:
    cpu, info = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if info.exists():
        models = [s for s in info.read_text().splitlines() if s.startswith("model name")]
        cpu = models[0].partition(":")[2].strip() if models else cpu
    usable = getattr(os, "sched_getaffinity", None)
    settings = {k: v for k, v in os.environ.items() if k.endswith(("NUM_THREADS", "WAIT_POLICY"))}
    return {
        "cpu": cpu,
        "cores": len(usable(0)) if usable else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "settings": settings,
    }


def versions() -> dict[str, str]:
    names = ["chainrule", "numpy", *(name for entry in PEERS.values() for name in entry.needs)]
    found = {name: version(name) for name in names}
    return {name: v for name, v in found.items() if v is not None}


def options_from(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workloads", default=",".join(ROWS), help="for example a,b,f1")
    parser.add_argument("--peers", help="for example torch,jax; ours always run")
    parser.add_argument("--rounds", type=int, help="9; with --quick 3")
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
    options.workloads = wanted
    if options.peers is not None:
        options.peers = tuple(options.peers.split(","))
        for name in options.peers:
            if not any(known.startswith(name) for known in PEERS):
                parser.error(f"--peers: {name!r} is none of {', '.join(PEERS)}")
    options.rounds = options.rounds or (3 if options.quick else 9)
    return options


def main(arguments: list[str] | None = None) -> None:
    options = options_from(arguments)
    with TemporaryDirectory() as room:
        comparison = Comparison(options, Path(room))
        for row in options.workloads:
            comparison.run(row)
    results = {
        "date": date.today().isoformat(),
        "quick": options.quick,
        "rounds": options.rounds,
        "machine": machine(),
        "versions": versions(),
        "targets": judge(comparison.figures),
        "figures": comparison.figures,
        "left_out": comparison.left_out,
        "absent": comparison.absent,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    text = report(results)
    (options.out / "compare.md").write_text(text, encoding="utf-8")
    (options.out / "compare.json").write_text(json.dumps(results, indent=1) + "\n")
    draw(results, options.out / "compare.png")
    if options.json:
        print(json.dumps(results, indent=1))
        return
    for row in options.workloads:
        print(figures_table(row, comparison.figures[row.key]), end="\n\n")
    print(targets_table(results["targets"], comparison.figures))


if __name__ == "__main__":
    main()
