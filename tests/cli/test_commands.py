"""The command on real data: train, predict, evaluate, inspect, as a person would type them."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.driver import as_json, good, run

import chainrule as cr
from chainrule.cli import training_options
from chainrule.cli.train_plan import WAYS
from chainrule.files import load_model
from chainrule.networks import ACTIVATIONS
from chainrule.version import __version__

COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from chainrule.cli import main; main()"
)
HOUSES = "size,rooms,town,price\n" + "".join(
    f"{50 + i},{1 + i % 5},{'Aa' if i % 3 else 'Bb'},{1000 * (50 + i) + 5000 * (i % 5) + 20000 * (i % 3)}.5\n"
    for i in range(150)
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def process(*args: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *args], capture_output=True, text=True, timeout=300, **more
    )


def fast(data: str, *more: str) -> list[str]:
    epochs = [] if "--epochs" in more else ["--epochs", "30"]
    return ["train", data, *epochs, "--hidden", "16", *more]


# -- the main job -------------------------------------------------------------------------------


def digits(seeds: Sequence[int]) -> list[float]:
    return [
        as_json("train", "digits", "--seed", str(seed), "--out", f"{seed}.safetensors")["held_out"][
            "accuracy"
        ]
        for seed in seeds
    ]


def test_digits() -> None:
    assert min(digits([0])) > 0.97


@pytest.mark.long
def test_digits_for_twenty_seeds() -> None:
    assert min(digits(range(20))) > 0.97


def test_the_readme_command_in_a_process_of_its_own_and_twice() -> None:
    first = process("train", "digits", "--epochs", "20")
    assert first.returncode == 0, first.stderr
    assert "held-out accuracy  9" in first.stdout
    assert "model              digits.safetensors" in first.stdout
    assert "chainrule predict digits.safetensors digits" in first.stdout
    assert "epoch 20/20: " in first.stderr
    kept = Path("digits.safetensors").read_bytes()
    again = process("train", "digits", "--epochs", "20", "--quiet")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert (
        Path("digits-2.safetensors").read_bytes() == kept == Path("digits.safetensors").read_bytes()
    )
    told = good("train", "digits", "--epochs", "1")
    assert "digits-3.safetensors" in told
    assert "digits.safetensors was there already, and stays" in told


def test_penguins_have_text_columns_and_missing_cells() -> None:
    told = good("train", "penguins")
    assert "'island' became 3 columns (Biscoe, Dream, Torgersen)." in told
    assert "were filled with the training median" in told
    assert "species is one of 3 classes" in told
    labels = good("predict", "penguins.safetensors", "penguins").splitlines()
    assert labels[0] == "prediction"
    assert len(labels) == 345
    assert set(labels[1:]) == {"Adelie", "Chinstrap", "Gentoo"}
    report = run("evaluate", "penguins.safetensors", "penguins")
    assert "69 rows held out are scored apart from the 275 trained on" in report.stderr
    assert re.search(r"held out: accuracy +(9|100)", report.stdout)
    assert "which were taken for which" in report.stdout


def test_a_split_leaves_the_held_out_rows_out_of_the_preparation() -> None:
    rows = "".join(f"{i},{'ab'[i % 2]}\n" for i in range(100))
    Path("t.csv").write_text("x,label\n" + rows)
    facts = as_json(*fast("t.csv"))
    model = load_model("t.safetensors")
    assert facts["split"] == {
        "validation": 0.2, "seed": 0, "missing": "fill", "training_rows": 80, "held_out_rows": 20,
    }  # fmt: skip
    from chainrule.datasets import Preprocessor, open_data, stratified_split

    table, _ = open_data("t.csv")
    train, _ = stratified_split(np.arange(100) % 2, 0.2, 0)
    expected = Preprocessor.fit(table.rows(train), "label")
    assert model.preparation is not None
    assert model.preparation.to_json() == expected.to_json()


def test_regression_from_a_csv_with_semicolons() -> None:
    Path("houses.csv").write_text(HOUSES.replace(",", ";"))
    told = good("train", "houses.csv", "--target", "price")
    assert "held-out R²" in told
    assert "in units of price" in told
    facts = as_json("train", "houses.csv", "--target", "price", "--out", "h.safetensors")
    assert facts["held_out"]["r2"] > 0.9
    scores = as_json("evaluate", "h.safetensors", "houses.csv")
    assert scores["same_data"] is True
    assert scores["held_out"] == {"rows": 30, **facts["held_out"]}
    assert scores["training"]["rows"] == 120

    new = "\n".join(",".join(line.split(",")[:3]) for line in HOUSES.splitlines()[:5])
    Path("new.csv").write_text(new)
    lines = good("predict", "h.safetensors", "new.csv").splitlines()
    assert lines[0] == "prediction"
    assert len(lines) == 5
    assert all(30_000 < float(line) < 150_000 for line in lines[1:])
    assert "R²" in good("evaluate", "h.safetensors", "houses.csv")


def test_rows_without_a_target_are_left_out_and_counted() -> None:
    rows = "".join(f"{i},{'ab'[i % 2] if i % 10 else ''}\n" for i in range(100))
    Path("t.csv").write_text("x,label\n" + rows)
    assert "10 of 100 rows have no 'label' and are left out." in good(*fast("t.csv"))
    assert as_json("evaluate", "t.safetensors", "t.csv")["held_out"]["rows"] == 18
    assert as_json("predict", "t.safetensors", "t.csv")["rows"] == 100


def test_missing_cells_drop_or_error() -> None:
    rows = "".join(f"{i if i % 10 else ''},{'ab'[i % 2]}\n" for i in range(100))
    Path("t.csv").write_text("x,label\n" + rows)
    assert "10 rows with missing cells are left out ('x' 10)" in good(
        *fast("t.csv", "--missing", "drop")
    )
    assert as_json("evaluate", "t.safetensors", "t.csv")["held_out"]["rows"] == 18
    result = run(*fast("t.csv", "--missing", "error", "--out", "n"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "10 of 100 rows have missing cells" in result.stderr


def test_other_rows_than_the_training_data() -> None:
    good(*fast("iris"))
    table = list(csv.reader(io.StringIO(_iris())))
    Path("more.csv").write_text("\n".join(map(",".join, [table[0], *table[40:60]])))
    scores = as_json("evaluate", "iris.safetensors", "more.csv")
    assert scores["same_data"] is False
    assert scores["all"]["rows"] == 20
    assert sum(map(sum, scores["all"]["confusion_matrix"])) == 20


def _iris() -> str:
    from chainrule.datasets import load

    table = load("iris")
    lines = [",".join(table.names)]
    lines += [",".join(str(table[n][i]) for n in table.names) for i in range(len(table))]
    return "\n".join(lines) + "\n"


def test_the_same_numbers_from_a_file_are_the_same_data() -> None:
    good(*fast("iris"))
    Path("copy.csv").write_text(_iris())
    assert as_json("evaluate", "iris.safetensors", "copy.csv")["same_data"] is True


def test_no_header_and_encoding_are_remembered() -> None:
    rows = "".join(f"{i},{'gelb' if i % 2 else 'grün'}\n" for i in range(60))
    Path("t.csv").write_bytes(rows.encode("latin-1"))
    options = ["--no-header", "--encoding", "latin-1", "--target", "x1"]
    good(*fast("t.csv", *options))
    labels = good("predict", "t.safetensors", "t.csv").split()
    assert set(labels[1:]) <= {"gelb", "grün"}
    assert as_json("evaluate", "t.safetensors", "t.csv")["same_data"] is True


def test_an_idx_file_with_labels_beside_it() -> None:
    random = np.random.default_rng(0)
    t = np.arange(120) % 3
    x = (random.integers(0, 60, (120, 4, 4)) + 60 * t[:, None, None]).astype(np.uint8)
    Path("a-images-idx3-ubyte").write_bytes(
        struct.pack(">4B3I", 0, 0, 8, 3, 120, 4, 4) + x.tobytes()
    )
    Path("a-labels-idx1-ubyte").write_bytes(
        struct.pack(">4BI", 0, 0, 8, 1, 120) + t.astype(np.uint8).tobytes()
    )
    facts = as_json(*fast("a-images-idx3-ubyte", "--out", "m.safetensors"))
    assert facts["held_out"]["accuracy"] > 0.9
    answers = as_json("predict", "m.safetensors", "a-images-idx3-ubyte")["predictions"]
    assert set(answers) == {0, 1, 2}


def test_numpy_files() -> None:
    x = np.random.default_rng(0).normal(size=(80, 3))
    np.savez("pair.npz", x=x, t=(x[:, 0] > 0).astype(int))
    np.save("x.npy", x)
    assert as_json(*fast("pair.npz"))["held_out"]["accuracy"] > 0.8
    assert as_json("predict", "pair.safetensors", "x.npy")["rows"] == 80
    scores = as_json(*fast("x.npy", "--target", "x2"))["held_out"]
    assert scores.keys() == {"r2", "rmse", "mae", "constant", "linear"}


@pytest.mark.parametrize("name", ["spiral", "moons", "circles", "xor", "blobs"])
def test_generated_sets(name: str) -> None:
    good("train", name, "--epochs", "5", "--hidden", "8", "--seed", "3")
    assert as_json("evaluate", f"{name}.safetensors", name)["same_data"] is True


@pytest.mark.parametrize("optimizer", [name.lower() for name in cr.optimizers.OPTIMIZERS])
def test_every_optimizer_learns(optimizer: str) -> None:
    facts = as_json("train", "iris", "--optimizer", optimizer)
    assert facts["held_out"]["accuracy"] > 0.85
    assert facts["training"]["optimizer"] == optimizer


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "gelu", "tanh", "sigmoid"])
def test_every_activation_learns(activation: str) -> None:
    more = ["--dropout", "0.1", "--hidden", "24,12", "--l2", "0.0001", "--schedule", "constant"]
    facts = as_json("train", "iris", "--activation", activation, "--lr", "0.005", *more)
    assert facts["held_out"]["accuracy"] > 0.8


def test_early_stopping_and_no_validation_and_no_hidden_layer() -> None:
    facts = as_json("train", "iris", "--patience", "5", "--lr", "0.05", "--epochs", "500")
    assert facts["training"]["epochs"] < 500
    assert "not improved for 5 epochs" in facts["training"]["stopped"]
    told = good("train", "iris", "--validation", "0", "--hidden", "none", "--epochs", "3")
    assert "how good the model is on new rows is not known" in told
    assert "4 inputs → 3 outputs" in told
    report = run("evaluate", "iris-2.safetensors", "iris")
    assert "no rows were held out" in report.stderr
    assert "trained on: accuracy  " in report.stdout


def test_same_seed_same_file_in_a_new_process() -> None:
    for name in ("a", "b"):
        done = process("train", "moons", "--dropout", "0.2", "--epochs", "5", "--out", name)
        assert done.returncode == 0, done.stderr
    assert Path("a").read_bytes() == Path("b").read_bytes()
    good("train", "moons", "--dropout", "0.2", "--epochs", "5", "--out", "c", "--seed", "1")
    assert Path("a").read_bytes() != Path("c").read_bytes()


def test_json_is_one_object_and_nothing_else() -> None:
    done = process("train", "iris", "--json", "--epochs", "3")
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert told["model"] == "iris.safetensors"
    assert told["data"]["rows"] == 150
    assert told["seconds"] > 0
    told = as_json("inspect", "iris.safetensors")
    assert told["parameters"] == 128 * 5 + 129 * 3
    assert told["preparation"]["target"] == "species"
    assert told["facts"]["split"]["seed"] == 0
    told = as_json("predict", "iris.safetensors", "iris", "--proba")
    assert np.allclose(np.sum(told["probabilities"], axis=1), 1)
    assert told["classes"] == ["setosa", "versicolor", "virginica"]


def test_predict_with_probabilities_and_to_a_file() -> None:
    Path("t.csv").write_text("x,label\n" + "".join(f'{i},"a, ""b""{i % 2}"\n' for i in range(40)))
    good(*fast("t.csv"))
    rows = list(csv.DictReader(io.StringIO(good("predict", "t.safetensors", "t.csv", "--proba"))))
    assert list(rows[0]) == ["prediction", 'p(a, "b"0)', 'p(a, "b"1)']
    for row in rows:
        assert row["prediction"] in ('a, "b"0', 'a, "b"1')
    told = good("predict", "t.safetensors", "t.csv", "--out", "o.csv")
    assert told == "40 predictions of label are in o.csv.\n"
    assert Path("o.csv").read_text() == good("predict", "t.safetensors", "t.csv")
    assert run("predict", "t.safetensors", "t.csv", "--out", "o.csv").exit_code == 2
    good("predict", "t.safetensors", "t.csv", "--out", "o.csv", "--force")


def test_remarks_about_new_rows_go_to_stderr() -> None:
    good(*fast("penguins"))
    header = "island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex,year"
    Path("new.csv").write_text(
        header + "\nMars,40,,190,3500,male,2008\nDream,40,18,190,3500,,2008\n"
    )
    result = run("predict", "penguins.safetensors", "new.csv")
    assert len(result.stdout.splitlines()) == 3
    assert "1 missing cell in 'bill_depth_mm' was filled" in result.stderr
    assert "'island' holds a text that the training rows do not have" in result.stderr


def test_inspect_shows_layers_preparation_and_training() -> None:
    good(*fast("penguins"))
    told = good("inspect", "penguins.safetensors")
    for part in (
        "0  Affine  W 12×16 b 16",
        "Adelie, Chinstrap, Gentoo",
        "seed 0",
        "'island' became",
    ):
        assert part in told


def test_a_model_kept_from_python_can_be_inspected() -> None:
    import chainrule as cr

    cr.files.save_model("m", cr.TwoLayerNet(2, 3, 2), facts={"by": "me", "runs": [1, 2]})
    told = good("inspect", "m")
    assert "kept without a preparation" in told
    assert "[1, 2]" in told
    result = run("predict", "m", "iris")
    assert result.exit_code == 2
    assert "takes arrays and no tables" in result.stderr


def test_facts_that_lie_only_cost_the_split() -> None:
    import chainrule as cr

    good(*fast("iris"))
    model = load_model("iris.safetensors")
    for split in (None, {}, {"seed": -1, "validation": 0.2, "missing": "fill"}, {"seed": "x"}):
        facts = {**model.facts, "split": split}
        cr.files.save_model(
            "m", model.network, preparation=model.preparation, facts=facts, overwrite=True
        )
        assert as_json("evaluate", "m", "iris")["all"]["rows"] == 150


# -- Ctrl-C, pipes, terminals --------------------------------------------------------------------


def test_ctrl_c_keeps_the_model_so_far() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "train", "digits", "--epochs", "100000"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stderr is not None
    for line in child.stderr:
        if line.startswith("epoch 3/"):
            break
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=300)
    assert child.returncode == 130
    assert "Stopped: interrupted in epoch" in err
    assert "digits.safetensors" in err
    assert "Traceback" not in err
    assert "interrupted by Ctrl-C" in out
    assert as_json("evaluate", "digits.safetensors", "digits")["held_out"]["accuracy"] > 0.8


def test_ctrl_c_before_training_writes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("chainrule.cli.train_plan.divide", interrupt)
    result = run("train", "iris")
    assert result.exit_code == 130
    assert "nothing was written" in result.stderr
    assert not list(folder.iterdir())


def test_a_closed_pipe_is_quiet() -> None:
    good(*fast("digits", "--epochs", "1"))
    shell = f'"{sys.executable}" -c "$COMMAND" predict digits.safetensors digits --proba | head -1'
    done = subprocess.run(
        ["bash", "-c", shell],
        capture_output=True, text=True, timeout=300, env={**os.environ, "COMMAND": COMMAND},
    )  # fmt: skip
    assert done.stdout.startswith("prediction,p(0)")
    assert done.stderr == ""


def in_a_terminal(*args: str, **environment: str) -> str:
    """What the command writes on a pseudo-terminal."""
    import fcntl
    import pty
    import termios

    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "80", **environment}
    running = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *args], stdout=child, stderr=child, stdin=child, env=env
    )
    os.close(child)
    seen = b""
    while True:
        try:
            part = os.read(parent, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not part:
            break
        seen += part
    running.wait()
    os.close(parent)
    return seen.decode()


def test_colours_only_on_a_terminal_and_not_with_no_color() -> None:
    assert "\x1b[1m" in in_a_terminal("train", "iris", "--epochs", "3", NO_COLOR="")
    plain = in_a_terminal("train", "iris", "--epochs", "3", NO_COLOR="1")
    assert "\x1b[1m" not in plain
    assert "\x1b[3" not in plain
    assert "100%" in plain  # the bar
    lines = [line.split("\r")[-1] for line in plain.replace("\r\n", "\n").split("\n")]
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in process("train", "iris", "--epochs", "3").stdout
    error = in_a_terminal("train", "nothing", NO_COLOR="")
    assert error.startswith("\x1b[31;1mError:\x1b[0m")


# -- help and start-up ----------------------------------------------------------------------------


def test_help_is_short_and_has_examples() -> None:
    assert "chainrule train digits" in good()
    assert good() == good("--help")
    for command in ("train", "predict", "evaluate", "inspect"):
        told = good(command, "--help")
        assert f"chainrule {command}" in told
        assert "Example" in told
        assert max(map(len, told.splitlines())) <= 100


def test_version() -> None:
    assert good("--version") == f"chainrule {__version__}\n"


def test_the_command_knows_what_the_library_has() -> None:
    apart = set(training_options.OPTIMIZERS) ^ set(map(str.lower, cr.optimizers.OPTIMIZERS))
    assert not apart, (
        f"only one of optimizers and OPTIMIZERS of cli/training_options.py has {sorted(apart)}"
    )
    assert set(training_options.ACTIVATIONS) == set(ACTIVATIONS)
    assert set(training_options.PRESETS) == set(WAYS)


def test_help_starts_without_numpy() -> None:
    code = (
        "import sys\nfrom chainrule.cli import chainrule\n"
        "try: chainrule.main(['train', '--help'])\nexcept SystemExit: pass\n"
        "assert 'numpy' not in sys.modules, 'numpy'\n"
        "assert 'chainrule.basics' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_package_is_lazy_and_complete() -> None:
    code = """
