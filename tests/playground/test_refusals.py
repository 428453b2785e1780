"""What a session refuses is said in both languages, names and numbers kept."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import SettingError
from chainrule.lang.messages import Text, in_language
from chainrule.playground.notebook import Playground
from chainrule.playground.session import Session
from chainrule.playground.settings import Settings

ROWS = "".join(f"{k},{k % 3},{'xy'[k % 2]}\n" for k in range(20))


def no_english(sentence: str) -> bool:
    """Whether no word of English is left but names in quotes, identifiers and symbols."""
    kept = re.sub(r"“[^”]*”|softmax|NaN|MiB|chainrule|[\w.]+=\S*|∂\S+", "", sentence)
    return not re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}", kept)


@pytest.mark.parametrize(
    ("command", "number"),
    [
        ({"do": "edit", "parameter": 0, "place": [0, 0], "value": 1e300}, "1e+300"),
        ({"do": "edit", "parameter": 0, "place": [9, 0], "value": 1}, "9"),
        ({"do": "configure", "settings": {"hidden": [4] * 99}}, None),
        ({"do": "configure", "settings": {"learning_rate": 0}}, "0"),
        ({"do": "configure", "settings": {"noise": 7}}, "7"),
        ({"do": "configure", "settings": {"data": "own"}}, None),
        ({"do": "configure", "settings": {"data": "plane", "loss": "softmax"}}, None),
        ({"do": "configure", "settings": {"optimizer_numbers": {"momentum": 7}}}, None),
        ({"do": "drop_run", "run": 0}, None),
        ({"do": "link", "text": "#networkShape=900"}, "900"),
        ({"do": "link", "text": "#batchSize=0"}, "0"),
        ({"do": "link", "text": "#chainrule=1&hidden=x"}, "x"),
        ({"do": "paste", "text": ""}, None),
        ({"do": "paste", "text": "a,b\n"}, None),
        ({"do": "paste", "text": "one\n1\n2\n"}, None),
        ({"do": "paste", "text": "a,b\n1,2\n3,4\n5,6,7\n"}, "2"),
        ({"do": "paste", "text": 'a,b\n"1,x\n2,3\n'}, "2"),
        ({"do": "paste", "text": f"a,b\n{'x' * 200_000},1\n"}, "131072"),
        ({"do": "paste", "text": "a,b\n1,\0\n"}, "2"),
        ({"do": "paste", "text": '{"a": [1, 2]}'}, "JSON"),
        ({"do": "paste", "text": "<html><body>hello</body></html>"}, "HTML"),
    ],
)
def test_refusals_are_in_both_languages(command: dict[str, Any], number: str | None) -> None:
    told = Session().do(command).fields["told"]
    assert len(told["en"]) == len(told["zh"]) > 0
    for english, chinese in zip(told["en"], told["zh"], strict=True):
        assert re.search("[一-鿿]", chinese), english
        assert no_english(chinese), chinese
    if number is not None:
        assert any(number in chinese for chinese in told["zh"])


@pytest.mark.parametrize(
    "text", ["a,b,c\n1,2,x\n", f"a,b,c\n{ROWS.replace('y', 'x')}", "a,b\n" + "1,7.5\n" * 9]
)
def test_tables_that_cannot_be_learnt_say_so_in_both_languages(text: str) -> None:
    session = Session()
    answer = session.do({"do": "paste", "text": text})
    if answer.kind != "error":
        answer = session.do({"do": "configure", "settings": {"data": "own"}})
    assert answer.kind == "error"
    assert all(re.search("[一-鿿]", chinese) for chinese in answer.fields["told"]["zh"])
    assert all(no_english(chinese) for chinese in answer.fields["told"]["zh"])


def many(cells: str, rows: int = 30) -> str:
    """A table of rows whose first cells are in turn those given, after numbers of every kind."""
    given = cells.split()
    return "a,b\n" + "".join(
        f'"{given[i] if i < len(given) else i + 0.5}",{i}\n' for i in range(rows)
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("a;b\n1,5;2\n2,5;3\n", "1.5"),
        ("a|b\n1|2\n2|3\n", "竖线"),
        ("a b\n1 2\n2 3\n", "空格"),
        ("5.1,3.5,setosa\n4.9,3.1,setosa\n", "x0 到 x2"),
        ("state,2021\nUtah,-3\nOhio,4\n", "2021"),
        ("a,a,,b,\n1,2,3,4,\n5,6,7,8,\n", "Unnamed: 2"),
        (",a,b\nx,1,2\ny,3,4\n", "各行内容都不同"),
        ("a b\n1 2 3\n4 5 6\n", "R"),
        ("# remark\n#\na,b\n1,2\n#x\n3,4\n", "第一行数据之前的 2 行"),
        ("a,b\n1\n3,4\n", "第 2 行"),
        (many("1,234"), "1234"),
        (many("12% 13%"), "12%"),
        (many("1.5M 2k"), "1500000"),
        (many("(34.44)"), "-34.44"),
        (many("<0.25"), "0.25"),
        (many("34*"), "脚注"),
        (many("1'234"), "1234"),
        (many('=""34""'), "34"),
        (many("inf"), "无穷大"),
        (many("oops"), "oops"),
        (many("NULL -"), "NULL"),
        ("id,b\n99999999999999999999,1\n99999999999999999998,2\n", "18"),
        ("day,b\n2024-01-31,1\n2024-02-01,2\n", "日期"),
        ("w,b\n12 kg,1\n13 lb,2\n14 kg,3\n", "12 kg"),
        (
            "w,b\n" + "".join(f"{'abcdefghij'[i]}{i},{i}\n" for i in range(9)) + "1,1\n2,2\n3,3\n",
            "1",
        ),
        ("zip,b\n01234,1\n02345,2\n", "以 0 开头"),
    ],
)
def test_notes_on_a_table_are_in_both_languages(text: str, number: str) -> None:
    answer = Session().do({"do": "paste", "text": text})
    assert answer.kind == "reply", answer.fields
    told = answer.fields["notes"]
    assert len(told["en"]) == len(told["zh"]) > 0
    for english, chinese in zip(told["en"], told["zh"], strict=True):
        assert "--" not in english
        assert re.search("[一-鿿]", chinese), english
        assert no_english(chinese), chinese
    assert any(number in chinese for chinese in told["zh"]), told["zh"]


def test_advice_of_the_command_is_in_chinese_in_a_report() -> None:
    text = many("oops (1) - 1,234") + "".join(f"{i}.125,9\n" for i in range(9))
    more = "d,e,f\n" + "".join(f"2024-01-0{i},9{i}0000000000000000000,{i}\n" for i in range(1, 9))
    notes = [note for t in (text, more) for note in cr.datasets.parse_csv(t.encode(), "f").notes]
    advised = [note for note in notes if "--" in note]
    assert len(advised) >= 4
    for note in advised:
        chinese = in_language(note, "zh", "command")
        assert no_english(re.sub(r"--[\w-]+ \S+", "", chinese)), chinese


def test_a_step_is_explained_and_checked_in_chinese() -> None:
    session = Session()
    session.do({"do": "step", "unit": "epoch", "count": 1})
    session.do({"do": "inside", "lang": "zh"})
    arrows = session.do({"do": "inside", "lang": "zh"}).fields["arrows"]
    assert "W1" in arrows
    lines = session.do(
        {"do": "explain", "arrow": "W1", "element": [0, 0], "gradient": True}
    ).fields["lines"]
    remarks = [line["text"] for line in lines if line["text"].startswith(("(", "（", "…"))]
    assert remarks
    assert all(re.search("[一-鿿]", remark) for remark in remarks)
    found = session.do({"do": "check"}).fields
    assert re.search("一致", found["summary"])
    sentences = [verdict["sentence"] for verdict in found["verdicts"].values()]
    assert sentences
    assert all("正确" in sentence for sentence in sentences)


def test_the_page_calls_settings_by_its_own_names_and_python_by_those_of_code() -> None:
    session = Session()
    wanted = {"learning_rate": 0, "hidden": [4, 99]}
    found = session.do({"do": "configure", "settings": wanted}).fields
    assert found["errors"] == [
        "learning_rate must be above 0. Got 0.",
        "hidden[1] must be a whole number from 1 to 64. Got 99.",
    ]
    assert found["told"]["en"] == [
        "Learning rate must be above 0. Got 0.",
        "Hidden units, entry 2 must be a whole number from 1 to 64. Got 99.",
    ]
    assert found["told"]["zh"] == [
        "学习率：必须大于 0（您输入了 0）。",
        "隐藏层单元数（第 2 项）：请输入 1 到 64 之间的整数（您输入了 99）。",
    ]
    # Every setting has a name of the page.
    for name in Settings().as_dict():
        (told,) = session.do({"do": "configure", "settings": {name: object}}).fields["told"]["zh"]
        assert not told.startswith(name), told


def test_a_notebook_refuses_in_the_language_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    playground = Playground()
    with pytest.raises(SettingError) as caught:
        playground.do("configure", settings={"noise": 7, "l1": -1})
    assert isinstance(caught.value.args[0], Text)
    assert str(caught.value) == (
        "noise must be a number from 0 to 0.8. Got 7. l1 must be a number from 0 to 100. Got -1."
    )
    monkeypatch.setenv("CHAINRULE_LANG", "zh")
    assert str(caught.value) == (
        "noise：请输入 0 到 0.8 之间的数（您输入了 7）。l1：请输入 0 到 100 之间的数（您输入了 -1）。"
    )


def test_whatever_is_not_finite_first_is_told_in_chinese() -> None:
    """Every sentence of `networks/nonfinite.py` on small networks that overflow in every place."""
    x, t = np.ones((3, 2), np.float32), np.zeros((3, 1), np.float32)
    seen = set()
    for at, size in itertools.product(range(4), (1e20, 1e30, 3e38)):
        net = cr.Sequential(
            cr.Affine.sized(2, 2), cr.ReLU(), cr.Affine.sized(2, 1), loss=cr.HalfSquaredError()
        )
        net.params[at][...] = size
        seen.add(net.find_nonfinite(x, t))
    inputs = x.copy()
    inputs[1] = np.inf
    seen.add(net.find_nonfinite(inputs, t))
    kinds = {re.sub(r"[\d.,]+", "", english) for english in seen}
    assert len(kinds) >= 4, kinds
    for english in seen:
        chinese = in_language(english, "zh", "page")
        assert not re.search(r"\b(?:the|is|are|in|of|by|rows|layer|loss)\b", chinese), chinese
        assert set(re.findall(r"\d", english)) == set(re.findall(r"\d", chinese))


def test_a_table_is_not_refused_with_an_option_of_the_command() -> None:
    (said,) = Session().do({"do": "paste", "text": "a,b\n"}).fields["told"]["en"]
    assert "--" not in said
    assert "row of names" in said
    session = Session()
    session.upload("t.csv", ("x,y\n" + "".join(f"{i},{i}:30\n" for i in range(200))).encode())
    (said,) = session.do({"do": "configure", "settings": {"data": "own"}}).fields["told"]["en"]
    assert "--" not in said
    assert "Choose another column to predict." in said
