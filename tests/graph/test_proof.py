"""graph.check(): right nodes are proved right, and a wrong one is found at its own arrows alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.graph.recorded import graph_of, small_net, the_node
from tests.nodes.planted_faults import FAULTS, Fault, planted
from tests.nodes.shares import shares
from tests.nodes.table import TABLE, draw

import chainrule as cr
from chainrule import nodes
from chainrule.errors import DTypeError
from chainrule.graph.graph import Graph
from chainrule.graph.variable import Variable, apply
from chainrule.text_width import cells_wide

Array = npt.NDArray[Any]


@pytest.mark.parametrize("name", sorted(TABLE))
@shares(8, 15)
def test_every_node_is_proved_right(name: str, cases: range) -> None:
    for i in cases:
        case, _ = draw(name, i)
        graph = graph_of(case)
        proof = graph.check(seed=i)
        assert proof, str(proof)
        if not case.moving:
            continue
        node = the_node(graph, case)
        assert {v for v in node.inputs if v.requires_grad} <= set(proof.verdicts)
        assert not any(row.kink for row in proof.rows)
        assert set(proof.ends) == {v for v in graph.inputs if v.requires_grad}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f.node.__name__}: {f.what}")
def test_a_planted_fault_lights_up_at_its_own_arrows_and_nowhere_else(fault: Fault) -> None:
    found = False
    for i in range(40):
        case, _ = draw(fault.node.__name__, i)
        graph = graph_of(case)
        with planted(fault):
            proof = graph.check(elements=not found)
        takers = {v: node for node in graph.nodes for v in node.inputs}
        for v, verdict in proof.verdicts.items():
            assert verdict.ok or isinstance(takers[v], fault.node), f"{fault}\n{proof}"
            assert verdict.node == takers[v].label
        found = found or not all(row.ok for row in proof.rows)
        if found and i > 3:
            break
    assert found, f"{fault.node.__name__}: {fault.what} is not found"


class Layer:
    """A layer in the chapter's way, wrong by a factor in dx or in dW."""

    def __init__(self, seed: int, dx: float = 1.0, dW: float = 1.0) -> None:
        W = np.random.default_rng(seed).normal(size=(3, 3))
        self.params, self.grads = [W], [np.zeros_like(W)]
        self.factors = dx, dW

    def forward(self, x: Array) -> Array:
        self.x = x
        return np.asarray(x @ self.params[0])

    def backward(self, dout: Array) -> Array:
        self.grads[0][...] = self.x.T @ dout * self.factors[1]
        return np.asarray(dout @ self.params[0].T * self.factors[0])


X, T = np.random.default_rng(7).normal(size=(5, 3)), np.array([0, 1, 2, 1, 0])


def net_graph(*layers: Any) -> Graph:
    net = cr.Sequential(*layers, loss=cr.SoftmaxWithLoss(), seed=0)
    loss: Variable = net.forward(Variable(X, "x"), T)
    return loss.graph


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("which", ["dx", "dW"])
def test_a_wrong_hand_written_layer_is_found_where_it_stands(place: int, which: str) -> None:
    by_hand = [Layer(k, **({which: 1 + 1e-4} if k == place else {})) for k in range(3)]
    graph = net_graph(by_hand[0], cr.Tanh(), by_hand[1], cr.Sigmoid(), by_hand[2])
    proof = graph.check()
    opaque = [node for node in graph.nodes if node.label == "Layer"]
    wrong = [v for v, verdict in proof.verdicts.items() if not verdict.ok]
    assert wrong == [opaque[place].inputs[0 if which == "dx" else 1]]
    (row,) = [row for row in proof.rows if not row.ok]
    assert row.oracle == "central difference"
    assert row.got / row.expected == pytest.approx(1 + 1e-4, abs=1e-6)
    assert f"{row.arrow} at Layer" in proof.summary
    # From end to end, a wrong dx spoils what lies before it; a wrong dW only itself.
    ends = [v for v, verdict in proof.ends.items() if not verdict.ok]
    before = [node.inputs[1] for node in opaque[:place]]
    expected = [graph.inputs[0], *before] if which == "dx" else [opaque[place].inputs[1]]
    assert set(ends) == set(expected)


