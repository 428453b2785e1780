"""Bad input: one sentence on stderr, exit code 2, no traceback, nothing left behind."""

from __future__ import annotations

import errno
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chainrule.cli import chainrule

ROWS = "x,z,label\n" + "".join(f"{i},{i * i % 7},{'ab'[i % 2]}\n" for i in range(40))
Make = Callable[[], object]


def write(name: str, data: str | bytes) -> Make:
    def make() -> None:
        Path(name).write_bytes(data.encode() if isinstance(data, str) else data)

    return make


def model(change: Callable[[bytes], bytes] = lambda data: data) -> Make:
    """A trained model m.safetensors of rows.csv, with its bytes changed."""

    def make() -> None:
        Path("rows.csv").write_text(ROWS)
        result = CliRunner().invoke(
            chainrule,
            ["train", "rows.csv", "--out", "m.safetensors", "--epochs", "1", "--hidden", "4"],
        )
        assert result.exit_code == 0, result.output
        file = Path("m.safetensors")
        file.write_bytes(change(file.read_bytes()))

    return make


def folder(name: str) -> Make:
    return lambda: Path(name).mkdir()


CASES: list[tuple[str, str | list[str], Make | None, str]] = [
    # the command line itself
    ("an unknown command", "trian digits", None, "did you mean train?"),
    ("an unknown option", "train iris --epoch 3", None, "did you mean --epochs?"),
    ("an unknown option of the group", "--verson", None, "did you mean --version?"),
    ("no data", "train", None, "DATA is missing"),
    ("no model", "predict", None, "MODEL is missing"),
    ("no data to predict", "predict m.safetensors", None, "DATA is missing"),
    ("a long unknown option", "train iris --" + "x" * 3000, None, "…. Run `chainrule train --help`"),
    ("an empty name to write to", ["train", "iris", "--out", ""], None, "give the name of a file."),
    ("a model on stdout", "train iris --out -", None, "--out: got '-'; give the name of a file."),
    ("a report on stdout", "train iris --report -", None, "--report: got '-'; give the name of a file."),
    ("answers to -", "predict m iris --out -", None, "Without --out the answers go to standard output."),
    ("figures into -", "figures --out -", None, "give the name of a folder."),
    ("a word too many", "inspect a b", None, "unexpected extra argument (b). Run `chainrule inspect"),
    ("an option without its value", "train iris --lr", None, "requires an argument"),
    # option values
    *[
        (f"{option} {value}", f"train iris {option} {value}", None, words)
        for option, words, values in [
            ("--lr", "a number above 0 and up to 1,000, such as 0.01", ("0", "-1", "nan", "inf", "a")),
            ("--epochs", "a whole number from 1", ("0", "-1", "2.5", "x")),
            ("--batch-size", "a whole number from 1", ("0", "2.5")),
            ("--hidden", "whole numbers from 1", ("0", "64,", "64,-3", "x", "2.5", "64,32;3")),
            ("--activation", "Allowed: relu, leaky_relu", ("rlu",)),
            ("--optimizer", "Allowed: adamw, adam", ("adma",)),
            ("--validation", "a number from 0 to below 1", ("1", "-0.1", "nan")),
            ("--dropout", "a number from 0 to below 1", ("1", "nan")),
            ("--l2", "a number from 0", ("-1", "nan")),
            ("--patience", "a whole number from 1", ("0",)),
            ("--seed", "a whole number from 0 to 9,223,372,036,854,775,807", ("-1", "1.5", "a", "9" * 20)),
            ("--task", "Allowed: auto", ("regresion",)),
            ("--missing", "allowed: fill", ("mean",)),
        ]
        for value in values
    ],
    ("a network too large", "train iris --hidden 1000000,1000000", None, "Give smaller sizes"),
    ("patience without held-out rows", "train iris --patience 3 --validation 0", None, "--patience"),
    ("no-header for a bundled set", "train iris --no-header", None, "so --no-header does not apply"),
    ("a kind for a bundled set", "train iris --text species --decimal ,", None, "--text and --decimal"),
    ("an option twice", "train iris --lr 0.1 --lr 0.2", None, "--lr is given twice. Give it once."),
    ("a choice twice", "train iris --header --no-header", None, "--header or --no-header is given twice"),
    ("a flag twice", "train iris --json --json", None, "--json is given twice"),
    ("two kinds of a column", "train t.csv --text x --number x", write("t.csv", ROWS),
     "--text x and --number x: a column is one of the two"),
    ("numbers that are none", "train t.csv --number label --target z", write("t.csv", ROWS),
     "--number label: no cell of t.csv, column 'label', is a number such as 1234.5, 1,234.5, $12"),
    ("dates that are none", "train t.csv --date x", write("t.csv", ROWS), "--date x: no cell of t.csv"),
    ("a kind of no column", "train t.csv --text labl", write("t.csv", ROWS), 'did you mean "label"?'),
    ("no decimal sign", "train t.csv --decimal x", write("t.csv", ROWS), "allowed: ., ,"),
    # data
    ("a misspelt set", "train irs", None, 'did you mean "iris"? The sets that'),
    ("no such set", "train qqqq", None, "with chainrule; the sets that"),
    ("a misspelt file", "train rose.csv", write("rows.csv", ROWS), 'did you mean "rows.csv"? The sets that'),
    ("capital letters", "train t.csv --target LABEL", write("t.csv", ROWS), 'did you mean "label"?'),
    ("an empty file", "train t.csv", write("t.csv", ""), "t.csv is empty"),
    ("a header only", "train t.csv", write("t.csv", "x,label\n"), "0 rows"),
    ("a folder", "train t.csv", folder("t.csv"), "is a folder"),
    ("a web page", "train t.csv", write("t.csv", "<!doctype html><p>"), "HTML"),
    ("a long row", "train t.csv", write("t.csv", "x,label\n1,a\n2,b,c\n"), "t.csv:3: the row is too long"),
    ("Latin-1", "train t.csv", write("t.csv", "x,label\n1,\xe4\n2,b\n".encode("latin-1")),
     "read it with --encoding cp1252 (others: latin-1, gb18030, shift_jis),"),
    ("Chinese of Windows", "train t.csv", write("t.csv", "数,类别\n1,猫\n2,狗\n".encode("gb18030")),
     "read it with --encoding gb18030 (others: big5, shift_jis, cp1252), or save it as UTF-8."),
    ("random bytes", "train t.csv", write("t.csv", bytes(range(128, 256)) + bytes(9)), "is a NUL byte"),
    ("no such encoding", "train t.csv --encoding utf-9", write("t.csv", ROWS), "'utf-9'"),
    ("a damaged npy", "train t.npy --target x0", write("t.npy", b"\x93NUMPY\x01"), "t.npy"),
    ("a pickle as npy", "train t.npy", write("t.npy", pickle.dumps([1])), "t.npy"),
    ("an image", "train t.png", write("t.png", b"\x89PNG\r\n\x1a\n"), "a PNG image"),
    ("no target to guess", "train t.csv", write("t.csv", "x,z\n1,2\n3,4\n"),
     "Say --target NAME; the columns are x, z"),
    ("two targets to guess", "train t.csv", write("t.csv", "y,label\n1,2\n3,4\n"), "(y, label)"),
    ("no such target", "train t.csv --target lable", write("t.csv", ROWS), 'did you mean "label"?'),
    ("without the target", "train iris --without species", None, "this is the column to predict"),
    ("without what is not there", "train iris --without specis", None, 'did you mean "species"?'),
    ("without all others", "train t.csv --without x --without z", write("t.csv", ROWS), "no column is left"),
    ("one class", "train t.csv", write("t.csv", "x,label\n1,a\n2,a\n"), "one class only"),
    ("one row", "train t.csv", write("t.csv", "x,label\n1,a\n"), "one class only"),
    ("one row a class", "train t.csv", write("t.csv", "x,label\n1,a\n2,b\n"),
     "t.csv: every one of the 2 classes of 'label' has a single row, which is needed for training, so none"
     " can be held out. Add rows, or say --validation 0."),
    ("one row a number", "train t.csv", write("t.csv", "x,y\n1,1\n2,2\n"), "say --task regression."),
    ("one number", "train t.csv --task regression", write("t.csv", "x,y\n1,1.5\n"), "nothing to learn"),
    ("no names", "train t.csv", write("t.csv", "1,2\n3,4\n"), "Say --target NAME; the columns are x0, x1."),
    ("a target of hundreds of texts", "train t.csv", write("t.csv", "x,label\n" + "".join(
        f"{i},{i // 60}h{i % 60:02}\n" for i in range(300))), "300 different texts in 300 rows, such"),
    ("fractions as classes", "train t.csv --task classification", write("t.csv", "x,y\n1,2.5\n3,4\n"),
     "Use --task regression"),
    ("a huge target", "train t.csv --task regression",
     write("t.csv", "x,y\n" + "1,1e306\n2,-1e306\n" * 9), "column 'y': the numbers are too large"),
    ("a constant number", "train t.csv --task regression", write("t.csv", "x,y\n1,3\n2,3\n5,3\n"),
     "nothing to learn"),
    ("regression of texts", "train t.csv --task regression", write("t.csv", ROWS),
     "regression needs numbers"),
    ("the target alone", "train t.csv", write("t.csv", "label\na\nb\na\nb\n"), "no column is left"),
    ("no target anywhere", "train t.csv", write("t.csv", "x,label\n1,\n2,\n"),
     "every one of the 2 cells is missing"),
    ("missing cells not allowed", "train penguins --missing error", None, "rows have missing cells"),
    # where the model goes
    ("out exists", "train iris --out o", write("o", "mine"), "o exists already"),
    ("out is a folder", "train iris --out o", folder("o"), "is a folder"),
    ("out in no folder", "train iris --out no/o", None, "there is no folder no"),
    ("out is the data", "train t.csv --out t.csv --force", write("t.csv", ROWS), "the data itself"),
    ("out is a link", "train iris --force --out o", lambda: os.symlink("nowhere", "o"), "symbolic link"),
    # models
    ("no such model", "predict m iris", None, "no such model file"),
    ("a table as model", "predict m iris", write("m", "a,b\n1,2\n"), "plain text"),
    ("a pickle as model", "inspect m", write("m", pickle.dumps({})), "a Python pickle"),
    ("an empty model", "inspect m", write("m", b""), "empty"),
    ("a model cut short", "inspect m.safetensors", model(lambda data: data[:-5]), "cut short"),
    ("a changed model", "inspect m.safetensors", model(lambda d: d[:-1] + bytes([d[-1] ^ 1])), "checksum"),
    ("an absent column", "predict m.safetensors iris", model(), "columns of the training rows are absent"),
    ("texts for numbers", "predict m.safetensors t.csv",
     lambda: (model()(), write("t.csv", "x,z\n" + "red,1\n" * 30)()),
     "t.csv:2, column 'x': texts where the training rows"),
    ("a number too far", "predict m.safetensors t.csv",
     lambda: (model()(), write("t.csv", "x,z\n1,2\n\n1e300,2\n")()), "t.csv:4, column 'x': the number is"),
    ("no target to compare", "evaluate m.safetensors t.csv",
     lambda: (model()(), write("t.csv", "x,z\n1,2\n")()), "no column 'label'"),
    ("no names to go by", "predict m.safetensors t.csv",
     lambda: (model()(), write("t.csv", "1,2\n3,4\n")()),
     "t.csv: the first row holds data, and the model goes by the names of the columns (x, z)."),
    ("predictions over the data", "predict m.safetensors rows.csv --out rows.csv", model(), "exists already"),
    ("and with force", "predict m.safetensors rows.csv --out ./rows.csv --force", model(),
     "--out: ./rows.csv is the data. Name another file."),
    ("predictions over the model", "predict m.safetensors rows.csv --out m.safetensors --force", model(),
     "--out: m.safetensors is the model. Name another file."),
    ("no network to plan", "plan --batch 8", None, "--network is missing"),
    ("an expression to plan", ["plan", "--network", "x @ W"], None, "Give sizes, such as 784-1024-10"),
    ("a size of 0", "plan --network 8-0-3", None, "sizes are 1 or more"),
    ("too many parameters", "plan --network 100000-100000", None, "these have 10,000,100,000"),
    ("ranks in words", "plan --network 8-3 --ranks few", None, "1,2,4 or 1,2,4,...,64"),
    ("ranks that go down", "plan --network 8-3 --ranks 4,2,...,64", None, "1,2,4 or 1,2,4,...,64"),
    ("no ranks", "plan --network 8-3 --ranks 0", None, "whole numbers from 1"),
    ("a preset without data", "plan --network table", None, "give --data DATA"),
    ("sizes and data", "plan --network 8-3 --data iris", None, "Give --rows in place"),
    ("hidden layers and sizes", "plan --network 8-3 --hidden 4", None, "network of a preset"),
    ("no bandwidth", "plan --network 8-3 --bandwidth 0", None, "a number above 0"),
    ("ranks without the same bits", "plan --network 8-3 --reproducible --ranks 1,3", None,
     "give 1, 2, 4 or 8 ranks"),
    ("a picture of one rank", "plan --network 8-3 --flops 9 --ranks 1 --out a.svg", None,
     "has no curve"),
    ("a plan over the data", "plan --network plain --data d.svg --out d.svg --force",
     write("d.svg", ROWS), "is the data"),
    ("an activation for a model", "plan --network m.safetensors --activation relu", model(),
     "a model file has its own"),
    ("a picture over the model", "draw m.svg --out m.svg --force",
     lambda: (model()(), Path("m.safetensors").rename("m.svg")), "--out: m.svg is the model."),
    ("arrays over the data", "export m.safetensors --to script --out p.py --data p.npz --force",
     lambda: (model()(), write("p.npz", "arrays")()),
     "--out: p.npz is the data."),
    # explaining
    ("a row beyond the last", "explain m.safetensors rows.csv --row 40", model(),
     "--row 40: rows.csv has 40 rows, 0 to 39."),
    ("a line without a row", "explain m.safetensors rows.csv --line 1", model(),
     "--line 1: rows.csv has no row there; its rows begin on lines 2 to 41."),
    ("a class that is none", "explain m.safetensors rows.csv --class c", model(), "--class: "),
    ("a class of a number", "explain n.safetensors n.csv --class c",
     lambda: (write("n.csv", "x,y\n" + "".join(f"{i},{i / 7}\n" for i in range(40)))(),
              CliRunner().invoke(chainrule, ["train", "n.csv", "--epochs", "1", "--hidden", "4"])),
     "--class: the model predicts a number (y)"),
    ("rows chosen twice", "explain m.safetensors rows.csv --worst 2 --row 1", model(), "--worst chooses"),
    ("the worst of unknown answers", "explain m.safetensors t.csv --worst 1",
     lambda: (model()(), write("t.csv", "x,z\n1,2\n")()), "no column 'label'"),
    ("no worst of strangers", "explain m.safetensors t.csv --worst 1",
     lambda: (model()(), write("t.csv", "x,z,label\n1,2,c\n")()), "no row is of a class that the model"),
    ("a method that is none", "explain m.safetensors rows.csv --method shap", model(), "--method: "),
    ("no such top", "explain m.safetensors rows.csv --top none", model(), "or all"),
    ("an explanation over the data", "explain m.safetensors rows.csv --out rows.csv --force", model(),
     "--out: rows.csv is the data."),
    ("columns to explain by are absent", "explain m.safetensors iris", model(), "are absent"),
    ("calibration of a number", "evaluate n.safetensors n.csv --calibration",
     lambda: (write("n.csv", "x,y\n" + "".join(f"{i},{i / 7}\n" for i in range(40)))(),
              CliRunner().invoke(chainrule, ["train", "n.csv", "--epochs", "1", "--hidden", "4"])),
     "numbers have no probabilities"),
    ("dependence without a report", "evaluate m.safetensors rows.csv --dependence x", model(),
     "say --report FILE, too."),
    ("a report over the model", "evaluate m.safetensors rows.csv --report m.safetensors --force", model(),
     "--report: m.safetensors is the model."),
    ("a report that is no page", "evaluate m.safetensors rows.csv --report r.pdf", model(), "ends in .html"),
    ("importance of unlabelled rows", "evaluate m.safetensors t.csv --importance",
     lambda: (model()(), write("t.csv", "x,z\n1,2\n")()), "no column 'label'"),
    ("importance of one row", "evaluate m.safetensors t.csv --importance",
     lambda: (model()(), write("t.csv", "x,z,label\n1,2,a\n")()), "shuffling changes nothing"),
    # ONNX
    ("an empty ONNX file", "inspect m.onnx", write("m.onnx", b""), "is empty"),
    ("no ONNX file", "inspect m.onnx", write("m.onnx", "a,b\n1,2\n"), "m.onnx: this is plain text"),
    ("an ONNX file cut short", "inspect m.onnx", write("m.onnx", b"\x08\x08\x3a\x7f"), "cut short"),
    ("ONNX that trains", "export m.safetensors --to onnx --data m.csv", model(), "--data is for a program"),
    ("ONNX over the model", "export m.safetensors --to onnx --out m.safetensors --force", model(),
     "--out: m.safetensors is the model."),
    # links
    ("a link that is no good", ["train", "--playground", "#nosuch=1&noise=x"], None, "noise=NaN must be"),
]  # fmt: skip


