"""What came of all fits: ranks, scores, times; a page and a picture."""

from __future__ import annotations

import math
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.tabular.models import MODELS

__all__ = ["write"]

Records = list[dict[str, Any]]
#: Errors this much apart, relatively, count as the same.
SAME = 1e-9


class Outcome:
    """The fits of the tables that every model has learnt; models are compared on the splits of all."""

    def __init__(self, records: Records) -> None:
        self.failed = [r for r in records if "failed" in r]
        #: Megabytes that are installed for each model.
        self.installed = {r["model"]: r["installed"] for r in records if "installed" in r}
        done = [r for r in records if "error" in r]
        self.models = [name for name in MODELS if any(r["model"] == name for r in done)]
        self.fits: dict[tuple[str, str], dict[int, dict[str, Any]]] = defaultdict(dict)
        self.rows: dict[str, int] = {}
        for r in done:
            self.fits[r["table"], r["model"]][r["split"]] = r
            self.rows[r["table"]] = r["rows"]
        self.tables = [t for t in self.rows if self._splits(t, self.models)]

    def _splits(self, table: str, models: list[str]) -> list[int]:
        """The splits of a table that all of some models have learnt."""
        return sorted(set.intersection(*({*self.fits[table, m]} for m in models)))

    def _shared(self, table: str, model: str) -> Records:
        """A model's fits of the splits that all models have learnt."""
        return [self.fits[table, model][s] for s in self._splits(table, self.models)]

    def error(self, table: str, model: str) -> float:
        """The mean over the splits."""
        return statistics.fmean(r["error"] for r in self._shared(table, model))

    def ranks(self, table: str) -> dict[str, float]:
        """From 1, the smallest error; the same errors share the mean of their places."""
        errors = {m: self.error(table, m) for m in self.models}
        found = {}
        for model, own in errors.items():
            less = sum(e < own - SAME for e in errors.values())
            same = sum(abs(e - own) <= SAME for e in errors.values())
            found[model] = less + (same + 1) / 2
        return found

    def scores(self, table: str) -> dict[str, float]:
        """1 for the smallest error of a table, 0 for the largest."""
        errors = {m: self.error(table, m) for m in self.models}
        low, high = min(errors.values()), max(errors.values())
        return {m: (high - e) / (high - low) if high > low else 1.0 for m, e in errors.items()}

    def ahead(self, model: str, of: str) -> tuple[int, int]:
        """On how many tables a model's error is smaller than another's, and on how many the same."""
        pairs = [(self.error(t, model), self.error(t, of)) for t in self.tables]
        same = sum(abs(a - b) <= SAME for a, b in pairs)
        return sum(a < b - SAME for a, b in pairs), same

    def ratio(self, model: str, of: str, what: str) -> float:
        """How many times another's a figure is: the geometric mean over all fits of both."""
        logs = [
            math.log(r[what] / self.fits[t, of][split][what])
            for t in self.tables
            for split, r in self.fits[t, model].items()
            if split in self.fits[t, of]
        ]
        return float(math.exp(statistics.fmean(logs)))

    def middle(self, model: str, what: str) -> float:
        """The median over all fits."""
        every = [float(r[what]) for t in self.tables for r in self._shared(t, model)]
        return statistics.median(every)

    @property
    def splits(self) -> str:
        """How many splits of a table all models have learnt."""
        found = {len(self._splits(t, self.models)) for t in self.tables}
        return " or ".join(map(str, sorted(found)))

    @property
    def longer(self) -> list[tuple[str, list[str], list[int]]]:
        """The tables of which some models have learnt more splits than all: which models and splits."""
        found = []
        for t in self.tables:
            shared = len(self._splits(t, self.models))
            models = [m for m in self.models if len(self.fits[t, m]) > shared]
            if len(models) > 1:
                found.append((t, models, self._splits(t, models)))
        return found


def write(records: Records, out: Path) -> None:
    """Write the page and the picture, README.md and tables.png, of what there is."""
    outcome = Outcome(records)
    if not outcome.tables:
        return
    text = page(outcome)
    (out / "README.md").write_text(text, encoding="utf-8")
    print(text)
    try:
        from benchmarks.tabular.picture import draw
    except ImportError as error:
        print(f"no picture: {error.name} is not installed", file=sys.stderr)
        return
    draw(outcome, out / "tables.png")


