"""Pictures of graphs: the numbers drawn are the computed numbers, and every option does its work."""

from __future__ import annotations

import hashlib
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.drawing.geometry import Point, faults, line_of
from tests.drawing.reading import arrows, number_in, root, texts

import chainrule as cr
from chainrule.drawing.panels import number
from chainrule.drawing.text import text_width
from chainrule.errors import DataError, SettingError, ShapeError
from chainrule.graph.detail import Overflow
from chainrule.graph.scopes import within
from chainrule.graph.variable import Variable


def spiral_net() -> tuple[cr.TwoLayerNet, np.ndarray, np.ndarray]:
    x, t = cr.datasets.spiral()
    rows = [3, 120, 230, 60, 170]
    return cr.TwoLayerNet(2, 10, 3), x[rows], t[rows]


def random_expression(seed: int) -> Any:
    """Some scalar expression of some Variables, several of them used again and again."""
    rng = random.Random(seed)
    known = [Variable(rng.uniform(0.5, 2.0), name=f"x{i}") for i in range(3)]
    ways: list[Callable[[Variable, Variable], Variable]] = [
        lambda a, b: a + b,
        lambda a, b: a * b,
        lambda a, b: a - b,
        lambda a, b: a / (b * b + 1.0),
        lambda a, b: cr.tanh(a),
        lambda a, b: cr.sigmoid(a) * 2.0,
        lambda a, b: cr.exp(cr.sin(a)),
    ]
    for _ in range(rng.randint(3, 12)):
        known.append(rng.choice(ways)(rng.choice(known), rng.choice(known)))
    return known[-1] + known[-2]


# -- numbers ----------------------------------------------------------------------------------------


def test_the_books_first_picture() -> None:
    x, y = Variable(2.0, name="x"), Variable(3.0, name="y")
    z = x + y
    z.name = "z"
    svg = z.draw().svg
    assert texts(svg, "symbol") == ["+"]
    assert sorted(texts(svg, "name")) == ["x", "y", "z"]
    assert [(a.value, a.gradient) for a in arrows(svg)] == [([2], [1]), ([3], [1]), ([5], [1])]


def test_branch_and_product_by_hand() -> None:
    # L = x·y + x at (2, 3): ∂L/∂x = y + 1 = 4, by 3 over the product and 1 beside it.
    x, y = Variable(2.0, name="x"), Variable(3.0, name="y")
    found = Counter((*a.value, *a.gradient) for a in arrows((x * y + x).draw().svg))
    assert found == {(2, 4): 1, (2, 3): 1, (2, 1): 1, (3, 2): 1, (6, 1): 1, (8, 1): 1}


@pytest.mark.parametrize("seed", range(30))
def test_the_drawn_numbers_are_the_computed_numbers(seed: int) -> None:
    out = random_expression(seed)
    graph = out.graph
    gradients = graph.gradients()
    flowing = {v for node in graph.nodes for v in node.inputs} | set(graph.outputs)
    wanted = Counter(
        (number_in(f"{v.data:.4g}"), number_in(f"{gradients[v]:.4g}") if v in gradients else None)
        for v in flowing
        if v.scalar is None
    )
    drawing = out.draw()
    drawn = Counter(
        (a.value[0], a.gradient[0] if a.gradient else None) for a in arrows(drawing.svg) if a.value
    )
    assert drawn == wanted
    assert faults(drawing._diagram) == []


def test_a_small_matrix_is_written_and_a_large_one_is_a_heat_map() -> None:
    W = Variable(np.array([[0.5, -1.25], [3.0, 4.0]]), name="W")
    x = Variable(np.linspace(-1, 1, 24).reshape(12, 2), name="x")
    (drawn,) = [a for a in arrows(cr.sum(x @ W).draw().svg) if a.title.startswith("W ")]
    assert drawn.value == [0.5, -1.25, 3, 4]
    assert drawn.gradient == pytest.approx([-0.522, -0.522, 0.522, 0.522])
    (drawn,) = [a for a in arrows(cr.sum(x @ W).draw().svg) if a.title.startswith("x ")]
    assert drawn.texts["shape"] == ["12×2"]
    # Of 12 rows the first 4 and the last are shown: of the values 8 cells are negative and 2
    # positive; the gradient is [−0.75, 7] in every row.
    assert drawn.marks.count("f-negative") == 8 + 5
    assert drawn.marks.count("f-positive") == 2 + 5


