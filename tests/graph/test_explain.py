"""graph.explain(): terms add up to the number, printed ones to the printed total, for every node."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.graph.recorded import graph_of, small_net, the_node
from tests.nodes.shares import shares
from tests.nodes.table import TABLE, draw

import chainrule as cr
from chainrule.errors import RecordingError, SettingError, ShapeError
from chainrule.graph.explain import Explanation
from chainrule.graph.graph import Graph
from chainrule.graph.local import Local
from chainrule.graph.variable import Variable

Array = npt.NDArray[Any]


def adds_up(said: Explanation, eps: float = 1e-12) -> None:
    """The terms are the number, to the last digits of what they add."""
    if said.terms:
        values = np.array([term.value for term in said.terms])
        assert abs(values.sum() - said.value) <= eps * np.abs(values).sum() + 1e-300, said
    else:
        assert said.value == 0, said
    prints_up(said)


def prints_up(said: Explanation) -> None:
    """Every printed sum of plain numbers is its printed total, to half a last place a number."""
    text = re.sub(r"\n\s+([=≈])", r" \1", str(said))
    for line in text.splitlines():
        ways = re.split(r" [=≈] ", line)
        for way, after in itertools.pairwise(ways):
            plain = re.sub(r" \(\d+ (more|of other rows)\)", "", way)
            if " + " not in plain and " − " not in plain:
                continue
            numbers = re.split(r" ([+−]) ", plain)
            if not all(re.fullmatch(r"-?[\d.]+(e[+-]\d+)?", x) for x in numbers[::2]):
                continue
            if not re.fullmatch(r"-?[\d.]+(e[+-]\d+)?", after):
                continue
            signs = [1, *(1 if s == "+" else -1 for s in numbers[1::2])]
            values = [s * float(x) for s, x in zip(signs, numbers[::2], strict=True)]
            last = max(_last_place(x) for x in (*numbers[::2], after))
            assert abs(sum(values) - float(after)) <= (len(values) + 1) * last / 2 * (1 + 1e-9), (
                line
            )


def _last_place(text: str) -> float:
    digits, _, power = text.partition("e")
    if digits.strip("-0.") == "":
        return 0.0
    return float(10.0 ** (int(power or 0) - len(digits.partition(".")[2])))


def some(rng: np.random.Generator, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Up to three elements of an array."""
    size = int(np.prod(shape))
    places = rng.permutation(size)[:3]
    return [tuple(int(i) for i in np.unravel_index(p, shape)) if shape else () for p in places]


@pytest.mark.parametrize("name", sorted(TABLE))
@shares(4, 8)
def test_values_and_gradients_of_every_node_add_up(name: str, cases: range) -> None:
    for i in cases:
        case, rng = draw(name, i)
        graph = graph_of(case)
        gradients = graph.gradients() if case.moving else {}
        node = the_node(graph, case) if case.moving else graph.nodes[-1]
        eps = 1e-7 if any(v.dtype == np.float32 for v in graph.names) else 1e-12
        for v in node.outputs:
            for place in some(rng, v.shape):
                said = graph.explain(v, place)
                assert said.value == v.data[place]
                assert said.name.startswith(graph.names[v])
                adds_up(said, eps)
                assert v in said.arrows
        for v in node.inputs:
            if v not in gradients:
                continue
            for place in some(rng, v.shape):
                said = graph.explain(v, place, gradient=True)
                assert said.value == gradients[v][place]
                adds_up(said, eps)


