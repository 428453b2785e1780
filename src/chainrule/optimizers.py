"""Optimizers: how parameters move against their gradients.

Each has the chapter's `update(params, grads)`, in place, on lists of arrays. A rule is
written once, elementwise, as pure values; an engine runs it over the whole flat buffer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from chainrule.errors import SettingError, ShapeError, shown
from chainrule.nodes.base import Value, quiet
from chainrule.schedules import Constant, Schedule, as_schedule

__all__ = [
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RMSprop",
    "clip_grads",
    "global_norm",
]

Array = npt.NDArray[Any]

#: The numbers every update is given besides the rule's own.
SHARED = ("l1", "l2", "shrink", "clip_value", "scale")


def global_norm(grads: Sequence[Array]) -> float:
    """√(Σ g²) over all the arrays; finite if and only if every number is (and no square overflows).

    >>> import numpy as np
    >>> global_norm([np.array([3.0]), np.array([4.0])])
    5.0
    """
    with quiet():
        total = sum(float(np.vdot(g, g)) for g in grads)
        if not math.isfinite(total):  # float32 squares overflow before the numbers do
            total = sum(float(np.sum(np.square(g, dtype=np.float64))) for g in grads)
    return math.sqrt(total) if total == total else math.nan


def clip_grads(grads: Sequence[Array], max_norm: float) -> float:
    """Scale all gradients in place, together, so that their global norm is at most `max_norm`.

    Gives the norm before. Source: Pascanu, Mikolov and Bengio, 2013.

    >>> import numpy as np
    >>> g = [np.array([3.0]), np.array([4.0])]
    >>> clip_grads(g, 1.0), g
    (5.0, [array([0.6]), array([0.8])])
    """
    norm = global_norm(grads)
    if norm > _positive(max_norm, "max_norm"):
        for g in grads:
            g *= max_norm / norm
    return norm


class Optimizer:
    """What every optimizer shares: rates, decay, clipping, and running the rule.

    Write one by giving `rule(p, g, *slots, lr, ...)`, which returns the new parameter and the
    new slots; `slots` names the state arrays that go with each parameter, and `numbers` the
    settings that `rule` takes by name.

    `lr` is a number or a schedule. `l2` adds l2 · p to the gradient and `l1` adds l1 · sign(p),
    for weights and not for biases (arrays with one axis), unless `decays` says otherwise;
    `weight_decay` shrinks the same weights by lr · weight_decay · p, apart from the gradient.
    `clip_value` holds every gradient between ± the value, `clip_norm` scales all of them
    together to that global norm at most; both before the decay.

    >>> import chainrule as cr, numpy as np
    >>> W, dW = np.array([1.0, 2.0]), np.array([1.0, 1.0])
    >>> cr.SGD(lr=0.5).update([W], [dW])
    >>> W
    array([0.5, 1.5])
    """

    slots: ClassVar[tuple[str, ...]] = ()
    numbers: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        lr: float | Schedule,
        *,
        l1: float = 0.0,
        l2: float = 0.0,
        weight_decay: float = 0.0,
        clip_value: float | None = None,
        clip_norm: float | None = None,
    ) -> None:
        self.schedule = as_schedule(lr)
        self.l1, self.l2 = _from_zero(l1, "l1"), _from_zero(l2, "l2")
        self.weight_decay = _from_zero(weight_decay, "weight_decay")
        self.clip_value = None if clip_value is None else _positive(clip_value, "clip_value")
        self.clip_norm = None if clip_norm is None else _positive(clip_norm, "clip_norm")
        #: How many updates have been made.
        self.iter = 0
        #: The slots of every parameter, made at the first update.
        self.state: list[list[Array]] | None = None
        self._programs: dict[Any, Any] = {}

    @property
    def lr(self) -> float:
        """The learning rate of the next update."""
        return self.schedule(self.iter)

    @lr.setter
    def lr(self, lr: float | Schedule) -> None:
        self.schedule = as_schedule(lr)

    def rule(self, p: Value, g: Value, *slots: Value, **numbers: Value) -> tuple[Value, ...]:
        """The new parameter and the new slots, from the old ones and the gradient."""
        raise NotImplementedError(f"{type(self).__name__} has no rule")

    def rate(self, lr: float, t: int) -> float:
        """The rate the rule is given at update number t, from 1."""
        return lr

    def update(
        self, params: Sequence[Array], grads: Sequence[Array], decays: Sequence[bool] | None = None
    ) -> None:
        """Move every parameter, in place, by its gradient."""
        if self.state is None:
            self.state = [[np.zeros_like(p) for _ in self.slots] for p in params]
        elif len(self.state) != len(params):
            self._refuse(len(params))
        scale = 1.0
        if self.clip_norm is not None:
            norm = global_norm(grads)
            scale = self.clip_norm / norm if norm > self.clip_norm else 1.0
        given = self._given(scale)
        with quiet():
            for i, (p, g) in enumerate(zip(params, grads, strict=True)):
                decay = p.ndim >= 2 if decays is None else decays[i]
                program = self._programs.get((p.shape, p.dtype, decay))
                if program is None:
                    program = self._plan(p, g, self.state[i], decay)
                program(p, g, *self.state[i], *given)
        self.iter += 1

    def _given(self, scale: float) -> list[float]:
        """The numbers of this update, in the order every program takes them."""
        lr = self.schedule(self.iter)
        numbers = [getattr(self, name) for name in self.numbers]
        shared = [self.l1, self.l2, lr * self.weight_decay, self.clip_value or 0.0, scale]
        return [self.rate(lr, self.iter + 1), *numbers, *shared]

    def _plan(self, p: Array, g: Array, slots: list[Array], decay: bool) -> Any:
        from chainrule.engine.plans import plan_update

        if g.shape != p.shape or any(s.shape != p.shape or s.dtype != p.dtype for s in slots):
            raise ShapeError(
                f"{type(self).__name__}.update: a parameter of shape {p.shape} and dtype {p.dtype} came"
                f" with a gradient of shape {g.shape} and state of shape"
                f" {slots[0].shape if slots else p.shape}. params and grads must be in one order, and an"
                " optimizer stays with the parameters it began with: make a new one for others."
            )
        program = self._programs[p.shape, p.dtype, decay] = plan_update(self, p, g, decay)
        return program

    def step(
        self, p: Value, g: Value, slots: list[Value], numbers: dict[str, Value], decay: bool
    ) -> tuple[Value, ...]:
        """Clipping, decay, then the rule: the new parameter and the new slots."""
        l1, l2, shrink, clip, scale = (numbers.pop(name) for name in SHARED)
        if self.clip_norm is not None:
            g = g * scale
        if self.clip_value is not None:
            g = np.minimum(np.maximum(g, -clip), clip)
        if decay and self.l2:
            g = g + l2 * p
        if decay and self.l1:
            g = g + l1 * np.sign(p)
        if decay and self.weight_decay:
            p = p - shrink * p
        return self.rule(p, g, *slots, **numbers)

    def penalty(self, params: Sequence[Array], decays: Sequence[bool]) -> float:
        """What the decay adds to the loss: l2/2 · Σ p² + l1 · Σ |p| over the decayed parameters."""
        kept = [p for p, d in zip(params, decays, strict=True) if d]
        two = sum(float(np.vdot(p, p)) for p in kept) if self.l2 else 0.0
        one = sum(float(np.abs(p).sum()) for p in kept) if self.l1 else 0.0
        return 0.5 * self.l2 * two + self.l1 * one

    def _refuse(self, n: int) -> None:
        raise ShapeError(
            f"{type(self).__name__}.update: this optimizer has state for {len(self.state or [])} arrays"
            f" and was given {n}. Make a new optimizer for other parameters."
        )

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("l1", "l2", "weight_decay", "clip_value", "clip_norm"):
            object.__setattr__(self, "_programs", {})
        object.__setattr__(self, name, value)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_programs": {}}

    def __repr__(self) -> str:
        lr = self.schedule.lr if isinstance(self.schedule, Constant) else self.schedule
        shown_settings = [f"lr={lr!r}"]
        shown_settings += [f"{name}={getattr(self, name)!r}" for name in self.numbers]
        for name in ("l1", "l2", "weight_decay", "clip_value", "clip_norm"):
            if getattr(self, name):
                shown_settings.append(f"{name}={getattr(self, name)!r}")
        return f"{type(self).__name__}({', '.join(shown_settings)})"


class SGD(Optimizer):
    """Stochastic gradient descent, the chapter's: W ← W - lr · dW."""

    def __init__(self, lr: float | Schedule = 0.01, **shared: Any) -> None:
        super().__init__(lr, **shared)

    def rule(self, p: Value, g: Value, *, lr: Value) -> tuple[Value, ...]:
        """p ← p - lr g."""
        return (p - lr * g,)