def test_the_sign_is_told_by_more_than_the_hue() -> None:
    x = Variable(np.array([[1.0, -1.0, 2.0, -2.0, 0.0]] * 4), name="x")
    (drawn,) = arrows(x.draw(gradients=False).svg)
    assert drawn.marks.count("f-negative") == 8
    dashes = [
        len(re.findall("M", element.get("d", "")))
        for element in root(x.draw(gradients=False).svg).iter()
        if (element.get("class") or "") in ("s-paper", "s-ink") and "L" in element.get("d", "")
    ]
    assert 8 in (dashes[0], sum(dashes) - 1, sum(dashes))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (-0.0, "0"), (1.0, "1"), (-2.5, "−2.5"), (0.693147, "0.6931"), (123456.0, "1.235e5"),
        (1e-7, "1e−7"), (float("nan"), "NaN"), (float("-inf"), "−∞"), (True, "True"), (12345, "12345"),
        (np.float32(0.1), "0.1"), (1 - 2j, "1−2i"),
        (np.int64(999_999_999), "999999999"), (np.uint64(16_293_135_042_712_963_653), "1.629e19"),
    ],
)  # fmt: skip
def test_how_numbers_are_written(value: object, text: str) -> None:
    assert number(value) == text


def test_values_that_are_not_finite_are_drawn_as_such() -> None:
    x = Variable(np.array([np.nan, np.inf, -np.inf, 1.0, 2.0, 3.0, 4.0]), name="x")
    svg = x.draw(gradients=False).svg
    assert svg.count("∞") == 2
    assert "s-bad" in svg
    assert texts(Variable(np.nan).draw(gradients=False).svg, "value") == ["NaN"]


def test_arrays_of_every_kind_and_shape() -> None:
    for array in (
        np.zeros((0, 3)), np.arange(24).reshape(2, 3, 4), np.array([True, False]), np.array(3),
        np.array([1 + 2j] * 9), np.array([[7]]), np.zeros((200, 300), np.float32),
    ):  # fmt: skip
        drawing = Variable(array, name="a").draw(gradients=False)
        root(drawing.svg)
        assert faults(drawing._diagram) == []


# -- what is shown ------------------------------------------------------------------------------------


def test_what_can_be_left_out() -> None:
    x = Variable(np.ones((2, 3)), name="x")
    L = cr.sum(x * 2.0)
    assert "gradient" not in "".join(str(a.texts) for a in arrows(L.draw(gradients=False).svg))
    assert all("value" not in a.texts for a in arrows(L.draw(values=False).svg))
    assert all("shape" not in a.texts for a in arrows(L.draw(shapes=False).svg))
    assert texts(L.draw().svg, "constant") == ["2"]


def test_an_output_that_is_not_one_number_needs_a_seed() -> None:
    x = Variable(np.array([1.0, 2.0]), name="x")
    y = x * x
    assert all(not a.gradient for a in arrows(y.draw().svg))
    seeded = [a.gradient for a in arrows(y.draw(seed=[1.0, 10.0]).svg)]
    assert [2.0, 40.0] in seeded
    with pytest.raises(ShapeError, match=r"shape \(2,\); got shape \(3,\)"):
        y.draw(seed=np.ones(3))


def test_gradients_may_be_given() -> None:
    x = Variable(3.0, name="x")
    y = cr.exp(x)
    (first, second) = arrows(y.draw(gradients={x: np.array(7.5)}).svg)
    assert (first.gradient, second.gradient) == ([7.5], [])
    with pytest.raises(ShapeError, match=r"gradient of x has shape \(2,\)"):
        y.draw(gradients={x: np.ones(2)})


