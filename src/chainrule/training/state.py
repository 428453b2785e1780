"""The state of a training: the one object that owns it, for loops, callbacks and the playground."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import SettingError, shown
from chainrule.lang.messages import _
from chainrule.layers.losses import Loss
from chainrule.networks import Network
from chainrule.optimizers import Optimizer
from chainrule.training.history import History
from chainrule.training.metrics import Metric

__all__ = ["Snapshot", "Training", "parameter_arrays"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Snapshot:
    """A training as it was: what a step changes, and with `place` what an epoch changes, too."""

    #: Copies of the parameters and buffers.
    arrays: list[Array]
    #: The optimizer's slots, and how many updates it has made.
    slots: list[list[Array]] | None
    updates: int
    #: The generator, the schedule, the history, the epoch, and why training is to end.
    place: tuple[Any, Any, History, int, str | None] | None = None


class Training:
    """A model, its optimizer, and where its training has come to.

    `history` is what it went through, `rng` what it shuffles by, `stop_reason` why it is to end once
    something has asked for it. `snapshot` and `restore` go back to any point: the bits that follow are
    those that followed then.
    """

    def __init__(self, model: Any, optimizer: Any, rng: np.random.Generator) -> None:
        self.model, self.optimizer, self.rng = model, optimizer, rng
        self.history = History()
        self.current_epoch = 0
        self.stop_reason: str | None = None
        #: Whether that was Ctrl-C.
        self.interrupted = False
        self.engine = "numpy"
        self.threads: int | None = None
        #: What the latest fit ran on, and why not on the compiled engine, if so.
        self.engine_used: str | None = None
        self.engine_reason: str | None = None
        #: The compiled step of the latest fit, and what it was made for.
        self._kernel: tuple[Any, Any] | None = None
        #: The rows of the fit in hand, ready for the network: (x, t, weights), for callbacks.
        self.data: tuple[Array, Array, Array | None] | None = None

    def stop(self, why: str) -> None:
        """End training after the step or epoch in hand; `why` is a text, or a message."""
        self.stop_reason = why

    def interrupt(self) -> None:
        """End training after the step or epoch in hand, since Ctrl-C was pressed."""
        self.stop(_("interrupted by Ctrl-C"))
        self.interrupted = True

    def kind_of(self, t: Array) -> str:
        """The kind of targets: as the loss says; with a loss by hand, ids are classes."""
        loss = getattr(self.model, "loss", None)
        if isinstance(loss, Loss):
            return loss.target
        return "classes" if t.ndim == 1 and t.dtype.kind in "iu" else "unknown"

    def evaluate_prepared(self, x: Array, t: Array, metrics: dict[str, Metric]) -> dict[str, float]:
        """The loss and the metrics on data that is ready for the network."""
        y = np.asarray(self.model.predict(x))
        loss = getattr(self.model, "loss", None)
        found = {}
        if isinstance(self.model, Network) and loss is not None:
            found["loss"] = float(loss.forward(y, t))
        else:
            found["loss"] = float(self.model.forward(x, t))
        counted = loss.counted(t) if isinstance(loss, Loss) else None
        if counted is not None:  # what the loss ignores says nothing in a metric, either
            y, t = y[counted], t[counted]
        for name, metric in metrics.items():
            value = metric(y, t)
            if np.ndim(value) or not isinstance(
                value, int | float | np.number | np.ndarray | np.bool_
            ):
                raise SettingError(
                    _(
                        "the metric {name} gave {value}; a metric of (outputs, targets) gives one number.",
                        name=name,
                        value=shown(value, 40),
                    )
                )
            found[name] = float(value)
        return found

    # -- going back ---------------------------------------------------------------------------------

    def _arrays(self) -> list[Array]:
        arrays = list(parameter_arrays(self.model))
        if isinstance(self.model, Network):
            arrays += self.model.named_buffers().values()
        return arrays

    def snapshot(self, *, place: bool = True) -> Snapshot:
        """A copy of the whole state, for `restore`; without `place`, of what a step changes only.

        That is parameters, buffers and the optimizer's slots. The place is the epoch, the history, the
        generator and the schedule.
        """
        slots, updates, where = None, 0, None
        if isinstance(self.optimizer, Optimizer):
            updates, state = self.optimizer.iter, self.optimizer.state
            slots = None if state is None else [[s.copy() for s in group] for group in state]
        if place:
            schedule = copy.deepcopy(getattr(self.optimizer, "schedule", None))
            bits, history = self.rng.bit_generator.state, copy.deepcopy(self.history)
            where = bits, schedule, history, self.current_epoch, self.stop_reason
        return Snapshot([a.copy() for a in self._arrays()], slots, updates, where)

    def restore(self, kept: Snapshot) -> None:
        """Go back to a snapshot; every array keeps its address, and `history` is the same object."""
        for array, old in zip(self._arrays(), kept.arrays, strict=True):
            array[...] = old
        if isinstance(self.optimizer, Optimizer):
            self.optimizer.iter = kept.updates
            if kept.slots is None:
                self.optimizer.state = None
            for group, old_group in zip(self.optimizer.state or [], kept.slots or [], strict=True):
                for slot, old in zip(group, old_group, strict=True):
                    slot[...] = old
        if kept.place is not None:
            bits, schedule, history, self.current_epoch, self.stop_reason = kept.place
            self.rng.bit_generator.state = bits
            vars(self.history).update(vars(copy.deepcopy(history)))
            if isinstance(self.optimizer, Optimizer):
                self.optimizer.schedule = copy.deepcopy(schedule)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kernel": None, "data": None}


def parameter_arrays(model: Any) -> list[Array]:
    """The parameter arrays of a model, each once."""
    if isinstance(model, Network):
        return [p.data for p in model.named_parameters().values()]
    return list({id(p): p for p in model.params}.values())