@pytest.mark.parametrize("name", sorted(TABLE))
@shares(12, 24)
def test_what_is_taken_for_a_sum_of_products_is_one_everywhere(name: str, cases: range) -> None:
    """The sum found at one point is the node's value at other points too, and linear nodes have one."""
    sums = {"Add", "Sub", "Neg", "Mul", "MatMul", "Sum", "Mean", "Repeat", "Reshape", "Transpose"}
    sums |= {"Concatenate", "Stack", "Index", "IndexAdd", "Branch", "Cast", "Where"}
    for i in cases:
        case, rng = draw(name, i)
        if not case.moving:
            continue
        local = Local(the_node(graph_of(case), case))
        out = np.size(local.outputs[0])
        for place in rng.permutation(out)[:3]:
            parts = local.parts(0, int(place))
            assert (parts is not None) or name not in sums, case
            if parts is None:
                continue
            for scale in (1.0, -1.0, 30.0, -30.0):
                moved = [
                    scale * (x + rng.normal(size=x.shape)) if k in local.moving else x
                    for k, x in enumerate(local.inputs)
                ]
                total = 0.0
                for part in parts:
                    values = part.coefficients
                    for k, places in part.factors:
                        values = values * np.reshape(moved[k], -1)[places]
                    total += float(values.sum())
                expected = float(np.reshape(local.forward(moved)[0], -1)[place])
                assert total == pytest.approx(expected, rel=1e-9, abs=1e-9), case


def test_the_side_of_a_kink_does_not_make_a_node_linear() -> None:
    x = Variable([[1.0], [-0.5]], "x")
    graph = cr.sum(cr.clip(cr.abs(x), high=1.0) * 3).graph
    assert graph.explain("clip", (1, 0)).lines[0] == (
        "clip[1,0] = abs[1,0] held between -∞ and 1 = 0.5 held between -∞ and 1 = 0.5"
    )
    assert graph.explain("abs", (1, 0)).lines == ("abs[1,0] = |x[1,0]| = |-0.5| = 0.5",)


X = np.array([[1.0, 2.0, -1.0], [0.5, 0.0, 4.0]])
W = np.array([[1.0, 0.5], [2.0, -1.0], [0.25, 3.0]])


def affine() -> tuple[Graph, dict[str, Variable]]:
    vs = {"x": Variable(X, "x"), "W": Variable(W, "W"), "b": Variable(np.array([0.5, -1.0]), "b")}
    s = vs["x"] @ vs["W"] + vs["b"]
    s.name = "s"
    L = cr.sum(cr.exp(s * 0.1))
    return Graph([L]), vs | {"s": s}


def test_an_affine_layer_is_one_line() -> None:
    graph, vs = affine()
    said = graph.explain("s", (0, 1))
    assert str(said) == (
        "s[0,1] = Σₖ x[0,k]·W[k,1] + b[1] = 1·0.5 + 2·(-1) − 1·3 − 1 = 0.5 − 2.0 − 3.0 − 1.0 = -5.5"
    )
    assert [t.value for t in said.terms] == [0.5, -2.0, -3.0, -1.0]
    assert [t.text for t in said.terms] == [
        "x[0,0]·W[0,1]",
        "x[0,1]·W[1,1]",
        "x[0,2]·W[2,1]",
        "b[1]",
    ]
    assert {graph.names[v] for v in said.arrows} == {"s", "x", "W", "b", "matmul", "repeat"}
    assert graph.explain(vs["s"], (0, 1)).lines == said.lines


def test_a_gradient_runs_over_all_paths_to_the_loss() -> None:
    graph, vs = affine()
    said = graph.explain(vs["W"], (2, 0), gradient=True, depth=1)
    ds = graph.gradients()[vs["s"]]
    assert said.lines[0].startswith("∂W[2,0] = Σₙ ∂s[n,0]·x[n,2] ≈ ")
    assert [t.value for t in said.terms] == pytest.approx([ds[0, 0] * -1, ds[1, 0] * 4], rel=1e-14)
    whole = graph.explain(vs["W"], (2, 0), gradient=True)
    assert {graph.names[v] for v in whole.arrows} >= {"W", "matmul", "s", "mul", "exp", "L"}
    assert not {"x", "W"} & {graph.names[v] for v in graph.explain("b", 0, gradient=True).arrows}
    last = [line for line in whole.lines if "∂exp[0,0]" in line.split("=")[0]]
    assert last == ["  ∂exp[0,0] = ∂L = 1"]


