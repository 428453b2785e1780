"""The plot of trials: what is drawn where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chainrule.errors import DataError, SettingError
from chainrule.training.ranges import RANGES, ranges_for
from chainrule.training.trials import Trial, Trials

pytest.importorskip("matplotlib")

from chainrule.plots.tuning import draw_tuning, trials_section


def drawn_trials(preset: str, accuracy: bool, count: int = 30) -> Trials:
    rng = np.random.default_rng(0)
    ranges = ranges_for(preset, classes=accuracy, numbers=True)
    found = [
        Trial(
            i,
            {one.name: one.drawn(rng) for one in ranges},
            float(rng.random()),
            i % 4 == 3,
            10,
            1.5,
        )
        for i in range(count)
    ]
    return Trials([*found, Trial(count, {}, None, pruned=True)], accuracy, "y", ranges)


@pytest.mark.parametrize("accuracy", [True, False])
@pytest.mark.parametrize("preset", list(RANGES))
def test_every_trial_is_at_its_score(preset: str, accuracy: bool, tmp_path: Path) -> None:
    trials = drawn_trials(preset, accuracy)
    figure = draw_tuning(trials, tmp_path / "t.png")
    axes = [ax for ax in figure.axes if ax.get_visible()]
    assert len(axes) == 1 + len(trials.ranges)
    low, high = axes[0].get_ylim()
    to_the_end, early, best = (c.get_offsets() for c in axes[0].collections)
    for dots, pruned in ((to_the_end, False), (early, True)):
        expected = [
            [t.number, min(max(t.score, low), high)]
            for t in trials.all
            if t.pruned == pruned and t.score is not None
        ]
        np.testing.assert_allclose(np.asarray(dots), expected)
    assert trials.best is not None
    assert np.asarray(best).tolist() == [[trials.best.number, trials.best.score]]
    steps = axes[0].lines[0].get_ydata()
    assert np.asarray(steps)[-1] == trials.best.score
    for ax, one in zip(axes[1:], trials.ranges, strict=True):
        left, right = ax.get_xlim()
        xs = np.concatenate([np.asarray(c.get_offsets())[:, 0] for c in ax.collections])
        assert ((left <= xs) & (xs <= right)).all(), one.name
        assert ax.get_xscale() == ("log" if one.scale == "log" else "linear")


def test_a_single_trial_and_equal_scores_are_drawn() -> None:
    for scores in ([0.5], [0.5, 0.5, 0.5], [0.0], [1.0, 1.0]):
        trials = Trials([Trial(i, {}, s) for i, s in enumerate(scores)], True)
        low, high = draw_tuning(trials).axes[0].get_ylim()
        assert low < scores[0] < high


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(DataError, match="nothing to draw"):
        draw_tuning(Trials([Trial(0, {}, 0.5, pruned=True)], True))
    with pytest.raises(SettingError, match="a picture is written"):
        draw_tuning(drawn_trials("plain", True), "t.txt")


def test_the_section_of_a_report_speaks_chinese() -> None:
    told, figure, table = trials_section(drawn_trials("table", True), "zh")
    assert "31" in told
    assert "学习率" in figure
    assert table.count("<tr>") == 11
