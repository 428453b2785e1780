"""Which engine runs a training: decided by its structure, shapes and steps, so that bits repeat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from chainrule.engine.choice import extra_missing, missing_packages
from chainrule.engine.cost import Estimate, duration
from chainrule.lang.messages import Text, _
from chainrule.networks import Network
from chainrule.optimizers import Optimizer
from chainrule.training.cost import step_estimate
from chainrule.training.state import Training

__all__ = ["Choice", "choose", "engine_line"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Choice:
    """The engine; if it is not the compiled one, the reason, and whether it is a hand-written part."""

    engine: str
    reason: Text | None = None
    by_hand: bool = False


def choose(
    trainer: Training,
    x: Array,
    t: Array,
    w: Array | None,
    steps: int,
    engine: str | None = None,
) -> Choice:
    """The engine for `steps` more steps on batches like x, t and weights w of prepared data.

    `engine`: what is asked for, by default of the trainer.

    "auto" takes the compiled engine if it saves more time than compiling costs, over all past and
    future steps of the trainer. The contents of the kernel cache play no part: the two engines
    differ in their last bits, and the same program must give the same bits whenever it runs.
    """
    engine = engine or trainer.engine
    if engine == "numpy":
        return Choice("numpy")
    why = _by_hand(trainer)
    if why is not None:
        return Choice("numpy", why, by_hand=True)
    missing = missing_packages()
    if missing and engine == "compiled":
        raise extra_missing(missing)
    if missing:
        return Choice("numpy", _("{package} is not installed", package=missing[0]))
    if engine == "auto":
        estimate, steps = step_estimate(trainer, x, t, w), trainer.history.steps + steps
        # The compiled engine declines a hand-written part later, and then reports the reason.
        if not estimate.by_hand and not estimate.pays(steps):
            return Choice("numpy", _too_costly(estimate, steps))
    try:
        import chainrule.training.compiled  # noqa: F401
    except ImportError as error:  # such as a library that this system does not have
        why = _(
            "a package that the compiled engine needs cannot be loaded ({error})", error=str(error)
        )
        return Choice("numpy", why)
    return Choice("compiled")


def engine_line(
    trainer: Training, x: Array, t: Array, w: Array | None, steps: int, least: int | None = None
) -> Text:
    """One line of text: the engine that will run these steps, and why.

    `least`: how few they may be, if their number is found while training.
    """
    choice, few = choose(trainer, x, t, w, steps), least is not None and least < steps
    if choice.engine == "numpy":
        if choice.reason is None:
            return _("NumPy, as asked")
        return _("NumPy, as {reason}", reason=choice.reason)
    estimate = step_estimate(trainer, x, t, w)
    compiling = duration(estimate.compiling)
    if trainer.engine == "compiled":
        return _("compiled, as asked; compiling takes {time}, once", time=compiling)
    if few and least is not None and choose(trainer, x, t, w, least).engine == "numpy":
        return _(
            "NumPy, or compiled if the recipe that is found takes {steps:,} steps or more: compiling takes"
            " {time}, once",
            steps=estimate.least_steps,
            time=compiling,
        )
    saved = duration(estimate.saved(steps))
    return _(
        "compiled; compiling takes {time}, once, and saves {saved}",
        time=compiling,
        saved=_("up to {saved}", saved=saved) if few and estimate.saved(steps) >= 1 else saved,
    )


def _too_costly(estimate: Estimate, steps: int) -> Text:
    compiling, saved = duration(estimate.compiling), estimate.saved(steps)
    if not saved:
        return _("compiling it would take {time}, and save nothing", time=compiling)
    return _(
        "compiling it would take {time}, and save {saved}", time=compiling, saved=duration(saved)
    )


def _by_hand(trainer: Training) -> Text | None:
    """Why only Python can run this training: a hand-written model or update; None if neither."""
    if not isinstance(trainer.model, Network):
        return _("the model is written by hand, in Python")
    optimizer = type(trainer.optimizer)
    if not issubclass(optimizer, Optimizer) or optimizer.update is not Optimizer.update:
        return _("the optimizer has an update of its own, in Python")
    return None