def test_names_can_be_given_and_everything_is_escaped() -> None:
    x = Variable(1.0, name='<&"\x00>')
    svg = cr.exp(x).draw(names={x: "损失 & <b>"}).svg
    assert texts(svg, "name") == ["损失 & <b>", "L"]
    assert texts(cr.exp(x).draw().svg, "name") == [r'<&"\x00>', "L"]
    spoilt = cr.exp(x).draw(names={x: "a\x1b[2Jb\n"}).svg
    assert texts(spoilt, "name") == [r"a\x1b[2Jb\n", "L"]


def test_highlighted_arrows_stand_out() -> None:
    x, y = Variable(1.0, name="x"), Variable(2.0, name="y")
    svg = (x + y).draw(highlight=[x]).svg
    assert ["s-highlight" in a.marks for a in arrows(svg)] == [True, False, False]
    assert svg.count('class="arrow" opacity') == 2


def test_verdicts_are_marked_at_their_arrow() -> None:
    x, y = Variable(1.0, name="x"), Variable(2.0, name="y")
    z = x + y
    words = ("ok", "WRONG", "ok, at a kink")
    svg = z.draw(verdicts=dict(zip((x, y, z), words, strict=True))).svg
    marks = ("s-good", "s-bad", "s-kink")
    assert [[m for m in marks if m in a.marks] for a in arrows(svg)] == [[m] for m in marks]
    report = cr.check(lambda a: a * a, np.array([2.0]))
    assert "s-good" in z.draw(verdicts={x: report.rows[0]}).svg
    with pytest.raises(SettingError, match="'fine' is not known"):
        z.draw(verdicts={x: "fine"})


def test_arrows_are_given_as_variables_or_by_name() -> None:
    net, x, t = spiral_net()
    graph = net.graph(x, t)
    W2 = next(v for v, name in graph.names.items() if name == "W2")
    assert graph.draw(highlight="W2").svg == graph.draw(highlight=[W2]).svg
    assert graph.draw(highlight=W2).svg == graph.draw(highlight={"W2"}).svg
    assert graph.draw(verdicts={"W2": "ok"}).svg == graph.draw(verdicts={W2: "ok"}).svg
    assert "kernel" in texts(graph.draw(names={"W2": "kernel"}, fold=False).svg, "name")
    renamed = graph.draw(names={"x": "rows", "W1": "V"}, fold=True).svg
    assert texts(renamed, "parameter")[0] == "V 2×10"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"highlight": "W"}, 'no arrow is called .W.: did you mean "x"|no arrow is called .W.'),
        ({"highlight": [3]}, "highlight: 1 of these are no arrows of this graph, such as 3"),
        ({"highlight": 3}, "highlight takes arrows, Variables or their names; got 3"),
        ({"highlight": [Variable(1.0)]}, "highlight: 1 of these are no arrows of this graph"),
        ({"names": "W"}, "names takes a mapping from arrows"),
        ({"names": {"q": "a"}}, "no arrow is called .q."),
        ({"names": {"x": 3}}, "x is called by a text; got 3"),
        ({"verdicts": ["x"]}, "verdicts takes a mapping"),
        ({"gradients": "x"}, "gradients takes a mapping"),
        ({"gradients": {"q": 1.0}}, "no arrow is called .q."),
        ({"seed": "x"}, "seed is the gradient of the output, an array of numbers; got 'x'"),
        ({"fold": "Foo"}, "fold='Foo': this graph has no layers"),
        ({"unfold": ["Foo"]}, "unfold='Foo': this graph has no layers"),
        ({"fold": 3}, "fold must be the name of a layer, or several, or True or False; got 3"),
        ({"fold": [3]}, "fold must be the name of a layer"),
    ],
)
def test_what_is_no_arrow_and_no_layer_is_told_in_a_sentence(
    options: dict[str, Any], sentence: str
) -> None:
    x = Variable(2.0, name="x")
    with pytest.raises(SettingError, match=sentence):
        (x * x + x).draw(**options)


