"""The base class of all optimizers.

A rule is written once, as an elementwise pure function; an engine runs it over whole flat buffers.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Mapping, Sequence
from operator import is_
from typing import Any, ClassVar, NamedTuple

import numpy as np

from chainrule.engine.cache import ProgramCache
from chainrule.engine.plans import plan_update
from chainrule.engine.primitives import Array, Function
from chainrule.errors import (
    DTypeError,
    SettingError,
    ShapeError,
    forgotten_init,
    missing_method,
    nearest,
)
from chainrule.lang.messages import _, _n, listed, says
from chainrule.nodes.base import Value
from chainrule.optimizers.gradients import global_norm, squares
from chainrule.schedules import Constant, Rate, Schedule, as_schedule, decay_schedule
from chainrule.settings import Check, from_zero, optional_positive

__all__ = ["OPTIMIZERS", "Optimizer", "default_numbers", "optimizer_class"]

#: The numbers that every update takes besides the rule's own.
SHARED = ("l1", "l2", "shrink", "clip_value", "scale")

_DECAY_AND_CLIPPING: dict[str, Check] = {
    "l1": from_zero,
    "l2": from_zero,
    "weight_decay": decay_schedule,
    "clip_value": optional_positive,
    "clip_norm": optional_positive,
}


class _Binding(NamedTuple):
    """The arrays of an update, with decays and rate factors, and the programs made for them."""

    params: list[Array]
    grads: list[Array]
    settings: tuple[list[bool] | None, list[float] | None]
    programs: list[Function] | None


class Optimizer:
    """The base class of all optimizers: learning rate, decay, clipping, and running the rule.

    To write an optimizer, define `rule(p, g, *slots, lr, ...)`, which returns the new parameter and
    the new slots. `slots` names the state arrays of each parameter; `hyperparameters` the settings
    that `rule` takes by name, each with the check (see `chainrule.settings`) that runs whenever it
    is set.

    `lr` is a number, a schedule, or a function of the number of updates so far. `l2` adds l2 · p
    to the gradient and `l1` adds l1 · sign(p), for weights but not for biases (arrays with one
    axis), unless `decays` says otherwise; `weight_decay` shrinks the same weights by
    lr · weight_decay · p, separately from the gradient, and may be a schedule, too. A layer's
    `lr_factor` multiplies its lr.
    `clip_value` limits every gradient to ± the value, `clip_norm` scales all gradients together to
    at most that global norm; both come before the decay.

    >>> import chainrule as cr, numpy as np
    >>> W, dW = np.array([1.0, 2.0]), np.array([1.0, 1.0])
    >>> cr.SGD(lr=0.5).update([W], [dW])
    >>> W
    array([0.5, 1.5])
    """

    slots: ClassVar[tuple[str, ...]] = ()
    hyperparameters: ClassVar[Mapping[str, Check]] = {}
    #: A first learning rate that suits small networks, where nobody names one.
    first_lr: ClassVar[float] = 0.01

    def __init__(
        self,
        lr: Rate,
        *,
        l1: float = 0.0,
        l2: float = 0.0,
        weight_decay: Rate = 0.0,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        **unknown: object,
    ) -> None:
        if unknown:
            self._refuse(next(iter(unknown)))
        #: How many updates have been made.
        self.iter = 0
        #: The slots of every parameter, made at the first update.
        self.state: list[list[Array]] | None = None
        self._programs: ProgramCache[Function] = ProgramCache(256)
        #: The arrays of the latest update, and their programs.
        self._latest: _Binding | None = None
        self.schedule = as_schedule(lr)
        self.l1, self.l2, self.weight_decay = l1, l2, weight_decay
        self.clip_value, self.clip_norm = clip_value, clip_norm
        #: The arrays of earlier updates, with their state; that of frozen parameters stays here.
        self._earlier: list[tuple[list[Array], list[list[Array]]]] = []
        #: The arrays and the state that the next binding begins with, instead of zeros.
        self._given: tuple[list[Array], list[list[Array]]] | None = None

    def _refuse(self, option: str) -> None:
        """Raise for an unknown option, naming an optimizer that has it, or its name here."""
        known = [*self._hyperparameter_names[: -len(SHARED)], *_DECAY_AND_CLIPPING]
        others = [
            kind.__name__
            for kind in OPTIMIZERS.values()
            if option in kind.hyperparameters and not isinstance(self, kind)
        ]
        usual = {"learning_rate": "lr", "alpha": "lr", "rho": "decay_rate", "betas": "beta1"}
        name = type(self).__name__
        if others:
            raise SettingError(
                _(
                    "{optimizer} has no option {option}, which cr.{other} has. Allowed: {names}.",
                    optimizer=name,
                    option=option,
                    other=others[0],
                    names=listed(known),
                )
            )
        if usual.get(option) in known:
            raise SettingError(
                _(
                    "{optimizer} has no option {option}; here it is called {name}. Allowed: {names}.",
                    optimizer=name,
                    option=option,
                    name=usual[option],
                    names=listed(known),
                )
            )
        raise SettingError(
            _(
                "{optimizer} has no option {option}; {nearest}.",
                optimizer=name,
                option=option,
                nearest=nearest(option, known),
            )
        )

    def __getattr__(self, name: str) -> Any:
        if name[:2] != "__" and "schedule" not in self.__dict__:
            raise forgotten_init(self, "Optimizer")
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    @property
    def lr(self) -> float:
        """The learning rate of the next update."""
        return self.schedule(self.iter)

    @lr.setter
    def lr(self, lr: Rate) -> None:
        self.schedule = as_schedule(lr)

    @says(_("The new parameter and the new slots, from the old ones and the gradient."))
    def rule(self, p: Value, g: Value, *slots: Value, **numbers: Value) -> tuple[Value, ...]:
        raise missing_method(self, "rule(self, p, g, *, lr)")

    def effective_lr(self, lr: float, t: int) -> float:
        """The rate that the rule takes at update number t, from 1."""
        return lr

    def update(
        self,
        params: Sequence[Array],
        grads: Sequence[Array],
        decays: Sequence[bool] | None = None,
        factors: Sequence[float] | None = None,
    ) -> None:
        """Update every parameter in place by its gradient.

        `decays` says which of them decay (by default, matrices); `factors` are the factors of the
        learning rate for each.
        """
        programs = self._latest_programs(params, grads, decays, factors)
        if programs is None:  # other arrays than last time: check all before changing any
            programs = self._prepare(params, grads, decays, factors)
        assert self.state is not None
        scale = 1.0
        if self.clip_norm is not None:
            norm = global_norm(grads)
            scale = self.clip_norm / norm if norm > self.clip_norm else 1.0
        numbers = self._numbers(scale)
        for program, p, g, slots in zip(programs, params, grads, self.state, strict=True):
            program(p, g, *slots, *numbers)
        self.iter += 1

    def _latest_programs(
        self,
        params: Sequence[Array],
        grads: Sequence[Array],
        decays: Sequence[bool] | None,
        factors: Sequence[float] | None,
    ) -> list[Function] | None:
        """The programs of the latest update, if it was of the same arrays; else None."""
        if self._latest is None or self.state is None:
            return None
        old_params, old_grads, old_settings, programs = self._latest
        same = (
            len(params) == len(old_params)
            and len(grads) == len(old_grads)
            and all(map(is_, params, old_params))
            and all(map(is_, grads, old_grads))
            and (decays, factors) == old_settings
        )
        return programs if same else None

    def bind(
        self,
        params: Sequence[Array],
        grads: Sequence[Array],
        decays: Sequence[bool] | None = None,
        factors: Sequence[float] | None = None,
    ) -> None:
        """Check the arrays against each other, and make a state for them if there is none."""
        who = f"{type(self).__name__}.update"
        if isinstance(params, np.ndarray) or isinstance(grads, np.ndarray):
            raise ShapeError(
                _(
                    "{who} takes two lists of arrays; got one array. Write update([W], [dW]).",
                    who=who,
                )
            )
        if len(params) != len(grads):
            raise ShapeError(
                _(
                    "{who}: {params} parameters came with {grads} gradients; give two lists in one order.",
                    who=who,
                    params=len(params),
                    grads=len(grads),
                )
            )
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            for name, array in (("params", p), ("grads", g)):
                if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
                    raise DTypeError(
                        _(
                            "{who} takes arrays of floating-point numbers, which it changes in place;"
                            " {name}[{i}] is {kind}.",
                            who=who,
                            name=name,
                            i=i,
                            kind=getattr(array, "dtype", None) or type(array).__name__,
                        )
                    )
            if p.shape != g.shape:
                raise ShapeError(
                    _(
                        "{who}: params[{i}] has shape {param} and grads[{i}] {grad}; the gradient of an"
                        " array has its shape. Give the two lists in one order.",
                        who=who,
                        i=i,
                        param=p.shape,
                        grad=g.shape,
                    )
                )
            if not p.flags.writeable:
                raise DTypeError(
                    _(
                        "{who}: params[{i}] is read-only, so it cannot be changed in place. Give a copy of"
                        " it to the layer; an array held by a Variable is free after backward().",
                        who=who,
                        i=i,
                    )
                )
        if self.state is None:
            self.state = self._slots_of(params)
            if self._given is not None:
                self._earlier, self._given = [self._given], None
        self._check_state(params)
        settings = (
            None if decays is None else list(decays),
            None if factors is None else list(factors),
        )
        self._latest = _Binding(list(params), list(grads), settings, None)

    def hyperparameters_for(self, steps: int) -> Array:
        """The numbers of the next updates, one row per update: lr, the rule's own, and `SHARED`.

        If the rate is constant, there is a single row for all.
        """
        if isinstance(self.schedule, Constant) and not isinstance(self.weight_decay, Schedule):
            one = np.array([self._numbers(1.0)])  # only the rate may differ between updates
            if type(self).effective_lr is Optimizer.effective_lr:
                return one
            rows = np.repeat(one, steps, axis=0)
            lr, first = self.lr, self.iter + 1
            rows[:, 0] = [self.effective_lr(lr, t) for t in range(first, first + steps)]
            return rows
        start, rows_of_numbers = self.iter, []
        try:
            for self.iter in range(start, start + steps):
                rows_of_numbers.append(self._numbers(1.0))
        finally:
            self.iter = start
        return np.array(rows_of_numbers)

    def _prepare(
        self,
        params: Sequence[Array],
        grads: Sequence[Array],
        decays: Sequence[bool] | None,
        factors: Sequence[float] | None,
    ) -> list[Function]:
        """Bind the arrays, and find or make their programs."""
        self.bind(params, grads, decays, factors)
        programs = []
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            decay = bool(p.ndim >= 2 if decays is None else decays[i])
            factor = 1.0 if factors is None else factors[i]
            key = (p.shape, p.dtype, g.dtype, decay, factor)
            program = self._programs.get(key, 0)
            if program is None:
                program = self._programs.put(key, 0, plan_update(self, p, g, decay, factor))
            programs.append(program)
        assert self._latest is not None
        self._latest = self._latest._replace(programs=programs)
        return programs

    def _check_state(self, params: Sequence[Array]) -> None:
        """Raise unless the state fits arrays of these shapes and dtypes."""
        kinds = [(p.shape, p.dtype) for p in params]
        if self.slots:
            fits = [[(s.shape, s.dtype) for s in slots] for slots in self.state or []] == [
                [kind] * len(self.slots) for kind in kinds
            ]
        else:
            fits = len(self.state or []) == len(params)
        if not fits and not self._carry_over(params):
            raise self._mismatch(kinds)

    def _mismatch(self, kinds: Sequence[tuple[object, object]]) -> ShapeError:
        given = listed(f"{shape} {dtype}" for shape, dtype in kinds)
        began = [f"{s[0].shape} {s[0].dtype}" for s in self.state or [] if s]
        if began:
            return ShapeError(
                _(
                    "{optimizer}.update: this optimizer began with {n} arrays ({began}); it was given {m}"
                    " ({given}). It stays with the arrays it began with: make a new optimizer for others.",
                    optimizer=type(self).__name__,
                    n=len(self.state or []),
                    began=listed(began),
                    m=len(kinds),
                    given=given,
                )
            )
        return ShapeError(
            _(
                "{optimizer}.update: this optimizer began with {n} arrays; it was given {m} ({given}). It"
                " stays with the arrays it began with: make a new optimizer for others.",
                optimizer=type(self).__name__,
                n=len(self.state or []),
                m=len(kinds),
                given=given,
            )
        )

    def _carry_over(self, params: Sequence[Array]) -> bool:
        """Rearrange the state for other arrays over the same memory; False if none share any.

        Freezing a layer, or calling `update` by hand after a Trainer, divides one memory differently.
        """
        if self._latest is not None:
            self._earlier.append((self._latest[0], self.state or []))
        state, shared = self._state_over(params, self._earlier)
        if shared:
            self.state = state
        return shared

    def _state_over(
        self, params: Sequence[Array], known: Sequence[tuple[list[Array], list[list[Array]]]]
    ) -> tuple[list[list[Array]], bool]:
        """State for these arrays, from those over the same memory; and whether there were any."""
        state = [[np.zeros_like(p) for _ in self.slots] for p in params]
        shared = [
            _copy_shared(q, old, p, slots)
            for arrays, olds in known  # the latest last, so that it overwrites the others
            for q, old in zip(arrays, olds, strict=True)
            for p, slots in zip(params, state, strict=True)
        ]
        return state, any(shared)

    # -- keeping the state ------------------------------------------------------------------------

    def _slots_of(self, params: Sequence[Array]) -> list[list[Array]]:
        """A copy of the slots of each of these arrays; zeros for what was never updated."""
        known = [] if self._given is None else [self._given]
        if self.state is not None:
            latest = list(params) if self._latest is None else self._latest[0]
            known += [*self._earlier, (latest, self.state)]
        return self._state_over(params, known)[0]

    def _put_slots(self, params: Sequence[Array], slots: Sequence[Sequence[Array]]) -> None:
        """Go on with these slots of these arrays, in whatever runs they are updated later."""
        self.state, self._latest, self._earlier = None, None, []
        self._given = list(params), [list(group) for group in slots]

    @property
    def _hyperparameter_names(self) -> tuple[str, ...]:
        """The names of an update's numbers, in the order in which every program takes them."""
        return ("lr", *self.hyperparameters, *SHARED)

    def _numbers(self, scale: float) -> list[float]:
        """The numbers of this update, in the order of `_hyperparameter_names`."""
        # Python numbers take the dtype of the arrays; a NumPy scalar would impose its own.
        lr = float(self.schedule(self.iter))
        if not 0 <= lr < math.inf:
            raise SettingError(
                _(
                    "{optimizer}: the schedule {schedule} gave lr={lr} for update {step}; a learning rate is"
                    " a finite number from 0.",
                    optimizer=type(self).__name__,
                    schedule=repr(self.schedule),
                    lr=lr,
                    step=self.iter,
                )
            )
        numbers = [getattr(self, name) for name in self.hyperparameters]
        shared = [self.l1, self.l2, lr * self._decay_now(), self.clip_value or 0.0, scale]
        return [self.effective_lr(lr, self.iter + 1), *numbers, *shared]

    def _decay_now(self) -> float:
        """The weight decay of this update."""
        decay = self.weight_decay  # checked when it was set: a number or a Schedule
        return float(decay(self.iter) if callable(decay) else decay)

    def apply_rule(
        self,
        p: Value,
        g: Value,
        slots: list[Value],
        numbers: dict[str, Value],
        decay: bool,
        factor: float = 1.0,
    ) -> tuple[Value, ...]:
        """Clipping, decay, then the rule: the new parameter and the new slots.

        `factor` multiplies the learning rate of this parameter.
        """
        l1, l2, shrink, clip, scale = (numbers.pop(name) for name in SHARED)
        if factor != 1:
            numbers["lr"], shrink = numbers["lr"] * factor, shrink * factor
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
        new = self.rule(p, g, *slots, **numbers)
        if not isinstance(new, tuple) or len(new) != 1 + len(slots):
            given = _("one value alone")
            if isinstance(new, tuple):
                given = _n("{n} value", "{n} values", len(new))
            raise SettingError(
                _(
                    "{optimizer}.rule gave {given}; it returns a tuple of the new parameter and the new"
                    " slots, return ({wanted}).",
                    optimizer=type(self).__name__,
                    given=given,
                    wanted=", ".join(("p", *self.slots)) + "," * (not slots),
                )
            )
        return new

    def penalty(self, params: Sequence[Array], decays: Sequence[bool]) -> float:
        """The penalty in the loss by the decay: l2/2 · Σ p² + l1 · Σ |p| over the decayed parameters."""
        decayed = [p for p, d in zip(params, decays, strict=True) if d]
        sum_of_squares = sum(map(squares, decayed)) if self.l2 else 0.0
        sum_of_sizes = sum(float(np.abs(p).sum()) for p in decayed) if self.l1 else 0.0
        return 0.5 * self.l2 * sum_of_squares + self.l1 * sum_of_sizes

    def __setattr__(self, name: str, value: object) -> None:
        check = _DECAY_AND_CLIPPING.get(name)
        if check is not None:  # the programs depend on whether these are used
            if "_programs" in self.__dict__:  # not yet so in a subclass that sets it first
                self._programs.clear()
            self._latest = None
        else:
            check = type(self).hyperparameters.get(name)
        if check is not None:
            value = check(value, _("{owner}: {name}", owner=type(self).__name__, name=name))
        object.__setattr__(self, name, value)

    def __getstate__(self) -> dict[str, object]:
        programs = copy.copy(self._programs)
        return {
            **self.__dict__,
            "_programs": programs,
            "_latest": None,
            "_earlier": [],
            "_given": None,
        }

    def __repr__(self) -> str:
        lr = self.schedule.lr if isinstance(self.schedule, Constant) else self.schedule
        shown_settings = [f"lr={lr!r}"]
        shown_settings += [f"{name}={getattr(self, name)!r}" for name in self.hyperparameters]
        for name in ("l1", "l2", "weight_decay", "clip_value", "clip_norm"):
            if getattr(self, name):
                shown_settings.append(f"{name}={getattr(self, name)!r}")
        return f"{type(self).__name__}({', '.join(shown_settings)})"


