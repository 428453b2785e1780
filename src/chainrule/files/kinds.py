"""The classes that a model file may name: the public layers, losses and networks.

No name from a file is looked up anywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from typing import Any

from chainrule import layers as layers_room
from chainrule.layers import Layer, Loss
from chainrule.networks import Ensemble, Sequential, TwoLayerNet

__all__ = ["CLOCK", "LAYERS", "LOSSES", "NETWORKS", "Json", "Kind"]

Json = dict[str, Any]


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

assert all(issubclass(kind.cls, Loss) for kind in LOSSES.values())