def test_the_worst_verdict_inside_stands_on_the_folded_layer() -> None:
    net, x, t = spiral_net()
    graph = net.graph(x, t)
    proof = graph.check()
    svg = graph.draw(verdicts=proof.verdicts, fold=True).svg
    assert 'class="s-bad"' not in svg
    mixed = dict(proof.verdicts)
    W1 = next(v for v in mixed if graph.names[v] == "W1")
    b1 = next(v for v in mixed if graph.names[v] == "b1")
    mixed[W1] = replace(mixed[W1], ok=False, place="direction 0", got=2.0, expected=3.0)
    for inside in (mixed, {W1: "wrong", b1: "kink"}, {W1: "not finite"}):
        svg = graph.draw(verdicts=inside, fold=True).svg
        boxes = {box.get("data-layer"): box for box in root(svg).iter() if box.get("data-layer")}
        signs = {name: [e.get("class") for e in box.iter()] for name, box in boxes.items()}
        assert [name for name in signs if "s-bad" in signs[name]] == ["Affine1"]
        assert "s-kink" not in signs["Affine1"]
    boxes = {b.get("data-layer"): b for b in root(graph.draw(verdicts=mixed, fold=True).svg).iter()}
    title = next(boxes["Affine1"].iter("{http://www.w3.org/2000/svg}title")).text or ""
    assert "∂W1 checked: WRONG; at direction 0 backward gave 2, the complex step 3" in title
    assert "b1" not in title


def test_the_picture_says_where_the_detail_overflows() -> None:
    x = Variable([0.0, -1000.0, 3.0], name="x")
    graph = cr.sum(cr.sigmoid(x)).graph
    assert texts(graph.draw().svg, "note") == []
    detail = graph.detailed()
    svg = detail.draw(gradients=False).svg
    assert texts(svg, "note") == [f"! {overflow}" for overflow in detail.overflows]
    marked = [a.title for a in arrows(svg) if "s-bad" in a.marks]
    assert [title.splitlines()[-1] for title in marked] == [str(o) for o in detail.overflows]
    # On the way back 0 · ∞ is NaN, and what comes after it: marked, and told, like the values.
    back = detail.gradient_overflows()
    assert [detail.names[o.arrow] for o in back] == ["neg", "x"]
    for drawn, words in ((detail.draw(), str), (detail.draw(lang="zh"), in_chinese)):
        assert texts(drawn.svg, "note") == [f"! {words(o)}" for o in (*detail.overflows, *back)]
        marked = [a.title for a in arrows(drawn.svg) if "s-bad" in a.marks]
        told = {title.splitlines()[-1] for title in marked}
        assert told == {words(o) for o in (*detail.overflows, *back)}
    checked = arrows(detail.draw(verdicts=detail.check().verdicts).svg)
    (neg,) = [a for a in checked if a.title.startswith("neg ")]
    assert neg.marks.count("s-bad") == 1
    folded = detail.draw(fold=True).svg
    (box,) = [e for e in root(folded).iter() if e.get("data-layer") == "Sigmoid"]
    assert "e^1000 overflows" in "".join(e.text or "" for e in box.iter())
    assert "s-bad" in [e.get("class") for e in box.iter()]
    # Longer lines than the picture is wide are broken, and stay inside.
    drawing = cr.sigmoid(x).graph.detailed().draw(fold=True, values=False)
    ends = [t.x + text_width(t.text, t.size) for t in drawing.scene.texts() if t.role == "note"]
    assert max(ends) <= drawing.scene.width
    assert sum(t.count("!") for t in texts(drawing.svg, "note")) == 2 < len(ends)


def in_chinese(overflow: Overflow) -> str:
    told = overflow.said("zh")
    assert not re.search(r"\b(?:is|the|overflows|folded|node)\b", told), told
    return told


def test_text_and_picture_call_arrows_alike() -> None:
    net, x, t = spiral_net()
    graph = net.graph(x, t)
    svg = graph.draw(fold=False, width=None).svg
    copies = set(graph.origin)
    shown = {*texts(svg, "name"), *texts(svg, "made")}
    assert shown == {name for v, name in graph.names.items() if v not in copies}
    for element in root(svg).iter():
        if element.get("class") == "arrow":
            called = element.get("data-arrow")
            assert (element[0].text or "").startswith(f"{called} ")


