"""Where an operation was written: the user's line, wherever it stands, and a layer's formula line."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule as cr
from chainrule.graph.graph import Graph
from chainrule.graph.sources import SourceLine, line_of
from chainrule.graph.steps import source_lines


def last_line(v: Any) -> SourceLine:
    graph = v.graph
    return source_lines(graph, graph.nodes[-1])[-1]


def test_operators_functions_and_numpys_own_lead_to_the_users_line() -> None:
    x = cr.Variable(np.array([0.5, 0.25]), name="x")
    for v, part in (
        (x * 2, "x * 2"),
        (3 / x, "3 / x"),
        (cr.tanh(x), "cr.tanh(x)"),
        (np.exp(x), "np.exp(x)"),
        (np.sum(x, axis=0), "np.sum(x, axis=0)"),
        (x[1:], "x[1:]"),
        (x.sum(), "x.sum()"),
        (np.linalg.norm(x), "np.linalg.norm(x)"),
        (cr.nodes.Add().forward(x, x), "cr.nodes.Add().forward(x, x)"),
        ((lambda y: y**2)(x), "y**2"),
    ):
        line = last_line(v)
        assert line.file == __file__
        assert line.part == part
        assert line.part in line.text


def test_an_expression_over_several_lines_is_told_as_one() -> None:
    größe, y = cr.Variable(2.0), cr.Variable(3.0)
    z = (
        größe * y
        + cr.exp(
            y
        )
    )  # fmt: skip
    assert last_line(z).text.startswith("größe * y + cr.exp( y )")
    assert last_line(z).part == "größe * y + cr.exp( y )"
    graph = z.graph
    product = next(n for n in graph.nodes if type(n).__name__ == "Mul")
    assert source_lines(graph, product)[0].part == "größe * y"


class Block(cr.Layer):
    def __init__(self) -> None:
        super().__init__(a=np.array([2.0]))
        self.inner = cr.Affine(np.eye(2), np.zeros(2))

    def formula(self, x: Any, a: Any) -> Any:
        return self.inner(x) * a


def test_inside_a_layer_both_the_call_and_the_formula_are_told() -> None:
    out = Block().forward(cr.Variable(np.ones((1, 2))))
    graph = out.graph
    product, _, add, repeat, mul = graph.nodes
    assert type(repeat).__name__ == "Repeat"
    texts = [line.text for line in source_lines(graph, mul)]
    assert texts == [
        "out = Block().forward(cr.Variable(np.ones((1, 2))))",
        "return self.inner(x) * a",
    ]
    lines = source_lines(graph, add)
    assert [line.text for line in lines] == [*texts, "return _product(self, x, W) + b"]
    assert source_lines(graph, product)[-1].part == "x @ W"
    assert lines[-1].file.endswith("affine.py")


def test_a_branch_was_written_by_nobody() -> None:
    x = cr.Variable(2.0)
    graph = (x * x).graph
    assert source_lines(graph, graph.nodes[0]) == ()


def test_source_that_is_not_to_be_had() -> None:
    space: dict[str, Any] = {"x": cr.Variable(2.0)}
    exec(compile("y = x * 3", "<nowhere>", "exec"), space)
    line = last_line(space["y"])
    assert (line.file, line.line, line.text, line.part) == ("<nowhere>", 1, "", "")
    assert str(line) == "<nowhere>:1"


def test_a_gradient_of_a_gradient_leads_to_the_line_that_asked_for_it() -> None:
    x = cr.Variable(2.0)
    y = cr.grad(lambda v: v * v * v)(x)
    assert last_line(y).part == "cr.grad(lambda v: v * v * v)(x)"


def test_places_are_kept_without_the_frames() -> None:
    x = cr.Variable(2.0)
    y = x * 2
    call = y.call
    assert call is not None
    assert call.place is not None
    code, _ = call.place
    assert code is test_places_are_kept_without_the_frames.__code__
    assert line_of(call.place).part == "x * 2"


def test_names_of_arrows_and_layers() -> None:
    shared = cr.Affine.sized(2, 2, seed=0)
    x = cr.Variable(np.ones((3, 2)), name="x")
    h = shared(x)
    y = shared(cr.tanh(h))
    t = np.ones((3, 2))
    loss = cr.mean((y - t) ** 2)
    graph = Graph([loss])
    names = set(graph.names.values())
    assert {"x", "W", "b", "affine1", "affine2", "tanh", "constant", "sub", "pow", "L"} <= names
    assert {"W→matmul1", "W→matmul2"} <= names
    assert len(names) == len(graph.names)
    assert sorted(graph.layers.values()) == ["Affine1", "Affine2"]


def test_parameters_are_numbered_by_their_layer() -> None:
    net = cr.Sequential(
        cr.Affine.sized(2, 2), cr.MatMul.sized(2, 2), cr.LayerNorm.sized(2), cr.Affine.sized(2, 1)
    )
    graph = net.predict(cr.Variable(np.ones((3, 2), np.float32), name="x")).graph
    parameters = [graph.names[v] for v in graph.inputs if isinstance(v, cr.Parameter)]
    assert parameters == ["W1", "b1", "W2", "gamma", "beta", "W4", "b4"]
    assert graph.names[graph.outputs[0]] == "affine2"


def test_equal_names_are_told_apart() -> None:
    x, other, L = cr.Variable(1.0, "x"), cr.Variable(2.0, "x"), cr.Variable(3.0, "L")
    graph = (x * other + L).graph
    assert [graph.names[v] for v in (x, other, L)] == ["x1", "x2", "L"]
    assert graph.names[graph.outputs[0]] == "add"
    twice = (x * x).graph
    assert sorted(twice.names.values()) == ["L", "x", "x→L.1", "x→L.2"]
