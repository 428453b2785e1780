"""Learning-rate schedules: a rate for every update. They nest: each takes a rate or a schedule.

>>> from chainrule.schedules import Cosine, WarmUp
>>> lr = WarmUp(Cosine(0.1, steps=100), steps=10)
>>> [round(lr(step), 3) for step in (0, 4, 9, 50, 100)]
[0.01, 0.05, 0.098, 0.05, 0.0]
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from chainrule.errors import SettingError, refuse_class, shown
from chainrule.lang.messages import _, sentences
from chainrule.settings import from_zero, positive, rate_factor, unit, whole

__all__ = [
    "Constant",
    "Cosine",
    "CosineLog",
    "Exponential",
    "FlatCosine",
    "OfStep",
    "ReduceOnPlateau",
    "Schedule",
    "Step",
    "WarmUp",
    "as_schedule",
    "decay_schedule",
]


#: A learning rate: a number, a schedule, or a function of the number of updates made so far.
Rate: TypeAlias = "float | Schedule | Callable[[int], float]"


class Schedule:
    """The learning rate as a function of the number of updates made so far, from 0."""

    def __call__(self, step: int) -> float:
        """The learning rate of update number `step`."""
        raise NotImplementedError

    def observe(self, loss: float) -> None:
        """Take note of an epoch's loss (on held-out data, if there is any); called after each epoch."""

    @property
    def observes(self) -> bool:
        """Whether the rate depends on the observed losses."""
        return type(self).observe is not Schedule.observe

    def __repr__(self) -> str:
        inside = ", ".join(f"{k}={v!r}" for k, v in vars(self).items() if not k.startswith("_"))
        return f"{type(self).__name__}({inside})"


def as_schedule(lr: Rate) -> Schedule:
    """A schedule from a number, a schedule, or a function of the number of updates so far."""
    if isinstance(lr, Schedule):
        return lr
    refuse_class(lr, "lr", _("a schedule"))
    return OfStep(lr) if callable(lr) else Constant(lr)


def decay_schedule(value: object, name: str) -> float | Schedule:
    """A weight decay: a finite number from 0, a schedule, or a function of the updates so far."""
    if isinstance(value, Schedule):
        return value
    refuse_class(value, name, _("a schedule"))
    return OfStep(value) if callable(value) else from_zero(value, name)


class Constant(Schedule):
    """The same rate for every update."""

    def __init__(self, lr: float) -> None:
        try:
            self.lr = positive(lr, "lr")
        except SettingError:
            arrays = isinstance(lr, list | tuple)
            hint = _("An optimizer is not given the parameters: cr.Trainer(net, cr.SGD(lr=0.01)).")
            wrong = _(
                "lr={lr} must be a finite number above 0, or a schedule; for example 0.01.",
                lr=shown(lr),
            )
            raise SettingError(sentences(wrong, arrays and hint)) from None

    def __call__(self, step: int) -> float:
        """The rate."""
        return self.lr


class OfStep(Schedule):
    """The rate by a function of your own, of the number of updates made so far, from 0.

    You can give the function alone: `cr.SGD(lr=lambda step: 0.1 / (1 + step))`. It counts updates,
    not epochs: an epoch has one update per batch.

    >>> OfStep(lambda step: 0.1 * 0.5 ** (step // 10))(25)
    0.025
    """

    def __init__(self, function: Callable[[int], float]) -> None:
        self.function = function

    def __call__(self, step: int) -> float:
        """The function's value, checked to be a number."""
        lr = self.function(step)
        try:
            return float(lr)
        except (TypeError, ValueError):
            raise SettingError(
                _(
                    "the schedule {schedule} gave {lr} for update {step}; a learning rate is one number.",
                    schedule=repr(self),
                    lr=shown(lr, 40),
                    step=step,
                )
            ) from None

    def __repr__(self) -> str:
        return f"OfStep({getattr(self.function, '__name__', 'function')})"


class _Nested(Schedule):
    def __init__(self, lr: Rate) -> None:
        self.lr = as_schedule(lr)

    def observe(self, loss: float) -> None:
        """Pass the loss on to the schedule inside."""
        self.lr.observe(loss)

    @property
    def observes(self) -> bool:
        """Whether this rate or that of the schedule inside depends on the observed losses."""
        return self.lr.observes or type(self).observe is not _Nested.observe


