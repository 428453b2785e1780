"""Tables of strangers: noisy ones are not learnt by heart, and a model that is worse than none says so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner, Result
from tests.cli.driver import as_json, good, run

import chainrule as cr
from chainrule.cli import chainrule as command
from chainrule.files import load_model, save_model
from chainrule.lang.messages import _

Array = npt.NDArray[Any]

NUMPY = ("--engine", "numpy")
#: What used to be the default, whatever the table.
BY_HEART = ("--epochs", "200", "--weight-decay", "0.1")
CONSTANT = "no better than always saying"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, columns: dict[str, Any]) -> None:
    rows = [
        ",".join(columns),
        *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True)),
    ]
    Path(name).write_text("\n".join(rows) + "\n")


def student(rows: int = 300, seed: int = 0, signal: float = 0.35) -> None:
    """Of the kind of `student`: many columns that say little, and a mark that little explains."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 25))
    mark = signal * (x[:, 0] - x[:, 1] + 0.5 * x[:, 2]) + rng.normal(size=rows)
    columns: dict[str, Any] = {f"x{i}": x[:, i].round(3) for i in range(25)}
    write("student.csv", {**columns, "mark": mark.round(3)})


def pima(rows: int = 400, seed: int = 0) -> None:
    """Of the kind of `pima` and `heart`: two classes that overlap."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 8))
    ill = x[:, 0] + 0.7 * x[:, 1] - 0.5 * x[:, 2] + 1.4 * rng.normal(size=rows) > 0.5
    columns: dict[str, Any] = {f"x{i}": x[:, i].round(3) for i in range(8)}
    write("pima.csv", {**columns, "type": np.where(ill, "yes", "no")})


def trained(data: str, target: str, *more: str) -> Any:
    where = ("--out", "m.safetensors", "--force")
    return as_json("train", data, "--target", target, *where, *NUMPY, *more)


def said(told: Any) -> str:
    """What is said of the model, beside the remarks on the data."""
    return " ".join(n for n in told["notes"] if n.startswith("On "))


# -- small noisy tables ----------------------------------------------------------------------------


@pytest.mark.source("strangers, section 3 (student)")
def test_a_mark_that_little_explains_is_predicted_as_well_as_a_line_does() -> None:
    found: dict[str, list[float]] = {"r2": [], "linear": [], "by heart": []}
    for seed in range(3):
        student(seed=seed)
        held = trained("student.csv", "mark", "--seed", str(seed))["held_out"]
        found["r2"].append(held["r2"])
        found["linear"].append(held["linear"])
        told = trained("student.csv", "mark", "--seed", str(seed), *BY_HEART)
        found["by heart"].append(told["held_out"]["r2"])
    mean = {name: float(np.mean(values)) for name, values in found.items()}
    assert mean["r2"] > mean["linear"] - 0.05
    assert mean["r2"] > mean["by heart"] + 0.3


@pytest.mark.source("strangers, section 3 (pima, heart)")
def test_classes_that_overlap_are_told_as_well_as_a_line_does() -> None:
    found = []
    for seed in range(3):
        pima(seed=seed)
        held = trained("pima.csv", "type", "--seed", str(seed))["held_out"]
        found.append((held["accuracy"], held["linear"], held["constant"]))
    accuracy, linear, constant = np.mean(found, axis=0)
    assert accuracy >= linear - 0.02
    assert accuracy > constant + 0.1


@pytest.mark.source("strangers, section 3 (airfoil, boston)")
def test_a_clear_curve_is_still_learnt_better_than_a_line() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, size=(500, 3))
    y = np.sin(2 * x[:, 0]) * x[:, 1] + x[:, 2] ** 2
    write("curve.csv", {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": y})
    told = trained("curve.csv", "y")
    assert told["held_out"]["r2"] > 0.95
    assert told["held_out"]["linear"] < 0.3
    assert said(told) == ""


@pytest.mark.source("strangers, section 3 (the same seed)")
def test_the_choice_is_kept_and_is_the_same_again() -> None:
    pima()
    first, second = trained("pima.csv", "type"), None
    body = Path("m.safetensors").read_bytes()
    second = trained("pima.csv", "type")
    assert Path("m.safetensors").read_bytes() == body
    assert first["training"] == second["training"]
    training = first["training"]
    tried = training["tried"]
    assert len(tried) == 3
    best = min((r for r in tried if r["loss"] is not None), key=lambda r: r["loss"])
    assert training["weight_decay"] == best["weight_decay"]
    assert training["epochs"] == (200 if best is tried[0] else best["epochs"])
    told = good("inspect", "m.safetensors")
    assert f"epochs {best['epochs']}, weight decay {best['weight_decay']:g}, loss" in told


@pytest.mark.source("strangers, section 3 (held-out rows choose nothing)")
def test_rows_held_out_have_no_part_in_the_choice() -> None:
    """Their targets are made nonsense, and the model stays the same to the bit."""
    student()
    first = trained("student.csv", "mark")
    lines = Path("student.csv").read_text().splitlines()
    from chainrule.cli.split import divide
    from chainrule.datasets import read_csv

    rows = divide(read_csv("student.csv"), "mark", "regression", 0.2, 0, "fill")
    for row in rows.held.tolist():
        lines[row + 1] = re.sub(r"[^,]+$", "77777.5", lines[row + 1])
    Path("other.csv").write_text("\n".join(lines) + "\n")
    before = load_model("m.safetensors").network.params
    second = trained("other.csv", "mark", "--task", "regression")
    assert second["training"]["tried"] == first["training"]["tried"]
    for p, q in zip(before, load_model("m.safetensors").network.params, strict=True):
        assert p.tobytes() == q.tobytes()


# -- options that take the choice into one's own hands -----------------------------------------------


@pytest.mark.source("strangers, section 3 (single options)")
@pytest.mark.parametrize(
    ("options", "epochs", "decay"),
    [
        (("--epochs", "7"), 7, 0.1),
        (("--weight-decay", "1"), 200, 1.0),
        (("--epochs", "7", "--weight-decay", "2"), 7, 2.0),
        (("--optimizer", "sgd", "--epochs", "3"), 3, 0.0),
        (("--patience", "500", "--epochs", "4"), 4, 0.1),
    ],
)
def test_what_is_given_is_taken_and_nothing_is_tried(
    options: tuple[str, ...], epochs: int, decay: float
) -> None:
    pima()
    training = trained("pima.csv", "type", *options)["training"]
    assert (training["epochs"], training["weight_decay"]) == (epochs, decay)
    assert "tried" not in training


# -- worse than none -------------------------------------------------------------------------------


@pytest.mark.source("strangers 28")
def test_an_r2_below_nothing_says_so_with_what_to_try() -> None:
    student(signal=0.0)
    options = ("--target", "mark", "--out", "m.safetensors", *NUMPY, *BY_HEART)
    result = run("train", "student.csv", *options, "--force")
    assert result.exit_code == 0
    assert "always saying the mean mark" in " ".join(result.stdout.split())
    told = " ".join(result.stderr.split())
    assert f"Note: On the held-out rows the model is {CONSTANT} the mean mark (-" in told
    assert "Try it without --epochs and --weight-decay first. Else try more rows, or" in told
    told = as_json("train", "student.csv", *options, "--force")
    assert told["held_out"]["r2"] < told["held_out"]["constant"]
    assert CONSTANT in said(told)
    # `evaluate` knows it from the file, on the same rows and on others.
    found = as_json("evaluate", "m.safetensors", "student.csv")
    assert found["held_out"]["constant"] == told["held_out"]["constant"]
    assert CONSTANT in said(found)
    student(seed=5, signal=0.0)
    found = as_json("evaluate", "m.safetensors", "student.csv")
    assert f"On these rows the model is {CONSTANT}" in said(found)
    assert "Try more rows" in said(found)


@pytest.mark.source("strangers 28")
def test_an_accuracy_below_the_largest_class_says_so() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5)).round(3)
    columns: dict[str, Any] = {f"x{i}": x[:, i] for i in range(5)}
    label = np.where(rng.random(200) < 0.75, "often", "seldom")
    write("t.csv", {**columns, "label": label})
    told = trained("t.csv", "label", *BY_HEART)
    held = told["held_out"]
    assert held["accuracy"] < held["constant"]
    assert f"{CONSTANT} 'often' ({held['accuracy']:.1%} against {held['constant']:.1%})" in said(
        told
    )
    shown = run("evaluate", "m.safetensors", "t.csv")
    assert "to compare" in shown.stdout
    assert f"{CONSTANT} 'often'" in " ".join(shown.stderr.split())


@pytest.mark.source("strangers 28", "strangers, section 3 (student)")
def test_a_network_that_is_worse_than_a_line_says_so() -> None:
    student(signal=1.0)
    told = trained("student.csv", "mark", *BY_HEART)
    assert 0 < told["held_out"]["r2"] < told["held_out"]["linear"]
    assert "a linear model is better" in said(told)
    assert "Else try --hidden none, which makes a linear model" in said(told)
    alone = trained("student.csv", "mark", "--hidden", "none")
    assert "--hidden" not in said(alone)


@pytest.mark.source("strangers 28")
def test_a_good_model_is_only_shown_beside_the_others() -> None:
    result = run("train", "iris", "--out", "m.safetensors", *NUMPY)
    assert "Note:" not in result.stderr
    line = next(x for x in result.stdout.splitlines() if x.startswith("to compare"))
    assert re.search(r"[\d.]+% by a linear model, 33\.3% by always saying 'setosa'", line)


@pytest.mark.source("strangers 28 (on the report's page, in both languages)")
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_report_says_it_too(lang: str) -> None:
    pytest.importorskip("matplotlib")
    student(rows=80, signal=0.0)
    told = trained("student.csv", "mark", *BY_HEART, "--report", "r.html", "--lang", lang)
    page = Path("r.html").read_text("utf-8")
    if lang == "en":
        assert CONSTANT in said(told)
        assert f"the model is {CONSTANT} the mean mark" in page
        assert "by the same answer for every row" in page
    else:
        for text in (told["notes"][-1], page):
            assert "在验证集上，模型并不比总是回答 mark 的均值更好（" in text
            assert re.search("请先去掉 --epochs ?和 ?--weight-decay 试一次。", text)
        assert "held-out rows" not in page


@pytest.mark.source("strangers 28 (every sentence in Chinese)")
def test_every_sentence_of_the_verdict_has_its_chinese() -> None:
    from chainrule.cli.comparison import verdict
    from chainrule.training import Comparison

    tables = {
        "n": cr.datasets.Table({"x": [1.0, 2.0, 3.0, 4.0], "n": [0.5, 1.5, 2.5, 4.5]}),
        "c": cr.datasets.Table({"x": [1.0, 2.0, 3.0, 4.0], "c": ["甲", "乙", "甲", "乙"]}),
    }
    seen = set()
    for target, table in tables.items():
        preparation = cr.datasets.Preprocessor.fit(table, target)
        x, t = preparation.transform(table), preparation.targets(table)
        baselines = cr.Baselines.fit(x, t, 2 if target == "c" else None)
        for found in (
            Comparison(0.25, 0.5, 0.75, "constant"),
            Comparison(None, None, None, "constant"),
            Comparison(0.25, 0.125, 0.75, "linear"),
        ):
            for hidden in (True, False):
                for given in ((), ("--epochs",), ("--epochs", "--weight-decay", "--patience")):
                    which = _("the held-out rows")
                    seen |= {*verdict(found, preparation, baselines, which, hidden, given)}
    assert len(seen) > 10
    for sentence in seen:
        chinese = sentence.said("zh", "command")
        left = re.sub(r"--[a-z-]+( none)?", "", chinese)
        assert not re.search(r"[A-Za-z]{2}", left), chinese
        number = r"-?[\d.]+\d%?"
        assert set(re.findall(number, sentence)) == set(re.findall(number, chinese))


# -- neighbours --------------------------------------------------------------------------------------


@pytest.mark.source("strangers 28 (neighbour: nothing to compare with)")
def test_targets_that_are_all_the_same_are_no_reason_to_blame() -> None:
    write("t.csv", {"x": list(range(40)), "y": [2.5] * 39 + [3.5]})
    told = trained("t.csv", "y", "--task", "regression", "--seed", "1")
    assert "held_out" in told
    write("same.csv", {"x": list(range(10)), "y": [2.5] * 10})
    found = as_json("evaluate", "m.safetensors", "same.csv")
    assert (found["all"]["r2"], found["all"]["constant"]) == (None, None)
    assert "(- " not in said(found)


@pytest.mark.source("strangers 28 (neighbour: no rows held out)")
def test_without_held_out_rows_nothing_is_said_and_evaluate_still_can() -> None:
    student(signal=0.0)
    told = trained("student.csv", "mark", "--validation", "0", *BY_HEART)
    assert "held_out" not in told
    assert said(told) == ""
    assert said(as_json("evaluate", "m.safetensors", "student.csv")) == ""  # rows it was trained on
    student(seed=1, signal=0.0)
    assert CONSTANT in said(as_json("evaluate", "m.safetensors", "student.csv"))


@pytest.mark.source("strangers 28 (neighbour: models kept before, or by hand)")
def test_a_model_without_baselines_is_evaluated_as_before() -> None:
    student()
    trained("student.csv", "mark", "--epochs", "1")
    model = load_model("m.safetensors")
    save_model("old.safetensors", model.network, preparation=model.preparation, facts=model.facts)
    found = as_json("evaluate", "old.safetensors", "student.csv")
    assert found["held_out"].keys() >= {"r2", "rmse", "mae"}
    assert "linear" not in found["held_out"]
    assert "to compare" not in good("evaluate", "old.safetensors", "student.csv")


@pytest.mark.source("strangers, section 3 (neighbour: a handful of rows)")
@pytest.mark.parametrize("rows", [3, 8, 19, 24, 30])
def test_a_handful_of_rows_is_trained_on(rows: int) -> None:
    write("few.csv", {"x": list(range(rows)), "t": [["a", "b"][i % 2] for i in range(rows)]})
    told = trained("few.csv", "t")
    assert ("tried" in told["training"]) == (told["split"]["training_rows"] >= 20)


@pytest.mark.source("strangers, section 3 (neighbour: rare classes)")
def test_a_class_of_one_row_is_no_trouble_to_the_parts() -> None:
    rng = np.random.default_rng(0)
    label = ["often"] * 60 + ["twice"] * 2 + ["once"]
    write("rare.csv", {"x": rng.normal(size=63).round(3), "t": label})
    told = trained("rare.csv", "t")
    assert len(told["training"]["tried"]) == 3
    assert all(r["loss"] is None or np.isfinite(r["loss"]) for r in told["training"]["tried"])


@pytest.mark.source("strangers 28 (neighbour: more columns than a line is fitted to)")
def test_a_very_wide_table_is_compared_with_the_constant_alone() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 1001)).round(3)
    write("wide.csv", {**{f"x{i}": x[:, i] for i in range(1001)}, "t": ["a", "b"] * 20})
    told = trained("wide.csv", "t", "--epochs", "1", "--hidden", "4")
    assert told["held_out"]["linear"] is None
    assert told["held_out"]["constant"] == 0.5


@pytest.mark.source("strangers 28 (neighbour: offsets and units)")
def test_a_target_far_from_nothing_is_compared_in_its_own_spread() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    y = 1e9 + 1e3 * x + rng.normal(size=200)
    write("far.csv", {"x": x.round(4), "y": [f"{v:.2f}" for v in y]})
    held = trained("far.csv", "y")["held_out"]
    assert held["linear"] > 0.99
    assert held["r2"] > 0.99
    assert abs(held["constant"]) < 0.2


@pytest.mark.source("strangers 28 (neighbour: a table in the pipe)")
def test_a_table_from_the_pipe_is_judged_alike() -> None:
    student(signal=0.0)
    body = Path("student.csv").read_text()
    result: Result = CliRunner().invoke(
        command,
        ["train", "-", "--target", "mark", "--out", "p.safetensors", "--json", *NUMPY, *BY_HEART],
        input=body,
    )
    assert CONSTANT in said(json.loads(result.stdout))