def test_a_layer_by_hand_is_drawn_by_its_name() -> None:
    net = cr.Sequential(Doubled(), cr.Affine.sized(2, 3), loss=cr.SoftmaxWithLoss())
    svg = net.draw(np.ones((2, 2)), np.array([0, 1]), fold=False).svg
    assert texts(svg, "symbol")[0] == "Doubled"
    assert " object at 0x" not in svg  # an address, other ones every time
    assert "<title>Doubled (hand-written)" in svg


def test_settings_that_are_not_known() -> None:
    x = Variable(1.0)
    with pytest.raises(SettingError, match="lang='fr'"):
        x.draw(lang="fr")
    with pytest.raises(SettingError, match=r'theme="drak".*did you mean "dark"'):
        x.draw(theme="drak")
    with pytest.raises(TypeError, match="colour"):
        x.draw(colour="red")  # type: ignore[call-arg]


def test_what_only_a_folded_layer_uses_several_times_comes_to_it_once() -> None:
    loss = cr.SoftmaxWithLoss(label_smoothing=0.1)  # which uses the scores three times
    net = cr.Sequential(cr.Affine.sized(4, 3), cr.ReLU(), loss=loss, seed=0)
    svg = net.draw(np.ones((2, 4)), np.array([0, 1]), fold=True).svg
    assert len(arrows(svg)) == 5  # x, from Affine, from ReLU, t, L


def test_themes() -> None:
    x = Variable(1.0, name="x")
    light, dark, auto = (cr.exp(x).draw(theme=t).svg for t in ("light", "dark", "auto"))
    assert "prefers-color-scheme" in auto
    assert "prefers-color-scheme" not in light + dark
    assert 'fill="#ffffff"' in light
    assert 'fill="#16181c"' in dark


def test_a_value_without_a_gradient_may_go_several_ways() -> None:
    t = Variable(np.array([1, 2]), name="t")
    out = cr.sum(t * t + t)
    drawing = out.draw()
    assert texts(drawing.svg, "name") == ["t", "L"]
    assert faults(drawing._diagram) == []


def test_text_widths_cover_what_fonts_need() -> None:
    font = pytest.importorskip("matplotlib.textpath").TextPath
    for text in ("0.6931", "−1.2e−5", "Affine 2→10", "5×10", "softmax+CE", "Σ σ ‖x‖", "WWW", "iii"):
        box = font((0, 0), text, size=100).get_extents()
        assert box.width <= text_width(text, 100) * 1.03, text


# -- layers ----------------------------------------------------------------------------------------------


def test_layers_are_boxes_and_fold() -> None:
    net, x, t = spiral_net()
    unfolded, folded = net.draw(x, t, fold=False), net.draw(x, t, fold=True)
    assert texts(unfolded.svg, "layer") == ["Affine1 2→10", "Affine2 10→3", "SoftmaxWithLoss"]
    assert texts(unfolded.svg, "symbol") == [
        "MatMul", "Repeat", "+", "σ", "MatMul", "Repeat", "+", "softmax+CE", "mean",
    ]  # fmt: skip
    assert texts(folded.svg, "layer") == [
        "Affine1 2→10",
        "Sigmoid",
        "Affine2 10→3",
        "SoftmaxWithLoss",
    ]
    assert texts(folded.svg, "parameter") == ["W1 2×10", "b1 10", "W2 10×3", "b2 3"]
    # Every arrow that is still seen says what it said before.
    assert not Counter(a.title for a in arrows(folded.svg)) - Counter(
        a.title for a in arrows(unfolded.svg)
    )
    assert len(arrows(folded.svg)) == 6
    assert faults(unfolded._diagram) == faults(folded._diagram) == []


