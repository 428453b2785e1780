"""Programs that predict: the answers of the model file, from raw tables, without chainrule."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.driver import as_json, good
from tests.cli.driver import run as command

import chainrule as cr
from chainrule.datasets import Preprocessor, Table, read_csv
from chainrule.errors import SettingError
from chainrule.files import Model, load_model
from chainrule.script import Script, prediction_script

HOSTILE = ['x"""\n', "a\\", "'; import os #", '"', "{n}", "\u202e", "é, ü", "%s", "\\N{BEL}"]

GUARD = """
import runpy, sys
sys.modules["chainrule"] = None  # importing it is an error
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(script: Script, folder: Path, *given: str) -> list[str]:
    """Save the program, run it as a process of its own, and give the lines it prints."""
    script.save(folder / "predict.py", overwrite=True)
    code = f"import sys; sys.argv = {['predict.py', *given]!r}" + GUARD
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", code],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        env={"PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def write(path: Path, names: list[str], rows: list[list[Any]], delimiter: str = ",") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(names)
        writer.writerows(rows)


def model_of(table: Table, target: str, loss: Any, outputs: int | None = None) -> Model:
    prepared = Preprocessor.fit(table, target)
    width = outputs or (len(prepared.classes) if prepared.classes else 1)
    network = cr.Sequential(
        cr.Affine.sized(len(prepared.features), 9), cr.BatchNorm.sized(9), cr.GELU(),
        cr.Dropout(0.4), cr.Affine.sized(9, width), loss=loss, seed=2,
    )  # fmt: skip
    trainer = cr.Trainer(network, cr.Adam(0.01), engine="numpy")
    x, t = prepared.transform(table), prepared.targets(table)
    trainer.fit(x, t[:, None] if loss.target == "binary" else t, epochs=3, progress=None)
    return Model(network, prepared)


def test_a_table_of_numbers_and_texts_with_gaps(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = ["north", "south, east", ""]
    rows = [
        [
            "" if i % 7 == 0 else f" {rng.standard_normal() * 50:.3f} ",
            ["?", "NA", "5"][i % 3] if i % 5 == 0 else str(i),
            words[i % 3],
            "1.5",
            ["yes", "no", "perhaps"][rng.integers(3)],
        ]
        for i in range(60)
    ]
    names = ["height", "count", "where", "constant", "answer"]
    for delimiter in (",", ";", "\t"):
        write(tmp_path / "table.csv", names, rows, delimiter)
        table = read_csv(tmp_path / "table.csv")
        model = model_of(table, "answer", cr.SoftmaxWithLoss())
        wanted = [str(label) for label in model.predict(table)]
        script = prediction_script(model)
        assert run(script, tmp_path, "table.csv") == wanted
    assert len(set(wanted)) > 1
    assert model.preparation is not None
    np.save(tmp_path / "inputs.npy", model.preparation.transform(table))
    assert run(script, tmp_path, "inputs.npy") == wanted


@pytest.mark.parametrize("encoding", ["standard", "robust", "embedded"])
def test_every_encoding_of_numbers_texts_dates_and_gaps(tmp_path: Path, encoding: Any) -> None:
    rng = np.random.default_rng(3)
    cities = [f"city {i}" for i in range(14)]
    rows = [
        [
            "" if i % 9 == 0 else f"{rng.standard_cauchy():.4f}",
            ["yes", "no"][rng.integers(2)],
            str(rng.choice(cities)),
            ["red", "green", "", "blue"][rng.integers(4)],
            f"20{rng.integers(10, 25)}-{rng.integers(1, 13):02}-{rng.integers(1, 29):02}",
            f"{rng.standard_normal() + i / 20:.3f}",
        ]
        for i in range(80)
    ]
    names = ["wild", "member", "city", "colour", "when", "price"]
    write(tmp_path / "table.csv", names, rows)
    table = read_csv(tmp_path / "table.csv", kinds={"when": "date"})
    prepared = Preprocessor.fit(table, "price", encoding=encoding)
    assert {"when: month", "when: weekday", "wild (missing)"} <= set(prepared.features)
    columns, ids = prepared.layout.columns, prepared.layout.rows
    width = len(prepared.features) + 7 * columns + 3 * prepared.layout.numbers
    embedding = [cr.CategoryEmbedding.sized(ids, columns=columns)] if columns else []
    network = cr.Sequential(
        *embedding, cr.PeriodicEmbedding.sized(prepared.layout.numbers), cr.Scale.sized(width),
        cr.NTKAffine.sized(width, 7), cr.ParametricMish.sized(7), cr.Dropout(0.1, steps=9),
        cr.NTKAffine.sized(7, 1), loss=cr.MeanSquaredError(), seed=2,
    )  # fmt: skip
    x, t = prepared.transform(table), prepared.targets(table)
    cr.Trainer(network, cr.Adam(0.1), engine="numpy").fit(x, t, epochs=20, progress=None)
    model = Model(network, prepared)
    wanted = model.predict(table)
    script = prediction_script(model)
    printed = run(script, tmp_path, "table.csv")
    np.testing.assert_allclose([float(line) for line in printed], wanted, rtol=2e-6)
    if encoding != "standard":
        assert (np.min(wanted), np.max(wanted)) >= (table["price"].min(), -np.inf)
        assert np.max(wanted) <= table["price"].max()
    cr.save_model(tmp_path / "model.safetensors", network, preparation=prepared)
    again = cr.load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict(table), wanted)


@pytest.mark.parametrize(
    "cells",
    [
        ["2024-01-31", "2024-02-01 18:30", "2024-03-05 06:15:30"],
        ["1/5/2019", "1/13/2019 9:05", "12/8/2019 10:00:01"],
        ["24/08/2008", "12/8/2008", "1/10/2000"],
        ["5/10/18 4:01", "5/20/69 14:01", "5/21/70 0:00"],
        ["13.2.1999", "1.2.2001", "2.1.1999"],
        ["13:08", "1:09", "23:59:59"],
    ],
)
def test_dates_and_times_as_tables_have_them(tmp_path: Path, cells: list[str]) -> None:
    """plotly's supermarket_sales.csv and olympic-winners.csv, 538's masculinity-survey."""
    rows = [[cells[i % 3], str(i % 3 + i / 100)] for i in range(60)]
    write(tmp_path / "table.csv", ["when", "price"], rows)
    table = read_csv(tmp_path / "table.csv")
    form = table.form("when")
    assert form is not None
    assert form.kind == "date"
    model = model_of(table, "price", cr.MeanSquaredError())
    printed = run(prediction_script(model), tmp_path, "table.csv")
    np.testing.assert_allclose([float(line) for line in printed], model.predict(table), rtol=1e-5)


def test_numbers_in_their_own_unit(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = [[f"{a:.4f}", f"{b:.4f}", f"{300 + 40 * a - b:.3f}"] for a, b in rng.random((40, 2))]
    write(tmp_path / "table.csv", ["a", "b", "price"], rows)
    table = read_csv(tmp_path / "table.csv")
    model = model_of(table, "price", cr.MeanSquaredError())
    printed = run(prediction_script(model), tmp_path, "table.csv")
    np.testing.assert_array_equal([float(line) for line in printed], model.predict(table))


def test_yes_or_no(tmp_path: Path) -> None:
    x, t = cr.datasets.moons(60)
    table = Table.from_matrix(x, ("a", "b"), {"side": t}, "moons")
    model = model_of(table, "side", cr.SigmoidWithLoss(), outputs=1)
    write(tmp_path / "table.csv", ["b", "more", "a"], [[b, "z", a] for a, b in x.tolist()])
    printed = run(prediction_script(model), tmp_path, "table.csv")
    assert printed == [str(label) for label in model.predict(table)]
    assert len(set(printed)) == 2


def test_a_model_without_preparation(tmp_path: Path) -> None:
    x, t = cr.datasets.spiral()
    network = cr.TwoLayerNet(2, 8, 3)
    cr.Trainer(network, cr.SGD(1.0), engine="numpy").fit(x, t, epochs=5, progress=None)
    script, wanted = prediction_script(Model(network)), network.classify(x).tolist()
    np.save(tmp_path / "inputs.npy", x)
    np.savetxt(tmp_path / "numbers.csv", x, delimiter=",", fmt="%.17g")
    assert list(map(int, run(script, tmp_path, "inputs.npy"))) == wanted
    assert list(map(int, run(script, tmp_path, "numbers.csv"))) == wanted
    values = cr.Sequential(cr.Affine.sized(2, 2), loss=cr.MeanSquaredError())
    printed = run(prediction_script(Model(values)), tmp_path, "inputs.npy")
    np.testing.assert_array_equal([json.loads(line) for line in printed], values.predict(x))
    for layers in ([cr.Embedding.sized(4, 3)], [cr.Embedding.sized(4, 3), cr.Affine.sized(3, 2)]):
        ids = cr.Sequential(*layers, loss=cr.SoftmaxWithLoss())
        with pytest.raises(SettingError, match="shape of this network's inputs is not known"):
            prediction_script(Model(ids))


def refused(script: Script, folder: Path, *given: str) -> str:
    """The sentence that the program ends with."""
    script.save(folder / "predict.py", overwrite=True)
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "predict.py", *given],
        cwd=folder, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, ""), done
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr.strip()


def test_what_a_table_lacks_is_said_in_a_sentence(tmp_path: Path) -> None:
    names = ["age", "town", "wage"]
    rows = [[str(20 + i), ["Ulm", "Bonn"][i % 2], str(i * 3.5)] for i in range(30)]
    write(tmp_path / "table.csv", names, rows)
    script = prediction_script(
        model_of(read_csv(tmp_path / "table.csv"), "wage", cr.MeanSquaredError())
    )
    for text, sentence in (
        ("town,wage\nUlm,3\n", "bad.csv: no column 'age'. Columns: town, wage."),
        ("wage\n1\n", "bad.csv: no column 'age', 'town'. Columns: wage."),
        ("age,town\n3,Ulm\n4\n", "bad.csv, line 3: 1 cells, but 2 columns."),
        ("age,town\n3,Ulm\n4,Bonn,5\n", "bad.csv, line 3: 3 cells, but 2 columns."),
        (
            'town,age\n"Ulm\n(Donau)",4\nBonn,old\n',
            "bad.csv, line 4, column 'age': 'old' is not a finite number.",
        ),
        ("town,age\nUlm,1e999\n", "bad.csv, line 2, column 'age': '1e999' is not a finite number."),
        ("age,town\n", "bad.csv: there are no rows of data."),
        ("", "bad.csv: there are no rows of data."),
    ):
        (tmp_path / "bad.csv").write_text(text, encoding="utf-8")
        assert refused(script, tmp_path, "bad.csv") == sentence
    # A separator at the end of a line is no cell, and of blank lines nothing is asked.
    (tmp_path / "good.csv").write_text("age,town,\n20,Ulm,\n\n21,Bonn\n", encoding="utf-8")
    assert len(run(script, tmp_path, "good.csv")) == 2
    assert refused(script, tmp_path, "none.csv") == "none.csv: No such file or directory"
    assert refused(script, tmp_path, ".") == ".: Is a directory"
    (tmp_path / "bad.csv").write_bytes(b"age,town\n\xff,Ulm\n")
    assert refused(script, tmp_path, "bad.csv").startswith("bad.csv: 'utf-8' codec can't decode")
    np.save(tmp_path / "wide.npy", np.zeros((3, 7)))
    assert refused(script, tmp_path, "wide.npy").endswith(
        "rows of 3 numbers are needed; got an array (3, 7)."
    )
    assert refused(script, tmp_path) == "use: python predict.py table.csv|inputs.npy"


def test_a_program_in_chinese_answers_the_same(tmp_path: Path) -> None:
    names = ["age", "town", "wage"]
    rows = [[str(20 + i), ["Ulm", "Bonn"][i % 2], str(i * 3.5)] for i in range(30)]
    write(tmp_path / "table.csv", names, rows)
    model = model_of(read_csv(tmp_path / "table.csv"), "wage", cr.MeanSquaredError())
    script = prediction_script(model, lang="zh")
    assert run(script, tmp_path, "table.csv") == run(
        prediction_script(model), tmp_path, "table.csv"
    )
    assert '"""只用 NumPy 预测 wage：' in script.text
    for text, sentence in (
        ("wage\n1\n", "bad.csv：没有列 'age', 'town'。现有的列：wage。"),
        ("age,town\n3,Ulm\n4\n", "bad.csv，第 3 行：有 1 个单元格，而表格有 2 列。"),
        ("town,age\nBonn,old\n", "bad.csv，第 2 行，列 'age'：'old' 不是有限数。"),
        ("", "bad.csv：没有数据行。"),
    ):
        (tmp_path / "bad.csv").write_text(text, encoding="utf-8")
        assert refused(script, tmp_path, "bad.csv") == sentence
    np.save(tmp_path / "wide.npy", np.zeros((3, 7)))
    assert refused(script, tmp_path, "wide.npy").endswith(
        "每行需要 3 个数；得到的数组形状是 (3, 7)。"
    )
    assert refused(script, tmp_path) == "用法：python predict.py table.csv|inputs.npy"


