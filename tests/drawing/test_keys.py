"""Steps, verdicts and pictures speak of the same arrows, nodes and layers by the same names."""

from __future__ import annotations

import pytest
from tests.drawing.reading import root

import chainrule as cr
from chainrule.graph.graph import Graph

X, T = cr.datasets.spiral()


def shown(svg: str, what: str) -> list[str]:
    """What elements of the picture say they show, each once, in order."""
    found = [element.get(f"data-{what}") for element in root(svg).iter()]
    return list(dict.fromkeys(name for name in found if name is not None))


def graphs() -> dict[str, Graph]:
    x = cr.Variable([[1.0, -2.0]], "x")
    return {
        "expression": cr.sum(cr.sigmoid(x * x + 2) * x).graph,
        "quoted": cr.exp(cr.Variable(1.0, 'a"<&')).graph,
        "network": cr.TwoLayerNet(2, 4, 3).graph(X[:3], T[:3]),
        "detail": cr.TwoLayerNet(2, 4, 3).graph(X[:3], T[:3]).detailed(),
    }


@pytest.mark.parametrize("name", list(graphs()))
def test_every_step_and_every_verdict_is_found_in_the_picture(name: str) -> None:
    graph = graphs()[name]
    svg = graph.draw(fold=False).svg
    arrows, nodes, layers = (shown(svg, what) for what in ("arrow", "node", "layer"))
    assert len(set(graph.names.values())) == len(graph.names)
    assert set(arrows) == set(graph.names.values())
    assert sorted(map(int, nodes)) == list(range(len(graph.nodes)))
    assert set(layers) <= set(graph.layers.values())
    for step in graph.steps():
        assert str(step.index) in nodes
        for flow in (*step.inputs, *step.reads, *step.outputs):
            assert flow.arrow in arrows or (flow.arrow is None and flow.is_number)
    for row in graph.check().rows:
        assert row.arrow in arrows


def test_a_step_inside_a_folded_layer_is_found_by_the_layer() -> None:
    graph = graphs()["network"]
    svg = graph.draw(fold=True).svg
    layers = shown(svg, "layer")
    assert layers == ["Affine1", "Sigmoid", "Affine2", "SoftmaxWithLoss"]
    assert not shown(svg, "node")
    assert {step.layer for step in graph.steps()} == set(layers)


def test_the_names_of_the_same_computation_are_the_same() -> None:
    first, second = graphs()["network"], graphs()["network"]
    assert list(first.names.values()) == list(second.names.values())
    assert first.draw().svg == second.draw().svg
