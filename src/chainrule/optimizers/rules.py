"""The rules: how each optimizer moves a parameter by its gradient.

A class here is an optimizer everywhere: in `chainrule train`, in the playground and in written programs.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from chainrule.lang.messages import _, says
from chainrule.nodes.base import Value
from chainrule.optimizers.base import OPTIMIZERS, Optimizer
from chainrule.schedules import Rate
from chainrule.settings import below_one, positive

__all__ = ["SGD", "AdaGrad", "Adam", "AdamW", "Momentum", "Nesterov", "RMSprop"]


class SGD(Optimizer):
    """Stochastic gradient descent, the chapter's: W ← W - lr · dW."""

    first_lr = 0.1

    def __init__(self, lr: Rate = 0.01, **shared: Any) -> None:
        super().__init__(lr, **shared)

    @says("p ← p - lr g.")
    def rule(self, p: Value, g: Value, *, lr: Value) -> tuple[Value, ...]:
        return (p - lr * g,)


class Momentum(Optimizer):
    """v ← momentum · v - lr · dW; W ← W + v. Source: Polyak, 1964.

    The rate is inside v, as in the book and in Keras: after a schedule has lowered it, earlier
    steps keep their old size. In PyTorch and optax it is outside: W ← W - lr · v.
    """

    first_lr = 0.02
    slots = ("v",)
    hyperparameters: ClassVar = {"momentum": below_one}

    def __init__(self, lr: Rate = 0.01, momentum: float = 0.9, **shared: Any) -> None:
        super().__init__(lr, **shared)
        self.momentum = momentum

    @says(_("v ← momentum v - lr g; p ← p + v."))
    def rule(
        self, p: Value, g: Value, v: Value, *, lr: Value, momentum: Value
    ) -> tuple[Value, ...]:
        v = momentum * v - lr * g
        return p + v, v


class Nesterov(Momentum):
    """v ← momentum · v - lr · dW; W ← W + momentum · v - lr · dW, with the new v.

    The parameters are those after Nesterov's look-ahead, so dW is computed there. The rate is
    inside v, as in Momentum. Source: Nesterov, 1983, in the form of Bengio, Boulanger-Lewandowski
    and Pascanu, 2013.
    """

    @says(_("v ← momentum v - lr g; p ← p + momentum v - lr g."))
    def rule(
        self, p: Value, g: Value, v: Value, *, lr: Value, momentum: Value
    ) -> tuple[Value, ...]:
        step = lr * g
        v = momentum * v - step
        return p + (momentum * v - step), v


class AdaGrad(Optimizer):
    """h ← h + dW²; W ← W - lr · dW / (√h + ε). Source: Duchi, Hazan and Singer, 2011."""

    first_lr = 0.05
    slots = ("h",)
    hyperparameters: ClassVar = {"eps": positive}

    def __init__(self, lr: Rate = 0.01, *, eps: float = 1e-7, **shared: Any) -> None:
        super().__init__(lr, **shared)
        self.eps = eps

    @says("h ← h + g²; p ← p - lr g / (√h + ε).")
    def rule(self, p: Value, g: Value, h: Value, *, lr: Value, eps: Value) -> tuple[Value, ...]:
        h = h + g * g
        return p - lr * g / (np.sqrt(h) + eps), h


class RMSprop(Optimizer):
    """h ← ρ h + (1-ρ) dW²; W ← W - lr · dW / (√h + ε), ρ the decay rate. Source: Hinton, 2012."""

    first_lr = 0.003
    slots = ("h",)
    hyperparameters: ClassVar = {"decay_rate": below_one, "eps": positive}

    def __init__(
        self,
        lr: Rate = 0.01,
        decay_rate: float = 0.99,
        *,
        eps: float = 1e-7,
        **shared: Any,
    ) -> None:
        super().__init__(lr, **shared)
        self.decay_rate, self.eps = decay_rate, eps

    @says("h ← ρ h + (1-ρ) g²; p ← p - lr g / (√h + ε).")
    def rule(
        self, p: Value, g: Value, h: Value, *, lr: Value, decay_rate: Value, eps: Value
    ) -> tuple[Value, ...]:
        h = decay_rate * h + (1 - decay_rate) * (g * g)
        return p - lr * g / (np.sqrt(h) + eps), h


class Adam(Optimizer):
    """m ← m + (1-β₁)(dW - m); v ← v + (1-β₂)(dW² - v); W ← W - lrₜ · m / (√v + ε).

    lrₜ = lr √(1-β₂ᵗ) / (1-β₁ᵗ) corrects the bias of m and v, which begin at 0. Source: Kingma
    and Ba, "Adam", 2015, in the efficient order of its section 2 (ε is not bias-corrected).
    """

    slots = ("m", "v")
    hyperparameters: ClassVar = {"beta1": below_one, "beta2": below_one, "eps": positive}

    def __init__(
        self,
        lr: Rate = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        *,
        eps: float = 1e-7,
        **shared: Any,
    ) -> None:
        super().__init__(lr, **shared)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps

    def effective_lr(self, lr: float, t: int) -> float:
        """lrₜ = lr √(1-β₂ᵗ) / (1-β₁ᵗ)."""
        return lr * math.sqrt(1 - self.beta2**t) / (1 - self.beta1**t)

    @says("m ← m + (1-β₁)(g - m); v ← v + (1-β₂)(g² - v); p ← p - lrₜ m / (√v + ε).")
    def rule(
        self,
        p: Value,
        g: Value,
        m: Value,
        v: Value,
        *,
        lr: Value,
        beta1: Value,
        beta2: Value,
        eps: Value,
    ) -> tuple[Value, ...]:
        m = m + (1 - beta1) * (g - m)
        v = v + (1 - beta2) * (g * g - v)
        return p - lr * m / (np.sqrt(v) + eps), m, v


class AdamW(Adam):
    """Adam that also shrinks the weights by lr · weight_decay · W at each update, separately from dW.

    ε is not bias-corrected, as in Adam here, so results differ from other libraries' in about the
    sixth digit.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.
    """

    def __init__(
        self,
        lr: Rate = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        *,
        weight_decay: Rate = 0.01,
        eps: float = 1e-7,
        **shared: Any,
    ) -> None:
        super().__init__(lr, beta1, beta2, eps=eps, weight_decay=weight_decay, **shared)


# In the order above, which is that of a course.
OPTIMIZERS.update({name: kind for name, kind in globals().items() if name in __all__})