ALSO_IN_JSON = ("train iris --s", "predict m ")


@pytest.mark.parametrize(("name", "line", "make", "words"), CASES, ids=[c[0] for c in CASES])
def test_bad_input(
    name: str,
    line: str | list[str],
    make: Make | None,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    if make is not None:
        make()
    before = contents(tmp_path)
    typed = line.split() if isinstance(line, str) else line
    for more in ([], ["--json"]) if " ".join(typed).startswith(ALSO_IN_JSON) else ([],):
        result = CliRunner().invoke(chainrule, [*typed, *more])
        assert result.exit_code == 2, result.output
        check_sentence(result.stderr, words)
        assert result.stdout == ""
    assert contents(tmp_path) == before


def test_a_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.csv").write_text("mine")
    model()()
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    for out, more in (("new.csv", []), ("old.csv", ["--force"])):
        line = ["predict", "m.safetensors", "rows.csv", "--out", out, *more]
        result = CliRunner().invoke(chainrule, line)
        assert result.exit_code == 2, result.output
        check_sentence(result.stderr, f"{out}: no permission to write in this folder.")
    assert Path("old.csv").read_text() == "mine"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="a folder where no file can be made")
def test_the_file_is_named_and_not_a_temporary_one() -> None:
    result = CliRunner().invoke(chainrule, ["draw", "x * y", "--out", "/proc/a.svg"])
    assert result.exit_code == 2
    check_sentence(result.stderr, "Error: /proc/a.svg: ")


