"""Weights of PyTorch and Keras, and in their layouts, for stacks of the layers that all three have.

`ROLES` says for each layer what its arrays are called there. PyTorch has the weight of a Linear layer as
(outputs, inputs), the transpose of W; everything else is of one shape.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chainrule.engine.protocols import RecordableNetwork
from chainrule.errors import (
    DataError,
    NonFiniteError,
    SettingError,
    ShapeError,
    guess,
    nearest,
    shown,
)
from chainrule.lang.messages import Text, _, listed
from chainrule.layers import Affine, BatchNorm, Embedding, LayerNorm, MatMul
from chainrule.layers.base import Layer

__all__ = ["LAYOUTS", "Group", "Layout", "Role", "fill", "groups_in", "state_of"]

Array = npt.NDArray[Any]
Layout = Literal["pytorch", "keras"]
LAYOUTS: tuple[Layout, ...] = ("pytorch", "keras")
#: What stands between the path of a layer and the name of an array.
_BETWEEN = {"pytorch": ".", "keras": "/"}


@dataclass(frozen=True)
class Role:
    """An array of a layer: its name here, in PyTorch, and in Keras."""

    name: str
    pytorch: str
    keras: str
    #: Whether PyTorch has the transpose.
    turned: bool = False

    def called(self, layout: str) -> str:
        """Its name in a layout."""
        return self.pytorch if layout == "pytorch" else self.keras

    def there(self, array: Array, layout: str) -> Array:
        """The array as the layout has it, or from there as it is here."""
        return array.T if self.turned and layout == "pytorch" else array


_KERNEL = Role("W", "weight", "kernel", turned=True)
_NORM = (Role("gamma", "weight", "gamma"), Role("beta", "bias", "beta"))
#: The arrays of each layer, in the order of Keras' `get_weights`.
ROLES: dict[type[Layer], tuple[Role, ...]] = {
    Affine: (_KERNEL, Role("b", "bias", "bias")),
    MatMul: (_KERNEL,),
    Embedding: (Role("W", "weight", "embeddings"),),
    LayerNorm: _NORM,
    BatchNorm: (
        *_NORM,
        Role("running_mean", "running_mean", "moving_mean"),
        Role("running_var", "running_var", "moving_variance"),
    ),
}
#: Counters that PyTorch keeps beside, and that say nothing of the network.
_IGNORED = {"num_batches_tracked"}
_KERAS = {role.keras for roles in ROLES.values() for role in roles} - {"bias"}


@dataclass(frozen=True)
class Group:
    """The arrays of one layer there, by their names without that of the layer."""

    path: str
    arrays: dict[str, Array] = field(default_factory=dict)
    #: Their names in full.
    names: dict[str, str] = field(default_factory=dict)


def groups_in(mapping: object) -> tuple[Layout, list[Group]]:
    """The layout of a mapping of names to arrays, and its arrays layer by layer, in their order.

    Raises:
        DataError: no mapping, or something in it is no array of real numbers.
    """
    if not isinstance(mapping, Mapping) or not mapping:
        raise DataError(
            _(
                "The weights are a dict of names and arrays, as PyTorch's model.state_dict(), or the list"
                " that Keras' model.get_weights() gives; got {given}.",
                given=shown(mapping),
            )
        )
    groups: dict[str, Group] = {}
    for key, value in mapping.items():
        name = str(key)
        path, _dot, role = name.removesuffix(":0").replace("/", ".").rpartition(".")
        if role not in _IGNORED:
            group = groups.setdefault(path, Group(path))
            group.arrays[role], group.names[role] = _array(name, value), name
    roles = {role for group in groups.values() for role in group.arrays}
    return "keras" if roles & _KERAS else "pytorch", list(groups.values())


def _array(name: str, value: Any) -> Array:
    """The array of a value: a NumPy array, a list, a tensor of PyTorch on the CPU."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            _(
                "{name} cannot be read as an array: {why}. Give a tensor as tensor.detach().cpu().numpy().",
                name=shown(name),
                why=shown(str(error), 200),
            )
        ) from None
    if array.dtype.kind not in "fiu":
        raise DataError(
            _(
                "{name} is of dtype {dtype}, and weights are real numbers. Give it as float32.",
                name=shown(name),
                dtype=array.dtype,
            )
        )
    if not np.isfinite(array).all():
        raise NonFiniteError(
            _("{name} holds NaN or infinity, so the network would be of no use.", name=shown(name))
        )
    return array


# -- into a network -----------------------------------------------------------------------------------


