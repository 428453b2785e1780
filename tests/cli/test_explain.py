"""`chainrule explain`, and what `evaluate` says beside scores: importance, calibration, the report."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.driver import as_json, good, run
from tests.cli.test_report import Page, cells

import chainrule as cr
from chainrule.cli import chainrule
from chainrule.cli.split import divide
from chainrule.files import load_model

FAST = ["--epochs", "6", "--hidden", "8", "--quiet"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def houses(rows: int = 200) -> None:
    """Sizes with gaps, 12 towns, a date, and noise."""
    rng = np.random.default_rng(0)
    day = np.datetime64("2020-01-01") + rng.integers(0, 800, rows)
    town = rng.integers(0, 12, rows)
    size = rng.normal(100, 20, rows)
    price = 2000 * size + 9000 * np.sin(town) + rng.normal(0, 3000, rows)
    with open("houses.csv", "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["sold", "town", "size", "noise", "price"])
        for i in range(rows):
            shown = "" if i % 13 == 0 else f"{size[i]:.1f}"
            out.writerow([day[i], f"t{town[i]}", shown, f"{rng.normal():.2f}", f"{price[i]:.0f}"])


def held_out(data: str, target: str) -> Any:
    table, _ = cr.datasets.open_data(data)
    return table, divide(table, target, "auto", 0.2, 0, "fill").held


# -- evaluate --------------------------------------------------------------------------------------


def test_importance_is_that_of_the_rows_held_out() -> None:
    good("train", "iris", *FAST)
    told = as_json("evaluate", "iris.safetensors", "iris", "--importance", "--seed", "5")
    table, held = held_out("iris", "species")
    model = load_model("iris.safetensors")
    model.network.engine = "auto"
    expected = cr.permutation_importance(model, table.rows(held), seed=5)
    found = told["importance"]
    assert found["rows"] == 30
    assert found["scores"]["accuracy"] == told["held_out"]["accuracy"]
    assert [c["column"] for c in found["columns"]] == list(expected.columns)
    for i, column in enumerate(found["columns"]):
        assert column["accuracy"]["mean"] == pytest.approx(expected.mean[i])
        assert column["accuracy"]["std"] == pytest.approx(expected.std[i])
    shown = good("evaluate", "iris.safetensors", "iris", "--importance", "--seed", "5")
    lines = shown.splitlines()
    start = next(i for i, line in enumerate(lines) if "accuracy lost" in line)
    assert [line.split()[0] for line in lines[start + 1 : start + 5]] == list(expected.columns)
    assert lines[start + 1].count("█") == 16
    assert "Of columns that tell the same" in shown


def test_many_columns_are_cut_and_all_can_be_seen() -> None:
    good("train", "digits", *FAST)
    line = ["evaluate", "digits.safetensors", "digits", "--importance", "--repeats", "1"]
    shown = good(*line)
    assert re.search(r"\(\d+ more columns; --top all shows them\)", shown)
    few, every = good(*line, "--top", "3"), good(*line, "--top", "all")
    assert "(61 more columns" in few
    assert "more column" not in every
    assert len(re.findall(r"(?m)^  p\d+ ", every)) == 64


def test_calibration_in_numbers() -> None:
    good("train", "penguins", *FAST)
    told = as_json("evaluate", "penguins.safetensors", "penguins", "--calibration")["calibration"]
    table, held = held_out("penguins", "species")
    model, rows = load_model("penguins.safetensors"), table.rows(held)
    assert model.preparation is not None
    p, t = model.predict_proba(rows), model.preparation.targets(rows)
    curve = cr.calibration_curve(p, t)
    assert told["error"] == pytest.approx(curve.error, rel=1e-4)
    assert told["log_loss"] == pytest.approx(cr.log_loss(p, t), rel=1e-4)
    assert told["brier_score"] == pytest.approx(cr.brier_score(p, t), rel=1e-4)
    assert sum(b["rows"] for b in told["bins"]) == len(rows)
    shown = good("evaluate", "penguins.safetensors", "penguins", "--calibration")
    assert re.search(rf"calibration error +{curve.error:.1%}", shown)


def test_rows_of_unknown_classes_are_left_out() -> None:
    good("train", "iris", *FAST)
    head = "sepal_length_cm,sepal_width_cm,petal_length_cm,petal_width_cm,species\n"
    Path("new.csv").write_text(head + "5,3,1,0.2,setosa\n6,3,5,2,virginica\n6,3,5,2,rosa\n")
    line = ["evaluate", "iris.safetensors", "new.csv", "--importance", "--calibration"]
    told = as_json(*line, "--report", "r.html")
    assert told["importance"]["rows"] == 2
    assert sum(b["rows"] for b in told["calibration"]["bins"]) == 2
    assert "rosa" in Page("r.html").text  # a note says that there is one
    Path("new.csv").write_text(head + "5,3,1,0.2,setosa\n")
    assert "1 rows: shuffling changes nothing" in run(*line).stderr
    good("evaluate", "iris.safetensors", "new.csv", "--report", "one.html")  # without importance
    assert "Which columns" not in Page("one.html").text
    assert "Why the hardest rows" in Page("one.html").text


def test_rows_of_a_single_class() -> None:
    good("train", "iris", *FAST)
    table, _ = cr.datasets.open_data("iris")
    with open("one.csv", "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(table.names)
        out.writerows([table[n][i] for n in table.names] for i in range(20))
    line = ["evaluate", "iris.safetensors", "one.csv", "--importance", "--calibration"]
    told = as_json(*line, "--report", "one.html")
    assert len(told["importance"]["columns"]) == 4
    assert 0 <= told["calibration"]["error"] <= 1
    assert Page("one.html").outside() == []


def test_a_model_of_arrays_has_no_columns_to_explain_by() -> None:
    cr.save_model("a.safetensors", cr.TwoLayerNet(4, 3, 3))
    for command in ("evaluate", "explain"):
        refused = run(command, "a.safetensors", "iris")
        assert refused.exit_code == 2
        assert "kept without a preparation of its data" in refused.stderr
    assert "cr.integrated_gradients" in refused.stderr


# -- the report ------------------------------------------------------------------------------------


def test_the_report_of_a_classifier() -> None:
    good("train", "penguins", *FAST, "--preset", "table-small")
    told = good("evaluate", "penguins.safetensors", "penguins", "--report", "out.html")
    assert re.search(r"report +out\.html", told)
    page = Page("out.html")
    assert page.outside() == []
    assert len(page.ids) == len(set(page.ids))
    assert page.text.startswith("species, judged on penguins")
    scores = as_json(
        "evaluate", "penguins.safetensors", "penguins", "--importance", "--calibration"
    )
    assert f"{scores['held_out']['accuracy']:.1%}" in page.text
    for title in (
        "On the 69 rows held out",
        "Which columns it goes by",
        "What a column does to the answer",
        "Whether its probabilities come true",
        "Why the hardest rows got these answers",
        "chainrule evaluate penguins.safetensors penguins --report out.html",
    ):
        assert title in page.text, title
    importance = scores["importance"]["columns"]
    body = cells(page, "column")
    assert [row[0] for row in body] == [c["column"] for c in importance]
    first = importance[0]["accuracy"]
    assert body[0][1] == f"{first['mean']:.1%} ± {first['std']:.1%}"
    bins = cells(page, "probability that was said")
    assert [int(row[2]) for row in bins] == [b["rows"] for b in scores["calibration"]["bins"]]
    hardest = [row[0] for row in cells(page, "row")]
    explained = re.findall(r"<h3>(line \d+): ", Path("out.html").read_text("utf-8"))
    assert explained == hardest[:4]


def test_the_report_of_a_regression_with_columns_of_ones_own() -> None:
    houses()
    good("train", "houses.csv", "--target", "price", "--date", "sold", *FAST, "--preset", "table")
    line = ["evaluate", "houses.safetensors", "houses.csv", "--report", "out.html"]
    good(*line, "--dependence", "sold", "--dependence", "town")
    page = Page("out.html")
    assert page.outside() == []
    text = Path("out.html").read_text("utf-8")
    drawn = text.split('aria-label="What a column does to the answer"')[1].split("</svg>")[0]
    assert re.search(r"<text[^>]*>sold</text>", drawn)
    assert re.search(r"<text[^>]*>20\d\d-\d\d-\d\d</text>", drawn)
    assert not re.search(r"<text[^>]*>noise</text>", drawn)
    assert "Whether its probabilities" not in page.text
    assert "--dependence sold" in page.text
    refused = run(*line, "--force", "--dependence", "twon")
    assert refused.exit_code == 2
    assert "did you mean" in refused.stderr


def test_the_report_of_images_has_pictures_of_pixels() -> None:
    good("train", "digits", *FAST)
    good("evaluate", "digits.safetensors", "digits", "--report", "out.html")
    page = Page("out.html")
    assert page.outside() == []
    assert "A bright pixel speaks for the answer" in page.text
    assert "Which columns it goes by" not in page.text


def test_the_report_in_chinese_and_on_other_data() -> None:
    good("train", "penguins", *FAST)
    table, _ = cr.datasets.open_data("penguins")
    with open("new.csv", "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(table.names)
        for i in range(60):
            cells_ = (table[n][3 * i] for n in table.names)
            out.writerow(["" if c != c else c for c in cells_])
    line = ["evaluate", "penguins.safetensors", "new.csv", "--report", "zh.html", "--lang", "zh"]
    good(*line)
    page = Page("zh.html")
    assert ("html", {"lang": "zh-CN"}) in page.tags
    for words in ("在 60 行上", "模型依据哪些列", "一列怎样影响答案", "概率是否可信", "积分梯度"):
        assert words in page.text
    assert "What a column" not in page.text
    assert run(*line).exit_code == 2  # it is there already
    good(*line, "--force")


@pytest.mark.usefixtures("short_reports")
def test_the_report_of_a_training_explains_too() -> None:
    good("train", "iris", *FAST, "--report", "out.html")
    page = Page("out.html")
    assert page.outside() == []
    assert [row[0] for row in cells(page, "column")]
    assert "Whether its probabilities come true" in page.text
    houses()
    for preset in ("table", "table-small"):  # of which one begins with categories of 12 towns
        line = ["train", "houses.csv", "--target", "price", *FAST, "--preset", preset]
        good(*line, "--report", "houses.html", "--force")
        shown = "What the first layer looks for" in Page("houses.html").text
        assert shown == (preset == "table-small")
    good("train", "iris", *FAST, "--validation", "0", "--report", "all.html", "--force")
    assert "Which columns it goes by" in Page("all.html").text


# -- explain ---------------------------------------------------------------------------------------


def test_what_is_shown_adds_up() -> None:
    good("train", "iris", *FAST)
    told = as_json(
        "explain", "iris.safetensors", "iris", "--row", "17", "--line", "5", "--row", "17"
    )
    assert [row["row"] for row in told["rows"]] == [17, 3]
    assert (told["method"], told["baseline"]) == ("integrated", "training")
    model, (table, _) = load_model("iris.safetensors"), cr.datasets.open_data("iris")
    why = cr.explain_rows(model, table, [17, 3])
    for i, row in enumerate(told["rows"]):
        assert row["prediction"] == row["explained"] == model.predict(table.rows([row["row"]]))[0]
        total = row["start"] + sum(row["added"].values()) + row["left_over"]
        assert total == pytest.approx(row["value"])
        assert row["added"] == pytest.approx(dict(zip(why.columns, why.added[i], strict=True)))
        assert abs(row["left_over"]) <= 0.002 * sum(map(abs, row["added"].values())) + 1e-6
    shown = good("explain", "iris.safetensors", "iris", "--line", "5")
    assert shown.startswith("line 5: ")
    assert "the mean of the encoded training rows" in shown
    numbers = re.findall(r"(?m)([+−]?[\d.,]+)$", shown)
    value, start, *added = (float(n.replace("−", "-").replace(",", "")) for n in numbers[:6])
    assert start + sum(added) == pytest.approx(value, abs=0.05)


def test_of_one_class_the_other_way_round() -> None:
    Path("t.csv").write_text(
        "a,b,label\n" + "".join(f"{i},{i * i % 7},{'ny'[i % 2]}\n" for i in range(60))
    )
    good("train", "t.csv", *FAST)
    yes, no = (
        as_json("explain", "t.safetensors", "t.csv", "--class", label)["rows"][0] for label in "yn"
    )
    for name in ("a", "b"):
        assert yes["added"][name] == pytest.approx(-no["added"][name], rel=1e-3, abs=1e-6)


def test_the_worst_rows_are_those_of_the_report() -> None:
    houses()
    good(
        "train", "houses.csv", "--target", "price", *FAST, "--validation", "0", "--report", "r.html"
    )
    told = as_json("explain", "houses.safetensors", "houses.csv", "--worst", "3")
    lines = [int(row[0].split()[1]) for row in cells(Page("r.html"), "row")[:3]]
    assert [row["row"] + 2 for row in told["rows"]] == lines
    shown = good("explain", "houses.safetensors", "houses.csv", "--worst", "1", "--top", "2")
    assert re.search(r"more columns? +[+−]?[\d,]+", shown)
    assert f"line {lines[0]}: price " in shown
    good("train", "iris", *FAST)
    worst = as_json("explain", "iris.safetensors", "iris", "--worst", "2")["rows"]
    assert len(worst) == 2


def test_all_rows_as_csv() -> None:
    houses(60)
    good("train", "houses.csv", "--target", "price", *FAST)
    told = good("explain", "houses.safetensors", "houses.csv", "--out", "added.csv")
    assert told == "What each column adds to 60 answers is in added.csv.\n"
    with open("added.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["row"]) for row in rows] == list(range(60))
    names = load_model("houses.safetensors").preparation.columns  # type: ignore[union-attr]
    for row in rows:
        added = sum(float(row[name]) for name in (*names, "left over"))
        assert float(row["start"]) + added == pytest.approx(float(row["value"]), rel=1e-5)
        assert float(row["prediction"]) == pytest.approx(float(row["value"]), rel=1e-4)
    facts = as_json("explain", "houses.safetensors", "houses.csv", "--out", "two.csv", "--row", "1")
    assert facts["out"] == "two.csv"
    assert "rows" not in facts


def test_new_rows_without_a_target_and_other_models() -> None:
    good(
        "train", "penguins", *FAST, "--preset", "table", "--ensemble", "2", "--out", "e.safetensors"
    )
    table, _ = cr.datasets.open_data("penguins")
    names = [n for n in table.names if n != "species"]
    with open("new.csv", "w", newline="") as file:
        csv.writer(file).writerows([names, [table[n][5] for n in names]])
    told = as_json("explain", "e.safetensors", "new.csv")  # one row has a mean to begin from
    assert told["baseline"] == "training"
    assert max(map(abs, told["rows"][0]["added"].values())) > 0.1
    model = load_model("e.safetensors")
    cr.save_model("old.safetensors", model.network, preparation=model.preparation)
    told = as_json("explain", "old.safetensors", "penguins", "--row", "5")
    assert told["baseline"] == "rows"
    assert "does not keep the mean" in told["notes"][-1]


def test_gradient_times_input_says_what_it_leaves() -> None:
    good("train", "iris", *FAST)
    shown = good("explain", "iris.safetensors", "iris", "--method", "gradient")
    assert "left over" in shown
    assert "need not make up the whole" in shown


def test_in_a_process_of_its_own() -> None:
    good("train", "iris", *FAST)
    line = [sys.executable, "-m", "chainrule", "explain", "iris.safetensors", "iris"]
    done = subprocess.run([*line, "--json"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["rows"][0]["row"] == 0
    plain = subprocess.run(
        line, capture_output=True, check=True, env={"PYTHONIOENCODING": "ascii", "PATH": ""}
    )
    assert b"####" in plain.stdout  # bars where no block can be shown
    assert b"\\u" not in plain.stdout


def test_it_is_a_command() -> None:
    assert "explain" in chainrule.commands
    assert "Say why a row got its answer." in good("--help")
