"""The turns of all the peers, and the figures they give."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.comparison.processes import (
    AbsentError,
    Child,
    LeftOutError,
    absence,
    fresh,
    versions,
)
from benchmarks.comparison.rows import Row
from benchmarks.comparison.tables import short
from benchmarks.peers import PEERS, Entry
from benchmarks.workloads import WORKLOADS, make_setting

#: How far a peer's mean loss (or its outputs) may be from ours.
TOLERANCE = 1e-3
#: Seconds between turns: longer than threads of any peer keep looking for more work.
PAUSE = 0.3
#: Cores that other programs may keep busy during a turn.
DISTURBED = 0.3

Figures = dict[str, dict[str, Any]]


class Comparison:
    """Measures rows, one after another, with every peer that takes part in them."""

    def __init__(self, options: argparse.Namespace, room: Path) -> None:
        self.options, self.room = options, room
        self.started = time.perf_counter()
        self.least = 0.1 if options.quick else 0.4  # seconds that a turn lasts at least
        self.most = 0.5 if options.quick else 2.0  # and about how many it may
        self.patience = 120.0 if options.quick else 300.0  # for a reply
        self.settings: dict[str, Path] = {}
        self.entries: list[Entry] = []
        #: Peers that cannot run here, and why, by name.
        self.absent: dict[str, str] = {}
        for entry in PEERS.values():
            wanted = options.peers is None or entry.name.startswith(options.peers)
            if not wanted and entry.kind not in ("ours", "bare"):
                continue
            why = absence(entry)
            if why:
                self.absent[entry.name] = why
                self.say(f"{entry.name}: left out, {why}")
            else:
                self.entries.append(replace(entry, title=entry.shown(versions(entry))))

    def say(self, text: str) -> None:
        print(f"[{time.perf_counter() - self.started:5.0f} s] {text}", file=sys.stderr, flush=True)

    def setting(self, network: str) -> Path:
        """The file with the data and first weights."""
        if network not in self.settings:
            self.settings[network] = self.room / f"{network}.npz"
            make_setting(WORKLOADS[network]).save(self.settings[network])
        return self.settings[network]

    def measure(self, row: Row) -> dict[str, Any]:
        """Measure one row with every peer that takes part in it."""
        kinds = (row.how, "bare") if row.key in ("c", "d") else (row.how,)
        entries = [e for e in self.entries if any(kind in e.takes for kind in kinds)]
        figures: Figures = {}
        left_out: dict[str, str] = {}
        others = Others()
        if row.how in ("train", "predict", "many"):
            self._in_turns(row, entries, figures, left_out)
        else:
            self._anew(row, entries, figures, left_out)
        for entry in entries:
            if entry.name in figures:
                figures[entry.name] |= {"title": entry.title, "kind": entry.kind}
        self._compare(row, figures)
        return {
            "title": row.title,
            "unit": row.unit,
            "date": date.today().isoformat(),
            "quick": self.options.quick,
            "rounds": min(self.options.rounds, row.most_rounds),
            "others": others.cores(),
            "limit": limit_of(row),
            "figures": figures,
            "left_out": left_out,
        }

    def _leave_out(
        self, row: Row, entry: Entry, error: LeftOutError, left_out: dict[str, str]
    ) -> None:
        self.say(f"{row.key}: {entry.title}: left out, {error}")
        if isinstance(error, AbsentError):
            self.absent[entry.name] = str(error)
            self.entries = [e for e in self.entries if e is not entry]
        else:
            left_out[entry.title] = str(error)

    # -- processes that last -------------------------------------------------------------------

    def _in_turns(
        self, row: Row, entries: list[Entry], figures: Figures, left_out: dict[str, str]
    ) -> None:
        children: list[Child] = []
        predicts = row.how == "predict"
        try:
            for entry in entries:
                child = Child(entry, row.network, self.setting(row.network))
                try:
                    figure = child.reply(self.patience)
                    figure["warm_up"] = figure.pop("seconds")
                    if not predicts:
                        self._warm_up(child, figure)
                    figures[entry.name] = {"rounds": [], **figure}
                    children.append(child)
                    self.say(f"{row.key}: {entry.title}: ready, {figure['warm_up']:.1f} s")
                    self._settle(child)
                except LeftOutError as error:
                    child.close()
                    self._leave_out(row, entry, error, left_out)
            self._rounds(
                row, children, self._predict if predicts else self._train, figures, left_out
            )
            for child in children:
                if child.entry.name in figures:
                    busy = child.idle_cpu / child.idle if child.idle else 0.0
                    figures[child.entry.name]["idle_cpu"] = busy
        finally:
            for child in children:
                child.close()

    def _settle(self, child: Child) -> None:
        time.sleep(PAUSE)
        child.rest()

    def _rounds(
        self,
        row: Row,
        children: list[Child],
        turn: Callable[[Row, Child, dict[str, Any]], float],
        figures: Figures,
        left_out: dict[str, str],
    ) -> None:
        for i in range(self.options.rounds):
            first = i % max(1, len(children))
            said = []
            for child in children[first:] + children[:first]:
                name = child.entry.name
                if name not in figures:
                    continue
                try:
                    value = self._undisturbed(partial(turn, row, child, figures[name]), child)
                    figures[name]["rounds"].append(value * row.scale)
                    said.append(f"{name} {short(value * row.scale)}")
                except LeftOutError as error:
                    child.close()
                    figures.pop(name)
                    self._leave_out(row, child.entry, error, left_out)
            self.say(f"{row.key}: round {i + 1} of {self.options.rounds}: {', '.join(said)}")

    def _undisturbed(self, turn: Callable[[], float], child: Child) -> float:
        """A turn's figure; with `--again`, of several that others disturbed, of the one least so."""
        tries: list[tuple[float, float]] = []
        for _ in range(1 + self.options.again):
            others = Others(child)
            value = turn()
            tries.append((others.cores() or 0.0, value))
            self._settle(child)
            if tries[-1][0] < DISTURBED:
                break
        return min(tries)[1]

    def _warm_up(self, child: Child, figure: dict[str, Any]) -> None:
        """Train until everything is compiled; sets how many epochs a turn has."""
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
        figure["warm_up"] += max(0.0, first - second)
        figure["epochs"] = k

    def _train(self, row: Row, child: Child, figure: dict[str, Any]) -> float:
        """Seconds a step of one network."""
        k = figure["epochs"]
        found = child.ask(self.patience, do="epochs", k=k, least=self.least)
        figure["losses"] = found["losses"]
        figure.setdefault("busy", []).append(found["cores"])
        steps: int = k * WORKLOADS[row.network].steps * figure["networks"]
        return float(statistics.median(found["seconds"])) / steps

    def _predict(self, row: Row, child: Child, figure: dict[str, Any]) -> float:
        """Seconds a call."""
        if "outputs" not in figure:
            found = child.ask(self.patience, do="predict", rows=row.rows)
            figure["warm_up"] += found["seconds"][0]
        found = child.ask(self.patience, do="predict", rows=row.rows, least=self.least)
        figure["outputs"] = found["outputs"]
        figure.setdefault("busy", []).append(found["cores"])
        return float(statistics.median(found["seconds"]))

    # -- fresh processes -----------------------------------------------------------------------

    def _anew(
        self, row: Row, entries: list[Entry], figures: Figures, left_out: dict[str, str]
    ) -> None:
        rounds = min(self.options.rounds, row.most_rounds)
        before = 0 if row.emptied else 1  # a round in which compiled code goes to its caches
        for i in range(rounds + before):
            said = []
            for entry in entries:
                if entry.title in left_out or entry.name in self.absent:
                    continue
                figure = figures.setdefault(entry.name, {"rounds": []})
                try:
                    found = fresh(entry, self._command(row, entry), row.emptied, self.patience)
                except LeftOutError as error:
                    figures.pop(entry.name)
                    self._leave_out(row, entry, error, left_out)
                    continue
                if "loss" in found:
                    figure["losses"] = [found["loss"]]
                value = found[row.reads] * row.scale
                said.append(f"{entry.name} {short(value)}")
                if i >= before:
                    figure["rounds"].append(value)
                else:
                    figure["warm_up"] = found["seconds"]
            label = f"round {i + 1 - before} of {rounds}" if i >= before else "once before"
            self.say(f"{row.key}: {label}: {', '.join(said)}")

    def _command(self, row: Row, entry: Entry) -> list[str]:
        """What a fresh process of a row runs."""
        if row.how == "command":
            engine = entry.arguments[0]
            return [
                "-m",
                "chainrule",
                "train",
                "digits",
                "--engine",
                engine,
                "--out",
                "digits.safetensors",
            ]
        if row.how == "first fit":
            return ["-m", "benchmarks.peers.first_fit", row.network, entry.arguments[0]]
        epochs = row.epochs or WORKLOADS[row.network].epochs
        setting = str(self.setting(row.network))
        return ["-m", "benchmarks.peers.cold", entry.name, row.network, setting, str(epochs)]

    # -- comparing -----------------------------------------------------------------------------

    def _compare(self, row: Row, figures: Figures) -> None:
        """Medians, ratios to ours round by round, and whether all computed the same."""
        ours = first_of_ours(figures)
        for figure in figures.values():
            figure["median"] = statistics.median(figure["rounds"])
            if "busy" in figure:
                figure["cores"] = statistics.median(figure.pop("busy"))
                if row.flops is not None:
                    core_seconds = figure["median"] / row.scale * figure["cores"]
                    figure["gflops_a_core"] = row.flops / core_seconds / 1e9
            if ours is None:
                continue
            figure["ratio"] = ratio(figure, figures[ours])
            figure["off"] = difference(figure, figures[ours])
        for figure in figures.values():
            figure.pop("outputs", None)
            losses = figure.pop("losses", None)
            if losses:
                figure["loss"] = losses[-1]
            off = figure.get("off")
            if off is not None and off > TOLERANCE:
                self.say(f"{row.key}: {figure['title']} DISAGREES with ours by {off:.1e}")
            if figure.get("idle_cpu", 0.0) > 0.02:
                busy = f"{figure['idle_cpu']:.0%} of a core while idle"
                self.say(f"{row.key}: {figure['title']} took {busy}")


class Others:
    """How many cores other programs keep busy from now on."""

    def __init__(self, child: Child | None = None) -> None:
        self.child = child
        self.start = time.perf_counter(), machine.busy(), self._own()

    def cores(self) -> float | None:
        """Until now; None where the system does not tell."""
        (start, busy, own), now = self.start, machine.busy()
        if busy is None or now is None:
            return None
        seconds = time.perf_counter() - start
        return max(0.0, (now - busy - (self._own() - own)) / seconds)

    def _own(self) -> float:
        """Seconds of the processor for this process, the child, and those that have ended."""
        used, child = os.times(), self.child.cpu() if self.child else 0.0
        return used.user + used.system + used.children_user + used.children_system + child


def limit_of(row: Row) -> dict[str, float] | None:
    """What a step must compute and move, and the bandwidth of this machine for that."""
    if row.flops is None:
        return None
    bandwidth = machine.bandwidth(row.state)
    return {
        "flops": row.flops,
        "state": row.state,
        "bandwidth": bandwidth,
        "moving": row.traffic / (bandwidth * 1e9) * row.scale,
        "scale": row.scale,
    }


def first_of_ours(figures: Figures) -> str | None:
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
