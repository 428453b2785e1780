"""What the drawn graphs must say: numbers recomputed with plain NumPy, arrows, shapes, addresses."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from tests.figures.seen import arrows, circles, drawn, numbers_in, said

from chainrule.drawing.panels import number
from chainrule.drawing.scene import Text
from chainrule.drawing.text import text_width
from chainrule.figures import (
    affine,
    composition,
    matmul,
    matrix_gradient,
    memory,
    networks,
    paths,
    repeat_sum,
    sigmoid,
    softmax_loss,
)
from chainrule.figures.formula import formula

LANGUAGES = ("en", "zh")


def numeric(f: Any, x: Any) -> Any:
    """The gradient by central differences, in plain NumPy."""
    found = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += 1e-6
        down[i] -= 1e-6
        found[i] = (f(up) - f(down)) / 2e-6
    return found


def softmax(s: Any) -> Any:
    e = np.exp(s - s.max())
    return e / e.sum()


def tells(key: str, *values: Any, digits: int = 4) -> None:
    """Every value stands in the picture, in both languages, as a text or a part of one."""
    for lang in LANGUAGES:
        texts = re.split(r"[ (),·+]+", said(key, lang))
        for value in np.concatenate([np.ravel(v) for v in values]).tolist():
            assert number(value, digits) in texts, (key, lang, value)


# -- the network and its loss ------------------------------------------------------------------


def test_the_network_ends_in_the_loss_of_its_sample() -> None:
    W1, b1, W2, b2 = networks.trained().params
    x, t = networks.sample()
    h = x @ W1 + b1
    s = 1 / (1 + np.exp(-h)) @ W2 + b2
    y = softmax(s)
    assert y.sum() == pytest.approx(1)
    L = -np.sum(t * np.log(y))
    for key in ("network-loss", "network-softmax-with-loss"):
        tells(key, L)
        tells(key, x, s, t, digits=3)
    tells("network-loss", y, digits=3)


def test_the_layers_stand_in_the_chapters_order() -> None:
    order = ["Affine", "Sigmoid", "Affine", "Softmax", "Cross Entropy Error"]
    one = ["Affine", "Sigmoid", "Affine", "Softmax with Loss"]
    for key, layers in (("network-loss", order), ("network-softmax-with-loss", one)):
        for lang in LANGUAGES:
            scene = drawn(key, lang).scene
            boxes = sorted((text.x, text.text) for text in scene.texts() if text.role == "layer")
            assert [text for _, text in boxes] == layers
            found = arrows(scene)
            assert found["black heads"] == found["black"] == len(layers) + 2
            assert found["blue"] == 0


# -- gradients, compositions --------------------------------------------------------------------


def test_the_gradient_of_the_matrix() -> None:
    W, gradient, before, after = matrix_gradient.example()
    x = np.array([[0.5, -1.0], [1.5, 0.5], [-0.5, 1.0]])

    def g(W: Any) -> Any:
        return np.sum(np.tanh(x @ W) ** 2)

    expected = numeric(g, W)
    assert np.allclose(gradient, expected, atol=1e-8)
    tells("matrix-gradient", W, expected, digits=3)
    tells("matrix-gradient", g(W), digits=6)
    assert before == pytest.approx(g(W), abs=1e-12)
    slope = (after - before) / matrix_gradient.STEP
    assert slope == pytest.approx(expected[matrix_gradient.NUDGED], rel=2e-3)
    assert said("matrix-gradient").count("m×n = 2×3") == 2


def test_the_slopes_of_the_parts_multiply_to_the_slope_of_the_whole() -> None:
    chain = composition.composed()
    h1 = 0.8 * 1.5 - 0.5
    a1 = np.tanh(h1)
    h2 = a1 * 2.0 + 0.5
    z = 1 / (1 + np.exp(-h2))
    slopes = [1.5, 1 - a1**2, 2.0, z * (1 - z)]
    assert np.allclose([v.data.item() for v in chain.stages], [0.8, h1, a1, h2, z])
    assert np.allclose(chain.slopes, slopes)
    assert chain.gradients[0] == pytest.approx(np.prod(slopes))
    tells("composition", h1, a1, h2, z, slopes, np.prod(slopes))
    found = arrows(drawn("composition").scene)
    assert found["black heads"] == found["blue heads"] == 5


# -- the nodes ------------------------------------------------------------------------------------


def test_the_add_node_alone_and_within() -> None:
    assert numbers_in(said("add-graph")) == [2, 3, 5]
    assert arrows(drawn("add-graph").scene)["blue"] == 0
    for lang, words in (("en", "some computation"), ("zh", "某种计算")):
        forward, backward = said("add-within", lang), said("add-within-backward", lang)
        assert forward.count(words) == backward.count(words) == 3
        assert sorted(numbers_in(forward)) == [2, 3, 5, 6.25]
        # L = z² / 4, so ∂L/∂z = z / 2, and the add node hands it on.
        assert sorted(numbers_in(backward)) == sorted([2, 3, 5, 6.25, 2.5, 2.5, 2.5, 1])
        assert "∂L" not in forward
        assert all(f"∂{v}" in backward for v in ("x", "y", "z", "L"))
        assert arrows(drawn("add-within", lang).scene) == {
            "black": 4, "black heads": 4, "blue": 0, "blue heads": 0,
        }  # fmt: skip
        assert arrows(drawn("add-within-backward", lang).scene) == {
            "black": 4, "black heads": 4, "blue": 4, "blue heads": 4,
        }  # fmt: skip


@pytest.mark.parametrize("lang", LANGUAGES)
def test_forward_beside_backward(lang: str) -> None:
    words = ("forward", "backward") if lang == "en" else ("正向传播", "反向传播")
    for key, heads, nodes in (
        ("1-18", 3, 2),
        ("1-19", 3, 2),
        ("1-20", 3, 0),
        ("1-21", 4, 2),
        ("1-22", 4, 2),
    ):
        scene = drawn(key, lang).scene
        titles = {text.text: text for text in scene.texts() if text.text in words}
        assert set(titles) == set(words)
        first, second = titles[words[0]], titles[words[1]]
        beside = key in ("1-18", "1-19", "1-20")
        assert (first.x < second.x - 100) == beside
        assert (first.y < second.y - 100) == (not beside)
        found = arrows(scene)
        # Lines into a branch have no head; each picture has as many lines as the other.
        assert found["black"] == 2 * heads
        assert found["blue"] == heads
        assert circles(scene) == nodes


def test_what_the_nodes_do_to_gradients() -> None:
    x, y = 2.0, 3.0
    dz = (x + y) / 2
    assert f"= {number(dz)} · 1 = {number(dz)}" in said("1-18")
    x, y = 2.0, 5.0
    dz = 2 * x * y / 40
    assert f"= {number(dz)} · {number(y)} = {number(dz * y)}" in said("1-19")
    assert f"= {number(dz)} · {number(x)} = {number(dz * x)}" in said("1-19")
    assert "∂L ∂x = ∂L ∂z · y" in said("1-19")
    assert "∂L ∂y = ∂L ∂z · x" in said("1-19")
    assert said("1-18").count("= ∂L ∂z · 1") == 2
    assert "∂L ∂x = ∂L ∂y + ∂L ∂z" in said("1-20")
    # L = y² + 4z for the two copies y and z of x = 3.
    assert "= 6 + 4 = 10" in said("1-20")


def test_repeat_and_sum_are_each_others_backward() -> None:
    x, y, gradients = repeat_sum.repeated()
    N, D = repeat_sum.N, repeat_sum.D
    assert x.shape == (1, D)
    assert np.array_equal(y.data, np.repeat(x.data, N, axis=0))
    assert np.array_equal(gradients[x], gradients[y].sum(axis=0, keepdims=True))
    assert len({tuple(line) for line in gradients[y].tolist()}) == N
    tells("1-21", x.data, gradients[y], gradients[x], digits=3)
    x, y, gradients = repeat_sum.summed()
    assert np.array_equal(y.data, x.data.sum(axis=0, keepdims=True))
    assert np.array_equal(gradients[x], np.repeat(gradients[y], N, axis=0))
    tells("1-22", x.data, y.data, gradients[y], digits=3)
    for key in ("1-21", "1-22"):
        assert said(key).count("N×D = 3×4") == 2
        assert said(key).count("1×D = 1×4") == 2


# -- the matrix product -----------------------------------------------------------------------------


def test_matmul_shows_its_shapes() -> None:
    p = matmul.Product(1, 3, 4)
    assert np.array_equal(p.y.data, p.x.data @ p.W.data)
    tells("1-23", p.x.data, p.W.data, p.y.data, digits=3)
    for letters, shape in (("1×D", "1×3"), ("D×H", "3×4"), ("1×H", "1×4")):
        assert letters in said("1-23")
        assert shape in said("1-23")
    assert arrows(drawn("1-23").scene) == {"black": 3, "black heads": 3, "blue": 0, "blue heads": 0}


def test_the_batch_has_gradients_of_the_shapes_of_its_values() -> None:
    p = matmul.Product(5, 4, 6)
    for v in (p.x, p.W, p.y):
        assert p.grad(v).shape == v.shape
    assert np.allclose(p.grad(p.x), p.grad(p.y) @ p.W.data.T, atol=1e-13)
    assert np.allclose(p.grad(p.W), p.x.data.T @ p.grad(p.y), atol=1e-13)
    told = said("1-25")
    for letters in ("N×D", "D×H", "N×H"):
        assert told.split().count(letters) == 2
    for shape in ("5×4", "4×6", "5×6"):
        assert shape in told
    assert arrows(drawn("1-25").scene) == {"black": 3, "black heads": 3, "blue": 3, "blue heads": 3}


def test_all_paths_add_up_to_the_gradient() -> None:
    p = paths.small()
    dy, row = p.grad(p.y)[0], p.W.data[paths.HERE]
    # The L behind y, written down again: a weight times y², so the weights come from dy.
    weights = dy / (2 * p.y.data[0])

    def L(x: Any) -> Any:
        return np.sum(weights * (x @ p.W.data) ** 2)

    expected = numeric(L, p.x.data)[0, paths.HERE]
    assert expected == pytest.approx(np.sum(dy * row), abs=1e-6)
    tells("eq-1.12", dy, row, dy * row, np.sum(dy * row))
    found = arrows(drawn("eq-1.12").scene)
    assert found["black heads"] == found["blue heads"] == 2 * len(dy)
    assert circles(drawn("eq-1.12").scene) == len(dy) + 2


def test_the_inner_products_row_by_row_and_at_once() -> None:
    p = paths.small()
    dy, W = p.grad(p.y)[0], p.W.data
    dx = [float(sum(a * b for a, b in zip(dy, line, strict=True))) for line in W]
    assert dx == pytest.approx(p.grad(p.x)[0].tolist())
    for key in ("eq-1.13", "eq-1.14"):
        tells(key, dy, W, dx)
    # In the one product, row HERE of W is a column: it is marked, and so is its result.
    marked = [
        mark
        for layer in drawn("eq-1.14").scene.layers
        for mark in layer.marks
        if getattr(mark, "fill", "") == "highlight"
    ]
    assert len(marked) == 1 + len(dy) + W.shape[1]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_shapes_fit(lang: str) -> None:
    assert all(shape in said("1-24", lang) for shape in ("1×3", "1×4", "4×3"))
    told = said("1-26", lang)
    for shape in ("5×4", "5×6", "6×4", "4×6", "4×5"):
        assert shape in told
    same, off = ("the same", "off by 0") if lang == "en" else ("结果相同", "相差 0")
    for key, lines in (("1-24", 1), ("1-26", 2)):
        assert said(key, lang).count(same) == lines
        assert said(key, lang).count(off) == lines


# -- memory -------------------------------------------------------------------------------------------


def test_a_name_moves_and_contents_are_copied() -> None:
    before, after = memory.rebinding()
    (a, b), (old, both) = before.blocks, after.blocks
    assert (a.names, b.names, a.contents, b.contents) == (("a",), ("b",), (1, 2, 3), (4, 5, 6))
    assert a.address != b.address
    assert both.address == b.address
    assert both.names == ("a", "b")
    assert (old.address, old.names, old.contents) == (a.address, (), (1, 2, 3))
    before, after = memory.writing()
    (a, b), (a2, b2) = before.blocks, after.blocks
    assert (a2.address, b2.address) == (a.address, b.address)
    assert a2.address != b2.address
    assert a2.contents == b2.contents == (4, 5, 6)
    assert (a2.names, b2.names) == (("a",), ("b",))


def test_operators_stand_apart_from_what_they_join() -> None:
    def gap(source: str) -> float:
        (left, plus, right) = formula(source, 16.0).marks
        assert isinstance(left, Text)
        assert isinstance(plus, Text)
        assert isinstance(right, Text)
        widths = [text_width(t.text, t.size) / 2 for t in (left, plus, right)]
        before = plus.x - left.x - widths[0] - widths[1]
        assert before == pytest.approx(right.x - plus.x - widths[1] - widths[2])
        return before

    gaps = [gap(source) for source in ("(1) + (2)", "(1) − 2", "1 + 2")]
    assert gaps == pytest.approx([3.2] * 3)
    assert len(formula("(−1)", 16.0).marks) == 1


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_addresses_in_the_picture(lang: str) -> None:
    scene = drawn("1-27", lang).scene
    told = [text.text for text in scene.texts() if text.role == "address"]
    left, right, layer = told[:4], told[4:8], told[8:]
    for before, after in ((left[:2], left[2:]), (right[:2], right[2:])):
        assert before == after
        assert before[0] != before[1]
    assert len(layer) == 2
    assert layer[0] == layer[1]
    assert all(re.fullmatch("0x[0-9a-f]+", address) for address in told)
    digits = "".join(text.text for text in scene.texts() if text.role == "number")
    assert digits == "123456" + "123456" + "123456" + "456456"
    gone = "no name left" if lang == "en" else "已无名字"
    assert said("1-27", lang).count(gone) == 1


# -- layers -------------------------------------------------------------------------------------------


def test_the_lines_of_the_sigmoids_derivative() -> None:
    x = np.array(sigmoid.AT)
    y = 1 / (1 + np.exp(-x))
    for _, function in sigmoid.LINES:
        assert np.allclose(function(x), y * (1 - y), rtol=1e-14, atol=0)
    for lang in LANGUAGES:
        for value in y * (1 - y):
            assert said("eq-1.15", lang).count(number(float(value), 8)) == len(sigmoid.LINES) + 2
    assert ticks() == {"good": 6, "bad": 0}


def ticks() -> dict[str, int]:
    from chainrule.figures.sigmoid import sigmoid_derivative

    marks = [mark for layer in sigmoid_derivative("en").layers for mark in layer.marks]
    return {
        colour: sum(getattr(mark, "stroke", "") == colour for mark in marks)
        for colour in ("good", "bad")
    }


def test_a_wrong_line_gets_a_cross(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = (sigmoid.LINES[0][0], lambda x: np.exp(-x) / (1 + np.exp(-x)))
    monkeypatch.setattr(sigmoid, "LINES", (wrong, *sigmoid.LINES[1:]))
    assert ticks() == {"good": 5, "bad": 1}


def test_the_sigmoid_node_and_its_parts() -> None:
    x = 0.5
    e = np.exp(-x)
    y = 1 / (1 + e)
    dy = 2 * y
    tells("1-28", x, y, dy, 1 - y, dy * y * (1 - y))
    # Backwards through ÷, +, exp and −.
    d = -dy / (1 + e) ** 2
    tells("1-28", -x, e, 1 + e, d, d * e, -d * e)
    assert -d * e == pytest.approx(dy * y * (1 - y))
    assert circles(drawn("1-28").scene) == 1 + 4


def test_the_affine_layer() -> None:
    x, graph, gradients = affine.example()
    kinds = [type(node).__name__ for node in graph.nodes]
    assert sorted(kinds) == ["Add", "MatMul", "Repeat"]
    assert kinds[-1] == "Add"
    by_name = {v.name: v for v in graph.inputs}
    W, b, y = by_name["W"], by_name["b"], graph.outputs[0]
    assert np.allclose(y.data, x.data @ W.data + b.data, atol=1e-14)
    dy = gradients[y]
    assert np.allclose(gradients[x], dy @ W.data.T, atol=1e-13)
    assert np.allclose(gradients[W], x.data.T @ dy, atol=1e-13)
    assert np.allclose(gradients[b], dy.sum(axis=0), atol=1e-13)
    scene = drawn("1-29").scene
    assert arrows(scene) == {"black": 6, "black heads": 6, "blue": 6, "blue heads": 6}
    symbols = [text.text for text in scene.texts() if text.role == "symbol"]
    assert sorted(symbols) == ["+", "MatMul", "Repeat"]
    assert said("1-29").count("N×H") == 3


def test_softmax_with_loss_hands_back_y_minus_t() -> None:
    a, y, t, da, dy, L = softmax_loss.example()
    assert np.allclose(y, softmax(a), atol=1e-15)
    assert pytest.approx(-np.sum(t * np.log(softmax(a)))) == L
    assert np.allclose(da, softmax(a) - t, atol=1e-14)
    assert np.allclose(dy, -t / softmax(a), atol=1e-13)
    tells("1-30", L)
    tells("1-30", a, softmax(a), softmax(a) - t, -t / softmax(a), digits=3)
    found = arrows(drawn("1-30").scene)
    # a, y and L have gradients; the labels t have none.
    assert found["black heads"] == 3 + 3 + 3 + 1
    assert found["blue heads"] == 3 + 3 + 1
    told = said("1-30")
    for k in (1, 2, 3):
        assert re.search(rf"y {k} − t {k}", told)
