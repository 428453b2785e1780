"""The command where things are odd: encodings, terminals, texts like numbers, scores without sense."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.driver import as_json, good, run

import chainrule as cr
from chainrule.cli.kept_run import KeptRun
from chainrule.cli.terminal import table
from chainrule.cli.train_plan import Plan
from chainrule.cli.train_run import Trained, run_plan


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fast(data: str, *more: str) -> list[str]:
    epochs = [] if "--epochs" in more else ["--epochs", "3"]
    return ["train", data, *epochs, "--hidden", "4", *more]


def process(*args: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "chainrule", *args],
        capture_output=True,
        timeout=300,
        env={**os.environ, **environment},
    )


# -- texts that look like numbers ----------------------------------------------------------------


def test_a_prediction_does_not_depend_on_the_other_rows_of_the_file() -> None:
    codes = ["007", "A1", "12", "1.50"]
    rows = [f"{codes[i % 4]},{i % 3},{'p' if i % 4 in (0, 3) else 'q'}" for i in range(60)]
    Path("t.csv").write_text("code,n,label\n" + "\n".join(rows) + "\n")
    good(*fast("t.csv", "--lr", "0.05", "--epochs", "30"))

    def chances(*cells: str) -> Any:
        Path("new.csv").write_text("code,n\n" + "".join(f"{c},1\n" for c in cells))
        found = as_json("predict", "t.safetensors", "new.csv", "--proba")
        assert found["notes"] == []
        return found["probabilities"]

    assert [*chances("007", "1.50")] == [chances(*codes)[0], chances(*codes)[3]]
    assert chances("12") == chances(*codes)[2:3]
    assert as_json("evaluate", "t.safetensors", "t.csv")["same_data"] is True


def test_text_classes_stay_text_in_evaluation() -> None:
    rows = "".join(f"{i},{['01', '1.0', 'x'][i % 3]}\n" for i in range(60))
    Path("t.csv").write_text("n,label\n" + rows)
    good(*fast("t.csv"))
    Path("new.csv").write_text("n,label\n1,01\n2,1.0\n")
    assert as_json("evaluate", "t.safetensors", "new.csv")["all"]["rows"] == 2


def test_zip_codes_are_text_and_numbers_may_begin_with_zero_later() -> None:
    rows = "".join(f"0{1000 + i % 3},{i},{'ab'[i % 2]}\n" for i in range(60))
    Path("t.csv").write_text("zip,n,label\n" + rows)
    told = good(*fast("t.csv"))
    assert "'zip' holds numbers that begin with 0, so it is read as text." in told.replace(
        "\n", " "
    )
    Path("new.csv").write_text("zip,n\n01000,007\n1000,008\n")
    result = run("predict", "t.safetensors", "new.csv")
    assert result.exit_code == 0
    assert "1 cell in 'zip' holds a text that the training rows do not have" in result.stderr


# -- encodings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding",
    ["ascii", "utf-8", *(pytest.param(e, marks=pytest.mark.long) for e in ("cp1252", "latin-1"))],
)
def test_any_encoding_of_the_output_will_do(encoding: str) -> None:
    rows = "".join(f"{i},{i * 7 % 5},{'猫犬'[i % 2]}\n" for i in range(40))
    Path("t.csv").write_text("n,größe,label\n" + rows, encoding="utf-8")
    done = process(*fast("t.csv"), PYTHONIOENCODING=encoding)
    assert (done.returncode, b"Error" in done.stderr) == (0, False), done.stderr
    arrow = "→" if encoding == "utf-8" else "->"
    assert f"2 inputs {arrow} 4 relu {arrow} 2 outputs" in done.stdout.decode(encoding)
    for command in (["inspect"], ["evaluate", "t.csv"]):
        line = [command[0], "t.safetensors", *command[1:]]
        done = process(*line, PYTHONIOENCODING=encoding)
        assert done.returncode == 0, done.stderr
        told = done.stdout.decode(encoding)
        assert ("猫" if encoding == "utf-8" else "\\u732b") in told
        if encoding != "utf-8":
            assert not any(sign in told for sign in ("\\u2500", "\\xb7", "\\xb2", "\\u2192"))
        done = process(*line, "--json", PYTHONIOENCODING=encoding)
        assert "猫" in str(json.loads(done.stdout.decode(encoding)))
    for more in ([], ["--proba"]):
        done = process("predict", "t.safetensors", "t.csv", *more, PYTHONIOENCODING=encoding)
        assert set(done.stdout.decode("utf-8")) >= {"猫", "犬"}, done.stderr
        assert b"\r" not in done.stdout


def test_columns_stand_under_each_other_for_wide_letters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table(("label", "rows"), [("猫", "1"), ("dog", "12")])
    assert capsys.readouterr().out == "  label  rows\n  猫        1\n  dog      12\n"


# -- threads, the bar, Ctrl-C --------------------------------------------------------------------


def test_one_thread_unless_the_user_says_otherwise() -> None:
    code = (
        "import os, sys\nfrom chainrule.cli import main\nsys.argv = ['chainrule', '--version']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(*(os.environ[f'{name}_NUM_THREADS'] for name in ('OPENBLAS', 'OMP', 'MKL')))"
    )
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    clean = {name: value for name, value in os.environ.items() if name not in names}
    for env, expected in ((clean, "1 1 1"), ({**clean, "OMP_NUM_THREADS": "3"}, "1 3 1")):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=300
        )
        assert done.stdout.splitlines()[-1] == expected, done.stderr
    assert "one thread" in good("train", "--help")


def on_a_terminal(columns: int, *args: str) -> str:
    """What the command writes on a terminal of this width."""
    fcntl, pty, termios = (pytest.importorskip(name) for name in ("fcntl", "pty", "termios"))
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, np.array([24, columns, 0, 0], np.uint16).tobytes())
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    line = [sys.executable, "-m", "chainrule", *args]
    running = subprocess.Popen(
        line, stdout=child, stderr=child, stdin=child, env={**env, "TERM": "xterm", "NO_COLOR": "1"}
    )
    os.close(child)
    seen = b""
    while True:
        try:
            part = os.read(parent, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
    running.wait()
    os.close(parent)
    return seen.decode()


@pytest.mark.parametrize("columns", [60, 80])
def test_the_bar_shows_the_held_out_accuracy(columns: int) -> None:
    seen = on_a_terminal(columns, "train", "digits", "--epochs", "12")
    last = [part for part in seen.replace("\n", "\r").split("\r") if "100%|" in part][-1]
    assert len(last) <= columns
    assert len(last.split("|")[1]) >= 10
    assert "held-out 9" in last
    assert ("loss" in last) == (columns >= 80)


def test_ctrl_c_while_the_model_is_saved_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.files import save_model

    def pressed(*args: Any, **named: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        save_model(*args, **named)

    monkeypatch.setattr("chainrule.cli.train_run.save_model", pressed)
    before = signal.getsignal(signal.SIGINT)
    result = run(*fast("iris"))
    assert result.exit_code == 0, result.output
    assert Path("iris.safetensors").exists()
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_twice_in_training_keeps_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.training import Trainer

    real = Trainer.stop

    def again(self: Trainer, reason: str) -> None:
        real(self, reason)
        if self.current_epoch < 100:
            self.current_epoch = 100
            os.kill(os.getpid(), signal.SIGINT)

    def press(self: Any, number: int, loss: float) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Trainer, "stop", again)
    monkeypatch.setattr("chainrule.training.progress.Progress.epoch", press)
    result = run(*fast("iris"))
    assert result.exit_code == 130, result.output
    assert "the model so far is in iris.safetensors" in result.stderr
    assert Path("iris.safetensors").exists()


# -- streams -------------------------------------------------------------------------------------

ROWS = "x,z,label\n" + "".join(f"{i},{i * i % 7},{'ab'[i % 2]}\n" for i in range(40))


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """A line of bash, in which $C is the command."""
    command = f'"{sys.executable}" -W error -m chainrule'
    return subprocess.run(
        ["bash", "-c", line.replace("$C", command)], capture_output=True, text=True, timeout=300
    )


def test_a_table_on_standard_input() -> None:
    Path("rows.csv").write_text(ROWS)
    good(*fast("rows.csv"))
    piped = shell("cat rows.csv | $C train - --epochs 3 --hidden 4 --quiet")
    assert (piped.returncode, piped.stderr) == (0, "")
    answers = good("predict", "rows.safetensors", "rows.csv")
    assert shell("cut -d, -f1-2 rows.csv | $C predict stdin.safetensors -").stdout == answers
    scores = json.loads(shell("$C evaluate stdin.safetensors - --json < rows.csv").stdout)
    assert scores["same_data"] is True
    assert (
        "first 3 training rows of standard input"
        in shell("$C check stdin.safetensors --data - < rows.csv").stdout
    )
    Path("gb.csv").write_bytes("数,label\n1,猫\n2,狗\n3,猫\n4,狗\n".encode("gb18030"))
    read = shell("cat gb.csv | $C train - --encoding gb18030 --validation 0 --epochs 1")
    assert "狗 (2), 猫 (2)" in read.stdout
    assert "4 rows" in shell("$C evaluate stdin-2.safetensors - < gb.csv").stdout
    for line, words in (
        ("$C predict stdin.safetensors - < /dev/null", "standard input is empty"),
        ("$C predict stdin.safetensors - <&-", "standard input is empty"),
        (
            "printf 'x,z\\n1,2,3,4\\n' | $C predict stdin.safetensors -",
            "standard input:2: the row is too",
        ),
        ("gzip -c rows.csv | $C predict stdin.safetensors -", "standard input: this is gzip"),
    ):
        refused = shell(line)
        assert (refused.returncode, refused.stdout) == (2, ""), refused.stderr
        assert words in refused.stderr.splitlines()[0]


def test_streams_that_are_closed_or_full() -> None:
    Path("rows.csv").write_text(ROWS)
    good(*fast("rows.csv"))
    predict = "$C predict rows.safetensors rows.csv"
    for line, code, told in (
        (f"{predict} >&- 2>&-", 0, ""),
        ("$C nonsense 2>&-", 2, ""),
        ("$C nonsense 2>/dev/full", 2, ""),
        (f"{predict} >/dev/full", 2, "Error: standard output: no space left on device.\n"),
        (f"{predict} | true; exit ${{PIPESTATUS[0]}}", 141, ""),
        ("$C inspect rows.safetensors | true; exit ${PIPESTATUS[0]}", 141, ""),
        ("$C train rows.csv --epochs 2 2>&1 | head -0; exit ${PIPESTATUS[0]}", 141, ""),
    ):
        done = shell(line)
        assert (done.returncode, done.stderr) == (code, told), line
    assert [file.name for file in Path().glob("*.safetensors")] == ["rows.safetensors"]


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_help_fits_a_narrow_terminal(columns: int) -> None:
    done = process("train", "--help", COLUMNS=str(columns))
    lines = done.stdout.decode().splitlines()
    options = lines[lines.index("Options:") : lines.index("  Examples:")]
    long = [line for line in options if len(line) > columns]
    assert all("|" in line for line in long)  # the words that are allowed stay in one piece
    assert len(long) <= 4


# -- scores --------------------------------------------------------------------------------------


def test_r2_is_left_out_where_it_is_not_defined() -> None:
    Path("t.csv").write_text("x,y\n" + "".join(f"{i},{i}.5\n" for i in range(40)))
    good(*fast("t.csv"))
    for rows in ("1,1.5\n", "1,1.5\n2,1.5\n3,1.5\n"):
        Path("new.csv").write_text("x,y\n" + rows)
        assert as_json("evaluate", "t.safetensors", "new.csv")["all"]["r2"] is None
        assert "R²    -  (" in good("evaluate", "t.safetensors", "new.csv")
    Path("s.csv").write_text("x,y\n1,1.5\n2,2.5\n3,3.5\n")
    told = good(*fast("s.csv"))
    assert "held-out R²    -  (1 row never trained on)" in told
    assert as_json(*fast("s.csv", "--force"))["held_out"]["r2"] is None


@pytest.mark.parametrize("scale", ["e-300", "e299", "e-5"])
def test_scores_of_tiny_and_huge_targets(scale: str) -> None:
    rows = "".join(f"{i},{i % 7 + 0.5}{scale}\n" for i in range(60))
    Path("t.csv").write_text("x,y\n" + rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = as_json(*fast("t.csv"))["held_out"]
        predictions = as_json("predict", "t.safetensors", "t.csv")["predictions"]
    assert -100 < scores["r2"] < 1
    assert 0.01 < scores["rmse"] / float(f"1{scale}") < 100
    assert scores["mae"] <= scores["rmse"]
    assert np.isfinite(predictions).all()


# -- words ---------------------------------------------------------------------------------------


def test_one_is_not_many() -> None:
    rows = "".join(f"{i},{'ab'[i % 2] if i else ''}\n" for i in range(9))
    Path("t.csv").write_text("x,label\n" + rows)
    told = good(*fast("t.csv", "--validation", "0.1", "--epochs", "1"))
    assert "1 of 9 rows has no 'label' and is left out." in told
    assert "1 input →" in told
    assert "(1 of 1 row never" in told.replace("0 of 1", "1 of 1")
    assert "1 epoch of 1 step," in told
    result = run("evaluate", "t.safetensors", "t.csv")
    assert "the 1 row held out is scored apart from the 7 trained on" in result.stderr
    Path("one.csv").write_text("x\n1\n")
    told = good("predict", "t.safetensors", "one.csv", "--out", "o.csv")
    assert told == "1 prediction of label is in o.csv.\n"


# -- narrow terminals --------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [40, 80, pytest.param(60, marks=pytest.mark.long)])
def test_lines_are_no_wider_than_the_terminal(columns: int) -> None:
    rows = "".join(
        f"{i},{i * 7 % 5},{'very long name of a class ' + 'abc'[i % 3]}\n" for i in range(60)
    )
    Path("t.csv").write_text("n,m,label\n" + rows)
    good(*fast("t.csv"))
    for args in (
        ["train", "t.csv", "--epochs", "2", "--hidden", "4"],
        ["inspect", "t.safetensors"],
        ["evaluate", "t.safetensors", "t.csv"],
        ["check", "t.safetensors", "--data", "t.csv"],
        ["train", "nosuch.csv"],
    ):
        lines = [x for x in on_a_terminal(columns, *args).splitlines() if "%|" not in x]
        # A command to copy stays in one piece, and so does a table of names and their numbers.
        whole = ("chainrule ", "very long", "right when said")
        wide = [x for x in lines if len(x) > columns and not any(words in x for words in whole)]
        assert wide == [], args
        assert any(line.strip() for line in lines)
    told = " ".join(on_a_terminal(columns, "check", "t.safetensors").split())
    assert ("too narrow for all columns" in told) == (columns < 100)
    assert "∂W1" in told
    matrix = on_a_terminal(columns, "evaluate", "t.safetensors", "t.csv").splitlines()
    heads = [line for line in matrix if line.split() == ["1", "2", "3"]]
    assert len(heads) == 1
    assert any(line.startswith("  3 very long name of a class c") for line in matrix)


def test_ctrl_c_while_the_command_is_being_loaded() -> None:
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Slow:\n"
        "    def find_spec(self, name, *more):\n"
        "        if name == 'chainrule.cli.evaluate':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Slow())\n"
        "from chainrule.cli import main\n"
        "main()\n"
    )
    line = [sys.executable, "-c", code, "--version"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


# -- schedules ------------------------------------------------------------------------------------


# A fifth of the rows is kept for the score; a fifth of what is left chooses the epoch, if it is 50 rows.
@pytest.mark.parametrize(("rows", "batches"), [(40, 1), (130, 2)])
def test_schedules_end_with_the_updates_though_some_rows_choose_the_epoch(
    rows: int, batches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[Plan] = []

    def remembered(plan: Plan, progress: str | None, kept: KeptRun | None) -> Trained | None:
        plans.append(plan)
        return run_plan(plan, progress, kept)

    monkeypatch.setattr("chainrule.cli.train_run.run_plan", remembered)
    numbers = np.random.default_rng(0).normal(size=(rows, 2)).tolist()
    Path("t.csv").write_text("a,b,y\n" + "".join(f"{a},{b},{a - b}\n" for a, b in numbers))
    good(*fast("t.csv", "--preset", "table", "--batch-size", "32", "--epochs", "6"))

    [plan] = plans
    optimizer = plan.way.trainer.optimizer
    drop = next(a for a in plan.way.networks[0].layers if isinstance(a, cr.layers.Dropout))
    schedules: list[Any] = [optimizer.schedule, drop, plan.way]
    assert [schedule.steps for schedule in schedules] == [6 * batches] * 3
    assert optimizer.iter in range(batches, 6 * batches + 1, batches)  # that of the epoch kept
