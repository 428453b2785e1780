"""Lines of kernels and of written programs tell which nodes they compute."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.engine.compiled.marks import unmarked
from chainrule.engine.compiled.step import CompiledStep
from chainrule.engine.origins import Origin
from chainrule.graph.graph import Graph
from chainrule.nodes import Branch

Lines = list[tuple[str, frozenset[Origin]]]

#: What a line that computes a node has in it, whoever wrote it.
WRITTEN = {
    "Tanh": r"tanh\(",
    "Sigmoid": r"exp|sigmoid",
    "ReLU": r"maximum\(",
    "MatMul": r"dot\(|affine",
    "SoftmaxCrossEntropy": r"exp|log1p|max|where|scores|rest|own|a_t|losses",
}


def networks() -> dict[str, tuple[Any, Any]]:
    def affine(inputs: int, outputs: int) -> cr.Affine:
        return cr.Affine.sized(inputs, outputs, dtype=np.float64)

    return {
        "tanh": (
            cr.Sequential(
                affine(3, 4), cr.Tanh(), affine(4, 1), cr.Tanh(),
                loss=cr.layers.HalfSquaredError(), seed=0,
            ),
            cr.SGD(lr=0.1),
        ),
        "dropout": (
            cr.Sequential(
                affine(3, 6), cr.ReLU(), cr.Dropout(0.3, seed=1),
                affine(6, 5), cr.Sigmoid(), affine(5, 2),
                loss=cr.SoftmaxWithLoss(), seed=0,
            ),
            cr.Adam(lr=0.1, weight_decay=0.1),
        ),
    }  # fmt: skip


def made(name: str) -> tuple[Graph, Lines, Lines, str, str]:
    """The graph, the lines of the program and of the kernel, and the kernel's text with and without."""
    network, optimizer = networks()[name]
    x = np.random.default_rng(0).normal(size=(20, 3))
    t = np.arange(20) % 2 if name == "dropout" else np.sign(x[:, :1])
    graph = network.graph(x, t, training=True)
    script = network.script(optimizer, x, t, epochs=1, batch_size=10)
    data = [("x", x), ("t", t)]
    plain = CompiledStep(network, optimizer, data, 10, threads=1).text
    told = CompiledStep(network, optimizer, data, 10, threads=1, origins=True).text
    assert not plain.origins
    lines = [
        [(line, origins.get(k, frozenset())) for k, line in enumerate(text.splitlines())]
        for text, origins in ((script.text, script.origins), (told.source, told.origins))
    ]
    return graph, lines[0], lines[1], plain.source, told.source


@pytest.mark.parametrize("name", networks())
def test_lines_tell_the_nodes_that_they_compute(name: str) -> None:
    graph, program, kernel, plain, told = made(name)
    assert told == plain  # the marks are off, and have changed nothing
    assert "#@" not in told
    for lines in (program, kernel):
        named = {origin for _, origins in lines for origin in origins}
        assert all(0 <= node < len(graph.nodes) for node, _ in named)
        for k, node in enumerate(graph.nodes):
            kind = type(node).__name__
            if kind not in WRITTEN:
                continue
            assert {Origin(k, False), Origin(k, True)} <= named, (kind, k)
            own = [line for line, origins in lines if Origin(k, False) in origins]
            assert any(re.search(WRITTEN[kind], line) for line in own), (kind, own)
    # On the way back each matrix product has a line for the gradient of its weights.
    products = [k for k, node in enumerate(graph.nodes) if type(node).__name__ == "MatMul"]
    for number, k in enumerate(products, 1):
        for lines in (program, kernel):
            back = [line for line, origins in lines if Origin(k, True) in origins]
            assert any(f"dW{number}" in line for line in back), back


@pytest.mark.parametrize("name", networks())
def test_nodes_have_the_numbers_of_the_graph_of_the_loss(name: str) -> None:
    """A step also writes buffers, such as a count of steps, whose nodes that graph does not have."""
    graph, program, kernel, _, _ = made(name)
    tanh = {"tanh": "Tanh", "dropout": "Sigmoid"}[name]
    wanted = {k for k, node in enumerate(graph.nodes) if type(node).__name__ == tanh}
    for lines in (program, kernel):
        text = {"Tanh": r"np\.tanh\(|= tanh\(", "Sigmoid": r"exp\(|sigmoid"}[tanh]
        lined = [o for line, origins in lines if re.search(text, line) for o in origins]
        forward = {node for node, backward in lined if not backward}
        kinds = {type(graph.nodes[node]).__name__ for node in forward}
        assert wanted <= forward
        assert tanh in kinds
        assert not any(isinstance(graph.nodes[node], Branch) for node in forward)


def test_marks_are_taken_off() -> None:
    text, origins = unmarked("a = 1  #@ 0.0 3.1\n    b = 2\nc = a  #@ 12.0")
    assert text == "a = 1\n    b = 2\nc = a"
    assert origins == {0: {Origin(0, False), Origin(3, True)}, 2: {Origin(12, False)}}
