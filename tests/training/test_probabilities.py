"""Log loss, Brier score and calibration, beside scikit-learn's and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DataError, SettingError, ShapeError


def drawn(seed: int, classes: int, rows: int = 400) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 2, (rows, classes))
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return p, rng.integers(0, classes, rows)


@pytest.mark.parametrize("bins", [1, 2, 10, 37])
@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_the_curve_is_scikit_learns(strategy: Any, bins: int) -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    p, t = drawn(0, 2)
    yes = p[:, 1].copy()
    yes[:4] = [0.0, 1.0, 0.5, 0.1]  # on the edges of bins
    true, said = calibration.calibration_curve(t, yes, n_bins=bins, strategy=strategy)
    found = cr.calibration_curve(yes, t, bins, strategy)
    np.testing.assert_allclose(found.came_true, true)
    np.testing.assert_allclose(found.said, said)
    assert found.rows.sum() == 400
    # Of many classes: the likeliest, and whether it is the true one.
    p, t = drawn(1, 5)
    hit = (p.argmax(axis=1) == t).astype(int)
    true, said = calibration.calibration_curve(hit, p.max(axis=1), n_bins=bins, strategy=strategy)
    found = cr.calibration_curve(p, t, bins, strategy)
    np.testing.assert_allclose(found.came_true, true)
    np.testing.assert_allclose(found.said, said)
    gaps = np.abs(true - said)
    assert found.largest_error == pytest.approx(gaps.max())
    if bins == 1:
        assert found.error == pytest.approx(abs(hit.mean() - p.max(axis=1).mean()))


def test_the_error_by_hand() -> None:
    p = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55])
    t = np.array([1, 1, 1, 0, 1, 1])
    found = cr.calibration_curve(p, t)
    assert found.rows.tolist() == [2, 4]
    assert found.error == pytest.approx((2 * 0.45 + 4 * 0.2) / 6)


def test_what_comes_true_as_often_as_it_says_has_no_error() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(size=200_000)
    t = (rng.uniform(size=p.size) < p).astype(int)
    assert cr.calibration_curve(p, t).error < 0.005
    assert cr.brier_score(p, t) == pytest.approx(1 / 6, abs=0.002)  # ∫ p (1 - p)
    assert cr.log_loss(p, t) == pytest.approx(0.5, abs=0.005)  # ∫ -2 p log p


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_the_scores_are_scikit_learns(classes: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    p, t = drawn(classes, classes)
    labels = list(range(classes))
    assert cr.log_loss(p, t) == pytest.approx(metrics.log_loss(t, p, labels=labels))
    if classes == 2:
        assert cr.log_loss(p[:, 1], t) == pytest.approx(metrics.log_loss(t, p[:, 1]))
        assert cr.brier_score(p[:, 1], t) == pytest.approx(metrics.brier_score_loss(t, p[:, 1]))
    one_hot = np.eye(classes)[t]
    expected = ((p - one_hot) ** 2).sum(axis=1).mean() / (2 if classes == 2 else 1)
    assert cr.brier_score(p, t) == pytest.approx(expected)
    assert np.isfinite(cr.log_loss([[1.0, 0.0]], [1]))


def test_what_is_refused() -> None:
    cases: list[tuple[Any, Any, str]] = [
        ([[0.5, 0.6]], [0], "add up to 1; row 0 is"),
        ([[2.0, -1.0]], [0], "cr.softmax"),
        ([0.5, 1.5], [0, 1], "go from 0 to 1"),
        ([[0.5, 0.5]], [2], "from 0 to 1, for 2 probabilities a row; got 2"),
        ([0.5], [0.5], "class ids"),
        ([[np.nan, 1.0]], [0], "nan"),
        ([], [], "at least one row"),
    ]
    for p, t, words in cases:
        for f in (cr.log_loss, cr.brier_score, cr.calibration_curve):
            with pytest.raises(DataError, match=words):
                f(p, t)
    with pytest.raises(ShapeError, match="got shapes"):
        cr.log_loss([[0.5, 0.5]], [0, 1])
    with pytest.raises(SettingError, match="strategy"):
        cr.calibration_curve([0.5], [1], strategy="equal")  # type: ignore[arg-type]
