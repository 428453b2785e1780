"""A network as JSON, and back: its layers with their settings and arrays.

A layer is rebuilt by calling its class with its arrays and its settings, `cls(**arrays, **settings)`.
`architecture_checks` has looked at every key before.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chainrule.errors import ChainruleError, FormatError, SettingError, shown
from chainrule.files.kinds import LAYERS, LOSSES, NETWORKS, Json, Kind
from chainrule.graph.variable import Array
from chainrule.lang.messages import Text, _, listed, sentences
from chainrule.layers import Dropout, Function, Layer
from chainrule.layers.base import dotted
from chainrule.layers.function import KEPT
from chainrule.layers.opaque import OpaqueLayer
from chainrule.networks import Ensemble, Network, Sequential

__all__ = ["build", "describe"]

_SAVING = "numpy.savez(path, **{name: p.data for name, p in network.named_parameters().items()})"
_BY_HAND = _("Keep its arrays with {saving}, and make the network in code again.", saving=_SAVING)


# -- to JSON ------------------------------------------------------------------------------------


def describe(network: Network) -> Json:
    """The network as plain lists, numbers and texts.

    Raises:
        SettingError: a part of it can only be rebuilt by the user's own code.
    """
    network._flatten_parameters()
    paths: dict[int, str] = {}
    owners = {
        id(parameter): dotted(prefix, name)
        for prefix, layer in network.named_layers()
        for name, parameter in layer._parameters.items()
    }
    return _describe_network(network, "", paths, owners)


def _describe_network(
    network: Network, prefix: str, paths: dict[int, str], owners: dict[int, str]
) -> Json:
    cls = type(network)
    own = {
        name
        for base in cls.__mro__
        if base not in NETWORKS.values() and issubclass(base, Network) and base is not Network
        for name in vars(base)
        if hasattr(Network, name) and not name.startswith("__")
    }
    if not isinstance(network, Sequential | Ensemble) or own:
        why = (
            _("it has its own {names}", names=listed(sorted(own)))
            if own
            else _("a Network of its own kind")
        )
        what = _(
            "{network} cannot be kept in a model file: {why}, which is Python code, and a file holds"
            " numbers and the names of chainrule's layers only. Build it as a Sequential of"
            " chainrule's layers, if that can be done.",
            network=cls.__name__,
            why=why,
        )
        raise SettingError(sentences(what, _BY_HAND))
    layers: list[Json] = []
    for i, part in enumerate(network.sequence):
        path = f"{prefix}{i}"
        if id(part) in paths:
            layers.append({"again": paths[id(part)]})
            continue
        paths[id(part)] = path
        if isinstance(part, Network):
            layers.append(_describe_network(part, f"{path}.", paths, owners))
        else:
            layers.append(_describe_layer(part, LAYERS, _("layer {place}", place=path), owners))
    kind = next((name for name, known in NETWORKS.items() if cls is known), None)
    kind = kind or ("Ensemble" if isinstance(network, Ensemble) else "Sequential")
    loss = (
        None if network.loss is None else _describe_layer(network.loss, LOSSES, _("the loss"), {})
    )
    seed = network.seed if isinstance(network.seed, int) else None
    described: Json = {"kind": kind, "layers": layers, "loss": loss, "seed": seed}
    return described | ({"weights": list(network.weights)} if isinstance(network, Ensemble) else {})


def _describe_layer(
    layer: Layer, table: Mapping[str, Kind], where: Text, owners: Mapping[int, str]
) -> Json:
    name = type(layer).__name__
    kind = table.get(name)
    if kind is None or type(layer) is not kind.cls:
        inner = layer.layer if isinstance(layer, OpaqueLayer) else layer
        what = _(
            "{where}, {layer}, cannot be kept in a model file: it is written in your own Python code,"
            " and a file holds numbers and the names of chainrule's own layers only ({known}).",
            where=where,
            layer=type(inner).__name__,
            known=listed(table),
        )
        raise SettingError(sentences(what, _BY_HAND))
    if isinstance(layer, Function) and layer.kept is None:
        what = _(
            "{where}, the function {function}, cannot be kept in a model file: it is written in your own"
            " Python code. Of functions a file holds the names of chainrule's: {known}.",
            where=where,
            function=layer.label,
            known=listed(f"cr.{known}" for known in KEPT),
        )
        raise SettingError(sentences(what, _BY_HAND))
    description: Json = {"kind": name}
    settings = {key: getattr(layer, key) for key in kind.settings}
    settings |= {key: _plain(getattr(layer, key)) for key in kind.options}
    if isinstance(layer, Function):
        settings["function"] = layer.kept
    settings = {key: value for key, value in settings.items() if value is not None}
    if settings:
        description["settings"] = settings
    if kind.arrays:
        description["arrays"] = {
            key: {"shape": list(p.shape), "dtype": p.dtype.name}
            for key, p in layer._parameters.items()
        }
    tied = {
        key: {"to": owners[id(p.tied[0])], "transposed": p.tied[1]}
        for key, p in layer._parameters.items()
        if p.tied is not None
    }
    if tied:
        description["tied"] = tied
    frozen = [key for key, p in layer._parameters.items() if not p.trainable]
    if frozen:
        description["frozen"] = frozen
    factors = {key: p.lr_factor for key, p in layer._parameters.items() if p.lr_factor != 1}
    if factors:
        description["lr_factors"] = factors
    return description


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


# -- from JSON ----------------------------------------------------------------------------------


def build(network: Json, arrays: Mapping[str, Array], where: str) -> Sequential | Ensemble:
    """The network of a description that `expected_arrays` has checked, with these arrays."""
    try:
        return _build(network, "", arrays, {})
    except ChainruleError as error:
        raise FormatError(
            _("{where}: the layers do not fit together: {why}", where=where, why=error.args[0])
        ) from None


def _build(
    description: Json,
    prefix: str,
    arrays: Mapping[str, Array],
    built: dict[str, Layer | Network],
) -> Sequential | Ensemble:
    parts: list[Layer | Network] = []
    for i, layer in enumerate(description["layers"]):
        path = f"{prefix}{i}"
        if "again" in layer:
            if layer["again"] not in built:
                again = shown(layer["again"])
                raise FormatError(
                    _("layer {place} names {again}, which is not there.", place=path, again=again)
                )
            parts.append(built[layer["again"]])
            continue
        if "layers" in layer:
            part: Layer | Network = _build(layer, f"{path}.", arrays, built)
        else:
            part = _build_layer(LAYERS[layer["kind"]], layer, path, arrays)
        built[path] = part
        parts.append(part)
    loss = description["loss"]
    if description["kind"] == "Ensemble":
        return Ensemble([m for m in parts if isinstance(m, Network)], description["weights"])
    network = object.__new__(NETWORKS[description["kind"]])
    assert isinstance(network, Sequential)
    Sequential.__init__(
        network,
        *parts,
        loss=None if loss is None else _build_layer(LOSSES[loss["kind"]], loss, "loss", {}),
        seed=0 if description["seed"] is None else description["seed"],
    )
    return network


def _build_layer(kind: Kind, description: Json, path: str, arrays: Mapping[str, Array]) -> Layer:
    parameters: dict[str, Array] = {}
    for key in kind.arrays:
        tie = description.get("tied", {}).get(key)
        if tie is None:
            parameters[key] = arrays[f"{path}.{key}"]
            continue
        if not isinstance(tie["to"], str) or tie["to"] not in arrays:
            raise FormatError(
                _(
                    "layer {place}, {key} is tied to {target}, not an array here.",
                    place=path,
                    key=key,
                    target=shown(tie["to"]),
                )
            )
        parameters[key] = arrays[tie["to"]].T if tie["transposed"] else arrays[tie["to"]]
    settings = dict(description.get("settings", {}))
    mask_seed = settings.pop("mask_seed", None)
    layer = kind.cls(**parameters, **settings)
    if isinstance(layer, Dropout):
        layer.mask_seed = mask_seed
    for key in kind.buffers:
        layer.buffers[key][...] = arrays[f"{path}.{key}"]
    for key in description.get("frozen", []):
        layer._parameters[key].trainable = False
    for key, factor in description.get("lr_factors", {}).items():
        layer._parameters[key].lr_factor = float(factor)
    return layer