def test_one_sample_and_its_part_of_a_batch() -> None:
    graph, vs = affine()
    one = graph.explain("s", 1, row=0)
    assert one.lines == graph.explain("s", (0, 1)).lines
    part = graph.explain(vs["W"], (2, 0), gradient=True, row=1)
    ds = graph.gradients()[vs["s"]]
    assert "(1 of other rows)" in str(part)
    assert part.value == graph.gradients()[vs["W"]][2, 0]
    assert part.terms[1].value == pytest.approx(ds[1, 0] * 4, rel=1e-14)
    assert "s[0," not in str(part)
    loss = graph.explain(graph.outputs[0], row=1)
    assert "exp[1,0]" in str(loss)
    assert "exp[0,0] =" not in str(loss)
    assert graph.explain("s", (1, 0), row=1).name == graph.explain("s", 0, row=1).name == "s[1,0]"
    with pytest.raises(ShapeError, match=r"element=\(0, 1\) of s is not in row 1"):
        graph.explain("s", (0, 1), row=1)
    with pytest.raises(ShapeError, match="row=2 is no row of the batch, which has 2 rows"):
        graph.explain("s", 0, row=2)
    with pytest.raises(ShapeError, match=r"row 0 has no part of its own in b\[1\]"):
        graph.explain("b", 1, row=0)


def test_a_row_is_followed_through_what_is_no_sum() -> None:
    x = Variable(X, "x")
    graph = cr.sqrt(cr.mean(cr.exp(x))).graph
    said = graph.explain("L", row=1, lines=2)
    assert "(3 of other rows)" in str(said)
    assert "exp[0," not in str(graph.explain("L", row=1))


def test_a_network_is_derived_back_to_inputs_and_parameters() -> None:
    _, graph = small_net()
    names = graph.names
    said = graph.explain("affine2", (0, 2))
    assert said.lines[0] == "affine2[0,2] = Σₖ sigmoid[0,k]·W2[k,2] + b2[2]"
    heads = [line.split(" ")[2] for line in said.lines if re.match(r"  \w", line)]
    assert heads == [*(f"sigmoid[0,{k}]" for k in range(4)), *(f"affine1[0,{k}]" for k in range(4))]
    reached = {names[v] for v in said.arrows}
    assert {"x", "W1", "b1", "W2", "b2", "matmul1", "repeat1", "affine1", "sigmoid"} <= reached
    assert "L" not in reached
    prints_up(said)
    back = graph.explain("W1", (0, 1), gradient=True, lines=200)
    assert {"W1", "affine1", "sigmoid", "affine2", "L"} <= {names[v] for v in back.arrows}
    assert not {"b1", "W2", "x"} & {names[v] for v in back.arrows}
    prints_up(back)
    assert back.lines[-2] == "  ∂softmaxcrossentropy[4] = 1/5 · ∂L = 0.2·1 = 0.2"


def test_long_sums_show_the_largest_terms_and_the_sum_of_the_others() -> None:
    rng = np.random.default_rng(0)
    x, w = Variable(rng.normal(size=(2, 100)), "x"), Variable(rng.normal(size=(100, 1)), "W")
    graph = cr.sum(cr.tanh(x @ w)).graph
    said = graph.explain("matmul", (1, 0), terms=3)
    assert said.lines[0] == "matmul[1,0] = Σₖ x[1,k]·W[k,0]"
    assert said.lines[1].endswith(" + 97 more")
    assert said.lines[2].endswith(" (97 more)")
    assert len(said.terms) == 100
    shown = sorted((abs(t.value) for t in said.terms), reverse=True)[:3]
    for value in shown:
        assert f"{value:.3f}" in said.lines[2]
    adds_up(said)


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 1e5, 1e12])
def test_sums_of_every_size_print_up(scale: float) -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        x = Variable(rng.normal(size=7) * scale * 10 ** rng.uniform(-3, 3, 7), "x")
        said = cr.sum(x).graph.explain("L")
        adds_up(said)


