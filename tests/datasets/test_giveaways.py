"""Columns that give the target away are told, and good predictors are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from tests.cli.chinese import english_words

from chainrule.cli import chainrule
from chainrule.datasets import Preprocessor, Table, digits, iris, load, rows_with_target
from chainrule.datasets.giveaways import ENOUGH
from chainrule.lang.messages import Text

N = 400


def told(table: Table, target: str = "t") -> dict[str, str]:
    """The columns of which a note says that they tell the target, and how."""
    rows = table.rows(rows_with_target(table, target)[0])
    notes = [n for n in Preprocessor.fit(rows, target).notes if "by itself, since" in n]
    return {n.split("'")[1]: n.split("since ")[1].split(": is it known")[0] for n in notes}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


VALUES = "each of its values goes with one class"
BORDERS = "the classes lie side by side along it"
SORTED = "it numbers the rows, which are sorted by t"


def test_copies_and_other_names_of_classes() -> None:
    kind = rng().integers(0, 3, N)
    slips = np.where(np.arange(N) < 2, (kind + 1) % 3, kind)
    letters = np.array(list("xyz"))
    columns: dict[str, Any] = {
        "copy": kind,
        "letters": letters[kind].tolist(),
        "slips": letters[slips].tolist(),
        "finer": (3 * rng(1).integers(0, 9, N) + kind).tolist(),
        "gaps": [None if k == 0 else int(k) for k in kind],
        "coarse": (kind > 0).astype(int),
        "often": np.where(rng(2).random(N) < 0.03, 0, kind),
        "id": rng(3).permutation(N),
        "name": [f"row {i}" for i in range(N)],
        "noise": rng(4).normal(size=N),
    }
    texts = np.array(["red", "green", "blue"])[kind].tolist()
    found = told(Table({**columns, "t": texts}))
    assert found == dict.fromkeys(("copy", "letters", "slips", "finer", "gaps"), VALUES)
    assert told(Table({**columns, "t": kind})) == found


def test_numbers_cut_into_classes_and_rows_sorted_by_class() -> None:
    x = rng().normal(size=N)
    edges = np.quantile(x, [0.3, 0.6, 0.9])
    t = np.searchsorted(edges, x)
    columns = {"x": x, "cubed": x**3, "noisy": x + 0.1 * rng(1).normal(size=N), "t": t}
    assert told(Table(columns)) == {"x": BORDERS, "cubed": BORDERS}
    sorted_rows = Table({"Id": np.arange(1, N + 1), "x": rng(2).normal(size=N), "t": np.sort(t)})
    assert told(sorted_rows) == {"Id": BORDERS}
    part = sorted_rows.rows(rng(3).permutation(N)[:300])  # as the training rows are
    assert told(part) == {"Id": BORDERS}


@pytest.mark.parametrize("seed", range(5))
def test_linear_functions_of_a_number(seed: int) -> None:
    t = rng(seed).lognormal(3, 1, N)
    columns: dict[str, Any] = {
        "copy": t, "fahrenheit": 1.8 * t + 32, "cents": (100 * t).round(),
        "rounded": t.round(1), "slips": np.where(np.arange(N) < 3, 0, t),
        "gaps": np.where(np.arange(N) < 3, np.nan, -t),
        "near": t + 0.2 * rng(seed + 9).normal(size=N), "squared": t**2, "log": np.log(t),
    }  # fmt: skip
    found = told(Table({**columns, "t": t}))
    assert set(found) == {"copy", "fahrenheit", "cents", "rounded", "slips", "gaps"}
    assert found["copy"] == "t = copy"
    assert found["fahrenheit"] == "t = 0.555556 · fahrenheit - 17.7778"
    assert found["gaps"] == "t = -1 · gaps"
    order = np.argsort(t)
    by_number = Table({"no": np.arange(N), "year": 1900 + np.arange(N), "t": t[order]})
    assert told(by_number) == {"no": SORTED}  # what rises with the years is predicted by them


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("part", [0.004, 0.01, 0.02, 0.05, 0.3])
def test_a_number_that_is_mostly_zero_is_judged_by_the_other_rows(part: float, seed: int) -> None:
    n, random = 3000, rng(seed)
    t = np.where(random.random(n) < part, random.lognormal(3, 1, n), 0.0)
    noisy = t * random.uniform(0.7, 1.3, n)
    columns = {"no": np.arange(n), "noisy": noisy, "other": random.permutation(t), "t": t}
    assert told(Table(columns)) == {}
    copies = told(Table({"copy": 2 * t + 1, "slips": np.where(np.arange(n) < 9, 0.0, t), "t": t}))
    assert part < 0.05 or "copy" in copies
    assert part < 0.3 or "slips" in copies


def test_a_few_huge_numbers_make_no_rule() -> None:
    """gt::constants of R: uncertainties of physical constants beside their values, over 80 powers of ten."""
    size = np.exp(rng().uniform(-90, 90, N))
    columns = {"value": size, "exact": 3e-10 * size, "t": 3e-10 * size}
    columns["t"] = np.where(
        size < size.max() / 9, columns["t"] * rng(1).lognormal(size=N), columns["t"]
    )
    assert told(Table(columns)) == {}
    assert told(Table({"value": size, "t": 3e-10 * size})) == {"value": "t = 3e-10 · value"}


def test_good_predictors_of_real_tables_are_none() -> None:
    for name in ("iris", "penguins"):
        table = load(name)
        for target in table.names:
            assert told(table, target) == {}, target
    x, t = iris()
    for kind in range(3):  # setosa is told from the others by its petals, without an error
        assert told(Table.from_matrix(x, more={"t": t == kind})) == {}
    x, t = digits()
    for digit in range(10):
        assert told(Table.from_matrix(x, more={"t": t == digit})) == {}
    sets: Any = pytest.importorskip("sklearn.datasets")
    for name in ("load_wine", "load_breast_cancer", "load_diabetes"):
        frame = getattr(sets, name)(as_frame=True).frame
        for target in frame:
            assert told(Table(frame), target) == {}, (name, target)


@pytest.mark.parametrize("apart", [1, 3, 4, 5, 6, 8, 12])
def test_classes_apart_are_told_by_a_good_predictor(apart: float) -> None:
    for seed in range(20):
        t = rng(seed).integers(0, 2, 200)
        x = rng(seed + 100).normal(size=200) + apart * t
        assert told(Table({"x": x, "rounded": x.round(1), "t": t})) == {}


def test_a_number_of_many_rows_is_looked_at_in_some() -> None:
    x = rng().normal(size=2 * ENOUGH + 1)
    t = np.searchsorted([-0.5, 0.5], x)
    columns = {"x": x, "y": x + rng(1).normal(size=len(x)), "t": t}
    assert told(Table(columns)) == {"x": BORDERS}
    assert told(Table({**columns, "t": 2 * x})) == {"x": "t = 2 · x"}


def test_the_command_says_it_and_the_model_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    t = rng().integers(0, 2, 80)
    rows = [
        f"{a:.3f},{'yes' if b else 'no'},{b}"
        for a, b in zip(rng(1).normal(size=80), t, strict=True)
    ]
    Path("d.csv").write_text("\n".join(["x,is alive,survived", *rows]))

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(chainrule, list(arguments))
        assert result.exit_code == 0, result.output
        return " ".join(result.output.split())

    said = (
        "'is alive' tells 'survived' by itself, since each of its values goes with one class: is it"
        " known when you predict? (Without it: --without 'is alive'.)"
    )
    trained = ["train", "d.csv", "--target", "survived", "--epochs", "2", "--engine", "numpy"]
    assert said in run(*trained, "--out", "m.safetensors")
    assert said in run("inspect", "m.safetensors")
    assert "by itself" not in run(*trained, "--without", "is alive", "--out", "n.safetensors")
    note = next(n for n in Preprocessor.fit(Table({"x": t, "t": t}), "t").notes if "itself" in n)
    assert isinstance(note, Text)
    assert note.endswith("(Without it: table.drop('x').)")
    for reader in ("python", "command"):
        assert not english_words(note.said("zh", reader))
