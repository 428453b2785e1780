"""Ranges of settings: what is drawn lies in them, on their scales; and the trials that are scored."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.training.ranges import RANGES, Range, hidden_of, ranges_for
from chainrule.training.recipes import recipes_for
from chainrule.training.trials import Trial, Trials

EVERY = [(preset, one) for preset, ranges in RANGES.items() for one in ranges]


@pytest.mark.parametrize(("preset", "one"), EVERY, ids=lambda part: getattr(part, "name", part))
def test_what_is_drawn_lies_in_the_range(preset: str, one: Range) -> None:
    rng = np.random.default_rng(0)
    drawn = [one.drawn(rng) for _ in range(300)]
    assert all(value in one for value in drawn)
    assert len(set(drawn)) > 2
    assert 0.0 in drawn or not one.or_zero
    if one.whole or one.choices:
        assert all(isinstance(value, int) for value in drawn)
    else:
        assert all(len(f"{value:.10g}".lstrip("0.").replace(".", "")) <= 4 for value in drawn)


@pytest.mark.parametrize(
    ("one", "middle"),
    [
        (Range("a", 1e-4, 1.0, "log"), 1e-2),
        (Range("b", 0.0, 0.5), 0.25),
        (Range("c", 0.9, 0.999, "log to 1"), 1 - 1e-2),
    ],
)
def test_the_middle_of_the_scale_is_the_median(one: Range, middle: float) -> None:
    rng = np.random.default_rng(1)
    below = np.mean([one.drawn(rng) < middle for _ in range(4000)])
    assert abs(below - 0.5) < 4 * math.sqrt(0.25 / 4000)


def test_the_ranges_of_realmlp_are_those_published() -> None:
    """As the search space "tabarena" of pytabkit's RealMLPParamSampler has them."""
    found = {one.name: (one.low, one.high, one.scale) for one in RANGES["table"]}
    assert found["layers"][:2] == (2, 4)
    assert found["lr"] == (2e-2, 3e-1, "log")
    assert found["dropout"] == (0.0, 0.5, "linear")
    assert found["weight_decay"] == (1e-3, 5e-2, "log")
    assert found["sigma"] == (1e-2, 50, "log")
    assert found["label_smoothing"] == (5e-3, 1e-1, "log")
    low, high, scale = found["beta2"]
    assert scale == "log to 1"
    assert [1 - high, 1 - low] == pytest.approx([5e-3, 5e-2])
    assert {one.name: one.choices for one in RANGES["table"]}["width"] == (256, 384, 512)


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("name", ["table", "table-small"])
def test_the_presets_own_settings_lie_in_their_ranges(name: str, task: str) -> None:
    preset = cr.PRESETS[name]
    own = {
        "layers": len(preset.hidden),
        "width": preset.hidden[0],
        "lr": preset.lr["classification" if task == "classification" else "regression"],
        **{k: v for k, v in vars(preset).items() if isinstance(v, float)},
    }
    for one in ranges_for(name, classes=True, numbers=True):
        assert own[one.name] in one, one.name


@pytest.mark.parametrize("rows", [20, 150, 3000, 9999, 10_000, 1_000_000])
def test_the_recipes_lie_in_the_range_of_epochs(rows: int) -> None:
    recipes = recipes_for(rows)
    found = ranges_for("plain", classes=True, numbers=True, recipes=recipes)
    by_name = {one.name: one for one in found}
    for recipe in recipes:
        assert recipe.epochs in by_name["epochs"]
        assert recipe.weight_decay in by_name["weight_decay"]


def test_the_document_has_the_ranges() -> None:
    text = (Path(__file__).parents[2] / "docs" / "command.md").read_text("utf-8")
    rows = [line.strip("|\n").split("|") for line in text.splitlines() if line.startswith("| ")]
    cells = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}
    for i, preset in enumerate(("table", "table-small", "plain")):
        found = {one.name: one.told.said("en") for one in RANGES[preset]}
        for name in {one.name for ranges in RANGES.values() for one in ranges}:
            assert cells[name.replace("_", " ")][i] == found.get(name, ""), (preset, name)


def test_what_a_table_does_not_have_is_not_tuned() -> None:
    def names(**given: object) -> set[str]:
        told = {"classes": True, "numbers": True, **given}
        return {one.name for one in ranges_for("table", **told)}  # type: ignore[arg-type]

    assert names() - names(classes=False) == {"label_smoothing"}
    assert names() - names(numbers=False) == {"sigma"}
    assert names() - names(given=["hidden", "lr"]) == {"layers", "width", "lr"}


def test_layers_and_width_are_the_hidden_layers() -> None:
    assert hidden_of({"layers": 3, "width": 64}) == {"hidden": (64, 64, 64)}
    assert hidden_of({"dropout": 0.1}) == {"dropout": 0.1}


# -- trials ----------------------------------------------------------------------------------------


def of_scores(accuracy: bool, *scores: float | None) -> Trials:
    return Trials([Trial(i, {}, score) for i, score in enumerate(scores)], accuracy, "y")


def test_the_best_is_the_first_of_equals() -> None:
    for accuracy, scores, best in (
        (True, (0.5, 0.9, 0.9, 0.1), 1),
        (False, (0.5, 0.9, 0.1, 0.1), 2),
        (False, (None, 2.0), 1),
    ):
        found = of_scores(accuracy, *scores).best
        assert found is not None
        assert found.number == best
    assert of_scores(True).best is None


def test_a_trial_that_was_ended_early_is_not_the_best() -> None:
    early = Trial(1, {}, 0.99, pruned=True)
    trials = Trials([Trial(0, {}, 0.5), early], accuracy=True)
    assert trials.best is not None
    assert trials.best.number == 0
    assert trials.pruned == [early]


def test_the_best_so_far_never_falls() -> None:
    rng = np.random.default_rng(2)
    scores = rng.random(30)
    for accuracy, best in ((True, np.maximum), (False, np.minimum)):
        bests = of_scores(accuracy, *scores.tolist()).bests
        assert bests == best.accumulate(scores).tolist()
        assert all((b >= a) == accuracy or a == b for a, b in pairwise(bests))
