"""How layers may be written: by chainrule's own formula, and by those of other tools."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chainrule import layers
from chainrule.files.architecture import LAYERS
from chainrule.graph import functions as f
from chainrule.layers.function import KEPT
from chainrule.nodes.base import Value

__all__ = ["SETTINGS", "Shape", "Writing", "writings"]

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


def writings() -> list[Writing]:
    """Every layer by its own formula, then every function, then the formulas of others."""
    shapes: dict[str, Callable[[int, int], dict[str, Shape]]] = {
        "Affine": lambda d, h: {"W": (d, h), "b": (h,)},
        "MatMul": lambda d, h: {"W": (d, h)},
        "LayerNorm": _features,
        "BatchNorm": _features,
    }
    found = []
    for name, kind in LAYERS.items():
        if name in ("Function", "Dropout", "Embedding") or (kind.arrays and name not in shapes):
            continue
        settings = tuple(s for s in kind.settings if s in SETTINGS)
        arrays = shapes.get(name, lambda d, h: {})
        found.append(Writing(kind.cls, kind.cls, arrays, settings))
        if settings and not kind.arrays:  # a factor of 1 is in no lowered graph
            found.append(Writing(kind.cls, kind.cls, arrays))
    for function_name, function in KEPT.items():
        found.append(Writing(function, _named(function_name)))
    return [*found, *WRITINGS]


def _named(name: str) -> Callable[[], Any]:
    return lambda: layers.Function(name)