def test_single_layers_fold_by_name() -> None:
    net, x, t = spiral_net()
    svg = net.draw(x, t, fold="Affine").svg
    assert texts(svg, "layer").count("Affine1 2→10") == 1
    assert texts(svg, "symbol") == ["σ", "softmax+CE", "mean"]
    for name in ("2", "Affine2", "Affine2 10→3"):  # in the network, in text, in the picture
        svg = net.draw(x, t, fold=[name]).svg
        assert texts(svg, "symbol") == ["MatMul", "Repeat", "+", "σ", "softmax+CE", "mean"]
    with pytest.raises(SettingError, match="fold='Afine': there is no layer of that name"):
        net.draw(x, t, fold="Afine")


def test_a_layer_is_looked_into_while_the_others_are_folded() -> None:
    net, x, t = spiral_net()
    svg = net.draw(x, t, unfold="Affine2").svg
    assert texts(svg, "layer") == ["Affine2 10→3", "Affine1 2→10", "Sigmoid", "SoftmaxWithLoss"]
    assert texts(svg, "symbol") == ["MatMul", "Repeat", "+"]
    inner = cr.Sequential(cr.Affine.sized(2, 3), cr.Tanh())
    nested = cr.Sequential(inner, cr.Affine.sized(3, 3), loss=cr.SoftmaxWithLoss())
    svg = nested.draw(x, t, unfold="Affine1").svg
    assert texts(svg, "symbol") == ["MatMul", "Repeat", "+"]
    assert "Tanh" in texts(svg, "layer")  # folded in a layer that is not
    with pytest.raises(SettingError, match=r"unfold='Afine'.*did you mean"):
        net.draw(x, t, unfold="Afine")


def deep_net(depth: int) -> cr.Sequential:
    layers: list[cr.Layer] = []
    for _ in range(depth):
        layers += [cr.Affine.sized(3, 3), cr.ReLU()]
    return cr.Sequential(*layers, loss=cr.MeanSquaredError())


def test_a_deep_network_folds_by_itself() -> None:
    x = np.ones((2, 3), np.float32)
    svg = deep_net(12).draw(x, x).svg
    assert len(texts(svg, "layer")) == 25
    assert texts(svg, "symbol") == []


def test_a_long_computation_without_layers_folds_in_the_middle() -> None:
    y = Variable(1.0, name="x")
    for _ in range(3_000):
        y = cr.tanh(y)
    drawing = y.draw(width=None)
    assert texts(drawing.svg, "layer") == ["2,984 nodes"]
    assert len(arrows(drawing.svg)) == 18
    assert "2,984 个节点" in y.draw(lang="zh").svg
    everything = y.draw(fold=False, gradients=False, width=None)
    assert len(arrows(everything.svg)) == 3_001