def test_two_faults_are_both_found() -> None:
    graph = net_graph(Layer(0, dW=0.5), cr.Tanh(), Layer(1), cr.Affine.sized(3, 3), Layer(2, dx=-1))
    proof = graph.check()
    opaque = [node for node in graph.nodes if node.label == "Layer"]
    wrong = {v for v, verdict in proof.verdicts.items() if not verdict.ok}
    assert wrong == {opaque[0].inputs[1], opaque[2].inputs[0]}


def test_hand_written_layers_are_left_as_they_are() -> None:
    layer = Layer(0)
    W, grad = layer.params[0], layer.grads[0]
    before = W.copy()
    graph = net_graph(layer)
    x = layer.__dict__.get("x")
    assert graph.check(elements=True)
    assert layer.params[0] is W
    assert layer.grads[0] is grad
    assert np.array_equal(W, before)
    assert not grad.any()
    assert layer.__dict__.get("x") is x


class Spoiled(nodes.Node):
    """x², with a backward that breaks in one way or another."""

    def __init__(self, way: str) -> None:
        self.way = way

    def forward(self, x: Any) -> Any:
        return x * x

    def backward(self, dy: Any) -> Any:
        (x,) = self.inputs
        if self.way == "raises":
            raise KeyError("no such thing")
        if self.way == "shape":
            return np.sum(dy * 2 * x)
        if self.way == "count":
            return dy * 2 * x, dy
        if self.way == "writes":
            dy *= 2
            return dy * x
        if self.way == "none":
            return None
        return dy * 2 * x


@pytest.mark.parametrize(
    ("way", "note"),
    [
        ("raises", "backward raised KeyError: 'no such thing'"),
        ("shape", "backward gave a gradient of shape ()"),
        ("count", "backward gave 2 gradients for 1 inputs"),
        ("writes", "backward changed the gradient it was given"),
        ("none", "backward gave 0, the complex step"),
    ],
)
def test_a_backward_that_breaks_says_how_and_the_rest_is_still_checked(way: str, note: str) -> None:
    x = Variable(X, "x")
    h = cr.tanh(x * 0.5)
    graph = cr.sum(cr.sigmoid(apply(Spoiled(way), h)) * X).graph
    proof = graph.check()
    wrong = {v for v, verdict in proof.verdicts.items() if not verdict.ok}
    assert wrong == {h}
    assert note in str(proof)
    assert not proof.ok
    before = {"mul1", "x"} if way != "none" else set()  # where there is no gradient, none flows on
    assert before <= {row.arrow for row in proof.rows if row.ok}


def test_the_summary_says_what_disagrees_with_what() -> None:
    graph = net_graph(Layer(0), cr.Tanh(), Layer(1, dW=0.5))
    assert graph.check().summary.splitlines() == [
        "1 of 7 arrows disagrees with the central difference: ∂p0_2 at Layer in Layer2.",
        "From end to end ∂p0_2 is wrong, as what comes from there must.",
    ]
    both = cr.sum(apply(Spoiled("none"), Variable(X, "x")) * cr.tanh(Variable(X, "y"))).graph
    assert "1 of 5 arrows disagrees with the complex step: ∂x at Spoiled." in both.check().summary
    many = Variable(X, "x")
    for _ in range(9):
        many = apply(Spoiled("raises"), many)
    summary = cr.sum(many).graph.check().summary
    assert summary.startswith("9 of 10 arrows cannot be compared, since backward raised KeyError")
    assert summary.endswith(" and 3 more.")


class Dropped:
    """Dropout by hand, with a generator of its own, or one that it only borrows."""

    borrowed = np.random.default_rng(0)

    def __init__(self, own: bool) -> None:
        self.params: list[Any] = []
        self.grads: list[Any] = []
        if own:
            self.rng = np.random.default_rng(0)

    def forward(self, x: Array) -> Array:
        rng = self.__dict__.get("rng", self.borrowed)
        self.kept = rng.random(x.shape) > 0.5
        return np.where(self.kept, 2 * x, 0)

    def backward(self, dout: Array) -> Array:
        return np.where(self.kept, 2 * dout, 0)