def test_no_name_in_a_table_becomes_code(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    names = [*(name.strip() for name in HOSTILE), "target"]
    rows = [
        [HOSTILE[rng.integers(9)].strip() or "-" for _ in HOSTILE]
        + [["\"\"\"\\", "';x", "${HOME}", "π"][rng.integers(4)]]
        for _ in range(80)
    ]  # fmt: skip
    write(tmp_path / "table.csv", names, rows)
    table = read_csv(tmp_path / "table.csv")
    model = model_of(table, "target", cr.SoftmaxWithLoss())
    script = prediction_script(model)
    assert all(line.isprintable() for line in script.text.splitlines())
    wanted = [str(label) for label in model.predict(table)]
    assert run(script, tmp_path, "table.csv") == wanted
    left = sorted(p.name for p in tmp_path.iterdir())
    assert left == ["predict.npz", "predict.py", "table.csv"]


def test_programs_are_tidy(tmp_path: Path) -> None:
    from tests.script.programs import tidy

    table = cr.datasets.penguins()
    birds = model_of(table, "species", cr.SoftmaxWithLoss())
    for lang in ("en", "zh"):
        prediction_script(birds, lang=lang).save(tmp_path / f"a_{lang}.py")
        prediction_script(Model(cr.TwoLayerNet(2, 8, 3)), lang=lang).save(tmp_path / f"b_{lang}.py")
    tidy(tmp_path)


# -- the command ---------------------------------------------------------------------------------


@pytest.fixture
def penguins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    table = cr.datasets.penguins()
    cells = zip(*(table[name].tolist() for name in table.names), strict=True)
    rows = [["" if cell != cell else cell for cell in row] for row in cells]
    write(tmp_path / "birds.csv", list(table.names), rows)
    good(
        *("train", "birds.csv", "--target", "species", "--out", "m.safetensors"),
        *("--epochs", "3", "--engine", "numpy", "--optimizer", "momentum", "--schedule", "cosine"),
    )
    return tmp_path


def test_export_writes_a_program_that_predicts(penguins: Path) -> None:
    said = good("export", "m.safetensors", "--to", "script", "--out", "p.py")
    assert "p.py predicts" in said
    assert "p.npz" in said
    script = prediction_script(load_model("m.safetensors"))
    assert (penguins / "p.py").read_text("utf-8") == script.text
    answers = good("predict", "m.safetensors", "birds.csv").splitlines()[1:]
    assert run(script, penguins, "birds.csv") == answers


def test_export_writes_a_program_that_trains_on(penguins: Path) -> None:
    command = ("export", "m.safetensors", "--to", "script", "--out", "t.py", "--data", "birds.csv")
    told = as_json(*command, "--epochs", "2")
    assert told["arrays"] == "t.npz"
    text = (penguins / "t.py").read_text("utf-8")
    assert "Momentum(lr=Cosine(" in " ".join(text.split())
    with np.load("t.npz", allow_pickle=False) as kept:
        x, t = kept["x"], kept["t"]
    assert len(x) == 275  # the rows that were not held out
    model = load_model("m.safetensors")
    steps = 2 * -(-275 // 32)
    optimizer = cr.Momentum(cr.schedules.Cosine(0.02, steps=steps))
    history = cr.Trainer(model.network, optimizer, engine="numpy").fit(
        x, t, epochs=2, batch_size=32, progress=None
    )
    printed = run(Script(text, dict(np.load("t.npz"))), penguins)
    losses = [float(line.split()[-1]) for line in printed]
    np.testing.assert_allclose(losses, [e["loss"] for e in history.epochs], rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--to", "script", "--out", "p.txt"), "ends in .py"),
        (("--to", "skript", "--out", "p.py"), 'did you mean "script"?'),
        (("--to", "script", "--out", "birds.py"), "exists already"),
        (("--to", "script", "--out", "p.py", "--epochs", "3"), "Name the rows with --data"),
        (("--to", "script", "--out", "p.py", "--data", "no.csv"), "neither a file nor a set"),
    ],
)
def test_export_refuses_in_a_sentence(penguins: Path, options: tuple[str, ...], says: str) -> None:
    (penguins / "birds.py").write_text("mine")
    before = sorted(p.name for p in penguins.iterdir())
    result = command("export", "m.safetensors", *options)
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
    assert sorted(p.name for p in penguins.iterdir()) == before
    assert (penguins / "birds.py").read_text() == "mine"
