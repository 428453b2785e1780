"""The computational graph of a network for some rows."""

from __future__ import annotations

import copy
from typing import Any

import numpy.typing as npt

from chainrule.engine.protocols import RecordableNetwork
from chainrule.errors import RecordingError
from chainrule.graph.graph import Graph
from chainrule.graph.mode import training_mode
from chainrule.graph.recording import recording
from chainrule.graph.variable import Variable
from chainrule.lang.messages import _
from chainrule.nodes.base import ignore_fp_errors

__all__ = ["graph_of_rows", "network_graph"]

Array = npt.NDArray[Any]


def network_graph(
    network: RecordableNetwork,
    x: npt.ArrayLike,
    t: npt.ArrayLike | None,
    sample_weight: npt.ArrayLike | None,
    training: bool | None,
) -> Graph:
    """The graph of the loss, or of the outputs (see `Network.graph`)."""
    twin = _copied(network)  # before `_prepare`, which runs the layers to find the outputs' shape
    if t is None:
        return _recorded(twin, twin._as_input(x), training=bool(training))
    rows, targets, weights = twin._prepare(x, t, sample_weight)
    return _recorded(twin, rows, targets, weights, training=training is None or bool(training))


def graph_of_rows(
    network: RecordableNetwork,
    x: Array,
    t: Array | None = None,
    w: Array | None = None,
    *,
    training: bool,
) -> Graph:
    """The same graph, for rows that are ready for the network."""
    return _recorded(_copied(network), x, t, w, training=training)


def _recorded(
    twin: RecordableNetwork,
    x: Array,
    t: Array | None = None,
    w: Array | None = None,
    *,
    training: bool,
) -> Graph:
    paths = {id(layer): path for path, layer in twin.named_layers()}
    rows = Variable(x.copy(), "x")
    targets = [
        Variable(array.copy(), name, requires_grad=False)
        for array, name in ((t, "t"), (w, "w"))
        if array is not None
    ]
    with training_mode(training), recording(), ignore_fp_errors():
        out = twin._record_loss(rows, *targets) if targets else twin._record_predict(rows)
    out.name = out.name or ("L" if targets else "y")
    return Graph([out], paths=paths)


def _copied(network: RecordableNetwork) -> RecordableNetwork:
    network._flatten_parameters()
    try:
        return copy.deepcopy(network)
    except Exception as error:  # whatever copying an attribute of a user's layer raises
        raise RecordingError(
            _(
                "{network} holds something that cannot be copied ({error}), and its graph is recorded on a"
                " copy, so that nothing changes. Keep modules, files and locks out of layers.",
                network=type(network).__name__,
                error=str(error),
            )
        ) from error