def test_random_numbers_of_a_layer_by_hand_are_drawn_again_or_told_of() -> None:
    from chainrule.graph.verdicts import CHANGING

    W = np.random.default_rng(1).normal(size=(3, 3))
    assert net_graph(
        cr.Affine(W, np.zeros(3)), Dropped(own=True), cr.Affine(W, np.zeros(3))
    ).check()
    proof = net_graph(cr.Affine(W, np.zeros(3)), Dropped(own=False)).check()
    (row,) = [row for row in proof.rows if not row.ok]
    assert (row.node, row.note) == ("Dropped", CHANGING)
    assert f"cannot be compared, since {CHANGING}: ∂affine at Dropped." in proof.summary
    assert {end.note for end in proof.ends.values()} == {CHANGING}
    for own in (True, False):
        report = cr.check(cr.Sequential(Dropped(own), loss=cr.SoftmaxWithLoss()), X, T)
        assert [row.note for row in report.rows] == [CHANGING]


def test_complex_numbers_are_refused_in_a_sentence() -> None:
    x = Variable(2.0, "x")
    for graph in ((x * (1 + 2j)).graph, cr.sum(Variable([1j], "z") ** 2).graph):
        for use in (graph.check, graph.gradients, graph.backward):
            with pytest.raises(DTypeError, match=r"holds complex128, and gradients are taken"):
                use()
        with pytest.raises(DTypeError):
            graph.explain("L")
        assert {step.direction for step in graph.steps()} == {"forward"}
        assert graph.draw().svg
    with pytest.raises(DTypeError):
        cr.check(lambda x: x * 1j, np.ones(2))


def test_kinks_are_told_and_count_as_right() -> None:
    x = Variable(np.array([0.0, 1.0, -1.0]), "x")
    proof = cr.sum(cr.relu(x) * 3).graph.check(elements=True)
    assert proof
    row = proof.verdicts[x]
    assert row.ok
    assert row.kink
    assert row.verdict == str(row) == "ok, at a kink"

    class Steep(nodes.Node):
        def forward(self, x: Any) -> Any:
            return np.maximum(x, 0)

        def backward(self, dy: Any) -> Any:
            return np.where(self.inputs[0] >= 0, 1.5 * dy, 0)

    assert not cr.sum(apply(Steep(), x)).graph.check(elements=True)


def test_a_kink_of_a_hand_written_layer_too() -> None:
    class ByHand:
        slope = 0.0

        def __init__(self) -> None:
            self.params: list[Any] = []
            self.grads: list[Any] = []

        def forward(self, x: Array) -> Array:
            self.x = x
            return np.maximum(x, 0)

        def backward(self, dout: Array) -> Array:
            return np.where(self.x > 0, dout, self.slope * dout)

    kinked = np.zeros((2, 3))
    for slope, right in ((0.0, True), (0.3, False)):
        layer = ByHand()
        net = cr.Sequential(layer, loss=cr.MeanSquaredError())
        layer.slope = slope
        x = Variable(kinked if right else X[:2], "x")
        proof = net.forward(x, np.ones((2, 3))).graph.check()
        assert proof.ok is right, str(proof)
        assert any(row.kink for row in proof.rows) is right


def test_elements_say_which_one() -> None:
    class Off(nodes.Node):
        def forward(self, x: Any) -> Any:
            return x * x

        def backward(self, dy: Any) -> Any:
            off = np.zeros(self.inputs[0].shape)
            off[1, 2] = 1e-9
            return 2 * self.inputs[0] * dy * (1 + off)

    x = Variable(X, "x")
    proof = cr.sum(apply(Off(), x)).graph.check(elements=True)
    assert not proof
    assert proof.verdicts[x].place == "element (1, 2)"
    assert "at element (1, 2) backward gave" in str(proof)


def test_what_is_not_finite_says_so() -> None:
    x = Variable(np.array([0.0, 1.0, 2.0]), "x")
    proof = cr.sum(cr.log(x)).graph.check()
    assert not proof.ok
    assert [row.verdict for row in proof.rows] == ["not finite", "not finite"]
    text = str(proof)
    assert "the value is -∞ at [0], and 1 of 3 are not finite" in text
    assert "2 of 2 arrows carry NaN or infinity" in text
    assert "WRONG" not in text
    # A logit of -∞ is a probability of 0, whose gradient is in order.
    s = Variable(np.array([[-np.inf, 0.0, 1.0]]), "s")
    assert cr.sum(cr.softmax(s) * np.array([1.0, 2.0, 3.0])).graph.check()


