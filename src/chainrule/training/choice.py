"""Which engine a training takes: by its structure, its shapes and its steps, so that bits repeat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from chainrule.engine.choice import extra_missing, missing_packages
from chainrule.engine.cost import Estimate, duration
from chainrule.lang.messages import Text, _
from chainrule.networks import Network
from chainrule.optimizers import Optimizer
from chainrule.training.cost import weighed
from chainrule.training.state import Training

__all__ = ["Choice", "choose", "engine_line"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Choice:
    """The engine, why it is not the compiled one, and whether a part written by hand is why."""

    engine: str
    reason: Text | None = None
    by_hand: bool = False


def choose(trainer: Training, x: Array, t: Array, w: Array | None, steps: int) -> Choice:
    """The engine for so many more steps on batches like this one: x, t, weights, of prepared data.

    "auto" takes the compiled engine where it saves more than compiling costs, over all steps that
    the trainer has made and is to make. What the cache holds is not asked: the two engines differ
    in their last bits, and the same program is to give the same bits whenever it runs.
    """
    if trainer.engine == "numpy":
        return Choice("numpy")
    why = _by_hand(trainer)
    if why is not None:
        return Choice("numpy", why, by_hand=True)
    missing = missing_packages()
    if missing and trainer.engine == "compiled":
        raise extra_missing(missing)
    if missing:
        return Choice("numpy", _("{package} is not installed", package=missing[0]))
    if trainer.engine == "auto":
        found, steps = weighed(trainer, x, t, w), trainer.history.steps + steps
        # One with a part by hand is declined, and the reason is then told.
        if not found.by_hand and not found.pays(steps):
            return Choice("numpy", _too_dear(found, steps))
    try:
        import chainrule.training.compiled  # noqa: F401
    except ImportError as error:  # such as a Numba that is too old for this NumPy
        why = _(
            "a package that the compiled engine needs cannot be loaded ({error})", error=str(error)
        )
        return Choice("numpy", why)
    return Choice("compiled")


def engine_line(trainer: Training, x: Array, t: Array, w: Array | None, steps: int) -> Text:
    """In a line, the engine that so many steps will take, and why."""
    choice = choose(trainer, x, t, w, steps)
    if choice.engine == "numpy":
        if choice.reason is None:
            return _("NumPy, as asked")
        return _("NumPy, as {reason}", reason=choice.reason)
    found = weighed(trainer, x, t, w)
    compiling = duration(found.compiling)
    if trainer.engine == "compiled":
        return _("compiled, as asked; compiling takes {time}, once", time=compiling)
    return _(
        "compiled; compiling takes {time}, once, and saves {saved}",
        time=compiling,
        saved=duration(found.saved(steps)),
    )


def _too_dear(found: Estimate, steps: int) -> Text:
    compiling, saved = duration(found.compiling), found.saved(steps)
    if not saved:
        return _("compiling it would take {time}, and save nothing", time=compiling)
    return _(
        "compiling it would take {time}, and save {saved}", time=compiling, saved=duration(saved)
    )


def _by_hand(trainer: Training) -> Text | None:
    """What is written by hand here, so that only Python can run it."""
    if not isinstance(trainer.model, Network):
        return _("the model is written by hand, in Python")
    optimizer = type(trainer.optimizer)
    if not issubclass(optimizer, Optimizer) or optimizer.update is not Optimizer.update:
        return _("the optimizer has an update of its own, in Python")
    return None
