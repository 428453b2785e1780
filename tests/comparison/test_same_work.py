"""What is compared is the same work, and the pages say what was measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.environments import ENVIRONMENTS, OURS
from benchmarks.peers import PEERS
from benchmarks.peers.with_chainrule import Chainrule
from benchmarks.peers.with_numpy import ByHand
from benchmarks.tabular.models import MODELS
from benchmarks.workloads import WORKLOADS, make_setting

# They measure in LLVM IR.
pytest.importorskip("llvmlite")
gate = pytest.importorskip("benchmarks.gate")
report = pytest.importorskip("benchmarks.comparison.report")
rows = pytest.importorskip("benchmarks.comparison.rows")

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


@pytest.mark.parametrize("key", ["a", "b", "e", "s"])
def test_numpy_by_hand_trains_as_ours_does(key: str) -> None:
    workload = WORKLOADS[key]
    if not workload.whole:
        workload = replace(workload, rows=6 * workload.batch)
    setting = make_setting(workload)
    setting = replace(setting, x=setting.x[: workload.rows], t=setting.t[: workload.rows])
    losses = []
    for peer in (Chainrule("numpy"), ByHand()):
        peer.prepare(workload, setting)
        first = peer.epochs(2)
        peer.restart()
        assert peer.epochs(2) == first
        losses.append(first)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_operations_are_counted_as_simplechains_figures_are() -> None:
    assert rows.ROWS["s"].flops == 39_680_000  # 41 µs on 18 cores: 54 GFLOP/s a core
    assert rows.ROWS["a"].flops == 7_800


def test_targets_of_the_matrix_exponential() -> None:
    linalg = pytest.importorskip("scipy.linalg")
    setting = make_setting(WORKLOADS["s"])
    for x, t in zip(setting.x[:20], setting.t[:20], strict=True):
        expected = linalg.expm(x.reshape(2, 2).astype(np.float64)).ravel()
        np.testing.assert_allclose(t, expected, rtol=1e-5, atol=1e-6)


def test_every_row_has_peers_and_every_peer_a_row() -> None:
    kinds = {row.how for row in rows.ROWS.values()}
    taken = {kind for entry in PEERS.values() for kind in entry.takes}
    assert taken == kinds | {"bare"}
    environments = {entry.environment for entry in PEERS.values()}
    environments |= {model.environment for model in MODELS.values()}
    assert environments == {OURS, *ENVIRONMENTS}


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.md")), ids=lambda path: path.stem)
def test_a_page_is_made_of_its_results(path: Path) -> None:
    results = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert path.read_text(encoding="utf-8") == report.report(results)
    assert results["machine"]["family"] == path.stem


def test_the_gate_asks_three_quarters_of_its_own_family_and_a_third_of_others() -> None:
    recorded: dict[str, Any] = {
        "one": {"speeds": {"a": [40.0, 0.2]}},
        "two": {"speeds": {"a": [20.0, 0.4]}},
    }
    assert gate.floors("a", "one", recorded) == pytest.approx((30.0, 0.15))
    assert gate.floors("a", "three", recorded) == pytest.approx((20 / 3, 0.2 / 3))
