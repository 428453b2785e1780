"""A network as JSON, checked: every key, kind, setting and shape, before anything is made of it."""

from __future__ import annotations

from collections.abc import Mapping

from chainrule.errors import FormatError, nearest, shown
from chainrule.files.kinds import CLOCK, LAYERS, LOSSES, NETWORKS, Json, Kind
from chainrule.lang.messages import Text, _, listed
from chainrule.layers.function import KEPT

__all__ = ["expected_arrays"]

MAX_DEPTH = 16
MAX_LAYERS = 10_000


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