def _copy_shared(q: Array, old: list[Array], p: Array, slots: list[Array]) -> bool:
    """Copy the state `old` of q into the slots of p, where both share memory; whether they share any."""
    if q.dtype != p.dtype or not (q.flags.c_contiguous and p.flags.c_contiguous):
        return False
    q0, p0 = (a.__array_interface__["data"][0] for a in (q, p))
    low, high = max(q0, p0), min(q0 + q.nbytes, p0 + p.nbytes)
    if low >= high:
        return False
    n = p.itemsize
    for source, target in zip(old, slots, strict=True):
        part = source.reshape(-1)[(low - q0) // n : (high - q0) // n]
        target.reshape(-1)[(low - p0) // n : (high - p0) // n] = part
    return True


#: The optimizers of `rules.py` by name, as people choose among them.
OPTIMIZERS: dict[str, type[Optimizer]] = {}


def optimizer_class(name: str) -> type[Optimizer]:
    """The optimizer of that name in small letters; KeyError if there is none.

    >>> optimizer_class("adamw").__name__
    'AdamW'
    """
    return {key.lower(): kind for key, kind in OPTIMIZERS.items()}[name]


def default_numbers(kind: type[Optimizer]) -> dict[str, float]:
    """The numbers of an optimizer besides the learning rate that have a default of their own.

    >>> import chainrule as cr
    >>> default_numbers(cr.Momentum), default_numbers(cr.SGD)
    ({'momentum': 0.9}, {})
    """
    parameters = inspect.signature(kind).parameters
    names = [*kind.hyperparameters, *(name for name in ("weight_decay",) if name in parameters)]
    return {name: float(parameters[name].default) for name in names}
