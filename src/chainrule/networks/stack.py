"""Networks made of weights alone: a stack of Linear or Dense layers with norms, of PyTorch or Keras."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.errors import DataError, SettingError
from chainrule.lang.messages import Text, _, listed
from chainrule.layers import Affine, BatchNorm, LayerNorm, MatMul
from chainrule.layers.base import Layer
from chainrule.networks.state_dict import Group, groups_in

__all__ = ["stack_of"]

#: What the frameworks take by default, and no state dict says: ε of both norms, momentum of BatchNorm.
_EPS = {"pytorch": 1e-5, "keras": 1e-3}
_MOMENTUM = {"pytorch": 0.9, "keras": 0.99}


def stack_of(weights: object, activation: object) -> list[object]:
    """The layers of a stack's weights, with the activations (see `Sequential.from_state_dict`)."""
    if isinstance(weights, Sequence) and not isinstance(weights, str | bytes):
        weights = _named(weights)
    layout, groups = groups_in(weights)
    dtype = np.result_type(np.float32, *(a for g in groups for a in g.arrays.values()))
    layers: list[object] = [_layer(group, layout, dtype) for group in groups]
    places = [i for i, layer in enumerate(layers) if isinstance(layer, Affine | MatMul)]
    if not places:
        raise DataError(_("There is no weight of a Linear or Dense layer among the arrays."))
    gaps = _gaps(groups, layers, places)
    several = isinstance(activation, Sequence) and not isinstance(activation, str)
    given: list[object] = list(activation) if several else [activation] * len(gaps)  # type: ignore[call-overload]
    if len(given) != len(gaps):
        raise SettingError(
            _(
                "activation: one for all, or a list of {n}, one after each layer but the last; got {given}.",
                n=len(gaps),
                given=len(given),
            )
        )
    for i, one in sorted(zip(gaps, given, strict=True), reverse=True, key=lambda pair: pair[0]):
        if one is not None:
            layers.insert(i, one)
    return layers


def _gaps(groups: Sequence[Group], layers: Sequence[object], places: list[int]) -> list[int]:
    """The indices before which the activations go.

    PyTorch's Sequential numbers its layers: a number left out is a layer without arrays. Elsewhere a norm
    may stand before or behind the activation.
    """
    tails = [group.path.rpartition(".")[2] for group in groups]
    numbers = [int(tail) for tail in tails if tail.isdecimal()]
    if len(numbers) == len(groups) and numbers == sorted(set(numbers)):
        found = []
        for start, end in pairwise(places):
            free = [i for i in range(start, end) if numbers[i + 1] > numbers[i] + 1]
            found += [i + 1 for i in free[:1]]
        return found
    norms = [
        group.path
        for group, layer in zip(groups, layers, strict=True)
        if isinstance(layer, LayerNorm | BatchNorm)
    ]
    if norms:
        raise SettingError(
            _(
                "The names do not tell whether the activations come before or after the norms ({names})."
                " Make the network, and fill it: network.load_state_dict(weights).",
                names=listed(norms[:10]),
            )
        )
    return places[1:]


def _layer(group: Group, layout: str, dtype: np.dtype[Any]) -> Layer:
    """The layer of a group of arrays."""
    arrays = {role: np.asarray(array, dtype) for role, array in group.arrays.items()}
    shapes = {role: array.ndim for role, array in arrays.items()}
    if shapes == {"weight": 2, "bias": 1}:
        return Affine(np.ascontiguousarray(arrays["weight"].T), arrays["bias"])
    if shapes == {"kernel": 2, "bias": 1}:
        return Affine(arrays["kernel"], arrays["bias"])
    if shapes == {"kernel": 2}:
        return MatMul(arrays["kernel"])
    gamma, beta = ("weight", "bias") if layout == "pytorch" else ("gamma", "beta")
    mean, var = (
        ("running_mean", "running_var")
        if layout == "pytorch"
        else ("moving_mean", "moving_variance")
    )
    if shapes == {gamma: 1, beta: 1}:
        return LayerNorm(arrays[gamma], arrays[beta], eps=_EPS[layout])
    if shapes == {gamma: 1, beta: 1, mean: 1, var: 1}:
        norm = BatchNorm(arrays[gamma], arrays[beta], momentum=_MOMENTUM[layout], eps=_EPS[layout])
        norm.running_mean, norm.running_var = arrays[mean], arrays[var]
        return norm
    what: Text
    if shapes == {"weight": 2}:
        what = _("a Linear layer without bias, or an Embedding")
    elif shapes == {"embeddings": 2}:
        what = _("an Embedding, and what comes behind it is not known")
    else:
        what = _("no layer that is known")
    described = [f"{role} {array.shape}" for role, array in group.arrays.items()]
    raise SettingError(
        _(
            "{path} has {arrays}: {what}. Make the network, and fill it: network.load_state_dict(weights).",
            path=group.path or "-",
            arrays=listed(described),
            what=what,
        )
    )


def _named(arrays: Sequence[Any]) -> dict[str, Any]:
    """A list of arrays, as Keras' get_weights gives it for a stack of Dense layers, with names."""
    named: dict[str, Any] = {}
    for i, array in enumerate(arrays):
        ndim = np.ndim(array)
        if ndim == 2:
            named[f"dense_{i}/kernel"] = array
            last = i
        elif ndim == 1 and i and np.ndim(arrays[i - 1]) == 2:
            named[f"dense_{last}/bias"] = array
        else:
            raise SettingError(
                _(
                    "Array {i} of the list, of shape {shape}, is neither the kernel nor the bias of a Dense"
                    " layer. Make the network, and fill it: network.load_state_dict(weights).",
                    i=i,
                    shape=np.shape(array),
                )
            )
    return named