def layers_with_arrays(network: RecordableNetwork) -> list[tuple[str, Layer, tuple[Role, ...]]]:
    """The layers that have arrays, with their paths and what the arrays are called elsewhere."""
    found = []
    for path, layer in network.named_layers():
        if not layer._parameters and not layer.buffers.keys() - {"clock"}:
            continue
        roles = ROLES.get(type(layer))
        if roles is None:
            raise SettingError(
                _(
                    "layer {path} ({layer}) has arrays that PyTorch and Keras do not know. These can be"
                    " exchanged: {known}. numpy.savez keeps network.named_parameters().",
                    path=path,
                    layer=type(layer).__name__,
                    known=listed((kind.__name__ for kind in ROLES), "and"),
                )
            )
        found.append((path, layer, roles))
    return found


def fill(network: RecordableNetwork, weights: object) -> None:
    """Put weights into a network (see `Network.load_state_dict`)."""
    network._flatten_parameters()
    layers = layers_with_arrays(network)
    if isinstance(weights, Sequence) and not isinstance(weights, str | bytes):
        weights = _named(weights, layers)
    layout, groups = groups_in(weights)
    by_path = {group.path: group for group in groups}
    if set(by_path) == {path for path, *_more in layers}:
        groups = [by_path[path] for path, *_more in layers]
    problems: list[Text] = []
    lost: list[str] = []
    extra: list[str] = []
    new: list[tuple[Array, Array]] = []
    for place, group in itertools.zip_longest(layers, groups):
        if place is None:
            extra += group.names.values()
            continue
        path, layer, roles = place
        group = Group(path) if group is None else group
        given = dict(group.arrays)
        for role in roles:
            there = role.called(layout)
            name = group.names.get(there, _joined(group.path, there, layout))
            array = given.pop(there, None)
            mine = getattr(layer, role.name)
            if array is None:
                lost.append(name)
                continue
            fitting = role.there(array, layout) if array.ndim == 2 else array
            if role.name == "b" and mine.ndim == 2 and array.ndim == 1:  # a bias as one row
                fitting = array[None, :]
            if fitting.shape != mine.shape:
                problems.append(
                    _(
                        "{name} has shape {given}, and layer {path} ({layer}) needs {due}",
                        name=name,
                        given=array.shape,
                        path=path,
                        layer=type(layer).__name__,
                        due=role.there(mine, layout).shape,
                    )
                )
            new.append((mine, fitting))
        extra += [group.names[role] for role in given]
    problems += [_absent(name, extra) for name in lost]
    problems += [_unexpected(name, lost) for name in extra]
    if problems:
        if len(problems) > 20:
            problems[20:] = [_("and {n} more", n=len(problems) - 20)]
        raise ShapeError(
            _(
                "The weights do not fit the network, which is as it was: {problems}.",
                problems=listed(problems, "clauses"),
            )
        )
    for mine, array in new:
        mine[...] = array


def _named(
    arrays: Sequence[Any], layers: Iterable[tuple[str, Layer, tuple[Role, ...]]]
) -> dict[str, Any]:
    """A list of arrays, as Keras' get_weights gives it, with the names that they have there."""
    names = [f"{path}/{role.keras}" for path, _layer, roles in layers for role in roles]
    if len(names) != len(arrays):
        raise ShapeError(
            _(
                "The list has {given} arrays, and the network takes {due}: {names}.",
                given=len(arrays),
                due=len(names),
                names=listed(names if len(names) <= 20 else [*names[:20], "…"]),
            )
        )
    return dict(zip(names, arrays, strict=True))


def _joined(path: str, role: str, layout: str) -> str:
    return f"{path}{_BETWEEN[layout]}{role}" if path else role


def _absent(name: str, extra: Sequence[str]) -> Text:
    hint = guess(name, extra)
    if hint:
        return _("{name} is missing ({hint})", name=name, hint=hint)
    return _("{name} is missing", name=name)


def _unexpected(name: str, lost: Sequence[str]) -> Text:
    hint = guess(name, lost)
    if hint:
        return _("{name} belongs to no layer ({hint})", name=shown(name), hint=hint)
    return _("{name} belongs to no layer", name=shown(name))


# -- out of a network ------------------------------------------------------------------------------------


def state_of(network: RecordableNetwork, layout: str) -> dict[str, Array]:
    """The weights of a network in a layout (see `Network.state_dict`)."""
    if layout not in LAYOUTS:
        raise SettingError(
            _("layout={given}: {nearest}.", given=shown(layout), nearest=nearest(layout, LAYOUTS))
        )
    network._flatten_parameters()
    state = {}
    for path, layer, roles in layers_with_arrays(network):
        for role in roles:
            array = getattr(layer, role.name)
            array = array.reshape(-1) if role.name == "b" else role.there(array, layout)
            state[_joined(path, role.called(layout), layout)] = np.array(array, order="C")
    return state