@pytest.mark.parametrize(
    ("numbers", "line"),
    [
        ([0.3, -0.2999412], "0.300000 − 0.299941 ≈ 0.000059"),
        ([123.45678, -123.45612], "123.45678 − 123.45612 = 0.00066"),
        ([1.5, -1.2], "1.5 − 1.2 = 0.3"),
        ([0.1, 0.2, -0.3], "0.1 + 0.2 − 0.3 = 0.0"),  # 5.6e-17 is rounding, and not shown
        ([1e-320, 2e-320], "1.000e-320 + 2.000e-320 ≈ 3.000e-320"),
        ([999_980_000.0, 0.0], "1.000e9 + 0 ≈ 1.000e9"),
    ],
)
def test_what_is_left_of_a_sum_has_digits(numbers: list[float], line: str) -> None:
    said = cr.sum(Variable(numbers, "x")).graph.explain("L")
    assert said.lines[0].endswith(line)


def test_depth_and_lines_are_limits() -> None:
    _, graph = small_net()
    whole = graph.explain("affine2", (0, 2))
    near = graph.explain("affine2", (0, 2), depth=1)
    assert near.lines[:-1] == whole.lines[:4]
    assert near.arrows < whole.arrows
    assert not {"x", "affine1"} & {graph.names[v] for v in near.arrows}
    short = graph.explain("affine2", (0, 2), lines=5)
    assert short.arrows >= {v for v in whole.arrows if graph.names[v] != "repeat1"}
    assert "numbers more, not derived here (lines=5)" in short.lines[-2]
    with pytest.raises(SettingError, match="terms=0"):
        graph.explain("L", terms=0)


def test_other_nodes_show_their_formula_with_the_numbers() -> None:
    s = Variable([[0.0, 1.0, 2.0]], "s")
    graph = cr.sum(cr.softmax(s)[:, 1] * cr.sigmoid(s[:, 0])).graph
    said = graph.explain("softmax", (0, 2), depth=1)
    assert str(said).splitlines()[:2] == [
        "softmax[0,2] = e^s / Σ e^s",
        "               where s[0,:] = 0, 1, 2",
    ]
    line = graph.explain("sigmoid", 0).lines[0]
    assert line == "sigmoid[0] = 1 / (1 + e^-s[0,0]) = 1 / (1 + e^-0) = 0.5"
    low = Variable(-3.0, "x")
    assert "1 / (1 + e^-(-3))" in str(cr.sigmoid(low).graph.explain("L"))


def test_inputs_and_the_loss_itself_are_the_ends() -> None:
    graph, _ = affine()
    assert graph.explain("x", (0, 2)).lines == ("x[0,2] = -1, an input",)
    assert graph.explain("L", gradient=True).lines == ("∂L = 1, since ∂L/∂L = 1",)
    _, of_net = small_net()
    assert of_net.explain("W1", (0, 0)).lines[0].endswith("a parameter")
    x = Variable([-1.0, 2.0], "x")
    dead = (cr.sum(cr.where(x > 5, x, 0.0))).graph
    assert dead.explain("x", 0, gradient=True).value == 0
    assert "∂where[0] where x[0] > 5" not in str(dead.explain("x", 0, gradient=True))


def test_repeated_use_adds_up_over_the_branches() -> None:
    x = Variable(3.0, "x")
    graph = (x * x + x).graph
    said = graph.explain("x", gradient=True)
    assert said.lines[0] == "∂x = ∂L·x + ∂L·x + ∂L = 1·3 + 1·3 + 1 = 3 + 3 + 1 = 7"
    assert graph.explain("L").lines == ("L = x·x + x = 3·3 + 3 = 9 + 3 = 12",)


def test_the_value_of_a_copy_is_told_as_its_original() -> None:
    x = Variable([2.0, 3.0], "x")
    graph = cr.sum(x * cr.sin(x)).graph
    copy = graph.explain("x→mul", 1)
    assert copy.lines == ("x[1] = 3, an input",)
    assert {graph.names[v] for v in copy.arrows} == {"x", "x→mul"}
    assert graph.explain("x→mul", 1, gradient=True).name == "∂x→mul[1]"