import sys, chainrule
assert "numpy" not in sys.modules
assert chainrule.Trainer and chainrule.datasets and "chainrule.files" not in sys.modules
assert "Sequential" in dir(chainrule) and "chainrule.files" in sys.modules
assert chainrule.training.Trainer is chainrule.Trainer
namespace = {}
exec("from chainrule import *", namespace)
assert set(chainrule.__all__) <= set(namespace)
import chainrule.training as room
assert room is chainrule.training
try:
    chainrule.Afine
except AttributeError as error:
    assert "did you mean 'Affine'" in str(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# -- columns not to learn from --------------------------------------------------------------------


def people() -> str:
    """A table with a column of identifiers, one of dates, and one of gaps."""
    lines = [
        f"{7000 + i * 3},2024-0{1 + i % 2}-{1 + i % 25:02d},{'' if i % 2 else i},{i % 9},"
        f"{'ab'[i % 9 > 3]}\n"
        for i in range(90)
    ]
    return "PersonId,seen,gaps,n,label\n" + "".join(lines)


def test_identifiers_and_dates_are_spoken_of() -> None:
    Path("t.csv").write_text(people())
    told = good(*fast("t.csv", "--epochs", "1"))
    assert "'PersonId' has another whole number in every row, as identifiers have." in told
    assert "'seen' holds dates or times, such as '2024-01-01' (line 2)." in told
    assert "'seen' is a date, given as a number of days and as month" in told
    assert "PersonId, seen, gaps, n)" in " ".join(told.split())
    told = good(*fast("t.csv", "--epochs", "1", "--text", "seen"))
    assert "holds dates" not in told
    assert "'seen' became 48 columns" in told
    amounts = "".join(f"{i % 40} cm,C{i % 40},{'ab'[i % 2]}\n" for i in range(90))
    Path("a.csv").write_text("size,cabin,label\n" + amounts)
    told = good(*fast("a.csv", "--epochs", "1"))
    assert "90 cells of 'size' are read without their sign or unit, such as '0 cm' (line 2)" in told
    assert "'cabin' became 38 columns" in told
    # Whole numbers of another name, or such that repeat, are numbers.
    Path("u.csv").write_text("year,id,y\n" + "".join(f"{i},{i // 2},{i % 2}\n" for i in range(60)))
    assert "identifiers" not in good(*fast("u.csv", "--epochs", "1"))


def test_columns_can_be_left_out() -> None:
    Path("t.csv").write_text(people())
    without = ["--without", "PersonId", "--without", "seen", "--without", "gaps"]
    # Every other row has a gap, in a column that is left out: no row is.
    told = as_json(*fast("t.csv", *without, "--missing", "drop"))
    assert told["split"]["training_rows"] + told["split"]["held_out_rows"] == 90
    assert told["data"]["without"] == ["PersonId", "seen", "gaps"]
    assert told["notes"][0] == "'PersonId', 'seen', 'gaps' were left out, as asked."
    assert not any("identifiers" in note or "dates" in note for note in told["notes"])
    scores = as_json("evaluate", "t.safetensors", "t.csv")
    assert scores["same_data"] is True
    assert scores["held_out"]["accuracy"] == told["held_out"]["accuracy"]
    Path("new.csv").write_text("n\n1\n8\n")
    assert good("predict", "t.safetensors", "new.csv") == "prediction\na\nb\n"
    # Rows of another table are not dropped for what is not learned from.
    Path("more.csv").write_text(people() + "1,,,2,a\n")
    assert as_json("evaluate", "t.safetensors", "more.csv")["all"]["rows"] == 91


def test_amounts_are_written_as_people_write_them() -> None:
    Path("houses.csv").write_text(HOUSES)
    good(*fast("houses.csv", "--target", "price", "--epochs", "3"))
    told = good("evaluate", "houses.safetensors", "houses.csv")
    assert re.search(r"held out: RMSE +\d\d,\d{3} in units of price", told), told


@pytest.mark.parametrize("preset", ["table", "table-small"])
def test_a_program_that_trains_on_does_so_as_the_preset(preset: str) -> None:
    """The optimizer of the program is the one that `train` made, schedules and all."""
    good("train", "iris", "--preset", preset, "--epochs", "5", "--validation", "0")
    good("export", "iris.safetensors", "--to", "script", "--data", "iris")
    made = cr.PRESETS[preset].optimizer(150, task="classification", epochs=5)
    head = " ".join(Path("iris.py").read_text().partition('"""')[2].partition('"""')[0].split())
    assert repr(made) in head


def test_export_to_onnx_and_inspect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx")
    from tests.files.onnx.runtimes import from_reference

    monkeypatch.chdir(tmp_path)
    good("train", "iris", "--hidden", "8", "--epochs", "3", "--out", "iris.safetensors")
    assert as_json("export", "iris.safetensors", "--to", "script")["out"] == "iris.py"
    told = as_json("export", "iris.safetensors", "--to", "onnx")
    assert told["out"] == "iris.onnx"
    assert told["outputs"] == ["label", "probabilities"]
    rows = [[5.1, 3.5, 1.4, 0.2], [6.5, 3.0, 5.5, 1.8]]
    table = dict(zip(told["inputs"], np.array(rows).T[:, :, None], strict=True))
    label, _ = from_reference(Path("iris.onnx").read_bytes(), table)
    head = ",".join(told["inputs"])
    Path("new.csv").write_text("\n".join([head, *(",".join(map(str, row)) for row in rows)]))
    assert label.tolist() == as_json("predict", "iris.safetensors", "new.csv")["predictions"]
    found = as_json("inspect", "iris.onnx")
    assert [end["name"] for end in found["inputs"]] == told["inputs"]
    assert found["operators"]["MatMul"] == 2
    assert "exists already" in run("export", "iris.safetensors", "--to", "onnx").output
    assert "label and probabilities" in good(
        "export", "iris.safetensors", "--to", "onnx", "--force"
    )
