"""The language of the command: who decides it, and that all that is said is in it."""

from __future__ import annotations

import errno
import gettext
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.chinese import HAN, english_words, in_words, names_and_numbers, run_in
from tests.cli.test_bad_input import CASES, Make, contents
from tests.cli.test_graphs import BAD, HOSTILE, MORE_BAD
from tests.cli.test_robust import on_a_terminal

from chainrule.cli import chainrule
from chainrule.cli.foreign_words import system_words
from chainrule.cli.language import current
from chainrule.cli.terminal import rows, table
from chainrule.lang.messages import Text, _
from chainrule.text_width import cells_wide

COMMANDS = ("", *chainrule.commands)
FAST = ("--epochs", "3", "--hidden", "4")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("CHAINRULE_LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def helped(*args: str) -> list[str]:
    return [*args, "--help"]


# -- who decides -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lang", "args", "env"),
    [
        ("en", [], {}),
        ("zh", [], {"LANG": "zh_CN.UTF-8"}),
        ("en", [], {"LANG": "de_DE.UTF-8"}),
        ("zh", [], {"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}),
        ("en", [], {"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}),
        ("zh", [], {"LANG": "en_US.UTF-8", "LANGUAGE": "zh_CN:en"}),
        ("en", [], {"LANG": "zh_CN.UTF-8", "CHAINRULE_LANG": "en"}),
        ("zh", [], {"LANG": "en_US.UTF-8", "CHAINRULE_LANG": "zh_CN"}),
        ("zh", [], {"LANG": "zh_CN.UTF-8", "CHAINRULE_LANG": ""}),
        ("en", ["--lang", "en"], {"LANG": "zh_CN.UTF-8", "CHAINRULE_LANG": "zh"}),
        ("zh", ["--lang", "zh"], {"LANG": "en_US.UTF-8", "CHAINRULE_LANG": "en"}),
        ("zh", ["--lang=zh-CN"], {"CHAINRULE_LANG": "fr"}),
        *[("zh", ["--lang", tag], {}) for tag in ("ZH", "zh_CN", "zh-CN", "zh_CN.UTF-8", "zh-Hans")],
        *[("en", ["--lang", tag], {"LANG": "zh_CN"}) for tag in ("en_US", "en-GB", "EN", "C")],
    ],
)  # fmt: skip
def test_the_option_then_the_variable_then_the_locale(
    lang: str, args: list[str], env: dict[str, str]
) -> None:
    for line in (helped("train", *args), [*args, *helped("train")], [*args, "--help"]):
        result = run_in(env.get("CHAINRULE_LANG"), *line, **env)
        assert result.exit_code == 0, result.output
        assert result.output.startswith({"en": "Usage: ", "zh": "用法："}[lang]), line


def test_the_option_stands_anywhere_on_the_line() -> None:
    words = ["train", "iris", "--lr", "0"]
    places = [[*words[:i], "--lang", "zh", *words[i:]] for i in (0, 1, 2, 4)]
    for line in (*places, [*words, "--lang=zh_CN"]):
        assert run_in(None, *line).stderr.startswith("错误：--lr：得到 '0'"), line
    # It is no option behind --, nor where it is another's value.
    assert run_in(None, "train", "iris", "--", "--lang", "zh").stderr.startswith("Error: ")
    Path("t.csv").write_text("--lang,y\n" + "".join(f"{i},{i % 2}\n" for i in range(40)))
    assert run_in(None, "train", "t.csv", "--without=--lang").stderr.startswith("Error: t.csv")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_it(command: str) -> None:
    line = [command] if command else []
    assert "--lang [en|zh]" in run_in("en", *line, "--help").output
    for args in ([*line, "--lang", "fr"], [*line, "--lang="]):
        result = run_in(None, *args)
        assert result.exit_code == 2
        assert re.match(r"Error: --lang: got '(fr)?'; allowed: en, zh\.\n", result.stderr)
    if command:
        for args in ([*line, "--lang", "zh", "--lang", "en"], ["--lang=zh", *line, "--lang=zh"]):
            result = run_in(None, *args)
            assert (result.exit_code, "给了两次" in result.stderr) == (2, True), result.stderr


def test_a_variable_with_no_language_in_it_is_an_error() -> None:
    for lang, told in (
        ("en_US", "Error: CHAINRULE_LANG: got 'fr'; allowed: en, zh.\n"),
        ("zh_CN", "错误：CHAINRULE_LANG：得到 'fr'；可选：en、zh。\n"),
    ):
        result = run_in("fr", "--version", LANG=lang)
        assert (result.exit_code, result.stdout, result.stderr) == (2, "", told)


def test_nothing_of_a_run_is_left_behind() -> None:
    before, domain = dict(os.environ), gettext.textdomain()
    for args in (["--lang", "zh", "--help"], ["--lang", "zh", "train"], ["train", "nosuch"]):
        run_in(None, *args)
        assert (dict(os.environ), gettext.textdomain(), current()) == (before, domain, "en")
        assert gettext.gettext("Options") == "Options"


def test_output_that_cannot_hold_chinese_is_english(folder: Path) -> None:
    pytest.importorskip("matplotlib")
    line = [sys.executable, "-m", "chainrule", "train", "iris", *FAST, "--report", "r.html"]
    env = {**os.environ, "CHAINRULE_LANG": "zh", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(line, capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "held-out accuracy  " in done.stdout
    assert "<html lang=zh-CN>" in Path("r.html").read_text("utf-8")
    helped = subprocess.run([*line[:4], "--help"], capture_output=True, text=True, env=env)
    assert helped.stdout.startswith("Usage: chainrule train [OPTIONS] DATA")


# -- help pages ------------------------------------------------------------------------------------


def prose(page: str) -> str:
    """A help page without its examples, the names of commands and the left column of options."""
    page = page.partition("\n  示例：")[0]
    head, _options, page = page.partition("\n选项：")
    page = head.partition("\n")[2] + re.sub(r"(?m)^  (-.*?)(?=$| {2,})", "", page)
    return re.sub(rf"(?m)^  ({'|'.join(chainrule.commands)})  ", "", page)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_in_chinese(command: str) -> None:
    result = run_in("zh", *helped(*[command] * bool(command)), COLUMNS="200")
    assert result.exit_code == 0
    assert english_words(prose(result.output)) == []
    assert not re.search(r"[一-鿿][,;:.!?(]|[,;:.!?)][一-鿿]", result.output)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_the_same_options_and_examples_in_both_languages(command: str) -> None:
    pages = [run_in(lang, *helped(*[command] * bool(command))).output for lang in ("en", "zh")]
    assert not HAN.search(pages[0])
    parts = [re.split(r"\n(?:Options:|选项：)\n", page)[1] for page in pages]
    options = [re.findall(r"(?m)^  (-.*?)(?=$| {2,})", part) for part in parts]
    assert options[0] == options[1]
    assert len(options[0]) >= 2
    examples = [re.split(r"\n  (?:Examples?:|示例：)\n", page)[1] for page in pages]
    assert examples[0] == examples[1]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("columns", [40, 60, 80, 200])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_the_terminal(command: str, columns: int, lang: str) -> None:
    page = run_in(lang, *helped(*[command] * bool(command)), COLUMNS=str(columns)).output
    page = re.split(r"\n  (?:Examples?:|示例：)\n", page)[0]
    wide = [line for line in page.splitlines() if cells_wide(line) > columns]
    assert all("|" in line for line in wide)  # the words that are allowed stay in one piece
    assert not re.search(r"(?m)^ *[，。、；：）”！？]", page)
    assert not re.search(r"(?m)[（“]$", page)
    # The words of an option stand under each other.
    for block in re.findall(r"(?m)^  -.*\n(?: {4,}\S.*\n)+", page):
        assert len({len(line) - len(line.lstrip()) for line in block.splitlines()[1:]}) == 1, block


def test_help_is_there_without_docstrings() -> None:
    line = [sys.executable, "-OO", "-m", "chainrule", "train", "--help"]
    for lang, words in (("en", "Train a network on DATA"), ("zh", "用 DATA 训练一个网络")):
        done = subprocess.run(
            line, capture_output=True, timeout=300, env={**os.environ, "CHAINRULE_LANG": lang,
            "PYTHONIOENCODING": "utf-8"},
        )  # fmt: skip
        assert words in done.stdout.decode(), done.stderr


# -- errors ----------------------------------------------------------------------------------------


def check_error(args: list[str]) -> None:
    """The error in Chinese: one line, no English, and what the English one names stands in it."""
    english, chinese = (run_in(lang, *args) for lang in ("en", "zh"))
    assert (english.exit_code, chinese.exit_code) == (2, 2), chinese.output
    assert chinese.stdout == ""
    told = chinese.stderr
    assert told.startswith("错误：")
    assert told.count("\n") == 1
    assert told[:-1].isprintable()
    assert told[-2] in "。！？）" or "sigmoid(x @ W + b)" in told
    said = told.removeprefix("错误：")
    assert HAN.search(said), told
    assert in_words(said) == [], told
    assert not re.search(r"[一-鿿][,;:!?]|[一-鿿]\.(?!\w)", re.sub(r"'[^']*'", "", told)), told
    missing = names_and_numbers(english.stderr) - names_and_numbers(told)
    assert missing == set(), (missing, english.stderr, told)


@pytest.mark.parametrize(("name", "line", "make", "words"), CASES, ids=[c[0] for c in CASES])
def test_bad_input(
    name: str, line: str | list[str], make: Make | None, words: str, folder: Path
) -> None:
    if make is not None:
        make()
    before = contents(folder)
    check_error(line.split() if isinstance(line, str) else line)
    assert contents(folder) == before


@pytest.mark.parametrize("args", [args for args, _said in (*BAD, *MORE_BAD)], ids=" ".join)
def test_bad_input_for_graphs(args: list[str]) -> None:
    check_error(args)


@pytest.mark.parametrize("text", HOSTILE)
def test_bad_expressions(text: str) -> None:
    check_error(["draw", "--out", "a.svg", "--", text])


PLAY = ["play", "--no-browser"]


@pytest.mark.parametrize(
    "args",
    [
        ["figures"],
        ["figures", "--only", "nosuch", "--out", "d"],
        ["train", "iris", "--header=3"],
        ["predict", "a", "b", "c", "d"],
        ["train", "iris", "--playground", "#dataset=xor"],
        ["train", "--playground", "#networkShape=999"],
        ["--", "-"],
        [*PLAY, "--host", "0.0.0.0"],
        [*PLAY, "--port", "70000"],
        [*PLAY, "#batchSize=0"],
        [*PLAY, "#noise=NaN"],
    ],
    ids=" ".join,
)
def test_more_bad_input(args: list[str]) -> None:
    check_error(args)


def test_what_the_system_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_in("zh", "train", "iris", *FAST).exit_code == 0

    def refuse(*args: Any, **named: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "m.csv")

    monkeypatch.setattr("chainrule.atomic_write.write_whole", refuse)
    line = ["predict", "iris.safetensors", "iris", "--out", "m.csv"]
    assert run_in("zh", *line).stderr == "错误：m.csv：磁盘空间不足。\n"
    assert run_in("en", *line).stderr == "Error: m.csv: no space left on device.\n"
    for number in (errno.ENOENT, errno.EACCES, errno.EISDIR, errno.EROFS, errno.EIO, errno.ENOTDIR):
        told = system_words(os.strerror(number))
        assert isinstance(told, Text), told
        assert english_words(told.said("zh")) == []


def test_a_fault_of_ours_and_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    for fault, code, told in (
        (ZeroDivisionError("oh"), 70, "错误：chainrule 自身出错（ZeroDivisionError：oh）。"),
        (KeyboardInterrupt(), 130, "\n已停止：被中断，什么也没有写入。\n"),
        (MemoryError(), 2, "错误：内存不足。"),
    ):

        def fail(*args: Any, fault: BaseException = fault) -> None:
            raise fault

        monkeypatch.setattr("chainrule.cli.train_plan.divide", fail)
        result = run_in("zh", "train", "iris")
        assert (result.exit_code, result.stderr.startswith(told)) == (code, True), result.stderr


# -- what goes well --------------------------------------------------------------------------------

ROWS = "size,town,price\n" + "".join(
    f"{50 + i if i % 9 else ''},{['Ulm', 'Bonn'][i % 2]},{1000 + 37 * i}.5\n" for i in range(60)
)


def lines_to_say() -> Iterator[list[str]]:
    """Every command that ends by itself, where all is well."""
    Path("t.csv").write_text(ROWS)
    yield ["train", "iris", *FAST]
    yield ["train", "iris", *FAST, "--patience", "2", "--out", "p.safetensors"]
    yield ["train", "iris", "--hidden", "none", "--out", "chosen.safetensors"]
    yield ["train", "t.csv", "--target", "price", *FAST]
    yield ["train", "t.csv", "--target", "price", *FAST, "--validation", "0"]
    yield ["train", "t.csv", "--target", "price", *FAST, "--missing", "drop", "--without", "town"]
    yield ["train", "iris", *FAST, "--ensemble", "3", "--drawn", "--out", "drawn.safetensors"]
    yield ["tune", "iris", *FAST, "--trials", "2", "--out", "tuned.safetensors"]
    yield ["inspect", "tuned.safetensors"]
    yield ["train", "--playground", "#dataset=xr&networkShape=4&noise=10", "--epochs", "2"]
    yield ["predict", "t.safetensors", "t.csv", "--out", "o.csv"]
    yield ["evaluate", "iris.safetensors", "iris"]
    yield ["evaluate", "t.safetensors", "t.csv"]
    yield ["evaluate", "iris.safetensors", "iris", "--importance", "--top", "2", "--calibration"]
    yield ["evaluate", "t.safetensors", "t.csv", "--importance", "--report", "e.html"]
    yield ["explain", "iris.safetensors", "iris", "--worst", "2", "--top", "2"]
    yield ["explain", "t.safetensors", "t.csv", "--row", "3", "--method", "gradient"]
    yield ["explain", "t.safetensors", "t.csv", "--out", "added.csv"]
    yield ["inspect", "iris.safetensors"]
    yield ["inspect", "t.safetensors"]
    yield ["check", "iris.safetensors", "--data", "iris"]
    yield ["check", "sum(tanh(x @ W))"]
    yield ["draw", "sigmoid(x)", "--set", "x=-1000", "--out", "a.svg", "--detail"]
    yield ["export", "iris.safetensors", "--to", "script", "--out", "a.py"]
    yield ["export", "iris.safetensors", "--to", "onnx"]
    yield ["inspect", "iris.onnx"]
    yield ["compare", "iris.safetensors", "iris.safetensors"]
    yield ["learn", "list"]
    yield ["learn", "hint", "1"]
    yield ["learn", "next"]
    yield ["plan", "--network", "8-16-3", "--flops", "90", "--rows", "500", "--memory", "0.0001"]
    yield ["plan", "--network", "plain", "--data", "iris", "--ranks", "1,2", "--out", "p.svg"]
    yield ["train", "iris", *FAST, "--checkpoint", "run", "--out", "kept.safetensors"]
    yield ["resume", "run", "--out", "again.safetensors"]


def test_all_that_is_said_is_chinese() -> None:
    lines = list(lines_to_say())
    missing = set(chainrule.commands) - {"play", "figures"} - {line[0] for line in lines}
    assert not missing, f"lines_to_say has no line of {sorted(missing)}"
    for args in lines:
        result = run_in("zh", *args)
        assert result.exit_code == 0, result.output
        told = re.sub(r"(?m)^(接下来| {6})  chainrule .*", "", result.output)
        assert in_words(told) == [], args
        notes = [n for n in result.stderr.splitlines() if not n.startswith(("第", "从"))]
        assert all(line.startswith("提示：") for line in notes if HAN.match(line)), result.stderr
        assert not re.search(r"[一-鿿][,;:!?] ", told), told
    assert HAN.search(run_in("zh", "figures", "--list").stdout.splitlines()[0])


def test_a_wrong_gradient_is_said_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_in("zh", "check", "log(x)", "--set", "x=0")
    assert result.exit_code == 1
    assert HAN.search(result.stdout)
    assert in_words(result.stdout) == []


def test_a_model_and_its_json_are_the_same_in_both_languages() -> None:
    told = {}
    for lang in ("en", "zh"):
        line = ["train", "iris", "--patience", "1", "--lr", "1", "--json", "--force"]
        told[lang] = json.loads(run_in(lang, *line, "--out", f"{lang}.safetensors").stdout)
    assert Path("en.safetensors").read_bytes() == Path("zh.safetensors").read_bytes()

    def shape(data: Any) -> Any:
        if isinstance(data, dict):
            return {key: shape(value) for key, value in data.items()}
        return [type(data)] if isinstance(data, str | list) else data

    for data in told.values():
        del data["seconds"]
    assert shape(told["en"]) == shape(told["zh"])
    assert HAN.search("".join(told["zh"]["notes"]))
    assert not HAN.search(json.dumps(told["en"], ensure_ascii=False))
    check = json.loads(run_in("zh", "check", "x * y", "--json").stdout)
    assert {row["verdict"] for row in check["rows"]} == {"ok"}


@pytest.mark.usefixtures("short_reports")
def test_pictures_and_reports_are_in_the_language_of_the_run() -> None:
    pytest.importorskip("matplotlib")
    for args, env, lang in (
        ([], "zh", "zh-CN"),
        (["--lang", "zh"], None, "zh-CN"),
        (["--lang", "en"], "zh", "en"),
        ([], None, "en"),
    ):
        line = ["train", "iris", *FAST, "--report", "r.html", "--force", *args]
        result = run_in(env, *line, LANG="en_US.UTF-8")
        assert result.exit_code == 0, result.output
        page = Path("r.html").read_text("utf-8")
        assert f"<html lang={lang}>" in page
        assert ("--lang" in page.partition("<pre>")[2].partition("</pre>")[0]) == bool(args)
    before = run_in(None, "--lang", "zh", "train", "iris", *FAST, "--report", "r.html", "--force")
    assert before.exit_code == 0
    command = Path("r.html").read_text("utf-8").partition("<pre>")[2].partition("</pre>")[0]
    assert "--lang zh" in command


@pytest.mark.parametrize(
    ("args", "env", "lang"),
    [
        (["play"], "zh", None),
        (["play", "--lang", "zh"], None, "zh"),
        (["--lang", "zh_CN", "play"], None, "zh"),
        (["play", "--lang", "en"], "zh", "en"),
    ],
)
def test_the_page_of_play_is_the_browsers_unless_asked(
    args: list[str], env: str | None, lang: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("starlette")
    from chainrule.playground.server import serve

    asked: list[Any] = []

    def opened(self: Any, lang: str | None = None) -> None:
        asked.append((lang, "LANGUAGE" in os.environ))

    monkeypatch.setattr(serve, "built_page", dict)
    monkeypatch.setattr(serve.Server, "open_browser", opened)
    monkeypatch.setattr(serve.Server, "run", lambda self: self.socket.close())
    result = run_in(env, *args, "--port", "0")
    assert result.exit_code == 0, result.output
    assert asked == [(lang, False)]
    assert ("lang=" in result.output) == (lang is not None)
    assert ("游乐场" in result.output) == ("zh" in (lang or env or ""))


# -- lines -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [40, 80, pytest.param(60, marks=pytest.mark.long)])
def test_lines_are_no_wider_than_the_terminal(columns: int) -> None:
    for args in (
        ["train", "iris", *FAST],
        ["evaluate", "iris.safetensors", "iris"],
        ["inspect", "iris.safetensors"],
        ["train", "nosuch.csv"],
    ):
        seen = on_a_terminal(columns, *args, "--lang", "zh")
        lines = [line for line in seen.splitlines() if "%|" not in line]
        assert HAN.search(seen)
        wide = [x for x in lines if cells_wide(x) > columns and "chainrule " not in x]
        assert wide == [], args


def test_chinese_names_leave_room_for_their_cells(capsys: pytest.CaptureFixture[str]) -> None:
    rows([("ab", "x"), ("数据", "y"), ("", "z")])
    assert capsys.readouterr().out == "ab    x\n数据  y\n      z\n"
    table(("label", "行数"), [("猫", "1"), ("dog", "12")])
    assert capsys.readouterr().out == "  label  行数\n  猫        1\n  dog      12\n"


def test_messages_are_said_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.cli.terminal import paint, printable, spoken

    monkeypatch.setenv("CHAINRULE_LANG", "zh")
    for say in (paint, printable, spoken):
        assert say(_("training")) == "训练"
