"""The table: every optimizer, beside its rule written out for one number at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import chainrule as cr

#: One number's own memory between updates.
State = dict[str, float]
Rule = Callable[[float, float, State, float, int], float]


def sgd(p: float, g: float, s: State, lr: float, t: int) -> float:
    return p - lr * g


def momentum(p: float, g: float, s: State, lr: float, t: int, mu: float = 0.9) -> float:
    s["v"] = mu * s.get("v", 0.0) - lr * g
    return p + s["v"]


def nesterov(p: float, g: float, s: State, lr: float, t: int, mu: float = 0.9) -> float:
    """The velocity first, then a step of its next value: the textbook's order."""
    s["v"] = mu * s.get("v", 0.0) - lr * g
    return p + mu * s["v"] - lr * g


def adagrad(p: float, g: float, s: State, lr: float, t: int) -> float:
    s["h"] = s.get("h", 0.0) + g * g
    return p - lr * g / (math.sqrt(s["h"]) + 1e-7)


def rmsprop(p: float, g: float, s: State, lr: float, t: int, rho: float = 0.99) -> float:
    s["h"] = rho * s.get("h", 0.0) + (1 - rho) * g * g
    return p - lr * g / (math.sqrt(s["h"]) + 1e-7)


def adam(
    p: float, g: float, s: State, lr: float, t: int, b1: float = 0.9, b2: float = 0.999
) -> float:
    s["m"] = s.get("m", 0.0) + (1 - b1) * (g - s.get("m", 0.0))
    s["v"] = s.get("v", 0.0) + (1 - b2) * (g * g - s.get("v", 0.0))
    lr_t = lr * math.sqrt(1 - b2**t) / (1 - b1**t)
    return p - lr_t * s["m"] / (math.sqrt(s["v"]) + 1e-7)


def adamw(p: float, g: float, s: State, lr: float, t: int) -> float:
    """Adam's step, and beside it the weight shrunk by lr times the decay."""
    return adam(p, g, s, lr, t) - lr * 0.01 * p


@dataclass(frozen=True)
class Row:
    """An optimizer, its rule by hand, and its names and numbers."""

    make: Callable[..., Any]
    rule: Rule
    slots: tuple[str, ...] = ()
    numbers: dict[str, float] = field(default_factory=dict)
    lr: float = 0.01
    #: The rule of what does not decay, where that decays by default.
    plain: Rule | None = None
    #: Whether a step is larger for a larger gradient; if not, l2 and the first steps hide.
    scaled: bool = True

    @property
    def name(self) -> str:
        return str(self.make.__name__)


ROWS = [
    Row(cr.SGD, sgd),
    Row(cr.Momentum, momentum, ("v",), {"momentum": 0.9}),
    Row(cr.Nesterov, nesterov, ("v",), {"momentum": 0.9}),
    Row(cr.AdaGrad, adagrad, ("h",), {"eps": 1e-7}, scaled=False),
    Row(cr.RMSprop, rmsprop, ("h",), {"decay_rate": 0.99, "eps": 1e-7}, scaled=False),
    Row(
        cr.Adam, adam, ("m", "v"), {"beta1": 0.9, "beta2": 0.999, "eps": 1e-7}, 0.001, scaled=False
    ),
    Row(
        cr.AdamW, adamw, ("m", "v"), {"beta1": 0.9, "beta2": 0.999, "eps": 1e-7}, 0.001, adam, False
    ),
]