def test_a_hand_written_layer_is_explained_by_trying_it() -> None:
    class MatMul:
        def __init__(self) -> None:
            self.params, self.grads = [W.copy()], [np.zeros_like(W)]

        def forward(self, x: Array) -> Array:
            self.x = x
            return np.asarray(x @ self.params[0])

        def backward(self, dout: Array) -> Array:
            self.grads[0][...] = self.x.T @ dout
            return np.asarray(dout @ self.params[0].T)

    layer = MatMul()
    net = cr.Sequential(layer, loss=cr.MeanSquaredError())
    graph = net.forward(Variable(X, "x"), np.zeros((2, 2))).graph
    assert str(graph.explain("matmul", (0, 1))).startswith(
        "matmul[0,1] = Σₖ x[0,k]·p0[k,1] = 1·0.5 + 2·(-1) − 1·3"
    )
    said = graph.explain("p0", (1, 1), gradient=True)
    assert said.lines[0].startswith("∂p0[1,1] = Σₙ ∂matmul[n,1]·x[n,1]")
    adds_up(said)


def test_float32_sums_are_said_to_be_rounded() -> None:
    _, graph = small_net(np.float32)
    said = graph.explain("affine2", (1, 0))
    values = np.array([t.value for t in said.terms])
    assert values.sum() == pytest.approx(said.value, rel=1e-6)
    assert "≈" in str(said)
    assert said.lines[-1].startswith("(≈: rounded to the digits shown")
    prints_up(said)


def test_what_cannot_be_explained_says_why() -> None:
    graph, vs = affine()
    with pytest.raises(ShapeError, match=r"s has shape \(2, 2\); say which element"):
        graph.explain("s")
    with pytest.raises(ShapeError, match=r"Got \(2, 0\)"):
        graph.explain("s", (2, 0))
    assert graph.explain("s", (-1, -1)).name == "s[1,1]"
    with pytest.raises(SettingError, match="no arrow is called 'matmull': did you mean"):
        graph.explain("matmull", 0)
    with pytest.raises(RecordingError, match="no arrow of this graph"):
        graph.explain(Variable(1.0))
    with pytest.raises(RecordingError, match="a gradient is taken of one number"):
        cr.exp(vs["x"]).graph.explain("x", (0, 0), gradient=True)
    with pytest.raises(RecordingError, match="no gradient flows to t"):
        small_net()[1].explain("t", 0, gradient=True)


def test_arguments_of_another_kind_are_refused_in_a_sentence() -> None:
    graph, _ = affine()
    wrong: list[Any] = [0.7, True, [0, 1], "0", (0, 1.0), (0,), (0, 1, 2), (np.bool_(True), 0)]
    for element in wrong:
        with pytest.raises(ShapeError, match="say which element by whole numbers"):
            graph.explain("s", element)
    whole: Any = (np.int64(0), np.int8(1))
    assert graph.explain("s", whole).name == "s[0,1]"
    rows: list[Any] = ["a", 0.0, True, [0]]
    for row in rows:
        with pytest.raises(ShapeError, match="is no row of the batch"):
            graph.explain("s", 0, row=row)
    for setting in ({"depth": "x"}, {"depth": 0}, {"terms": 1.5}, {"lines": True}):
        with pytest.raises(SettingError, match="must be a whole number from 1"):
            graph.explain("s", (0, 0), **setting)
    with pytest.raises(RecordingError, match="asked of 7 of this graph"):
        graph.explain(7)  # type: ignore[arg-type]


def test_an_empty_array_has_nothing_to_explain() -> None:
    x = Variable(np.ones((0, 2)), "x")
    graph = cr.sum(cr.exp(x)).graph
    with pytest.raises(ShapeError, match=r"x has shape \(0, 2\): there is no element"):
        graph.explain("x", (0, 0))
    with pytest.raises(ShapeError, match="row=0 is no row of the batch, which has 0 rows"):
        graph.explain("exp", 0, row=0)
    assert str(graph.explain("L")) == "L = 0"
    assert graph.check()
    assert len(list(graph.steps())) == 4


def test_an_unknown_name_of_many_is_told_the_nearest() -> None:
    y = Variable(1.0, "y")
    for i in range(40):
        y = y * 1.5
        y.name = f"value{i}"
    with pytest.raises(SettingError) as told:
        y.graph.explain("valu39")
    assert 'did you mean "value39"?' in str(told.value)
    assert str(told.value).endswith("and 29 more (graph.names).")


