"""graph.detailed(): the same numbers by simpler nodes, and words where those overflow."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from tests.graph.recorded import graph_of, small_net, the_node
from tests.nodes.shares import shares
from tests.nodes.table import TABLE, draw

import chainrule as cr
from chainrule import nodes
from chainrule.errors import SettingError, ShapeError
from chainrule.graph.detail import DetailedGraph
from chainrule.graph.graph import Graph
from chainrule.graph.scopes import Scope
from chainrule.graph.variable import Variable

UNFOLDS = {
    name for name in nodes.__all__ if getattr(nodes, name).decompose is not nodes.Node.decompose
}


def titles(graph: Graph) -> list[str]:
    return [node.label for node in graph.nodes]


def agree(graph: Graph, detail: DetailedGraph) -> None:
    """Values and gradients of the arrows both have, to 1e-14 of the numbers they are made of."""
    for v, w in detail.shared.items():
        assert v.shape == w.shape
        assert v.dtype == w.dtype
        close(v.data, w.data, graph.names[v])
    if not graph.outputs[0].requires_grad:
        return
    here, there = detail.gradients(), graph.gradients()
    for v, w in detail.shared.items():
        assert (v in there) == (w in here), graph.names[v]
        if v in there:
            close(there[v], here[w], f"∂{graph.names[v]}")


def close(a: Any, b: Any, name: str) -> None:
    scale = 1 + np.max(np.abs(a), initial=0) if a.dtype.kind == "f" else 1
    assert np.all(np.abs(a * 1.0 - b * 1.0) <= 1e-14 * scale), (name, a, b)


@pytest.mark.parametrize("levels", [1, 2, None])
@pytest.mark.parametrize("name", sorted(TABLE))
@shares(10, 25)
def test_both_levels_give_the_same_numbers(name: str, levels: int | None, cases: range) -> None:
    for i in cases:
        case, _ = draw(name, i)
        graph = graph_of(case)
        before = graph.outputs[0].data.copy()
        detail = graph.detailed(levels)
        agree(graph, detail)
        assert detail.overflows == ()
        assert detail.folded is graph
        assert np.array_equal(graph.outputs[0].data, before)
        kinds = set(titles(detail)) - {"Branch"}
        if name in UNFOLDS:
            assert name not in kinds
            node = the_node(graph, case)
            inside = {w for w, v in detail.inside.items() if v is node.outputs[0]}
            assert detail.shared[node.outputs[0]] in inside
            assert len(inside) >= 2
        else:
            assert titles(detail) == titles(graph)
            assert not detail.inside


def test_the_sigmoid_is_the_chapters_four_nodes() -> None:
    x = Variable([0.5, -2.0], "x")
    graph = cr.sum(cr.sigmoid(x)).graph
    detail = graph.detailed()
    assert titles(detail) == ["Neg", "Exp", "Add", "Div", "Sum"]
    assert [detail.names[node.outputs[0]] for node in detail.nodes] == [
        *("neg", "exp", "add", "sigmoid"),
        "L",
    ]
    assert set(detail.layers.values()) == {"Sigmoid"}
    assert detail.check()


def test_softmax_with_loss_is_softmax_and_cross_entropy_and_these_go_on() -> None:
    _, graph = small_net()
    first, second, last = (graph.detailed(k) for k in (1, 2, None))
    assert titles(first)[-3:] == ["Softmax", "CrossEntropy", "Mean"]
    assert titles(second)[-9:] == [
        *("Exp", "Branch", "Sum", "Repeat", "Div"),
        *("Index", "Log", "Neg"),
        "Mean",
    ]
    assert titles(last) == titles(second)
    for detail in (first, second, last):
        agree(graph, detail)
        assert detail.check(), str(detail.check())
    scopes = [second.scopes[node] for node in second.nodes]
    inner: Scope | None = next(s for s in scopes if s and second.layers[s] == "CrossEntropy")
    around = []
    while inner is not None:
        around.append(second.layers[inner])
        inner = inner.outer
    assert around == ["CrossEntropy", "SoftmaxCrossEntropy", "SoftmaxWithLoss"]
    # A Sigmoid layer that holds a Sigmoid node is one box, not two.
    assert sorted(first.layers.values()) == [
        *("Affine1", "Affine2", "Sigmoid"),
        *("SoftmaxCrossEntropy", "SoftmaxWithLoss"),
    ]


def test_shared_arrows_keep_names_and_lines() -> None:
    x = Variable([[0.5, -2.0]], "x")
    h = cr.tanh(x)
    h.name = "h"
    graph = cr.sum(h * h).graph
    detail = graph.detailed()
    assert detail.shared[x] is x
    assert detail.names[detail.shared[h]] == "h"
    lines = {step.source[-1].text for step in detail.steps() if step.source}
    assert lines == {"h = cr.tanh(x)", "graph = cr.sum(h * h).graph"}


def test_parameters_stay_writeable_and_gradients_reach_them() -> None:
    net, graph = small_net()
    graph.backward()
    detail = graph.detailed(None)
    assert all(p.flags.writeable for p in net.params)
    kept = [g.copy() for g in net.grads]
    detail.backward()
    for g, k in zip(net.grads, kept, strict=True):
        assert np.allclose(g, k, rtol=1e-13)


def test_overflow_is_told_in_words() -> None:
    x = Variable([0.0, -1000.0], "x")
    detail = cr.sigmoid(x).graph.detailed()
    assert [str(o) for o in detail.overflows] == [
        "exp[1]: e^1000 overflows to ∞; the chain ends in sigmoid[1] = 0 all the same, as the"
        " Sigmoid node does",
        "add[1]: 1 + ∞ is ∞; the chain ends in sigmoid[1] = 0 all the same, as the Sigmoid node does",
    ]
    assert [(o.place, o.count) for o in detail.overflows] == [(1, 1), (1, 1)]
    assert all(o.arrow in detail.inside for o in detail.overflows)
    tanh = cr.sum(cr.tanh(Variable([[1.0, 800.0]], "x"))).graph.detailed()
    told = [str(o) for o in tanh.overflows]
    assert told[0] == (
        "exp1[0,1]: e^800 overflows to ∞; the Tanh node computes it another way: tanh[0,1] = 1"
    )
    assert "tanh[0,1]: ∞ / ∞ is NaN; the Tanh node computes it another way: tanh[0,1] = 1" in told
    assert told[-1] == "L is NaN; folded, L = 1.762"
    assert np.isnan(tanh.outputs[0].data)


def test_the_naive_softmax_loses_the_loss() -> None:
    s = Variable([[1000.0, 0.0], [0.0, 1.0]], "s")
    graph = cr.mean(cr.softmax_cross_entropy(s, np.array([1, 0]))).graph
    first, last = graph.detailed(), graph.detailed(None)
    # Softmax itself is safe; what is lost in between is the small probability.
    assert [str(o) for o in first.overflows] == [
        "softmaxcrossentropy[0] is ∞; the SoftmaxCrossEntropy node computes it another way:"
        " softmaxcrossentropy[0] = 1000",
        "L is ∞; folded, L = 500.7",
    ]
    assert str(last.overflows[0]).startswith("exp[0,0]: e^1000 overflows to ∞")
    assert any("log(0) is -∞" in str(o) for o in last.overflows)
    assert graph.detailed().overflows
    fine = cr.mean(cr.softmax_cross_entropy(s * 0.01, np.array([1, 0]))).graph
    assert fine.detailed(None).overflows == ()


def test_what_overflows_in_both_is_no_news() -> None:
    x = Variable([1000.0, 1.0], "x")
    assert cr.exp(x).graph.detailed().overflows == ()
    assert cr.sigmoid(cr.exp(x)).graph.detailed().overflows == ()


def test_levels_are_checked_and_a_graph_without_detail_comes_back_as_it_is() -> None:
    x = Variable([1.0, 2.0], "x")
    graph = cr.sum(x * x).graph
    assert titles(graph.detailed(None)) == titles(graph)
    wrong: list[Any] = [0, "a", 1.5, True]
    for levels in wrong:
        with pytest.raises(
            SettingError, match=r"detailed: levels=.* must be a whole number from 1"
        ):
            graph.detailed(levels)
    agree(graph, graph.detailed(5))


def test_a_node_of_ones_own_unfolds_too() -> None:
    class Cube(cr.nodes.Node):
        formula = "y = x^3"
        gradients: ClassVar = {"x": "dy · 3 · x^2"}

        def forward(self, x: Any) -> Any:
            return x**3

        def backward(self, dy: Any) -> Any:
            (x,) = self.inputs
            return dy * 3 * x**2

        def decompose(self, x: Any) -> Any:
            return x * x * x

    x = Variable([1.5, -2.0], "x")
    graph = cr.sum(Cube().forward(x)).graph
    detail = graph.detailed()
    assert titles(detail) == ["Branch", "Mul", "Mul", "Sum"]
    agree(graph, detail)


def test_gradients_that_overflow_are_told_from_the_first_on() -> None:
    x, w = Variable([0.0, -1000.0], "x"), Variable([2.0, 1.0], "w")
    detail = cr.sum(cr.sigmoid(x * w)).graph.detailed()
    assert [str(o) for o in detail.gradient_overflows()] == [
        "∂neg[1]: 0 · ∞ is NaN; the Sigmoid node sends back ∂mul[1] = 0",
        "∂mul[1] is NaN; folded, ∂mul[1] = 0",
        "∂x[1] is NaN; folded, ∂x[1] = 0",
        "∂w[1] is NaN; folded, ∂w[1] = 0",
    ]
    gradients = detail.gradients()
    for overflow in detail.gradient_overflows():
        bad = np.flatnonzero(~np.isfinite(gradients[overflow.arrow]))
        assert (overflow.place, overflow.count) == (bad[0], len(bad))
    every = {v for v, g in gradients.items() if not np.isfinite(g).all()}
    assert every == {o.arrow for o in detail.gradient_overflows()}


def test_of_an_output_of_several_numbers_the_seed_is_asked_for() -> None:
    graph = cr.sigmoid(Variable([0.0, -1000.0], "x")).graph.detailed()
    assert len(graph.gradient_overflows(np.ones(2))) == 2
    assert graph.gradient_overflows(np.array([1.0, 0.0])) != ()  # 0 · ∞ all the same
    with pytest.raises(ShapeError):
        graph.gradient_overflows()
    assert cr.sigmoid(Variable([0.0], "x")).graph.detailed().gradient_overflows() == ()
    assert cr.sum(cr.sqrt(Variable([0.0, 1.0], "x"))).graph.detailed().gradient_overflows() == ()
