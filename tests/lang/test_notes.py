"""Every remark that tables and preparations make has its Chinese: none is left in English."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import numpy as np

import chainrule as cr
from chainrule.cli.train_plan import identifier_hints
from chainrule.lang.messages import in_language

#: Names in the tables below, which stay as they are.
NAMES = r"x\d+|town|none|one|code|text|flat|empty|y|c|n|[ab]|Ulm|Bonn|TensorFlow|Playground|e"


def test_what_the_command_says_of_columns_is_translated() -> None:
    table = cr.datasets.Table(
        {
            "id": list(range(40)),
            "y": [0, 1] * 20,
        }
    )
    said = identifier_hints(table, cr.datasets.Preprocessor.fit(table, "y"))
    assert len(said) == 1
    for note in said:
        left = re.sub(r"“[^”]*”|--without", "", in_language(note, "zh"))
        assert not re.search("[A-Za-z]{2}", left), note


def tables() -> list[tuple[bytes, str]]:
    rng = np.random.default_rng(0)
    rows = [
        f"{rng.normal():.3f};{'' if i % 7 == 0 else i * 1.5};{['Ulm', 'Bonn', ''][i % 3]};0{i % 5};"
        f"w{i};1;;same;{'ab'[i % 2]};{rng.normal():.4f}"
        for i in range(60)
    ]
    head = "n; x0 ;town;code;text;flat;empty;one;c;y"
    return [
        ("\n".join([head, *rows, "", ""]).encode(), "c"),
        ("\n".join([head, *rows]).encode(), "y"),
        ("\n".join(["n,c", *(f"{i}.5,{i % 3}," for i in range(40))]).encode(), "c"),
        ("\n".join(["a,b,c", *(f"{i}.5,{i}±{i % 7},{i % 3}" for i in range(80))]).encode(), "c"),
    ]


def test_every_remark_is_translated_whole() -> None:
    seen = 0
    for body, target in tables():
        table = cr.datasets.parse_csv(body, "t.csv")
        preparation = cr.datasets.Preprocessor.fit(table, target)
        for note in (*table.notes, *preparation.notes):
            chinese = in_language(note, "zh")
            left = re.sub(rf"“[^”]*”|\(missing\)|--number \w+|\b(?:w\d+|{NAMES})\b", "", chinese)
            assert not re.search("[A-Za-z]{2}", left), (note, chinese)
            assert set(re.findall(r"\d+", note)) == set(re.findall(r"\d+", chinese)), note
            assert in_language(note, "en") == note
            seen += 1
    assert seen > 15


def test_every_overflow_is_translated_whole() -> None:
    big = cr.Variable([[1000.0, -800.0, 0.0]], "x")
    graphs = [
        *(cr.sum(f(big)).graph for f in (cr.sigmoid, cr.tanh, cr.gelu, cr.softplus)),
        cr.mean(cr.softmax_cross_entropy(big, np.array([1]))).graph,
    ]
    seen = set()
    for graph in graphs:
        for levels in (1, None):
            detail = graph.detailed(levels)
            for overflow in (*detail.overflows, *detail.gradient_overflows()):
                chinese = in_language(overflow.text, "zh")
                words = r"\b(?:is|the|chain|overflows|folded|sends|computes|finite|node|numbers)\b"
                assert not re.search(words, chinese), chinese
                assert re.findall(r"[\d.]+|∞|NaN", overflow.text) == re.findall(
                    r"[\d.]+|∞|NaN", chinese
                )
                seen.add(re.sub(r"[^\u4e00-\u9fff]", "", chinese))
    assert len(seen) > 5


def test_every_reason_for_a_verdict_is_translated_whole() -> None:
    class Off:
        params: ClassVar[list[Any]] = []
        grads: ClassVar[list[Any]] = []

        def forward(self, x: Any) -> Any:
            return 2 * x

        def backward(self, dout: Any) -> Any:
            return 3 * dout

    wrong = cr.Sequential(Off(), cr.Affine.sized(2, 1), loss=cr.MeanSquaredError())
    one = np.ones((1, 2), np.float32), np.zeros((1, 1), np.float32)
    infinite = cr.sum(cr.exp(cr.Variable([1.0, 1e4], "x"))).graph
    root = cr.sum(cr.log(cr.Variable([0.0], "x"))).graph
    proofs = [
        wrong.graph(*one).check(), wrong.graph(*one).check(elements=True), infinite.check(),
        root.check(), cr.log(cr.Variable(0.0, "x")).graph.check(),
    ]  # fmt: skip
    details = {row.detail for proof in proofs for row in proof.rows if row.detail}
    kinds = {re.sub(r"[^a-z]+", " ", detail) for detail in details}
    assert len(kinds) >= 3, kinds
    for detail in details:
        chinese = in_language(detail, "zh")
        assert not re.search(r"\b(?:at|the|gave|is|are|here|direction|element)\b", chinese), chinese
        shown = detail if " at [" in detail else detail.replace("1 of 1", "")  # of one number
        assert set(re.findall(r"[\d.]+|∞", shown)) == set(re.findall(r"[\d.]+|∞", chinese))
