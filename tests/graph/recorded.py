"""Graphs for the tests of what reads them: a node of the table with a loss behind it, and networks."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.nodes.table import Case

import chainrule as cr
from chainrule.graph.graph import Graph
from chainrule.graph.variable import Variable, apply

NAMES = "abcdefgh"


def graph_of(case: Case, seed: int = 0) -> Graph:
    """The case's node on Variables a, b, …, its outputs weighted by random numbers to one loss."""
    rng = np.random.default_rng(seed)
    inputs = [
        Variable(x, NAMES[k], requires_grad=k in case.moving) for k, x in enumerate(case.inputs)
    ]
    out: Any = apply(case.node.bound((), ()), *inputs)
    outs = out if isinstance(out, tuple) else (out,)
    if not case.moving:
        return Graph(outs)
    total: Any = None
    for o in outs:
        w = Variable(rng.uniform(0.5, 1.5, o.shape) * rng.choice([-1.0, 1.0], o.shape), "w")
        part = cr.sum(o * w)
        total = part if total is None else total + part
    return Graph([total])


def the_node(graph: Graph, case: Case) -> Any:
    """The case's own node in its graph."""
    inside = [n for n in graph.nodes if type(n) is type(case.node)]
    return next(n for n in inside if any(v.name == "a" for v in n.inputs))


def small_net(dtype: Any = float, seed: int = 0) -> tuple[cr.Sequential, Graph]:
    """A network of two layers and its loss for five rows."""
    net = cr.Sequential(
        cr.Affine.sized(2, 4, dtype=dtype),
        cr.Sigmoid(),
        cr.Affine.sized(4, 3, dtype=dtype),
        loss=cr.SoftmaxWithLoss(),
        seed=seed,
    )
    x = np.random.default_rng(seed).normal(size=(5, 2)).astype(dtype)
    loss = net.forward(Variable(x, "x"), np.arange(5) % 3)
    return net, loss.graph