class Momentum(Optimizer):
    """v ← momentum · v - lr · dW; W ← W + v. Source: Polyak, 1964."""

    slots = ("v",)
    numbers = ("momentum",)

    def __init__(
        self, lr: float | Schedule = 0.01, momentum: float = 0.9, **shared: Any
    ) -> None:
        super().__init__(lr, **shared)
        self.momentum = _below_one(momentum, "momentum")

    def rule(self, p: Value, g: Value, v: Value, *, lr: Value, momentum: Value) -> tuple[Value, ...]:
        """v ← momentum v - lr g; p ← p + v."""
        v = momentum * v - lr * g
        return p + v, v


class Nesterov(Optimizer):
    """v ← momentum · v - lr · dW; W ← W + momentum · v - lr · dW, with the new v.

    The parameters stand where Nesterov's look ahead ends, so dW is taken there. Source:
    Nesterov, 1983, in the form of Bengio, Boulanger-Lewandowski and Pascanu, 2013.
    """

    slots = ("v",)
    numbers = ("momentum",)

    def __init__(
        self, lr: float | Schedule = 0.01, momentum: float = 0.9, **shared: Any
    ) -> None:
        super().__init__(lr, **shared)
        self.momentum = _below_one(momentum, "momentum")

    def rule(self, p: Value, g: Value, v: Value, *, lr: Value, momentum: Value) -> tuple[Value, ...]:
        """v ← momentum v - lr g; p ← p + momentum v - lr g."""
        step = lr * g
        v = momentum * v - step
        return p + (momentum * v - step), v


