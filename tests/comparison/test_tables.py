"""The benchmark of real tables: splits, ranks and scores; its page is made of its raw results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.tabular import report
from benchmarks.tabular.report import Outcome
from benchmarks.tabular.sources import is_regression, split

RAW = Path(report.__file__).parents[1] / "results" / "tables" / "tables.jsonl"


def fit(table: str, model: str, seed: int, error: float, cpu: float = 1.0) -> dict[str, Any]:
    figures = {"error": error, "fit": cpu, "fit_cpu": cpu, "predict": 0.1, "memory": 100.0}
    return {"table": table, "rows": 90, "split": seed, "model": model, **figures}


FITS = [
    fit("a", "auto", 0, 0.1), fit("a", "auto", 1, 0.3), fit("a", "mlp", 0, 0.2, 4.0),
    fit("a", "mlp", 1, 0.4, 9.0), fit("a", "catboost", 0, 0.3), fit("a", "catboost", 1, 0.3),
    fit("b", "auto", 0, 0.5), fit("b", "mlp", 0, 0.5, 6.0), fit("b", "catboost", 0, 0.1),
    fit("only one", "auto", 0, 0.5),
    {"table": "b", "rows": 90, "split": 1, "model": "mlp", "failed": "took more than 1 s"},
    {"model": "mlp", "installed": 250},
]  # fmt: skip


def test_ranks_and_scores_of_tables_that_all_have_learnt() -> None:
    outcome = Outcome(FITS)
    assert outcome.tables == ["a", "b"]
    assert outcome.ranks("a") == {"auto": 1, "mlp": 2.5, "catboost": 2.5}
    assert outcome.ranks("b") == {"auto": 2.5, "mlp": 2.5, "catboost": 1}
    assert outcome.scores("b") == {"auto": 0, "mlp": 0, "catboost": 1}
    assert outcome.ahead("auto", "mlp") == (1, 1)
    assert outcome.ratio("mlp", "auto", "fit_cpu") == pytest.approx(6)  # of 4, 9 and 6
    page = report.page(outcome)
    assert "| scikit-learn MLP | 2.50 |" in page
    assert "took more than 1 s" in page


def test_models_are_compared_on_the_splits_of_all_and_some_over_more() -> None:
    more = [
        fit("a", model, seed, error)
        for seed, (auto, mlp) in {2: (0.9, 0.8), 3: (0.9, 0.6)}.items()
        for model, error in (("auto", auto), ("mlp", mlp))
    ]
    outcome = Outcome([*FITS, *more])
    assert outcome.splits == "1 or 2"
    assert outcome.error("a", "auto") == pytest.approx(0.2)
    assert outcome.longer == [("a", ["auto", "mlp"], [0, 1, 2, 3])]
    apart = np.array([-0.1, -0.1, 0.1, 0.3])
    told = f"{apart.mean():+.4f} ± {apart.std(ddof=1) / 2:.4f}"
    assert f"| a | 4 | 0.5500 | 0.5000 | {told} |" in report.page(outcome)


@pytest.mark.parametrize("kind", ["classes", "values"])
def test_a_split_has_every_row_once_and_of_every_class_its_part(kind: str) -> None:
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    values = (
        rng.normal(size=400)
        if kind == "values"
        else rng.choice(["p", "q", "r"], 400, p=[0.8, 0.1, 0.1])
    )
    target = pandas.Series(values)
    assert is_regression(target) == (kind == "values")
    training, held = split(target, 1)
    np.testing.assert_array_equal(np.sort([*training, *held]), np.arange(400))
    if kind == "classes":
        for label, count in target.value_counts().items():
            assert (target[held] == label).sum() == round(count / 4)
    again = split(target, 1)
    np.testing.assert_array_equal(held, again[1])
    assert set(held) != set(split(target, 2)[1])


@pytest.mark.skipif(not RAW.exists(), reason="not measured yet")
def test_the_page_is_made_of_the_raw_results() -> None:
    records = [json.loads(line) for line in RAW.read_text(encoding="utf-8").splitlines()]
    assert RAW.with_name("README.md").read_text(encoding="utf-8") == report.page(Outcome(records))
