"""The answer of a model as a function with a gradient: its outputs, and the log-odds of a class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chainrule.datasets.parts import Layout
from chainrule.errors import SettingError
from chainrule.graph import functions
from chainrule.lang.messages import _
from chainrule.layers import CategoryEmbedding, CrossEntropyError, SigmoidWithLoss
from chainrule.networks import Ensemble, Network, Sequential
from chainrule.nodes.base import Value

__all__ = ["log_odds", "outputs_of"]

Ids = npt.NDArray[np.int64]
Places = list[npt.NDArray[np.intp]]

#: What is taken from the score of a class so that it plays no part among the others.
FAR = 1e9


def outputs_of(network: Network, z: Value, layout: Layout, places: Places) -> Value:
    """The outputs for rows of `layout.one_hot`, in which a category may be there in part.

    `places` are the columns of z that stand for the rows of a CategoryEmbedding, one set a column.
    Where the network looks up the weights of a category, they are here the mean of all weights by
    these parts, which is the same for a whole category and has a gradient.
    """
    if not layout.columns:
        return network.predict(z)
    if isinstance(network, Ensemble):
        members = [outputs_of(member, z, layout, places) for member in network.members]
        mean: Value = network.loss.average(members, network.weights)
        return mean
    first = network.sequence[0] if isinstance(network, Sequential) and network.sequence else None
    if isinstance(first, Sequential):
        h = outputs_of(first, z, layout, places)
    elif isinstance(first, CategoryEmbedding):
        numbers = z.shape[1] - layout.rows
        looked_up = [z[:, own] @ first.W[own - numbers] for own in places]
        h = (
            functions.concatenate([z[:, :numbers], *looked_up], axis=1)
            if numbers
            else (functions.concatenate(looked_up, axis=1))
        )
    else:
        raise SettingError(
            _(
                "{network} does not begin with a CategoryEmbedding, so it is not known where it looks up the"
                ' categories of its table. Encode them in another way: encoding="robust".',
                network=type(network).__name__,
            )
        )
    for layer in network.sequence[1:]:
        h = layer.predict(h) if isinstance(layer, Network) else layer.forward(h)
    return h


def log_odds(network: Network, outputs: Value, ids: Ids) -> Value:
    """log p/(1 - p) of a class for each row (n,), from the outputs of the network."""
    if isinstance(network.loss, SigmoidWithLoss):  # one score: the log-odds of class 1
        return functions.reshape(outputs, (-1,)) * np.where(ids == 1, 1, -1).astype(outputs.dtype)
    if isinstance(network.loss, CrossEntropyError):
        outputs = functions.log(outputs + np.finfo(outputs.dtype).tiny)
    hot = (ids[:, None] == np.arange(outputs.shape[1])).astype(outputs.dtype)
    others = functions.logsumexp(outputs - hot * FAR, axis=1)
    return functions.sum(outputs * hot, axis=1) - others
