"""What a session refuses is said in both languages, names and numbers kept."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.playground.refusals import said_in
from chainrule.playground.session import Session

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
        ({"do": "paste", "text": "a,b\n1,2\n3,4,5\n"}, "2"),
        ({"do": "paste", "text": "a,a\n1,2\n"}, "a"),
        ({"do": "paste", "text": "1,2\n3,4\n"}, "1"),
        ({"do": "paste", "text": "a;b\n1,5;x\n2,5;y\n"}, "2,5"),
        ({"do": "paste", "text": "a;b\n1,5;2,5\n3,5;4,5\n"}, "4,5"),
        ({"do": "paste", "text": "a,b\n1,inf\n2,3\n"}, "inf"),
        ({"do": "paste", "text": f"a,b\n1,{'9' * 400}\n"}, "99"),
        ({"do": "paste", "text": "a,b\n0x1F,1\n3,4\n"}, "0x1F"),
        ({"do": "paste", "text": "a,b\n" + "1,2\n" * 30 + "1,oops\n"}, "oops"),
        ({"do": "paste", "text": 'a,b\n"1,x\n2,3\n'}, "2"),
        ({"do": "paste", "text": f"a,b\n{'x' * 200_000},1\n"}, "131072"),
        ({"do": "paste", "text": "sep=;\na;b\n1;2\n"}, ";"),
        ({"do": "paste", "text": "a,,c\n1,2,3\n2,3,4\n"}, "2"),
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


def test_unknown_sentences_stay_as_they_are() -> None:
    assert said_in("Nobody has said this.", "zh") == "Nobody has said this."


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
        chinese = said_in(english, "zh")
        assert not re.search(r"\b(?:the|is|are|in|of|by|rows|layer|loss)\b", chinese), chinese
        assert set(re.findall(r"\d", english)) == set(re.findall(r"\d", chinese))


def test_a_table_is_not_refused_with_an_option_of_the_command() -> None:
    for text in ("1,2\n3,4\n", "a,b\n"):
        (said,) = Session().do({"do": "paste", "text": text}).fields["errors"]
        assert "--" not in said
        assert "row of names" in said