class Step(_Nested):
    """The rate times `factor` after every `every` updates: lr · factor^⌊step / every⌋."""

    def __init__(self, lr: Rate, every: int, factor: float = 0.1) -> None:
        super().__init__(lr)
        self.every, self.factor = whole(every, "every"), rate_factor(factor, "factor")

    def __call__(self, step: int) -> float:
        """lr · factor^⌊step / every⌋."""
        return self.lr(step) * self.factor ** (step // self.every)


class Exponential(_Nested):
    """The rate times `factor` over every `every` updates, smoothly: lr · factor^(step / every)."""

    def __init__(self, lr: Rate, every: int, factor: float = 0.1) -> None:
        super().__init__(lr)
        self.every, self.factor = whole(every, "every"), rate_factor(factor, "factor")

    def __call__(self, step: int) -> float:
        """lr · factor^(step / every)."""
        return float(self.lr(step) * self.factor ** (step / self.every))


class Cosine(_Nested):
    """Half a cosine wave from the rate down to `end` · rate over `steps` updates, then flat.

    Source: Loshchilov and Hutter, "SGDR", 2017.
    """

    def __init__(self, lr: Rate, steps: int, end: float = 0.0) -> None:
        super().__init__(lr)
        self.steps = whole(steps, "steps")
        self.end = unit(end, "end")

    def __call__(self, step: int) -> float:
        """lr · (end + (1 - end) (1 + cos(π step / steps)) / 2)."""
        wave = (1 + math.cos(math.pi * min(step / self.steps, 1.0))) / 2
        return self.lr(step) * (self.end + (1 - self.end) * wave)


class FlatCosine(_Nested):
    """The rate for the first half of `steps`, then half a cosine wave down to 0, then 0.

    For rates, and for a `weight_decay` that regularizes early and lets go late. Source: the fastai
    library; Holzmüller et al., "Better by default", 2024, for weight decay and dropout.
    """

    def __init__(self, lr: Rate, steps: int) -> None:
        super().__init__(lr)
        self.steps = whole(steps, "steps")

    def __call__(self, step: int) -> float:
        """lr · (1 + cos(π · (2 step / steps - 1))) / 2 in the second half, lr before it."""
        fall = min(max(2 * step / self.steps - 1, 0.0), 1.0)
        return self.lr(step) * (1 + math.cos(math.pi * fall)) / 2


class CosineLog(_Nested):
    """Waves from 0 up to the rate and down again over `steps` updates, each twice as long as the last.

    Several short waves show early which way is good; the last one, half of the training, comes down
    slowly. Source: coslog4 of Holzmüller et al., "Better by default", 2024.
    """

    def __init__(self, lr: Rate, steps: int, waves: int = 4) -> None:
        super().__init__(lr)
        self.steps, self.waves = whole(steps, "steps"), whole(waves, "waves")

    def __call__(self, step: int) -> float:
        """lr · (1 - cos(2π log₂(1 + (2^waves - 1) step / steps))) / 2."""
        turns = math.log2(1 + (2**self.waves - 1) * min(step / self.steps, 1.0))
        return self.lr(step) * (1 - math.cos(2 * math.pi * turns)) / 2


class WarmUp(_Nested):
    """The rate grows linearly over the first `steps` updates; then the schedule inside applies alone.

    The two are multiplied: the schedule inside counts updates from the first one. Chained schedules
    in PyTorch and optax begin the second one only after the first has ended, like
    `WarmUp(OfStep(lambda step: schedule(max(0, step - 10))), steps=10)`.
    """

    def __init__(self, lr: Rate, steps: int) -> None:
        super().__init__(lr)
        self.steps = whole(steps, "steps")

    def __call__(self, step: int) -> float:
        """lr · min(1, (step + 1) / steps)."""
        return self.lr(step) * min(1.0, (step + 1) / self.steps)


class ReduceOnPlateau(_Nested):
    """The rate is multiplied by `factor` whenever the loss has not improved for `patience` epochs.

    It changes at the patience-th epoch without improvement, as in Keras; PyTorch waits one longer.
    """

    def __init__(
        self,
        lr: Rate,
        factor: float = 0.5,
        patience: int = 5,
        min_delta: float = 0.0,
    ) -> None:
        super().__init__(lr)
        self.factor, self.patience = rate_factor(factor, "factor"), whole(patience, "patience")
        self.min_delta = from_zero(min_delta, "min_delta")
        self._best, self._waited, self._scale = math.inf, 0, 1.0

    def __call__(self, step: int) -> float:
        """The rate inside, times the reductions so far."""
        return self.lr(step) * self._scale

    def observe(self, loss: float) -> None:
        """Reduce the rate if the loss of an epoch makes it due."""
        super().observe(loss)
        if loss < self._best - self.min_delta:
            self._best, self._waited = loss, 0
            return
        self._waited += 1
        if self._waited >= self.patience:
            self._scale *= self.factor
            self._waited = 0
