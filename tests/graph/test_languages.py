"""What a graph says of itself in Chinese: verdicts, steps, explanations, and where it overflows."""

from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import pytest
from tests.graph.recorded import small_net
from tests.graph.test_proof import Layer, Spoiled, net_graph

import chainrule as cr
from chainrule.graph.graph import Graph
from chainrule.graph.paragraphs import Table
from chainrule.graph.variable import Variable, apply
from chainrule.lang.messages import _, in_language, lines
from chainrule.text_width import cells_wide

X = np.random.default_rng(7).normal(size=(5, 3))
ENGLISH = re.compile(r"[A-Za-z]{2,},? [a-z]{2,},? [a-z]{2,}")


def graphs() -> list[Graph]:
    """A right one, a wrong one, one that is not finite, and those whose backward breaks."""
    x = Variable(np.array([0.0, 1.0, 2.0]), "x")
    outs = [cr.sum(cr.log(x)), cr.sum(cr.sqrt(x)), cr.sum(cr.relu(x)), cr.sum(x * x)]
    outs += [
        cr.sum(apply(Spoiled(way), x)) for way in ("raises", "shape", "count", "writes", "none")
    ]
    wrong = net_graph(cr.Affine.sized(3, 3), cr.ReLU(), Layer(1, dW=0.5))
    return [small_net()[1], wrong, (x > 0).graph, *(out.graph for out in outs)]


@pytest.mark.parametrize("graph", graphs(), ids=lambda graph: graph.names[graph.outputs[0]])
def test_a_proof_in_chinese_has_no_english_sentence(graph: Graph) -> None:
    for elements in (False, True):
        proof = graph.check(elements=elements)
        texts = [proof.said("zh"), *(row.said("zh") for row in proof.rows)]
        texts += [row.sentence.said("zh") for row in (*proof.rows, *proof.ends.values())]
        for text in texts:
            assert not ENGLISH.search(text.replace("no such thing", "")), text
            assert re.search("[一-龥]", text), text
        assert proof.said("en") == str(proof) == "\n".join([*proof.lines(), proof.summary])


def test_the_columns_of_a_proof_are_as_wide_as_their_words() -> None:
    proof = small_net()[1].check()
    head, *lines = proof.lines(lang="zh")[:14]
    assert head.split() == ["梯度", "进入", "层", "形状", "结论", "误差", "允许误差"]
    place = cells_wide(head[: head.index("结论")])
    assert {cells_wide(line[: line.index("正确")]) for line in lines} == {place}
    narrow = proof.lines(40, "zh")
    assert max(map(cells_wide, narrow)) <= 40
    assert narrow[0].split()[0] == "梯度"


def test_explanations_and_steps_in_chinese() -> None:
    _net, graph = small_net()
    explained = graph.explain("L", lines=8)
    *derivation, unsaid, rounded = explained.said("zh").splitlines()
    assert unsaid.strip() == f"……还有 {explained.unsaid.split()[2]} 个数，这里不再推导（lines=8）。"
    assert rounded == "（≈ 表示四舍五入；按显示的数字相加，结果一致。）"
    assert not any(map(ENGLISH.search, derivation))
    assert in_language(explained.unsaid, "zh", "page").endswith("这里不再推导。")
    assert "\n".join(explained.lines) == explained.said("en") == str(explained)
    assert len(explained.derivation[0].text(width=30)) > len(
        explained.derivation[0].text(width=300)
    )
    first, *_more, last = graph.steps()
    assert first.said("zh").startswith(f"第 1 步（共 {first.of} 步），正向：Affine1 中的 ")
    assert f"步），反向：{last.layer} 中的 {last.operation}" in last.said("zh")
    assert last.formulas == tuple(last.formula.splitlines())


def test_an_overflow_in_chinese() -> None:
    x = Variable([0.0, -1000.0], "x")
    detail = cr.sum(cr.sigmoid(x)).graph.detailed()
    told = [o.said("zh") for o in (*detail.overflows, *detail.gradient_overflows())]
    assert told[0] == "exp[1]：e^1000 溢出为 ∞；这条链的结果仍与 Sigmoid 节点相同：sigmoid[1] = 0"
    assert told[-1] == "∂x[1] 为 NaN；折叠时：∂x[1] = 0"


def test_reports_are_in_the_chosen_language(monkeypatch: pytest.MonkeyPatch) -> None:
    x = Variable([1.0, 2.0], "x")
    graph = cr.sum(x * x).graph
    proof, explained, step = graph.check(), graph.explain("L"), next(iter(graph.steps()))
    monkeypatch.setenv("CHAINRULE_LANG", "zh")
    for told in (proof, explained, step, proof.rows[0]):
        assert str(told) == told.said() == told.said("zh")
    monkeypatch.delenv("CHAINRULE_LANG")
    assert str(proof) == proof.said("en")


@pytest.mark.parametrize(
    "text",
    [lines([_("gradient"), "W1"]), Table([(_("gradient"), "W"), ("1", "2")])],
    ids=["lines", "Table"],
)
def test_texts_of_several_lines_are_kept_in_files(text: Any) -> None:
    again = pickle.loads(pickle.dumps(text))
    assert (again, again.said("zh")) == (text, text.said("zh"))
    assert text.said("zh") != text.said("en") == text