class AdaGrad(Optimizer):
    """h ← h + dW²; W ← W - lr · dW / (√h + ε). Source: Duchi, Hazan and Singer, 2011."""

    slots = ("h",)
    numbers = ("eps",)

    def __init__(self, lr: float | Schedule = 0.01, *, eps: float = 1e-7, **shared: Any) -> None:
        super().__init__(lr, **shared)
        self.eps = _positive(eps, "eps")

    def rule(self, p: Value, g: Value, h: Value, *, lr: Value, eps: Value) -> tuple[Value, ...]:
        """h ← h + g²; p ← p - lr g / (√h + ε)."""
        h = h + g * g
        return p - lr * g / (np.sqrt(h) + eps), h


class RMSprop(Optimizer):
    """h ← ρ h + (1-ρ) dW²; W ← W - lr · dW / (√h + ε), ρ the decay rate. Source: Hinton, 2012."""

    slots = ("h",)
    numbers = ("decay_rate", "eps")

    def __init__(
        self,
        lr: float | Schedule = 0.01,
        decay_rate: float = 0.99,
        *,
        eps: float = 1e-7,
        **shared: Any,
    ) -> None:
        super().__init__(lr, **shared)
        self.decay_rate, self.eps = _below_one(decay_rate, "decay_rate"), _positive(eps, "eps")

    def rule(
        self, p: Value, g: Value, h: Value, *, lr: Value, decay_rate: Value, eps: Value
    ) -> tuple[Value, ...]:
        """h ← ρ h + (1-ρ) g²; p ← p - lr g / (√h + ε)."""
        h = decay_rate * h + (1 - decay_rate) * (g * g)
        return p - lr * g / (np.sqrt(h) + eps), h


class Adam(Optimizer):
    """m ← m + (1-β₁)(dW - m); v ← v + (1-β₂)(dW² - v); W ← W - lrₜ · m / (√v + ε).

    lrₜ = lr √(1-β₂ᵗ) / (1-β₁ᵗ) corrects the bias of m and v, which begin at 0. Source: Kingma
    and Ba, "Adam", 2015, in the efficient order of its section 2 (ε is not bias-corrected).
    """

    slots = ("m", "v")
    numbers = ("beta1", "beta2", "eps")

    def __init__(
        self,
        lr: float | Schedule = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        *,
        eps: float = 1e-7,
        **shared: Any,
    ) -> None:
        super().__init__(lr, **shared)
        self.beta1, self.beta2 = _below_one(beta1, "beta1"), _below_one(beta2, "beta2")
        self.eps = _positive(eps, "eps")

    def rate(self, lr: float, t: int) -> float:
        """lrₜ = lr √(1-β₂ᵗ) / (1-β₁ᵗ)."""
        return lr * math.sqrt(1 - self.beta2**t) / (1 - self.beta1**t)

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
        """m ← m + (1-β₁)(g - m); v ← v + (1-β₂)(g² - v); p ← p - lrₜ m / (√v + ε)."""
        m = m + (1 - beta1) * (g - m)
        v = v + (1 - beta2) * (g * g - v)
        return p - lr * m / (np.sqrt(v) + eps), m, v


class AdamW(Adam):
    """Adam, with the weights also shrunk by lr · weight_decay · W at each update, apart from dW.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.
    """

    def __init__(
        self,
        lr: float | Schedule = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        *,
        weight_decay: float = 0.01,
        eps: float = 1e-7,
        **shared: Any,
    ) -> None:
        super().__init__(lr, beta1, beta2, eps=eps, weight_decay=weight_decay, **shared)


def _positive(value: float, name: str) -> float:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not value > 0 or not math.isfinite(value):
        raise SettingError(f"{name}={shown(value)} must be a finite number above 0.")
    return float(value)


def _from_zero(value: float, name: str) -> float:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not value >= 0 or not math.isfinite(value):
        raise SettingError(f"{name}={shown(value)} must be a finite number from 0.")
    return float(value)


def _below_one(value: float, name: str) -> float:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not 0 <= value < 1:
        raise SettingError(f"{name}={shown(value)} must be a number from 0 to below 1.")
    return float(value)
