"""The picture of a network at work on some rows."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Unpack

from chainrule.drawing.drawing import Drawing, DrawOptions, draw_graph
from chainrule.graph.graph import Graph
from chainrule.graph.variable import Variable, recording
from chainrule.layers.mode import training_mode
from chainrule.nodes.base import quiet

if TYPE_CHECKING:
    from chainrule.networks import Network

__all__ = ["draw_network", "network_graph"]


def network_graph(network: Network, x: Any, t: Any = None) -> tuple[Graph, dict[int, str]]:
    """The graph of the outputs for x, or of the loss if t is given, and its layers' names.

    It is recorded on a copy, so that nothing of the network changes, and that later training
    does not change the graph.
    """
    network.adopt()
    twin = copy.deepcopy(network)
    names = {id(layer): name for name, layer in twin.named_layers()}
    if t is None:
        x, w = twin.entering(x), None
    else:
        x, t, w = twin.prepare(x, t)
    x_ = Variable(x.copy(), "x", requires_grad=False)
    with training_mode(t is not None), recording(), quiet():
        if t is None:
            out = twin.record_predict(x_)
        else:
            t_ = Variable(t.copy(), "t", requires_grad=False)
            w_ = None if w is None else Variable(w, "w", requires_grad=False)
            out = twin.record_loss(x_, t_, w_)
    out.name = out.name or ("y" if t is None else "L")
    return Graph([out]), names


def draw_network(network: Network, x: Any, t: Any, **options: Unpack[DrawOptions]) -> Drawing:
    """The picture that `Network.draw` gives."""
    graph, names = network_graph(network, x, t)
    return draw_graph(graph, layer_names=names, **options)
