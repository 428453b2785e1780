"""The computational graph of a network at work on some rows."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy.typing as npt

from chainrule.errors import RecordingError
from chainrule.graph.graph import Graph
from chainrule.graph.recording import recording
from chainrule.graph.variable import Variable
from chainrule.layers.mode import training_mode
from chainrule.nodes.base import quiet

if TYPE_CHECKING:
    from chainrule.networks.network import Network

__all__ = ["network_graph"]


def network_graph(
    network: Network,
    x: npt.ArrayLike,
    t: npt.ArrayLike | None,
    sample_weight: npt.ArrayLike | None,
    training: bool | None,
) -> Graph:
    """The graph of the loss, or of the outputs (see `Network.graph`)."""
    network.adopt()
    twin = _copied(network)
    paths = {id(layer): path for path, layer in twin.named_layers()}
    inputs, targets = _entering(twin, x, t, sample_weight)
    with training_mode(bool(targets) if training is None else training), recording(), quiet():
        out = twin.record_loss(inputs, *targets) if targets else twin.record_predict(inputs)
    out.name = out.name or ("L" if targets else "y")
    return Graph([out], paths=paths)


def _copied(network: Network) -> Network:
    try:
        return copy.deepcopy(network)
    except Exception as error:  # whatever the user's own layers hold
        raise RecordingError(
            f"{type(network).__name__} holds something that cannot be copied ({error}), and its graph is"
            " recorded on a copy, so that nothing changes. Keep modules, files and locks out of layers."
        ) from error


def _entering(
    network: Network,
    x: npt.ArrayLike,
    t: npt.ArrayLike | None,
    sample_weight: npt.ArrayLike | None,
) -> tuple[Variable, list[Variable]]:
    """The rows; and their targets and weights, as far as there are any."""
    if t is None:
        return Variable(network.entering(x).copy(), "x"), []
    rows, targets, weights = network.prepare(x, t, sample_weight)
    given = [(targets, "t")] + ([] if weights is None else [(weights, "w")])
    return Variable(rows.copy(), "x"), [
        Variable(array.copy(), name, requires_grad=False) for array, name in given
    ]
