"""How layers may be written: by chainrule's own formula, and by those of other tools."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from chainrule import layers
from chainrule.engine.primitives import pick
from chainrule.engine.trace import Traced
from chainrule.files.kinds import LAYERS
from chainrule.graph import functions as f
from chainrule.layers.function import KEPT
from chainrule.nodes.base import Value

__all__ = ["EXACT", "SETTINGS", "Exact", "Shape", "Writing", "writings"]

Shape = tuple[int, ...]
#: Stand-ins for the settings of a layer, which no formula has.
SETTINGS = {"slope": 0.015625123, "alpha": 0.765625321, "eps": 0.000976563}


@dataclass(frozen=True)
class Writing:
    """Another way to compute a layer: `formula(x, **arrays, **settings)`, and the layer of these.

    `shapes` gives the shapes of the arrays for an input of D numbers a row, and H outputs.
    """

    formula: Callable[..., Value]
    make: Callable[..., Any]
    shapes: Callable[[int, int], dict[str, Shape]] = lambda d, h: {}
    settings: tuple[str, ...] = ()
    #: Whether it is tried only where no other will do, since it takes two layers for one.
    folds: bool = False


def _divided_norm(x: Value, gamma: Value, beta: Value, eps: float) -> Value:
    """As PyTorch decomposes LayerNorm."""
    d = x - f.mean(x, -1, keepdims=True)
    var = f.mean(d * d, -1, keepdims=True)
    return d / f.sqrt(var + eps) * gamma + beta


def _shifted_norm(x: Value, gamma: Value, beta: Value, eps: float) -> Value:
    """As Keras does it: x · s + (β - mean · s) with s = γ / √(var + ε)."""
    mean = f.mean(x, -1, keepdims=True)
    d = x - mean
    var = f.mean(d * d, -1, keepdims=True)
    s = 1 / f.sqrt(var + eps) * gamma
    return x * s + (-mean * s + beta)


def _scaled(x: Value, W: Value, s: Value, c: Value) -> Value:
    """A product with a batch norm after it, as Keras folds that."""
    return f.matmul(x, W) * s + c


def _affine_scaled(x: Value, W: Value, b: Value, s: Value, c: Value) -> Value:
    """An affine layer with a batch norm after it."""
    return (f.matmul(x, W) + b) * s + c


def _scaled_affine(x: Value, s: Value, c: Value, W: Value, b: Value) -> Value:
    """An affine layer with a batch norm before it."""
    return f.matmul(x * s + c, W) + b


def _features(d: int, h: int) -> dict[str, Shape]:
    return {"gamma": (h,), "beta": (h,)}


def _gelu_by_thirds(x: Value) -> Value:
    return x * (1 + f.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x)))) * 0.5


def _exact_gelu_divided(x: Value) -> Value:
    return x * (1 + f.erf(x / math.sqrt(2))) * 0.5


def _exact_gelu() -> Any:
    return layers.Function("exact_gelu")


WRITINGS = (
    Writing(_divided_norm, layers.LayerNorm, _features, ("eps",)),
    Writing(_shifted_norm, layers.LayerNorm, _features, ("eps",)),
    Writing(
        _scaled,
        lambda W, s, c: layers.Affine(W * s, c),
        lambda d, h: {"W": (d, h), "s": (h,), "c": (h,)},
        folds=True,
    ),
    Writing(
        _affine_scaled,
        lambda W, b, s, c: layers.Affine(W * s, b * s + c),
        lambda d, h: {"W": (d, h), "b": (h,), "s": (h,), "c": (h,)},
        folds=True,
    ),
    Writing(
        _scaled_affine,
        lambda s, c, W, b: layers.Affine(s[:, None] * W, c @ W + b),
        lambda d, h: {"s": (d,), "c": (d,), "W": (d, h), "b": (h,)},
        folds=True,
    ),
    Writing(lambda x: x * f.sigmoid(x), layers.SiLU),
    Writing(_gelu_by_thirds, layers.GELU),
    Writing(_exact_gelu_divided, _exact_gelu),
)


def _affine(d: int, h: int) -> dict[str, Shape]:
    return {"W": (d, h), "b": (h,)}


def _factors(d: int, h: int) -> dict[str, Shape]:
    return {"a": (h,)}


#: The shapes of a layer's arrays, for an input of D numbers a row and H outputs.
SHAPES: dict[str, Callable[[int, int], dict[str, Shape]]] = {
    "Affine": _affine,
    "NTKAffine": _affine,
    "MatMul": lambda d, h: {"W": (d, h)},
    "LayerNorm": _features,
    "BatchNorm": _features,
    "Scale": _factors,
    "ParametricSELU": _factors,
    "ParametricMish": _factors,
}


@dataclass(frozen=True)
class Exact:
    """A layer with lengths that those of x and y do not tell, as a value that it may have given has them.

    `width` is how many numbers a row of x has, `shapes` those of its arrays.
    """

    make: Callable[..., Any]
    width: int
    shapes: tuple[tuple[str, Shape], ...]


def _waves(value: Traced) -> Iterator[Exact]:
    """PeriodicEmbedding: its only array of three axes has the lengths of all."""
    for v in _behind(value):
        if v.array is not None and v.ndim == 3:
            d, f, m = v.shape
            shapes = ("W", (d, f)), ("b", (d, f)), ("A", (d, f, m)), ("c", (d, m))
            yield Exact(layers.PeriodicEmbedding, value.shape[-1] - d * m, shapes)


def _categories(value: Traced) -> Iterator[Exact]:
    """CategoryEmbedding: rows of a table by the numbers in some columns."""
    for v in _behind(value):
        if v.function is not pick or v.ndim != 3 or v.args[0].array is None:
            continue
        table, columns = v.args[0], v.shape[1]
        make = functools.partial(layers.CategoryEmbedding, columns=columns)
        width = value.shape[-1] - columns * (v.shape[2] - 1)
        yield Exact(make, width, (("W", table.shape),))


#: The layers with such lengths.
EXACT: dict[str, Callable[[Traced], Iterator[Exact]]] = {
    "PeriodicEmbedding": _waves,
    "CategoryEmbedding": _categories,
}
#: How many operations lie between the arrays of such a layer and its value, at the most.
_FAR = 8


def _behind(value: Traced) -> Iterator[Traced]:
    """What a value is computed of, the nearest first."""
    seen, ahead = {value}, [value]
    for _ in range(_FAR):
        ahead = [v for v in dict.fromkeys(o for a in ahead for o in a.operands) if v not in seen]
        seen.update(ahead)
        yield from ahead


def writings() -> list[Writing]:
    """Every layer by its own formula, then every function, then the formulas of others."""
    found = []
    for name, kind in LAYERS.items():
        if name in ("Function", "Dropout", "Embedding", *EXACT) or (
            kind.arrays and name not in SHAPES
        ):
            continue
        settings = tuple(s for s in kind.settings if s in SETTINGS)
        arrays = SHAPES.get(name, lambda d, h: {})
        found.append(Writing(kind.cls, kind.cls, arrays, settings))
        if settings and not kind.arrays:  # a factor of 1 is in no lowered graph
            found.append(Writing(kind.cls, kind.cls, arrays))
    for function_name, function in KEPT.items():
        found.append(Writing(function, _named(function_name)))
    return [*found, *WRITINGS]


def _named(name: str) -> Callable[[], Any]:
    return lambda: layers.Function(name)