def page(outcome: Outcome) -> str:
    """The page."""
    ranks = [outcome.ranks(t) for t in outcome.tables]
    scores = [outcome.scores(t) for t in outcome.tables]
    order = sorted(outcome.models, key=lambda m: statistics.fmean(r[m] for r in ranks))
    lines = [
        f"# Models on {len(outcome.tables)} real tables, {outcome.splits} splits each",
        "",
        "All at their defaults, on one thread; `python benchmarks/tables.py` says what is measured."
        " Rank: 1 is the best of all on every table. Score: 1 for the best model of a table and 0 for"
        " the worst. Medians over all fits of the seconds to fit, by the clock and of the processor,"
        " and to predict, and of the most memory; megabytes that are installed.",
        "",
        "![Scores and times](tables.png)",
        "",
        "| model | rank | score | fit s | CPU s | predict s | memory MB | installed MB |",
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for m in order:
        rank = statistics.fmean(r[m] for r in ranks)
        score = statistics.fmean(s[m] for s in scores)
        seconds = [outcome.middle(m, what) for what in ("fit", "fit_cpu", "predict")]
        installed = outcome.installed.get(m, 0.0)
        lines.append(
            f"| {MODELS[m].title} | {rank:.2f} | {score:.2f} | {seconds[0]:.2f} | {seconds[1]:.2f}"
            f" | {seconds[2]:.3f} | {outcome.middle(m, 'memory'):,.0f} | {installed:,.0f} |"
        )
    lines += ["", *_pairs(outcome), *_longer(outcome), "", "## Errors", "", *_errors(outcome)]
    if outcome.failed:
        lines += ["", "## Failed", ""]
        lines += [
            f"- {r['table']}, split {r['split']}, {MODELS[r['model']].title}: {r['failed']}"
            for r in outcome.failed
        ]
    return "\n".join(lines) + "\n"


def _pairs(outcome: Outcome) -> list[str]:
    """How each of ours stands to each of the others."""
    ours = [m for m in outcome.models if MODELS[m].title.startswith("chainrule")]
    others = [m for m in outcome.models if m not in ours]
    if not ours or not others:
        return []
    lines = [
        "Tables on which ours has the smaller error (and the same error), and the CPU time of its"
        " fits over the other's, as the geometric mean:",
        "",
        "| | " + " | ".join(MODELS[m].title for m in others) + " |",
        "| --- |" + " --: |" * len(others),
    ]
    for m in ours:
        cells = []
        for other in others:
            ahead, same = outcome.ahead(m, other)
            tied = f" (+{same})" if same else ""
            cells.append(f"{ahead}{tied}; ×{outcome.ratio(m, other, 'fit_cpu'):.2g}")
        lines.append(f"| {MODELS[m].title} | {' | '.join(cells)} |")
    return lines


def _longer(outcome: Outcome) -> list[str]:
    """Models that were compared over more splits: the mean error, and how far the first two are apart."""
    if not outcome.longer:
        return []
    models = outcome.longer[0][1]
    one, other = models[:2]
    lines = [
        "",
        "## Over more splits",
        "",
        "The mean error, and the mean of the differences of the first two models on the same rows with its"
        " standard error (the rows of the splits overlap, so the true one is somewhat larger).",
        "",
        f"| table | splits | {' | '.join(MODELS[m].title for m in models)} | apart |",
        "| --- | --: |" + " --: |" * (len(models) + 1),
    ]
    for table, _models, splits in outcome.longer:
        errors = {m: [outcome.fits[table, m][s]["error"] for s in splits] for m in models}
        apart = [a - b for a, b in zip(errors[one], errors[other], strict=True)]
        spread = statistics.stdev(apart) / math.sqrt(len(apart))
        cells = " | ".join(f"{statistics.fmean(errors[m]):.4f}" for m in models)
        told = f"{statistics.fmean(apart):+.4f} ± {spread:.4f}"
        lines.append(f"| {table} | {len(splits)} | {cells} | {told} |")
    return lines


def _errors(outcome: Outcome) -> list[str]:
    """The mean error of every model on every table; the smallest in bold."""
    lines = [
        "| table | rows | " + " | ".join(MODELS[m].title for m in outcome.models) + " |",
        "| --- | --: |" + " --: |" * len(outcome.models),
    ]
    for table in outcome.tables:
        errors = [outcome.error(table, m) for m in outcome.models]
        cells = [f"**{e:.4f}**" if e <= min(errors) + SAME else f"{e:.4f}" for e in errors]
        lines.append(f"| {table} | {outcome.rows[table]:,} | {' | '.join(cells)} |")
    return lines
