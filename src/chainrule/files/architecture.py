"""A network as JSON, and back: its layers with their settings and arrays.

`LAYERS` and `LOSSES` are all classes that a model file may name: the public layers. A layer is rebuilt
by calling its class with its arrays and its settings, `cls(**arrays, **settings)`. No name from a file is
looked up anywhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np

from chainrule import layers as layers_room
from chainrule.errors import ChainruleError, FormatError, SettingError, nearest, shown
from chainrule.graph.variable import Array
from chainrule.lang.messages import Text, _, listed, sentences
from chainrule.layers import Dropout, Function, Layer, Loss
from chainrule.layers.base import dotted
from chainrule.layers.function import KEPT
from chainrule.layers.opaque import OpaqueLayer
from chainrule.networks import Ensemble, Network, Sequential, TwoLayerNet

__all__ = ["LAYERS", "LOSSES", "build", "describe", "expected_arrays"]

Json = dict[str, Any]

MAX_DEPTH = 16
MAX_LAYERS = 10_000


@dataclass(frozen=True)
class Kind:
    """How a class of layers is saved: its arrays, its buffers, and its optional settings."""

    cls: type[Layer]
    arrays: tuple[str, ...] = ()
    buffers: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @classmethod
    def of(cls, layer: type[Layer]) -> Kind:
        """As its signatures tell: `formula` takes the arrays after x, optional settings are None."""
        arrays = () if issubclass(layer, Loss) else tuple(signature(layer.formula).parameters)[2:]
        options = tuple(
            name for name, p in signature(layer).parameters.items() if p.default is None
        )
        return cls(layer, arrays, **{"options": options, **_MORE.get(layer.__name__, {})})

    @property
    def settings(self) -> tuple[str, ...]:
        """The names of the required settings."""
        return tuple(name for name in self.cls.hyperparameters if name not in self.options)


#: What no signature tells: buffers, and options that are kept by another name.
_MORE: dict[str, dict[str, tuple[str, ...]]] = {
    "BatchNorm": {"buffers": ("running_mean", "running_var")},
    "Dropout": {"buffers": ("clock",), "options": ("mask_seed", "steps")},
    "Function": {"options": ("function",)},
}


def _public(base: type[Layer]) -> list[type[Layer]]:
    """chainrule's own layers of a kind, but for base classes."""
    known = (getattr(layers_room, name) for name in layers_room.__all__)
    classes = (c for c in known if isinstance(c, type) and issubclass(c, base))
    return [c for c in classes if c not in (Layer, Loss)]


LOSSES = {cls.__name__: Kind.of(cls) for cls in _public(Loss)}
LAYERS = {cls.__name__: Kind.of(cls) for cls in _public(Layer) if cls.__name__ not in LOSSES}
#: The networks by name; a subclass that only has its own `__init__` is saved as Sequential.
NETWORKS: dict[str, type[Sequential | Ensemble]] = {
    "Sequential": Sequential,
    "TwoLayerNet": TwoLayerNet,
    "Ensemble": Ensemble,
}

CLOCK: Json = {"dtype": "uint64", "shape": []}
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


