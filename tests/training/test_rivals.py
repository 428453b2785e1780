"""Two presets, and rows left out that decide between them: the rule, the command, the estimators."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.cli.driver import as_json, good, run

import chainrule as cr
from chainrule.cli import train_options
from chainrule.engine.cost import Estimate
from chainrule.training import recipes, rivals
from chainrule.training.metrics import row_losses
from chainrule.training.presets import PRESETS
from chainrule.training.recipes import Choice, Recipe
from chainrule.training.rivals import clearly_better, presets_for

Array = npt.NDArray[Any]


# -- the rule -------------------------------------------------------------------------------------


def test_it_is_the_paired_t_statistic() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    decided = 0
    for _ in range(300):
        n = int(rng.integers(5, 60))
        losses, others = rng.normal(size=n), rng.normal(rng.uniform(0, 2), size=n)
        better = clearly_better(losses, others)
        assert better == (stats.ttest_rel(others, losses).statistic > 3)
        decided += better
    assert 50 < decided < 250


def test_chance_is_seldom_clear() -> None:
    rng = np.random.default_rng(1)
    wrong = [clearly_better(*rng.integers(0, 2, (2, 400))) for _ in range(2000)]
    assert np.mean(wrong) < 0.005


@pytest.mark.parametrize("losses", [[0.5], [0.5, 0.5], [1.0, 0.0]])
def test_the_same_losses_are_not_better(losses: list[float]) -> None:
    assert not clearly_better(losses, losses)


def test_the_loss_of_rows() -> None:
    y = np.array([[1.0, 2.0], [3.0, 0.0]])
    np.testing.assert_array_equal(row_losses(y, [1, 1], classes=True), [0, 1])
    np.testing.assert_array_equal(row_losses(y, y + 1, classes=False), [2, 2])
    np.testing.assert_array_equal(row_losses(y[:, :1], np.array([0.0, 3.0]), classes=False), [1, 0])


def test_many_and_few_rows_have_one_preset() -> None:
    sizes = [10, 1_999, 2_000, 9_999, 10_000, 100_000, 100_001]
    both, one = [[presets_for(n, one) for n in sizes] for one in (False, True)]
    assert [len(found) for found in both] == [1, 1, 2, 2, 2, 2, 1]
    plain, table = ("plain",), ("table",)
    assert one == [plain, plain, plain, plain, table, table, plain]


# -- the command and the estimators -----------------------------------------------------------------


def waves(n: int) -> tuple[Array, Array]:
    """Classes in thin stripes, which waves of numbers tell apart and straight lines hardly do."""
    x = np.random.default_rng(0).uniform(-1, 1, (n, 3))
    return x, (np.sin(8 * x[:, 0]) > 0).astype(int)


def line(n: int) -> tuple[Array, Array]:
    """Noise around a line, where there is nothing more to find."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 4))
    return x, x @ [1.0, -1.0, 2.0, 0.0] + rng.normal(size=n)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two presets are tried from 200 rows on, both of few steps, so that these tests take little time."""
    monkeypatch.setattr(rivals, "TRIED_FROM", 200)
    monkeypatch.setattr(recipes, "STEPS", 500)
    small = replace(PRESETS["table"], hidden=(64, 64), epochs=100, batch_size=64)
    monkeypatch.setitem(PRESETS, "table", small)


def write(path: str, data: tuple[Array, Array]) -> None:
    x, t = data
    names = [*(f"c{i}" for i in range(x.shape[1])), "y"]
    label = "c" if t.dtype.kind == "i" else ""
    rows = (
        ",".join([*map(repr, row.tolist()), f"{label}{y}"]) for row, y in zip(x, t, strict=True)
    )
    Path(path).write_text("\n".join([",".join(names), *rows]) + "\n")


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(("make", "winner"), [(waves, "table"), (line, "plain")])
def test_train_keeps_the_better_one(
    make: Any, winner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write("data.csv", make(700))
    told = good("train", "data.csv", "--target", "y", "--out", "m.safetensors")
    assert "Two presets are tried, plain and table" in told
    assert re.search(r"\n +table: 100 epochs of \d+ steps?", told)
    engines = re.findall(r"^(?:engine)? +((?:plain|table): (?:NumPy|compiled))", told, re.M)
    assert engines in ([], ["plain: NumPy", "table: compiled"]), (
        told
    )  # one line where they are alike
    assert re.search(rf"^preset +{winner}: ", told, re.MULTILINE), told
    found = as_json("train", "data.csv", "--target", "y", "--out", "n.safetensors")
    training = found["training"]
    assert training["preset"] == winner
    assert training["tried_presets"]["rows"] == 112  # a fifth of 560
    assert Path("m.safetensors").read_bytes() == Path("n.safetensors").read_bytes()
    held = found["held_out"]
    assert held["accuracy"] > 0.9 if winner == "table" else held["r2"] > 0.8
    # What the preset makes by itself, of the same rows, is no other network.
    alone = as_json(
        "train", "data.csv", "--target", "y", "--preset", winner, "--out", "o.safetensors"
    )
    assert alone["training"]["hidden"] == training["hidden"]
    if winner == "plain":
        a, b = (cr.load_model(f"{name}.safetensors") for name in "no")
        for p, q in zip(a.network.params, b.network.params, strict=True):
            np.testing.assert_array_equal(p, q)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    "options", [["--hidden", "8"], ["--epochs", "2"], ["--ensemble", "2"], ["--activation", "tanh"]]
)
def test_settings_that_are_given_leave_one_preset(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write("data.csv", line(300))
    found = as_json("train", "data.csv", "--target", "y", *options)
    assert found["training"]["preset"] == "plain"
    assert "tried_presets" not in found["training"]


@pytest.mark.parametrize("decay", [0.1, 1.0])
def test_what_the_plan_says_of_the_engine_is_what_happens(
    decay: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipe is found while training; from 200 steps on, 100 epochs here, compiling is said to pay."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHAINRULE_ENGINE", raising=False)
    monkeypatch.setattr(Estimate, "pays", lambda self, steps: steps >= 200)
    monkeypatch.setattr(Estimate, "least_steps", 200)
    monkeypatch.setattr(Choice, "recipe", property(lambda self: _of_decay(self, decay)))
    write("data.csv", line(60))
    told = good("train", "data.csv", "--target", "y", "--force")
    assert "NumPy, or compiled if the recipe that is found takes 200 steps or more" in told
    training = as_json("train", "data.csv", "--target", "y", "--force")["training"]
    assert training["engine"] == ("compiled" if decay == 0.1 else "numpy")
    assert (2 * training["epochs"] >= 200) == (decay == 0.1)


def _of_decay(choice: Choice, decay: float) -> Recipe:
    """The recipe of this decay, whatever the losses."""
    return next(recipe for recipe in choice.recipes if recipe.weight_decay == decay)


def test_more_rows_than_can_be_tried_are_spoken_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (rivals, train_options):
        monkeypatch.setattr(module, "TRIED_TO", 200)
    monkeypatch.chdir(tmp_path)
    write("data.csv", line(300))
    told = run("train", "data.csv", "--target", "y").output
    assert "--preset plain, since there are more than 200 rows to train on" in " ".join(
        told.split()
    )


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(("make", "winner"), [(waves, "table"), (line, "plain")])
def test_an_estimator_keeps_the_better_one(make: Any, winner: str) -> None:
    pytest.importorskip("sklearn")
    x, t = make(900)
    kind = cr.NetworkClassifier if winner == "table" else cr.NetworkRegressor
    model = kind(random_state=1).fit(x[:700], t[:700])
    assert model.preset_ == winner
    assert model.score(x[700:], t[700:]) > 0.8
    if winner == "plain":  # trained on all rows, as if it had been asked for
        alone = kind("plain", random_state=1).fit(x[:700], t[:700])
        np.testing.assert_array_equal(model.predict(x), alone.predict(x))
