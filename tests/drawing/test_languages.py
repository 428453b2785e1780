"""Pictures in Chinese: no English sentence in them, and their lines stay inside."""

from __future__ import annotations

import re

import numpy as np
import pytest
from tests.drawing.reading import root, texts
from tests.graph.test_proof import Layer

import chainrule as cr
from chainrule.drawing.text import text_width, wrapped
from chainrule.graph.graph import Graph
from chainrule.graph.variable import Variable

X, T = np.random.default_rng(7).normal(size=(5, 3)), np.array([0, 1, 2, 1, 0])
ENGLISH = re.compile(r"[A-Za-z]{2,},? [a-z]{2,},? [a-z]{2,}")


def graphs() -> list[Graph]:
    layers = (cr.Affine.sized(3, 4), cr.BatchNorm.sized(4), cr.ReLU(), cr.Affine.sized(4, 3))
    net = cr.Sequential(*layers, loss=cr.SoftmaxWithLoss(), seed=0)
    wrong = cr.Sequential(cr.Affine.sized(3, 3), Layer(1, dW=0.5), loss=cr.SoftmaxWithLoss())
    x = Variable([0.0, -1000.0, 1000.0], "x")
    outs = [cr.sum(cr.sigmoid(x)), cr.sum(cr.softmax(x)), cr.sum(cr.log(x)), cr.sum(cr.relu(x))]
    return [
        net.graph(X, T),
        net.graph(X, T).detailed(None),
        wrong.graph(X, T),
        *(out.graph.detailed() for out in outs),
    ]


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("graph", graphs(), ids=lambda graph: graph.names[graph.outputs[0]])
def test_a_picture_in_chinese_has_no_english_sentence(graph: Graph, fold: bool) -> None:
    drawing = graph.draw(lang="zh", fold=fold, verdicts=graph.check().verdicts)
    elements = [e for e in root(drawing.svg).iter() if not e.tag.endswith("style")]
    lines = [line for e in elements for line in (e.text or "").splitlines()]
    for line in lines:
        if "：" in line or " = " not in line:  # what a node computes is said in another room
            assert not ENGLISH.search(re.sub(r"\b(nan|inf)\b", "", line)), line
    assert "计算图" in lines
    assert any(line.startswith("梯度：") for line in lines)


def test_the_notes_of_a_chinese_picture_stay_inside() -> None:
    x = Variable([0.0, -1000.0, 3.0], name="x")
    drawing = cr.sigmoid(x).graph.detailed().draw(fold=True, values=False, lang="zh")
    notes = [t for t in drawing.scene.texts() if t.role == "note"]
    assert len(notes) > sum(t.count("!") for t in texts(drawing.svg, "note")) > 0
    assert max(t.x + text_width(t.text, t.size) for t in notes) <= drawing.scene.width


def test_lines_are_broken_between_words_and_chinese_letters() -> None:
    text = "! exp[1]：e^1000 溢出为 ∞；这条链的结果仍与 Sigmoid 节点相同"
    for width in range(60, 400, 20):
        lines = wrapped(text, 11.5, width, "   ")
        assert "".join(line.replace(" ", "") for line in lines) == text.replace(" ", "")
        assert not any(re.match(r"\s*[，。；：、）”]", line) for line in lines)
        assert all(text_width(line, 11.5) <= max(width, 80) for line in lines)
    assert wrapped("one two  three", 10, 1e9) == ["one two  three"]


def test_the_language_is_the_chosen_one(monkeypatch: pytest.MonkeyPatch) -> None:
    x = Variable(2.0, "x")
    english = (x * x).draw().svg
    monkeypatch.setenv("CHAINRULE_LANG", "zh")
    assert (x * x).draw().svg == (x * x).draw(lang="zh").svg != english
    assert (x * x).draw(lang="en").svg == english