def test_layers_in_layers() -> None:
    class Pair(cr.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = cr.Affine.sized(2, 3, seed=0), cr.Affine.sized(3, 2, seed=1)

        def formula(self, x: Variable) -> Variable:
            return self.two(cr.tanh(self.one(x)))  # type: ignore[no-any-return]

    x = Variable(np.ones((2, 2), np.float32), name="x")
    out = cr.sum(Pair()(x))
    drawing = out.draw()
    assert sorted(texts(drawing.svg, "layer")) == ["Affine1 2→3", "Affine2 3→2", "Pair"]
    assert faults(drawing._diagram) == []
    assert [g.outer is None for g in drawing._diagram.groups] == [True, False, False]
    assert texts(out.draw(fold=True).svg, "layer") == ["Pair"]


def test_a_layer_whose_inner_value_is_used_outside_too() -> None:
    kept = []

    class Peek(cr.Layer):
        def __init__(self) -> None:
            super().__init__()

        def formula(self, x: Variable) -> Variable:
            h = cr.exp(x)
            kept.append(h)
            return cr.sin(h)  # type: ignore[no-any-return]

    x = Variable(0.5, name="x")
    out = Peek()(x) + kept[0]
    drawing = out.draw(fold=False)
    assert texts(drawing.svg, "layer") == ["Peek"]
    assert faults(drawing._diagram) == []
    assert len(arrows(out.draw(fold=True).svg)) == 4


def test_runs_that_a_computation_enters_again_are_drawn_without_boxes() -> None:
    # Nothing of ours records so; a graph made by hand may.
    x = Variable(0.5, name="x")
    with within(cr.Tanh()):
        a = cr.exp(x)
    graph = cr.sin(cr.tanh(a)).graph
    first = graph.scopes[graph.nodes[0]]
    graph.scopes[graph.nodes[2]] = first
    drawing = graph.draw(fold=False)
    assert texts(drawing.svg, "layer") == []
    assert len(arrows(drawing.svg)) == 4


# -- networks ----------------------------------------------------------------------------------------------


def test_the_drawn_gradients_of_a_network_are_its_gradients() -> None:
    net, x, t = spiral_net()
    loss = net.forward(x, t)
    net.backward()
    drawn = {a.title.split(" ")[0]: a for a in arrows(net.draw(x, t).svg)}
    assert drawn["L"].value == [float(f"{loss:.4g}")]
    last = next(a for a in arrows(net.draw(x, t).svg) if a.title.startswith("b2 3 "))
    assert last.gradient == pytest.approx(net.grads[3], rel=5e-3)


def test_drawing_changes_nothing_of_the_network() -> None:
    x, t = cr.datasets.spiral()
    net = cr.Sequential(
        cr.Affine.sized(2, 6), cr.BatchNorm.sized(6), cr.ReLU(), cr.Dropout(0.5), cr.Affine.sized(6, 3),
        loss=cr.SoftmaxWithLoss(), seed=1,
    )  # fmt: skip
    net.forward(x, t)
    net.backward()
    revision = net._revision.number
    before = [a.copy() for a in (*net.params, *net.grads, *net.named_buffers().values())]
    net.draw(x[:7], t[:7])
    net.draw(x[:7])
    after = [*net.params, *net.grads, *net.named_buffers().values()]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(a.flags.writeable for a in (*net.params, x, t))
    assert net._revision.number == revision


class Doubled:
    """A hand-written layer that counts its calls."""

    def __init__(self) -> None:
        self.params: list[np.ndarray] = [np.ones(2)]
        self.grads: list[np.ndarray] = [np.zeros(2)]
        self.calls = 0

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.calls += 1
        return 2 * x

    def backward(self, dout: np.ndarray) -> np.ndarray:
        self.calls += 1
        self.grads[0][...] = 5.0
        return 2 * dout


def test_a_hand_written_layer_is_left_alone_too() -> None:
    layer = Doubled()
    net = cr.Sequential(layer, loss=cr.MeanSquaredError())
    svg = net.draw(np.ones((2, 2)), np.zeros((2, 2)), fold=True).svg
    assert (layer.calls, layer.grads[0].tolist()) == (0, [0.0, 0.0])
    assert texts(svg, "layer") == ["Doubled", "MeanSquaredError"]


def test_later_training_does_not_change_a_picture() -> None:
    net, x, t = spiral_net()
    drawing = net.draw(x, t)
    again = net.draw(x, t)
    net.params[0][...] = 7.0
    x[...] = 9.0
    assert drawing.svg == again.svg
    assert drawing._repr_html_() == again._repr_html_()


def test_predictions_and_bad_data() -> None:
    net, x, t = spiral_net()
    assert [a.title.split(" ")[0] for a in arrows(net.draw(x, fold=True).svg)][-1] == "y"
    with pytest.raises(DataError, match="5 rows and t has 3"):
        net.draw(x, t[:3])


def test_layers_have_the_names_of_the_network() -> None:
    class Skip(cr.Network):
        def __init__(self) -> None:
            super().__init__(loss=cr.MeanSquaredError(), seed=0)
            self.first = cr.Affine.sized(3, 3)

        def predict(self, x: Variable) -> Variable:
            return x + cr.tanh(self.first(x))  # type: ignore[no-any-return]

    x = np.ones((4, 3), np.float32)
    drawing = Skip().draw(x, x)
    assert texts(drawing.svg, "layer")[0] == "first: Affine 3→3"
    assert faults(drawing._diagram) == []
    assert texts(Skip().draw(x, x, fold="first").svg, "symbol")[:2] == ["tanh", "+"]


# -- the same again ----------------------------------------------------------------------------------------

PROGRAM = """
import sys, chainrule as cr
x, t = cr.datasets.spiral()
net = cr.TwoLayerNet(2, 10, 3)
drawing = net.draw(x[:5], t[:5])
sys.stdout.write(drawing.svg + drawing.to_dot() + drawing._repr_html_())
"""


def test_the_same_graph_gives_the_same_text_in_any_process() -> None:
    sums = set()
    for seed in ("0", "1", "4242"):
        out = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={
                **os.environ,
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": str(Path(cr.__file__).parents[1]),
            },
            capture_output=True,
            check=True,
        ).stdout
        sums.add(hashlib.sha256(out).hexdigest())
    assert len(sums) == 1