def contents(place: Path) -> dict[str, Any]:
    return {
        file.name: file.read_bytes() if file.is_file() else file.is_dir()
        for file in sorted(place.iterdir())
    }


def check_sentence(told: str, words: str) -> None:
    assert words in told, told
    assert told.startswith("Error: ")
    assert told.endswith("\n")
    assert told.count("\n") == 1
    assert "Traceback" not in told
    assert told.isprintable() or told[:-1].isprintable()
    assert told.rstrip()[-1] in ".!?)"
    assert not re.search(r"=(True|False|'|\d)|rows_with_target|as floats", told), told


def test_a_few_in_processes_of_their_own(tmp_path: Path) -> None:
    Path(tmp_path, "bad\x1b[2J.csv").write_text("x,label\n1\n")
    for args, words in [
        (["trian"], "did you mean train"),
        (["train", "bad\x1b[2J.csv"], "\\x1b[2J"),
        (["predict", "nope", "digits"], "no such model file"),
        (["train", "\udcff"], "neither a file nor"),
    ]:
        done = subprocess.run(
            [sys.executable, "-m", "chainrule", *args],
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert (done.returncode, done.stdout) == (2, "")
        check_sentence(done.stderr, words)


def test_training_that_diverges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("x,y\n" + "".join(f"{i},{i * i}.5\n" for i in range(60)))
    result = CliRunner().invoke(
        chainrule,
        ["train", "t.csv", "--optimizer", "sgd", "--lr", "1000", "--schedule", "constant"],
    )
    assert result.exit_code == 2
    assert "Error: training went out of bounds, and nothing was saved" in result.stderr
    assert "a smaller --lr than 1000." in result.stderr
    assert sorted(contents(tmp_path)) == ["t.csv"]


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.safetensors").write_bytes(b"old")
    real = os.write

    def full(handle: int, data: Any) -> int:
        if len(data) < 1000:  # not the model: other parts of Python may write
            return real(handle, data)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "old.safetensors")

    monkeypatch.setattr(os, "write", full)
    result = CliRunner().invoke(
        chainrule,
        ["train", "iris", "--out", "old.safetensors", "--force", "--epochs", "2", "--quiet"],
    )
    monkeypatch.undo()
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: old.safetensors: no space left on device")
    assert "what was there before is unchanged" in result.stderr
    assert contents(tmp_path) == {"old.safetensors": b"old"}


def test_a_fault_of_ours_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def fail(*args: Any) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("chainrule.cli.train_plan.divide", fail)
    result = CliRunner().invoke(chainrule, ["train", "iris"])
    assert result.exit_code == 70
    assert "chainrule itself failed (ZeroDivisionError: oh)" in result.stderr
    assert "Traceback" not in result.stderr