def test_chinese_names_keep_the_columns() -> None:
    """A Chinese letter takes two cells of a terminal."""
    text = str(cr.sum(cr.tanh(Variable(X, "数据")) * Variable(X, "w")).graph.check())
    rows = [line for line in text.splitlines() if "Tanh" in line or " Mul " in line]
    places = {cells_wide(line[: line.index(" ok")]) for line in rows}
    assert len(rows) == 3
    assert len(places) == 1


@pytest.mark.parametrize(
    ("function", "at", "node"),
    [(cr.sqrt, [0.0, 4.0], "Sqrt"), (cr.log, [-1.0, 2.0], "Log"), (cr.log1p, [-3.0, 0.5], "Log1p")],
)
def test_where_there_is_no_slope_backward_is_not_called_wrong(
    function: Any, at: list[float], node: str
) -> None:
    """√ has none at 0, and log none below 0, though in complex numbers there are values beside."""
    proof = cr.sum(function(Variable(at, "x"))).graph.check()
    assert not proof.ok
    assert "WRONG" not in str(proof)
    assert f"has a slope that is not finite: ∂x at {node}." in proof.summary
    assert cr.sum(function(Variable([1e-3, 4.0], "x"))).graph.check()


def test_a_wrong_gradient_is_wrong_whatever_the_slope() -> None:
    """Beside a slope of 0, of rounding alone, or of a very large number."""

    class Wrong(nodes.Node):
        def forward(self, x: Any, y: Any) -> Any:
            return (x - x) * y + 1e12 * y

        def backward(self, dz: Any) -> Any:
            return dz * 1e-9, dz * 1e12 * (1 + 1e-9)

    proof = cr.sum(apply(Wrong(), Variable(X, "x"), Variable(X, "y"))).graph.check(elements=True)
    assert [row.verdict for row in proof.rows if row.node == "Wrong"] == ["WRONG", "WRONG"]


def test_float32_is_checked_to_the_last_digit_of_float64() -> None:
    net, graph = small_net(np.float32)
    params = [p.copy() for p in net.params]
    proof = graph.check(elements=True)
    assert proof, str(proof)
    assert all(row.allowed < 1e-10 for row in proof.rows)
    assert all(row.oracle == "complex step" for row in (*proof.rows, *proof.ends.values()))
    assert all(np.array_equal(p, q) for p, q in zip(net.params, params, strict=True))
    assert "All 13 arrows agree with the complex step, and so do all 5 inputs" in proof.summary


def test_dropout_and_norms_in_training() -> None:
    net = cr.Sequential(
        cr.Affine.sized(3, 4),
        cr.BatchNorm.sized(4),
        cr.Dropout(0.5),
        cr.LayerNorm.sized(4),
        cr.GELU(),
        cr.Affine.sized(4, 1),
        loss=cr.Huber(),
        seed=1,
    )
    graph = net.forward(Variable(X.astype(np.float32), "x"), X[:, :1]).graph
    proof = graph.check()
    assert proof, str(proof)
    assert len(proof.ends) == 1 + len(net.params)


def test_the_same_seed_gives_the_same_proof() -> None:
    _, graph = small_net()
    assert str(graph.check(seed=3)) == str(graph.check(seed=3)) != str(graph.check(seed=4))


def test_nothing_to_check_and_outputs_of_any_shape() -> None:
    x = Variable(X, "x")
    none = (x > 0).graph.check()
    assert none.ok
    assert "nothing to check" in none.summary
    assert cr.tanh(x).graph.check()
    assert cr.sum(x[:0]).graph.check()


def test_the_table_names_node_layer_and_arrow() -> None:
    _, graph = small_net()
    lines = str(graph.check()).splitlines()
    assert lines[0].split() == ["gradient", "into", "layer", "shape", "verdict", "error", "allowed"]
    assert lines[6].split()[:5] == ["∂sigmoid", "MatMul", "Affine2", "5×4", "ok"]
    assert lines[15].split()[:5] == ["∂x", "end", "to", "end", "-"]