def test_in_a_notebook() -> None:
    net, x, t = spiral_net()
    drawing = net.draw(x, t)
    html = drawing._repr_html_()
    assert "<script" not in html
    assert "onclick" not in html
    assert " id=" not in html
    assert html.startswith('<details class="chainrule-folding" open')
    assert html.count("<svg") == 2
    assert drawing._repr_svg_() == drawing.svg
    assert (
        net.draw(x, t, fold=True)._repr_html_().startswith('<details class="chainrule-folding" st')
    )
    x0 = Variable(1.0)
    assert cr.exp(x0).draw()._repr_html_().startswith('<div style="overflow-x:auto"><style>')


def test_a_constant_stands_wherever_it_is_used() -> None:
    two = Variable(2.0, requires_grad=False)
    x = Variable(3.0, name="x")
    drawing = (x * two + two).draw()
    assert texts(drawing.svg, "constant") == ["2", "2"]
    assert faults(drawing._diagram) == []


def test_a_constant_stands_beside_where_it_goes() -> None:
    x, y = Variable(2.0, name="x"), Variable(3.0, name="y")
    k = 0.5
    drawing = (k * x + k * y + k * (x * y) + k + k * x * x + k * y).draw()
    assert texts(drawing.svg, "constant") == ["0.5"] * 6
    assert faults(drawing._diagram) == []
    lines = [line_of(arrow) for arrow in drawing._diagram.arrows]
    for leaf, arrow in zip(lines, drawing._diagram.arrows, strict=True):
        if arrow.source.content.outline == "name" and arrow.content.title == "":
            for other in lines:
                # What ends in the same node meets it there, at another height.
                assert other is leaf or not meet(leaf[:-1], other[:-1])
    # What would be a step of a few pixels in an arrow is none.
    for arrow in drawing._diagram.arrows:
        steps = [abs(a.y - b.y) for a, b in pairwise(arrow.runs)]
        assert not any(0 < step < 5 for step in steps), (arrow.content.name, steps)


def meet(one: list[Point], other: list[Point]) -> bool:
    """Whether two lines cross."""

    def side(a: Point, b: Point, c: Point) -> float:
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    return any(
        side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
        for a, b in pairwise(one)
        for c, d in pairwise(other)
    )


def test_an_array_in_a_formula_is_drawn_once() -> None:
    a, x = np.array([1.0, 2.0, 3.0]), Variable([1.0, 1.0, 2.0], name="x")
    drawing = cr.sum((x * a + a) * a - a / (x + a)).draw()
    assert texts(drawing.svg, "name").count("constant") == 1
    assert faults(drawing._diagram) == []


def test_gradients_of_gradients_can_be_drawn() -> None:
    x = Variable(1.5, name="x")
    slope = cr.grad(lambda v: cr.sin(v) * v**2)(x)
    drawing = slope.draw()
    last = [a for a in arrows(drawing.svg) if a.gradient == [1.0] and a.value]
    assert last[-1].value == [float(f"{np.cos(1.5) * 1.5**2 + 2 * 1.5 * np.sin(1.5):.4g}")]
    assert faults(drawing._diagram) == []