def test_explanations_show_themselves() -> None:
    graph, _ = affine()
    said = graph.explain("s", (0, 1))
    assert repr(said) == "<Explanation of s[0,1] = -5.5, 1 lines>"
    assert said._repr_html_() == f"<pre>{said}</pre>"


def test_numbers_written_in_python_are_coefficients() -> None:
    x = Variable([1.0, 3.0], "x")
    graph = cr.sum(0.5 * x + x * 2 - 1).graph
    assert graph.explain("add", 1).lines == (
        "add[1] = 1/2 · x[1] + 2 · x[1] = 0.5·3 + 2·3 = 1.5 + 6.0 = 7.5",
    )
    assert graph.explain("sub", 1).lines[0].startswith("sub[1] = 1/2 · x[1] + 2 · x[1] − 1 = ")
    assert graph.explain("x", 1, gradient=True).value == 2.5


def networks() -> list[Graph]:
    rng = np.random.default_rng(3)
    ids, t = np.array([1, 1, 4, 0]), np.array([0, 1, 1, 0])
    words = cr.Sequential(
        cr.Embedding.sized(5, 3, dtype=float),
        cr.LayerNorm.sized(3, dtype=float),
        cr.GELU(),
        cr.Affine.sized(3, 2, dtype=float),
        loss=cr.SoftmaxWithLoss(label_smoothing=0.1),
        seed=0,
    )
    rows = cr.Sequential(
        cr.Affine.sized(3, 4, dtype=float),
        cr.BatchNorm.sized(4, dtype=float),
        cr.Dropout(0.5),
        cr.LeakyReLU(),
        cr.MatMul.sized(4, 1, dtype=float),
        loss=cr.Huber(),
        seed=0,
    )
    x, y = rng.normal(size=(4, 3)), rng.normal(size=(4, 1))
    m = Variable(rng.normal(size=(3, 4)), "m")
    mixed = cr.sum(cr.where(m > 0, m, -m) * cr.max(m @ m.T, 1)[:, None] + cr.std(m[::-1], 0))
    weights = np.array([1.0, 2.0, 0.5, 1.0])
    return [
        words.forward(Variable(ids, "ids"), t).graph,
        rows.forward(Variable(x, "x"), y, weights).graph,
        mixed.graph,
        mixed.graph.detailed(None),
    ]


@pytest.mark.parametrize("which", range(4))
def test_every_arrow_of_whole_networks_adds_up(which: int) -> None:
    graph = networks()[which]
    rng = np.random.default_rng(which)
    gradients = graph.gradients()
    for v in graph.names:
        for place in some(rng, v.shape)[:2]:
            if v.dtype.kind in "fiub":
                said = graph.explain(v, place, depth=2)
                assert said.value == v.data[place]
                adds_up(said)
            if v in gradients:
                said = graph.explain(v, place, gradient=True, depth=2)
                assert said.value == gradients[v][place]
                adds_up(said, 1e-11)


def test_numbers_that_are_not_finite_are_shown_as_they_are() -> None:
    x = Variable([0.0, 1.0, 1000.0], "x")
    graph = cr.sum(cr.log(x) + cr.exp(x) * 0.0).graph
    for v in graph.names:
        for place in np.ndindex(v.shape):
            str(graph.explain(v, place))
            str(graph.explain(v, place, gradient=True))
    assert graph.explain("log", 0).lines == ("log[0] = log(x[0]) = log(0) = -∞",)
    assert "NaN" in str(graph.explain("L"))
    assert str(graph.explain("x", 0, gradient=True)).startswith(
        "∂x[0] = ∂x→log[0] + ∂x→exp[0] = ∞ + 0 = ∞\n  ∂x→log[0] = ∂log[0] / x[0] = 1 / 0 = ∞"
    )
    assert [s.outputs[0].value.shape for s in graph.steps()]
    assert "not finite" in str(graph.check())