def expected_arrays(network: object, where: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The dtype and shape of every array of a described network, by name.

    Raises:
        FormatError: the description has an error.
    """
    arrays: dict[str, tuple[str, tuple[int, ...]]] = {}
    for path, kind, layer in _walk(network, "", where, 0):
        tied = layer.get("tied", {})
        for key in kind.arrays:
            info = layer["arrays"][key]
            if key not in tied:
                arrays[f"{path}.{key}"] = (info["dtype"], tuple(info["shape"]))
        for key in kind.buffers:  # Dropout's clock is a count; running means are like the arrays
            like = layer["arrays"][kind.arrays[0]] if kind.arrays else CLOCK
            arrays[f"{path}.{key}"] = (like["dtype"], tuple(like["shape"]))
    return arrays


def _walk(network: object, prefix: str, where: str, depth: int) -> list[tuple[str, Kind, Json]]:
    """Check the description; (path, kind, description) of every layer, repeated ones once."""
    location = (
        _("{where}: the network {path}", where=where, path=prefix[:-1])
        if prefix
        else _("{where}: the network", where=where)
    )
    network = _check_keys(network, {"kind", "layers", "loss", "seed"}, {"weights"}, location)
    if _check_kind(network["kind"], NETWORKS, location) == "Ensemble":
        _check_members(network, location)
    elif "weights" in network:
        raise _wrong_value(location, "weights", _("absent"), network["weights"])
    if depth > MAX_DEPTH:
        raise FormatError(
            _(
                "{here}: networks lie in networks more than {most} deep.",
                here=location,
                most=MAX_DEPTH,
            )
        )
    seed = network["seed"]
    if seed is not None and (type(seed) is not int or not 0 <= seed < 2**128):
        raise _wrong_value(location, "seed", _("a whole number from 0"), seed)
    layers = network["layers"]
    if not isinstance(layers, list) or len(layers) > MAX_LAYERS:
        raise FormatError(
            _("{here}: layers must be a list of at most {most}.", here=location, most=MAX_LAYERS)
        )
    if network["loss"] is not None:
        _check_layer(network["loss"], LOSSES, _("{here}, the loss", here=location))
    result: list[tuple[str, Kind, Json]] = []
    for i, layer in enumerate(layers):
        path = f"{prefix}{i}"
        layer_location = _("{here}, layer {place}", here=location, place=path)
        if isinstance(layer, dict) and "layers" in layer:
            result += _walk(layer, f"{path}.", where, depth + 1)
        elif isinstance(layer, dict) and "again" in layer:
            _check_keys(layer, {"again"}, set(), layer_location)
        else:
            result.append((path, _check_layer(layer, LAYERS, layer_location), layer))
    return result


def _check_members(network: Json, where: Text) -> None:
    """Check what an Ensemble has besides: each member is a network, with a weight."""
    weights, members = network.get("weights"), network["layers"]
    good = isinstance(weights, list) and isinstance(members, list) and len(weights) == len(members)
    if not good or not all(type(w) is float and 0 < w <= 1 for w in weights or [None]):
        raise _wrong_value(where, "weights", _("a number for each member"), weights)
    if not all(isinstance(member, dict) and "layers" in member for member in members):
        raise _wrong_value(where, "layers", _("networks"), members)


def _wrong_value(where: Text, key: str, allowed: Text, given: object) -> FormatError:
    return FormatError(
        _(
            "{where}: {key} must be {allowed}; got {given}.",
            where=where,
            key=key,
            allowed=allowed,
            given=shown(given),
        )
    )


def _check_layer(layer: object, table: Mapping[str, Kind], where: Text) -> Kind:
    layer = _check_keys(
        layer, {"kind"}, {"settings", "arrays", "tied", "frozen", "lr_factors"}, where
    )
    kind = table[_check_kind(layer["kind"], table, where)]
    settings = layer.get("settings", {})
    allowed = {*kind.settings, *kind.options}
    _check_keys(settings, set(kind.settings), allowed, _within(where, "settings"))
    for key, value in settings.items():
        if key == "function":
            _check_kind(value, KEPT, _("{where}, the function", where=where))
            continue
        several = key in ("class_weights", "pos_weight") and isinstance(value, list)
        numbers = value if several else [value]
        if not all(type(n) in (int, float) and -1e300 < n < 1e300 for n in numbers):
            raise _wrong_value(where, key, _("a finite number"), value)
        if key in ("ignore_index", "steps") and type(value) is not int:
            raise _wrong_value(where, key, _("a whole number"), value)
        if key == "mask_seed" and (type(value) is not int or not 0 <= value < 2**64):
            raise _wrong_value(where, key, _("a whole number"), value)
    arrays = layer.get("arrays", {})
    _check_keys(arrays, set(kind.arrays), set(), _within(where, "arrays"))
    for key, info in arrays.items():
        _check_keys(info, {"shape", "dtype"}, set(), _within(where, key))
        shape = info["shape"]
        if not isinstance(shape, list) or not all(type(n) is int and 0 < n < 2**53 for n in shape):
            raise FormatError(
                _(
                    "{where}: {key} has the shape {shape}, which cannot be.",
                    where=where,
                    key=key,
                    shape=shown(shape),
                )
            )
        if info["dtype"] not in ("float16", "float32", "float64"):
            given = shown(info["dtype"])
            raise FormatError(
                _("{where}: {key} has the dtype {dtype}.", where=where, key=key, dtype=given)
            )
    tied = layer.get("tied", {})
    _check_keys(tied, set(), set(kind.arrays), _within(where, "tied"))
    for key, tie in tied.items():
        _check_keys(tie, {"to", "transposed"}, set(), _within(where, key))
    frozen = layer.get("frozen", [])
    if not isinstance(frozen, list) or not all(key in kind.arrays for key in frozen):
        raise FormatError(
            _(
                "{where}: frozen names arrays of the layer; got {given}.",
                where=where,
                given=shown(frozen),
            )
        )
    factors = layer.get("lr_factors", {})
    _check_keys(factors, set(), set(kind.arrays), _within(where, "lr_factors"))
    if not all(type(n) in (int, float) and 0 < n < 1e300 for n in factors.values()):
        raise _wrong_value(where, "lr_factors", _("numbers above 0"), factors)
    return kind


def _within(where: Text, key: str) -> Text:
    return _("{where}, {key}", where=where, key=key)


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


def _check_keys(value: object, needed: set[str], allowed: set[str], where: Text) -> Json:
    """The value, if it is a dict with all needed and no other than allowed keys; else a FormatError."""
    if not isinstance(value, dict):
        raise FormatError(
            _("{where} must be an object; got {given}.", where=where, given=shown(value))
        )
    absent, unknown = needed - set(value), set(value) - needed - allowed
    if absent or unknown:
        parts = [_("missing: {names}", names=listed(sorted(absent)))] if absent else []
        if unknown:
            parts.append(_("unknown: {names}", names=listed(map(shown, sorted(unknown)[:5]))))
        raise FormatError(
            _(
                "{where} is described wrongly ({what}).",
                where=where,
                what=listed(parts, "clauses"),
            )
        )
    return value


def _check_kind(name: object, table: Mapping[str, object], where: Text) -> str:
    if not isinstance(name, str) or name not in table:
        raise FormatError(
            _(
                "{where} is of kind {kind}, which this chainrule does not know; {nearest}. A newer"
                " chainrule may.",
                where=where,
                kind=shown(name),
                nearest=nearest(name, table),
            )
        )
    return name


assert all(issubclass(kind.cls, Loss) for kind in LOSSES.values())
