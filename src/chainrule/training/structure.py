"""The structure of networks and optimizers: two of the same structure share one compiled step."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Hashable
from types import FunctionType
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.graph.reads import names_in
from chainrule.layers import Dropout, Layer, Loss
from chainrule.networks import Network
from chainrule.optimizers import Optimizer

__all__ = ["Draws", "rule_of", "structure_of"]

Array = npt.NDArray[Any]
#: The seed and the ratio of each Dropout, which the step reads at run time.
Draws = list[tuple[int, float]]

#: Attributes that say nothing about the structure: seeds, what is remembered, and what is looked at
#: apart. Those of a user's own classes, underscores or not, are compared.
_APART = {
    Network: frozenset({"seed", *(k for k in vars(Network()) if k[0] == "_")}),
    Loss: frozenset({"x", "t", *vars(Layer())}),
    Dropout: frozenset({"mask_seed", "_unseeded_seed", "ratio", *vars(Layer())}),
    Layer: frozenset(vars(Layer())),
    Optimizer: frozenset(vars(Optimizer(0.1))),
}
#: Constant arrays of more bytes are not compared: then only the same array is the same.
_LARGE = 1 << 20
_PLAIN = (type(None), bool, int, str, bytes)


def structure_of(network: Network) -> tuple[Hashable, Draws] | None:
    """What a network's recorded step goes by, to compare, and the numbers in it that it does not go by.

    None for a network with parameters of another one. Whatever is not known to be alike in two
    networks makes a difference: a function or an object of each, say.
    """
    own = {id(p) for flat in network._flatten_parameters() for p in flat.parameters}
    look = _Look()
    found = look.at(network)
    if not look.parameters <= own:
        return None
    # Where two seeds, or two ratios, are equal, the step has one number for both.
    equal = [tuple(map(numbers.index, numbers)) for numbers in zip(*look.draws, strict=True)]
    return (found, *equal), look.draws


def rule_of(optimizer: Optimizer) -> Hashable:
    """What an optimizer's recorded rule goes by; its numbers are read at run time."""
    o = optimizer
    switches = (bool(o.l1), bool(o.l2), bool(o.weight_decay), o.clip_value is None)
    apart = _APART[Optimizer].union(type(o).hyperparameters)
    return type(o), switches, o.clip_norm is None, _Look().attributes(o, apart)


class _Look:
    """A walk over an object, whose parts are numbered in the order in which they are met."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self.draws: Draws = []
        self.parameters: set[int] = set()

    def at(self, value: Any) -> Hashable:
        """The structure of a value."""
        kind: Any = type(value)
        if kind in _PLAIN:
            return kind, value
        if isinstance(value, float | complex | np.generic | np.dtype):
            return kind, str(getattr(value, "dtype", "")), repr(value)
        if kind is tuple:
            return kind, tuple(map(self.at, value))
        number = self.numbers.get(id(value))
        if number is not None:
            return "again", number
        self.numbers[id(value)] = len(self.numbers)
        if kind is list:
            return kind, tuple(map(self.at, value))
        if kind is dict:
            return kind, tuple((self.at(k), self.at(v)) for k, v in value.items())
        if isinstance(value, Layer):
            return kind, self.layer(value)
        if isinstance(value, Network):
            seed = repr(value.seed) if _reads_seed(kind) else ""
            return kind, seed, self.attributes(value, _APART[Network])
        if kind is np.ndarray and value.nbytes <= _LARGE and not value.dtype.hasobject:
            return kind, value.dtype.str, value.shape, value.strides, value.tobytes()
        return "itself", id(value)

    def layer(self, layer: Layer) -> Hashable:
        """The structure of a layer: parameters and buffers by their form, all else by its contents."""
        parameters: list[Hashable] = []
        for name, p in layer.parameters.items():
            tied = None
            if p.tied is None:
                self.parameters.add(id(p))
            else:
                tied = self.numbers.setdefault(id(p.tied[0]), len(self.numbers)), p.tied[1]
            again = self.numbers.setdefault(id(p), len(self.numbers))
            form = p.data.shape, p.data.dtype, p.trainable, p.decays, p.lr_factor
            parameters.append((name, again, form, tied))
        buffers = tuple([(k, a.shape, a.dtype) for k, a in layer.buffers.items()])
        apart = _APART[Loss if isinstance(layer, Loss) else Layer]
        seed: Hashable = None
        if isinstance(layer, Dropout):
            if layer.mask_seed is None:
                layer._draw_weights()
            apart = _APART[Dropout]
            self.draws.append((layer.mask_seed or 0, layer.ratio))
            kind: Any = type(layer)
            seed = self.draws[-1] if _reads_seed(kind) else layer.ratio == 0
        return tuple(parameters), buffers, seed, self.attributes(layer, apart)

    def attributes(self, owner: object, apart: frozenset[str]) -> Hashable:
        """The attributes of an object that are not looked at apart."""
        return tuple([(k, self.at(v)) for k, v in vars(owner).items() if k not in apart])


@functools.cache
def _reads_seed(kind: Any) -> bool:
    """Whether a user's own class may compute with a seed, or a ratio."""
    return any(
        names_in(inspect.unwrap(part).__code__) & {"seed", "_seed", "mask_seed", "ratio"}
        for parent in kind.__mro__
        if parent.__module__.partition(".")[0] not in ("chainrule", "builtins")
        for name, part in vars(parent).items()
        if isinstance(part, FunctionType) and name != "__init__"
    )
