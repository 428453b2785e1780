"""`chainrule train --report`: one page that stands alone, with the numbers the command printed."""

from __future__ import annotations

import csv
import hashlib
import re
import shlex
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.driver import as_json, good, run

import chainrule as cr
from chainrule.files import load_model

pytestmark = pytest.mark.usefixtures("short_reports")

FAST = ["--epochs", "5", "--hidden", "8"]
#: Elements without an end tag.
VOID = {"wbr", "meta", "br", "hr", "img", "link", "input"}
NASTY = [
    "</script><script>alert(1)</script>",
    '"onload="x',
    "a$x$&amp;b",
    "猫 & 狗",
    "]]>--><svg onload=alert(1)>",
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Page(HTMLParser):
    """What a page holds; that its tags close in order is checked on the way."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.told: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.feed(Path(path).read_text("utf-8"))
        self.close()
        assert self.open == []
        self.text = re.sub(r"\s+", " ", " ".join(self.told)).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.told.append(data)
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data

    def outside(self) -> list[Any]:
        """Whatever would be fetched, or run."""
        bad: list[Any] = []
        for tag, attrs in self.tags:
            if tag in ("script", "link", "iframe", "object", "embed", "base", "form"):
                bad.append(tag)
            for name, value in attrs.items():
                if name.startswith("on"):
                    bad.append((tag, name))
                if name in ("src", "href", "xlink:href", "action", "srcset", "data"):
                    good = (value or "").startswith(("#", "data:image/png;base64,"))
                    bad += [] if good else [(tag, name, value)]
                bad += [u for u in re.findall(r"url\(([^)]*)\)", value or "") if u[0] != "#"]
        return bad


def cells(page: Page, first: str) -> list[list[str]]:
    """The body of the table whose first heading is this."""
    return next(table[1:] for table in page.tables if table[0][0] == first)


def test_a_classifier() -> None:
    told = good("train", "digits", *FAST, "--report", "out.html")
    assert re.search(r"report +out\.html", told)
    page = Page("out.html")
    assert page.outside() == []
    assert len(page.ids) == len(set(page.ids))
    printed = re.search(r"held-out accuracy +(\S+)  \((\d+) of (\d+) rows", told)
    assert printed is not None
    share, right, rows = printed.groups()
    assert page.text.startswith("digit, learned from digits digit, learned from digits A report")
    assert f"{right} of {rows} answers are right: {share}" in page.text
    scores = as_json("evaluate", "digits.safetensors", "digits")["held_out"]
    body = cells(page, "digit")
    assert sum(int(row[1]) for row in body) == int(rows)
    expected = [
        [str(c["class"]), str(c["rows"]), f"{c['recall']:.1%}", f"{c['precision']:.1%}"]
        for c in scores["classes"]
    ]
    assert body == expected
    # The numbers in the picture of the confusion matrix.
    matrix = Path("out.html").read_text("utf-8").split('aria-label="confusion matrix"')[1]
    matrix = matrix.split("</svg>")[0]
    written = sorted(int(n) for n in re.findall(r"<text[^>]*>(\d+)</text>", matrix))
    counts = [n for row in scores["confusion_matrix"] for n in row if n]
    assert written == sorted([*counts, *range(10), *range(10)])


def test_the_rest_of_the_page_is_true() -> None:
    facts = as_json("train", "iris", *FAST, "--report", "out.html", "--seed", "3")
    page = Page("out.html")
    model = load_model("iris.safetensors")
    assert facts["report"] == "out.html"
    for line in (
        "learning rate 0.01, 5 epochs of 4 steps with 32 rows each",
        "All 5 gradients agree",
        "chainrule train iris --hidden 8 --epochs 5 --seed 3 --report out.html --json",
        facts["data"]["fingerprint"],
        "samples per second",
        f"numpy {np.__version__}",
        "'species' has 3 classes",
    ):
        assert line in page.text
    assert cells(page, "layer") == [
        ["input", "N×4", "", ""],
        ["Affine1", "N×8", "W1 4×8, b1 8", "40"],
        ["ReLU", "N×8", "", ""],
        ["Affine2", "N×3", "W2 8×3, b2 3", "27"],
        ["SoftmaxWithLoss", "", "", ""],
    ]
    assert [row[0] for row in cells(page, "gradient")] == [
        f"∂L/∂{name}" for name in ("x", "W1", "b1", "W2", "b2")
    ]
    # The hardest rows: the held-out rows by the probability of what they are.
    table, _ = cr.datasets.open_data("iris")
    from chainrule.cli.split import divide

    held = divide(table, "species", "auto", 0.2, 3, "fill").held
    rows = table.rows(held)
    preparation: Any = model.preparation
    t = preparation.targets(rows)
    truth = model.predict_proba(rows)[np.arange(len(t)), t]
    order = np.argsort(truth, kind="stable")[:12]
    worst = cells(page, "row")
    assert [row[0] for row in worst] == [table.line_of(int(held[i])) for i in order]
    assert [row[2] for row in worst] == [f"{truth[i]:.1%}" for i in order]
    assert [row[5] for row in worst] == [f"{rows['sepal_length_cm'][i]:g}" for i in order]


def houses() -> None:
    rows = [[50 + i, 1 + i % 5, 1000 * (50 + i) + 5000 * (i % 5)] for i in range(150)]
    with open("houses.csv", "w", newline="") as file:
        csv.writer(file).writerows([["size", "rooms", "price"], *rows])


def test_a_regression() -> None:
    houses()
    told = good("train", "houses.csv", "--target", "price", *FAST, "--report", "out.html")
    page = Page("out.html")
    r2, rmse = (re.search(rf"held-out {name} +(\S+)", told) for name in ("R²", "RMSE"))
    assert r2 is not None
    assert rmse is not None
    assert f"R² {r2[1]} RMSE {rmse[1]} in units of price MAE" in page.text
    assert hashlib.sha256(Path("houses.csv").read_bytes()).hexdigest() in page.text
    worst = cells(page, "row")
    numbers = [[float(cell.replace("−", "-")) for cell in row[1:]] for row in worst]
    errors = [abs(row[2]) for row in numbers]
    assert errors == sorted(errors, reverse=True)
    for true, said, error, size, rooms in numbers:
        assert said - true == pytest.approx(error, rel=0.01)
        assert true == 1000 * size + 5000 * (rooms - 1)


def test_hostile_names_stay_text() -> None:
    data, target = '<h&"x>.csv', 'klass"><b>'
    rng = np.random.default_rng(0)
    with open(data, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["<img src=x onerror=alert(1)>", "b\"'c", target])
        for i in range(100):
            out.writerow([*rng.normal(i % 5, 1, 2).round(3), NASTY[i % 5]])
    good("train", data, "--target", target, *FAST, "--report", "out.html", "--out", "m.safetensors")
    page = Page("out.html")
    assert page.outside() == []
    assert {tag for tag, _ in page.tags} & {"script", "img", "b", "i"} == {"b"}  # the tiles' own
    assert sorted(row[0] for row in cells(page, target)) == sorted(NASTY)
    assert cells(page, "row")
    assert next(t[0][5] for t in page.tables if t[0][0] == "row") == "<img src=x onerror=alert(1)>"
    assert shlex.quote(data) in page.text
    assert page.text.startswith(f'{target}, learned from <h&"x> ')


def test_the_picture_of_a_deep_network_goes_on_in_rows() -> None:
    """Nothing of it lies beyond the page's edge, where a printed page has no way to go."""
    good("train", "iris", "--epochs", "2", "--hidden", "8,8,8,8", "--report", "deep.html")
    page = Page("deep.html")
    picture = next(found for tag, found in page.tags if tag == "svg")
    assert float(re.sub(r"\D", "", picture["style"] or "")) <= 944  # the page's own width
    assert page.text.count("Affine5 8→3") == 1


def test_names_that_no_page_can_hold_are_escaped() -> None:
    Path("t.csv").write_bytes(
        b"a\x1b,\x07b,label\n" + b"".join(b"%d,%d,%d\n" % (i, i, i % 2) for i in range(60))
    )
    good("train", "t.csv", *FAST, "--report", "out.html")
    text = Path("out.html").read_text("utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", text)
    assert "a\\x1b" in text


def test_in_chinese() -> None:
    for data in ("digits", "spiral"):
        good("train", data, *FAST, "--report", f"{data}.html", "--lang", "zh")
        page = Page(f"{data}.html")
        assert ("html", {"lang": "zh-CN"}) in page.tags
        for words in ("训练过程", "预测的类别", "梯度全部一致", "如何重现", "轮次"):
            assert words in page.text
    houses()
    good("train", "houses.csv", "--target", "price", *FAST, "--report", "h.html", "--lang", "zh",
         "--validation", "0")  # fmt: skip
    assert "没有验证集" in Page("h.html").text


def test_empty_cells_are_told_in_the_language_of_the_page() -> None:
    rows = [f"{i},{('red', '', 'blue')[i % 3]},{i % 2}" for i in range(60)]
    Path("t.csv").write_text("\n".join(["size,colour,label", *rows]))
    for lang, word in (("en", "(missing)"), ("zh", "（缺失）")):
        good("train", "t.csv", *FAST, "--report", "t.html", "--lang", lang, "--force")
        assert f"colour={word}" in Page("t.html").text


def test_the_place_is_looked_at_before_training() -> None:
    Path("there.html").write_text("mine")
    refused = run("train", "iris", "--report", "there.html")
    assert refused.exit_code == 2
    assert "there.html exists already" in refused.stderr
    assert Path("there.html").read_text() == "mine"
    assert not Path("iris.safetensors").exists()
    good("train", "iris", *FAST, "--report", "there.html", "--force")
    assert Path("there.html").read_text().startswith("<!doctype html>")
    for where, what in (("m.safetensors", "the model"), ("iris.csv", "the data")):
        Path("iris.csv").write_text("a,y\n1,2\n")
        refused = run("train", "iris.csv", "--out", "m.safetensors", "--report", where, "--force")
        assert refused.exit_code == 2
        assert f"is {what}" in refused.stderr
    refused = run("train", "iris", "--report", "no/where.html")
    assert "there is no folder no" in refused.stderr


def test_without_matplotlib_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    refused = run("train", "iris", *FAST, "--report", "out.html")
    assert refused.exit_code == 2
    assert refused.stderr.count("\n") == 1
    assert "pip install 'chainrule[draw]'" in refused.stderr
    assert list(Path().iterdir()) == []


def test_the_command_can_be_typed_again() -> None:
    Path("-data.csv").write_text("a,y,b c,数\n" + "".join(f"{i},{i % 2},1,2\n" for i in range(40)))
    given = ["train", "--report", "a b.html", "--out", "m.safetensors", "--hidden", "none", "--quiet",
             "--without", "b c", "--without", "数", "--epochs", "2", "--", "-data.csv"]  # fmt: skip
    good(*given)
    text = Path("a b.html").read_text("utf-8")
    command = re.search(r"<pre>(.*?)</pre>", text, re.S)
    assert command is not None
    typed = shlex.split(command[1].replace("\\\n", "").replace("&#x27;", "'"))
    assert typed[0] == "chainrule"
    assert sorted(typed[1:]) == sorted(given)
    Path("a b.html").unlink()
    Path("m.safetensors").rename("first.safetensors")
    good(*typed[1:])
    assert Path("m.safetensors").read_bytes() == Path("first.safetensors").read_bytes()


@pytest.mark.parametrize("preset", ["table", "table-small", "plain"])
def test_first_weights_are_drawn_where_inputs_come_to_them(preset: str) -> None:
    """In the preset table each number has waves first, whose weights are no features."""
    good("train", "penguins", "--preset", preset, *FAST, "--report", "r.html")
    page = Path("r.html").read_text("utf-8")
    assert ("What the first layer looks for" in page) == (preset != "table")
